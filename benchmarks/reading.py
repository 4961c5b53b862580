"""Is a clip read as fast as its record can be? Batches from each store, against raw records and NumPy's indexing."""

import functools

import numpy as np
import tensorflow as tf

from benchmarks.datasets import audioset_pattern, opened
from benchmarks.measure import Result, alternately
from benchmarks.raw import large_records, shuffled_small_records, small_records
from readers import Clips
from readers.packed import write_packed
from readers.rows import multi_hot
from yt8m_audio.batch import HOST_KEYS

BATCH_SIZE, VIDEO_BATCH_SIZE = 1024, 128
PASSES = 4  # so that starting counts little


def results(repacked: str, videos: str, folder: str) -> list[Result]:
    """Streaming from many small shards, from few large ones, and large records; and arrays."""
    small = opened(repacked)
    return [
        *streaming("bal_train, as released", opened(audioset_pattern())),
        *streaming("bal_train in 16 shards", small),
        *streaming_videos(opened(videos)),
        *indexing("memory", small.in_memory()),
        *indexing("packed", packed(small, folder)),
    ]


def streaming(name: str, clips: Clips) -> list[Result]:
    """Clips in order and shuffled, against records that are raw, and raw and shuffled."""
    shards = clips.store.shards.paths
    raw = repeated(small_records(shards), len(clips))
    raw_shuffled = [repeated(each, len(clips)) for each in shuffled_small_records(shards, BATCH_SIZE)]
    in_order = repeated(clips.in_order(BATCH_SIZE), len(clips))
    shuffled = functools.partial(
        read, clips.shuffled(BATCH_SIZE, PASSES, seed=0, without=HOST_KEYS), PASSES * len(clips)
    )
    order_rate, rate, raw_rate, *raw_rates = alternately(in_order, shuffled, raw, *raw_shuffled)
    return [
        Result(f"reading {name}, in order", order_rate, "clips/s", "raw records, not batched", raw_rate),
        Result(f"reading {name}, shuffled", rate, "clips/s", "raw records, shuffled", max(raw_rates)),
    ]


def streaming_videos(clips: Clips) -> list[Result]:
    """Large clips, against raw records."""
    raw = [repeated(each, len(clips)) for each in large_records(clips.store.shards.paths, VIDEO_BATCH_SIZE)]
    in_order = repeated(clips.in_order(VIDEO_BATCH_SIZE), len(clips))
    shuffled = functools.partial(
        read, clips.shuffled(VIDEO_BATCH_SIZE, PASSES, seed=0, without=HOST_KEYS), PASSES * len(clips)
    )
    order_rate, rate, *raw_rates = alternately(in_order, shuffled, *raw, rounds=3)
    return [
        Result("reading YouTube-8M frames, in order", order_rate, "clips/s", "raw records", max(raw_rates)),
        Result("reading YouTube-8M frames, shuffled", rate, "clips/s", "raw records", max(raw_rates)),
    ]


def packed(clips: Clips, folder: str) -> Clips:
    """The same clips from a packed folder."""
    shape = (len(clips), clips.data.max_frames, *clips.data.sizes)
    write_packed(f"{folder}/packed", clips.data, shape, np.uint8, clips.parts())
    return opened(f"{folder}/packed")


def indexing(name: str, clips: Clips) -> list[Result]:
    """Batches from arrays, against NumPy taking the same rows of the same arrays."""
    arrays = clips.store.arrays
    labels = multi_hot(clips.store.labels(), clips.data.num_classes)
    random = np.random.default_rng(0)

    def numpy_indexing():
        for _ in range(PASSES):
            order = random.permutation(len(clips))
            for start in range(0, len(clips), BATCH_SIZE):
                some = order[start : start + BATCH_SIZE]
                _ = (arrays.features[some], arrays.num_frames[some], arrays.video_id[some], labels[some])
        return PASSES * len(clips)

    shuffled = functools.partial(
        read, clips.shuffled(BATCH_SIZE, PASSES, seed=0, without=HOST_KEYS), PASSES * len(clips)
    )
    rate, limit = alternately(shuffled, numpy_indexing)
    return [Result(f"reading bal_train from {name}, shuffled", rate, "clips/s", "NumPy's indexing", limit)]


def repeated(dataset: tf.data.Dataset, num_clips: int):
    """A function that reads a data set a few times over."""
    return functools.partial(read, dataset.repeat(PASSES), PASSES * num_clips)


def read(dataset: tf.data.Dataset, num_clips: int) -> int:
    """Reads a data set to its end, inside TensorFlow, and returns how many clips that was."""
    dataset.reduce(np.int64(0), lambda batches, _: batches + 1).numpy()
    return num_clips
