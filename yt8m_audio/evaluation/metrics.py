"""Metrics of multi-label classification, YouTube-8M's and AudioSet's, each under its own name.

    metrics = evaluate(scores, labels)  # two arrays [clips, classes]
    metrics["gap@20"], metrics["mAP"]

Those of the YouTube-8M starter code (google/youtube-8m, eval_util.py) look at the best classes of each clip:
`hit@1`, `perr`, `gap@k`, `map@k`; `loss` is its CrossEntropyLoss. AudioSet's (Gemmeke et al. 2017; Kong et
al. 2019) look at all clips of each class: `mAP`, `auc`, `d_prime`, `d_prime_class_mean`. `map@k` is not
`mAP`: it leaves a clip out of the ranking of every class that is not among the clip's k best, and one set of
scores gave .116 and .160. `lwlrap` is that of DCASE 2019 and of YAMNet, `micro_ap` ranks all clip-class pairs
at once, `coverage` is how far down a clip's ranking its labels reach, `ece` how far scores are from shares.

The ideas are a module each: clip_rankings, kept_pairs, class_rankings, reliability, cross_entropy.

Ties. Between clips, equal scores are one threshold, as with scikit-learn, in GAP@k and MAP@k as well: a hit's
precision counts all that score as high. So no figure depends on the order of clips, to the last bit. Within a
clip, where places are asked for (the best class, the G best, the k best), the lower class goes first.

Perfect classes. d' of an AUC of 1 is infinite. But the AUC of P positives and N negatives moves in steps of
half a pair, 1 / (2PN), and 0 and 1 are taken as one step short (Macmillan & Kaplan 1985). A mean over C
classes moves in steps of 1 / (2PNC), smallest where PN is largest, and is treated alike. No other
value changes.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from yt8m_audio.evaluation.class_rankings import ClassRankings, d_prime, d_prime_of_mean, rank_classes
from yt8m_audio.evaluation.clip_rankings import PlaceSums, label_places
from yt8m_audio.evaluation.cross_entropy import LOSS_EPSILON, cross_entropies
from yt8m_audio.evaluation.inputs import check_any_positive, checked, checked_rated, unrated_last
from yt8m_audio.evaluation.kept_pairs import average_precision_at_k_per_class as kept_average_precisions
from yt8m_audio.evaluation.kept_pairs import best_pairs
from yt8m_audio.evaluation.kept_pairs import global_average_precision as kept_average_precision
from yt8m_audio.evaluation.reliability import NUM_BINS, bin_sums
from yt8m_audio.evaluation.thresholds import mean_defined

__all__ = [
    "LOSS_EPSILON",
    "average_precision_at_k_per_class",
    "average_precision_per_class",
    "coverage",
    "cross_entropy",
    "d_prime",
    "d_prime_per_class",
    "evaluate",
    "expected_calibration_error",
    "global_average_precision",
    "hit_at_one",
    "lwlrap",
    "lwlrap_per_class",
    "mean_average_precision_at_k",
    "micro_average_precision",
    "precision_at_equal_recall_rate",
    "reliability",
    "roc_auc_per_class",
]


def evaluate(
    scores: ArrayLike,
    labels: ArrayLike,
    top_k: int = 20,
    *,
    loss: float | None = None,
    rated: ArrayLike | None = None,
) -> dict[str, int | float]:
    """Returns every metric of a set of clips, in the order in which they are printed.

    Args:
        scores: [clips, classes], finite, higher is likelier; float32 and float64 are taken as they are.
        labels: [clips, classes], 0 or 1, any type.
        top_k: classes kept of each clip for `gap@k` and `map@k`; all of them where there are fewer.
        loss: the label loss where the caller has measured its own, reported in place of `cross_entropy`.
        rated: of segments, bool [clips, classes], which classes were rated; None where all are. What was not rated is
            neither positive nor negative: it ranks behind all that was, whatever its score (the starter code makes
            that 0), and is not among the pairs of AUC, d', `loss` and `ece`.

    Returns:
        `clips`, then the figures, nan where one is undefined: `auc` and both d' where no class has positives and
        negatives; `loss` and `ece` where a score is outside [0, 1].

    Raises:
        UserError: no clips, no labels, shapes that differ or are not 2-D, NaN or infinite scores, labels other
            than 0 and 1, labels that were not rated, top_k below 1.
    """
    scores, labels = checked(scores, labels)
    rated = checked_rated(rated, labels)
    ranking = unrated_last(scores, rated)
    kept = best_pairs(ranking, labels, top_k)
    ranked = rank_classes(ranking, labels)
    num_positives = ranked.num_positives
    check_any_positive(num_positives.sum(), len(scores))
    places = label_places(ranking, labels).sums()
    mean_auc = mean_defined(ranked.auc)
    return {
        "clips": len(scores),
        "hit@1": places.hit_at_one(),
        "perr": places.precision_at_equal_recall_rate(),
        f"gap@{top_k}": kept_average_precision([kept], num_positives.sum()),
        f"map@{top_k}": mean_defined(kept_average_precisions([kept], num_positives)),
        "mAP": mean_defined(ranked.average_precision),
        "auc": mean_auc,
        "d_prime": d_prime_of_mean(mean_auc, ranked.num_pairs),
        "d_prime_class_mean": mean_defined(ranked.d_primes()),
        "loss": _mean_cross_entropy(scores, labels, rated) if loss is None else float(loss),
        "lwlrap": places.lwlrap(),
        "lwlrap_class_mean": places.lwlrap_class_mean(),
        "micro_ap": ranked.micro_average_precision(),
        "coverage": places.coverage(),
        "ece": _calibration_error(ranked),
    }


def hit_at_one(scores: ArrayLike, labels: ArrayLike) -> float:
    """Hit@1: share of clips whose best class is one of their labels, in [0, 1].

    A clip without labels counts 0. Takes scores and labels [clips, classes] and raises as `evaluate` does, like all
    functions here, but for a lack of labels. Starter: `calculate_hit_at_one`.
    """
    return _places(scores, labels).hit_at_one()


def precision_at_equal_recall_rate(scores: ArrayLike, labels: ArrayLike) -> float:
    """PERR: share of true classes among a clip's G best, G its number of labels; mean over clips, in [0, 1].

    A class counts only with a score above 0, and a clip without labels counts 0. Starter:
    `calculate_precision_at_equal_recall_rate`.
    """
    return _places(scores, labels).precision_at_equal_recall_rate()


def lwlrap(scores: ArrayLike, labels: ArrayLike) -> float:
    """Label-weighted label-ranking average precision, in (0, 1]; nan without any label.

    For each label of each clip, the share of true classes among those that score at least as high; mean over all
    labels. Equals scikit-learn's `label_ranking_average_precision_score` with each clip weighted by its number of
    labels and those without left out, ties included. Fonseca et al. 2019 (DCASE 2019, task 2).
    """
    return _places(scores, labels).lwlrap()


def lwlrap_per_class(scores: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """The mean of `lwlrap` over the labels of each class [classes]; nan without positives.

    Weighted by positives its mean is `lwlrap`; unweighted it is the balanced one that YAMNet's authors give.
    """
    return _places(scores, labels).lwlrap_per_class()


def coverage(scores: ArrayLike, labels: ArrayLike) -> float:
    """How many of its best classes a clip needs so that all its labels are among them; mean over clips.

    Equal scores are needed together. A clip without labels needs 0 and stays in the mean, as with scikit-learn's
    `coverage_error`, which it equals. In [0, classes]; the least it can be is the mean number of labels.
    """
    return _places(scores, labels).coverage()


def global_average_precision(scores: ArrayLike, labels: ArrayLike, top_k: int = 20) -> float:
    """GAP@k: average precision of one ranking of the k best (score, label) pairs of every clip, in [0, 1].

    Recall is over all positives, also those not kept; nan without any. Starter: `calculate_gap`, the metric of
    the challenges.
    """
    scores, labels = checked(scores, labels)
    return kept_average_precision([best_pairs(scores, labels, top_k)], np.count_nonzero(labels))


def mean_average_precision_at_k(scores: ArrayLike, labels: ArrayLike, top_k: int = 20) -> float:
    """MAP@k: mean of `average_precision_at_k_per_class` over the classes with positives; nan without any."""
    return mean_defined(average_precision_at_k_per_class(scores, labels, top_k))


def average_precision_at_k_per_class(scores: ArrayLike, labels: ArrayLike, top_k: int = 20) -> np.ndarray:
    """Average precision [classes] over the clips that have the class among their k best, each in [0, 1].

    Recall is over all positives of the class, so that one which no clip keeps scores 0; nan without
    positives. Starter: `MeanAveragePrecisionCalculator`.
    """
    scores, labels = checked(scores, labels)
    return kept_average_precisions([best_pairs(scores, labels, top_k)], np.count_nonzero(labels, axis=0))


def average_precision_per_class(scores: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Average precision [classes] over all clips, each in (0, 1]; nan for a class without positives.

    Its mean is AudioSet's mAP. Equals scikit-learn's `average_precision_score`, ties included.
    """
    return _ranked(scores, labels).average_precision


def micro_average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Average precision of one ranking of all clip-class pairs, in (0, 1]; nan without any positive.

    GAP@k with nothing left out. Equals scikit-learn's `average_precision_score(average="micro")`, ties included.
    """
    return _ranked(scores, labels).micro_average_precision()


def roc_auc_per_class(scores: ArrayLike, labels: ArrayLike, rated: ArrayLike | None = None) -> np.ndarray:
    """Area under the ROC curve [classes], each in [0, 1]; nan for a class without positives or negatives.

    The share of pairs (positive, negative) in the right order, one of equal scores as half a pair. Equals
    scikit-learn's `roc_auc_score`. `rated` as in `evaluate`.
    """
    return _ranked(scores, labels, rated).auc


def d_prime_per_class(scores: ArrayLike, labels: ArrayLike, rated: ArrayLike | None = None) -> np.ndarray:
    """d' of each class's own AUC [classes], finite also where that is 1; nan where it has none."""
    return _ranked(scores, labels, rated).d_primes()


def cross_entropy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The starter code's CrossEntropyLoss: summed over classes, averaged over clips; nan outside [0, 1]."""
    return _mean_cross_entropy(*checked(probabilities, labels))


def reliability(
    scores: ArrayLike, labels: ArrayLike, bins: int = NUM_BINS, *, rated: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean score, share that is true, and count of the clip-class pairs in each bin of scores (bins,).

    Bins have equal widths over [0, 1], each with its lower edge, the last with 1 as well; mean and share are nan
    where one is empty. A score outside [0, 1] is in the bin nearest to it. `rated` as in `evaluate`.
    """
    ranked = _ranked(scores, labels, rated)
    return bin_sums(ranked.pairs, ranked.positives, bins).reliability()


def expected_calibration_error(scores: ArrayLike, labels: ArrayLike, bins: int = NUM_BINS) -> float:
    """Distance of mean score and share true over the bins of `reliability`, weighted by count; nan outside [0, 1].

    Over all clip-class pairs, nearly all of which are negatives with a score near 0: it is small for any model.
    """
    return _calibration_error(_ranked(scores, labels), bins)


def _places(scores: ArrayLike, labels: ArrayLike) -> PlaceSums:
    return label_places(*checked(scores, labels)).sums()


def _ranked(scores: ArrayLike, labels: ArrayLike, rated: ArrayLike | None = None) -> ClassRankings:
    scores, labels = checked(scores, labels)
    return rank_classes(unrated_last(scores, checked_rated(rated, labels)), labels)


def _mean_cross_entropy(probabilities: np.ndarray, labels: np.ndarray, rated: np.ndarray | None = None) -> float:
    return math.fsum(cross_entropies(probabilities, labels, rated)) / len(labels)


def _calibration_error(ranked: ClassRankings, num_bins: int = NUM_BINS) -> float:
    ends = [pairs[place] for pairs in ranked.pairs if len(pairs) for place in (0, -1)]
    outside = min(ends, default=0) < 0 or max(ends, default=1) > 1
    return math.nan if outside else bin_sums(ranked.pairs, ranked.positives, num_bins).expected_calibration_error()
