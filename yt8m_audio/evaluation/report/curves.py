"""Precision against recall of every class, and probabilities against what came true."""

import numpy as np

from yt8m_audio.evaluation.metrics import reliability
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.thresholds import num_not_below

NUM_POINTS = 60


def precision_recall(scores: np.ndarray, labels: np.ndarray, num_points: int = NUM_POINTS) -> np.ndarray:
    """Precision at rising recall, of one class.

    The points are those at which recall grows: average precision is the area under the steps that end in them. Where
    there are more than `num_points`, some at even distances are left, the first and the last among them.

    Args:
        scores: [N].
        labels: bool [N], at least one of them true.
        num_points: most points.

    Returns:
        [n, 2], recall and precision, each in (0, 1].
    """
    ranked, positives = np.sort(scores), np.sort(scores[labels])
    thresholds = np.unique(positives)[::-1]
    num_kept = num_not_below(ranked, thresholds)
    num_right = num_not_below(positives, thresholds)
    points = np.stack([num_right / len(positives), num_right / num_kept], axis=1)
    if len(points) > num_points:
        points = points[np.linspace(0, len(points) - 1, num_points).round().astype(int)]
    return points


def reliability_bins(scores: Scores) -> list[dict] | None:
    """How often what was given a probability came true, over all rated pairs of clip and class.

    Returns:
        A dict for each bin of equal width: `low`, `high`, `pairs`, `mean` (probability given), `observed` (share that
        was true); these two are nan in an empty bin. None where scores are outside [0, 1].
    """
    given = scores.probabilities
    if given.min() < 0 or given.max() > 1:
        return None
    means, observed, pairs = reliability(given, scores.labels, rated=scores.rated)
    edges = np.linspace(0, 1, len(pairs) + 1)
    columns = zip(edges[:-1], edges[1:], pairs, means, observed, strict=True)
    return [dict(zip(("low", "high", "pairs", "mean", "observed"), each, strict=True)) for each in columns]
