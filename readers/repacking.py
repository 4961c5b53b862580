"""Writes a data set anew: many tiny shards into few large ones, between record families, or into one array.

    repack_records("bal_train/*.tfrecord", "repacked", num_shards=16, seed=0)   # the same bytes, shuffled
    repack_records("bal_train/*.tfrecord", "videos", to="video")                # means over the frames
    repack_arrays("bal_train/*.tfrecord", "packed", DataConfig())               # a packed folder, see packed.py

Everything is written beside the folder asked for, read back, compared, and then renamed: whole or not at all.
Some tens of megabytes are held at a time, whatever the size of the data set.
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from readers.clips import Clips, open_clips
from readers.packed import is_packed, read_packed, write_packed
from readers.pooling import pool_frames
from readers.reader import Reader, fitting_name
from readers.rows import Rows
from readers.stores import ArrayStore, RecordStore
from readers.survey import found_shards
from readers.wire import MalformedRecord, ParsedRecords
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.examples import audioset_record, frames_record, video_record
from yt8m_audio.feature_source import feature_source_of, write_feature_source
from yt8m_audio.records import (
    FRAMING_BYTES,
    GAP_BYTES,
    Records,
    Shards,
    corrupt_message,
    index_shards,
    read_records,
    write_shard,
)
from yt8m_audio.registry import READERS

SHARD_NAME = "{:05d}-of-{:05d}.tfrecord"
CHUNK_BYTES = 32 << 20  # read at a time
ID_KEYS = ("id", "video_id", "clip/data_path")
HEADROOM = 1.05  # of free space, for what the folders themselves take

Progress = Callable[[str], None]


class Family(NamedTuple):
    """A family to write records of.

    Attributes:
        reader: name of its reader.
        features: what its records may hold.
    """

    reader: str
    features: tuple[str, ...]


FAMILIES = {
    "youtube8m": Family("Youtube8mFrameReader", ("rgb", "audio")),
    "audioset": Family("AudioSetFrameReader", ("audio_embedding",)),
    "video": Family("Youtube8mVideoReader", ("mean_rgb", "mean_audio")),
}


class Repacked(NamedTuple):
    """What was written.

    Attributes:
        clips: how many.
        files: shards; 1 for a packed folder.
        bytes: of all files.
        pattern: what to read it with.
        notes: what was left out, a line each.
    """

    clips: int
    files: int
    bytes: int
    pattern: str
    notes: list[str]


# The folder


def check_folder(out: str, pattern: str) -> None:
    """Refuses a folder that cannot be written to without harm.

    Args:
        out: the folder.
        pattern: glob of what is read.

    Raises:
        UserError: if it is no local folder, holds something, or is one that the glob would find records in.
    """
    if "://" in out:
        raise UserError(f"{out} is on another machine: repack to a folder of this one, and copy that.")
    whole = os.path.abspath(out)
    for part in pattern.split(","):
        glob = os.path.abspath(part.strip())
        if any(PurePath(whole, name).match(glob) for name in (SHARD_NAME.format(0, 1), "features.npy")):
            raise UserError(f"{out} lies inside the input, {pattern}: write to a folder that the glob does not match.")
    if os.path.lexists(out) and not (os.path.isdir(out) and not os.listdir(out)):
        raise UserError(f"{out} is there already, and no empty folder: name another one, or remove it.")


@contextlib.contextmanager
def written_beside(out: str, size: int) -> Iterator[Path]:
    """Gives the path of a folder to make beside `out`, and renames it to `out` if all went well.

    Args:
        out: the folder to come.
        size: bytes that it will take.

    Raises:
        UserError: if there is no room for it, or it cannot be written.
    """
    whole = Path(os.path.realpath(out))
    partial = whole.with_name(f"{whole.name}.partial-{os.getpid()}")
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(whole.parent).free
        if size * HEADROOM > free:
            raise UserError(f"{out} takes {size / 1e6:,.0f} MB, and there are {free / 1e6:,.0f} MB free there.")
        yield partial
        os.rename(partial, whole)
    except tf.errors.OpError as error:
        raise UserError(f"{out} cannot be written: {error.message}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _opened(pattern: str, data: DataConfig) -> Clips:
    """Opens clips; the glob is an argument here, and no flag."""
    try:
        return open_clips(pattern, "pattern", data)
    except UserError as error:
        raise UserError(str(error).removeprefix("--pattern=")) from None


def _copy_note(paths: Sequence[str], folder: Path) -> None:
    """Writes the note of where features came from anew, where there is one beside the records."""
    source = feature_source_of(paths)
    if source is not None:
        write_feature_source(folder, source)


def _bytes_of(folder: str) -> int:
    return sum(each.stat().st_size for each in Path(folder).iterdir())


# What is read and written again


class Copy:
    """Records as they are.

    Args:
        shards: where they lie.
        skip_corrupt: whether corrupt records are left out, rather than an error.

    Attributes:
        lost: corrupt records that were left out.
        unnamed: records without an id, among those looked at.
    """

    def __init__(self, shards: Shards, skip_corrupt: bool):
        self.shards, self.skip_corrupt = shards, skip_corrupt
        self.lost = int(shards.cut.sum())
        self.unnamed = 0

    def read(self, numbers: np.ndarray) -> tuple[list[bytes], bytes]:
        """Reads records, int64 [n]: as they are written, and a digest of what is in them.

        Raises:
            UserError: if one is corrupt.
        """
        records, whole = read_records(self.shards, numbers)
        if not whole.all() and not self.skip_corrupt:
            raise UserError(corrupt_message(*self.shards.place(int(numbers[~whole].min()))))
        self.lost += int((~whole).sum())
        records = records.only(whole)
        self.unnamed += _unnamed(records)
        return [records[number] for number in range(len(records))], _digest_of_bytes(records)

    def size(self) -> int:
        """Bytes that are going to be written, about."""
        return int((self.shards.ends - self.shards.starts + FRAMING_BYTES).sum())

    def digest(self, shards: Shards, numbers: np.ndarray) -> bytes:
        """The digest of records that were written.

        Raises:
            UserError: if one is corrupt.
        """
        return Copy(shards, skip_corrupt=False).read(numbers)[1]

    def notes(self) -> list[str]:
        """What is to be said at the end."""
        notes = [f"{self.lost:,} corrupt records left out."] if self.lost else []
        if self.unnamed:
            notes.append(
                f"{self.unnamed:,} records have no id: they were named after their files, and are named after the new "
                "ones now. --to=audioset or --to=youtube8m keeps the names as ids."
            )
        return notes


def _unnamed(records: Records) -> int:
    """Counts records without an id, as far as they are any that we know."""
    try:
        parsed = ParsedRecords(records.buffer, records.starts, records.ends, tf.train.Example)
        return int((parsed.strings(*ID_KEYS) == b"").sum())
    except MalformedRecord:
        return 0


def _digest_of_bytes(records: Records) -> bytes:
    digest = hashlib.blake2b((records.ends - records.starts).tobytes())
    for start, end in zip(records.starts.tolist(), records.ends.tolist(), strict=True):
        digest.update(records.buffer[start:end])
    return digest.digest()


class EveryFrame:
    """A reader that cuts no clip: as many frames as the longest of the clips at hand has.

    Args:
        reader: the reader.

    Attributes:
        ratings: of segments, in the records parsed so far.
    """

    def __init__(self, reader: Reader):
        self.reader, self.data = reader, reader.data
        self.ratings = 0

    def parse(self, records: Records, features: np.ndarray | None = None) -> Rows:
        """Parses records."""
        if self.reader.level == "video" or not len(records):
            return self.reader.parse(records, features)
        parsed = ParsedRecords(records.buffer, records.starts, records.ends)
        self.ratings += int(parsed.integers("segment_labels").counts.sum())
        longest = max(1, int(parsed.num_frames(self.data.names[0]).max()))
        return type(self.reader)(dataclasses.replace(self.data, max_frames=longest)).parse(records)


class Conversion:
    """Records of one family written as those of another.

    Args:
        clips: what is read.
        to: youtube8m, audioset or video.

    Raises:
        UserError: if these records cannot become such.
    """

    def __init__(self, clips: Clips, to: str):
        reader, data = clips.store.reader, clips.data
        self.to, self.shards, self.family = to, clips.store.shards, FAMILIES[to]
        if reader.level == "video":
            raise UserError(f"--to={to}: the records hold one vector a clip, of which no frames can be made.")
        self.store = RecordStore(self.shards, EveryFrame(reader), clips.store.skip_corrupt)
        sources = {name: fitting_name(name, data.names) for name in self.family.features}
        self.sources = {name: source for name, source in sources.items() if source}
        if not self.sources:
            raise UserError(f"--to={to}: the records hold {data.feature_names}, and no {self.family.features[-1]}.")
        begins = dict(zip(data.names, np.cumsum([0, *data.sizes]), strict=False))
        sizes = dict(zip(data.names, data.sizes, strict=True))
        self.columns = {name: slice(begins[each], begins[each] + sizes[each]) for name, each in self.sources.items()}
        kind = "uint8" if set(data.types) == {"uint8"} and to != "video" else "float32"
        self.target = READERS.get(self.family.reader)(
            DataConfig(
                feature_names=",".join(self.sources),
                feature_sizes=",".join(str(sizes[each]) for each in self.sources.values()),
                feature_types=",".join(kind for _ in self.sources),
                num_classes=data.num_classes,
                max_frames=data.max_frames,
            )
        )
        self.dropped = [name for name in data.names if name not in self.sources.values()]

    def read(self, numbers: np.ndarray) -> tuple[list[bytes], bytes]:
        """Reads records, int64 [n]: as they are written, and a digest of what is in them.

        Raises:
            UserError: if one is corrupt or cannot be parsed.
        """
        rows = self.store.fetch_at_once(numbers).only_real()
        features = np.concatenate([rows.features[..., each] for each in self.columns.values()], axis=-1)
        if self.to == "video":
            features = pool_frames(features, rows.num_frames, "mean")
        rows = dataclasses.replace(rows, features=features)
        return [self._record(rows, row, labels) for row, labels in enumerate(_lists(rows))], self._digest(rows)

    def size(self) -> int:
        """Bytes that are going to be written, about."""
        if self.to == "video":
            return 4 * sum(self.target.data.sizes) * len(self.shards)
        return int((self.shards.ends - self.shards.starts + FRAMING_BYTES).sum())

    def digest(self, shards: Shards, numbers: np.ndarray) -> bytes:
        """The digest of records that were written.

        Raises:
            UserError: if one is corrupt or cannot be parsed.
        """
        return self._digest(RecordStore(shards, EveryFrame(self.target)).fetch_at_once(numbers))

    def notes(self) -> list[str]:
        """What is to be said at the end."""
        lost = sum(self.store.lost_by_shard().values())
        notes = [f"{lost:,} corrupt records left out."] if lost else []
        if self.dropped:
            notes.append(f"{', '.join(self.dropped)} left out: --to={self.to} has no such feature.")
        if self.store.reader.ratings:
            notes.append(f"{self.store.reader.ratings:,} ratings of segments left out; --to=same keeps them.")
        before, after = self.store.reader.reader.num_classes, self.target.num_classes
        if before != after:
            notes.append(f"Train with --num_classes={before}: records of the new family have {after} by default.")
        return notes

    def _record(self, rows: Rows, row: int, labels: np.ndarray) -> bytes:
        """Serialises a clip."""
        video_id, features = rows.video_id[row], rows.features[row]
        if self.to == "video":
            return video_record({"id": video_id}, labels, self._split(features))
        frames = features[: rows.num_frames[row]]
        start, end = float(rows.start_time[row]), float(rows.end_time[row])
        if self.to == "audioset":
            return audioset_record(video_id, labels, frames, start, end)
        times = {"start_time_seconds": start, "end_time_seconds": end}
        return frames_record({"id": video_id, **times}, labels, self._split(frames))

    def _split(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Takes features [..., D] apart by name."""
        ends = np.cumsum(self.target.data.sizes)[:-1]
        return dict(zip(self.sources, np.split(features, ends, axis=-1), strict=True))

    def _digest(self, rows: Rows) -> bytes:
        return _digest_of_rows(rows, times=self.to != "video")


def _lists(rows: Rows) -> list[np.ndarray]:
    """The labels of each clip."""
    if not len(rows):
        return []
    return np.split(rows.labels.values, np.cumsum(rows.labels.counts)[:-1])


def _digest_of_rows(rows: Rows, times: bool = True) -> bytes:
    """A digest of clips: ids, labels and features, and of frames also how many and when."""
    arrays = [rows.labels.values.astype("<i8"), rows.labels.counts.astype("<i8"), rows.features]
    arrays += [rows.num_frames, rows.start_time, rows.end_time] if times else []
    arrays += [rows.scores] if rows.scores is not None else []
    digest = hashlib.blake2b(b"\n".join(rows.video_id))
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


# Into shards


def repack_records(
    pattern: str,
    out: str,
    to: str = "same",
    num_shards: int = 16,
    seed: int | None = None,
    skip_corrupt: bool = False,
    progress: Progress = lambda text: None,
) -> Repacked:
    """Writes a data set into a number of shards.

    Args:
        pattern: glob of the records.
        out: folder to make.
        to: same (the bytes of each record as they are), youtube8m, audioset or video.
        num_shards: how many; fewer where there are not so many clips.
        seed: of a global shuffle; the order is kept when None.
        skip_corrupt: whether corrupt records are left out, rather than an error.
        progress: told how far it is.

    Raises:
        UserError: if the records cannot be read or become such, or the folder cannot be written.
    """
    if to not in ("same", *FAMILIES):
        raise UserError(f"--to={to} is none of same, {', '.join(FAMILIES)}.{nearest(to, FAMILIES)}")
    if is_packed(pattern):
        raise UserError(f"{pattern} is packed already: repack the records that it was made of.")
    paths = found_shards(pattern)
    check_folder(out, pattern)
    if to == "same":
        shards = index_shards(paths, skip_corrupt)
        work = Copy(shards, skip_corrupt)
    else:
        any_label = DataConfig(skip_corrupt_records=skip_corrupt, num_classes=1 << 62)
        work = Conversion(_opened(pattern, any_label), to)
        shards = work.shards
    if not len(shards):
        raise UserError(f"{pattern} holds no record that can be read.")
    order = np.arange(len(shards)) if seed is None else np.random.default_rng(seed).permutation(len(shards))
    with written_beside(out, work.size()) as folder:
        folder.mkdir()
        clips, files = _write_shards(folder, work, order, num_shards, GAP_BYTES if seed is not None else 0, progress)
        _copy_note(paths, folder)
    return Repacked(clips, files, _bytes_of(out), os.path.join(out, "*.tfrecord"), work.notes())


def _write_shards(
    folder: Path, work: Copy | Conversion, order: np.ndarray, num_shards: int, between: int, progress: Progress
) -> tuple[int, int]:
    """Writes the records in order, each shard verified as soon as it is whole; returns clips and shards.

    In a shuffled order what is read to get at a record may be as much as lies between two that are read together.
    """
    parts, done = np.array_split(order, min(num_shards, len(order))), 0
    for number, part in enumerate(parts):
        path = folder / SHARD_NAME.format(number, len(parts))
        written: list[tuple[int, bytes]] = []
        write_shard(str(path), _serialized(work, work.shards.chunks(part, CHUNK_BYTES, between), written))
        if written:
            done += verify_shard(str(path), written, work.digest)
            progress(f"{done:,} of {len(order):,} records in {number + 1:,} of {len(parts):,} shards")
        else:  # all of them were corrupt
            path.unlink()
    if not done:
        raise UserError(f"None of the {len(order):,} records is whole: fetch the shards again.")
    return done, len(os.listdir(folder))


def _serialized(
    work: Copy | Conversion, runs: Iterator[np.ndarray], written: list[tuple[int, bytes]]
) -> Iterator[bytes]:
    """Gives records to write, and notes how many there were in each run, and the digest of what is in them."""
    for numbers in runs:
        serialized, digest = work.read(numbers)
        if serialized:
            written.append((len(serialized), digest))
        yield from serialized


def verify_shard(path: str, written: Sequence[tuple[int, bytes]], digest: Callable[[Shards, np.ndarray], bytes]) -> int:
    """Reads a shard back.

    Args:
        path: the shard.
        written: how many records were written at a time, and a digest of what is in them.
        digest: computes it from what was written.

    Returns:
        How many records there are.

    Raises:
        UserError: if what is read is not what was written.
    """
    shards = index_shards([path])
    first = 0
    for count, wanted in written:
        if first + count > len(shards) or digest(shards, np.arange(first, first + count)) != wanted:
            raise UserError(f"{path} does not read back as it was written, from record {first} on: check the disk.")
        first += count
    if first != len(shards):
        raise UserError(f"{path} reads back with {len(shards)} records where {first} were written: check the disk.")
    return first


# Into arrays


def repack_arrays(pattern: str, out: str, data: DataConfig, progress: Progress = lambda text: None) -> Repacked:
    """Writes a data set as a packed folder.

    Args:
        pattern: glob of the records.
        out: folder to make.
        data: how the records are read; what is not given is read off the first of them.
        progress: told how far it is.

    Raises:
        UserError: if the records cannot be read, or the folder cannot be written.
    """
    if is_packed(pattern):
        raise UserError(f"{pattern} is packed already: repack the records that it was made of.")
    found = found_shards(pattern)
    check_folder(out, pattern)
    clips = _opened(pattern, data)
    is_frames = clips.store.reader.level == "frame"  # frames stay frames, whatever model comes
    clips = dataclasses.replace(clips, data=dataclasses.replace(clips.data, frame_features=is_frames))
    spec = clips.in_order(1).element_spec["features"]
    shape, dtype = (len(clips), *spec.shape[1:]), spec.dtype.as_numpy_dtype
    written: list[tuple[int, bytes]] = []
    cut = Counted(clips.store.reader) if is_frames and not clips.data.segment_labels else None

    def parts():
        for rows in clips.parts():
            rows = rows.only_real()
            written.append((len(rows), _digest_of_rows(_as_packed(rows))))
            yield rows
            progress(f"{sum(count for count, _ in written):,} of {len(clips):,} clips")

    data = dataclasses.replace(clips.data, max_frames=shape[1]) if is_frames else clips.data  # a segment has fewer
    with written_beside(out, clips.memory_bytes) as folder:
        count = write_packed(str(folder), data, shape, dtype, parts())
        _verify_packed(str(folder), written)
        _copy_note(found, folder)
    lost = sum(clips.store.lost_by_shard().values())
    notes = [f"{lost:,} corrupt records left out."] if lost else []
    if cut and cut.clips:
        notes.append(
            f"{cut.clips:,} clips were cut to {clips.data.max_frames} frames; --max_frames={cut.longest} keeps all."
        )
    return Repacked(count, 1, _bytes_of(out), out, notes)


class Counted:
    """Counts the clips that a reader cuts while it parses.

    Attributes:
        clips: how many have been cut so far.
        longest: frames that the longest clip had.
    """

    def __init__(self, reader: Reader):
        self.clips = self.longest = 0
        self._parse, self._data = reader.parse, reader.data
        reader.parse = self.parse

    def parse(self, records: Records, features: np.ndarray | None = None) -> Rows:
        """Parses records."""
        rows = self._parse(records, features)
        if len(rows) and rows.num_frames.max() == self._data.max_frames:  # else none was cut
            parsed = ParsedRecords(records.buffer, records.starts, records.ends)
            num_frames = parsed.num_frames(self._data.names[0])
            self.clips += int((num_frames > self._data.max_frames).sum())
            self.longest = max(self.longest, int(num_frames.max()))
        return rows


def _as_packed(rows: Rows) -> Rows:
    """Clips as they come out of a packed folder: ids without zeros at their end, and labels of four bytes."""
    ids = np.array([each.rstrip(b"\0") for each in rows.video_id], object)
    return dataclasses.replace(rows, video_id=ids)


def _verify_packed(folder: str, written: Sequence[tuple[int, bytes]]) -> None:
    """Reads a packed folder back.

    Raises:
        UserError: if what is read is not what was written.
    """
    packed = read_packed(folder)
    store = ArrayStore(packed.arrays, folder, READERS.get(packed.data.reader)(packed.data))
    first = 0
    for count, wanted in written:
        if _digest_of_rows(store.fetch(np.arange(first, first + count))) != wanted:
            raise UserError(f"{folder} does not read back as it was written, from clip {first} on: check the disk.")
        first += count
    if first != len(store):
        raise UserError(f"{folder} reads back with {len(store)} clips where {first} were written: check the disk.")
