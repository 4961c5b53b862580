"""Metrics of multi-label classification, YouTube-8M's and AudioSet's, each under its own name.

    metrics = evaluate(scores, labels)  # two arrays [clips, classes]
    metrics["gap@20"], metrics["mAP"]

Those of the YouTube-8M starter code (google/youtube-8m, eval_util.py) look at the best classes of each clip:
`hit@1`, `perr`, `gap@k`, `map@k`; `loss` is its CrossEntropyLoss. AudioSet's (Gemmeke et al. 2017; Kong et
al. 2019) look at all clips of each class: `mAP`, `auc`, `d_prime`, `d_prime_class_mean`. `map@k` is not
`mAP`: it leaves a clip out of the ranking of every class that is not among the clip's k best, and one set of
scores gave .116 and .160.

Ties. `mAP` and `auc` take equal scores as one threshold, as scikit-learn does, so that no order among them is
assumed. The others need one: within a clip the lower class goes first, between clips the earlier clip.

Perfect classes. d' of an AUC of 1 is infinite. But the AUC of P positives and N negatives moves in steps of
half a pair, 1 / (2PN), and 0 and 1 are taken as one step short (Macmillan & Kaplan 1985). A mean over C
classes moves in steps of 1 / (2PNC), smallest where PN is largest, and is treated alike. No other
value changes.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from yt8m_audio.errors import UserError

LOSS_EPSILON = 1e-5  # of the starter's CrossEntropyLoss
CLIPS_PER_BLOCK = 1024  # keeps temporaries of [block, classes] to a few MB
CLASSES_PER_BLOCK = 16  # 16 float32 fill a cache line: reading fewer columns at a time costs as much


def evaluate(
    scores: ArrayLike,
    labels: ArrayLike,
    top_k: int = 20,
    *,
    loss: float | None = None,
    num_unrated: np.ndarray | None = None,
) -> dict[str, int | float]:
    """Returns every metric of a set of clips, in the order in which they are printed.

    Segments: multiply scores by their label weights first, as the starter code does, and give `num_unrated`.

    Args:
        scores: [clips, classes], finite, higher is likelier; float32 and float64 are taken as they are.
        labels: [clips, classes], 0 or 1, any type.
        top_k: classes kept of each clip for `gap@k` and `map@k`; all of them where there are fewer.
        loss: the label loss where the caller has measured its own, reported in place of `cross_entropy`.
        num_unrated: clips [classes] that were not rated for a class, whose score is 0: they are no negatives to AUC
            and d'. To the other figures they do not matter, as they rank behind all that were rated.

    Returns:
        `clips`, then the figures, nan where one is undefined: `gap@k`, `map@k` and `mAP` without any
        positive; `auc` and both d' where no class has positives and negatives; `loss` where a score is
        outside [0, 1].

    Raises:
        UserError: no clips, shapes that differ or are not 2-D, NaN or infinite scores, labels other than 0
            and 1, top_k below 1.
    """
    scores, labels = _checked(scores, labels)
    pool = _pool_best(scores, labels, top_k)
    average_precision, auc = _areas_per_class(scores, labels)  # (C,), (C,)
    num_pairs = _num_pairs_per_class(labels)  # (C,)
    if num_unrated is not None:
        auc, num_pairs = _of_rated(auc, np.count_nonzero(labels, axis=0), num_pairs, num_unrated)
    mean_auc = _mean_defined(auc)
    return {
        "clips": len(scores),
        "hit@1": _hit_at_one(scores, labels),
        "perr": _precision_at_equal_recall_rate(scores, labels),
        f"gap@{top_k}": _global_average_precision(pool, labels),
        f"map@{top_k}": _mean_defined(_average_precision_at_k_per_class(pool, labels)),
        "mAP": _mean_defined(average_precision),
        "auc": mean_auc,
        "d_prime": d_prime(mean_auc, num_pairs.max() * np.count_nonzero(num_pairs)),
        "d_prime_class_mean": _mean_defined(np.array([*map(d_prime, auc, num_pairs)])),
        "loss": _cross_entropy(scores, labels) if loss is None else float(loss),
    }


def hit_at_one(scores: ArrayLike, labels: ArrayLike) -> float:
    """Hit@1: share of clips whose best class is one of their labels, in [0, 1].

    A clip without labels counts 0. Takes scores and labels [clips, classes] and raises as `evaluate` does.
    Starter: `calculate_hit_at_one`.
    """
    return _hit_at_one(*_checked(scores, labels))


def precision_at_equal_recall_rate(scores: ArrayLike, labels: ArrayLike) -> float:
    """PERR: share of true classes among a clip's G best, G its number of labels; mean over clips, in [0, 1].

    A class counts only with a score above 0, and a clip without labels counts 0. Takes scores and labels
    [clips, classes] and raises as `evaluate` does. Starter: `calculate_precision_at_equal_recall_rate`.
    """
    return _precision_at_equal_recall_rate(*_checked(scores, labels))


def global_average_precision(scores: ArrayLike, labels: ArrayLike, top_k: int = 20) -> float:
    """GAP@k: average precision of one ranking of the k best (score, label) pairs of every clip, in [0, 1].

    Recall is over all positives, also those not kept; nan without any. Takes scores and labels
    [clips, classes] and raises as `evaluate` does. Starter: `calculate_gap`, the metric of the challenges.
    """
    scores, labels = _checked(scores, labels)
    return _global_average_precision(_pool_best(scores, labels, top_k), labels)


def mean_average_precision_at_k(scores: ArrayLike, labels: ArrayLike, top_k: int = 20) -> float:
    """MAP@k: mean of `average_precision_at_k_per_class` over the classes with positives; nan without any."""
    return _mean_defined(average_precision_at_k_per_class(scores, labels, top_k))


def average_precision_at_k_per_class(scores: ArrayLike, labels: ArrayLike, top_k: int = 20) -> np.ndarray:
    """Average precision [classes] over the clips that have the class among their k best, each in [0, 1].

    Recall is over all positives of the class, so that one which no clip keeps scores 0; nan without
    positives. Takes scores and labels [clips, classes] and raises as `evaluate` does. Starter:
    `MeanAveragePrecisionCalculator`.
    """
    scores, labels = _checked(scores, labels)
    return _average_precision_at_k_per_class(_pool_best(scores, labels, top_k), labels)


def average_precision_per_class(scores: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Average precision [classes] over all clips, each in (0, 1]; nan for a class without positives.

    Its mean is AudioSet's mAP. Takes scores and labels [clips, classes] and raises as `evaluate` does. Equals
    scikit-learn's `average_precision_score`, ties included.
    """
    return _areas_per_class(*_checked(scores, labels))[0]


def roc_auc_per_class(scores: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Area under the ROC curve [classes], each in [0, 1]; nan for a class without positives or negatives.

    The share of pairs (positive, negative) in the right order, one of equal scores as half a pair. Takes
    scores and labels [clips, classes] and raises as `evaluate` does. Equals scikit-learn's `roc_auc_score`.
    """
    return _areas_per_class(*_checked(scores, labels))[1]


def d_prime(auc: float, num_pairs: float = math.inf) -> float:
    """Sensitivity √2·Φ⁻¹(AUC): how many standard deviations two Gaussians lie apart that have this AUC.

    Args:
        auc: in [0, 1]; nan gives nan.
        num_pairs: positives times negatives behind the AUC, at least 1: an AUC of 0 or 1 is taken as half a
            pair short (see the top of this module). By default they give -inf and inf.
    """
    if math.isnan(auc):
        return math.nan
    half_pair = 0.5 / num_pairs
    auc = min(max(auc, half_pair), 1 - half_pair)
    if auc in (0, 1):
        return math.inf if auc else -math.inf
    return math.sqrt(2) * NormalDist().inv_cdf(auc)


def cross_entropy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The starter code's CrossEntropyLoss: summed over classes, averaged over clips; nan outside [0, 1].

    Takes probabilities and labels [clips, classes] and raises as `evaluate` does.
    """
    return _cross_entropy(*_checked(probabilities, labels))


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores as float32 or float64 and labels as bool, both [clips, classes]."""
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise UserError(
            "Scores and labels must have the same shape [clips, classes]; give both a row per clip and a "
            f"column per class. Received: scores {scores.shape}, labels {labels.shape}."
        )
    if not scores.size:
        raise UserError(
            "Metrics need at least one clip and one class; check that the evaluated files hold records. "
            f"Received: scores {scores.shape} of [clips, classes]."
        )
    return _checked_scores(scores), _checked_labels(labels)


def _checked_scores(scores: np.ndarray) -> np.ndarray:
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float32 if scores.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(scores)
    if not finite.all():
        clip, index = np.argwhere(~finite)[0]
        raise UserError(
            "Scores must be finite; did the loss diverge? Evaluate an earlier checkpoint. Received: "
            f"{np.count_nonzero(~finite)} of {finite.size} NaN or infinite, "
            f"the first {scores[clip, index]} at clip {clip}, class {index}."
        )
    return scores


def _checked_labels(labels: np.ndarray) -> np.ndarray:
    if labels.dtype == bool:
        return labels
    known = (labels == 0) | (labels == 1)
    if not known.all():
        clip, index = np.argwhere(~known)[0]
        raise UserError(
            "Labels must be 0 or 1; turn soft labels into 0 and 1 by a threshold first. Received: "
            f"{np.count_nonzero(~known)} of {known.size} with another value, "
            f"the first {labels[clip, index]} at clip {clip}, class {index}."
        )
    return labels.astype(bool)


def _mean_defined(values: np.ndarray) -> float:
    """Mean of the values that are not nan; nan where none is, without numpy's warning."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


def _best_classes(scores: np.ndarray, depth: int) -> np.ndarray:
    """Indices of the `depth` best classes of each clip (n, K), best first, of equal ones the lower first."""
    worst_kept = np.partition(scores, -depth, axis=1)[:, -depth, np.newaxis]  # (n, 1)
    above, level = scores > worst_kept, scores == worst_kept  # (n, C)
    places_left = depth - np.count_nonzero(above, axis=1, keepdims=True)  # (n, 1)
    # argpartition would be shorter, but it keeps any of the classes level with the worst one kept.
    kept = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= places_left))
    classes = np.nonzero(kept)[1].reshape(-1, depth)  # (n, K), ascending
    order = np.argsort(-np.take_along_axis(scores, classes, axis=1), axis=1, kind="stable")
    return np.take_along_axis(classes, order, axis=1)


def _pool_best(scores: np.ndarray, labels: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes and labels (N * K,) of the k best pairs of every clip, in one ranking, best first."""
    if top_k < 1:
        raise UserError(f"top_k must be at least 1, the best classes kept of each clip. Received: top_k={top_k}.")
    depth = min(top_k, scores.shape[1])
    blocks = _blocks(len(scores), CLIPS_PER_BLOCK)
    classes = np.concatenate([_best_classes(scores[clips], depth) for clips in blocks])  # (N, K)
    kept = np.take_along_axis(scores, classes, axis=1)  # (N, K)
    order = np.argsort(-kept, axis=None, kind="stable")  # (N * K,)
    return classes.ravel()[order], np.take_along_axis(labels, classes, axis=1).ravel()[order]


def _hit_at_one(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(labels[np.arange(len(scores)), scores.argmax(axis=1)].mean())


def _precision_at_equal_recall_rate(scores: np.ndarray, labels: np.ndarray) -> float:
    blocks = _blocks(len(scores), CLIPS_PER_BLOCK)
    total = sum(_equal_recall_precisions(scores[clips], labels[clips]).sum() for clips in blocks)
    return float(total / len(scores))


def _equal_recall_precisions(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of true classes among each clip's G best (n,), G its number of labels."""
    num_labels = np.count_nonzero(labels, axis=1)  # (n,)
    depth = max(num_labels.max(), 1)
    best = _best_classes(scores, depth)  # (n, largest G)
    hits = np.take_along_axis(labels & (scores > 0), best, axis=1)
    hits &= np.arange(depth) < num_labels[:, np.newaxis]
    return np.count_nonzero(hits, axis=1) / np.maximum(num_labels, 1)


def _global_average_precision(pool: tuple[np.ndarray, np.ndarray], labels: np.ndarray) -> float:
    _, hits = pool
    ranks = np.flatnonzero(hits) + 1  # of the hits, from 1
    num_positives = np.count_nonzero(labels)
    return float(_precisions(ranks).sum() / num_positives) if num_positives else math.nan


def _average_precision_at_k_per_class(pool: tuple[np.ndarray, np.ndarray], labels: np.ndarray) -> np.ndarray:
    classes, hits = pool
    num_positives = np.count_nonzero(labels, axis=0)  # (C,)
    average_precision = np.full(len(num_positives), np.nan)
    order = np.argsort(classes, kind="stable")  # by class, and within a class still best first
    ends = np.cumsum(np.bincount(classes, minlength=len(num_positives)))  # (C,)
    for index, ranked in enumerate(np.split(hits[order], ends[:-1])):
        if num_positives[index]:
            average_precision[index] = _precisions(np.flatnonzero(ranked) + 1).sum() / num_positives[index]
    return average_precision


def _precisions(ranks: np.ndarray) -> np.ndarray:
    """Precision at each hit, from the ascending ranks of the hits."""
    return np.arange(1, len(ranks) + 1) / ranks


def _num_pairs_per_class(labels: np.ndarray) -> np.ndarray:
    num_positives = np.count_nonzero(labels, axis=0)  # (C,)
    return num_positives * (len(labels) - num_positives)


def _of_rated(auc: np.ndarray, num_positives: np.ndarray, num_pairs: np.ndarray, num_unrated: np.ndarray):
    """AUC and pairs of the rated clips alone (C,): every positive is above every clip that was not rated."""
    rated_pairs = num_pairs - num_positives * num_unrated
    right_pairs = auc * num_pairs - num_positives * num_unrated
    some = rated_pairs > 0
    return np.where(some, right_pairs / np.where(some, rated_pairs, 1), np.nan), rated_pairs


def _areas_per_class(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average precision and AUC of every class, (C,) each."""
    areas = []
    for classes in _blocks(scores.shape[1], CLASSES_PER_BLOCK):
        columns = np.ascontiguousarray(scores[:, classes].T)  # (block, N)
        areas += map(_areas, columns, np.ascontiguousarray(labels[:, classes].T))
    average_precision, auc = np.array(areas).T
    return average_precision, auc


def _areas(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Average precision and AUC of one class, from its scores and labels (N,).

    Both are means over the positives alone, each of which sets a threshold at its score: of the precision
    there, and of the share of negatives below. So it is enough to sort values, which takes half as long as
    sorting indices does, and ties need no care.
    """
    ranked, positives = np.sort(scores), np.sort(scores[labels])  # (N,), (P,), ascending
    num_positives, num_negatives = len(positives), len(scores) - len(positives)
    if not num_positives:
        return math.nan, math.nan
    below = np.searchsorted(ranked, positives, "left")  # clips below each positive (P,)
    positives_below = np.searchsorted(positives, positives, "left")
    average_precision = ((num_positives - positives_below) / (len(ranked) - below)).mean()
    if not num_negatives:
        return average_precision, math.nan
    not_above = np.searchsorted(ranked, positives, "right")
    positives_not_above = np.searchsorted(positives, positives, "right")
    # A negative below counts in both differences, one that is level in the second alone: half a pair.
    half_pairs = (below - positives_below).sum() + (not_above - positives_not_above).sum()
    return average_precision, half_pairs / (2 * num_positives * num_negatives)


def _cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    if probabilities.min() < 0 or probabilities.max() > 1:
        return math.nan
    total = 0.0
    for clips in _blocks(len(labels), CLIPS_PER_BLOCK):
        block = probabilities[clips].astype(np.float64)  # (n, C)
        total -= np.log(np.where(labels[clips], block, 1 - block) + LOSS_EPSILON).sum()
    return float(total / len(labels))
