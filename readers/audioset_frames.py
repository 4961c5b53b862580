"""AudioSet's released features: SequenceExamples with one string of 128 bytes a second.

context        video_id, start_time_seconds, end_time_seconds, labels (0 to 526)
feature lists  audio_embedding
"""

import dataclasses

import tensorflow as tf

from readers.reader import Reader, found_keys
from yt8m_audio.errors import UserError
from yt8m_audio.labels import AUDIOSET_CLASSES
from yt8m_audio.registry import register_reader

FEATURE = "audio_embedding"
RELEASED_FRAMES = 10  # AudioSet's clips have no more
LONG_CLIP_FRAMES = 300  # the starter code's limit

CONTEXT = {
    "video_id": tf.io.FixedLenFeature([], tf.string, ""),
    "labels": tf.io.VarLenFeature(tf.int64),
    "start_time_seconds": tf.io.FixedLenFeature([], tf.float32, 0.0),
    "end_time_seconds": tf.io.FixedLenFeature([], tf.float32, 0.0),
}


@register_reader
class AudioSetFrameReader(Reader):
    """Gives frames as bytes, or where the model is a video-level one, their mean as floats."""

    @staticmethod
    def matches(record):
        return FEATURE in record.feature_lists.feature_list

    @staticmethod
    def complete(data, record, more):
        name = data.feature_names or FEATURE
        lists = record.feature_lists.feature_list
        if name not in lists:
            raise UserError(f"--feature_names={name} is no feature list of the records; {found_keys(record)}.")
        frames = lists[name].feature
        found = len(frames[0].bytes_list.value[0]) if frames and frames[0].bytes_list.value else None
        given = data.feature_sizes.strip()
        if found and given not in ("", str(found)):
            raise UserError(
                f"--feature_sizes={given} does not fit {name}, which has {found} bytes a frame: set {found}."
            )
        num_classes = data.num_classes or AUDIOSET_CLASSES
        beyond = label_beyond(record, num_classes)
        if beyond:
            raise UserError(f"--num_classes={num_classes} does not fit: {beyond}.")
        longest = max(len(each.feature_lists.feature_list[name].feature) for each in (record, *more))
        return dataclasses.replace(
            data,
            feature_names=name,
            feature_sizes=str(found or given or 128),
            num_classes=num_classes,
            max_frames=data.max_frames or (RELEASED_FRAMES if longest <= RELEASED_FRAMES else LONG_CLIP_FRAMES),
        )

    def parse(self, serialized):
        name, size, max_frames = self.data.feature_names, self.data.sizes[0], self.data.max_frames
        context, lists, lengths = tf.io.parse_sequence_example(
            serialized, CONTEXT, {name: tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)}
        )
        strings = lists[name]  # [B, longest], short clips end in ""
        real = tf.sequence_mask(lengths[name], tf.shape(strings)[1], tf.int32)
        fits = tf.reduce_all(tf.strings.length(strings) == size * real)
        with tf.control_dependencies([tf.debugging.Assert(fits, ["feature size"])]):
            frames = tf.io.decode_raw(strings, tf.uint8, fixed_length=size)  # [B, longest, D]
        frames = cut_or_padded(frames, max_frames)  # [B, T, D]
        num_frames = tf.minimum(tf.cast(lengths[name], tf.int32), max_frames)  # [B]
        return {
            "video_id": context["video_id"],
            "features": frames if self.data.frame_features else mean_over_frames(frames, num_frames),
            "num_frames": num_frames,
            "labels": multi_hot(context["labels"], self.data.num_classes),
            "start_time": context["start_time_seconds"],
            "end_time": context["end_time_seconds"],
        }

    def video_ids(self, serialized):
        context, _, _ = tf.io.parse_sequence_example(serialized, {"video_id": CONTEXT["video_id"]})
        return context["video_id"]

    def fault(self, serialized):
        record = tf.train.SequenceExample.FromString(serialized)
        beyond = label_beyond(record, self.data.num_classes)
        if beyond:
            return beyond
        frames = record.feature_lists.feature_list[self.data.feature_names].feature
        sizes = sorted({sum(map(len, frame.bytes_list.value)) for frame in frames})
        if sizes in ([], self.data.sizes):
            return ""
        return f"{self.data.feature_names} holds {sizes} bytes a frame, but --feature_sizes={self.data.feature_sizes}"


def cut_or_padded(frames: tf.Tensor, max_frames: int) -> tf.Tensor:
    """Makes frames [B, any, D] to [B, max_frames, D], with zeros where there are too few."""
    missing = tf.maximum(max_frames - tf.shape(frames)[1], 0)
    frames = tf.pad(frames[:, :max_frames], [[0, 0], [0, missing], [0, 0]])
    return tf.ensure_shape(frames, [None, max_frames, frames.shape[2]])


def label_beyond(record: tf.train.SequenceExample, num_classes: int) -> str:
    """Says which label of a record is no class, or "" where all are."""
    labels = record.context.feature["labels"].int64_list.value
    beyond = [label for label in labels if not 0 <= label < num_classes]
    wanted = f"0 to {num_classes - 1}: set --num_classes to the number of classes"
    return f"label {beyond[0]} is not in {wanted}" if beyond else ""


def multi_hot(labels: tf.SparseTensor, num_classes: int) -> tf.Tensor:
    """Spreads label lists over classes: uint8 [B, C]; a label out of range is an InvalidArgumentError."""
    indices = tf.stack([labels.indices[:, 0], labels.values], axis=1)
    empty = tf.zeros([labels.dense_shape[0], num_classes], tf.uint8)
    return tf.tensor_scatter_nd_update(empty, indices, tf.ones_like(labels.values, tf.uint8))


def mean_over_frames(frames: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
    """Averages dequantised bytes over the frames that are there.

    Args:
        frames: uint8 [B, T, D], padded with 0.
        num_frames: int32 [B].

    Returns:
        float32 [B, D] in [-2, 2.01]; zeros for a clip without frames.
    """
    count = tf.cast(num_frames, tf.float32)[:, None]
    mean = tf.reduce_sum(tf.cast(frames, tf.float32), axis=1) / tf.maximum(count, 1.0)  # [B, D], bytes
    return tf.where(count > 0, mean * (4 / 255) + (4 / 512 - 2), 0.0)
