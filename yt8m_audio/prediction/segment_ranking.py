"""The best segments of each class, of any number of segments, in bounded memory.

    ranking = SegmentRanking(most=100_000)
    ranking.add(predicted)                             # any number of times
    for number, video_ids, starts in ranking.classes(): ...

Scores wait until there are many, and then all but the best of each class are thrown away: at no time are there many
more than twice what is kept, and a class that is full takes only what is better than its last.
"""

from collections.abc import Iterator

import numpy as np

from yt8m_audio.prediction.kept_classes import kept_classes
from yt8m_audio.prediction.predicted import Predicted

ENTRIES_AT_ONCE = 1 << 20  # sorted together
HALF = np.uint64(32)


class SegmentRanking:
    """Ranks segments for each class.

    Of equal scores the segment that came first is better.

    Args:
        most: segments of a class that are kept.
    """

    def __init__(self, most: int):
        self.most = most
        self.classes_kept = np.zeros(0, np.int32)  # [e], ascending; of each entry
        self.scores = np.zeros(0, np.float32)  # [e], descending within a class
        self.segments = np.zeros(0, np.int64)  # [e], places in the two below
        self.video_ids = np.zeros(0, object)  # [s], bytes
        self.start_times = np.zeros(0, np.int64)  # [s], seconds
        self.floors = np.zeros(0, np.float32)  # by class, the score to exceed; it grows with the classes seen
        self._forget_waiting()

    def add(self, predicted: Predicted) -> None:
        """Adds segments and the classes that are listed of each."""
        kept = kept_classes(predicted)
        self._know_classes(int(kept.classes.max(initial=-1)) + 1)
        better = kept.scores > self.floors[kept.classes]
        num_segments = len(self.video_ids) + self.num_waiting_segments
        entries = (kept.classes[better], kept.scores[better], kept.rows[better] + num_segments)
        self.waiting.append((*entries, predicted.video_ids, predicted.start_times.astype(np.int64)))
        self.num_waiting_segments += len(predicted)
        self.num_waiting += len(entries[0]) + len(predicted)
        if self.num_waiting >= max(ENTRIES_AT_ONCE, len(self.scores)):
            self._throw_away()

    def classes(self) -> Iterator[tuple[int, list[bytes], list[int]]]:
        """Gives each class that some segment lists: its number, and the ids and starts of its segments, best first."""
        self._throw_away()
        numbers, begins = np.unique(self.classes_kept, return_index=True)
        for number, segments in zip(numbers.tolist(), np.split(self.segments, begins[1:]), strict=False):
            yield number, self.video_ids[segments].tolist(), self.start_times[segments].tolist()

    def _forget_waiting(self) -> None:
        self.waiting: list[tuple[np.ndarray, ...]] = []
        self.num_waiting = self.num_waiting_segments = 0

    def _know_classes(self, count: int) -> None:
        missing = max(0, count - len(self.floors))
        self.floors = np.concatenate([self.floors, np.full(missing, -np.inf, np.float32)])

    def _throw_away(self) -> None:
        """Keeps the best of each class, and the segments that these are of."""
        own = (self.classes_kept, self.scores, self.segments, self.video_ids, self.start_times)
        columns = [np.concatenate(each) for each in zip(own, *self.waiting, strict=True)]
        self._forget_waiting()
        classes, scores, segments, video_ids, start_times = columns
        order = np.argsort(_keys(classes, scores), kind="stable")
        ranks = _ranks(classes[order])
        best = order[ranks < self.most]
        self.classes_kept, self.scores = classes[best], scores[best]
        used, self.segments = np.unique(segments[best], return_inverse=True)
        self.video_ids, self.start_times = video_ids[used], start_times[used]
        full = order[ranks == self.most - 1]
        self.floors[classes[full]] = scores[full]


def _keys(classes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Numbers, uint64 [e], that ascend with the class and descend with the score, which is not negative."""
    bits = np.abs(scores).view(np.uint32)  # which ascend as the floats do; there is no -0 among them
    return (classes.astype(np.uint64) << HALF) | ~bits


def _ranks(classes: np.ndarray) -> np.ndarray:
    """The place of each entry in its class, from 0, where entries are sorted by class: int64 [e]."""
    places = np.arange(len(classes))
    first = np.ones(len(classes), bool)
    first[1:] = classes[1:] != classes[:-1]
    return places - np.maximum.accumulate(np.where(first, places, 0))
