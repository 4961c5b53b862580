"""The limit of streaming: records as TensorFlow reads them, in the best arrangement found, and not parsed.

What was tried: a data set a file; one over all files with parallel reads; groups of files, some of them interleaved,
whose records travel one by one or in vectors. Groups with vectors are the fastest on small records, parallel reads on
large ones.
"""

from collections.abc import Sequence

import tensorflow as tf

SHUFFLED = 8192
GROUPS = 8
MOST_SHARDS_IN_A_GROUP = 64
CHUNK = 256


def small_records(shards: Sequence[str]) -> tf.data.Dataset:
    """Vectors of small records, from groups of shards that are interleaved."""
    size = min(MOST_SHARDS_IN_A_GROUP, max(1, len(shards) // (4 * GROUPS)))
    groups = tf.data.Dataset.from_tensor_slices(list(shards)).batch(size)
    return groups.interleave(
        lambda paths: tf.data.TFRecordDataset(paths, buffer_size=1 << 18).batch(CHUNK),
        cycle_length=GROUPS,
        num_parallel_calls=GROUPS,
        deterministic=True,
    )


def shuffled_small_records(shards: Sequence[str], batch_size: int) -> list[tf.data.Dataset]:
    """Ways to shuffle and batch small records."""
    chunks = small_records(shards)
    plain = tf.data.TFRecordDataset(list(shards), num_parallel_reads=2, buffer_size=1 << 20)
    return [chunks.unbatch().shuffle(SHUFFLED).batch(batch_size), plain.shuffle(SHUFFLED).batch(batch_size)]


def large_records(shards: Sequence[str], batch_size: int) -> list[tf.data.Dataset]:
    """Ways to read large records: one by one and in batches, from one, two and four shards at a time."""
    ways = [tf.data.TFRecordDataset(list(shards), num_parallel_reads=reads, buffer_size=1 << 22) for reads in (1, 2, 4)]
    return [*ways, *(way.batch(batch_size) for way in ways)]
