"""Shards: found, indexed, read at any place and checked, written whole."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio import files, records
from yt8m_audio.errors import UserError
from yt8m_audio.examples import frames_record

HEAD = 12  # bytes before a record
BARE = frames_record({}, [], {"RGB/feature/floats": np.ones((2, 3), np.float32)})


@pytest.fixture
def many(shard):
    """200 shards of 1 to 4 clips."""
    return [shard(1 + number % 4, f"{number:03d}.tfrecord") for number in range(200)]


def read(paths, numbers=None, **settings) -> list[bytes]:
    """Records by number, all in order where none are given."""
    shards = records.index_shards(paths, **settings)
    found, whole = records.read_records(shards, np.arange(len(shards)) if numbers is None else np.array(numbers))
    return [found[row] if whole[row] else None for row in range(len(found))]


def plain(shards) -> list[bytes]:
    """The records as TensorFlow reads them, one after another."""
    return [record.numpy() for record in tf.data.TFRecordDataset(shards)]


def cut(path: str, length: int) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:length])


def bounds(path: str, number: int) -> tuple[int, int]:
    """Where a record's data begins and ends in its shard."""
    shards = records.index_shards([path])
    return int(shards.starts[number]), int(shards.ends[number])


# Finding


def test_globs_with_commas(tmp_path, shard):
    names = ["-a.tfrecord", "_b.tfrecord", "c.tfrecord"]
    paths = [shard(1, name) for name in names]
    (tmp_path / "empty.tfrecord").touch()
    (tmp_path / "folder.tfrecord").mkdir()
    assert records.find_shards(f"{tmp_path}/*.tfrecord", "f") == paths
    assert records.find_shards(f"{paths[2]}, {tmp_path}/[-_c]*,{paths[0]},", "f") == paths
    with pytest.raises(UserError, match=rf"^--f=.*: {tmp_path}/nothing\* matches no file"):
        records.find_shards(f"{tmp_path}/nothing*,{paths[1]}", "f")


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


# Indexing


def test_an_index_says_where_records_lie(shard):
    shards = records.index_shards([shard(count, f"{count}.tfrecord") for count in (3, 1, 5)])
    assert (len(shards), shards.sizes.tolist(), shards.offsets.tolist()) == (9, [3, 1, 5], [0, 3, 4, 9])
    assert shards.shard_of(np.array([0, 2, 3, 4, 8])).tolist() == [0, 0, 1, 2, 2]
    assert [Path(path).name for path in (shards.place(3)[0], shards.place(8)[0])] == ["1.tfrecord", "5.tfrecord"]
    assert [shards.place(number)[1] for number in (2, 3, 8)] == [2, 0, 4]


def test_an_index_of_real_shards(audioset):
    paths = records.find_shards(f"{audioset}/features/bal_train/*.tfrecord", "f")
    shards = records.index_shards(paths)
    assert (len(paths), len(shards)) == (4070, 22160)
    for number in range(0, len(paths), 200):
        assert shards.sizes[number] == len(plain(paths[number]))


def test_records_longer_than_a_block(tmp_path):
    contents = [bytes([number]) * size for number, size in enumerate([10, 1 << 17, 3, 1 << 16, 0, (1 << 16) - 12])]
    records.write_shard(str(tmp_path / "a.tfrecord"), contents)
    assert read([str(tmp_path / "a.tfrecord")]) == contents


@pytest.mark.parametrize("where", ["length", "checksum of the length", "data", "footer"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_cut_shard_is_named_with_the_record(shard, where, number):
    good, path = shard(2), shard(number + 1, "cut.tfrecord")
    begin, end = bounds(path, number)
    lengths = {"length": begin - 7, "checksum of the length": begin - 2, "data": begin + 100, "footer": end + 2}
    cut(path, lengths[where])
    with pytest.raises(UserError, match=rf"/cut\.tfrecord is corrupt at record {number}: .*--skip_corrupt_records"):
        records.index_shards([good, path])
    assert read([good, path], skip_corrupt=True) == plain(good) + plain(shard(number + 1, "cut.tfrecord"))[:number]


@pytest.mark.parametrize("offset", [0, 1, 4, 7])
def test_a_damaged_length_is_named_with_its_record(shard, flip_bit, offset):
    path = shard(5)
    wanted = plain(path)
    flip_bit(path, bounds(path, 1)[0] - HEAD + offset)
    with pytest.raises(UserError, match=r"/00\.tfrecord is corrupt at record 1: "):
        records.index_shards([path])
    found = read([path], skip_corrupt=True)
    assert [record for record in found if record is not None] == wanted[:1]


@pytest.mark.parametrize("length", [12, 16, 4000])
def test_a_region_of_zeros_is_no_records(shard, length):
    path = shard(5)
    wanted, start = plain(path)[:2], bounds(path, 2)[0] - HEAD
    content = bytearray(Path(path).read_bytes())
    content[start : start + length] = bytes(length)
    Path(path).write_bytes(content)
    with pytest.raises(UserError, match=r"/00\.tfrecord is corrupt at record 2: "):
        records.index_shards([path])
    assert read([path], skip_corrupt=True) == wanted


def test_a_shard_cut_between_records_is_a_shorter_shard(shard):
    path = shard(3)
    cut(path, bounds(path, 2)[0] - HEAD)
    assert len(records.index_shards([path])) == 2


@pytest.mark.parametrize("content", [b"no record at all", bytes(7), b"\xff" * 100], ids=["text", "short", "ones"])
def test_a_shard_of_nothing_but_corruption(shard, tmp_path, content):
    good, bad = shard(2), tmp_path / "bad.tfrecord"
    bad.write_bytes(content)
    with pytest.raises(UserError, match=r"/bad\.tfrecord is corrupt at record 0: "):
        records.index_shards([good, str(bad)])
    shards = records.index_shards([good, str(bad)], skip_corrupt=True)
    assert (shards.sizes.tolist(), shards.cut.tolist()) == ([2, 0], [False, True])


def test_a_bare_example_is_one_record(shard, tmp_path):
    (tmp_path / "features.pb").write_bytes(BARE)
    paths = [shard(2), str(tmp_path / "features.pb"), shard(1, "b.tfrecord")]
    assert read(paths) == [*plain(paths[0]), BARE, *plain(paths[2])]


def test_a_compressed_shard_is_named(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(gzip.compress(b"whatever"))
    with pytest.raises(UserError, match=r"/a\.tfrecord is compressed: unpack it first"):
        records.index_shards([str(tmp_path / "a.tfrecord")])


def test_a_shard_that_has_gone_is_named(shard, tmp_path):
    with pytest.raises(UserError, match=r"/gone\.tfrecord cannot be read: No such file"):
        records.index_shards([shard(1), str(tmp_path / "gone.tfrecord")])


# Reading


@pytest.mark.parametrize("numbers", [[0], [499, 0, 250, 3], [5, 5, 5, 4], list(range(500)), list(range(499, -1, -3))])
def test_any_records_in_any_order(many, numbers):
    wanted = plain(many)
    assert len(wanted) == 500
    assert read(many, numbers) == [wanted[number] for number in numbers]


def test_no_records(many):
    assert read(many, np.empty(0, np.int64)) == []


def test_real_records(audioset):
    paths = records.find_shards(f"{audioset}/features/bal_train/*.tfrecord", "f")
    wanted = plain(paths)
    found = read(paths, np.random.default_rng(0).permutation(22160))
    assert sorted(found) == sorted(wanted)
    assert read(paths, [22159, 0]) == [wanted[-1], wanted[0]]


def test_a_flipped_bit_costs_its_record_alone(shard, flip_bit):
    paths = [shard(2, "a.tfrecord"), shard(5, "b.tfrecord"), shard(2, "c.tfrecord")]
    wanted = plain(paths)
    for number, offset in ((0, 0), (2, 700), (4, -1)):
        begin, end = bounds(paths[1], number)
        flip_bit(paths[1], begin + offset if offset >= 0 else end + 3)
        wanted[2 + number] = None
    assert read(paths) == wanted
    assert read(paths, [4, 3, 6]) == [None, wanted[3], None]


def test_a_shard_that_has_become_shorter_is_named(shard):
    path = shard(3)
    shards = records.index_shards([path])
    cut(path, 2000)
    with pytest.raises(UserError, match=r"/00\.tfrecord has become shorter"):
        records.read_records(shards, np.arange(3))


def test_what_lies_far_apart_is_not_read_together(shard, monkeypatch):
    path = shard(50)
    sizes = []
    read_into = files.File.read_into

    def noted(file, place, view):
        sizes.append(len(view))
        read_into(file, place, view)

    monkeypatch.setattr(files.File, "read_into", noted)
    shards = records.index_shards([path])
    records.read_records(shards, np.array([0, 1, 49]))
    spans = [(shards.starts[0], shards.ends[1]), (shards.starts[49], shards.ends[49])]
    assert sizes == [end - start + records.FOOT_BYTES for start, end in spans]


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
