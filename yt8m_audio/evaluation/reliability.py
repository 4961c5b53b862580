"""Whether a score of 0.3 comes true three times in ten: reliability by bins, and what it is off on average.

Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", with every clip-class pair
taken for itself. Bins have equal widths over [0, 1]; one holds its lower edge, the last one 1 as well.
"""

import dataclasses
import math
from collections.abc import Iterable

import numpy as np

from yt8m_audio.evaluation.thresholds import quotients

NUM_BINS = 15


@dataclasses.dataclass(frozen=True)
class BinSums:
    """Sums over the pairs in each bin (bins,); those of parts add up.

    Attributes:
        counts: pairs.
        scores: their scores, added.
        positives: pairs that are true.
    """

    counts: np.ndarray
    scores: np.ndarray
    positives: np.ndarray

    def __add__(self, other: "BinSums") -> "BinSums":
        return BinSums(self.counts + other.counts, self.scores + other.scores, self.positives + other.positives)

    def reliability(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean score, share true, count (bins,)."""
        return quotients(self.scores, self.counts), quotients(self.positives, self.counts), self.counts

    def expected_calibration_error(self) -> float:
        """Mean distance of score and share true, weighted by count, in [0, 1]; nan without pairs."""
        mean_score, share_true, counts = self.reliability()
        some = counts > 0
        distances = np.abs(mean_score - share_true)[some] * counts[some]
        return float(distances.sum() / counts.sum()) if some.any() else math.nan


def bin_sums(parts: Iterable[np.ndarray], positives: np.ndarray, num_bins: int = NUM_BINS) -> BinSums:
    """Sums of bins, from the scores of all pairs, in any number of arrays, and from those of the positives."""
    counts, scores = np.zeros(num_bins, np.int64), np.zeros(num_bins)
    for part in parts:
        part_counts, part_scores = _counts_and_scores(part, num_bins)
        counts += part_counts
        scores += part_scores
    return BinSums(counts, scores, np.bincount(_bins(positives, num_bins), minlength=num_bins))


def _counts_and_scores(scores: np.ndarray, num_bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in each bin and their scores, added (bins,). Most pairs are in the first bin and need no search."""
    above = scores[scores >= _edges(num_bins, scores.dtype)[0]] if num_bins > 1 else scores[:0]
    bins = _bins(above, num_bins)
    counts = np.bincount(bins, minlength=num_bins)
    totals = np.bincount(bins, above, num_bins).astype(np.float64)  # numpy's are whole numbers where none is above
    counts[0] = scores.size - above.size
    totals[0] = scores.sum(dtype=np.float64) - above.sum(dtype=np.float64)
    return counts, totals


def _bins(scores: np.ndarray, num_bins: int) -> np.ndarray:
    return np.searchsorted(_edges(num_bins, scores.dtype), scores, "right")


def _edges(num_bins: int, dtype: np.dtype) -> np.ndarray:
    """Lower edges of all bins but the first (bins - 1,), none below its fraction in spite of rounding."""
    exact = np.arange(1, num_bins) / num_bins
    edges = exact.astype(dtype)
    return np.where(edges < exact, np.nextafter(edges, dtype.type(1)), edges).astype(dtype)
