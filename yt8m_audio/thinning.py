"""Rows over time in constant memory, for pictures and lines of a terminal: long ones are thinned as they come.

thinned = Thinned(most=1000, join=np.max)
for rows in ...:
    thinned.add(rows)              # [n, D], any n
thinned.rows(), thinned.step       # [m, D]; each is the maximum of `step` rows
"""

from collections.abc import Callable

import numpy as np


class Thinned:
    """Rows of which every 1, 2, 4, 8, ... become one, so that there are never many.

    Args:
        most: whole groups to keep, an even number; behind them may be one that is not whole.
        join: makes one row of several: np.max or np.mean.
    """

    def __init__(self, most: int, join: Callable = np.max):
        self.most, self.join, self.step = most, join, 1
        self.joined: np.ndarray | None = None  # [m, D], m <= most
        self.waiting: np.ndarray | None = None  # [w, D], w < step

    def add(self, rows: np.ndarray) -> None:
        """Takes the next rows, [n, D]."""
        if self.joined is None:
            self.joined = self.waiting = rows[:0]
        rows = np.concatenate([self.waiting, rows])
        while len(rows) >= self.step:
            if len(self.joined) == self.most:
                self.joined, self.step = self._of_groups(self.joined, 2), 2 * self.step
                continue
            groups = min(len(rows) // self.step, self.most - len(self.joined))
            self.joined = np.concatenate([self.joined, self._of_groups(rows[: groups * self.step], self.step)])
            rows = rows[groups * self.step :]
        self.waiting = rows

    def rows(self) -> np.ndarray:
        """What there is so far, [m, D].

        Raises:
            ValueError: if nothing was added, so that D is not known.
        """
        if self.joined is None:
            raise ValueError("Nothing was added to what is to be thinned.")
        if not len(self.waiting):
            return self.joined
        return np.concatenate([self.joined, self._of_groups(self.waiting, len(self.waiting))])

    def _of_groups(self, rows: np.ndarray, size: int) -> np.ndarray:
        """Joins each `size` rows to one."""
        return self.join(rows.reshape(-1, size, rows.shape[1]), axis=1)
