"""The rows of a CSV of clips: which clip, which sound, which labels, from when to when.

    rows = read_clips("clips.csv")     # with the columns video_id and labels
    rows = read_sounds("sounds.csv")   # with the column file, or video_id; labels or none

AudioSet's segments CSV, whose header is its third comment, is taken as it is.
"""

import csv
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from yt8m_audio.errors import UserError

COLUMNS = {  # what a column may be called, in any case; where a CSV has several of them, the first one here counts
    "id": ("video_id", "ytid", "id"),
    "labels": ("labels", "positive_labels", "label"),
    "start": ("start_time_seconds", "start_seconds", "start_time", "start"),
    "end": ("end_time_seconds", "end_seconds", "end_time", "end"),
    "file": ("file", "path", "filename", "fname"),
}
COMMA_SEPARATED = "positive_labels"  # AudioSet's own column: mids, which hold no commas


@dataclasses.dataclass(frozen=True, slots=True)
class ClipRow:
    """A row of the CSV.

    Attributes:
        file: the CSV.
        line: the row's line in it, from 1.
        video_id: the clip's id.
        labels: the labels as they are written.
        start: where the clip begins, in seconds.
        end: where it ends, or None where that is not said.
        sound: path of its sound, as it is written; "" where the CSV has no such column.
    """

    file: str
    line: int
    video_id: str
    labels: tuple[str, ...]
    start: float
    end: float | None
    sound: str = ""

    @property
    def place(self) -> str:
        """Says where the row is."""
        return f"{self.file}, line {self.line}"


def read_clips(path: str) -> list[ClipRow]:
    """Reads a CSV of clips: ids and labels.

    Raises:
        UserError: if it cannot be read, lacks a column, has no rows, or a row is wrong.
    """
    rows = _read(path, _check_clips)
    check_distinct(rows)
    return rows


def read_sounds(path: str) -> list[ClipRow]:
    """Reads a CSV of sounds: files, or ids alone; labels, starts and ends where there are any.

    A row of a file may lack the id, and several may be of one file.

    Raises:
        UserError: if it cannot be read, lacks a column, has no rows, or a row is wrong.
    """
    rows = _read(path, _check_sounds)
    check_distinct(row for row in rows if row.video_id)
    return rows


def check_distinct(rows: Iterable[ClipRow]) -> None:
    """Raises a UserError where two rows have one id."""
    first_lines: dict[str, int] = {}
    for row in rows:
        first = first_lines.setdefault(row.video_id, row.line)
        if first != row.line:
            raise UserError(f"{row.place}: the id {row.video_id} was on line {first} already; each clip has its own.")


def _read(path: str, check: Callable[[str, Sequence[str], dict], None]) -> list[ClipRow]:
    """Reads the rows of a CSV whose columns pass a check."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(_rows(path, csv.reader(file, skipinitialspace=True, strict=True), check))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: save it as a CSV in UTF-8.") from error
    if not rows:
        raise UserError(f"{path} has no rows: a header, then a row a clip, are wanted.")
    return rows


def _rows(path: str, reader, check: Callable) -> Iterator[ClipRow]:
    """The rows behind the header."""
    columns, width = None, 0
    try:
        for cells in reader:
            if not any(cells):
                continue
            if columns is not None:
                yield _row(path, reader.line_num, cells, columns, width)
            elif not cells[0].startswith("#") or "YTID" in cells[0]:  # AudioSet's header is its third comment
                columns, width = _columns(cells), len(cells)
                check(path, cells, columns)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num} is no line of a CSV: {error}.") from error


def _columns(header: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Where each column is, and what it is called: "id" -> (0, "video_id")."""
    names = [name.strip("# ").lower() for name in header]
    return {
        key: next((names.index(name), name) for name in spellings if name in names)
        for key, spellings in COLUMNS.items()
        if set(spellings) & set(names)
    }


def _check_clips(path: str, header: Sequence[str], columns: dict) -> None:
    """Raises a UserError unless there are ids and labels."""
    for key in ("id", "labels"):
        if key not in columns:
            raise UserError(
                f"{path} has no column {' or '.join(COLUMNS[key])}: its header is '{','.join(header)}'. "
                "The columns video_id and labels are needed, with commas between; a clip's labels may be empty."
            )


def _check_sounds(path: str, header: Sequence[str], columns: dict) -> None:
    """Raises a UserError unless there are files, or ids to find them by."""
    if not {"file", "id"} & columns.keys():
        names = ", ".join((*COLUMNS["file"], *COLUMNS["id"]))
        raise UserError(
            f"{path} says of no row which sound it is: its header is '{','.join(header)}'. One of the columns {names} "
            "is needed; labels, start and end may be there too."
        )


def _row(path: str, line: int, cells: Sequence[str], columns: dict[str, tuple[int, str]], width: int) -> ClipRow:
    """Makes a row of its cells; missing ones at the end are empty."""
    if len(cells) > width:
        raise UserError(
            f"{path}, line {line} has {len(cells)} cells, the header {width}: a cell with a comma in it needs quotes, "
            "and ';' stands between labels."
        )
    cells = [*cells, *[""] * (width - len(cells))]
    values = {key: cells[number].strip() for key, (number, _) in columns.items()}
    if not values.get("id") and not values.get("file"):
        raise UserError(f"{path}, line {line} has no {'file' if 'file' in columns else 'id'}.")
    separator = "," if columns.get("labels", ("", ""))[1] == COMMA_SEPARATED else ";"
    start, end = (_seconds(path, line, key, values.get(key, "")) for key in ("start", "end"))
    if end is not None and end < (start or 0.0):
        raise UserError(f"{path}, line {line}: the clip ends at {end:g}, before it begins.")
    labels = split_labels(values.get("labels", ""), separator)
    return ClipRow(path, line, values.get("id", ""), labels, start or 0.0, end, values.get("file", ""))


def split_labels(text: str, separator: str) -> tuple[str, ...]:
    """Takes the labels of a cell apart."""
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _seconds(path: str, line: int, column: str, text: str) -> float | None:
    """A time, or None where there is none."""
    try:
        seconds = float(text) if text else None
    except ValueError:
        seconds = math.nan
    if seconds is not None and not 0 <= seconds < math.inf:
        raise UserError(f"{path}, line {line}: {column} is '{text}', which is no number of seconds.")
    return seconds
