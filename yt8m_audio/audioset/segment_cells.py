"""The cells of AudioSet's lists of segments, found in all lines at once.

    marked = Marked.of(content, SEPARATORS)
    cells = cells_of(marked, rows_of(marked))       # ID, 30.000, 40.000, "/m/09x0r,/t/dd00088"

What is spelt otherwise (no blanks, other decimals, no quotes, as pandas writes) is spelt so first, line by line.
"""

import csv
import dataclasses
import re

import numpy as np

from yt8m_audio.audioset.byte_fields import Marked, milliseconds
from yt8m_audio.errors import UserError

CONTROLS = b"\r\t\0"  # which no cell holds
SEPARATORS = b',"' + CONTROLS
COMMA, QUOTE, SPACE, COMMENT = b'," #'
NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
LATEST = 1e8  # seconds
STRANGENESS = np.zeros(256, np.uint8)  # of a line's marks it sums to 2: two quotes, and nothing stranger
STRANGENESS[QUOTE], STRANGENESS[[*CONTROLS]] = 1, 3


@dataclasses.dataclass(frozen=True)
class Cells:
    """Where cells begin and end in the bytes, int64 [n] each, and what they say.

    Attributes:
        id_starts, id_stops: of the ids.
        label_starts, label_stops: of the lists of labels, without the quotes.
        label_counts: labels of each.
        start_ms, end_ms: the times, milliseconds.
        is_right: bool [n], whether a line is spelt as AudioSet's are; else the rest of it means nothing.
    """

    id_starts: np.ndarray
    id_stops: np.ndarray
    label_starts: np.ndarray
    label_stops: np.ndarray
    label_counts: np.ndarray
    start_ms: np.ndarray
    end_ms: np.ndarray
    is_right: np.ndarray


def rows_of(marked: Marked) -> np.ndarray:
    """Numbers of the lines, from 0, that are neither comments nor blank, int64 [n]."""
    starts, stops = marked.starts, marked.stops
    passed_over = (starts == stops) | (marked.values[starts] == COMMENT)
    for line in np.flatnonzero((marked.firsts == marked.ends) & ~passed_over):
        passed_over[line] = not marked.values[starts[line] : stops[line]].tobytes().strip()
    return np.flatnonzero(~passed_over)


def cells_of(marked: Marked, rows: np.ndarray) -> Cells:
    """Finds the cells of lines.

    Args:
        marked: with SEPARATORS.
        rows: int64 [n], the lines' numbers.
    """
    values, starts, stops = marked.values, marked.starts[rows], marked.stops[rows]
    first, last = marked.firsts[rows], marked.ends[rows] - 1  # of the marks of each
    right = last - first >= 4  # three commas, two quotes
    opening = np.where(right, first + 3, last)
    for mark, kind in ((first, COMMA), (first + 1, COMMA), (first + 2, COMMA), (first + 3, QUOTE), (last, QUOTE)):
        right &= marked.kinds[np.minimum(mark, last)] == kind
    strange = np.cumsum(STRANGENESS[marked.kinds], dtype=np.int64)
    right &= strange[last] - strange[first] == 2  # the first mark is a comma
    commas = [marked.marks[np.minimum(first + number, last)] for number in range(3)]
    opened, closed = marked.marks[opening], marked.marks[last]
    right &= (closed == stops - 1) & (opened == commas[2] + 2) & (starts < commas[0])
    unspaced = [(each, False) for each in (starts, commas[0] - 1, opened + 1)]
    for place, is_blank in (*unspaced, *((each + 1, True) for each in commas)):
        right &= (values[np.minimum(place, len(values) - 1)] == SPACE) == is_blank
    start_ms, end_ms = (milliseconds(values, commas[k] + 2, commas[k + 1]) for k in (0, 1))
    right &= (start_ms >= 0) & (end_ms >= 0)
    counts = np.where(closed > opened + 1, last - opening, 0)
    return Cells(starts, commas[0], opened + 1, closed, counts, start_ms, end_ms, right)


def official_spelling(content: bytes, odd: np.ndarray, asked: str) -> bytes:
    """Returns a file with some lines spelt as AudioSet's are; its lines stay as many.

    Args:
        content: the file.
        odd: numbers of the lines, from 0.
        asked: what an error begins with.

    Raises:
        UserError: about a line that is malformed.
    """
    lines = content.split(b"\n")
    for number in odd.tolist():
        lines[number] = _official_line(lines[number].decode(), f"{asked}, line {number + 1}").encode()
    return b"\n".join(lines)


def _official_line(line: str, where: str) -> str:
    """A line, as AudioSet spells it."""
    try:
        cells = next(csv.reader([line.strip()], skipinitialspace=True, strict=True))
    except csv.Error as error:
        fault = "a quote is not closed" if "unexpected end" in str(error) else str(error)
        raise UserError(f"{where} is no line of a CSV: {fault}.") from error
    if len(cells) != 4:
        raise UserError(
            f'{where}: this is no list of AudioSet\'s segments: lines are ID, START, END, "LABEL,LABEL"; found '
            f"{len(cells)} columns."
        )
    video_id, start, end, labels = (each.strip() for each in cells)
    for name, text, wrong in (("id", video_id, ',"'), ("label", labels, '"')):
        if set(wrong) & set(text):
            raise UserError(f"{where}: {text} holds a comma or a quote, which no {name} does.")
        if not text.isprintable():
            raise UserError(f"{where}: {text!r} holds what cannot be printed, which no {name} does.")
    if not video_id:
        raise UserError(f"{where} has no id.")
    times = (f"{milliseconds_of(each, where) / 1000:.3f}" for each in (start, end))
    return f'{", ".join((video_id, *times))}, "{labels}"'


def milliseconds_of(text: str, where: str) -> int:
    """A number of seconds in milliseconds.

    Args:
        text: as it is written.
        where: what an error begins with.

    Raises:
        UserError: if it is none.
    """
    if not NUMBER.fullmatch(text) or not float(text) < LATEST:
        raise UserError(f"{where}: '{text}' is no time in seconds.")
    return round(float(text) * 1000)
