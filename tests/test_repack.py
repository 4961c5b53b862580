"""repack: what is written reads back as what was read, between all families, and it appears whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from readers import open_clips, repacking
from readers.repacking import repack_arrays, repack_records
from yt8m_audio import flags
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record, frames_record, video_record
from yt8m_audio.records import index_shards, read_records, write_shard

SOUND = np.arange(12 * 128).astype(np.uint8).reshape(12, 128)
PICTURE = np.arange(12 * 1024).astype(np.uint8).reshape(12, 1024)
RATED = {"segment_labels": [7, 9, 9], "segment_start_times": [0, 0, 5], "segment_scores": [1.0, 0.0, 1.0]}


def repack(*arguments):
    """Runs the command as it is typed; returns the exit status."""
    with pytest.raises(SystemExit) as exit_info:
        flags.run(main_of_command, ["yt8m_audio", "repack", *map(str, arguments)])
    return exit_info.value.code


def serialized(pattern):
    """All records of a glob, in order."""
    shards = index_shards(sorted(tf.io.gfile.glob(str(pattern))))
    records, whole = read_records(shards, np.arange(len(shards)))
    assert whole.all()
    return [records[number] for number in range(len(records))]


def batches(pattern, **settings):
    """All batches of four, as lists of arrays."""
    clips = open_clips(str(pattern), "train_data_pattern", DataConfig(**settings))
    return [{key: value.numpy() for key, value in batch.items()} for batch in clips.in_order(4)]


def assert_same_batches(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].dtype == other[key].dtype, key
            np.testing.assert_array_equal(one[key], other[key], key)


@pytest.fixture
def source(tmp_path):
    """Ten AudioSet clips of 1 to 10 frames in five shards; returns their glob."""
    for number in range(10):
        record = audioset_record(f"clip-{number}", [number, 500], SOUND[: number + 1], start_time=30.0)
        names = (tmp_path / f"{number // 2}.tfrecord").exists()
        if not names:
            write_shard(str(tmp_path / f"{number // 2}.tfrecord"), [record])
            continue
        before = serialized(tmp_path / f"{number // 2}.tfrecord")
        write_shard(str(tmp_path / f"{number // 2}.tfrecord"), [*before, record])
    return f"{tmp_path}/*.tfrecord"


@pytest.fixture
def youtube8m(shard):
    """Three YouTube-8M videos, the first with rated segments."""
    lists = [{"rgb": PICTURE[:count], "audio": SOUND[:count]} for count in (12, 5, 1)]
    contexts = [{"id": "abcd", **RATED}, {"id": "efgh"}, {"id": "ijkl"}]
    return shard([frames_record(*each) for each in zip(contexts, [[1], [2, 3], []], lists, strict=True)])


# The same records in other shards


@pytest.mark.parametrize("shards", [1, 3, 10])
def test_records_are_copied_in_order(source, tmp_path, shards):
    written = repack_records(source, str(tmp_path / "out"), num_shards=shards)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{number:05d}-of-{shards:05d}.tfrecord" for number in range(shards)]
    assert serialized(tmp_path / "out" / "*") == serialized(source)
    assert (written.clips, written.files, written.notes) == (10, shards, [])


def test_there_are_no_more_shards_than_clips(source, tmp_path):
    assert repack_records(source, str(tmp_path / "out"), num_shards=64).files == 10


def test_a_shuffle_is_global_and_of_its_seed(source, tmp_path):
    for folder, seed in (("a", 0), ("b", 0), ("c", 1)):
        repack_records(source, str(tmp_path / folder), num_shards=2, seed=seed)
    before, a, b, c = (serialized(each) for each in (source, *(tmp_path / name / "*" for name in "abc")))
    assert a == b
    assert before != a != c
    assert sorted(a) == sorted(before) == sorted(c)


def test_it_is_read_in_small_parts(source, tmp_path, monkeypatch):
    monkeypatch.setattr(repacking, "CHUNK_BYTES", 3000)
    for seed in (None, 0):
        repack_records(source, str(tmp_path / f"{seed}"), num_shards=2, seed=seed)
        assert sorted(serialized(tmp_path / f"{seed}" / "*")) == sorted(serialized(source))


def test_segments_and_unknown_keys_are_kept(youtube8m, tmp_path):
    repack_records(youtube8m, str(tmp_path / "out"))
    assert serialized(tmp_path / "out" / "*") == serialized(youtube8m)


def test_records_that_only_their_file_named_are_told_of(shard, tmp_path):
    nameless = tf.train.SequenceExample.FromString(audioset_record("", [], SOUND))
    nameless.context.Clear()
    path = shard([nameless.SerializeToString()], "dog.tfrecord")
    (note,) = repack_records(path, str(tmp_path / "out")).notes
    assert "1 records have no id" in note
    repack_records(path, str(tmp_path / "named"), to="audioset")
    assert batches(tmp_path / "named" / "*")[0]["video_id"][0] == b"dog"


# Between families


@pytest.mark.parametrize("frame_features", [True, False])
def test_audioset_to_youtube8m_and_back(source, tmp_path, frame_features):
    repack_records(source, str(tmp_path / "there"), to="youtube8m", num_shards=2)
    repack_records(f"{tmp_path}/there/*", str(tmp_path / "back"), to="audioset", num_shards=3)
    example = tf.train.SequenceExample.FromString(serialized(tmp_path / "there" / "*")[0])
    assert {"id", "labels"} <= set(example.context.feature)
    assert list(example.feature_lists.feature_list) == ["audio"]
    assert serialized(tmp_path / "back" / "*") == serialized(source)
    settings = {"num_classes": 527, "frame_features": frame_features}
    assert_same_batches(batches(tmp_path / "there" / "*", **settings), batches(source, **settings))


def test_frames_become_means_at_video_level(youtube8m, tmp_path):
    repack_records(youtube8m, str(tmp_path / "out"), to="video")
    example = tf.train.Example.FromString(serialized(tmp_path / "out" / "*")[1])
    features = example.features.feature
    assert features["id"].bytes_list.value == [b"efgh"]
    assert features["labels"].int64_list.value == [2, 3]
    for name, frames in (("mean_audio", SOUND), ("mean_rgb", PICTURE)):
        mean = (frames[:5] * (4 / 255) + 4 / 512 - 2).mean(axis=0)
        np.testing.assert_allclose(features[name].float_list.value, mean, rtol=0, atol=1e-6)


def test_means_train_as_the_frames_do(source, tmp_path):
    repack_records(source, str(tmp_path / "out"), to="video", num_shards=2)
    ours = batches(tmp_path / "out" / "*", num_classes=527)
    theirs = batches(source, num_classes=527)
    for one, other in zip(ours, theirs, strict=True):
        for key in ("video_id", "labels", "features"):
            np.testing.assert_array_equal(one[key], other[key], key)


def test_pictures_and_ratings_that_are_left_out_are_told_of(youtube8m, tmp_path):
    notes = repack_records(youtube8m, str(tmp_path / "out"), to="audioset").notes
    assert notes == [
        "rgb left out: --to=audioset has no such feature.",
        "3 ratings of segments left out; --to=same keeps them.",
        "Train with --num_classes=3862: records of the new family have 527 by default.",
    ]
    (batch,) = batches(tmp_path / "out" / "*", frame_features=True)
    np.testing.assert_array_equal(batch["features"][0, :12], SOUND)


def test_floats_stay_floats(tmp_path):
    frames = np.linspace(-2, 2, 3 * 128, dtype=np.float32).reshape(3, 128)
    (tmp_path / "features.pb").write_bytes(
        frames_record({"clip/data_path": "x/dog.mp4"}, [], {"AUDIO/feature/floats": frames})
    )
    repack_records(f"{tmp_path}/features.pb", str(tmp_path / "out"), to="youtube8m")
    (batch,) = batches(tmp_path / "out" / "*", frame_features=True)
    assert batch["video_id"][0] == b"dog"
    np.testing.assert_array_equal(batch["features"][0, :3], frames)


# Packed


@pytest.mark.parametrize("settings", [{"frame_features": True}, {"frame_features": False}, {"max_frames": 4}])
def test_a_packed_folder_gives_the_batches_of_its_records(source, tmp_path, settings):
    written = repack_arrays(source, str(tmp_path / "out"), DataConfig())
    assert (written.clips, written.pattern, written.notes) == (10, str(tmp_path / "out"), [])
    assert open_clips(str(tmp_path / "out"), "train_data_pattern", DataConfig()).is_indexed
    assert_same_batches(batches(tmp_path / "out", **settings), batches(source, **settings))


def test_vectors_are_packed_as_vectors(shard, tmp_path):
    path = shard([video_record({"id": "a"}, [1], {"mean_audio": np.linspace(0, 1, 128)})])
    repack_arrays(path, str(tmp_path / "out"), DataConfig())
    assert_same_batches(batches(tmp_path / "out"), batches(path))


def test_segments_are_packed_as_clips(youtube8m, tmp_path):
    repack_arrays(youtube8m, str(tmp_path / "out"), DataConfig(segment_labels=True))
    settings = {"segment_labels": True, "frame_features": True}
    assert_same_batches(batches(tmp_path / "out", **settings), batches(youtube8m, **settings))


def test_clips_that_are_cut_are_told_of(youtube8m, tmp_path):
    written = repack_arrays(youtube8m, str(tmp_path / "out"), DataConfig(max_frames=5))
    assert written.notes == ["1 clips were cut to 5 frames; --max_frames=12 keeps all."]


# Whole or not at all


@pytest.mark.parametrize("arguments", [[], ["--to=video"], ["--format=packed"]])
def test_corrupt_records_stop_it_or_are_left_out(arguments, source, tmp_path, flip_bit, capsys):
    flip_bit(f"{tmp_path}/2.tfrecord", -100)
    assert repack(source, tmp_path / "out", *arguments) == 2
    assert f"{tmp_path}/2.tfrecord is corrupt at record 1" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
    assert repack(source, tmp_path / "out", *arguments, "--skip_corrupt_records") == 0
    said = capsys.readouterr().out
    assert "1 corrupt records left out." in said
    assert "Wrote 9 clips to" in said


def full_disk(path, records):
    Path(path).write_bytes(next(iter(records)))
    raise OSError(28, "No space left on device", path)


def stopped(path, records):
    Path(path).write_bytes(next(iter(records)))
    raise KeyboardInterrupt


@pytest.mark.parametrize(("writer", "status"), [(full_disk, 2), (stopped, 130)])
def test_nothing_is_left_of_a_run_that_fails(writer, status, source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(repacking, "write_shard", writer)
    assert repack(source, tmp_path / "out") == status
    assert not list(tmp_path.glob("out*"))
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("to", ["same", "youtube8m", "video"])
def test_what_does_not_read_back_is_an_error(to, source, tmp_path, monkeypatch):
    def write_another(path, records):
        first, *rest = records
        write_shard(path, [*rest, first])

    monkeypatch.setattr(repacking, "write_shard", write_another)
    with pytest.raises(UserError, match="does not read back as it was written"):
        repack_records(source, str(tmp_path / "out"), to=to, num_shards=2)
    assert not list(tmp_path.glob("out*"))


def test_a_packed_folder_that_does_not_read_back_is_an_error(source, tmp_path, monkeypatch):
    real = repacking.write_packed

    def write_another(folder, *arguments):
        real(folder, *arguments)
        np.lib.format.open_memmap(f"{folder}/features.npy", "r+")[3, 0, 0] ^= 1

    monkeypatch.setattr(repacking, "write_packed", write_another)
    with pytest.raises(UserError, match="does not read back as it was written"):
        repack_arrays(source, str(tmp_path / "out"), DataConfig())
    assert not list(tmp_path.glob("out*"))


def test_a_folder_without_room_is_refused_at_once(source, tmp_path, monkeypatch):
    monkeypatch.setattr(repacking.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100}))
    with pytest.raises(UserError, match="MB free there"):
        repack_records(source, str(tmp_path / "out"))


def test_an_empty_folder_is_taken(source, tmp_path):
    (tmp_path / "out").mkdir()
    assert repack_records(source, str(tmp_path / "out"), num_shards=1).files == 1


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["{source}"], "OUT is missing. Usage: python -m yt8m_audio repack PATTERN OUT"),
        (["{source}", "{folder}"], "lies inside the input"),
        (["{folder}/*/*.tfrecord", "{folder}/deep"], "lies inside the input"),
        (["{source}", "{folder}/full"], "is there already, and no empty folder"),
        (["{source}", "gs://bucket/out"], "is on another machine"),
        (["{folder}/none*", "{folder}/out"], "matches no file"),
        (["{folder}/0.tfrecord", "{folder}/1.tfrecord", "{folder}/out"], "put the glob in quotes"),
        (["{source}", "{folder}/out", "--to=youtube"], "Did you mean youtube8m?"),
        (["{source}", "{folder}/out", "--format=pack"], "Did you mean packed?"),
        (["{source}", "{folder}/out", "--shards=0"], "--shards=0 must be at least 1"),
        (["{source}", "{folder}/out", "--max_frames=3"], "--max_frames is for --format=packed"),
        (["{source}", "{folder}/out", "--format=packed", "--shuffle"], "--shuffle is for shards"),
        (["{folder}/videos/*", "{folder}/out", "--to=audioset"], "the records hold one vector a clip"),
        (["{source}", "{folder}/out", "--format=packed", "--num_classes=3"], "set --num_classes"),
    ],
)
def test_a_mistake_gets_one_line(arguments, wanted, source, tmp_path, capsys):
    for name in ("full", "videos", "sub"):
        (tmp_path / name).mkdir()
        write_shard(f"{tmp_path}/{name}/0.tfrecord", [video_record({"id": "a"}, [1], {"mean_audio": SOUND[0]})])
    assert repack(*(each.format(source=source, folder=tmp_path) for each in arguments)) == 2
    said = capsys.readouterr().err
    assert wanted in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("out*"))


def test_the_summary_says_what_to_type_next(source, tmp_path, capsys):
    assert repack(source, tmp_path / "out", "--shards=2") == 0
    said = capsys.readouterr().out
    assert f"Wrote 10 clips to {tmp_path}/out in" in said
    assert "2 shards" in said
    assert "read back and verified." in said
    assert f"Next: python -m yt8m_audio inspect '{tmp_path}/out/*.tfrecord'" in said


def test_audioset(audioset, tmp_path):
    pattern = f"{audioset}/features/bal_train/*.tfrecord"
    assert repack_records(pattern, str(tmp_path / "out")).clips == 22_160
    assert len(list((tmp_path / "out").iterdir())) == 16
    assert serialized(tmp_path / "out" / "*") == serialized(pattern)


@pytest.mark.parametrize("to", ["youtube8m", "video"])
def test_clips_of_uneven_length_read_in_many_parts(to, tmp_path, monkeypatch):
    monkeypatch.setattr("readers.stores.CHUNK_BYTES", 1000)
    monkeypatch.setattr("readers.repacking.CHUNK_BYTES", 4000)
    counts = [1] * 30 + [12] * 5 + [1] * 30
    records = [audioset_record(f"{number}", [1], SOUND[:count]) for number, count in enumerate(counts)]
    write_shard(str(tmp_path / "a.tfrecord"), records)
    repacked = repack_records(f"{tmp_path}/a.tfrecord", f"{tmp_path}/out", to, num_shards=2)
    (batch,) = open_clips(repacked.pattern, "f", DataConfig(frame_features=to != "video", num_classes=527)).in_order(65)
    assert batch["video_id"].numpy().tolist() == [f"{number}".encode() for number in range(65)]
    assert batch["num_frames"].numpy().tolist() == (counts if to != "video" else [1] * 65)
