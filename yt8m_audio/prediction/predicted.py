"""What a model says of clips, on its way from the model to a file, and what a file's format must offer.

A format's bytes can be put one after another: an interrupted run goes on behind what is there, and parts that several
workers wrote are concatenated.

    file.write(output.header())
    for predicted in ...:
        file.write(output.rows(predicted))
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

DROPPED = -1  # in place of a class that is not kept


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What a model says of some clips (or segments, windows), best classes first.

    Attributes:
        video_ids: bytes [n], an array of objects, as the records have them.
        start_times: float32 [n], seconds.
        end_times: float32 [n], seconds.
        classes: int32 [n, k], -1 where fewer than k are kept. Of equal scores the lower class is first. Where all
            scores are asked for they are 0 to C - 1 in each row.
        scores: float32 [n, k].
    """

    video_ids: np.ndarray
    start_times: np.ndarray
    end_times: np.ndarray
    classes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.video_ids)

    def take(self, rows: np.ndarray | slice) -> "Predicted":
        """Some of the rows: bool [n], numbers [m], or a slice."""
        return Predicted(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


class Format(Protocol):
    """How predictions are written: text, or where it has `combine`, parts that are made a file at the end."""

    def header(self) -> bytes:
        """What a file (of parts: a part) begins with."""

    def rows(self, predicted: Predicted) -> bytes:
        """Rows, of a length of its own each; may be called in another thread."""


class BinaryFormat(Format, Protocol):
    """A format whose header and rows are a part, of which files are made."""

    def combine(self, parts: Sequence[Path], out: Path) -> None:
        """Writes a whole file of parts, in their order; each is `header()` and then any number of `rows()`."""
