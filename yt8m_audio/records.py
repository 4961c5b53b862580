"""TFRecord shards: finding them, reading them fast, writing them whole, and naming what is broken in one.

    shards = find_shards("features/bal_train/*.tfrecord", flag="train_data_pattern")
    counts = count_records(shards)                       # from the framing alone: nothing is parsed
    for records in read_chunks(shards, chunk_size=512):  # string [≤ 512]
        ...
    write_shard("out.tfrecord", [audioset_record("--PJHxphWEs", [0, 137], frames)])

A TFRecord is `uint64 length | uint32 crc | length bytes | uint32 crc`, little-endian, over and over.
"""

import atexit
import contextlib
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from yt8m_audio.errors import UserError

LENGTH = struct.Struct("<Q")
FRAMING_BYTES = 16  # 12 before a record (its length and a checksum of it), 4 behind it
MAX_SHARDS_PER_GROUP = 64  # so many small shards are opened one after another by one TFRecordDataset
READ_BUFFER_BYTES = 256 * 1024
WHOLE_GROUP = 1 << 40
READ_AHEAD_BYTES = 4 << 20  # a group that is read in order waits whole in memory, and a few times `groups` do
CASTAGNOLI = 0x82F63B78  # the polynomial of TFRecord's checksums, CRC-32C


# Finding and counting


def find_shards(pattern: str, flag: str) -> list[str]:
    """Returns the files that a comma-separated list of globs matches, sorted, without empty ones.

    Raises:
        UserError: if nothing matches, or only empty files do; it names `flag`, which gave the pattern.
    """
    parts = [part.strip() for part in pattern.split(",") if part.strip()]
    try:
        found = sorted({path for part in parts for path in tf.io.gfile.glob(part)})
        stats = [tf.io.gfile.stat(path) for path in found]
    except tf.errors.OpError as error:
        raise UserError(f"--{flag}={pattern} cannot be listed: {error.message}") from error
    shards = {path: stat.length for path, stat in zip(found, stats, strict=True) if not stat.is_directory}
    if not shards:
        what = "matches only folders" if found else "matches no file"
        raise UserError(f"--{flag}={pattern} {what}: give a glob of TFRecord files, such as 'bal_train/*.tfrecord'.")
    filled = [path for path, length in shards.items() if length > 0]
    if not filled:
        raise UserError(f"--{flag}={pattern} matches {len(shards)} files, and every one of them is empty.")
    return filled


def count_records(shards: Sequence[str]) -> np.ndarray:
    """Counts the records of each shard from their framing, without reading what they hold.

    Returns:
        int64 [shards].

    Raises:
        UserError: if a shard ends inside a record; it names the file and the record's number, from 0.
    """
    with ThreadPoolExecutor(8) as threads:
        return np.fromiter(threads.map(_count_whole, shards), np.int64, len(shards))


def _count_whole(path: str) -> int:
    """Counts the records of one shard, which must end where a record ends."""
    starts, size = record_starts(path)
    if starts[-1] != size:  # in that record, or led astray by a damaged length before it
        raise UserError(corrupt_message(path, find_corrupt_record(path)))
    return len(starts) - 1


def record_starts(path: str) -> tuple[list[int], int]:
    """Walks over a shard's record lengths.

    Returns:
        Byte offsets of the records and of the end of the last one, which lies behind the end of the file where
        that record is cut; and the file's size.
    """
    local = "://" not in path
    with open(path, "rb") if local else tf.io.gfile.GFile(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size if local else file.size()
        starts = [0]
        while starts[-1] < size:
            file.seek(starts[-1])
            head = file.read(LENGTH.size)
            length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else size
            starts.append(starts[-1] + FRAMING_BYTES + length)
    return starts, size


# Reading


def read_chunks(shards, chunk_size: int, *, groups: int = 8, mixed: bool = False) -> tf.data.Dataset:
    """Reads the records of many shards in parallel, in an order that is the same every time.

    One dataset a shard would spend its time on opening thousands of small files; a group of them read by one
    `TFRecordDataset`, whose records travel in vectors, reads more than twice as fast.

    Args:
        shards: paths; where they are mixed, a string tensor [shards] as well.
        chunk_size: most records in one vector.
        groups: groups of shards that are read at a time.
        mixed: whether chunks of these groups alternate (for shuffling), rather than follow the order of the shards.

    Returns:
        Dataset of string [≤ chunk_size].
    """
    most = MAX_SHARDS_PER_GROUP if mixed else min(MAX_SHARDS_PER_GROUP, READ_AHEAD_BYTES // _typical_size(shards))
    shards = tf.convert_to_tensor(shards, tf.string)
    wanted = tf.cast(tf.shape(shards)[0], tf.int64) // (4 * groups)
    grouped = tf.data.Dataset.from_tensor_slices(shards).batch(tf.clip_by_value(wanted, 1, max(most, 1)))

    def read_group(paths):
        return tf.data.TFRecordDataset(paths, buffer_size=READ_BUFFER_BYTES).batch(chunk_size)

    if most == 0:  # shards too large to wait in memory follow one another
        return grouped.flat_map(read_group).prefetch(2)
    return grouped.interleave(
        read_group,
        cycle_length=groups,
        block_length=1 if mixed else WHOLE_GROUP,
        num_parallel_calls=groups,
        deterministic=True,
    )


def _typical_size(shards: Sequence[str]) -> int:
    """Mean size of a few shards in bytes, at least 1."""
    some = shards[:: max(1, len(shards) // 8)]
    return max(1, sum(tf.io.gfile.stat(path).length for path in some) // max(1, len(some)))


def first_record(shards: Sequence[str], skip_corrupt: bool = False) -> bytes:
    """Reads the first record eagerly, so that what does not fit is said before a graph is built.

    Args:
        shards: paths.
        skip_corrupt: whether to take the first one that is whole.

    Raises:
        UserError: if it is corrupt.
    """
    readable = (path for shard in shards for path in salvage([shard])[0]) if skip_corrupt else iter(shards)
    path = next(readable, shards[0])
    try:
        record = next(iter(tf.data.TFRecordDataset(path)), None)
    except tf.errors.DataLossError as error:
        raise UserError(corrupt_message(path, 0)) from error
    except tf.errors.OpError as error:
        raise UserError(f"{path} cannot be read: {error.message}") from error
    if record is None:
        raise UserError(f"{path} is corrupt at record 0: it is too short to hold one.")
    return record.numpy()


def first_records(shards: Sequence[str], count: int) -> list[bytes]:
    """Reads up to `count` records from the beginning, as far as they are whole."""
    found = []
    with contextlib.suppress(tf.errors.OpError):
        for record in tf.data.TFRecordDataset(list(shards)).take(count):
            found.append(record.numpy())
    return found


# What is broken


def corrupt_message(path: str, number: int) -> str:
    """The one line about a corrupt record; it is numbered from 0 within its shard."""
    return (
        f"{path} is corrupt at record {number}: it is cut, or does not match its checksum. Fetch the shard again, or "
        "pass --skip_corrupt_records to go on without such records."
    )


def find_fault(shards: Sequence[str], parse: Callable | None = None) -> tuple[str, int, tf.errors.OpError] | None:
    """Finds the first record that cannot be read, or not be parsed, by reading half of the shards, and half of those.

    Args:
        shards: paths.
        parse: what is done with records, string [≤ 512]; in a graph.

    Returns:
        The record's file, its number from 0 in there, and the error; or None.
    """

    def error_in(some):
        return _first_error(read_chunks(some, 512, mixed=True), parse)

    if error_in(shards) is None:
        return None
    while len(shards) > 1:
        half = shards[: len(shards) // 2]
        shards = shards[len(half) :] if error_in(half) is None else half
    found = _first_error(tf.data.TFRecordDataset(shards[0]).batch(1), parse)
    return found and (shards[0], *found)


def _first_error(records: tf.data.Dataset, parse: Callable | None = None) -> tuple[int, tf.errors.OpError] | None:
    """Reads up to the first error, and returns the number of elements before it and the error, or None."""
    done = 0
    try:
        for _ in records.map(parse) if parse else records:
            done += 1
    except tf.errors.OpError as error:
        return done, error
    return None


def find_corrupt_record(path: str) -> int | None:
    """Returns the number, from 0, of a shard's first record that is cut or does not match its checksum, or None."""
    found = _first_error(tf.data.TFRecordDataset(path))
    return _cut_record(path) if found is None else found[0]


def _cut_record(path: str) -> int | None:
    """Returns the number of the record in which a shard ends, or None; TensorFlow passes over one of under 12 bytes."""
    starts, size = record_starts(path)
    return None if starts[-1] == size else len(starts) - 2


def salvage(shards: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Replaces corrupt shards by copies that hold their whole records; every shard is read once.

    Returns:
        The paths to read instead, copies in a folder that goes with the process; and how many records each
        corrupt shard lost. Where a record's length is damaged, what follows it in the shard is lost, and counts as one.
    """
    cut = {path for path in shards if _cut_record(path) is not None}
    corrupt = cut.union(_corrupt_among([path for path in shards if path not in cut]))
    if not corrupt:
        return list(shards), {}
    folder = tempfile.mkdtemp(prefix="yt8m_audio_salvage_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    readable, lost = [], {}
    for number, path in enumerate(shards):
        if path not in corrupt:
            readable.append(path)
            continue
        copy = os.path.join(folder, f"{number:06d}.tfrecord")
        lost[path] = _copy_whole_records(path, copy)
        if os.path.getsize(copy):
            readable.append(copy)
    return readable, lost


def _corrupt_among(shards: Sequence[str]) -> list[str]:
    """Returns the corrupt ones of some shards, found by halves."""
    if not shards or _first_error(read_chunks(shards, 512, mixed=True)) is None:
        return []
    if len(shards) == 1:
        return list(shards)
    middle = len(shards) // 2
    return _corrupt_among(shards[:middle]) + _corrupt_among(shards[middle:])


def _copy_whole_records(path: str, copy: str) -> int:
    """Copies a shard without its corrupt records, one after another, and returns how many those were."""
    tf.io.gfile.copy(path, copy, overwrite=True)
    whole, lost = b"", 0
    while (number := find_corrupt_record(copy)) is not None:
        starts, _ = record_starts(copy)
        content, start = Path(copy).read_bytes(), starts[number]
        end = starts[number + 1] if _length_is_whole(content[start : start + 12]) else len(content)
        whole += content[:start]
        Path(copy).write_bytes(content[end:])
        lost += 1
    Path(copy).write_bytes(whole + Path(copy).read_bytes())
    return lost


def _length_is_whole(head: bytes) -> bool:
    """Whether a record's length matches the checksum behind it, a CRC-32C turned by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in head[: LENGTH.size]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    turned = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return struct.pack("<I", (turned + 0xA282EAD8) & 0xFFFFFFFF) == head[8:12]


# Writing


def write_shard(path: str, records: Iterable[bytes]) -> None:
    """Writes records as one TFRecord file, beside it first and then renamed: whole or not at all."""
    partial = f"{path}.partial-{os.getpid()}"
    try:
        with tf.io.TFRecordWriter(partial) as writer:
            for record in records:
                writer.write(record)
        tf.io.gfile.rename(partial, path, overwrite=True)
    except BaseException:
        if tf.io.gfile.exists(partial):
            tf.io.gfile.remove(partial)
        raise


def audioset_record(
    video_id: str,
    labels: Sequence[int],
    frames: np.ndarray,
    start_time: float = 0.0,
    end_time: float | None = None,
) -> bytes:
    """Serialises one clip as AudioSet's released features hold it.

    Args:
        video_id: the clip's id.
        labels: class indices.
        frames: uint8 [frames, features], one row a second.
        start_time: where the clip begins in its video, in seconds.
        end_time: where it ends, in seconds; by default one second a frame after the start.

    Raises:
        UserError: if the frames are not bytes of shape [frames, features].
    """
    if frames.dtype != np.uint8 or frames.ndim != 2:
        raise UserError(
            f"Frames of a record must be uint8 [frames, features]. Received: {frames.dtype} {frames.shape}."
        )
    end_time = start_time + len(frames) if end_time is None else end_time
    context = {
        "video_id": _bytes_feature([video_id.encode()]),
        "labels": tf.train.Feature(int64_list=tf.train.Int64List(value=labels)),
        "start_time_seconds": tf.train.Feature(float_list=tf.train.FloatList(value=[start_time])),
        "end_time_seconds": tf.train.Feature(float_list=tf.train.FloatList(value=[end_time])),
    }
    embedding = tf.train.FeatureList(feature=[_bytes_feature([row.tobytes()]) for row in frames])
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list={"audio_embedding": embedding}),
    ).SerializeToString(deterministic=True)


def _bytes_feature(values: Sequence[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
