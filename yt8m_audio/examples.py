"""Serialised records of each family, from arrays: what write_shard writes.

    audioset_record("--PJHxphWEs", [0, 137], frames, start_time=30.0)
    frames_record({"id": b"abcd"}, [0, 7], {"rgb": rgb, "audio": audio})
    video_record({"id": b"abcd"}, [0, 7], {"mean_audio": vector})

Frames are uint8 [frames, features] (one string of bytes a frame) or float32 [frames, features] (a list of floats).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from yt8m_audio.errors import UserError


def audioset_record(
    video_id: str | bytes,
    labels: Sequence[int],
    frames: np.ndarray,
    start_time: float = 0.0,
    end_time: float | None = None,
) -> bytes:
    """Serialises one clip as AudioSet's released features hold it.

    Args:
        video_id: the clip's id.
        labels: class indices.
        frames: uint8 or float32 [frames, features], one row a second.
        start_time: where the clip begins in its video, in seconds.
        end_time: where it ends, in seconds; by default one second a frame after the start.

    Raises:
        UserError: if the frames are no bytes or floats of shape [frames, features].
    """
    end_time = start_time + len(frames) if end_time is None else end_time
    times = {"start_time_seconds": float(start_time), "end_time_seconds": float(end_time)}
    context = {"video_id": video_id, **times}
    return frames_record(context, labels, {"audio_embedding": frames})


def frames_record(
    context: Mapping[str, str | bytes | float | Sequence], labels: Sequence[int], lists: Mapping[str, np.ndarray]
) -> bytes:
    """Serialises one clip of frames as a tf.train.SequenceExample.

    Args:
        context: text, numbers or lists of numbers by key; whole numbers become an int64_list.
        labels: class indices, under the key `labels`.
        lists: uint8 or float32 [frames, features] by feature list.

    Raises:
        UserError: if the frames are no bytes or floats of shape [frames, features].
    """
    return tf.train.SequenceExample(
        context=_features({**context, "labels": np.asarray(labels, np.int64)}),
        feature_lists=tf.train.FeatureLists(
            feature_list={name: _feature_list(frames) for name, frames in lists.items()}
        ),
    ).SerializeToString(deterministic=True)


def video_record(context: Mapping, labels: Sequence[int], vectors: Mapping[str, np.ndarray]) -> bytes:
    """Serialises one clip of one vector a feature as a tf.train.Example, as YouTube-8M's video level holds it.

    Args:
        context: text or numbers by key.
        labels: class indices, under the key `labels`.
        vectors: float32 [features] by feature.
    """
    floats = {name: np.asarray(vector, np.float32) for name, vector in vectors.items()}
    features = _features({**context, "labels": np.asarray(labels, np.int64), **floats})
    return tf.train.Example(features=features).SerializeToString(deterministic=True)


def _features(values: Mapping) -> tf.train.Features:
    return tf.train.Features(feature={key: _feature(value) for key, value in values.items()})


def _feature(value) -> tf.train.Feature:
    """A feature of the kind that a value is of."""
    if isinstance(value, str | bytes):
        return _bytes_feature(value.encode() if isinstance(value, str) else value)
    numbers = np.atleast_1d(np.asarray(value))
    if numbers.dtype.kind in "iu":
        return tf.train.Feature(int64_list=tf.train.Int64List(value=numbers.tolist()))
    return tf.train.Feature(float_list=tf.train.FloatList(value=numbers.tolist()))


def _feature_list(frames: np.ndarray) -> tf.train.FeatureList:
    """A feature list of bytes or floats."""
    if frames.ndim != 2 or frames.dtype not in (np.uint8, np.float32):
        raise UserError(
            "Frames of a record must be uint8 or float32 [frames, features]. "
            f"Received: {frames.dtype} {list(frames.shape)}."
        )
    make = _bytes_feature if frames.dtype == np.uint8 else _feature
    return tf.train.FeatureList(feature=[make(row.tobytes() if row.dtype == np.uint8 else row) for row in frames])


def _bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
