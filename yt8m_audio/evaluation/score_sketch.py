"""Where the scores of each class lie, in little memory: a histogram of fine bins, and what it says of AP and AUC.

    sketch = ScoreSketch(num_classes=3862)
    sketch.add(scores)  # [clips, classes], batch by batch
    low, high = sketch.areas(positives)  # from the positives, which are few and kept exactly

A bin is a range of the odds p / (1 - p), a power of two cut in equal parts: the upper bits of the float32 itself.
Score to odds to bits never turns an order around, however the processor rounds. So a negative in a higher bin than a
positive is above it, one in a lower bin below, and of those in the same bin the worst is that all are above and the
best that all are below: the true figure lies between, whatever the scores are.
"""

import dataclasses
import math

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.blocks import blocks, clip_blocks
from yt8m_audio.evaluation.thresholds import POSITIVES_AT_ONCE, num_not_below

LOWEST_ODDS, HIGHEST_ODDS = np.float32(2**-24), np.float32(2**12)  # what lies beyond is in the outermost bins
OCTAVES = 36  # powers of two from the lowest odds to the highest
FLOAT32_FRACTION_BITS = 23
PAIRS_WAITING = 1 << 23  # bins of 2 bytes, kept until there are enough of a class to count them at once
CLASSES_COUNTED = 64  # classes turned at a time from rows of clips to columns


@dataclasses.dataclass(frozen=True)
class Areas:
    """Average precision and AUC of each class (C,), nan where undefined."""

    average_precision: np.ndarray
    auc: np.ndarray


class ScoreSketch:
    """Counts the scores of each class by bins of odds.

    Args:
        num_classes: C.
        octave_bits: 2 to this many bins between one power of two and the next: 36 · 2^bits + 1 bins of 4 bytes a
            class; at most 10.
    """

    def __init__(self, num_classes: int, octave_bits: int = 8):
        self.octave_bits = octave_bits
        self.shift = np.uint32(FLOAT32_FRACTION_BITS - octave_bits)
        self.lowest_bin = LOWEST_ODDS.view(np.uint32) >> self.shift
        self.counts = np.zeros((num_classes, num_bins(octave_bits)), np.uint32)
        self.waiting = np.empty((max(PAIRS_WAITING // num_classes, 1), num_classes), np.uint16)
        self.num_waiting = 0

    def add(self, scores: np.ndarray) -> None:
        """Counts float32 scores [clips, C], -inf where a class was not rated: that is in the lowest bin."""
        for part in blocks(len(scores), len(self.waiting)):
            self._add(scores[part])

    def _add(self, scores: np.ndarray) -> None:
        if self.num_waiting + len(scores) > len(self.waiting):
            self.count()
        waiting = self.waiting[self.num_waiting : self.num_waiting + len(scores)]
        for clips in clip_blocks(*scores.shape):
            waiting[clips] = self.bins(scores[clips])
        self.num_waiting += len(scores)

    def merge(self, other: "ScoreSketch") -> None:
        """Adds the counts of another sketch; both must have the same bins."""
        if self.counts.shape != other.counts.shape:
            raise UserError(
                "Sketches must have the same classes and bins to be merged; make both with the same arguments. "
                f"Received: {self.counts.shape} and {other.counts.shape} of [classes, bins]."
            )
        other.count()
        self.counts += other.counts

    def bins(self, scores: np.ndarray) -> np.ndarray:
        """The bin of each float32 score, in the order of the scores."""
        scores = np.clip(scores, np.float32(0), np.float32(1))
        with np.errstate(divide="ignore"):
            odds = scores / (1 - scores)
        np.clip(odds, LOWEST_ODDS, HIGHEST_ODDS, out=odds)
        return ((odds.view(np.uint32) >> self.shift) - self.lowest_bin).astype(np.uint16)

    def count(self) -> None:
        """Counts what waits. A class at a time, as its counts fit in a core's cache and those of all do not."""
        one = np.uint32(1)
        for classes in blocks(self.counts.shape[0], CLASSES_COUNTED):
            columns = self.waiting[: self.num_waiting, classes].T.copy()
            for counts, bins in zip(self.counts[classes], columns, strict=True):
                np.add.at(counts, bins, one)
        self.num_waiting = 0

    def areas(self, positives: list[np.ndarray], num_unrated: np.ndarray) -> tuple[Areas, Areas]:
        """The least and the most that average precision and AUC of each class can be (C,).

        Args:
            positives: of each class, the scores of its positives among those counted, ascending.
            num_unrated: how many of those counted were not rated (C,).
        """
        self.count()
        found = np.array([*map(self._areas, self.counts, positives, num_unrated)]).T  # (4, C)
        return Areas(found[0], found[2]), Areas(found[1], found[3])

    def pooled_average_precision(self, positives: np.ndarray, num_unrated: int) -> tuple[float, float]:
        """The least and the most that it can be of all clip-class pairs together, from all positives, ascending."""
        self.count()
        low, high, *_ = self._areas(self.counts.sum(axis=0, dtype=np.int64), positives, num_unrated)
        return low, high

    def _areas(self, counts: np.ndarray, positives: np.ndarray, num_unrated: int) -> tuple[float, float, float, float]:
        """Low and high average precision, low and high AUC, of some counts (bins,) and positives (P,)."""
        if not len(positives):
            return math.nan, math.nan, math.nan, math.nan
        bins = self.bins(positives)
        negatives = counts.astype(np.int64) - np.bincount(bins, minlength=len(counts))
        negatives[0] -= num_unrated
        from_bin_up = np.cumsum(negatives[::-1])[::-1]  # negatives in each bin and above
        at_worst = _sums_over_positives(positives, bins, from_bin_up)
        at_best = _sums_over_positives(positives, bins, from_bin_up - negatives)
        num_positives, num_negatives = len(positives), from_bin_up[0]
        precision_low, precision_high = at_worst[0] / num_positives, at_best[0] / num_positives
        if not num_negatives:
            return precision_low, precision_high, math.nan, math.nan
        num_pairs = num_positives * num_negatives
        return precision_low, precision_high, 1 - at_worst[1] / num_pairs, 1 - at_best[1] / num_pairs


def num_bins(octave_bits: int) -> int:
    """How many bins a class has."""
    return (OCTAVES << octave_bits) + 1


def _sums_over_positives(positives: np.ndarray, bins: np.ndarray, above: np.ndarray) -> tuple[float, int]:
    """Precisions and pairs in the wrong order, added over positives, where `above` (bins,) are the negatives above."""
    precisions, wrong_pairs = 0.0, 0
    for part in blocks(len(positives), POSITIVES_AT_ONCE):
        hits, negatives = num_not_below(positives, positives[part]), above[bins[part]]
        precisions += (hits / (hits + negatives)).sum()
        wrong_pairs += int(negatives.sum())
    return precisions, wrong_pairs
