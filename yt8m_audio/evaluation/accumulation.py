"""Figures of scores that come in batches, from several places, in any order: from output, merge, compute.

    accumulator = fitting_accumulator(num_clips, num_classes, max_bytes=2 << 30)
    for batch in scored_batches(score_batch, dataset):
        accumulator.add(batch)
    figures = accumulator.compute()  # figures["exact"] says whether all scores were kept

or, where workers score a part each, `ExactAccumulator.from_output(batch)` there, and `merge` of what they give.
"""

import math

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.inputs import checked, checked_rated
from yt8m_audio.evaluation.kept_pairs import check_top_k
from yt8m_audio.evaluation.metrics import evaluate
from yt8m_audio.evaluation.score_sketch import num_bins
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.streaming import StreamingAccumulator, check_same_classes

MIB = 1 << 20
EXACT_BYTES_PER_PAIR = 17  # measured, of segments: scores, labels, what was rated, then scores by rating, sorted ones
FINEST_OCTAVE_BITS, COARSEST_OCTAVE_BITS = 10, 4
BYTES_PER_KEPT_PAIR, BYTES_PER_LABEL = 7, 40  # a label's while figures are computed
LABELS_PER_CLIP = 4  # AudioSet's clips have 2 to 3, YouTube-8M's 3.4
STREAMING_TEMPORARIES = 96 * MIB


class ExactAccumulator:
    """Keeps all scores. Its figures are `evaluate`'s, and order, batches and merging do not change a bit of them.

    But for the loss, where the batches give theirs: sums of means are rounded.

    Args:
        num_classes: C.
        top_k: classes kept of each clip for `gap@k` and `map@k`.
    """

    def __init__(self, num_classes: int, top_k: int = 20):
        check_top_k(top_k)
        self.num_classes, self.top_k = num_classes, top_k
        self.batches: list[Scores] = []

    @classmethod
    def from_output(cls, scores: Scores, top_k: int = 20) -> "ExactAccumulator":
        """One that holds a single batch, to be merged."""
        accumulator = cls(scores.labels.shape[-1], top_k)
        accumulator.add(scores)
        return accumulator

    def add(self, batch: Scores) -> None:
        """Adds the scores of a batch.

        Raises:
            UserError: what `evaluate` raises of a batch, and classes that differ from those before.
        """
        if len(batch.labels):
            scores, labels = checked(batch.probabilities, batch.labels)
            check_same_classes(self.num_classes, scores.shape[1])
            checked_rated(batch.rated, labels)
            self.batches.append(batch)

    def merge(self, other: "ExactAccumulator") -> None:
        """Adds what another has, whose top_k does not matter."""
        check_same_classes(self.num_classes, other.num_classes)
        self.batches += other.batches

    def scores(self) -> Scores:
        """All scores as one, in the order in which they came; its loss is nan where a batch's is."""
        if len(self.batches) != 1:
            self.batches = [self._together()]
        return self.batches[0]

    def _together(self) -> Scores:
        if not self.batches:
            shape = (0, self.num_classes)
            nothing = np.empty(shape, np.float32), np.empty(shape, np.uint8), math.nan, None
            return Scores(*nothing, np.empty(0, object), np.empty(0, np.float32))
        names = ("probabilities", "labels", "video_ids", "start_times")
        columns = {name: np.concatenate([getattr(batch, name) for batch in self.batches]) for name in names}
        total = math.fsum(batch.loss * len(batch.labels) for batch in self.batches)
        return Scores(**columns, loss=total / len(columns["labels"]), rated=self._rated())

    def _rated(self) -> np.ndarray | None:
        """Which classes were rated, all of those of a batch that does not say; None where no batch does."""
        if all(batch.rated is None for batch in self.batches):
            return None
        each = (np.ones(batch.labels.shape, bool) if batch.rated is None else batch.rated for batch in self.batches)
        return np.concatenate([*each])

    def compute(self) -> dict[str, int | float | bool]:
        """The figures of `evaluate`, and `exact`, which is True.

        Raises:
            UserError: what `evaluate` raises: no clips, or no labels.
        """
        scores = self.scores()
        loss = None if math.isnan(scores.loss) else scores.loss
        figures = evaluate(scores.probabilities, scores.labels, self.top_k, loss=loss, rated=scores.rated)
        return {**figures, "exact": True}


def fitting_accumulator(
    num_clips: int, num_classes: int, max_bytes: int, top_k: int = 20
) -> ExactAccumulator | StreamingAccumulator:
    """The exact accumulator where its scores fit, else a streaming one with as fine a sketch as fits.

    Args:
        num_clips: how many clips will be added at most.
        num_classes: C.
        max_bytes: memory that it may take, the figures' computation included, beside the model and the batches.
        top_k: classes kept of each clip.

    Raises:
        UserError: neither all scores fit, nor the coarsest sketch.
    """
    exact = num_clips * num_classes * EXACT_BYTES_PER_PAIR
    if exact <= max_bytes:
        return ExactAccumulator(num_classes, top_k)
    for octave_bits in range(FINEST_OCTAVE_BITS, COARSEST_OCTAVE_BITS - 1, -1):
        streaming = streaming_bytes(num_clips, num_classes, top_k, octave_bits)
        if streaming <= max_bytes:
            return StreamingAccumulator(num_classes, top_k, octave_bits)
    raise UserError(
        f"To evaluate {num_clips:,} clips of {num_classes:,} classes with top_k={top_k} takes "
        f"{-(-min(exact, streaming) // MIB):,} MiB "
        f"at least; allow that much memory, or a smaller top_k. Received: {int(max_bytes // MIB):,} MiB."
    )


def streaming_bytes(num_clips: int, num_classes: int, top_k: int, octave_bits: int) -> int:
    """About the most memory that a streaming accumulator takes."""
    kept = num_clips * min(top_k, num_classes) * BYTES_PER_KEPT_PAIR
    labels = num_clips * LABELS_PER_CLIP * BYTES_PER_LABEL
    return kept + labels + 4 * num_classes * num_bins(octave_bits) + STREAMING_TEMPORARIES
