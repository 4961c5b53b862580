"""The classes of some clips that are kept, flat: one clip's after another's."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from yt8m_audio.prediction.predicted import Predicted


class KeptClasses(NamedTuple):
    """What is left where classes are dropped.

    Attributes:
        rows: int64 [sum], the clip of each.
        classes: int32 [sum].
        scores: float32 [sum].
        counts: int64 [n], how many each clip has.
    """

    rows: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    counts: np.ndarray

    def by_clip(self, values: Sequence) -> Iterator[Sequence]:
        """Cuts a sequence [sum] into that of each clip."""
        begin = 0
        for count in self.counts.tolist():
            yield values[begin : begin + count]
            begin += count


def kept_classes(predicted: Predicted) -> KeptClasses:
    """Lists the classes that are not dropped, in the order of clips and, within each, best first."""
    kept = predicted.classes >= 0  # [n, k]
    return KeptClasses(
        rows=np.nonzero(kept)[0],
        classes=predicted.classes[kept],
        scores=predicted.scores[kept],
        counts=np.count_nonzero(kept, axis=1),
    )
