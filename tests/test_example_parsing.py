"""Records parsed inside an exported graph come out as the readers parse them."""

import numpy as np
import pytest
import tensorflow as tf

from readers import open_clips
from readers.pooling import pool_frames
from tests.test_families import FAMILIES, floats, ramp
from yt8m_audio.commands.export_signatures import layout_of
from yt8m_audio.config import DataConfig
from yt8m_audio.examples import audioset_record, frames_record
from yt8m_audio.prediction.example_parsing import ExampleLayout, float_frames, parse_examples
from yt8m_audio.records import write_shard

WHOLE_CLIPS = [name for name in FAMILIES if "segments" not in name]
NAMED = [name for name in WHOLE_CLIPS if name not in ("VGGish", "MediaPipe")]  # the others are named after files
LAYOUT = ExampleLayout("frame", ("id", "video_id"), ("rgb", "audio"), (4, 2), ("uint8", "uint8"), max_frames=5)


def both_ways(name, folder, **settings):
    """Five clips as the reader gives them, and as the graph does."""
    family = FAMILIES[name]
    records = [family.record(number, frames, [1]) for number, frames in enumerate((3, 9, 1, 7, 5))]
    write_shard(str(folder / "a.tfrecord"), records)
    data = DataConfig(**{"frame_features": "videos" not in name, "max_frames": 7, **family.settings, **settings})
    clips = open_clips(f"{folder}/a.tfrecord", "train_data_pattern", data)
    batch = next(iter(clips.in_order(5)))
    layout = layout_of(clips.data)
    return batch, tf.function(lambda serialized: parse_examples(serialized, layout))(tf.constant(records))


@pytest.mark.parametrize("name", WHOLE_CLIPS)
def test_every_family(name, tmp_path):
    batch, (video_id, features, num_frames) = both_ways(name, tmp_path)
    assert features.dtype == batch["features"].dtype
    np.testing.assert_allclose(features, batch["features"], rtol=1e-6)
    np.testing.assert_array_equal(num_frames, batch["num_frames"])
    if name in NAMED:
        assert video_id.numpy().tolist() == batch["video_id"].numpy().tolist()


@pytest.mark.parametrize("name", ["AudioSet", "YouTube-8M frames, id", "MediaPipe"])
@pytest.mark.parametrize("pooling", ["mean", "mean_std_max"])
def test_frames_for_a_video_level_model(name, pooling, tmp_path):
    batch, (_, features, _) = both_ways(name, tmp_path, frame_features=False, pooling=pooling)
    np.testing.assert_allclose(features, batch["features"], rtol=1e-5, atol=1e-5)


def test_bytes_beside_floats(tmp_path):
    lists = {"rgb": ramp(3, 2, 4), "audio": floats(3, 2, 2)}
    write_shard(str(tmp_path / "a.tfrecord"), [frames_record({"id": "a"}, [1], lists)])
    data = DataConfig(frame_features=True, max_frames=4)
    clips = open_clips(f"{tmp_path}/a.tfrecord", "train_data_pattern", data)
    _, features, _ = parse_examples(tf.constant([frames_record({"id": "a"}, [1], lists)]), layout_of(clips.data))
    np.testing.assert_allclose(features, next(iter(clips.in_order(1)))["features"], rtol=1e-6)


def test_an_id_of_bytes_that_are_no_text():
    record = audioset_record(b"-\xff,\n", [0], ramp(0, 2, 6))
    layout = ExampleLayout("frame", ("id", "video_id"), ("audio_embedding",), (6,), ("uint8",), max_frames=5)
    assert parse_examples(tf.constant([record]), layout)[0].numpy().tolist() == [b"-\xff,\n"]


def test_no_records():
    video_id, features, num_frames = parse_examples(tf.zeros([0], tf.string), LAYOUT)
    assert (video_id.shape, features.shape, num_frames.shape) == ((0,), (0, 5, 6), (0,))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"no record", "Could not parse|Invalid protocol"),
        (frames_record({"id": "a"}, [], {"rgb": ramp(0, 2, 4)}), "audio"),
        (frames_record({"id": "a"}, [], {"rgb": ramp(0, 2, 3), "audio": ramp(0, 2, 2)}), "A frame of rgb must be 4"),
        (frames_record({"id": "a"}, [], {"rgb": floats(0, 2, 4), "audio": ramp(0, 2, 2)}), "rgb"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(record, said):
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        parse_examples(tf.constant([record]), LAYOUT)


@pytest.mark.parametrize("given", [3, 5, 8])
def test_frames_of_any_number_are_cut_or_padded(given):
    frames = np.stack([floats(number, given, 6) for number in range(2)])
    found, num_frames = float_frames(tf.constant(frames), tf.constant([given, 2]), LAYOUT)
    kept = min(given, 5)
    assert (found.shape, num_frames.numpy().tolist()) == ((2, 5, 6), [kept, 2])
    np.testing.assert_array_equal(found[:, :kept], frames[:, :kept])


def test_frames_for_a_model_of_vectors():
    layout = ExampleLayout("video", ("id",), ("mean_rgb", "mean_audio"), (4, 2), ("float32", "float32"))
    frames = np.stack([floats(number, 8, 6) for number in range(3)])
    num_frames = np.array([8, 3, 0], np.int32)
    found, _ = float_frames(tf.constant(frames), tf.constant(num_frames), layout)
    frames[np.arange(8)[None] >= num_frames[:, None]] = 0
    np.testing.assert_allclose(found, pool_frames(frames, num_frames, "mean"), rtol=1e-5)
