"""Fields of millions of lines at once: where they are in a file's bytes, and what numbers they hold.

    marked = Marked.of(b"a, 0.500\\nb, 10.000\\n", b",")
    commas = marked.marks[marked.firsts]                                    # where the first comma of each line is
    milliseconds(marked.values, commas + 2, marked.stops)                   # 500, 10000

Python's loop over lines takes a microsecond for each thing that it does with one; here a line costs about as much in
all.
"""

import dataclasses
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError, reason

NEWLINE, POINT, ZERO = ord("\n"), ord("."), ord("0")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LONGEST_NUMBER = 15  # characters: what is longer is no time in seconds


@dataclasses.dataclass(frozen=True)
class Marked:
    """A file's bytes, and where its separators are.

    Attributes:
        values: uint8 [bytes]; the last one ends a line.
        marks: int64 [m], places of all separators and line ends, rising.
        kinds: uint8 [m], which they are.
        ends: int64 [lines], which of the marks end a line.
    """

    values: np.ndarray
    marks: np.ndarray
    kinds: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, content: bytes, separators: bytes) -> "Marked":
        """Finds them. A last line that does not end is ended."""
        if not content.endswith(b"\n"):
            content += b"\n"
        is_mark = np.zeros(256, bool)
        is_mark[[NEWLINE, *separators]] = True
        values = np.frombuffer(content, np.uint8)
        marks = np.flatnonzero(is_mark[values])
        kinds = values[marks]
        return cls(values, marks, kinds, np.flatnonzero(kinds == NEWLINE))

    @property
    def stops(self) -> np.ndarray:
        """Where each line ends: the place of its line end, int64 [lines]."""
        return self.marks[self.ends]

    @property
    def starts(self) -> np.ndarray:
        """Where each line begins, int64 [lines]."""
        return np.concatenate([[0], self.stops[:-1] + 1])

    @property
    def firsts(self) -> np.ndarray:
        """Which of the marks is the first of each line, int64 [lines]."""
        return np.concatenate([[0], self.ends[:-1] + 1])


def read_bytes(path: str, asked: str) -> bytes:
    """Reads a text file's bytes, without a byte order mark.

    Args:
        path: the file.
        asked: what the error begins with.

    Raises:
        UserError: if it cannot be read, holds nothing, or is no UTF-8 text.
    """
    try:
        content = Path(path).read_bytes().removeprefix(BYTE_ORDER_MARK)
        if not content.isascii():
            content.decode()
    except OSError as error:
        raise UserError(f"{asked}: {reason(error)}.") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{asked}: line {line} is no UTF-8 text.") from error
    if not content.strip():
        raise UserError(f"{asked}: it is empty.")
    return content


def milliseconds(values: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Numbers with three decimals, such as 30.000, times a thousand.

    Args:
        values: uint8 [bytes].
        starts: int64 [n], where each begins.
        stops: int64 [n], where each ends.

    Returns:
        int64 [n]; -1 of what is no such number.
    """
    lengths = stops - starts
    right = (lengths > 4) & (lengths <= LONGEST_NUMBER)
    right[right] = values[stops[right] - 4] == POINT
    total, factor = np.zeros(len(starts), np.int64), 1
    for place in range(1, int(lengths[right].max(initial=0)) + 1):
        if place == 4:
            continue
        digits = values[np.maximum(stops - place, 0)] - ZERO  # a byte before 0 wraps to above 9
        within = place <= lengths
        right &= (digits <= 9) | ~within
        total += np.where(within, digits, 0).astype(np.int64) * factor
        factor *= 10
    return np.where(right, total, -1)


def slices(content: bytes, starts: np.ndarray, stops: np.ndarray) -> list[bytes]:
    """The bytes between places."""
    return [content[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
