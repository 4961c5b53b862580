"""Figures of the ranking of all clips for each class: average precision, AUC, d'; and of all pairs at once.

rankings = rank_classes(scores, labels)  # of two checked arrays [clips, classes]
rankings.average_precision, rankings.auc  # (C,) each
"""

import dataclasses
import math
from statistics import NormalDist

import numpy as np

from yt8m_audio.evaluation.blocks import class_blocks, in_threads
from yt8m_audio.evaluation.thresholds import average_precision, num_not_below, positives_by_class


@dataclasses.dataclass(frozen=True)
class ClassRankings:
    """What the rankings of all classes come to, and the sorted scores that they leave.

    Attributes:
        average_precision: of each class (C,), nan without positives.
        auc: of each class (C,), nan without positives or negatives.
        num_positives: of each class (C,).
        num_rated: clips that were rated for each class (C,).
        positives: scores of all positives (P,), ascending.
        pairs: scores of all rated clip-class pairs, in several arrays, each ascending.
    """

    average_precision: np.ndarray
    auc: np.ndarray
    num_positives: np.ndarray
    num_rated: np.ndarray
    positives: np.ndarray
    pairs: list[np.ndarray]

    @property
    def num_pairs(self) -> np.ndarray:
        """Positives times negatives of each class (C,)."""
        return self.num_positives * (self.num_rated - self.num_positives)

    def d_primes(self) -> np.ndarray:
        """d' of each class's own AUC (C,), finite also where that is 1."""
        return np.array([*map(d_prime, self.auc, self.num_pairs)])

    def micro_average_precision(self) -> float:
        """See `yt8m_audio.evaluation.metrics.micro_average_precision`."""
        return average_precision(self.positives, self.pairs, len(self.positives))


def rank_classes(scores: np.ndarray, labels: np.ndarray) -> ClassRankings:
    """Ranks all clips for every class; takes what `checked` and `unrated_last` of evaluation/inputs.py return."""
    num_classes = scores.shape[1]
    places = np.flatnonzero(labels)
    of_positives = scores.ravel()[places]
    positives = positives_by_class(of_positives, places % num_classes, num_classes)

    def ranked(classes: slice) -> tuple[list[tuple[float, float]], list[int], np.ndarray]:
        columns = scores[:, classes].T.copy(order="C")  # (block, N)
        columns.sort(axis=1)
        rated = [*map(_rated, columns)]
        areas = [*map(_areas, rated, positives[classes])]
        pairs = columns.reshape(-1)
        pairs.sort()
        return areas, [*map(len, rated)], _rated(pairs)

    areas, num_rated, pairs = zip(*in_threads(ranked, class_blocks(*scores.shape)), strict=True)
    average_precision, auc = np.concatenate(areas).T
    numbers = np.array([*map(len, positives)]), np.concatenate(num_rated)
    return ClassRankings(average_precision, auc, *numbers, np.sort(of_positives), [*pairs])


def _rated(ranked: np.ndarray) -> np.ndarray:
    """Those of some ascending scores that are above -inf, which stands for what was not rated."""
    return ranked[np.searchsorted(ranked, ranked.dtype.type(-np.inf), "right") :]


def _areas(ranked: np.ndarray, positives: np.ndarray) -> tuple[float, float]:
    """Average precision and AUC of one class, from its ascending scores (N,) and those of its positives (P,)."""
    num_positives, num_negatives = len(positives), len(ranked) - len(positives)
    if not num_positives:
        return math.nan, math.nan
    below = np.searchsorted(ranked, positives, "left")  # clips below each positive (P,)
    positives_not_below = num_not_below(positives, positives)
    average_precision = float((positives_not_below / (len(ranked) - below)).mean())
    if not num_negatives:
        return average_precision, math.nan
    not_above = np.searchsorted(ranked, positives, "right")
    positives_below = num_positives - positives_not_below
    positives_not_above = np.searchsorted(positives, positives, "right")
    # A negative below counts in both differences, one that is level in the second alone: half a pair.
    half_pairs = (below - positives_below).sum() + (not_above - positives_not_above).sum()
    return average_precision, half_pairs / (2 * num_positives * num_negatives)


def d_prime(auc: float, num_pairs: float = math.inf) -> float:
    """Sensitivity √2·Φ⁻¹(AUC): how many standard deviations two Gaussians lie apart that have this AUC.

    Args:
        auc: in [0, 1]; nan gives nan.
        num_pairs: positives times negatives behind the AUC, at least 1: an AUC of 0 or 1 is taken as half a
            pair short (see the top of yt8m_audio.evaluation.metrics). By default they give -inf and inf.
    """
    if math.isnan(auc):
        return math.nan
    half_pair = 0.5 / num_pairs
    auc = min(max(auc, half_pair), 1 - half_pair)
    if auc in (0, 1):
        return math.inf if auc else -math.inf
    return math.sqrt(2) * NormalDist().inv_cdf(auc)


def d_prime_of_mean(mean_auc: float, num_pairs: np.ndarray) -> float:
    """d' of a mean AUC, from the pairs behind the AUC of each class (C,), 0 where it has none."""
    return d_prime(mean_auc, num_pairs.max() * np.count_nonzero(num_pairs))
