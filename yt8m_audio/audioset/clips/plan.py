"""What a download will take: requests, days, and room on the disk."""

import dataclasses
from collections.abc import Iterable

from yt8m_audio.audioset.clips.media import SoundFormat
from yt8m_audio.audioset.clips.segment import Segment

SHARE_OF_WAV = {"flac": 0.6, "wav": 1.0}  # of music and speech, by a rule of thumb
BITS_A_SECOND = 128_000  # of the others
DAY_HOURS = 24.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """What it takes.

    Attributes:
        segments: how many are asked for.
        videos_left: how many are still to be tried, those of other lists of the same manifest included.
        seconds: of sound in all that are asked for.
        bytes: of their files, about.
        hours: that the requests take at the given rate; 0 where there is no limit.
    """

    segments: int
    videos_left: int
    seconds: float
    bytes: float
    hours: float

    @property
    def days(self) -> float:
        """The hours in days."""
        return self.hours / DAY_HOURS


def plan_of(segments: Iterable[Segment], over: int, sound: SoundFormat, per_hour: float, others: int = 0) -> Plan:
    """Plans a download of segments of which some are over and done with, beside others that still wait."""
    count = milliseconds = 0
    for segment in segments:
        count += 1
        milliseconds += segment.end_ms - segment.start_ms
    left, seconds = max(count - over, 0) + others, milliseconds / 1000
    return Plan(count, left, seconds, seconds * bytes_a_second(sound), left / per_hour if per_hour else 0.0)


def bytes_a_second(sound: SoundFormat) -> float:
    """Bytes of a second of sound, about."""
    share = SHARE_OF_WAV.get(sound.suffix)
    return share * sound.sample_rate * sound.channels * sound.bit_depth / 8 if share else BITS_A_SECOND / 8
