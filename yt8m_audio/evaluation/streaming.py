"""Every figure in memory that hardly grows with the classes: for data sets whose scores do not fit.

    accumulator = StreamingAccumulator(num_classes=3862)
    for batch in scored_batches(score_batch, dataset):
        accumulator.add(batch)
    accumulator.compute()  # what `evaluate` returns, "exact": False, and the bounds of error

Exact, up to the rounding of sums, are all figures of a clip's own ranking (Hit@1, PERR, lwlrap, coverage), the loss,
the calibration error, and GAP@k and MAP@k, whose k pairs a clip are kept. mAP, AUC, both d' and micro AP come from a
sketch (see score_sketch): the middle of the least and the most that they can be, with half the distance as
`mAP_error_bound`, `auc_error_bound` and so on, which the error cannot exceed.
"""

import functools
import math

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.blocks import clip_blocks, in_threads
from yt8m_audio.evaluation.class_rankings import d_prime, d_prime_of_mean
from yt8m_audio.evaluation.clip_rankings import LabelPlaces, PlaceSums, label_places
from yt8m_audio.evaluation.cross_entropy import cross_entropies
from yt8m_audio.evaluation.inputs import check_any_clip, check_any_positive, checked, checked_rated, unrated_last
from yt8m_audio.evaluation.kept_pairs import (
    KeptPairs,
    KeptParts,
    average_precision_at_k_per_class,
    best_pairs,
    check_top_k,
    global_average_precision,
)
from yt8m_audio.evaluation.reliability import bin_sums
from yt8m_audio.evaluation.score_sketch import Areas, ScoreSketch
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.thresholds import mean_defined, positives_by_class


class StreamingAccumulator:
    """Takes scores batch by batch and keeps no table of them.

    It keeps 7 bytes for each of the k pairs of a clip, 6 for each label, and the sketch. Scores are taken as float32.

    Args:
        num_classes: C.
        top_k: classes kept of each clip for `gap@k` and `map@k`; all of them where there are fewer.
        octave_bits: how fine the sketch is, see `ScoreSketch`.
    """

    def __init__(self, num_classes: int, top_k: int = 20, octave_bits: int = 8):
        check_top_k(top_k)
        self.num_classes, self.top_k = num_classes, top_k
        self.sketch = ScoreSketch(num_classes, octave_bits)
        self.kept = KeptParts()
        self.places = PlaceSums(0, 0, 0.0, 0, np.zeros(num_classes), np.zeros(num_classes, np.int64))
        self.bins = bin_sums([], np.empty(0, np.float32))
        self.positives = []  # scores and classes of the labels of each batch
        self.loss = 0.0
        self.num_unrated = np.zeros(num_classes, np.int64)
        self.range = (0.0, 1.0)  # that all scores and these are in

    @classmethod
    def from_output(cls, scores: Scores, top_k: int = 20, octave_bits: int = 8) -> "StreamingAccumulator":
        """One that holds a single batch, to be merged."""
        accumulator = cls(scores.labels.shape[-1], top_k, octave_bits)
        accumulator.add(scores)
        return accumulator

    def add(self, batch: Scores) -> None:
        """Adds the scores of a batch; where it does not know its loss, `cross_entropy` of it.

        Raises:
            UserError: what `evaluate` raises of a batch, and classes that differ from those before.
        """
        if not len(batch.labels):
            return
        scores, labels = checked(batch.probabilities, batch.labels)
        check_same_classes(self.num_classes, scores.shape[1])
        scores, rated = scores.astype(np.float32, copy=False), checked_rated(batch.rated, labels)
        ranking = unrated_last(scores, rated)
        counted = scores if rated is None else scores[rated]

        def rank(clips: slice) -> tuple[LabelPlaces, KeptPairs]:
            part = ranking[clips], labels[clips]
            return label_places(*part), best_pairs(*part, self.top_k)

        works = [lambda: self.sketch.add(ranking), lambda: bin_sums([counted], scores[labels])]
        works += [functools.partial(rank, clips) for clips in clip_blocks(*scores.shape)]
        _, bins, *ranked = in_threads(lambda work: work(), works)
        self.bins += bins
        for places, kept in ranked:
            self._add_ranked(places, kept)
        self.range = counted.min(initial=self.range[0]), counted.max(initial=self.range[1])
        self.num_unrated += 0 if rated is None else np.count_nonzero(~rated, axis=0)
        known = not math.isnan(batch.loss)
        self.loss += batch.loss * len(scores) if known else math.fsum(cross_entropies(scores, labels, rated))

    def _add_ranked(self, places: LabelPlaces, kept: KeptPairs) -> None:
        self.places += places.sums()
        self.kept.add(kept)
        self.positives.append((places.scores, places.classes.astype(np.min_scalar_type(self.num_classes))))

    def merge(self, other: "StreamingAccumulator") -> None:
        """Adds what another has; it must have been made with the same arguments."""
        if (self.num_classes, self.top_k) != (other.num_classes, other.top_k):
            raise UserError(
                "Accumulators must have the same classes and top_k to be merged; make both with the same arguments. "
                f"Received: {self.num_classes} and {other.num_classes} classes, top_k {self.top_k} and {other.top_k}."
            )
        self.sketch.merge(other.sketch)
        self.kept.merge(other.kept)
        self.places += other.places
        self.bins += other.bins
        self.positives += other.positives
        self.loss += other.loss
        self.num_unrated += other.num_unrated
        self.range = min(self.range[0], other.range[0]), max(self.range[1], other.range[1])

    def compute(self) -> dict[str, int | float | bool]:
        """The figures, in the order of `evaluate`; `exact`, which is False; and the bounds of error.

        Raises:
            UserError: no clips, or no labels.
        """
        places, num_positives = self.places, self.places.num_labels
        check_any_clip((places.num_clips, self.num_classes))
        check_any_positive(num_positives.sum(), places.num_clips)
        kept = self.kept.parts()
        sketched, bounds = self._sketched()
        micro_ap = sketched.pop("micro_ap")
        return {
            "clips": places.num_clips,
            "hit@1": places.hit_at_one(),
            "perr": places.precision_at_equal_recall_rate(),
            f"gap@{self.top_k}": global_average_precision(kept, num_positives.sum()),
            f"map@{self.top_k}": mean_defined(average_precision_at_k_per_class(kept, num_positives)),
            **sketched,
            "loss": self.loss / places.num_clips,
            "lwlrap": places.lwlrap(),
            "lwlrap_class_mean": places.lwlrap_class_mean(),
            "micro_ap": micro_ap,
            "coverage": places.coverage(),
            "ece": self.bins.expected_calibration_error() if self.range == (0, 1) else math.nan,
            "exact": False,
            **bounds,
        }

    def _sketched(self) -> tuple[dict[str, float], dict[str, float]]:
        """The figures that the sketch gives, in the middle of what they can be, and half of how far that reaches."""
        scores, classes = (np.concatenate(columns) for columns in zip(*self.positives, strict=True))
        areas = self.sketch.areas(positives_by_class(scores, classes, self.num_classes), self.num_unrated)
        pooled = self.sketch.pooled_average_precision(np.sort(scores), int(self.num_unrated.sum()))
        low, high = (self._figures(*of_end) for of_end in zip(areas, pooled, strict=True))
        middles = {name: (low[name] + high[name]) / 2 for name in low}
        return middles, {f"{name}_error_bound": (high[name] - low[name]) / 2 for name in low}

    def _figures(self, areas: Areas, micro_ap: float) -> dict[str, float]:
        """Those of one end of what can be."""
        num_positives = self.places.num_labels
        num_pairs = num_positives * (self.places.num_clips - self.num_unrated - num_positives)
        mean_auc = mean_defined(areas.auc)
        return {
            "mAP": mean_defined(areas.average_precision),
            "auc": mean_auc,
            "d_prime": d_prime_of_mean(mean_auc, num_pairs),
            "d_prime_class_mean": mean_defined([*map(d_prime, areas.auc, num_pairs)]),
            "micro_ap": micro_ap,
        }


def check_same_classes(known: int, found: int) -> None:
    """Raises a UserError where a batch has other classes than those before it."""
    if known != found:
        raise UserError(
            "All batches must have the same classes; score them with the same model. "
            f"Received: {found} classes after {known}."
        )
