"""Serialised records to what a model is called with, inside a TensorFlow graph: what an exported model can be asked.

    layout = ExampleLayout("frame", ("video_id",), ("audio_embedding",), (128,), ("uint8",), max_frames=10)
    video_id, features, num_frames = parse_examples(serialized, layout)      # string [N] -> [N], [N, 10, 128], [N]

The readers parse with NumPy and faster; this must give what they give, and needs nothing but TensorFlow.
"""

import dataclasses

import tensorflow as tf

from yt8m_audio.batch import dequantize


@dataclasses.dataclass(frozen=True)
class ExampleLayout:
    """What a family's records hold, and what a model takes of them.

    Attributes:
        level: "frame": SequenceExamples with a feature list a feature; "video": Examples with a vector a feature.
        id_keys: context keys of the id; the first that a record has counts.
        names: the features, in the order in which they are put beside one another.
        sizes: values of each, a frame or a vector.
        types: "uint8" (one string of bytes a frame) or "float32" of each.
        max_frames: T, frames that are taken of a clip; of no meaning for vectors.
        pooling: how a clip's frames become one vector, "mean" or "mean_std_max"; "" where the model takes frames.
    """

    level: str
    id_keys: tuple[str, ...]
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    types: tuple[str, ...]
    max_frames: int | None = None
    pooling: str = ""


def parse_examples(serialized: tf.Tensor, layout: ExampleLayout) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Parses records, string [N].

    Returns:
        Ids, string [N], "" where a record has none; features, [N, T, D] or [N, D]; num_frames, int32 [N].

    Raises:
        tf.errors.InvalidArgumentError: where it runs, if a record lacks a feature or holds one of another size.
    """
    return _parse_vectors(serialized, layout) if layout.level == "video" else _parse_frames(serialized, layout)


def _parse_vectors(serialized: tf.Tensor, layout: ExampleLayout) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Parses Examples of vectors."""
    vectors = {
        name: tf.io.FixedLenFeature([size], tf.float32) for name, size in zip(layout.names, layout.sizes, strict=True)
    }
    parsed = tf.io.parse_example(serialized, _id_features(layout) | vectors)
    features = tf.concat([parsed[name] for name in layout.names], axis=-1)  # [N, D]
    return _first_id(parsed, layout), features, tf.ones_like(serialized, tf.int32)


def _parse_frames(serialized: tf.Tensor, layout: ExampleLayout) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Parses SequenceExamples of frames."""
    lists = dict(zip(layout.names, map(_frame_feature, layout.types, layout.sizes), strict=True))
    context, frames, counts = tf.io.parse_sequence_example(serialized, _id_features(layout), lists)
    num_frames = tf.minimum(tf.cast(counts[layout.names[0]], tf.int32), layout.max_frames)  # [N]
    parts = [
        _fitted_frames(_numbers(frames[name], counts[name], size, kind, name), layout.max_frames)
        for name, size, kind in zip(layout.names, layout.sizes, layout.types, strict=True)
    ]  # [N, T, D_i] each
    if set(layout.types) != {"uint8"}:
        parts = [dequantize(part) for part in parts]
    features = clear_padding(tf.concat(parts, axis=-1), num_frames)  # [N, T, D]
    features = pooled(features, num_frames, layout.pooling) if layout.pooling else features
    return _first_id(context, layout), features, num_frames


def _id_features(layout: ExampleLayout) -> dict:
    return {key: tf.io.FixedLenFeature([], tf.string, default_value="") for key in layout.id_keys}


def _first_id(parsed: dict, layout: ExampleLayout) -> tf.Tensor:
    """The id of each record, string [N]."""
    video_id = parsed[layout.id_keys[-1]]
    for key in reversed(layout.id_keys[:-1]):
        video_id = tf.where(parsed[key] == "", video_id, parsed[key])
    return video_id


def _frame_feature(kind: str, size: int) -> tf.io.FixedLenSequenceFeature:
    """How a feature list is parsed: short clips are padded with empty strings, or with zeros."""
    shape, dtype = ([], tf.string) if kind == "uint8" else ([size], tf.float32)
    return tf.io.FixedLenSequenceFeature(shape, dtype)


def _numbers(frames: tf.Tensor, counts: tf.Tensor, size: int, kind: str, name: str) -> tf.Tensor:
    """Frames as numbers [N, ?, size]; the strings behind a clip's last one are empty.

    `decode_raw` would pad or cut strings of another length, so that is looked for first.
    """
    if kind != "uint8":
        return frames
    wanted = tf.where(tf.sequence_mask(counts, tf.shape(frames)[1]), size, 0)  # [N, ?]
    said = f"A frame of {name} must be {size} bytes."
    with tf.control_dependencies([tf.debugging.assert_equal(tf.strings.length(frames), wanted, said)]):
        return tf.io.decode_raw(frames, tf.uint8, fixed_length=size)


def _fitted_frames(frames: tf.Tensor, max_frames: int) -> tf.Tensor:
    """Cuts or pads frames [N, ?, D] to [N, max_frames, D]."""
    frames = frames[:, :max_frames]
    missing = max_frames - tf.shape(frames)[1]
    return tf.ensure_shape(tf.pad(frames, [[0, 0], [0, missing], [0, 0]]), [None, max_frames, frames.shape[-1]])


def clear_padding(frames: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
    """Frames [N, T, D] with zeros where a clip [N] has none."""
    real = tf.sequence_mask(num_frames, frames.shape[1])[:, :, None]  # [N, T, 1]
    return tf.where(real, frames, tf.zeros_like(frames))


def float_frames(frames: tf.Tensor, num_frames: tf.Tensor, layout: ExampleLayout) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes dequantised frames of any number as a model takes those of records.

    Args:
        frames: float32 [N, ?, D].
        num_frames: int32 [N].
        layout: of the records that the model was trained on.

    Returns:
        Features, float32 [N, T, D] or [N, D], and num_frames, int32 [N].
    """
    if layout.max_frames:
        frames, num_frames = _fitted_frames(frames, layout.max_frames), tf.minimum(num_frames, layout.max_frames)
    if layout.level == "frame" and not layout.pooling:
        return frames, num_frames
    return pooled(frames, num_frames, layout.pooling or "mean"), num_frames


def pooled(frames: tf.Tensor, num_frames: tf.Tensor, pooling: str) -> tf.Tensor:
    """Pools the frames [N, T, D] that are there to vectors [N, D], or [N, 3 D] for "mean_std_max"."""
    real = tf.sequence_mask(num_frames, tf.shape(frames)[1])[:, :, None]  # [N, T, 1]
    frames = dequantize(frames)
    count = tf.cast(tf.maximum(num_frames, 1), tf.float32)[:, None]  # [N, 1]
    mean = tf.reduce_sum(tf.where(real, frames, 0.0), axis=1) / count  # [N, D]
    parts = [mean]
    if pooling == "mean_std_max":
        squares = tf.where(real, tf.square(frames - mean[:, None]), 0.0)
        parts += [tf.sqrt(tf.reduce_sum(squares, axis=1) / count)]
        parts += [tf.reduce_max(tf.where(real, frames, frames.dtype.min), axis=1)]
    return tf.where(num_frames[:, None] > 0, tf.concat(parts, axis=-1), 0.0)
