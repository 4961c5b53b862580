"""Figures of each clip's own ranking: where its labels stand among all classes. Hit@1, PERR, lwlrap, coverage.

    sums = label_places(scores, labels).sums()  # of two checked arrays [clips, classes]
    sums.hit_at_one(), sums.coverage()

Everything follows from the places of the labels, of which there are few, so that no clip is ever sorted.
"""

import dataclasses
import functools
import math

import numpy as np

from yt8m_audio.evaluation.blocks import PAIRS_PER_BLOCK, blocks, clip_blocks, in_threads
from yt8m_audio.evaluation.thresholds import mean_defined, quotients


@dataclasses.dataclass(frozen=True)
class LabelPlaces:
    """Where the labels of some clips stand: arrays (L,), by clip and then by class.

    Attributes:
        num_clips: how many clips there are, those without labels among them.
        num_classes: C.
        clips: the label's clip, ascending.
        classes: the label's class.
        scores: the label's score.
        places: 1 for the best class of its clip; of equal scores the lower class goes first.
        ranks: how many classes have at least its score, itself among them.
    """

    num_clips: int
    num_classes: int
    clips: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    places: np.ndarray
    ranks: np.ndarray

    def sums(self) -> "PlaceSums":
        """What the figures are made of. Sums of one data set do not depend on its order, to the last bit."""
        precisions = self.precisions()
        order = np.lexsort((precisions, self.classes))
        return PlaceSums(
            num_clips=self.num_clips,
            hits_at_one=int(np.count_nonzero(self.places == 1)),
            equal_recall_precisions=math.fsum(self.equal_recall_precisions()),
            depths=int(self.depths().sum()),
            label_precisions=np.bincount(self.classes[order], precisions[order], self.num_classes),
            num_labels=np.bincount(self.classes, minlength=self.num_classes),
        )

    def equal_recall_precisions(self) -> np.ndarray:
        """Share of true classes among each clip's G best (clips,), G its number of labels."""
        found = (self.places <= self.num_labels[self.clips]) & (self.scores > 0)
        return np.bincount(self.clips[found], minlength=self.num_clips) / np.maximum(self.num_labels, 1)

    def precisions(self) -> np.ndarray:
        """Of the classes with at least each label's score, the share that is true (L,)."""
        keys = self.clips * (self.num_classes + 1) + self.ranks  # by clip, and within one from the best label on
        ordered = np.sort(keys)
        true_ranks = np.searchsorted(ordered, keys, "right") - self.first_label[self.clips]
        return true_ranks / self.ranks

    def depths(self) -> np.ndarray:
        """How many classes have at least the score of each clip's worst label (clips,); 0 without labels."""
        depths = np.zeros(self.num_clips, np.int64)
        some = self.num_labels > 0
        if some.any():
            depths[some] = np.maximum.reduceat(self.ranks, self.first_label[some])
        return depths

    @functools.cached_property
    def num_labels(self) -> np.ndarray:
        """G of each clip (clips,)."""
        return np.bincount(self.clips, minlength=self.num_clips)

    @functools.cached_property
    def first_label(self) -> np.ndarray:
        """Where each clip's labels begin (clips,)."""
        return np.cumsum(self.num_labels) - self.num_labels


@dataclasses.dataclass(frozen=True)
class PlaceSums:
    """Sums over clips and labels; those of parts of a data set add up. The figures are metrics.py's of the same names.

    Attributes:
        num_clips: clips, those without labels among them.
        hits_at_one: clips whose best class is one of their labels.
        equal_recall_precisions: of clips, see `LabelPlaces`.
        depths: of clips.
        label_precisions: of the labels of each class (C,).
        num_labels: labels of each class (C,).
    """

    num_clips: int
    hits_at_one: int
    equal_recall_precisions: float
    depths: int
    label_precisions: np.ndarray
    num_labels: np.ndarray

    def __add__(self, other: "PlaceSums") -> "PlaceSums":
        names = [field.name for field in dataclasses.fields(self)]
        return PlaceSums(*(getattr(self, name) + getattr(other, name) for name in names))

    def hit_at_one(self) -> float:
        return self.hits_at_one / self.num_clips

    def precision_at_equal_recall_rate(self) -> float:
        return self.equal_recall_precisions / self.num_clips

    def coverage(self) -> float:
        return self.depths / self.num_clips

    def lwlrap(self) -> float:
        num_labels = int(self.num_labels.sum())
        return math.fsum(self.label_precisions) / num_labels if num_labels else math.nan

    def lwlrap_per_class(self) -> np.ndarray:
        return quotients(self.label_precisions, self.num_labels)

    def lwlrap_class_mean(self) -> float:
        return mean_defined(self.lwlrap_per_class())


def label_places(scores: np.ndarray, labels: np.ndarray) -> LabelPlaces:
    """Finds the places of all labels; takes what `checked` and `unrated_last` of evaluation/inputs.py return."""
    num_clips, num_classes = scores.shape
    clips = clip_blocks(num_clips, num_classes)
    found = in_threads(lambda block: _places(scores[block], labels[block], block.start), clips)
    return LabelPlaces(num_clips, num_classes, *map(np.concatenate, zip(*found, strict=True)))


def _places(scores: np.ndarray, labels: np.ndarray, first_clip: int) -> tuple[np.ndarray, ...]:
    """Clips, classes, scores, places and ranks of the labels of a block (n, C), (L,) each."""
    clips, classes = np.divmod(np.flatnonzero(labels), scores.shape[1])
    own = scores[clips, classes]
    places, ranks = np.empty(len(clips), np.int64), np.empty(len(clips), np.int64)
    for part in blocks(len(clips), max(PAIRS_PER_BLOCK // 2 // scores.shape[1], 1)):
        places[part], ranks[part] = _places_in_rows(scores[clips[part]], classes[part], own[part])
    return clips + first_clip, classes, own, places, ranks


def _places_in_rows(rows: np.ndarray, classes: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and ranks of one label a row (l,), from rows of scores (l, C)."""
    own = own[:, np.newaxis]
    places, ranks = 1 + _num_true(rows > own), _num_true(rows >= own)
    tied = np.flatnonzero(ranks > places)
    if tied.size:
        lower = np.arange(rows.shape[1]) < classes[tied, np.newaxis]
        places[tied] += _num_true((rows[tied] == own[tied]) & lower)
    return places, ranks


def _num_true(mask: np.ndarray) -> np.ndarray:
    """How many of each row (l, C) are true; twice as fast as count_nonzero."""
    return np.add.reduce(mask.view(np.uint8), axis=1, dtype=np.uint32)
