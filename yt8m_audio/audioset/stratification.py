"""A list of segments divided into parts, each with its share of every class (Sechidis, Tsoumakas, Vlahavas 2011).

    parts = stratified(segments, [0.8, 0.1, 0.1], seed=0)          # 0, 1 or 2 of each segment

"On the stratification of multi-label data", ECML PKDD 2011, algorithm 1: the class with the fewest segments left comes
first, and each of its segments goes to the part that lacks most of that class. What is divided here are the videos, so
that several segments of one are never in different parts.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from yt8m_audio.audioset.segments import Segments

UNDECIDED = -1


def stratified(segments: Segments, shares: Sequence[float], seed: int) -> np.ndarray:
    """Divides segments into parts.

    Args:
        segments: n of them.
        shares: of each part; they sum to 1.
        seed: of the order in which videos are looked at.

    Returns:
        int64 [n], each segment's part; segments of one id are in the same.
    """
    videos, uniques = pd.factorize(segments.video_ids)
    order = np.random.default_rng(seed).permutation(len(uniques))  # video -> its turn
    turns = order[videos]  # [n]
    label_turns = turns[segments.label_rows]
    by_turn = np.argsort(label_turns, kind="stable")
    labels = segments.label_values[by_turn].tolist()
    stops = np.cumsum(np.bincount(label_turns, minlength=len(uniques)))
    division = Division(labels, [0, *stops.tolist()], np.bincount(turns).tolist(), shares)
    return np.array(division.parts())[turns]


class Division:
    """Videos that are given to parts one after the other.

    Args:
        labels: classes of the videos, one video's after another's.
        places: where each video's begin in `labels`, and at the end where the last one's stop.
        sizes: how many segments each video has.
        shares: of the parts.
    """

    def __init__(self, labels: list[int], places: list[int], sizes: list[int], shares: Sequence[float]):
        self.labels, self.places, self.sizes = labels, places, sizes
        counts = np.bincount(np.array(labels, np.int64))
        self.left = counts.tolist()  # of each class, labels of videos that are in no part yet
        self.lacking = [[count * share for share in shares] for count in self.left]  # class, part -> labels
        self.room = [sum(sizes) * share for share in shares]  # part -> segments
        self.part = [UNDECIDED] * len(sizes)

    def parts(self) -> list[int]:
        """Each video's part."""
        members = self._members()
        still = {label for label, count in enumerate(self.left) if count}
        while still:
            rarest = min(still, key=lambda label: (self.left[label], label))
            for video in members[rarest]:
                if self.part[video] == UNDECIDED:
                    self._give(video, self._most_lacking(self.lacking[rarest]))
            still = {label for label in still if self.left[label]}
        for video, part in enumerate(self.part):
            if part == UNDECIDED:  # it has no label
                self._give(video, self.room.index(max(self.room)))
        return self.part

    def _members(self) -> list[list[int]]:
        """The videos of each class."""
        counts = np.diff(self.places)
        values, videos = np.array(self.labels, np.int64), np.repeat(np.arange(len(counts)), counts)
        stops = np.cumsum(np.bincount(values, minlength=len(self.left)))
        sorted_videos = videos[np.argsort(values, kind="stable")].tolist()
        return [sorted_videos[start:stop] for start, stop in itertools.pairwise([0, *stops.tolist()])]

    def _most_lacking(self, lacking: list[float]) -> int:
        """The part that lacks most of a class; of several the one with the most room."""
        most = max(lacking)
        if lacking.count(most) == 1:
            return lacking.index(most)
        return max((part for part, each in enumerate(lacking) if each == most), key=self.room.__getitem__)

    def _give(self, video: int, part: int) -> None:
        """Puts a video into a part."""
        self.part[video] = part
        self.room[part] -= self.sizes[video]
        for label in self.labels[self.places[video] : self.places[video + 1]]:
            self.left[label] -= 1
            self.lacking[label][part] -= 1
