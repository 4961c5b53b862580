"""The classes of some clips that are kept, flat: one clip's after another's."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from yt8m_audio.prediction.predicted import Predicted


@dataclasses.dataclass(frozen=True)
class KeptClasses:
    """What is left where classes are dropped.

    Attributes:
        classes: int32 [sum].
        scores: float32 [sum].
        counts: int64 [n], how many each clip has.
    """

    classes: np.ndarray
    scores: np.ndarray
    counts: np.ndarray

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """The clip of each, int64 [sum]."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def by_clip(self, values: Sequence) -> Iterator[Sequence]:
        """Cuts a sequence [sum] into that of each clip."""
        begin = 0
        for count in self.counts.tolist():
            yield values[begin : begin + count]
            begin += count


def kept_classes(predicted: Predicted) -> KeptClasses:
    """Lists the classes that are not dropped, in the order of clips and, within each, best first."""
    kept = predicted.classes >= 0  # [n, k]
    if kept.all():  # nearly always, and many times as fast
        return KeptClasses(predicted.classes.ravel(), predicted.scores.ravel(), np.full(*kept.shape))
    counts = np.count_nonzero(kept, axis=1)
    return KeptClasses(predicted.classes[kept], predicted.scores[kept], counts)
