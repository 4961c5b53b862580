"""Average precision, quotients, means: what the rankings of clips, classes and pairs have in common."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from yt8m_audio.evaluation.blocks import blocks, in_threads

POSITIVES_AT_ONCE = 1 << 16  # searched for together, so that memory stays small however many there are


def average_precision(positives: np.ndarray, ranked: Sequence[np.ndarray], num_positives: int) -> float:
    """Average precision of a ranking in which equal scores are one threshold; nan without positives.

    It is a mean over the positives alone, each of which sets a threshold at its score. So it is enough to sort values,
    which takes half as long as sorting indices does, and the order of equal ones is never asked for.

    Args:
        positives: scores of the positives in the ranking (P,), ascending.
        ranked: all scores in the ranking, positives among them, in any number of arrays, each ascending.
        num_positives: what recall is a share of; more than P where some positives are not in the ranking.
    """
    if not num_positives:
        return math.nan

    def precisions(part: slice) -> float:
        not_below = sum(num_not_below(scores, positives[part]) for scores in ranked)
        return (num_not_below(positives, positives[part]) / not_below).sum()

    return float(sum(in_threads(precisions, blocks(len(positives), POSITIVES_AT_ONCE))) / num_positives)


def num_not_below(ranked: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of some ascending scores are at least as high as each threshold."""
    return len(ranked) - np.searchsorted(ranked, thresholds, "left")


def positives_by_class(scores: np.ndarray, classes: np.ndarray, num_classes: int) -> list[np.ndarray]:
    """Scores of positives (P,) and their classes (P,) as an ascending array per class."""
    order = np.argsort(scores)
    classes = classes[order].astype(np.min_scalar_type(num_classes))  # small integers: a radix sort
    order = order[np.argsort(classes, kind="stable")]
    ends = np.cumsum(np.bincount(classes, minlength=num_classes))  # (C,)
    return np.split(scores[order], ends[:-1])


def quotients(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Quotients of two arrays of one shape, nan where the divisor is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)


def mean_defined(values: Iterable[float]) -> float:
    """Mean of the values that are not nan; nan where none is, without numpy's warning."""
    values = np.asarray(values)
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan
