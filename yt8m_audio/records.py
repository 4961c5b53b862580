"""Shards of records: finding them, indexing them, reading any records of them fast, writing them whole.

    paths = find_shards("features/bal_train/*.tfrecord", flag="train_data_pattern")
    shards = index_shards(paths)                    # from the framing alone: nothing is parsed
    records = read_records(shards, np.arange(512))  # records.buffer[records.starts[0] : records.ends[0]]
    write_shard("out.tfrecord", [audioset_record("--PJHxphWEs", [0, 137], frames)])

A TFRecord is `uint64 length | uint32 crc | length bytes | uint32 crc`, little-endian, over and over. A bare file,
such as MediaPipe's features.pb, is one record without any framing. Reading by offset rather than through
`tf.data.TFRecordDataset` is what lets an order be a list of numbers.
"""

import dataclasses
import functools
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import numpy as np
import tensorflow as tf

from yt8m_audio import files
from yt8m_audio.errors import UserError

LENGTH = struct.Struct("<Q")
CRC = struct.Struct("<I")
HEAD_BYTES, FOOT_BYTES = 12, 4  # before a record (its length and a checksum of it), and behind it
FRAMING_BYTES = HEAD_BYTES + FOOT_BYTES
BLOCK_BYTES = 1 << 16  # read at a time in search of record lengths
GAP_BYTES = 1 << 14  # records no further apart are read in one go, with what lies between
SPAN_BYTES = 1 << 20  # read at a time, about: what was read is looked at while it is in the processor's cache
MASK_DELTA = np.uint32(0xA282EAD8)  # TFRecord turns its CRC-32C by 15 bits and adds this
GZIP_MAGIC = b"\x1f\x8b"
KEPT_BYTES = 256 << 20  # most of all shards of web servers that stay in memory, once they are fetched for their index


# Finding


def find_shards(pattern: str, flag: str) -> list[str]:
    """Returns the files that a comma-separated list of globs matches, sorted, without empty ones.

    Raises:
        UserError: if nothing matches, or only empty files do; it names `flag`, which gave the pattern.
    """
    parts = [part.strip() for part in pattern.split(",") if part.strip()]
    for part in parts:
        files.load_file_system(part)
    try:
        by_part = {part: files.glob(part) for part in parts}
        found = sorted({path for paths in by_part.values() for path in paths})
        lengths = files.lengths(found)
    except files.READ_ERRORS as error:
        raise UserError(f"--{flag}={pattern} cannot be listed: {files.why(error)}") from error
    shards = {path: length for path, length in zip(found, lengths, strict=True) if length is not None}
    if not shards:
        what = "matches only folders" if found else "matches no file"
        raise UserError(f"--{flag}={pattern} {what}: give a glob of TFRecord files, such as 'bal_train/*.tfrecord'.")
    for part, paths in by_part.items():
        if not paths:
            raise UserError(f"--{flag}={pattern}: {part} matches no file.")
    filled = [path for path, length in shards.items() if length]
    if not filled:
        raise UserError(f"--{flag}={pattern} matches {len(shards)} files, and every one of them is empty.")
    return filled


# Indexing


@dataclasses.dataclass(frozen=True)
class Shards:
    """Where the records of some shards lie. Records are numbered through, shard after shard.

    Attributes:
        paths: the shards.
        offsets: int64 [shards + 1], number of the first record of each, and of all records.
        starts: int64 [records], where each begins in its shard, in bytes, framing not counted.
        ends: int64 [records], where it ends.
        bare: bool [shards], whether the file is one record without framing.
        cut: bool [shards], whether the file ends inside a record, or goes astray at a damaged length; such a
            record, and what is behind it, is not among the records.
        contents: what small shards of web servers hold, by shard, as they had to be fetched to be indexed.
    """

    paths: tuple[str, ...]
    offsets: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    bare: np.ndarray
    cut: np.ndarray
    contents: dict[int, bytes] = dataclasses.field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Number of records."""
        return int(self.offsets[-1])

    @property
    def sizes(self) -> np.ndarray:
        """Records of each shard, int64 [shards]."""
        return np.diff(self.offsets)

    def shard_of(self, numbers: np.ndarray) -> np.ndarray:
        """The shards that records are in, int64 [n]."""
        return np.searchsorted(self.offsets, numbers, side="right") - 1

    def chunks(self, numbers: np.ndarray, size: int, between: int = 0) -> Iterator[np.ndarray]:
        """Splits records into runs that take `size` bytes when they are read, with `between` bytes for each on top."""
        taken = np.cumsum(self.ends[numbers] - self.starts[numbers] + between)
        first = 0
        while first < len(numbers):
            done = taken[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(taken, done + size, side="right")))
            yield numbers[first:last]
            first = last

    def place(self, number: int) -> tuple[str, int]:
        """A record's file, and its number in there, from 0."""
        shard = int(self.shard_of(np.array([number]))[0])
        return self.paths[shard], int(number - self.offsets[shard])


def index_shards(paths: Sequence[str], skip_corrupt: bool = False) -> Shards:
    """Finds where the records of shards lie, from their framing, without reading what they hold.

    A web server's shards are fetched whole, once: tensorflow-io does so to learn how long a file is. They stay in
    memory where each is no longer than its share of KEPT_BYTES, and are fetched by ranges again where not.

    Args:
        paths: the shards.
        skip_corrupt: whether a shard that ends inside a record is taken as far as it is whole.

    Raises:
        UserError: if a shard cannot be read, or ends inside a record; it names the file and the record's number.
    """
    index = functools.partial(_index_shard, most=KEPT_BYTES // max(1, len(paths)))
    if any(map(files.is_remote, paths)):
        with ThreadPoolExecutor(files.THREADS) as threads:
            found = list(threads.map(index, paths))
    else:  # one at a time is as fast, and can be interrupted at any moment
        found = list(map(index, paths))
    cut = np.array([each.cut for each in found], bool)
    if cut.any() and not skip_corrupt:
        shard = int(np.argmax(cut))
        raise UserError(corrupt_message(paths[shard], _first_corrupt(paths[shard], found[shard])))
    starts = [np.array(each.starts, np.int64) for each in found]
    ends = [np.array(each.ends, np.int64) for each in found]
    sizes = [len(each) for each in starts]
    return Shards(
        tuple(paths),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([*starts, np.empty(0, np.int64)]),
        np.concatenate([*ends, np.empty(0, np.int64)]),
        np.array([each.bare for each in found], bool),
        cut,
        {shard: each.content for shard, each in enumerate(found) if each.content is not None},
    )


@dataclasses.dataclass
class _Index:
    """What the framing of one shard says."""

    starts: list[int]
    ends: list[int]
    bare: bool = False
    cut: bool = False
    content: bytes | None = None  # of a shard that was fetched, and is kept


def _index_shard(path: str, most: int) -> _Index:
    """Walks over the lengths of a shard's records; keeps what had to be fetched for it, up to so many bytes."""
    with files.opened(path) as file:
        index = _walk(path, file)
        if isinstance(file, files.FetchedFile) and file.size <= most:
            index.content = file.content
    return index


def _walk(path: str, file: "files.File") -> _Index:
    """Walks over the lengths of a file's records."""
    index, begin, at, size = _Index([], []), 0, 0, file.size  # the block's place in the file; the next record's
    block = file.read_at(0, BLOCK_BYTES)
    if size and not _length_is_whole(block[:HEAD_BYTES]):
        return _index_unframed(path, file, block)
    while at < size:
        if at + HEAD_BYTES > begin + len(block):
            block, begin = file.read_at(at, BLOCK_BYTES), at
            if len(block) < HEAD_BYTES:
                index.cut = True
                break
        length = LENGTH.unpack_from(block, at - begin)[0]
        head_is_whole = _length_is_whole(block[at - begin : at - begin + HEAD_BYTES])
        if not head_is_whole or at + FRAMING_BYTES + length > size:
            index.cut = True
            break
        index.starts.append(at + HEAD_BYTES)
        index.ends.append(at + HEAD_BYTES + length)
        at += FRAMING_BYTES + length
    return index


def _index_unframed(path: str, file: "files.File", block: bytes) -> _Index:
    """A file that does not begin as a TFRecord: one bare record, or a corrupt shard."""
    if block.startswith(GZIP_MAGIC):
        raise UserError(f"{path} is compressed: unpack it first (`gunzip`); records are read at random places.")
    content = block if file.size <= len(block) else file.read_at(0, file.size) if file.size < 1 << 28 else b""
    return _Index([0], [file.size], bare=True) if _is_bare(content) else _Index([], [], cut=True)


def _is_bare(content: bytes) -> bool:
    """Whether some bytes are a SequenceExample with feature lists."""
    try:
        return bool(tf.train.SequenceExample.FromString(content).feature_lists.feature_list)
    except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
        return False


def _first_corrupt(path: str, index: _Index) -> int:
    """Number of the first corrupt record of a shard whose framing is broken: a length before the break may be too."""
    with files.opened(path) as file:
        for number, (start, end) in enumerate(zip(index.starts, index.ends, strict=True)):
            record = file.read_at(start, end - start + FOOT_BYTES)
            if CRC.unpack(record[-FOOT_BYTES:])[0] != masked_crc(record[:-FOOT_BYTES]):
                return number
    return len(index.starts)


def _length_is_whole(head: bytes) -> bool:
    """Whether a record's length matches the checksum behind it."""
    return len(head) == HEAD_BYTES and CRC.unpack_from(head, LENGTH.size)[0] == masked_crc(head[: LENGTH.size])


def masked_crc(content: bytes) -> int:
    """TFRecord's checksum of some bytes."""
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + int(MASK_DELTA)) & 0xFFFFFFFF


def corrupt_message(path: str, number: int) -> str:
    """The one line about a corrupt record; it is numbered from 0 within its shard."""
    return (
        f"{path} is corrupt at record {number}: it is cut, does not match its checksum, or is no TFRecord. Fetch the "
        "shard again, or pass --skip_corrupt_records to go on without such records."
    )


# Reading


@dataclasses.dataclass(frozen=True)
class Records:
    """Serialised records, read into one buffer.

    Attributes:
        buffer: uint8 [bytes].
        starts: int64 [n], where each record begins in the buffer.
        ends: int64 [n], where it ends.
    """

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> bytes:
        return self.buffer[self.starts[number] : self.ends[number]].tobytes()

    def only(self, wanted: np.ndarray) -> "Records":
        """Those records that a mask or numbers name."""
        return Records(self.buffer, self.starts[wanted], self.ends[wanted])


class Scratch:
    """Memory that is read into over and over: fresh memory adds about a third to the time of a read."""

    def __init__(self):
        self.memory = np.empty(0, np.uint8)

    def take(self, size: int) -> np.ndarray:
        """Gives so many bytes, uint8 [size], which are good until they are given again."""
        if size > len(self.memory):
            self.memory = np.empty(size, np.uint8)
        return self.memory[:size]


def read_records(
    shards: Shards, numbers: np.ndarray, threads: int = files.THREADS, scratch: Scratch | None = None
) -> tuple[Records, np.ndarray]:
    """Reads records, in any order, and checks their checksums.

    What lies together is read together; a record that is asked for twice is read once.

    Args:
        shards: where they lie.
        numbers: int64 [n].
        threads: shards that are read at a time where they lie on another machine.
        scratch: memory to read into; the records are then good until it is used again.

    Returns:
        The records as asked for, and bool [n], whether each matches its checksum.

    Raises:
        UserError: if a shard cannot be read, or has become shorter.
    """
    wanted, places = np.unique(numbers, return_inverse=True)  # [m], [n]
    shard = shards.shard_of(wanted)
    first = _spans(shard, shards.starts[wanted], shards.ends[wanted])  # of each span, which is read in one go
    last = np.append(first[1:], len(wanted))[: len(first)] - 1  # none where there is none
    foot = np.where(shards.bare[shard[first]], 0, FOOT_BYTES)
    begin, end = shards.starts[wanted[first]], shards.ends[wanted[last]] + foot
    into = np.concatenate([[0], np.cumsum(end - begin)])  # where each span begins in the buffer
    buffer = np.empty(into[-1], np.uint8) if scratch is None else scratch.take(int(into[-1]))
    shift = np.repeat(into[:-1] - begin, last - first + 1)
    records = Records(buffer, shards.starts[wanted] + shift, shards.ends[wanted] + shift)
    checksums = np.zeros(len(wanted), np.uint32)
    spans = zip(shard[first], begin, into[:-1], into[1:], first, last + 1, strict=True)
    _read_spans(shards, [tuple(map(int, span)) for span in spans], records, checksums, threads)
    whole = shards.bare[shard] | _match(checksums, records)
    return records.only(places), whole[places]


def _spans(shard: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Groups records, sorted by place, into byte ranges to read: the first record of each, int64 [spans]."""
    is_first = np.ones(len(shard), bool)
    is_first[1:] = (shard[1:] != shard[:-1]) | (starts[1:] - ends[:-1] > GAP_BYTES)
    first = np.flatnonzero(is_first)
    pieces = (starts - np.repeat(starts[first], np.diff(first, append=len(starts)))) // SPAN_BYTES
    is_first[1:] |= pieces[1:] != pieces[:-1]
    return np.flatnonzero(is_first)


def _read_spans(shards: Shards, spans: list[tuple], records: Records, checksums: np.ndarray, threads: int):
    """Reads byte ranges, sorted by shard, and computes checksums while they are in the processor's cache.

    Args:
        shards: where they lie.
        spans: shard, place in it, place in the buffer and behind it, first record and the one behind the last.
        records: to read into.
        checksums: uint32 [records], to fill in.
        threads: how many spans are read at a time where they lie on another machine.
    """
    buffer, starts, ends = records.buffer, records.starts.tolist(), records.ends.tolist()
    view, crc = memoryview(buffer), google_crc32c.value

    def read(some):
        file, open_shard = None, None
        try:
            for shard, place, low, high, first, stop in some:
                if shard != open_shard:
                    if file is not None:
                        file.close()
                    file, open_shard = None, shard  # what cannot be opened need not be closed
                    file = _opened_at(shards, shard)
                file.read_into(place, view[low:high])
                for number in range(first, stop):
                    checksums[number] = crc(buffer[starts[number] : ends[number]])
        except files.READ_ERRORS as error:
            raise files.unreadable(shards.paths[open_shard], error) from error
        finally:
            if file is not None:
                file.close()

    if not any(files.is_remote(shards.paths[span[0]]) and span[0] not in shards.contents for span in spans):
        read(spans)
        return
    size = max(1, -(-len(spans) // threads))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, (spans[start : start + size] for start in range(0, len(spans), size))))


def _opened_at(shards: Shards, shard: int) -> files.File:
    """Opens a shard to read some of it."""
    path = shards.paths[shard]
    if shard in shards.contents:
        return files.FetchedFile(path, shards.contents[shard])
    return files.RemoteFile(path) if files.is_remote(path) else files.File(path)


def _match(checksums: np.ndarray, records: Records) -> np.ndarray:
    """Whether the checksums of records are those behind them, bool [n]; what is not framed has none there."""
    places = np.minimum(records.ends[:, None] + np.arange(FOOT_BYTES), max(len(records.buffer) - 1, 0))
    behind = records.buffer[places].view("<u4").reshape(-1)
    return (checksums >> np.uint32(15) | checksums << np.uint32(17)) + MASK_DELTA == behind


# Writing


def write_shard(path: str, records: Iterable[bytes]) -> None:
    """Writes records as one TFRecord file, beside it first and then renamed: whole or not at all.

    Raises:
        UserError: if it cannot be written, as on a full disk.
    """
    partial = f"{path}.partial-{os.getpid()}"
    try:
        with tf.io.TFRecordWriter(partial) as writer:
            for record in records:
                writer.write(record)
        tf.io.gfile.rename(partial, path, overwrite=True)
    except BaseException as error:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.remove(partial)
        if isinstance(error, tf.errors.OpError):
            raise UserError(f"{path} cannot be written: {error.message}") from error
        raise
