"""Tables [clips, C] of which a row lists few classes: predictions of the best classes, and labels."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class SparseRows:
    """The entries of N rows.

    Attributes:
        classes: int32 [sum], one row's after another's, each once; None where each row lists all classes in order.
        values: [sum], of the same; entries that are not listed are 0.
        counts: int64 [N], how many each row lists.
    """

    classes: np.ndarray | None
    values: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where each row begins, int64 [N]."""
        return np.cumsum(self.counts) - self.counts

    @property
    def least_classes(self) -> int:
        """How many classes there are at least."""
        if self.classes is None:
            return int(self.counts.max(initial=0))
        return int(self.classes.max(initial=-1)) + 1

    def row_of(self, place: int) -> int:
        """The row that an entry is of."""
        return int(np.searchsorted(np.cumsum(self.counts), place, side="right"))

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where the entries of some rows, int64 [n], are, one row's after another's."""
        counts = self.counts[rows]
        before = np.cumsum(counts) - counts
        return np.repeat(self.starts[rows] - before, counts) + np.arange(counts.sum())

    def take(self, rows: np.ndarray) -> "SparseRows":
        """Those rows, int64 [n], in that order."""
        places = self.places(rows)
        return SparseRows(
            None if self.classes is None else self.classes[places], self.values[places], self.counts[rows]
        )

    def dense(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Some rows, int64 [n], as a table [n, C]."""
        places = self.places(rows)
        if self.classes is None:
            return self.values[places].reshape(len(rows), num_classes)
        table = np.zeros((len(rows), num_classes), self.values.dtype)
        table[np.repeat(np.arange(len(rows)), self.counts[rows]), self.classes[places]] = self.values[places]
        return table


def sparse(table: np.ndarray) -> SparseRows:
    """The entries of a table [N, C] that are not 0."""
    rows, classes = np.nonzero(table)
    return SparseRows(classes.astype(np.int32), table[rows, classes], np.bincount(rows, minlength=len(table)))


def joined(parts: list[SparseRows]) -> SparseRows:
    """The rows of several, that list classes, one after another."""
    return SparseRows(
        np.concatenate([each.classes for each in parts]),
        np.concatenate([each.values for each in parts]),
        np.concatenate([each.counts for each in parts]),
    )
