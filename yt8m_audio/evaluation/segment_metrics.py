"""MAP@N of ranked segments, the figure of YouTube-8M's challenge of 2019.

    ratings = {7: {"abcd:0": True, "abcd:5": False}}                 # class -> segment -> whether the class is true
    figures = segment_figures(ratings, [(7, ["zzzz:0", "abcd:5", "abcd:0"])])
    figures[7].average_precision                                     # 0.5

People rated some segments of some videos, each for a class or a few. A submission ranks the segments of all videos for
every class, best first. As in the starter code (google/youtube-8m, segment_eval_inference.py):

1. The first N segments of a class are taken, all where N is 0.
2. Those that nobody rated for the class are removed: what lies below moves up.
3. AP@N is Σ of the precision at each true one over all true segments of the class, also those that are not ranked.
   MAP@N is the mean over classes.

The mean here is over all classes of which some segment is true, and one that the submission does not name counts 0:
the starter takes those that are named, so that naming few classes pays. `submitted_mean` is that other mean.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.thresholds import mean_defined

Ratings = Mapping[int, Mapping[str, bool]]


@dataclasses.dataclass(frozen=True)
class ClassFigures:
    """What comes out for a class.

    Attributes:
        average_precision: AP@N, in [0, 1]; nan where no segment is rated true.
        rated: segments that are rated for the class; 0 of one that only the submission names.
        positives: those rated true.
        ranked: rated segments among the N best of the submission.
        found: those of them that are true.
        submitted: whether the submission names the class.
    """

    average_precision: float
    rated: int
    positives: int
    ranked: int = 0
    found: int = 0
    submitted: bool = False


def segment_figures(
    ratings: Ratings, rankings: Iterable[tuple[int, Sequence[str]]], top_n: int = 0
) -> dict[int, ClassFigures]:
    """Returns the figures of every class that is rated or ranked, in the order of the classes.

    Args:
        ratings: class -> segment -> whether the class is true of it.
        rankings: class and its segments, best first; looked at one at a time.
        top_n: segments of a class that count, 0 for all.

    Raises:
        UserError: if nothing is rated true, a class comes twice, or a segment comes twice in a class.
    """
    if not any(True in of_class.values() for of_class in ratings.values()):
        raise UserError(f"No segment is rated true of any class ({len(ratings)} classes are rated): there is no MAP.")
    figures = {index: _without_ranking(of_class) for index, of_class in ratings.items()}
    for index, segments in rankings:
        if index in figures and figures[index].submitted:
            raise UserError(f"Class {index} comes twice in the submission: give its segments on one line.")
        if len(set(segments)) < len(segments):
            raise UserError(f"Class {index} of the submission names the segment {_repeated(segments)} twice.")
        figures[index] = _figures(ratings.get(index, {}), segments[: top_n or None])
    return dict(sorted(figures.items()))


def average_precision_at_n(hits: Sequence[bool], num_positives: int) -> float:
    """Average precision of a ranking that may lack some positives, in [0, 1].

    Args:
        hits: whether each is true, best first.
        num_positives: all there are, at least as many as the hits; nan without any.
    """
    ranks = np.flatnonzero(hits) + 1  # of the true ones, from 1
    return float((np.arange(1, len(ranks) + 1) / ranks).sum() / num_positives) if num_positives else math.nan


def mean_average_precision(figures: Mapping[int, ClassFigures]) -> float:
    """MAP@N: the mean over all classes of which a segment is rated true."""
    return mean_defined([each.average_precision for each in figures.values() if each.positives])


def submitted_mean(figures: Mapping[int, ClassFigures]) -> float:
    """The mean over those of the classes that the submission names, as the starter prints it; nan without any."""
    named = [each.average_precision for each in figures.values() if each.positives and each.submitted]
    return mean_defined(named)


def _without_ranking(ratings: Mapping[str, bool]) -> ClassFigures:
    positives = sum(ratings.values())
    return ClassFigures(0.0 if positives else math.nan, len(ratings), positives)


def _figures(ratings: Mapping[str, bool], segments: Sequence[str]) -> ClassFigures:
    hits = [ratings[segment] for segment in segments if segment in ratings]
    positives = sum(ratings.values())
    precision = average_precision_at_n(hits, positives)
    return ClassFigures(precision, len(ratings), positives, len(hits), sum(hits), submitted=True)


def _repeated(segments: Sequence[str]) -> str:
    """The first segment that has come before."""
    seen: set[str] = set()
    return next(each for each in segments if each in seen or seen.add(each))
