"""The clips behind a pattern, as batches: shuffled over epochs for training, or once and in order.

    clips = open_clips("bal_train/*.tfrecord", "train_data_pattern", data)
    len(clips)                                                    # 22160
    for batch in clips.in_order(batch_size=1024): ...
    for batch in clips.shuffled(batch_size=1024, epochs=5, seed=0, start_step=40): ...
    held_out_clips, others = clips.split(held_out(10))
    others.in_memory()

Batch k of a training run is a function of (seed, k): an order says which clips it holds, and a store gives any clips.
`tf.data` does what it is best at: several batches are made at a time, beside the device.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np
import tensorflow as tf

from readers.orders import ClassBalanced, GlobalShuffle, InOrder, InverseFrequency, Order, ShardShuffle
from readers.packed import Packed, fill, is_packed, read_packed
from readers.pooling import pool_frames
from readers.reader import fitted, label_message, resolve
from readers.rows import Described, Ragged, Rows, multi_hot
from readers.stores import ArrayStore, RecordStore, SegmentStore
from yt8m_audio import records
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.registry import READERS

UNIT_BYTES = 32 << 20  # of clips that are read from shards, and shuffled among themselves, at a time
ARRAY_UNIT_BYTES = 8 << 20  # of clips that are taken from arrays at a time
MOST_UNIT_CLIPS = 8192
UNITS_AT_A_TIME, MADE_BYTES = 2, 256 << 20  # units that are made at a time, and what they may take
PREFETCHED_BYTES = 128 << 20
MOST_PREFETCHED = 4
RUN_BYTES = 1 << 20  # of clips that lie together in a shard and stay together until they are shuffled
MOST_NAMED = 20  # shards whose corrupt records are told of one by one
EXAMPLES, EXAMPLE_BYTES = 1024, 8 << 20  # most records that are looked at to see what a data set holds


@dataclasses.dataclass(frozen=True)
class Clips:
    """Some clips of a store.

    Attributes:
        store: gives any of its clips by number.
        data: settings, complete.
        selection: int64 [clips], ascending, the numbers of the clips in the store; all when None.
        faults: errors that came up while batches were made, which TensorFlow would tell as its own.
        named: shards whose corrupt records have been spoken of.
    """

    store: RecordStore | SegmentStore | ArrayStore
    data: DataConfig
    selection: np.ndarray | None = None
    faults: list[Exception] = dataclasses.field(default_factory=list)
    named: set[str] = dataclasses.field(default_factory=set)

    def __len__(self) -> int:
        return len(self.store) if self.selection is None else len(self.selection)

    # Batches

    def in_order(self, batch_size: int, without: Collection[str] = ()) -> tf.data.Dataset:
        """Gives every clip once, in the order of the store; the last batch is filled up with rows of weight 0."""
        unit = self._unit_clips(batch_size, most=max(2 * batch_size, MOST_UNIT_CLIPS))  # large batches by twos
        return self.batches(InOrder(len(self), unit), batch_size, without=without)

    def shuffled(
        self, batch_size: int, epochs: int, seed: int, start_step: int = 0, without: Collection[str] = ()
    ) -> tf.data.Dataset:
        """Gives as many clips as the epochs hold, drawn as --sampling says, from batch `start_step` on."""
        return self.batches(self.order(batch_size, epochs, seed), batch_size, start_step, without)

    def order(self, batch_size: int, epochs: int, seed: int) -> Order:
        """The order of a training run; its numbers count from 0 within these clips, as `selection` does."""
        draws, unit = epochs * len(self), self._unit_clips(batch_size)
        if self.data.sampling == "balanced":
            return ClassBalanced(self.labels(), draws, seed, unit)
        if self.data.sampling == "weighted":
            return InverseFrequency(self.labels(), draws, seed, unit)
        if self.is_indexed:
            return GlobalShuffle(len(self), epochs, seed, unit)
        shard = self.store.shard_of(np.arange(len(self)) if self.selection is None else self.selection)
        run = max(1, RUN_BYTES // self.store.clip_bytes)
        return ShardShuffle(np.bincount(shard), epochs, seed, window=unit, longest_run=run)

    def batches(
        self, order: Order, batch_size: int, start_step: int = 0, without: Collection[str] = ()
    ) -> tf.data.Dataset:
        """Gives the clips of an order; the last batch is filled up with rows of weight 0.

        Args:
            order: which clips.
            batch_size: clips in a batch.
            start_step: the first batch to give.
            without: keys that are left out of batches, such as HOST_KEYS or LABEL_KEYS; that is faster.
        """
        first, skipped = order.locate(min(start_step * batch_size, len(order)))
        spec = {key: each for key, each in self._spec(batch_size).items() if key not in without}

        def make(number):
            batch = self.batch(order.unit(int(number))[skipped if number == first else 0 :], spec)
            missing = -len(order) % batch_size if number == order.num_units - 1 else 0
            return [filled_up(each, missing) for each in batch.values()]

        def as_dict(number):
            kinds = [each.dtype for each in spec.values()]
            arrays = tf.numpy_function(lambda unit: self._noted(lambda: make(unit)), [number], kinds, stateful=False)
            pairs = zip(arrays, spec.items(), strict=True)
            return {key: tf.ensure_shape(array, [None, *each.shape[1:]]) for array, (key, each) in pairs}

        units = tf.data.Dataset.range(first, order.num_units)
        fitting = MADE_BYTES // (self._unit_clips(batch_size) * batch_bytes(self._spec(1)))
        units = units.map(as_dict, num_parallel_calls=max(1, min(fitting, UNITS_AT_A_TIME)), deterministic=True)
        batches = units.rebatch(batch_size, drop_remainder=True)  # there is none
        prefetched = min(PREFETCHED_BYTES // batch_bytes(spec), MOST_PREFETCHED)  # none of very large batches
        batches = batches.prefetch(prefetched) if prefetched else batches
        return batches.with_options(without_autotuning())

    def batch(self, positions: np.ndarray, keys: Iterable[str]) -> dict[str, np.ndarray]:
        """The clips at some places of `selection`, int64 [n], as these arrays of a batch, in their order."""
        numbers = positions if self.selection is None else self.selection[positions]
        rows = self.rows(numbers)
        labels = self._checked(rows.labels, numbers)
        arrays = {
            "video_id": lambda: rows.video_id,
            "features": lambda: rows.features,
            "num_frames": lambda: rows.num_frames,
            "labels": lambda: multi_hot(labels, self.data.num_classes, 1 if rows.scores is None else rows.scores),
            "example_weights": lambda: rows.real.astype(np.float32),
            "start_time": lambda: rows.start_time,
            "end_time": lambda: rows.end_time,
            "label_weights": lambda: multi_hot(labels, self.data.num_classes, dtype=np.float32),
        }
        return {key: arrays[key]() for key in keys}

    def rows(self, numbers: np.ndarray) -> Rows:
        """Clips of the store, int64 [n], their frames pooled where the model takes one vector."""
        rows = self.store.fetch(numbers)
        if self.data.frame_features or rows.features.ndim == 2:
            return rows
        return dataclasses.replace(rows, features=pool_frames(rows.features, rows.num_frames, self.data.pooling))

    def _checked(self, labels: Ragged, numbers: np.ndarray) -> Ragged:
        """The labels of clips of the store.

        Raises:
            UserError: if one is no class; it names the record.
        """
        values, most = labels.values, self.data.num_classes
        if len(values) and (values.min() < 0 or values.max() >= most):
            wrong = int(np.argmax((values < 0) | (values >= most)))
            place = self.store.place(int(numbers[labels.rows[wrong]]))
            raise UserError(f"{place}: {label_message(values[wrong], most)}.")
        return labels

    def _spec(self, batch_size: int) -> dict[str, tf.TensorSpec]:
        """What the arrays of a batch are, in their order."""
        data = self.data
        size = sum(data.model_sizes)
        frames = data.segment_size if self.store.reader.by_segment else data.max_frames
        is_bytes = data.frame_features and set(data.types) == {"uint8"}
        feature_shape = [frames, size] if data.frame_features else [size]
        spec = {
            "video_id": tf.TensorSpec([batch_size], tf.string),
            "features": tf.TensorSpec([batch_size, *feature_shape], tf.uint8 if is_bytes else tf.float32),
            "num_frames": tf.TensorSpec([batch_size], tf.int32),
            "labels": tf.TensorSpec([batch_size, data.num_classes], tf.uint8),
            "example_weights": tf.TensorSpec([batch_size], tf.float32),
            "start_time": tf.TensorSpec([batch_size], tf.float32),
            "end_time": tf.TensorSpec([batch_size], tf.float32),
        }
        if data.segment_labels:
            spec["label_weights"] = tf.TensorSpec([batch_size, data.num_classes], tf.float32)
        return spec

    def _unit_clips(self, batch_size: int, most: int = MOST_UNIT_CLIPS) -> int:
        """Clips that are made at a time: as many whole batches as fit, one at least."""
        return max(1, self._fitting_clips(most) // batch_size) * batch_size

    def _fitting_clips(self, most: int = MOST_UNIT_CLIPS) -> int:
        """Clips that are made at a time where there are no batches."""
        bytes_each = max(self.store.clip_bytes, batch_bytes(self._spec(1)))
        unit_bytes = ARRAY_UNIT_BYTES if self.is_indexed else UNIT_BYTES
        return int(np.clip(unit_bytes // bytes_each, 1, most))

    # Parts

    def split(self, keep: Callable[[np.ndarray], np.ndarray]) -> tuple["Clips", "Clips"]:
        """Returns those of the clips that a function of ids, bytes [n] -> bool [n], keeps, and the others.

        Every shard is read once.

        Raises:
            UserError: if there are none of one kind.
        """
        ids = self.store.video_ids()
        numbers = np.arange(len(self.store)) if self.selection is None else self.selection
        kept = keep(ids[numbers])
        for count, which in ((kept.sum(), "is"), ((~kept).sum(), "is not")):
            if not count:
                raise UserError(f"None of the {len(self):,} clips {which} held out: change --validation_percent.")
        return tuple(dataclasses.replace(self, selection=numbers[each]) for each in (kept, ~kept))

    def labels(self) -> Ragged:
        """The labels of all clips; every shard is read once.

        Raises:
            UserError: if one is no class; it names the record.
        """
        labels = self._checked(self.store.labels(), np.arange(len(self.store)))
        return labels if self.selection is None else labels.take(self.selection)

    def described(self) -> Described:
        """The clips without their features, corrupt ones left out; every shard is read once. Not of segments.

        Raises:
            UserError: if a label is no class; it names the record.
        """
        found = self.store.described()
        self._checked(found.labels, np.arange(len(self.store)))
        numbers = np.arange(len(self.store)) if self.selection is None else self.selection
        return found.take(numbers[found.real[numbers]])

    # Memory

    @property
    def is_indexed(self) -> bool:
        """Whether the clips lie in arrays, in memory or on the disk, that can be indexed at random as they are."""
        return isinstance(self.store, ArrayStore)

    @property
    def memory_bytes(self) -> int:
        """What `in_memory` takes, labels apart."""
        return len(self) * batch_bytes({"features": self._spec(1)["features"]})

    def in_memory(self) -> "Clips":
        """Reads all clips into memory, as bytes where they are bytes; corrupt ones are left out."""
        spec = self._spec(1)["features"]
        features = np.empty((len(self), *spec.shape[1:]), spec.dtype.as_numpy_dtype)
        store = ArrayStore(fill(features, self.parts()), "the clips in memory", self.store.reader)
        store.lost_by_shard = self.store.lost_by_shard
        return dataclasses.replace(self, store=store, selection=None)

    def parts(self) -> Iterator[Rows]:
        """All clips in order, some at a time."""
        size = self._fitting_clips()
        for first in range(0, len(self), size):
            numbers = np.arange(first, min(first + size, len(self)))
            numbers = numbers if self.selection is None else self.selection[numbers]
            rows = self.rows(numbers)
            self._checked(rows.labels, numbers)
            yield rows

    # What goes wrong

    @contextlib.contextmanager
    def errors_explained(self) -> Iterator[None]:
        """Turns TensorFlow's errors, while the clips are consumed, into those that were behind them."""
        try:
            yield
        except tf.errors.OpError as error:
            fault = next((each for each in self.faults if str(each) in error.message), None)
            if fault is None:
                raise
            raise fault from error

    def lost_lines(self, *, once: bool = False) -> list[str]:
        """What there is to say of corrupt records come across so far: each shard once, and how many they are.

        Args:
            once: the clips are gone through once: how many they are is left out where one shard's line says it.
        """
        lost = self.store.lost_by_shard()
        new = [path for path in lost if path not in self.named]
        self.named.update(new)
        lines = [f"warning: {path}: {_corrupt(lost[path])} left out." for path in new[:MOST_NAMED]]
        if len(new) > MOST_NAMED:
            lines.append(f"warning: and in {len(new) - MOST_NAMED:,} more shards.")
        if not lost or (once and len(lost) == len(lines) == 1):
            return lines
        return [*lines, f"{_corrupt(sum(lost.values()))} left out{'' if once else ' so far'}."]

    def _noted(self, work: Callable):
        """Does some work, and notes what goes wrong for `errors_explained`."""
        try:
            return work()
        except Exception as error:
            self.faults.append(error)
            raise


def _corrupt(count: int) -> str:
    return f"{count:,} corrupt record{'s' if count > 1 else ''}"


def without_autotuning() -> tf.data.Options:
    """There is nothing to tune here, and tuning holds up the end of a data set until it wakes again."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def filled_up(array: np.ndarray, missing: int) -> np.ndarray:
    """Adds rows of zeros, or of empty ids, to an array of a batch."""
    if not missing:
        return array
    nothing = b"" if array.dtype == object else 0
    return np.concatenate([array, np.full((missing, *array.shape[1:]), nothing, array.dtype)])


def batch_bytes(spec: dict[str, tf.TensorSpec]) -> int:
    """Bytes of the arrays of a batch, ids not counted."""
    return sum(each.shape.num_elements() * each.dtype.size for each in spec.values() if each.dtype != tf.string)


def open_clips(pattern: str, flag: str, data: DataConfig) -> Clips:
    """Finds the clips of a glob of shards, or of a packed folder.

    Args:
        pattern: the glob, or the folder.
        flag: the flag that gave it, for errors.
        data: settings; what is not given is read off the first records.

    Raises:
        UserError: if there are none, a shard is cut, or the settings do not fit.
    """
    if is_packed(pattern):
        return _open_packed(read_packed(pattern), data)
    shards = records.index_shards(records.find_shards(pattern, flag), data.skip_corrupt_records)
    if not len(shards):
        raise UserError(f"--{flag}={pattern} holds no clip that can be read.")
    data = resolve(data, *_examples(shards, data.skip_corrupt_records))
    reader = READERS.get(data.reader)(data)
    store = RecordStore(shards, reader, data.skip_corrupt_records)
    return Clips(SegmentStore(store) if reader.by_segment else store, data)


def _open_packed(packed: Packed, data: DataConfig) -> Clips:
    """The clips of a packed folder, as far as they fit the settings."""
    there = packed.data
    found = dict(zip(there.names, zip(there.types, there.sizes, strict=True), strict=True))
    if data.segment_labels and not there.segment_labels:
        raise UserError(f"--segment_labels: {packed.path} was not packed by segments.")
    reader = READERS.get(there.reader)
    if data.reader not in ("", there.reader):
        raise UserError(f"--reader={data.reader}: {packed.path} was packed with {there.reader}.")
    holds = f"{packed.path} holds {there.feature_names}"
    segments = {"segment_labels": there.segment_labels, "segment_size": there.segment_size}
    data = fitted(dataclasses.replace(data, **segments), reader, found, holds)
    kinds = ",".join(len(data.names) * [packed.arrays.features.dtype.name])  # bytes and floats were packed as floats
    data = dataclasses.replace(data, num_classes=data.num_classes or there.num_classes, feature_types=kinds)
    if packed.arrays.features.ndim == 3:
        data = dataclasses.replace(data, max_frames=data.max_frames or there.max_frames)
    begins = dict(zip(there.names, np.cumsum([0, *there.sizes]), strict=False))
    columns = [slice(begins[name], begins[name] + size) for name, size in zip(data.names, data.sizes, strict=True)]
    columns = [] if data.names == there.names else columns
    whole = there.segment_labels or data.max_frames == packed.arrays.features.shape[1]
    max_frames = None if whole else data.max_frames
    return Clips(ArrayStore(packed.arrays, packed.path, reader(data), columns, max_frames), data)


def _examples(shards: records.Shards, skip_corrupt: bool) -> tuple[list[bytes], str]:
    """The first records that are whole, and the first one's file.

    Raises:
        UserError: if the first one is corrupt, unless that is to be passed over, or none is whole.
    """
    some = int(
        np.clip(np.searchsorted((shards.ends - shards.starts).cumsum(), EXAMPLE_BYTES), 1, min(EXAMPLES, len(shards)))
    )
    for first in range(0, len(shards), some):
        found, whole = records.read_records(shards, np.arange(first, min(first + some, len(shards))))
        if not whole.all() and not skip_corrupt:
            raise UserError(records.corrupt_message(*shards.place(first + int(np.argmin(whole)))))
        if whole.any():
            examples = found.only(whole)
            return [examples[number] for number in range(len(examples))], shards.place(first + int(np.argmax(whole)))[0]
    raise UserError(f"None of the {len(shards):,} records is whole: fetch the shards again.")
