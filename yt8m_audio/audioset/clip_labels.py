"""What clips are labelled, and the counts that follow: of classes, of pairs of them, of labels a clip.

clips = labels_of_segments(read_segments(path, ids, ""), num_classes=527)
clips.class_counts()[0], clips.pair_counts()
"""

import dataclasses
import functools

import numpy as np
import pandas as pd

from yt8m_audio.audioset.segments import Segments
from yt8m_audio.audioset.strong_labels import StrongLabels


@dataclasses.dataclass(frozen=True)
class ClipLabels:
    """Clips without anything but their labels.

    Attributes:
        video_ids: object [n] of bytes.
        start_ms: int64 [n], where each begins in its video, milliseconds.
        rows: int64 [sum], which clip each label is of, rising.
        values: int64 [sum], class indices, rising within a clip, each once in a clip.
        num_classes: C.
        durations_ms: int64, of the clips, or of the events in them; None where they are not known.
    """

    video_ids: np.ndarray
    start_ms: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    num_classes: int
    durations_ms: np.ndarray | None = None

    @classmethod
    def of(cls, video_ids, start_ms, rows, values, num_classes: int, durations_ms=None) -> "ClipLabels":
        """Makes one of labels in any order, some of them several times in a clip."""
        once = np.unique(rows.astype(np.int64) * num_classes + values)
        return cls(video_ids, start_ms, once // num_classes, once % num_classes, num_classes, durations_ms)

    def __len__(self) -> int:
        return len(self.video_ids)

    def class_counts(self) -> np.ndarray:
        """Clips with each class, int64 [C]."""
        return np.bincount(self.values, minlength=self.num_classes)

    def labels_per_clip(self) -> np.ndarray:
        """How many labels each clip has, int64 [n]."""
        return np.bincount(self.rows, minlength=len(self))

    @functools.cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Classes heard in one clip: the lower index, the higher, and the clips with both, int64 [p]; most first."""
        found, apart = [np.empty(0, np.int64)], 1
        while apart < len(self.rows) and (same := self.rows[apart:] == self.rows[:-apart]).any():
            found.append(self.values[:-apart][same] * self.num_classes + self.values[apart:][same])
            apart += 1
        codes, counts = np.unique(np.concatenate(found), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return codes[order] // self.num_classes, codes[order] % self.num_classes, counts[order]


def labels_of_segments(segments: Segments, num_classes: int) -> ClipLabels:
    """The labels of a list of segments."""
    facts = (segments.video_ids, segments.start_ms, segments.label_rows, segments.label_values)
    return ClipLabels.of(*facts, num_classes, segments.end_ms - segments.start_ms)


def labels_of_events(events: StrongLabels) -> ClipLabels:
    """What is heard in each clip with strong labels; the durations are the events'."""
    first = np.unique(events.clips, return_index=True)[1]
    facts = (events.video_ids[first], events.clip_ms[first], events.clips, events.label_values)
    return ClipLabels.of(*facts, len(events.ids), events.end_ms - events.start_ms)


@dataclasses.dataclass(frozen=True)
class Difference:
    """How clips differ from a list that they should be in.

    Attributes:
        missing: int64 [m], rows of the list whose ids no clip has.
        extra: int64 [k], clips whose ids the list has not.
        relabelled: int64 [r], clips that have other labels than the list says.
        moved: int64 [s], clips that begin elsewhere than the list says.
    """

    missing: np.ndarray
    extra: np.ndarray
    relabelled: np.ndarray
    moved: np.ndarray


def difference(clips: ClipLabels, official: ClipLabels) -> Difference:
    """Joins clips with a list by id and, where an id has several segments, by where they begin.

    Args:
        clips: what there is.
        official: what there should be, of the same classes.
    """
    rows = rows_in(official, clips)
    found = np.flatnonzero(rows >= 0)
    missing = np.ones(len(official), bool)
    missing[rows[found]] = False
    here = _codes(clips, rows[clips.rows])
    there = _codes(official, np.where(missing[official.rows], -1, official.rows))
    changed = np.unique(np.setxor1d(here, there) // clips.num_classes)
    moved = clips.start_ms[found] != official.start_ms[rows[found]]
    return Difference(
        missing=np.flatnonzero(missing),
        extra=np.flatnonzero(rows < 0),
        relabelled=found[np.isin(rows[found], changed)],
        moved=found[moved],
    )


def rows_in(official: ClipLabels, clips: ClipLabels) -> np.ndarray:
    """Joins clips with a list by id and, where an id has several segments there, by where they begin.

    Returns:
        int64 [n], which row of the list each clip is; -1 of none.
    """
    index = pd.Index(official.video_ids, dtype=object)
    if index.is_unique:
        return index.get_indexer(pd.Index(clips.video_ids, dtype=object))
    names = [pd.MultiIndex.from_arrays([each.video_ids, each.start_ms]) for each in (official, clips)]
    rows = np.arange(len(official))[~names[0].duplicated()]
    found = names[0][rows].get_indexer(names[1])
    return np.where(found >= 0, rows[found], -1)


def _codes(clips: ClipLabels, rows: np.ndarray) -> np.ndarray:
    """A number for each label of the clips that have a row."""
    kept = rows >= 0
    return np.unique(rows[kept] * clips.num_classes + clips.values[kept])
