"""Serialised records: each family's keys, from arrays."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record, frames_record, video_record


def test_a_clip_is_written_as_audioset_writes_it():
    frames = np.arange(3 * 128).astype(np.uint8).reshape(3, 128)
    record = audioset_record("--PJHxphWEs", [0, 137], frames, start_time=30.0)
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


@pytest.mark.parametrize("frames", [np.zeros((10, 128), np.float64), np.zeros(128, np.uint8)])
def test_frames_that_are_neither_bytes_nor_floats_by_the_second(frames):
    with pytest.raises(UserError, match="must be uint8 or float32"):
        audioset_record("a", [], frames)


def test_frames_of_floats_are_lists_of_floats():
    lists = {"rgb": np.float32([[0.5, -1.0], [2.0, 0.25]]), "audio": np.uint8([[1], [2]])}
    example = tf.train.SequenceExample.FromString(
        frames_record({"id": b"x", "segment_start_times": [5, 10]}, [7], lists)
    )
    found = example.feature_lists.feature_list
    assert [list(each.float_list.value) for each in found["rgb"].feature] == [[0.5, -1.0], [2.0, 0.25]]
    assert [each.bytes_list.value[0] for each in found["audio"].feature] == [b"\x01", b"\x02"]
    assert list(example.context.feature["segment_start_times"].int64_list.value) == [5, 10]
    assert list(example.context.feature["labels"].int64_list.value) == [7]


def test_a_video_is_one_vector_a_feature():
    example = tf.train.Example.FromString(video_record({"id": b"x"}, [], {"mean_audio": np.float32([0.5, 2.0])}))
    assert list(example.features.feature["mean_audio"].float_list.value) == [0.5, 2.0]
    assert example.features.feature["id"].bytes_list.value[0] == b"x"
