"""How far figures would move with other clips: intervals, and differences between two models, by the bootstrap.

    intervals = confidence_intervals(scores, labels)  # two arrays [clips, classes]
    low, high = intervals["mAP"]
    better = paired_difference(first, second, labels)["mAP"]
    better.difference, better.low, better.high, better.p

A resample draws as many clips as there are, with replacement, so that it is a count for each clip. Every class is
sorted once; in a resample its AP and AUC follow from the counts of its positives, and from sums of the counts of the
negatives between them. They are those that `evaluate` gives of the clips drawn, ties included. A class that loses all
its positives is not part of that resample's means.

Intervals are percentiles of the resamples (Efron & Tibshirani 1993, chapter 13) after these were moved as a whole, so
that their mean is the figure of the clips themselves. Unmoved, they lie too high: copies of a positive stand side by
side in the ranking, which raises AP though nothing is ranked better: mAP by three standard deviations, of made scores
with 60 positives a class and more among 20,371 clips. Moved, intervals of 95 % held the mean over other sets of as many
clips in 94 to 95 of 100 made cases (unmoved, in 89 to 92). That mean is what they are of: AP of few positives is itself
above what endless clips would give.

p is that of no difference, two-sided: of the moved differences, b of R lie on the rarer side of 0 or at it, and p is
2 (b + 1) / (R + 1), at most 1 (Davison & Hinkley 1997, section 4.2). So 1,000 resamples give no p below .002, and an
interval of 95 % leaves 0 out about where p is below .05.
"""

import dataclasses
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.blocks import CLASSES_PER_LINE, THREADS, blocks, clip_blocks, in_threads
from yt8m_audio.evaluation.class_rankings import d_prime, d_prime_of_mean
from yt8m_audio.evaluation.clip_rankings import label_places
from yt8m_audio.evaluation.inputs import checked, checked_rated, unrated_last
from yt8m_audio.evaluation.thresholds import quotients

FEWEST_RESAMPLES = 40  # that a command takes, so that one lies beyond either end of an interval of 95 %
RESAMPLES_OF_CLASS = 32  # at a time: the counts of 20,000 clips then stay in a core's cache
RESAMPLES_OF_PAIRS = 4  # at a time: there are 20 pairs a clip
NUM_POSITIVES = 2  # which of the sums it is


@dataclasses.dataclass(frozen=True)
class Difference:
    """A figure of two models on the same clips.

    Attributes:
        first: the first's, on the clips themselves.
        second: the second's.
        difference: the second's less the first's.
        low: lower end of its interval.
        high: upper end.
        p: of no difference, two-sided, above 0 and at most 1 (see the top of this module).
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def confidence_intervals(
    scores: ArrayLike,
    labels: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
    *,
    rated: ArrayLike | None = None,
    order: np.ndarray | None = None,
) -> dict[str, tuple[float, float]]:
    """Returns the interval (low, high) of each figure that `resampled_figures` gives, nan where it is undefined.

    Args:
        scores: [clips, classes], as `evaluate` takes them.
        labels: [clips, classes], 0 or 1.
        resamples: how many to draw.
        seed: equal ones give equal intervals, on any number of cores.
        level: share of the resamples that lie in an interval.
        progress: called now and then with the number of classes done, and of all.
        rated: [clips, classes], of segments, which are rated, as `evaluate` takes it; None where all are.
        order: int64 [clips], the rows by something of the clips themselves, such as their names: with it, a seed gives
            the same intervals in whichever order the clips come. They are drawn by their rows when None.

    Raises:
        UserError: about scores and labels as `evaluate` does, but for a lack of labels; or where resamples is below 1.
    """
    scores, labels = checked(scores, labels)
    rated = checked_rated(rated, labels)
    counts = draw_counts(len(scores), resamples, seed, order)
    figures = resampled_figures(scores, labels, counts, rated=rated, progress=progress)
    return {name: _interval(values, level) for name, values in figures.items()}


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    labels: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
    *,
    rated: ArrayLike | None = None,
    order: np.ndarray | None = None,
) -> dict[str, Difference]:
    """Returns the difference of each figure that `resampled_figures` gives; both models get the same resamples.

    Args:
        first: scores [clips, classes] of one model.
        second: scores [clips, classes] of another, of the same clips.
        labels, resamples, seed, level, progress, rated, order: as `confidence_intervals` takes them.

    Raises:
        UserError: as `confidence_intervals` does.
    """
    (first, labels), (second, _) = checked(first, labels), checked(second, labels)
    rated = checked_rated(rated, labels)
    counts = draw_counts(len(labels), resamples, seed, order)
    figures = []
    for number, scores in enumerate((first, second)):
        shown = progress and (lambda done, total, before=number: progress(done + before * total, 2 * total))
        figures.append(resampled_figures(scores, labels, counts, rated=rated, progress=shown))
    return {name: _difference(figures[0][name], figures[1][name], level) for name in figures[0]}


def draw_counts(num_clips: int, resamples: int, seed: int = 0, order: np.ndarray | None = None) -> np.ndarray:
    """Draws how often each clip is in each resample, uint8 [1 + resamples, clips].

    The first row is all ones: the clips themselves. A clip that is drawn 256 times does not come up in 1e500 resamples.
    The n-th draw is of the clip in row `order[n]`, int64 [clips]; of row n when None.
    """
    if resamples < 1:
        raise UserError(f"--resamples={resamples} must be at least 1.")
    generator = np.random.default_rng(seed)
    counts = np.ones((1 + resamples, num_clips), np.uint8)
    drawn = slice(None) if order is None else order
    for row in counts[1:]:
        row[drawn] = np.bincount(generator.integers(0, num_clips, num_clips), minlength=num_clips)
    return counts


def resampled_figures(
    scores: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    rated: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
    top_k: int = 20,
    threads: int = THREADS,
) -> dict[str, np.ndarray]:
    """Returns figures of resamples of the clips, [resamples] each, nan where one is undefined.

    Each is what `evaluate` gives of the table in which every clip stands as often as it is counted.

    Args:
        scores: float [clips, classes].
        labels: bool [clips, classes].
        counts: whole numbers [resamples, clips].
        rated: bool [clips, classes], or None: a class is no negative of a clip for which it was not rated, and below
            all that were.
        progress: called now and then with the number of classes done, and of all.
        top_k: classes of each clip that GAP looks at.
        threads: how many classes are worked on at a time.
    """
    sums, num_classes = [], scores.shape[1]
    scores = unrated_last(scores, rated)
    precisions = _label_precisions(scores, labels)

    def sums_of(classes: slice) -> list[np.ndarray]:
        columns = range(num_classes)[classes]
        ranked = _ranked_classes(scores, labels, classes)
        return [_sums(each, *precisions[index], counts) for index, each in zip(columns, ranked, strict=True)]

    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(sums_of, blocks(num_classes, CLASSES_PER_LINE)):
            sums += found
            if progress:
                progress(len(sums), num_classes)
        sums = np.array(sums)  # [C, 5, R]
        pairs = _ranked_pairs(scores, labels, top_k)
        parts = blocks(len(counts), RESAMPLES_OF_PAIRS)
        right = np.concatenate([*pool.map(lambda block: pairs.sums(counts[block])[0], parts)])  # [R]
    return {f"gap@{top_k}": quotients(right, sums[:, NUM_POSITIVES].sum(axis=0)), **_means(sums)}


class Ranking:
    """Scored items, each of a clip, best first: what a resample of the clips does not change.

    Args:
        scores: [items].
        labels: bool [items].
        negatives: bool [items], those that are known to be false.
        clips: index of each item's clip [items].
    """

    def __init__(self, scores: np.ndarray, labels: np.ndarray, negatives: np.ndarray, clips: np.ndarray):
        positives, negatives = (_best_first(scores, np.flatnonzero(each)) for each in (labels, negatives))  # [P], [M]
        of_positives, of_negatives = -scores[positives], -scores[negatives]  # ascending
        self.positives, self.negatives = clips[positives], clips[negatives]
        self.last_level = np.searchsorted(of_positives, of_positives, "right") - 1  # of the positives as high [P]
        above = np.searchsorted(of_negatives, of_positives, "left")  # negatives above each positive [P]
        not_below = np.searchsorted(of_negatives, of_positives, "right")
        starts = np.unique(np.concatenate([[0], above, not_below]))
        self.starts = starts[starts < len(negatives)]  # negatives from one start to the next count as one [S]
        self.above, self.not_below = np.searchsorted(self.starts, above), np.searchsorted(self.starts, not_below)

    def sums(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Summed precisions, half pairs in the right order, positives and negatives, [R] each, from counts [R, N]."""
        drawn = counts.take(self.positives, axis=1).astype(np.float64)  # [R, P]
        parts = np.add.reduceat(counts.take(self.negatives, axis=1), self.starts, axis=1, dtype=np.int64)  # [R, S]
        negatives = np.zeros((len(counts), len(self.starts) + 1))  # before each start, and all of them [R, S + 1]
        np.cumsum(parts, axis=1, out=negatives[:, 1:])
        true = np.cumsum(drawn, axis=1).take(self.last_level, axis=1)  # as high as each positive [R, P]
        false = negatives.take(self.not_below, axis=1)
        num_negatives = negatives[:, -1]
        half_pairs = 2 * num_negatives[:, np.newaxis] - false - negatives.take(self.above, axis=1)
        precisions = true / np.maximum(true + false, 1)
        return (drawn * precisions).sum(axis=1), (drawn * half_pairs).sum(axis=1), drawn.sum(axis=1), num_negatives


def _best_first(scores: np.ndarray, items: np.ndarray) -> np.ndarray:
    return items[np.argsort(-scores[items])]


def _ranked_classes(scores: np.ndarray, labels: np.ndarray, classes: slice) -> list[Ranking]:
    """The rankings of all clips for some classes; what scores -inf was not rated."""
    columns, true = (np.ascontiguousarray(each[:, classes].T) for each in (scores, labels))  # [c, N]
    clips = np.arange(len(scores))
    return [Ranking(*each, clips) for each in zip(columns, true, ~true & (columns > -np.inf), strict=True)]


def _ranked_pairs(scores: np.ndarray, labels: np.ndarray, top_k: int) -> Ranking:
    """The one ranking of the best classes of every clip that GAP looks at."""
    depth = min(top_k, scores.shape[1])

    def best(clips: slice) -> np.ndarray:
        return np.argsort(-scores[clips], axis=1, kind="stable")[:, :depth]  # of equal ones the lower class

    classes = np.concatenate(in_threads(best, clip_blocks(*scores.shape)))  # [N, k]
    kept, hits = (np.take_along_axis(each, classes, axis=1).ravel() for each in (scores, labels))
    return Ranking(kept, hits, ~hits, np.repeat(np.arange(len(scores)), depth))


def _label_precisions(scores: np.ndarray, labels: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """What lwlrap is a mean of, by class: its clips [P], and the precision of their rankings at this label [P]."""
    places = label_places(scores, labels)
    order = np.argsort(places.classes, kind="stable")
    ends = np.cumsum(np.bincount(places.classes, minlength=scores.shape[1]))[:-1]
    return list(zip(*(np.split(each[order], ends) for each in (places.clips, places.precisions())), strict=True))


def _sums(ranked: Ranking, clips: np.ndarray, precisions: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of a class: what `Ranking.sums` gives, and summed label precisions, [5, R]."""
    parts = []
    for block in blocks(len(counts), RESAMPLES_OF_CLASS):
        parts.append([*ranked.sums(counts[block]), counts[block].take(clips, axis=1) @ precisions])
    return np.concatenate(parts, axis=1)


def _means(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Figures over the classes [R], from the sums of all of them [C, 5, R]."""
    precision, half_pairs, num_positives, num_negatives, label_precision = sums.transpose(1, 2, 0)  # [R, C] each
    num_pairs = num_positives * num_negatives
    auc = quotients(half_pairs, 2 * num_pairs)
    mean_auc = _mean_defined(auc)
    own = [[d_prime(*each) for each in zip(*rows, strict=True)] for rows in zip(auc, num_pairs, strict=True)]
    return {
        "mAP": _mean_defined(quotients(precision, num_positives)),
        "auc": mean_auc,
        "d_prime": np.array([*map(d_prime_of_mean, mean_auc, num_pairs)]),
        "d_prime_class_mean": _mean_defined(np.array(own)),
        "lwlrap": quotients(label_precision.sum(axis=1), num_positives.sum(axis=1)),
        "lwlrap_class_mean": _mean_defined(quotients(label_precision, num_positives)),
    }


def _mean_defined(values: np.ndarray) -> np.ndarray:
    """Means of the values of each row [R, C] that are not nan; nan where none is."""
    return quotients(np.nansum(values, axis=1), np.count_nonzero(~np.isnan(values), axis=1))


def _moved(values: np.ndarray) -> np.ndarray:
    """Figures of the resamples, moved so that their mean is the figure of the clips themselves, the first; sorted."""
    resampled = values[1:][~np.isnan(values[1:])]
    return np.sort(resampled + (values[0] - resampled.mean())) if resampled.size else resampled


def _interval(values: np.ndarray, level: float) -> tuple[float, float]:
    moved = _moved(values)
    if math.isnan(values[0]) or not moved.size:
        return math.nan, math.nan
    low, high = np.quantile(moved, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _difference(first: np.ndarray, second: np.ndarray, level: float) -> Difference:
    values = second - first  # [1 + resamples]
    moved, (low, high) = _moved(values), _interval(values, level)
    rarer = min(np.count_nonzero(moved <= 0), np.count_nonzero(moved >= 0))
    p = math.nan if math.isnan(low) else min(1.0, 2 * (1 + rarer) / (1 + len(moved)))
    return Difference(*(float(each[0]) for each in (first, second, values)), low, high, p)
