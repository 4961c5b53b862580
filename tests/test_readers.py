"""What readers make of records: batches by the contract, and an error with a name for what does not fit."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from readers import open_clips, resolve
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record

RAMP = np.arange(10 * 128).astype(np.uint8).reshape(10, 128)
EXAMPLE = tf.train.Example()
EXAMPLE.features.feature["brightness"].float_list.value.append(0.5)
FLOATS = tf.train.SequenceExample()
FLOATS.feature_lists.feature_list["audio_embedding"].feature.add().float_list.value.append(0.5)
NO_TEXT = tf.train.SequenceExample.FromString(audioset_record("a", [], RAMP))
NO_TEXT.context.feature["video_id"].int64_list.value.append(7)
TWO_A_SECOND = tf.train.SequenceExample.FromString(audioset_record("a", [], RAMP))
TWO_A_SECOND.feature_lists.feature_list["audio_embedding"].feature[3].bytes_list.value.append(bytes(128))


@pytest.fixture
def read_one(shard, open_shards):
    """Writes one record, and gives its row of a batch."""

    def read(record, **settings):
        (batch,) = open_shards(shard([record]), **settings).in_order(1)
        return {key: value.numpy()[0] for key, value in batch.items()}

    return read


def read_through(clips):
    """Reads all clips as the scripts do, which have explained to them what goes wrong."""
    with clips.errors_explained():
        list(clips.in_order(4))


@pytest.mark.parametrize(
    ("frame_features", "dtype", "shape"), [(True, tf.uint8, (4, 10, 128)), (False, tf.float32, (4, 128))]
)
def test_a_batch_keeps_the_contract(shard, open_shards, frame_features, dtype, shape):
    batches = open_shards(shard(6), frame_features=frame_features, num_classes=9).in_order(4)
    spec = {
        "video_id": tf.TensorSpec([4], tf.string),
        "features": tf.TensorSpec(shape, dtype),
        "num_frames": tf.TensorSpec([4], tf.int32),
        "labels": tf.TensorSpec([4, 9], tf.uint8),
        "example_weights": tf.TensorSpec([4], tf.float32),
        "start_time": tf.TensorSpec([4], tf.float32),
        "end_time": tf.TensorSpec([4], tf.float32),
    }
    assert batches.element_spec == spec
    assert [batch["features"].shape for batch in batches] == [shape, shape]


@pytest.mark.parametrize("frame_features", [True, False])
def test_the_last_batch_is_filled_up_with_rows_of_no_weight(shard, open_shards, frame_features):
    first, last = open_shards(shard(6), frame_features=frame_features).in_order(4)
    assert first["example_weights"].numpy().tolist() == [1, 1, 1, 1]
    assert last["example_weights"].numpy().tolist() == [1, 1, 0, 0]
    assert last["video_id"].numpy().tolist() == [b"00-4", b"00-5", b"", b""]
    assert last["num_frames"].numpy().tolist() == [10, 10, 0, 0]
    for key in ("features", "labels", "start_time", "end_time"):
        assert not last[key].numpy()[2:].any()


def test_what_a_record_says(read_one):
    row = read_one(audioset_record("-_id", [3, 526], RAMP, start_time=30.5, end_time=41.0))
    assert (row["video_id"], row["num_frames"], row["example_weights"]) == (b"-_id", 10, 1)
    assert (row["start_time"], row["end_time"]) == (30.5, 41.0)
    np.testing.assert_array_equal(row["features"], RAMP)
    np.testing.assert_array_equal(row["labels"], np.isin(np.arange(527), [3, 526]))


@pytest.mark.parametrize("labels", [[], [2], [2, 0, 2, 2]])
def test_labels_are_multi_hot(read_one, labels):
    row = read_one(audioset_record("a", labels, RAMP), num_classes=4)
    assert np.flatnonzero(row["labels"]).tolist() == sorted(set(labels))
    assert row["labels"].max(initial=0) <= 1


@pytest.mark.parametrize(
    ("count", "max_frames", "kept"), [(3, None, 3), (0, None, 0), (10, 4, 4), (3, 4, 3), (4, 4, 4)]
)
def test_frames_are_cut_and_padded(read_one, count, max_frames, kept):
    row = read_one(audioset_record("a", [1], RAMP[:count]), max_frames=max_frames)
    assert row["num_frames"] == kept
    assert row["example_weights"] == 1
    assert row["features"].shape == (max_frames or 10, 128)
    np.testing.assert_array_equal(row["features"][:kept], RAMP[:kept])
    assert not row["features"][kept:].any()


def test_clips_of_several_lengths_in_one_batch(shard, open_shards):
    counts = [10, 0, 1, 7]
    path = shard([audioset_record(f"{count}", [], RAMP[:count] + 1) for count in counts])
    (batch,) = open_shards(path).in_order(4)
    assert batch["num_frames"].numpy().tolist() == counts
    for frames, count in zip(batch["features"].numpy(), counts, strict=True):
        np.testing.assert_array_equal(frames[:count], RAMP[:count] + 1)
        assert not frames[count:].any()


@pytest.mark.parametrize(("count", "max_frames"), [(10, None), (3, None), (1, None), (10, 4)])
def test_a_video_level_feature_is_the_mean_of_dequantised_frames(read_one, count, max_frames):
    row = read_one(audioset_record("a", [], RAMP[:count]), frame_features=False, max_frames=max_frames)
    dequantised = RAMP[: min(count, max_frames or 10)] * (4 / 255) + 4 / 512 - 2
    np.testing.assert_allclose(row["features"], dequantised.mean(axis=0), rtol=0, atol=1e-6)
    assert row["num_frames"] == min(count, max_frames or 10)


def test_the_mean_of_no_frames_is_zero(read_one):
    row = read_one(audioset_record("a", [], RAMP[:0]), frame_features=False)
    assert not row["features"].any()


# What the first record tells


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, ("audio_embedding", "128", 527, 10)),
        ({"feature_names": "audio_embedding", "feature_sizes": "128"}, ("audio_embedding", "128", 527, 10)),
        ({"num_classes": 9, "max_frames": 4}, ("audio_embedding", "128", 9, 4)),
    ],
)
def test_what_is_not_given_is_read_off_the_first_record(settings, wanted):
    data = resolve(DataConfig(**settings), [audioset_record("a", [5], RAMP)], "x.tfrecord")
    assert (data.feature_names, data.feature_sizes, data.num_classes, data.max_frames) == wanted
    assert data.reader == "AudioSetFrameReader"


@pytest.mark.parametrize(("seconds", "size", "max_frames"), [(0, 128, 10), (1, 64, 10), (11, 3, 300)])
def test_other_sizes_are_read_off_too(seconds, size, max_frames):
    frames = np.zeros((seconds, size), np.uint8)
    data = resolve(DataConfig(), [audioset_record("a", [], frames)], "x.tfrecord")
    assert (data.sizes, data.max_frames) == ([size], max_frames)


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"feature_names": "mean_rgb"}, ["--feature_names=mean_rgb", "audio_embedding", "labels", "video_id"]),
        ({"feature_names": "rgb,audio"}, ["--feature_names=rgb,audio", "audio_embedding"]),
        ({"feature_sizes": "1024"}, ["--feature_sizes=1024", "audio_embedding", "128"]),
        ({"feature_sizes": "128,1024"}, ["--feature_sizes=128,1024", "audio_embedding", "128"]),
        ({"feature_sizes": "wide"}, ["--feature_sizes=wide", "whole numbers"]),
        ({"feature_types": "float32"}, ["--feature_types=float32", "audio_embedding", "uint8"]),
        ({"num_classes": 5}, ["--num_classes=5", "label 5", "0 to 4"]),
        ({"reader": "AudioSetFrameRaeder"}, ["--reader=AudioSetFrameRaeder", "Did you mean AudioSetFrameReader?"]),
    ],
)
def test_what_does_not_fit_the_first_record_is_named(settings, parts):
    with pytest.raises(UserError) as error:
        resolve(DataConfig(**settings), [audioset_record("a", [5], RAMP)], "x.tfrecord")
    assert [part for part in parts if part not in str(error.value)] == []
    assert "x.tfrecord" in str(error.value) or "reader" in settings


@pytest.mark.parametrize(
    ("serialized", "found"),
    [(EXAMPLE.SerializeToString(), "brightness"), (b"", "none"), (b"\xff garbage", "none")],
    ids=["example", "empty", "garbage"],
)
def test_a_record_of_no_family_is_named_with_its_keys(serialized, found):
    with pytest.raises(UserError, match=f"of no known family: .* keys are {found}.* [(]First record of x.tfrecord"):
        resolve(DataConfig(), [serialized], "x.tfrecord")


# What a later record gets wrong


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (audioset_record("a", [1, 9], RAMP), "label 9 is not in 0 to 8: set --num_classes"),
        (audioset_record("a", [-1], RAMP), "label -1 is not in 0 to 8: set --num_classes"),
        (audioset_record("a", [1], RAMP[:, :64]), "audio_embedding holds 64 bytes a frame, not 128"),
        (audioset_record("a", [1], RAMP[:, :0]), "audio_embedding holds 0 bytes a frame, not 128"),
        (FLOATS.SerializeToString(), "audio_embedding holds floats"),
        (TWO_A_SECOND.SerializeToString(), "frames of audio_embedding differ"),
        (audioset_record("a", [1], RAMP).replace(b"audio_embedding", b"audio_embodding"), "no feature list audio_emb"),
        (NO_TEXT.SerializeToString(), "video_id"),
        (b"\xff garbage", "it is no tf.train.SequenceExample"),
    ],
    ids=[
        "beyond",
        "negative",
        "half a frame",
        "no bytes",
        "floats",
        "two a second",
        "wrong key",
        "a number as id",
        "garbage",
    ],
)
def test_a_record_that_cannot_be_parsed_is_named(shard, open_shards, wrong, reason):
    records = [audioset_record("a", [], RAMP), wrong]
    path = f"{shard(3, 'a.tfrecord')},{shard(records, 'b.tfrecord')},{shard(3, 'c.tfrecord')}"
    with pytest.raises(UserError, match=rf"/b\.tfrecord, record 1: .*{reason}"):
        read_through(open_shards(path, num_classes=9))


def test_a_shard_that_has_gone_is_named(shard, open_shards, tmp_path):
    clips = open_shards(f"{shard(3, 'a.tfrecord')},{shard(3, 'b.tfrecord')}")
    (tmp_path / "b.tfrecord").unlink()
    with pytest.raises(UserError, match=f"{tmp_path}/b.tfrecord cannot be read"):
        read_through(clips)


@pytest.mark.parametrize("split", [lambda clips: clips, lambda clips: clips.split(lambda ids: np.ones(len(ids), bool))])
def test_a_flipped_bit_is_named(shard, open_shards, flip_bit, split):
    path = shard(3, "b.tfrecord")
    flip_bit(path, -300)
    with pytest.raises(UserError, match=r"/b.tfrecord is corrupt at record 2: .* --skip_corrupt_records"):
        read_through(split(open_shards(f"{shard(3, 'a.tfrecord')},{path}")))


def test_garbage_is_named_where_clips_are_chosen_by_id(shard, open_shards):
    path = shard([audioset_record("a", [], RAMP), b"\xff garbage"])
    with pytest.raises(UserError, match=r"/00.tfrecord, record 1: it is no tf.train.SequenceExample\.$"):
        open_shards(path).split(lambda ids: np.ones(len(ids), bool))


def test_a_corrupt_record_is_a_row_of_no_weight_and_counted_once(shard, open_shards, flip_bit):
    path = shard(3, "b.tfrecord")
    flip_bit(path, -2000)
    clips = open_shards(f"{shard(3, 'a.tfrecord')},{path}", skip_corrupt_records=True)
    assert clips.lost_lines() == []
    for _ in range(2):
        (batch,) = clips.in_order(6)
        assert batch["example_weights"].numpy().tolist() == [1, 1, 1, 1, 0, 1]
        assert batch["video_id"].numpy().tolist() == [b"a-0", b"a-1", b"a-2", b"b-0", b"", b"b-2"]
        for key in ("features", "labels", "num_frames", "start_time"):
            assert not batch[key].numpy()[4].any()
    assert clips.lost_lines() == [f"warning: {path}: 1 corrupt record left out.", "1 corrupt record left out so far."]
    assert clips.lost_lines() == ["1 corrupt record left out so far."]


def test_memory_leaves_corrupt_records_out(shard, open_shards, flip_bit):
    path = shard(3)
    flip_bit(path, -2000)
    clips = open_shards(path, skip_corrupt_records=True).in_memory()
    (batch,) = clips.in_order(2)
    assert batch["video_id"].numpy().tolist() == [b"00-0", b"00-2"]
    assert len(clips.lost_lines()) == 2


def test_a_cut_shard_is_read_as_far_as_it_goes(shard, open_shards):
    path = shard(3)
    Path(path).write_bytes(Path(path).read_bytes()[:-10])
    clips = open_shards(path, skip_corrupt_records=True)
    assert len(clips) == 2
    assert clips.lost_lines()[0] == f"warning: {path}: 1 corrupt record left out."


def test_nothing_but_corrupt_records(shard, flip_bit, tmp_path):
    flip_bit(shard(1), -300)
    with pytest.raises(UserError, match="None of the 1 records is whole"):
        open_clips(f"{tmp_path}/*", "eval_data_pattern", DataConfig(skip_corrupt_records=True))


def test_an_error_that_no_record_is_to_blame_for_stays_as_it_is(shard, open_shards):
    error = tf.errors.InvalidArgumentError(None, None, "matrix sizes")
    with pytest.raises(tf.errors.InvalidArgumentError) as found, open_shards(shard(3)).errors_explained():
        raise error
    assert found.value is error
