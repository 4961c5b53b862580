"""What features are like, dimension by dimension, and what is odd about that.

    statistics = FeatureStatistics(128, is_bytes=True)
    statistics.add(features, num_frames, video_ids, start, end)    # [n, T, D], some clips at a time
    statistics.oddities()                                          # lines; none of AudioSet's own features
    agreement = Agreement(128)
    agreement.add(ours, theirs, num_frames)                        # the same clips of another source

Sums alone are kept, so that any number of clips will do.
"""

import collections
import hashlib
from typing import Any

import numpy as np

BYTES = 256
MIDDLE = np.r_[112:127, 129:144]  # about the middle, but for where clipped values lie whose sign was misread
ENDS = np.r_[1:16, 240:255]  # as many near both ends, but for where clipped values lie
HOLLOW = 1.25  # times as much near the ends as in the middle: AudioSet has 0.4 to 0.6, and 1.7 to 2.5 misread
PILED = 2.0  # times as much at 0 and 255 as beside them: these are the ends indeed
MANY_DIMENSIONS = 0.5  # of which that must be so
SATURATED = 0.5  # share of a dimension's values at 0 and 255 together
DISAGREEING = 0.5  # correlation that the median dimension has at least, where both are features of the same sound
HOP_TOLERANCE = 1.0  # frames that a clip may have more or less than its times say
HOP_FRAMES = 5  # at least, of a clip whose times tell the hop: the last frame of a short one may be far from whole
MANY_CLIPS = 0.05  # of which something that a few may have is odd


class FeatureStatistics:
    """Sums over the frames of clips.

    Args:
        dimension: D.
        is_bytes: whether features are quantised, uint8; float32 otherwise.
        hop_seconds: from one frame to the next.
    """

    def __init__(self, dimension: int, is_bytes: bool, hop_seconds: float = 1.0):
        self.dimension, self.is_bytes, self.hop_seconds = dimension, is_bytes, hop_seconds
        self.clips = self.frames = self.zero_frames = self.still_clips = self.empty_clips = self.not_finite = 0
        self.histogram = np.zeros((dimension, BYTES), np.int64)  # of bytes
        self.sums, self.squares = np.zeros((2, dimension))
        self.lowest, self.highest = np.full(dimension, np.inf), np.full(dimension, -np.inf)
        self.ids: collections.Counter = collections.Counter()
        self.contents: collections.Counter = collections.Counter()
        self.hops: collections.Counter = collections.Counter()  # seconds a frame, rounded
        self.off_hop = self.timed = 0

    def add(
        self, features: np.ndarray, num_frames: np.ndarray, video_ids: np.ndarray, start: np.ndarray, end: np.ndarray
    ) -> None:
        """Counts clips.

        Args:
            features: uint8 or float32 [n, T, D], with anything behind the frames.
            num_frames: int [n].
            video_ids: objects [n].
            start: float [n], seconds.
            end: float [n], seconds.
        """
        real = np.arange(features.shape[1]) < num_frames[:, None]  # [n, T]
        frames = features[real]  # [m, D]
        self.clips, self.frames = self.clips + len(features), self.frames + len(frames)
        self.ids.update(video_ids.tolist())
        self.empty_clips += int((num_frames == 0).sum())
        self.zero_frames += int((~frames.any(axis=1)).sum())
        self._add_values(frames)
        self._add_whole(features, num_frames, real)
        self._add_times(num_frames, end - start)

    def _add_values(self, frames: np.ndarray) -> None:
        """Counts the values of frames [m, D]."""
        if self.is_bytes:
            for number, column in enumerate(np.ascontiguousarray(frames.T)):
                self.histogram[number] += np.bincount(column, minlength=BYTES)
            return
        finite = np.isfinite(frames)
        self.not_finite += int(frames.size - finite.sum())
        values = np.where(finite, frames, 0).astype(np.float64)
        self.sums += values.sum(axis=0)
        self.squares += (values**2).sum(axis=0)
        if len(values):
            self.lowest = np.minimum(self.lowest, values.min(axis=0))
            self.highest = np.maximum(self.highest, values.max(axis=0))

    def _add_whole(self, features: np.ndarray, num_frames: np.ndarray, real: np.ndarray) -> None:
        """Counts clips whose frames are all the same, and what clips hold."""
        same = (features == features[:, :1]).all(axis=2) | ~real  # [n, T]
        self.still_clips += int((same.all(axis=1) & (num_frames > 1)).sum())
        for clip, count in zip(features, num_frames.tolist(), strict=True):
            if count:
                self.contents[hashlib.blake2b(clip[:count].tobytes(), digest_size=16).digest()] += 1

    def _add_times(self, num_frames: np.ndarray, seconds: np.ndarray) -> None:
        """Compares how many frames clips have with how long they are."""
        known = (seconds > 0) & (num_frames > 0)
        self.timed += int(known.sum())
        told = known & (num_frames >= HOP_FRAMES)
        self.hops.update(np.round(seconds[told] / num_frames[told], 2).tolist())
        self.off_hop += int((np.abs(seconds[known] / self.hop_seconds - num_frames[known]) > HOP_TOLERANCE).sum())

    # What comes of it

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations of the dimensions, float64 [D] each."""
        count = max(self.frames, 1)
        if self.is_bytes:
            values = np.arange(BYTES)
            means = self.histogram @ values / count
            squares = self.histogram @ values**2 / count
        else:
            means, squares = self.sums / count, self.squares / count
        return means, np.sqrt(np.maximum(squares - means**2, 0))

    def saturation(self) -> np.ndarray:
        """Shares of the values of each dimension that are 0, and that are 255, float64 [2, D]; of bytes."""
        return self.histogram[:, [0, BYTES - 1]].T / max(self.frames, 1)

    def constant_dimensions(self) -> list[int]:
        """Dimensions that have one value."""
        same = (self.histogram > 0).sum(axis=1) == 1 if self.is_bytes else self.lowest == self.highest
        return np.flatnonzero(same).tolist()

    def hollow_dimensions(self) -> list[int]:
        """Dimensions with more values near both ends than in the middle, and no pile of clipped ones at the ends."""
        counts = self.histogram
        ends, middle = counts[:, ENDS].sum(axis=1), counts[:, MIDDLE].sum(axis=1)
        piled = counts[:, 0] + counts[:, -1] > PILED * (counts[:, 1] + counts[:, -2])
        return np.flatnonzero((ends > HOLLOW * middle) & ~piled).tolist()

    def duplicates(self) -> tuple[int, int]:
        """How many clips have the id of an earlier one, and how many what an earlier one holds."""
        return sum(self.ids.values()) - len(self.ids), sum(self.contents.values()) - len(self.contents)

    def usual_hop(self) -> float | None:
        """Seconds a frame that most clips have, rounded to 0.01; None where their times say nothing."""
        return self.hops.most_common(1)[0][0] if self.hops else None

    def oddities(self) -> list[str]:
        """What is odd, a line each."""
        return [*self._odd_values(), *self._odd_dimensions(), *self._odd_clips()]

    def _odd_values(self) -> list[str]:
        lines, hollow = [], len(self.hollow_dimensions())
        if hollow > MANY_DIMENSIONS * self.dimension:
            lines.append(
                f"signed bytes, read as unsigned ones: in {hollow} of {self.dimension} dimensions values lie near 0 "
                "and 255 rather than between. Add 128 to each, modulo 256."
            )
        if self.not_finite:
            lines.append(f"{self.not_finite:,} values are NaN or infinite.")
        if self.is_bytes and not lines:
            at_ends = np.flatnonzero(self.saturation().sum(axis=0) > SATURATED)
            constant = set(self.constant_dimensions())
            at_ends = [each for each in at_ends.tolist() if each not in constant]
            if at_ends:
                lines.append(
                    f"saturated: more than {SATURATED:.0%} of the values are 0 or 255, in {some(at_ends)}: the "
                    "quantiser's range does not fit."
                )
        return lines

    def _odd_dimensions(self) -> list[str]:
        constant = self.constant_dimensions()
        return [f"constant: {some(constant)} {'has' if len(constant) == 1 else 'have'} one value."] if constant else []

    def _odd_clips(self) -> list[str]:
        same_id, same_content = self.duplicates()
        found = {
            "clips have no frames": self.empty_clips if self.empty_clips > MANY_CLIPS * self.clips else 0,
            "frames are all zero": self.zero_frames,
            "clips have frames that are all the same": self.still_clips if self._many(self.still_clips) else 0,
            "clips have the id of another": same_id,
            "clips hold the same as another": same_content if self._many(same_content) else 0,
        }
        lines = [f"{count:,} {what}." for what, count in found.items() if count]
        if self.off_hop > MANY_CLIPS * max(self.timed, 1):
            lines.append(
                f"hop: {self.off_hop:,} of {self.timed:,} clips have other numbers of frames than one each "
                f"{self.hop_seconds:g} s" + (f"; most have one each {self.usual_hop():g} s." if self.hops else ".")
            )
        return lines

    def _many(self, clips: int) -> bool:
        return clips > MANY_CLIPS * self.clips

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        means, deviations = self.moments()
        same_id, same_content = self.duplicates()
        facts = {
            "clips": self.clips,
            "frames": self.frames,
            "dimension": self.dimension,
            "type": "uint8" if self.is_bytes else "float32",
            "mean": means.tolist(),
            "deviation": deviations.tolist(),
            "constant_dimensions": self.constant_dimensions(),
            "empty_clips": self.empty_clips,
            "zero_frames": self.zero_frames,
            "still_clips": self.still_clips,
            "repeated_ids": same_id,
            "repeated_contents": same_content,
            "hop_seconds": self.usual_hop(),
            "clips_off_hop": self.off_hop,
            "not_finite": self.not_finite,
        }
        if self.is_bytes:
            low, high = self.saturation().tolist()
            facts |= {"zeros": low, "full": high, "hollow_dimensions": self.hollow_dimensions()}
            facts["histogram"] = self.histogram.tolist()
        else:
            facts |= {"lowest": self.lowest.tolist(), "highest": self.highest.tolist()}
        return facts


def some(dimensions: list[int], most: int = 6) -> str:
    """Names dimensions: "dimensions 3, 5 and 7 more"."""
    named = ", ".join(map(str, dimensions[:most]))
    more = f" and {len(dimensions) - most} more" if len(dimensions) > most else ""
    return f"dimension{'' if len(dimensions) == 1 else 's'} {named}{more}"


class Agreement:
    """How far the features of two sources agree on the same frames.

    Args:
        dimension: D.
    """

    def __init__(self, dimension: int):
        self.frames = self.clips = self.other_length = 0
        self.sums = np.zeros((5, dimension))  # of x, y, x², y² and xy
        self.distance = np.zeros(dimension)
        self.equal = np.zeros(dimension, np.int64)

    def add(self, ours: np.ndarray, theirs: np.ndarray, num_frames: np.ndarray, other_length: int = 0) -> None:
        """Compares clips.

        Args:
            ours: [n, T, D], bytes or floats.
            theirs: [n, T, D].
            num_frames: int [n], the frames that both have.
            other_length: how many of the clips have more frames in one than in the other.
        """
        real = np.arange(ours.shape[1]) < num_frames[:, None]
        x, y = (each[real].astype(np.float64) for each in (ours, theirs))  # [m, D]
        self.frames, self.clips = self.frames + len(x), self.clips + len(ours)
        self.other_length += other_length
        self.sums += np.stack([x.sum(0), y.sum(0), (x * x).sum(0), (y * y).sum(0), (x * y).sum(0)])
        self.distance += np.abs(x - y).sum(axis=0)
        self.equal += (x == y).sum(axis=0)

    def correlation(self) -> np.ndarray:
        """Of each dimension, float64 [D]; NaN where one of the two has one value."""
        x, y, xx, yy, xy = self.sums / max(self.frames, 1)
        spread = np.sqrt(np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(spread > 1e-9, (xy - x * y) / spread, np.nan)

    def difference(self) -> np.ndarray:
        """The mean absolute difference of each dimension, float64 [D]."""
        return self.distance / max(self.frames, 1)

    def oddities(self) -> list[str]:
        """Says in a line that these are hardly features of the same sound; nothing where they may be."""
        correlation = self.correlation()
        known = correlation[~np.isnan(correlation)]
        if not len(known) or np.median(known) >= DISAGREEING:
            return []
        return [
            f"disagreeing: the same frames correlate by {np.median(known):.2f} in the median dimension, as those of "
            "another embedding or of other sound do."
        ]

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON takes it; null where there is no correlation."""
        correlation = self.correlation()
        return {
            "clips": self.clips,
            "frames": self.frames,
            "clips_of_other_length": self.other_length,
            "correlation": [None if np.isnan(each) else float(each) for each in correlation],
            "difference": self.difference().tolist(),
            "equal": (self.equal / max(self.frames, 1)).tolist(),
        }
