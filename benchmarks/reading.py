"""Is the reader as fast as its records can be read? Batches, in order and shuffled, against raw records."""

import functools

import numpy as np
import tensorflow as tf

from benchmarks.measure import Result, alternately
from readers import AudioSetFrameReader, Clips, open_clips
from yt8m_audio.config import DataConfig
from yt8m_audio.records import read_chunks

BATCH_SIZE = 1024
PASSES = 4  # so that starting counts little
DATA = DataConfig(
    feature_names="audio_embedding", feature_sizes="128", frame_features=True, num_classes=527, max_frames=10
)


def opened(pattern: str) -> Clips:
    """The clips to measure with."""
    return open_clips(pattern, "train_data_pattern", AudioSetFrameReader(DATA))


def results(pattern: str) -> list[Result]:
    """Raw reading is `read_chunks`, the fastest arrangement of TFRecordDataset that was found, in batches."""
    clips = opened(pattern)
    raw = read_chunks(clips.shards, 1024).rebatch(BATCH_SIZE).repeat(PASSES)
    in_order = clips.in_order(BATCH_SIZE).repeat(PASSES)
    shuffled = clips.shuffled(BATCH_SIZE, epochs=PASSES, seed=0)
    raw_shuffled = read_chunks(clips.shards, 256, mixed=True).unbatch().shuffle(8192).batch(BATCH_SIZE).repeat(PASSES)
    works = [functools.partial(read, each, PASSES * len(clips)) for each in (raw, in_order, raw_shuffled, shuffled)]
    raw_rate, in_order_rate, raw_shuffled_rate, shuffled_rate = alternately(*works)
    return [
        Result("reading in order", in_order_rate, "clips/s", "raw records", raw_rate),
        Result("reading shuffled", shuffled_rate, "clips/s", "raw records, shuffled", raw_shuffled_rate),
    ]


def read(dataset: tf.data.Dataset, num_clips: int) -> int:
    """Reads a data set to its end, inside TensorFlow, and returns how many clips that was."""
    dataset.reduce(np.int64(0), lambda batches, _: batches + 1).numpy()
    return num_clips
