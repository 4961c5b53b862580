"""What a job over many machines is: inputs in which parts are found, workers that make rows of them, files of rows.

    inputs ──find──► Part ──work──► Piece ──write──► files
                 └─► Failure ◄─┘

A clip is known by its input and its number in there, both from 0; in that order clips are numbered through, and
stand in the output, whichever worker did them and when. Job and parts travel between machines: they are pickled.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np


class Part(NamedTuple):
    """Some neighbouring clips of an input: what goes to a worker at a time.

    Attributes:
        input: number of the input.
        first: number of the first clip within it.
        count: how many clips.
        content: where they are to be had; what `find` says and `work` understands.
    """

    input: int
    first: int
    count: int
    content: Any


class Size(NamedTuple):
    """How many clips an input has; of one that is not told there are none."""

    input: int
    count: int


class Piece(NamedTuple):
    """Rows that were made of a part.

    Attributes:
        input: number of the input.
        numbers: int64 [rows], the clip within the input that each row is of, not falling.
        content: the rows, as `write` reads them.
        file: number of the file that they belong to; None where `file_of` says that of each clip.
    """

    input: int
    numbers: np.ndarray
    content: bytes
    file: int | None = None


class Failure(NamedTuple):
    """What of an input could not be done.

    Attributes:
        source: the input, such as its path.
        record: number of the clip within it; None where it is of all of it.
        offset: where the clip lies in it, in bytes; None where that is not known.
        reason: in words.
    """

    source: str
    record: int | None
    offset: int | None
    reason: str


class Cut(NamedTuple):
    """A piece in a file of several: so many bytes, of whose rows those from `low` to `high` belong here."""

    length: int
    low: int
    high: int


class Worker(Protocol):
    """What does a job's work in one process; several threads may use it.

    Attributes:
        at_a_time: clips that `work` is given at a time, about; it is given fewer at the end.
    """

    at_a_time: int

    def load(self) -> bool:
        """Loads what `work` needs where that is not there yet; returns whether it did."""

    def work(self, parts: Sequence[Part]) -> Iterator[Piece | Failure]:
        """Makes rows of parts."""

    def write(self, number: int, path: Path, pieces: Path, cuts: Sequence[Cut]) -> None:
        """Writes a file, by its number, of pieces, which lie one after another in another file, in their order."""


class Job(Protocol):
    """A job; to be pickled.

    Attributes:
        files: paths of what is written.
    """

    files: Sequence[str]

    def find(self, number: int, source: Any) -> Iterator[Part | Size | Failure]:
        """Finds the parts of an input."""

    def open(self) -> Worker:
        """Makes a worker."""

    def file_of(self, clips: np.ndarray, total: int) -> np.ndarray:
        """Numbers of the files that clips, int64 [n], belong to, where there are so many in all: int64 [n].

        Of the rows of a piece, which are of rising clips, those of a file are neighbours.
        """


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a job did; None where the runner does not tell.

    Attributes:
        rows: rows that were made.
        failures: what could not be done.
        loads: how often a worker was loaded.
    """

    rows: int | None
    failures: int | None
    loads: int | None
