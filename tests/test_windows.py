"""Windows over recordings: where they lie, what is in them, and that each is predicted as a clip of its own."""

import math

import numpy as np
import pytest
import tensorflow as tf

from models.base import FrameLevelModel
from readers import open_clips
from yt8m_audio.commands.longest_clip import longest_clip
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.prediction.windows import (
    Windows,
    check_frame_level,
    clips_at_a_time,
    cut_batch,
    windowed,
    windows_asked,
)


class Loudest(FrameLevelModel):
    """The logit of class c is the largest value c of a frame."""

    def classify(self, frames, mask, training):
        return tf.reduce_max(tf.where(mask[:, :, None], frames, -9), axis=1)


def batch_of(lengths, frames=12, weights=None):
    """Clips `a`, `b`, ... of which frame t of clip i holds 10 · i + t; they begin at 100 · i seconds."""
    n = len(lengths)
    values = 10 * np.arange(n)[:, None] + np.arange(frames)
    padded = np.where(np.arange(frames) < np.array(lengths)[:, None], values, 99)
    return {
        "video_id": tf.constant([b"abcdefg"[i : i + 1] for i in range(n)]),
        "features": tf.constant(padded[:, :, None].astype(np.float32)),
        "num_frames": tf.constant(lengths, tf.int32),
        "example_weights": tf.constant(weights or [1.0] * n),
        "start_time": tf.constant(100.0 * np.arange(n), tf.float32),
        "end_time": tf.constant(100.0 * np.arange(n) + lengths, tf.float32),
        "labels": tf.zeros([n, 3], tf.uint8),
    }


def listed(batch):
    """Each window that counts: id, start, end and its frames."""
    rows = zip(*(batch[key].numpy() for key in ("video_id", "start_time", "end_time", "features")), strict=True)
    real, counts = batch["example_weights"].numpy() > 0, batch["num_frames"].numpy()
    found = [(i.decode(), s, e, frames[:, 0].tolist()) for i, s, e, frames in rows]
    return [(*each[:3], each[3][:n]) for each, n, keep in zip(found, counts, real, strict=True) if keep]


@pytest.mark.parametrize(
    ("size", "hop", "num_frames", "starts"),
    [
        (5, 5, 10, [0, 5]),
        (5, 5, 12, [0, 5, 10]),
        (5, 5, 3, [0]),
        (5, 5, 0, [0]),  # a clip without frames is told of all the same
        (5, 2, 10, [0, 2, 4, 6]),  # the last one is short
        (5, 1, 7, [0, 1, 2]),
        (2, 5, 10, [0, 5]),  # seconds 7 to 9 are in no window
        (2, 5, 6, [0, 5]),
        (10, 10, 10, [0]),
    ],
)
def test_where_windows_begin(size, hop, num_frames, starts):
    _, cut = cut_batch(batch_of([num_frames]), Windows(size, hop), batch_size=8)
    (batch,) = cut
    assert [window[1] for window in listed(batch)] == starts
    assert batch["features"].shape == (8, size, 1)


def test_what_is_in_a_window():
    _, cut = cut_batch(batch_of([7, 2]), Windows(5, 5), batch_size=4)
    (batch,) = cut
    assert listed(batch) == [
        ("a", 0, 5, [0, 1, 2, 3, 4]),
        ("a", 5, 7, [5, 6]),
        ("b", 100, 102, [10, 11]),
    ]
    assert batch["features"].numpy()[1, 2:].tolist() == [[0], [0], [0]]  # what pads is 0
    assert "labels" not in batch


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
def test_batches_of_windows_are_of_one_size_and_hold_all(batch_size):
    batch = batch_of([7, 0, 12, 2], weights=[1.0, 1.0, 1.0, 0.0])
    count, cut = cut_batch(batch, Windows(5, 5), batch_size)
    batches = list(cut)
    assert len(batches) == count
    assert {len(each["num_frames"]) for each in batches} == {batch_size}
    found = [window for each in batches for window in listed(each)]
    assert [(name, start) for name, start, *_ in found] == [
        ("a", 0),
        ("a", 5),
        ("b", 100),
        ("c", 200),
        ("c", 205),
        ("c", 210),
    ]


def test_windows_are_predicted_batch_by_batch_of_clips():
    predict = windowed(
        Predictor(Loudest(num_classes=1, feature_sizes=(1,), input_normalization="none"), top_k=1), Windows(5, 5), 2
    )
    first, empty, last = predict([batch_of([7, 2]), batch_of([3], weights=[0.0]), batch_of([12])])
    assert first.video_ids.tolist() == [b"a", b"a", b"b"]
    assert (first.start_times.tolist(), first.end_times.tolist()) == ([0, 5, 100], [5, 7, 102])
    np.testing.assert_allclose(first.scores[:, 0], tf.sigmoid([4.0, 6.0, 11.0]), rtol=1e-6)
    assert (len(empty), last.start_times.tolist()) == (0, [0, 5, 10])


def test_a_window_is_predicted_as_a_clip_of_its_frames(tmp_path, shard):
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (23, 128), np.uint8)
    model = Loudest(num_classes=128, feature_sizes=(128,), input_normalization="none")
    whole = shard([audioset_record("long", [0], frames)], "long.tfrecord")
    cut = shard([audioset_record("cut", [0], frames[i : i + 10]) for i in range(0, 23, 10)], "cut.tfrecord")
    data = DataConfig(frame_features=True)
    long = open_clips(whole, "input_data_pattern", data)
    spec = Windows(10, 10).spec(long.in_order(1).element_spec, 4)
    assert spec["features"].shape == (4, 10, 128)
    (windows,) = windowed(Predictor(model, top_k=9), Windows(10, 10), 4)(long.in_order(1))
    (clips,) = Predictor(model, top_k=9)(open_clips(cut, "input_data_pattern", data).in_order(4))
    np.testing.assert_array_equal(windows.classes, clips.classes)
    np.testing.assert_allclose(windows.scores, clips.scores, rtol=1e-6)


def test_several_readings_are_cut_alike():
    count, cut = cut_batch((batch_of([7]), batch_of([7], frames=20)), Windows(5, 5), 2)
    ((one, other),) = cut
    assert (count, listed(one)) == (1, listed(other))


@pytest.mark.parametrize(("window", "hop", "wanted"), [(5, 0, Windows(5, 5)), (10.0, 2, Windows(10, 2))])
def test_windows_that_are_asked_for(window, hop, wanted):
    assert windows_asked(window, hop) == wanted


@pytest.mark.parametrize(
    ("window", "hop", "said"),
    [
        (0.96, 0, "--window=0.96 must be"),
        (0, 1, "--window=0"),
        (math.nan, 0, "--window=nan"),
        (5, 0.5, "--hop=0.5"),
        (5, -1, "--hop=-1"),
        (5, math.inf, "--hop=inf"),
    ],
)
def test_windows_of_no_whole_seconds(window, hop, said):
    with pytest.raises(UserError, match=f"{said}.*whole number of seconds"):
        windows_asked(window, hop)


def test_what_has_no_frames_is_told():
    check_frame_level(tf.TensorSpec([4, 10, 128], tf.uint8), "--window=5")
    with pytest.raises(UserError, match="--window=5 needs a model of frames"):
        check_frame_level(tf.TensorSpec([4, 128], tf.float32), "--window=5")


def test_long_recordings_are_read_a_few_at_a_time():
    assert clips_at_a_time(tf.TensorSpec([None, 10, 128], tf.uint8), 512) == 512
    assert clips_at_a_time(tf.TensorSpec([None, 3600, 128], tf.uint8), 512) == 36
    assert clips_at_a_time(tf.TensorSpec([None, 360_000, 1152], tf.float32), 512) == 1


@pytest.mark.parametrize("lengths", [[3, 23, 7], [0]])
def test_the_longest_clip(shard, lengths):
    records = [audioset_record(f"c{n}", [0], np.zeros((n, 128), np.uint8)) for n in lengths]
    clips = open_clips(
        shard(records),
        "input_data_pattern",
        DataConfig(frame_features=True, feature_names="audio_embedding", feature_sizes="128"),
    )
    assert longest_clip(clips) == max([1, *lengths])
