"""TFRecord shards: finding them, reading them fast, writing them whole, and naming what is broken in one.

    shards = find_shards("features/bal_train/*.tfrecord", flag="train_data_pattern")
    counts = count_records(shards)                       # from the framing alone: nothing is parsed
    for records in read_chunks(shards, chunk_size=512):  # string [≤ 512]
        ...
    write_shard("out.tfrecord", [audioset_record("--PJHxphWEs", [0, 137], frames)])

A TFRecord is `uint64 length | uint32 crc | length bytes | uint32 crc`, little-endian, over and over.
"""

import atexit
import os
import shutil
import struct
import tempfile
from collections.abc import Iterable, Sequence
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


# Finding and counting


def find_shards(pattern: str, flag: str) -> list[str]:
    """Returns the files that a comma-separated list of globs matches, sorted, without empty ones.

    Raises:
        UserError: if nothing matches, or only empty files do; it names `flag`, which gave the pattern.
    """
    try:
        found = sorted({path for part in pattern.split(",") if part for path in tf.io.gfile.glob(part)})
    except tf.errors.OpError as error:
        raise UserError(f"--{flag}={pattern} cannot be listed: {error.message}") from error
    shards = [path for path in found if not tf.io.gfile.isdir(path)]
    if not shards:
        what = "matches only folders" if found else "matches no file"
        raise UserError(f"--{flag}={pattern} {what}: give a glob of TFRecord files, such as 'bal_train/*.tfrecord'.")
    filled = [path for path in shards if tf.io.gfile.stat(path).length > 0]
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
    if starts[-1] != size:
        raise UserError(corrupt_message(path, len(starts) - 2, "it ends inside the record"))
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


def read_chunks(shards, chunk_size: int, *, parallel: int = 4, mixed: bool = False) -> tf.data.Dataset:
    """Reads the records of many shards in parallel, in an order that is the same every time.

    One dataset a shard would spend its time on opening thousands of small files; a group of them read by one
    `TFRecordDataset`, whose records travel in vectors, reads more than twice as fast.

    Args:
        shards: paths, a list or a string tensor [shards].
        chunk_size: most records in one vector.
        parallel: groups of shards that are read at a time.
        mixed: whether chunks of these groups alternate (for shuffling), rather than follow the order of the shards.

    Returns:
        Dataset of string [≤ chunk_size].
    """
    shards = tf.convert_to_tensor(shards, tf.string)
    wanted = tf.cast(tf.shape(shards)[0], tf.int64) // (4 * parallel)
    group = tf.clip_by_value(wanted, 1, MAX_SHARDS_PER_GROUP)

    def read_group(paths):
        return tf.data.TFRecordDataset(paths, buffer_size=READ_BUFFER_BYTES).batch(chunk_size)

    return (
        tf.data.Dataset.from_tensor_slices(shards)
        .batch(group)
        .interleave(
            read_group,
            cycle_length=parallel,
            block_length=1 if mixed else WHOLE_GROUP,
            num_parallel_calls=parallel,
            deterministic=True,
        )
    )


def first_record(shards: Sequence[str]) -> bytes:
    """Reads the first record eagerly, so that what does not fit is said before a graph is built.

    Raises:
        UserError: if it is corrupt.
    """
    try:
        return next(iter(tf.data.TFRecordDataset(shards[:1]))).numpy()
    except tf.errors.DataLossError as error:
        raise UserError(corrupt_message(shards[0], 0, "it does not match its checksum")) from error


# What is broken


def corrupt_message(path: str, number: int, reason: str) -> str:
    """The one line about a corrupt record; it is numbered from 0 within its shard."""
    return (
        f"{path} is corrupt at record {number}: {reason}. Fetch the shard again, or pass --skip_corrupt_records "
        "to go on without such records."
    )


def find_corrupt_record(path: str) -> int | None:
    """Returns the number, from 0, of a shard's first record that is cut or does not match its checksum, or None."""
    whole = 0
    try:
        for records in tf.data.TFRecordDataset(path).batch(1):
            whole += int(records.shape[0])
    except tf.errors.DataLossError:
        return whole
    return None


def salvage(shards: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    """Replaces corrupt shards by copies that hold their whole records; every shard is read once.

    Returns:
        The paths to read instead, copies in a folder that goes with the process; and how many records each
        corrupt shard lost. Where a record's length is damaged, what follows it in the shard is lost, and counts as one.
    """
    try:
        for _ in read_chunks(shards, 512):
            pass
    except tf.errors.DataLossError:
        pass
    else:
        return list(shards), {}
    folder = tempfile.mkdtemp(prefix="yt8m_audio_salvage_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    readable, lost = [], {}
    for number, path in enumerate(shards):
        if find_corrupt_record(path) is None:
            readable.append(path)
            continue
        copy = os.path.join(folder, f"{number:06d}.tfrecord")
        lost[path] = _copy_whole_records(path, copy)
        if os.path.getsize(copy):
            readable.append(copy)
    return readable, lost


def _copy_whole_records(path: str, copy: str) -> int:
    """Copies a shard without its corrupt records, one after another, and returns how many those were."""
    tf.io.gfile.copy(path, copy, overwrite=True)
    lost = 0
    while (number := find_corrupt_record(copy)) is not None:
        starts, _ = record_starts(copy)
        content = Path(copy).read_bytes()
        Path(copy).write_bytes(content[: starts[number]] + content[starts[number + 1] :])
        lost += 1
    return lost


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
