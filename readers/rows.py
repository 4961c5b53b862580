"""Clips as arrays: what stores give, before labels are spread over classes.

rows = store.fetch(np.array([7, 3, 5]))
rows.features         # uint8 [3, T, D]
rows.labels.take([0])  # the labels of clip 7
"""

import collections
import contextlib
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

ALIGNMENT = 64  # bytes, of what TensorFlow computes with
LARGE_BYTES, HUGE_BYTES, KEPT_PIECES = 1 << 20, 128 << 20, 4  # memory of these sizes is used again, so many pieces


class Ragged(NamedTuple):
    """Lists of different lengths.

    Attributes:
        values: [sum], all lists, one after another.
        counts: int64 [n], how long each is.
    """

    values: np.ndarray
    counts: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Which list each value is in, int64 [sum]."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def starts(self) -> np.ndarray:
        """Where each list begins in the values, int64 [n]."""
        return np.cumsum(self.counts) - self.counts

    def take(self, numbers: np.ndarray) -> "Ragged":
        """Those lists, in that order."""
        return gather(self.values, self.starts[numbers], self.counts[numbers])


class Described(NamedTuple):
    """Clips without their features.

    Attributes:
        video_id: object [n] of bytes.
        start_time: float32 [n], seconds.
        labels: classes.
        real: bool [n], false for those that are corrupt and passed over.
    """

    video_id: np.ndarray
    start_time: np.ndarray
    labels: Ragged
    real: np.ndarray

    def take(self, numbers: np.ndarray) -> "Described":
        """Those clips, in that order."""
        labels = self.labels.take(numbers)
        return Described(self.video_id[numbers], self.start_time[numbers], labels, self.real[numbers])


def gather(values: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> Ragged:
    """Takes lists out of values [sum]: those that begin at `starts` and are `counts` long."""
    before = np.cumsum(counts) - counts  # where each will begin
    return Ragged(values[np.repeat(starts - before, counts) + np.arange(counts.sum())], counts)


def join(parts: Sequence[Ragged]) -> Ragged:
    """The lists of several, one after another."""
    return Ragged(np.concatenate([each.values for each in parts]), np.concatenate([each.counts for each in parts]))


@dataclasses.dataclass(frozen=True)
class Rows:
    """Clips.

    Attributes:
        video_id: object [n], bytes.
        features: uint8 or float32 [n, T, D], or float32 [n, D].
        num_frames: int32 [n].
        labels: class indices; for segments all classes that were rated.
        scores: uint8 [sum], for segments, whether the class that was rated is true; else None.
        start_time: float32 [n], seconds.
        end_time: float32 [n], seconds.
        real: bool [n], false for a row that stands for a corrupt record; such a row is all zeros.
    """

    video_id: np.ndarray
    features: np.ndarray
    num_frames: np.ndarray
    labels: Ragged
    start_time: np.ndarray
    end_time: np.ndarray
    real: np.ndarray
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.num_frames)

    def only_real(self) -> "Rows":
        """The rows that stand for whole records."""
        if self.real.all():
            return self
        names = ("video_id", "features", "num_frames", "start_time", "end_time", "real")
        labels = self.labels.take(np.flatnonzero(self.real))  # a row that is not real has none, and no scores
        return dataclasses.replace(self, labels=labels, **{name: getattr(self, name)[self.real] for name in names})

    def spread(self, real: np.ndarray) -> "Rows":
        """Puts rows [m] to where `real` [n] is true, and zeros elsewhere."""

        def spread(values):
            out = np.zeros((len(real), *values.shape[1:]), values.dtype)
            out[real] = values
            return out

        names = ("features", "num_frames", "start_time", "end_time")
        video_id = np.full(len(real), b"", object)
        video_id[real] = self.video_id
        arrays = {name: spread(getattr(self, name)) for name in names}
        labels = Ragged(self.labels.values, spread(self.labels.counts))
        return dataclasses.replace(self, video_id=video_id, labels=labels, real=real, **arrays)


def join_rows(parts: Sequence[Rows], features: np.ndarray) -> Rows:
    """The clips of several, one after another, whose features are already in one array."""

    def joined(name):
        return np.concatenate([getattr(rows, name) for rows in parts])

    return Rows(
        features=features,
        labels=join([rows.labels for rows in parts]),
        scores=None if parts[0].scores is None else joined("scores"),
        **{name: joined(name) for name in ("video_id", "num_frames", "start_time", "end_time", "real")},
    )


def aligned(shape: Sequence[int], dtype) -> np.ndarray:
    """An array, not filled, that TensorFlow takes over without a copy."""
    loan = _Loan(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.asarray(loan).view(dtype).reshape(shape)


class _Loan:
    """Memory that every view of an array holds on to, and that is used again when the last one has gone.

    Fresh memory is slow at first touch: it takes about half as long as reading a large clip's record does.
    """

    free: ClassVar[collections.deque] = collections.deque(maxlen=KEPT_PIECES)

    def __init__(self, size: int):
        self.memory = self._found(size + ALIGNMENT)
        start = -self.memory.ctypes.data % ALIGNMENT
        self.__array_interface__ = self.memory[start : start + size].__array_interface__

    def __del__(self):
        if LARGE_BYTES <= len(self.memory) <= HUGE_BYTES:
            self.free.append(self.memory)

    def _found(self, size: int) -> np.ndarray:
        """Memory of at least so many bytes, and not of many more."""
        for _ in range(len(self.free)):
            with contextlib.suppress(IndexError):  # another thread was quicker
                memory = self.free.popleft()
                if size <= len(memory) <= 1.25 * size:
                    return memory
                self.free.append(memory)
        return np.empty(size, np.uint8)


def multi_hot(labels: Ragged, num_classes: int, values: np.ndarray | int = 1, dtype=np.uint8) -> np.ndarray:
    """Spreads label lists over classes, [n, C]; the labels must be in 0 to C - 1."""
    out = aligned((len(labels.counts), num_classes), dtype)
    out.fill(0)
    out[labels.rows, labels.values] = values
    return out
