"""What is missing, class by class, and what that does to an evaluation on the clips that are left.

    losses = Losses.of(manifest.clips(), names)
    losses.classes[0].share_lost, losses.empty, losses.widening

The average precision of a class with fewer clips is known less well: its interval grows like the root of how many times
fewer there are. A class of which nothing is left has none, and mAP is a mean over fewer classes.
"""

import collections
import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping

from yt8m_audio.audioset.clips.manifest import DONE, SHORT, WAITING, Clip

FEW = 10  # clips; below it a class's average precision says little
UNUSUAL = 3.0  # standard deviations


@dataclasses.dataclass(frozen=True)
class ClassLoss:
    """What became of the clips of a class.

    Attributes:
        label: its id.
        name: its display name, or its id.
        listed: clips in the lists.
        had: of them those that lie there, short ones included.
        short: of those that lie there, those that are shorter than asked for.
        waiting: those that are still to be tried.
    """

    label: str
    name: str
    listed: int
    had: int
    short: int
    waiting: int

    @property
    def lost(self) -> int:
        """Clips that cannot be had."""
        return self.listed - self.had - self.waiting

    @property
    def share_lost(self) -> float:
        """The share that cannot be had, of those that were tried."""
        tried = self.listed - self.waiting
        return self.lost / tried if tried else 0.0

    @property
    def widening(self) -> float:
        """How many times wider the interval of its average precision is; infinite where nothing is left."""
        return math.sqrt(self.listed / self.had) if self.had else math.inf


@dataclasses.dataclass(frozen=True)
class Losses:
    """Of all clips, and of each class.

    Attributes:
        clips: one for all of them.
        classes: by share lost, the greatest first.
        reasons: how many could not be had for each reason, the most frequent first.
    """

    clips: ClassLoss
    classes: tuple[ClassLoss, ...]
    reasons: dict[str, int]

    @classmethod
    def of(cls, clips: Iterable[Clip], names: Mapping[str, str]) -> "Losses":
        """Counts rows; `names` has display names by id."""
        by_state: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
        total, reasons = collections.Counter(), collections.Counter()
        for clip in clips:
            total[clip.state] += 1
            if clip.state not in (DONE, SHORT, WAITING):
                reasons[clip.reason] += 1
            for label in filter(None, (each.strip() for each in clip.segment.labels.split(","))):
                by_state[label][clip.state] += 1
        classes = [_class(label, names.get(label, label), counts) for label, counts in by_state.items()]
        classes.sort(key=lambda each: (-each.share_lost, -each.lost, each.name))
        return cls(_class("", "all clips", total), tuple(classes), dict(reasons.most_common()))

    @property
    def empty(self) -> list[ClassLoss]:
        """Classes of which no clip is left."""
        return [each for each in self.classes if not each.had and not each.waiting]

    @property
    def few(self) -> list[ClassLoss]:
        """Classes of which fewer than FEW are left, though there were as many in the lists."""
        return [each for each in self.classes if 0 < each.had < FEW <= each.listed and not each.waiting]

    @property
    def unusual(self) -> list[ClassLoss]:
        """Classes that lost more than chance would take at the loss of all clips."""
        share = self.clips.share_lost
        return [each for each in self.classes if _deviation(each, share) > UNUSUAL]

    @property
    def widening(self) -> float:
        """The median over classes of how many times wider the interval of an average precision is."""
        finite = [each.widening for each in self.classes if each.had]
        return statistics.median(finite) if finite else math.inf


def _class(label: str, name: str, counts: Mapping[str, int]) -> ClassLoss:
    short = counts.get(SHORT, 0)
    return ClassLoss(label, name, sum(counts.values()), counts.get(DONE, 0) + short, short, counts.get(WAITING, 0))


def _deviation(each: ClassLoss, share: float) -> float:
    """How many standard deviations more a class lost than `share` of its clips."""
    tried = each.listed - each.waiting
    spread = math.sqrt(tried * share * (1 - share))
    return (each.lost - tried * share) / spread if spread else 0.0
