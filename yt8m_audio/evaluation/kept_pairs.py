"""The k best classes of every clip, and the figures of a ranking of them alone: GAP@k and MAP@k.

kept = best_pairs(scores, labels, top_k=20)  # of two checked arrays [clips, classes]
global_average_precision([kept], num_positives)
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.blocks import clip_blocks, in_threads
from yt8m_audio.evaluation.thresholds import average_precision

PAIRS_AT_ONCE = 1 << 20  # sorted together, so that memory stays small however many are kept


@dataclasses.dataclass(frozen=True)
class KeptPairs:
    """The k best clip-class pairs of some clips: arrays (n * k,), by ascending score.

    Attributes:
        scores: their scores.
        classes: their classes, in the smallest unsigned integers that hold them.
        hits: whether the class is true of the clip.
    """

    scores: np.ndarray
    classes: np.ndarray
    hits: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def of_classes(self, first: int, last: int) -> "KeptPairs":
        """Those of the classes from `first` up to and without `last`."""
        return self.at(np.flatnonzero((self.classes >= first) & (self.classes < last)))

    def at(self, places: np.ndarray) -> "KeptPairs":
        """Those at some places."""
        return KeptPairs(self.scores[places], self.classes[places], self.hits[places])

    @staticmethod
    def together(parts: Sequence["KeptPairs"]) -> "KeptPairs":
        """All pairs of several parts, which may be in any order."""
        columns = ("scores", "classes", "hits")
        pairs = KeptPairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
        return pairs.at(np.argsort(pairs.scores))


class KeptParts:
    """Kept pairs that come in many small parts, as a few large ones."""

    def __init__(self):
        self.large, self.small = [], []

    def add(self, part: KeptPairs) -> None:
        """Adds one part."""
        self.small.append(part)
        if sum(map(len, self.small)) >= PAIRS_AT_ONCE:
            self.large.append(KeptPairs.together(self.small))
            self.small = []

    def merge(self, other: "KeptParts") -> None:
        """Adds the parts of another."""
        self.large += other.large
        for part in other.small:
            self.add(part)

    def parts(self) -> list[KeptPairs]:
        """All of them."""
        return self.large + ([KeptPairs.together(self.small)] if self.small else [])


def best_pairs(scores: np.ndarray, labels: np.ndarray, top_k: int) -> KeptPairs:
    """Keeps the k best pairs of every clip, all of them where there are fewer; of equal ones the lower class.

    Takes what `checked` and `unrated_last` of yt8m_audio.evaluation.inputs return.
    """
    check_top_k(top_k)
    depth = min(top_k, scores.shape[1])
    return KeptPairs.together(
        in_threads(lambda clips: _best_pairs(scores[clips], labels[clips], depth), clip_blocks(*scores.shape))
    )


def check_top_k(top_k: int) -> None:
    """Raises a UserError where it is below 1."""
    if top_k < 1:
        raise UserError(f"top_k must be at least 1, the best classes kept of each clip. Received: top_k={top_k}.")


def _best_pairs(scores: np.ndarray, labels: np.ndarray, depth: int) -> KeptPairs:
    num_clips, num_classes = scores.shape
    worst_kept = np.partition(scores, -depth, axis=1)[:, -depth, np.newaxis]  # (n, 1)
    kept = scores >= worst_kept  # (n, C)
    places = np.flatnonzero(kept)
    if len(places) > num_clips * depth:  # argpartition would keep any of the classes level with the worst one kept
        surplus = np.flatnonzero(np.count_nonzero(kept, axis=1) > depth)
        kept[surplus] = _lower_of_level(scores[surplus], worst_kept[surplus], depth)
        places = np.flatnonzero(kept)
    classes = (places % num_classes).astype(np.min_scalar_type(num_classes))
    return KeptPairs(scores.ravel()[places], classes, labels.ravel()[places])


def _lower_of_level(scores: np.ndarray, worst_kept: np.ndarray, depth: int) -> np.ndarray:
    """Which classes are kept (n, C) where not all that are level with the worst one have room."""
    above, level = scores > worst_kept, scores == worst_kept  # (n, C)
    places_left = depth - np.count_nonzero(above, axis=1, keepdims=True)  # (n, 1)
    return above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= places_left))


def global_average_precision(kept: Sequence[KeptPairs], num_positives: int) -> float:
    """GAP@k of all pairs that were kept, in any number of parts; see `metrics.global_average_precision`."""
    hits = np.sort(np.concatenate([part.scores[part.hits] for part in kept]))
    return average_precision(hits, [part.scores for part in kept], num_positives)


def average_precision_at_k_per_class(kept: Sequence[KeptPairs], num_positives: np.ndarray) -> np.ndarray:
    """MAP@k's average precision [classes] of all pairs that were kept, in any number of parts.

    See `metrics.average_precision_at_k_per_class`. Some classes are looked at at a time.

    Args:
        kept: the pairs.
        num_positives: positives of each class (C,), also of those not kept.
    """
    num_kept = sum(np.bincount(part.classes, minlength=len(num_positives)) for part in kept)  # (C,)
    group = np.cumsum(num_kept) // PAIRS_AT_ONCE  # of each class, ascending
    bounds = [0, *(np.flatnonzero(np.diff(group)) + 1), len(num_positives)]

    def of_group(group: tuple[int, int]) -> list[float]:
        first, last = group
        pairs = KeptPairs.together([part.of_classes(first, last) for part in kept])
        return _average_precisions(pairs, num_kept[first:last], num_positives[first:last])

    return np.concatenate(in_threads(of_group, itertools.pairwise(bounds)))


def _average_precisions(pairs: KeptPairs, num_kept: np.ndarray, num_positives: np.ndarray) -> list[float]:
    """Average precision of neighbouring classes, from all their pairs and how many each has."""
    pairs = pairs.at(np.argsort(pairs.classes, kind="stable"))  # by class, then score: small integers, a radix sort
    ends = np.cumsum(num_kept)
    found = []
    for start, end, total in zip(ends - num_kept, ends, num_positives, strict=True):
        scores, hits = pairs.scores[start:end], pairs.hits[start:end]
        found.append(average_precision(scores[hits], [scores], total) if total else math.nan)
    return found
