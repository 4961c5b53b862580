"""Stores: the clips of a data set by number, wherever they lie.

    store = RecordStore(shards, reader)      # in shards, which are read when they are asked for
    store = SegmentStore(shards, reader)     # the rated segments of such
    store = ArrayStore(arrays)               # in memory, or memory-mapped from a packed folder
    rows = store.fetch(np.array([7, 3, 5]))  # any clips, in any order

That any clip can be had is what makes batch k of a run a function of (seed, k) in every store.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import PurePath

import numpy as np

from readers.reader import Reader
from readers.rows import Described, Ragged, Rows, aligned, gather, join, join_rows
from readers.wire import MalformedRecord
from readers.youtube8m_segments import Segments, Youtube8mSegmentReader
from yt8m_audio.errors import UserError
from yt8m_audio.records import Records, Scratch, Shards, corrupt_message, read_records

CHUNK_BYTES = 64 << 20  # of records that are read and parsed at a time


class RecordStore:
    """The records of shards, each of them a clip.

    Args:
        shards: where they lie.
        reader: parses them.
        skip_corrupt: whether a corrupt record becomes a row that is not real, rather than an error.
    """

    def __init__(self, shards: Shards, reader: Reader, skip_corrupt: bool = False):
        self.shards, self.reader, self.skip_corrupt = shards, reader, skip_corrupt
        self.scratches: list[Scratch] = []  # that no thread uses at the moment
        self.lost: set[int] = set()  # numbers of the corrupt records that were come across

    def __len__(self) -> int:
        return len(self.shards)

    @property
    def about(self) -> str:
        """What the store is, in a few words."""
        return f"{len(self.shards.paths):,} shards"

    @property
    def clip_bytes(self) -> int:
        """Bytes of a typical clip in its shard, at least 1."""
        total = int((self.shards.ends - self.shards.starts).sum())
        return max(1, total // max(1, len(self.shards)))

    def fetch(self, numbers: np.ndarray) -> Rows:
        """Reads and parses clips, int64 [n], in any order.

        Raises:
            UserError: if a record cannot be read or parsed; it names the file and the record.
        """
        chunks = list(self.shards.chunks(numbers, CHUNK_BYTES))  # what they are parsed from takes as much memory
        if len(chunks) < 2:
            return self.fetch_at_once(numbers)
        features, parts, done = self.reader.room(len(numbers)), [], 0
        for chunk in chunks:
            parts.append(self.fetch_at_once(chunk, features[done : done + len(chunk)]))
            done += len(chunk)
        return join_rows(parts, features)

    def fetch_at_once(self, numbers: np.ndarray, features: np.ndarray | None = None) -> Rows:
        """Reads all and then parses all, into an array of features where one is given."""
        rows, real = self.parsed(
            numbers, lambda records: self.reader.parse(records, features if len(records) == len(numbers) else None)
        )
        rows = dataclasses.replace(rows, video_id=self._named(rows.video_id, numbers[real]))
        if real.all():
            return rows
        rows = rows.spread(real)
        if features is not None:
            features[...] = rows.features
        return rows

    def parsed(self, numbers: np.ndarray, parse: Callable) -> tuple:
        """What `parse` gives of those records that are whole; and which are, bool [n].

        `parse` must not give away the buffer that the records are in: it is read into again.
        """
        with self._scratch() as scratch:
            records, real = read_records(self.shards, numbers, self.reader.data.num_readers, scratch)
            if not real.all():
                self._note_corrupt(numbers[~real])
                records = records.only(real)
            try:
                return parse(records), real
            except MalformedRecord as error:
                path, number = self.shards.place(int(numbers[real][error.number]))
                raise UserError(f"{path}, record {number}: {error.why}.") from error

    def scan(self, parse: Callable[[Records], object]) -> Iterator[tuple]:
        """Reads all records once, some at a time: their numbers, what `parse` gives, and which are whole."""
        for numbers in self.shards.chunks(np.arange(len(self.shards)), CHUNK_BYTES):
            yield numbers, *self.parsed(numbers, parse)

    def video_ids(self) -> np.ndarray:
        """The ids of all clips, object [clips] of bytes; every shard is read once."""
        found = np.full(len(self), b"", object)
        for numbers, ids, real in self.scan(self.reader.video_ids):
            found[numbers[real]] = self._named(ids, numbers[real])
        return found

    def labels(self) -> Ragged:
        """The labels of all clips; every shard is read once."""
        values, counts = [np.empty(0, np.int64)], np.zeros(len(self), np.int64)
        for numbers, labels, real in self.scan(self.reader.labels):
            counts[numbers[real]] = labels.counts
            values.append(labels.values)
        return Ragged(np.concatenate(values), counts)

    def described(self) -> Described:
        """All clips without their features; every shard is read once."""
        found, reader = np.full(len(self), b"", object), self.reader
        values, counts = [np.empty(0, np.int64)], np.zeros(len(self), np.int64)
        start_time, real = np.zeros(len(self), np.float32), np.zeros(len(self), bool)
        parses = (reader.video_ids, reader.start_times, reader.labels)
        for numbers, (ids, times, labels), whole in self.scan(lambda records: [each(records) for each in parses]):
            numbers = numbers[whole]
            found[numbers], start_time[numbers], real[numbers] = self._named(ids, numbers), times, True
            counts[numbers] = labels.counts
            values.append(labels.values)
        return Described(found, start_time, Ragged(np.concatenate(values), counts), real)

    def place(self, number: int) -> str:
        """Says where a clip lies."""
        path, record = self.shards.place(number)
        return f"{path}, record {record}"

    def shard_of(self, numbers: np.ndarray) -> np.ndarray:
        """The shards that clips are in, int64 [n]."""
        return self.shards.shard_of(numbers)

    def lost_by_shard(self) -> dict[str, int]:
        """How many records each shard has lost so far; a cut one has lost what is behind the cut."""
        lost = {path: 1 for path, cut in zip(self.shards.paths, self.shards.cut, strict=True) if cut}
        for number in sorted(self.lost):
            path, _ = self.shards.place(number)
            lost[path] = lost.get(path, 0) + 1
        return lost

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Scratch]:
        """Lends memory to read into."""
        try:
            scratch = self.scratches.pop()
        except IndexError:
            scratch = Scratch()
        yield scratch
        self.scratches.append(scratch)

    def _note_corrupt(self, numbers: np.ndarray) -> None:
        if not self.skip_corrupt:
            raise UserError(corrupt_message(*self.shards.place(int(numbers.min()))))
        self.lost.update(numbers.tolist())

    def _named(self, ids: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Names clips without an id after their file, and their place in it where it holds several."""
        for row in np.flatnonzero(ids == b""):
            path, record = self.shards.place(int(numbers[row]))
            alone = self.shards.sizes[self.shard_of(numbers[row : row + 1])[0]] == 1
            stem = PurePath(path).stem
            ids[row] = (stem if alone else f"{stem}#{record}").encode()
        return ids


class SegmentStore:
    """The segments of YouTube-8M's records, each of them a clip; all records are read once to find them.

    Args:
        records: the records.
    """

    def __init__(self, records: RecordStore):
        self.records, self.reader, self.about = records, records.reader, records.about
        self.segments = _all_segments(records, records.reader)
        self.clip_bytes = 1 + records.clip_bytes * len(records) // max(1, len(self))

    def __len__(self) -> int:
        return len(self.segments.record)

    def fetch(self, numbers: np.ndarray) -> Rows:
        """Reads segments, int64 [n], in any order; a record that several are in is read once."""
        size, segments = self.reader.data.segment_size, self.segments
        wanted, record = np.unique(segments.record[numbers], return_inverse=True)  # [m], [n]
        videos = self.records.fetch(wanted)
        start = segments.start[numbers]
        num_frames = np.clip(videos.num_frames[record] - start, 0, size).astype(np.int32)
        frames = start[:, None] + np.arange(size)  # [n, T]
        features = videos.features[record[:, None], np.minimum(frames, videos.features.shape[1] - 1)]  # [n, T, D]
        features[np.arange(size) >= num_frames[:, None]] = 0
        labels = segments.labels.take(numbers)
        scores = gather(segments.scores, segments.labels.starts[numbers], labels.counts).values
        return Rows(
            video_id=videos.video_id[record],
            features=features,
            num_frames=num_frames,
            labels=labels,
            start_time=start.astype(np.float32),
            end_time=(start + size).astype(np.float32),
            real=videos.real[record],
            scores=scores,
        )

    def video_ids(self) -> np.ndarray:
        """The videos' ids of all segments, object [segments] of bytes."""
        return self.records.video_ids()[self.segments.record]

    @property
    def num_ratings(self) -> int:
        """How many ratings all segments have."""
        return len(self.segments.scores)

    def labels(self) -> Ragged:
        """The classes that are true of each segment."""
        labels, true = self.segments.labels, self.segments.scores > 0
        return Ragged(labels.values[true], np.bincount(labels.rows[true], minlength=len(self)))

    def place(self, number: int) -> str:
        """Says where a segment lies."""
        return f"{self.records.place(int(self.segments.record[number]))}, second {self.segments.start[number]}"

    def shard_of(self, numbers: np.ndarray) -> np.ndarray:
        """The shards that segments are in, int64 [n]."""
        return self.records.shard_of(self.segments.record[numbers])

    def lost_by_shard(self) -> dict[str, int]:
        """How many records each shard has lost so far."""
        return self.records.lost_by_shard()


def _all_segments(records: RecordStore, reader: Youtube8mSegmentReader) -> Segments:
    """The segments of all records, by record and start."""
    found = []
    for numbers, segments, real in records.scan(reader.segments):
        found.append(segments._replace(record=numbers[real][segments.record]))
    return Segments(
        np.concatenate([each.record for each in found]),
        np.concatenate([each.start for each in found]),
        join([each.labels for each in found]),
        np.concatenate([each.scores for each in found]),
    )


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Clips as arrays, in memory or memory-mapped.

    Attributes:
        video_id: bytes [n], of one length, short ones filled up with zeros.
        features: uint8 or float32 [n, T, D], or float32 [n, D].
        num_frames: int32 [n].
        start_time: float32 [n], seconds.
        end_time: float32 [n], seconds.
        label_values: int32 [sum], all clips' labels, one after another.
        label_counts: int32 [n].
        label_scores: uint8 [sum], for segments; else None.
    """

    video_id: np.ndarray
    features: np.ndarray
    num_frames: np.ndarray
    start_time: np.ndarray
    end_time: np.ndarray
    label_values: np.ndarray
    label_counts: np.ndarray
    label_scores: np.ndarray | None = None


class ArrayStore:
    """Clips in arrays, indexed at random.

    Args:
        arrays: the clips.
        name: what they are called in errors, such as the folder that they are mapped from.
        reader: of the family that they were read with.
        columns: which of the features to take, as a list of slices; all when empty.
        max_frames: frames to give of a clip; as many as there are when None.
    """

    lost_by_shard = staticmethod(dict)

    def __init__(self, arrays: Arrays, name: str, reader: Reader, columns=(), max_frames: int | None = None):
        self.arrays, self.reader, self.about = arrays, reader, name
        self.columns, self.max_frames = list(columns), max_frames
        self.label_starts = np.cumsum(arrays.label_counts, dtype=np.int64) - arrays.label_counts
        self.clip_bytes = max(1, arrays.features.nbytes // max(1, len(self)))

    def __len__(self) -> int:
        return len(self.arrays.num_frames)

    def fetch(self, numbers: np.ndarray) -> Rows:
        """Takes clips, int64 [n], in any order."""
        arrays, starts = self.arrays, self.label_starts[numbers]
        counts = arrays.label_counts[numbers].astype(np.int64)
        scores = arrays.label_scores
        features = self._features(numbers)
        num_frames = arrays.num_frames[numbers]
        return Rows(
            video_id=arrays.video_id[numbers].astype(object),
            features=features,
            num_frames=num_frames if self.max_frames is None else np.minimum(num_frames, np.int32(self.max_frames)),
            labels=gather(arrays.label_values, starts, counts),
            start_time=arrays.start_time[numbers],
            end_time=arrays.end_time[numbers],
            real=np.ones(len(numbers), bool),
            scores=None if scores is None else gather(scores, starts, counts).values,
        )

    def _features(self, numbers: np.ndarray) -> np.ndarray:
        """Features of clips, as many frames and columns as are wanted."""
        features = aligned((len(numbers), *self.arrays.features.shape[1:]), self.arrays.features.dtype)
        np.take(self.arrays.features, numbers, axis=0, out=features, mode="clip")  # other modes copy twice
        if self.columns:
            features = np.concatenate([features[..., each] for each in self.columns], axis=-1)
        if self.max_frames is None or features.ndim == 2:
            return features
        missing = max(0, self.max_frames - features.shape[1])
        return np.pad(features[:, : self.max_frames], ((0, 0), (0, missing), (0, 0)))

    def video_ids(self) -> np.ndarray:
        """The ids of all clips, object [clips] of bytes."""
        return np.asarray(self.arrays.video_id).astype(object)

    @property
    def num_ratings(self) -> int:
        """How many ratings all segments have."""
        return len(self.arrays.label_values)

    def labels(self) -> Ragged:
        """The labels of all clips; of segments those that are true."""
        labels = Ragged(np.asarray(self.arrays.label_values), np.asarray(self.arrays.label_counts).astype(np.int64))
        if self.arrays.label_scores is None:
            return labels
        true = self.arrays.label_scores > 0
        return Ragged(labels.values[true], np.bincount(labels.rows[true], minlength=len(self)))

    def described(self) -> Described:
        """All clips without their features."""
        return Described(self.video_ids(), np.asarray(self.arrays.start_time), self.labels(), np.ones(len(self), bool))

    def place(self, number: int) -> str:
        """Says which clip it is."""
        return f"{self.about}, clip {number}"

    def shard_of(self, numbers: np.ndarray) -> np.ndarray:
        """There is one shard, 0."""
        return np.zeros(len(numbers), np.int64)
