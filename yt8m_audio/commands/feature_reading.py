"""Reads all features of records once, clips of a length together, so that a long one costs no memory for the others.

features = FeatureReading("records/*.tfrecord", "records")
for part in features.parts():
    part.features, part.num_frames    # uint8 or float32 [n, T, D], int [n]
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

import readers
from readers.rows import Rows
from readers.stores import ArrayStore
from readers.wire import ParsedRecords
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.written_records import counted

PART_BYTES = 16 << 20  # of features at a time
ANY_CLASS = 1 << 62


class FeatureReading:
    """Records of any family, of which all frames are read.

    Args:
        pattern: glob of the records, or a packed folder.
        name: of the argument that gave it, for errors.

    Raises:
        UserError: if there are none.
    """

    def __init__(self, pattern: str, name: str):
        self.pattern = pattern
        data = DataConfig(num_classes=ANY_CLASS, skip_corrupt_records=True)
        try:
            self.clips = self._opened(pattern, name, data)
        except UserError as error:
            raise UserError(str(error).removeprefix(f"--{name}=")) from None
        self.store, self.reader = self.clips.store, self.clips.store.reader
        data = self.clips.data
        self.dimension, self.is_bytes = sum(data.sizes), set(data.types) == {"uint8"} and self.reader.level == "frame"
        self.video_ids = self.store.video_ids()
        self.lengths = self._lengths()

    def __len__(self) -> int:
        return len(self.store)

    def numbers(self, chosen: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Numbers of clips, all or those chosen, in parts of nearly one length: int64 [n]."""
        chosen = np.arange(len(self)) if chosen is None else chosen
        order = chosen[np.argsort(self.lengths[chosen], kind="stable")]
        first = 0
        while first < len(order):
            size = self.dimension * (1 if self.is_bytes else 4)
            last = first + max(1, PART_BYTES // (size * max(1, int(self.lengths[order[first]]))))
            while last > first + 1 and (last - first) * self.longest(order[first:last]) * size > 2 * PART_BYTES:
                last = first + (last - first) // 2
            yield order[first:last]
            first = last

    def longest(self, numbers: np.ndarray) -> int:
        """Frames of the longest of some clips, at least 1."""
        return max(1, int(self.lengths[numbers].max(initial=1)))

    def read(self, numbers: np.ndarray, max_frames: int | None = None) -> tuple[Rows, np.ndarray]:
        """Reads clips in any order; those that are whole, and which are, bool [n]. Vectors are single frames."""
        frames = self.longest(numbers) if max_frames is None else max_frames
        if self.reader.level == "video" or isinstance(self.store, ArrayStore):
            rows = self.store.fetch(numbers)
            real, rows = rows.real, rows.only_real()
        else:
            reader = type(self.reader)(dataclasses.replace(self.reader.data, max_frames=frames))
            rows, real = self.store.parsed(numbers, reader.parse)
        if rows.features.ndim == 2:
            one = np.ones(len(rows), np.int32)
            rows = dataclasses.replace(rows, features=rows.features[:, None], num_frames=one)
        return rows, real

    def losses(self) -> list[str]:
        """Says in a line how many records could not be read so far, and where; none where all could."""
        lost = self.store.lost_by_shard()
        if not lost:
            return []
        more = f" and {counted(len(lost) - 1, 'more shard', 'more shards')}" if len(lost) > 1 else ""
        found = counted(sum(lost.values()), "record", "records")
        return [f"corrupt: at least {found} left out, of {next(iter(lost))}{more}: fetch or write them again."]

    @staticmethod
    def _opened(pattern: str, name: str, data: DataConfig) -> readers.Clips:
        """Opens frames where there are any."""
        clips = readers.open_clips(pattern, name, data)
        if clips.store.reader.level == "video":
            return clips
        return readers.open_clips(pattern, name, dataclasses.replace(data, frame_features=True))

    def _lengths(self) -> np.ndarray:
        """How many frames each clip has, int64 [n]."""
        if self.reader.level == "video":
            return np.ones(len(self), np.int64)
        if isinstance(self.store, ArrayStore):
            return np.asarray(self.store.arrays.num_frames, np.int64)
        name, found = self.clips.data.names[0], np.zeros(len(self), np.int64)
        for numbers, counts, real in self.store.scan(
            lambda records: ParsedRecords(records.buffer, records.starts, records.ends).num_frames(name)
        ):
            found[numbers[real]] = counts
        return found
