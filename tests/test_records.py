"""TFRecord shards: found, counted, read in order, mended where they are broken, written whole."""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio import records
from yt8m_audio.errors import UserError

HEAD = 12  # bytes before a record


@pytest.fixture
def many(shard):
    """200 shards of 1 to 4 clips."""
    return [shard(1 + number % 4, f"{number:03d}.tfrecord") for number in range(200)]


def read(chunks) -> list[bytes]:
    return [record for chunk in chunks for record in chunk.numpy().tolist()]


def plain(shards) -> list[bytes]:
    """The records as TensorFlow reads them, one after another."""
    return [record.numpy() for record in tf.data.TFRecordDataset(shards)]


def cut(path: str, length: int) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:length])


# Finding and counting


def test_globs_with_commas(tmp_path, shard):
    names = ["-a.tfrecord", "_b.tfrecord", "c.tfrecord"]
    paths = [shard(1, name) for name in names]
    (tmp_path / "empty.tfrecord").touch()
    (tmp_path / "folder.tfrecord").mkdir()
    assert records.find_shards(f"{tmp_path}/*.tfrecord", "f") == paths
    assert records.find_shards(f"{paths[2]}, {tmp_path}/[-_c]*,{paths[0]},", "f") == paths
    assert records.find_shards(f"{tmp_path}/nothing*,{paths[1]}", "f") == [paths[1]]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("nothing*", "matches no file"),
        ("", "matches no file"),
        ("folder*", "matches only folders"),
        ("empty*", "matches 2 files, and every one of them is empty"),
    ],
)
def test_a_glob_of_nothing_names_the_flag(tmp_path, pattern, message):
    (tmp_path / "folder").mkdir()
    for name in ("empty1", "empty2"):
        (tmp_path / name).touch()
    pattern = pattern and f"{tmp_path}/{pattern}"
    with pytest.raises(UserError) as error:
        records.find_shards(pattern, "eval_data_pattern")
    assert str(error.value).startswith(f"--eval_data_pattern={pattern} {message}")


@pytest.mark.parametrize("what", ["unknown://bucket/*.tfrecord", "dangling"])
def test_what_cannot_be_listed_names_the_flag(tmp_path, what):
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    pattern = what if "://" in what else f"{tmp_path}/{what}*"
    with pytest.raises(UserError, match=r"^--train_data_pattern=.* cannot be listed: "):
        records.find_shards(pattern, "train_data_pattern")


def test_counts(shard):
    shards = [shard(count, f"{count}.tfrecord") for count in (3, 1, 5)]
    counts = records.count_records(shards)
    assert counts.dtype == np.int64
    assert counts.tolist() == [3, 1, 5]


def test_counts_of_real_shards(audioset):
    shards = records.find_shards(f"{audioset}/features/bal_train/*.tfrecord", "f")
    counts = records.count_records(shards)
    assert (len(shards), counts.sum()) == (4070, 22160)
    for index in range(0, len(shards), 200):
        assert counts[index] == len(plain(shards[index]))


@pytest.mark.parametrize("where", ["length", "checksum of the length", "data", "footer"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_cut_shard_is_named_with_the_record(shard, where, number):
    good, path = shard(2), shard(number + 1, "cut.tfrecord")
    starts, _ = records.record_starts(path)
    begin, end = starts[number], starts[number + 1]
    lengths = {"length": begin + 5, "checksum of the length": begin + 10, "data": begin + 100, "footer": end - 2}
    cut(path, lengths[where])
    with pytest.raises(UserError, match=rf"/cut\.tfrecord is corrupt at record {number}: .*--skip_corrupt_records"):
        records.count_records([good, path])


@pytest.mark.parametrize("offset", [0, 1, 4, 7])
def test_a_damaged_length_is_named_with_its_record(shard, flip_bit, offset):
    path = shard(5)
    flip_bit(path, records.record_starts(path)[0][1] + offset)
    with pytest.raises(UserError, match=r"/00\.tfrecord is corrupt at record 1: "):
        records.count_records([path])


def test_a_shard_cut_between_records_is_a_shorter_shard(shard):
    path = shard(3)
    cut(path, records.record_starts(path)[0][2])
    assert records.count_records([path]).tolist() == [2]


# Reading


@pytest.mark.parametrize(("chunk_size", "groups"), [(1, 4), (7, 1), (7, 4), (1000, 4)])
def test_records_come_in_the_order_of_the_shards(many, chunk_size, groups):
    chunks = list(records.read_chunks(many, chunk_size, groups=groups))
    assert read(chunks) == plain(many)
    assert max(len(chunk) for chunk in chunks) <= chunk_size


def test_large_shards_keep_the_order(many, monkeypatch):
    monkeypatch.setattr(records, "READ_AHEAD_BYTES", 1)
    assert read(records.read_chunks(many, 2)) == plain(many)


@pytest.mark.parametrize(("count", "chunk_size"), [(1, 2), (3, 2), (200, 2), (200, 7)])
def test_mixed_records_come_once_each_and_in_the_same_order_every_time(many, count, chunk_size):
    shards = many[:count]
    first = read(records.read_chunks(shards, chunk_size, mixed=True))
    again = read(records.read_chunks(tf.constant(shards), chunk_size, mixed=True))
    assert first == again
    assert sorted(first) == sorted(plain(shards))


def test_mixed_records_are_mixed(many):
    assert read(records.read_chunks(many, 2, mixed=True)) != plain(many)


def test_real_records_come_once_each(audioset):
    shards = records.find_shards(f"{audioset}/features/bal_train/*.tfrecord", "f")
    wanted = read(tf.data.TFRecordDataset(shards).batch(512))
    assert len(wanted) == 22160
    assert bool(read(records.read_chunks(shards, 512, groups=8)) == wanted), "another order"
    assert set(read(records.read_chunks(shards, 100, groups=8, mixed=True))) == set(wanted)


def test_the_first_record(shard):
    shards = [shard(2, "b.tfrecord"), shard(2, "a.tfrecord")]
    assert records.first_record(shards) == plain(shards[0])[0]


def test_a_corrupt_first_record(shard, flip_bit):
    shards = [shard(1, "a.tfrecord"), shard(3, "b.tfrecord")]
    wanted = plain(shards[1])[1]
    for path in shards:
        flip_bit(path, HEAD + 20)
    with pytest.raises(UserError, match=r"/a\.tfrecord is corrupt at record 0: "):
        records.first_record(shards)
    assert records.first_record(shards, skip_corrupt=True) == wanted
    with pytest.raises(UserError, match=r"/a\.tfrecord is corrupt at record 0: "):
        records.first_record(shards[:1], skip_corrupt=True)


# What is broken


@pytest.mark.parametrize("shards_before", [0, 1, 6])
def test_the_first_corrupt_record_is_found(shard, flip_bit, shards_before):
    shards = [shard(2 + number % 3, f"{number}.tfrecord") for number in range(8)]
    assert records.find_fault(shards) is None
    for path in shards[shards_before:]:
        flip_bit(path, records.record_starts(path)[0][1] + HEAD + 30)
    path, number, error = records.find_fault(shards)
    assert (path, number) == (shards[shards_before], 1)
    assert isinstance(error, tf.errors.DataLossError)


def test_the_first_record_that_cannot_be_parsed_is_found(shard):
    shards = [shard([b"12", b"3"], "a.tfrecord"), shard([b"4", b"five"], "b.tfrecord"), shard([b"6"], "c.tfrecord")]
    path, number, error = records.find_fault(shards, tf.strings.to_number)
    assert (path, number) == (shards[1], 1)
    assert isinstance(error, tf.errors.InvalidArgumentError)


def test_a_shard_that_has_gone_is_found(shard, tmp_path):
    path, number, error = records.find_fault([shard(1), str(tmp_path / "gone.tfrecord")])
    assert (Path(path).name, number) == ("gone.tfrecord", 0)
    assert isinstance(error, tf.errors.NotFoundError)


def test_whole_shards_are_not_copied(shard):
    shards = [shard(2, "a.tfrecord"), shard(2, "b.tfrecord")]
    assert records.salvage(shards) == (shards, {})


@pytest.mark.parametrize(("number", "offset"), [(0, HEAD), (2, HEAD + 700), (4, HEAD + 700), (2, -1), (4, -1)])
def test_a_flipped_bit_costs_its_record_alone(shard, flip_bit, number, offset):
    shards = [shard(2, "a.tfrecord"), shard(5, "b.tfrecord"), shard(2, "c.tfrecord")]
    wanted = plain(shards)
    del wanted[2 + number]
    starts, _ = records.record_starts(shards[1])
    flip_bit(shards[1], starts[number + (offset < 0)] + offset)
    readable, lost = records.salvage(shards)
    assert (readable[0], readable[2]) == (shards[0], shards[2])
    assert readable[1] != shards[1]
    assert plain(readable) == wanted
    assert lost == {shards[1]: 1}


@pytest.mark.parametrize(("offset", "bit"), [(0, 0), (0, 7), (1, 1), (7, 7), (8, 0)])
def test_a_damaged_length_costs_the_rest_of_the_shard(shard, flip_bit, offset, bit):
    path = shard(5)
    wanted = plain(path)[:2]
    flip_bit(path, records.record_starts(path)[0][2] + offset, bit)
    readable, lost = records.salvage([path])
    assert plain(readable) == wanted
    assert lost == {path: 1}


@pytest.mark.parametrize("kept", [5, 100, -1])
def test_a_cut_shard_costs_its_last_record(shard, kept):
    path = shard(3)
    wanted, starts = plain(path)[:2], records.record_starts(path)[0]
    cut(path, starts[2] + kept if kept > 0 else starts[3] + kept)
    readable, lost = records.salvage([path])
    assert plain(readable) == wanted
    assert lost == {path: 1}


def test_several_corrupt_records_are_counted(shard, flip_bit):
    path = shard(6)
    wanted, starts = plain(path), records.record_starts(path)[0]
    for number in (0, 3, 4):
        flip_bit(path, starts[number] + HEAD + 50)
    cut(path, starts[6] - 1)
    readable, lost = records.salvage([path])
    assert plain(readable) == [wanted[1], wanted[2]]
    assert lost == {path: 4}


@pytest.mark.parametrize("content", [b"no record at all", bytes(7), b"\xff" * 100], ids=["text", "short", "ones"])
def test_a_shard_of_nothing_but_corruption_is_left_out(shard, tmp_path, content):
    good, bad = shard(2), tmp_path / "bad.tfrecord"
    bad.write_bytes(content)
    assert records.salvage([good, str(bad)]) == ([good], {str(bad): 1})
    assert records.salvage([str(bad)]) == ([], {str(bad): 1})


# Writing


def test_a_shard_appears_whole(tmp_path):
    path = tmp_path / "out.tfrecord"
    records.write_shard(str(path), [b"one", b"", b"three"])
    assert plain(str(path)) == [b"one", b"", b"three"]
    assert os.listdir(tmp_path) == ["out.tfrecord"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_shard_that_fails_midway_leaves_nothing(tmp_path, failure):
    def half():
        yield b"one"
        raise failure

    path = tmp_path / "out.tfrecord"
    with pytest.raises(failure):
        records.write_shard(str(path), half())
    assert os.listdir(tmp_path) == []
    path.write_bytes(b"before")
    with pytest.raises(failure):
        records.write_shard(str(path), half())
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["out.tfrecord"]


def test_a_clip_is_written_as_audioset_writes_it():
    frames = np.arange(3 * 128).astype(np.uint8).reshape(3, 128)
    record = records.audioset_record("--PJHxphWEs", [0, 137], frames, start_time=30.0)
    context, lists = tf.io.parse_single_sequence_example(
        record,
        {
            "video_id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
            "start_time_seconds": tf.io.FixedLenFeature([], tf.float32),
            "end_time_seconds": tf.io.FixedLenFeature([], tf.float32),
        },
        {"audio_embedding": tf.io.FixedLenSequenceFeature([], tf.string)},
    )
    assert context["video_id"].numpy() == b"--PJHxphWEs"
    assert context["labels"].values.numpy().tolist() == [0, 137]
    assert (context["start_time_seconds"], context["end_time_seconds"]) == (30.0, 33.0)
    np.testing.assert_array_equal(tf.io.decode_raw(lists["audio_embedding"], tf.uint8), frames)


@pytest.mark.parametrize("frames", [np.zeros((10, 128), np.float32), np.zeros(128, np.uint8)])
def test_frames_that_are_not_bytes_by_the_second(frames):
    with pytest.raises(UserError, match="must be uint8 "):
        records.audioset_record("a", [], frames)
