"""What is true of clips, without their features: what files of predictions are compared with."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.prediction_files import Predictions
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.sparse_rows import SparseRows


@dataclasses.dataclass(frozen=True)
class Truth:
    """Clips and their labels.

    Attributes:
        names: object [N] of bytes, what predictions call the clips: their ids, and of segments `id:start`.
        video_ids: object [N] of bytes.
        start_times: float32 [N], seconds.
        labels: [N, C] of uint8.
        rated: of segments, [N, C] of uint8, 1 where a class was rated; else None.
    """

    names: np.ndarray
    video_ids: np.ndarray
    start_times: np.ndarray
    labels: SparseRows
    rated: SparseRows | None = None

    def __len__(self) -> int:
        return len(self.names)

    def only(self, kept: np.ndarray) -> "Truth":
        """Those of the clips that are kept, bool [N]."""
        rows = np.flatnonzero(kept)
        parts = (self.names[rows], self.video_ids[rows], self.start_times[rows], self.labels.take(rows))
        return Truth(*parts, self.rated and self.rated.take(rows))


def places_in(predictions: Predictions, truth: Truth, where: str) -> np.ndarray:
    """Finds the prediction of each clip, int64 [N].

    Args:
        predictions: of these clips, and maybe of others.
        truth: the clips.
        where: the flag and the pattern that gave them, for errors.

    Raises:
        UserError: if a clip has no prediction, or two clips have one name.
    """
    twice = pd.Index(truth.names).duplicated()
    if twice.any():
        raise UserError(
            f"{where}: {twice.sum():,} of its clips have the id of another one, such as {_shown(truth.names[twice])}, "
            "and predictions tell clips apart by their ids alone."
        )
    places = pd.Index(predictions.video_ids).get_indexer(truth.names)
    missing = places < 0
    if missing.all():
        raise UserError(
            f"{predictions.asked} has none of the {len(truth):,} clips of {where}: its first is "
            f"{_shown(predictions.video_ids)}, theirs is {_shown(truth.names)}."
        )
    if missing.any():
        raise UserError(
            f"{predictions.asked} lacks {missing.sum():,} of the {len(truth):,} clips of {where}, such as "
            f"{_shown(truth.names[missing])}: predict them, or name the clips to evaluate with --eval_ids."
        )
    return places


def joined_batches(
    predictions: Predictions, truth: Truth, places: np.ndarray, num_classes: int, batch_size: int
) -> Iterator[Scores]:
    """Gives predictions and truth of the clips, in the order of the truth, some at a time; the loss is not known."""
    for first in range(0, len(truth), batch_size):
        rows = np.arange(first, min(first + batch_size, len(truth)))
        probabilities = predictions.scores.dense(places[rows], num_classes)
        rated = None if truth.rated is None else truth.rated.dense(rows, num_classes) != 0
        yield Scores(
            probabilities=probabilities if rated is None else probabilities * rated,
            labels=truth.labels.dense(rows, num_classes),
            loss=np.nan,
            rated=rated,
            video_ids=truth.video_ids[rows],
            start_times=truth.start_times[rows],
        )


def _shown(names: np.ndarray) -> str:
    return names[0].decode(errors="replace")
