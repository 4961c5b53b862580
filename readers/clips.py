"""The clips behind a glob, as batches: shuffled over epochs for training, or once and in order.

    clips = open_clips("bal_train/*.tfrecord", "train_data_pattern", reader)
    len(clips)                                                    # 22160
    for batch in clips.in_order(batch_size=1024): ...
    for batch in clips.shuffled(batch_size=1024, epochs=5, seed=0, start_step=40): ...

Batch k of a training run is a function of (seed, k): each epoch is shuffled with a seed of its own, epochs follow
one another without a short batch between them, and a resumed run skips to its place in its epoch.
"""

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from readers.reader import Reader
from yt8m_audio import records
from yt8m_audio.errors import UserError

READING_ERRORS = (
    tf.errors.DataLossError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
)
CHUNK_BYTES = 1 << 20
SHUFFLE_BYTES = 64 << 20
MOST_SHUFFLED_CLIPS = 8192
MIXED_GROUPS = 8  # not num_readers: the order of a run must not depend on it
MIXED_CHUNK = 256  # clips from one group before those of the next


@dataclasses.dataclass(frozen=True)
class Clips:
    """The clips of some shards.

    Attributes:
        reader: parses them.
        shards: paths.
        num_clips: how many there are, those that `keep` leaves out not counted.
        record_bytes: size of a typical record.
        keep: ids [n] -> bool [n], which clips to read; all when None.
        lost: how many records each corrupt shard lost, where such are skipped.
    """

    reader: Reader
    shards: Sequence[str]
    num_clips: int
    record_bytes: int
    keep: Callable[[np.ndarray], np.ndarray] | None = None
    lost: dict[str, int] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return self.num_clips

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        """Gives every clip once, in the order of the shards; the last batch is filled up with rows of weight 0."""
        return self._batches(self._chunks(self.shards, mixed=False), batch_size)

    def shuffled(self, batch_size: int, epochs: int, seed: int, start_step: int = 0) -> tf.data.Dataset:
        """Gives every clip once an epoch, in another order each epoch, from batch `start_step` on."""
        first_epoch, skipped = divmod(start_step * batch_size, self.num_clips)
        first_window, skipped = divmod(skipped, self._window_size())
        windows = tf.data.Dataset.range(first_epoch, epochs).flat_map(lambda epoch: self._shuffled_windows(seed, epoch))

        def cut(number, serialized):
            return tf.cond(number == 0, lambda: serialized[skipped:], lambda: serialized)

        windows = windows.skip(first_window).enumerate().map(cut) if skipped else windows.skip(first_window)
        return self._batches(windows.prefetch(1), batch_size)

    def only(self, keep: Callable[[np.ndarray], np.ndarray]) -> "Clips":
        """Returns those of the clips that a function of ids, bytes [n] -> bool [n], keeps; every shard is read once.

        Raises:
            UserError: if it keeps none.
        """
        clips = dataclasses.replace(self, keep=keep)
        with self.errors_explained():
            kept = sum(int(chunk.shape[0]) for chunk in clips._chunks(self.shards, mixed=False))
        if not kept:
            raise UserError(f"None of the {self.num_clips:,} clips is in the chosen split.")
        return dataclasses.replace(clips, num_clips=kept)

    @contextlib.contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Turns what goes wrong in reading and parsing, while the clips are consumed, into what `explain` says."""
        try:
            yield
        except READING_ERRORS as error:
            raise self.explain(error) from error

    def explain(self, error: Exception) -> Exception:
        """Turns an error of reading or parsing into one that names the file and the record, where one is at fault."""
        parse = tf.function(self.reader.parse, input_signature=[tf.TensorSpec([None], tf.string)])
        fault = records.find_fault(self.shards, parse)
        if fault is None:
            return error
        path, number, why = fault
        if isinstance(why, tf.errors.DataLossError):
            return UserError(records.corrupt_message(path, number))
        if isinstance(why, tf.errors.InvalidArgumentError):
            serialized = next(iter(tf.data.TFRecordDataset(path).skip(number))).numpy()
            return UserError(f"{path}, record {number}: {self._fault(serialized) or why.message.splitlines()[0]}.")
        return UserError(f"{path} cannot be read: {why.message}")

    def _fault(self, serialized: bytes) -> str:
        try:
            return self.reader.fault(serialized)
        except Exception:  # whatever protobuf raises on bytes that are no message
            return "it is no tf.train.SequenceExample"

    def _window_size(self) -> int:
        """Clips that are shuffled among themselves, as many as fit in SHUFFLE_BYTES."""
        return int(np.clip(SHUFFLE_BYTES // self.record_bytes, 256, MOST_SHUFFLED_CLIPS))

    def _shuffled_windows(self, seed: int, epoch: tf.Tensor) -> tf.data.Dataset:
        """One epoch's serialised records: shards in random order, and windows of their records shuffled."""
        epoch_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
        shards = tf.random.experimental.stateless_shuffle(tf.constant(self.shards), epoch_seed)

        def shuffle(number, serialized):
            window_seed = tf.random.experimental.stateless_fold_in(epoch_seed, number)
            return tf.random.experimental.stateless_shuffle(serialized, window_seed)

        return self._chunks(shards, mixed=True).rebatch(self._window_size()).enumerate().map(shuffle)

    def _chunks(self, shards, mixed: bool) -> tf.data.Dataset:
        """Serialised records in vectors, without those that `keep` leaves out."""
        size = int(np.clip(CHUNK_BYTES // self.record_bytes, 1, MIXED_CHUNK if mixed else 1024))
        groups = MIXED_GROUPS if mixed else self.reader.data.num_readers
        chunks = records.read_chunks(shards, size, groups=groups, mixed=mixed)
        return chunks if self.keep is None else chunks.map(self._kept, num_parallel_calls=2)

    def _kept(self, serialized: tf.Tensor) -> tf.Tensor:
        keep = tf.numpy_function(self.keep, [self.reader.video_ids(serialized)], tf.bool, stateful=False)
        return tf.boolean_mask(serialized, tf.ensure_shape(keep, [None]))

    def _batches(self, serialized: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        """Parses records, in vectors of any size, to batches of exactly `batch_size` clips."""

        def parse(records):
            real = tf.shape(records)[0]
            filled = tf.pad(records, [[0, batch_size - real]])  # an empty string parses as a clip without anything
            batch = self.reader.parse(filled)
            batch["example_weights"] = tf.sequence_mask(real, batch_size, tf.float32)
            return {key: tf.ensure_shape(value, [batch_size, *value.shape[1:]]) for key, value in batch.items()}

        return serialized.rebatch(batch_size).map(parse, num_parallel_calls=2, deterministic=True).prefetch(4)


def open_clips(pattern: str, flag: str, reader: Reader) -> Clips:
    """Finds and counts the clips of a glob, and with --skip_corrupt_records leaves the corrupt ones out.

    Raises:
        UserError: if there are none, or a shard is cut; it names `flag`, or the file.
    """
    shards, lost = records.find_shards(pattern, flag), {}
    if reader.data.skip_corrupt_records:
        shards, lost = records.salvage(shards)
    num_clips = int(records.count_records(shards).sum()) if shards else 0
    if not num_clips:
        raise UserError(f"--{flag}={pattern} holds no clip that can be read.")
    return Clips(reader, tuple(shards), num_clips, len(records.first_record(shards)), lost=lost)


def held_out(percent: int, inside: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Splits clips by a hash of the video id, so that a clip is on one side in every run and every file.

    Args:
        percent: share of the clips that is held out, 1 to 99; 10 is int(sha256(video_id), 16) % 10 == 0.
        inside: whether to keep the clips that are held out, or the others.

    Returns:
        A function of ids, bytes [n], that gives bool [n].
    """

    def keep(video_ids: np.ndarray) -> np.ndarray:
        digits = [int(hashlib.sha256(each).hexdigest(), 16) % 100 for each in video_ids]
        # The last digit counts first, so that 10 % are those that end in 0.
        ranks = np.array([10 * (each % 10) + each // 10 for each in digits], np.int64)
        return (ranks < percent) == inside

    return keep
