"""AudioSet's lists of segments: which seconds of which video, and what is heard there.

# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_,/m/0bt9lr,/m/0jbk"

segments = read_segments("eval_segments.csv", class_ids_for("", 527), "eval_data_pattern")
"""

import dataclasses
import functools
import itertools

import numpy as np

from yt8m_audio.audioset.byte_fields import Marked, read_bytes, slices
from yt8m_audio.audioset.class_ids import places_of
from yt8m_audio.audioset.segment_cells import SEPARATORS, Cells, cells_of, official_spelling, rows_of
from yt8m_audio.errors import UserError


@dataclasses.dataclass(frozen=True)
class SegmentLines:
    """The lines of a list of segments, as they stand in its file.

    Attributes:
        content: of the file.
        starts: int64 [n], where each segment's line begins.
        stops: int64 [n], where it ends, the line end not counted.
        is_one_file: whether all of it is one file's content, and not several files'.
    """

    content: bytes
    starts: np.ndarray
    stops: np.ndarray
    is_one_file: bool = True


@dataclasses.dataclass(frozen=True)
class Segments:
    """A list of segments.

    Attributes:
        video_ids: object [n] of bytes.
        start_ms: int64 [n], milliseconds.
        end_ms: int64 [n], milliseconds.
        label_values: int32 [sum], class indices, one segment's after another's.
        label_counts: int64 [n], how many each has.
        lines: as they are written.
    """

    video_ids: np.ndarray
    start_ms: np.ndarray
    end_ms: np.ndarray
    label_values: np.ndarray
    label_counts: np.ndarray
    lines: SegmentLines

    def __len__(self) -> int:
        return len(self.video_ids)

    @property
    def start_times(self) -> np.ndarray:
        """Where each begins, float32 [n], seconds."""
        return (self.start_ms / 1000).astype(np.float32)

    @property
    def end_times(self) -> np.ndarray:
        """Where each ends, float32 [n], seconds."""
        return (self.end_ms / 1000).astype(np.float32)

    @functools.cached_property
    def label_rows(self) -> np.ndarray:
        """Which segment each of `label_values` is of, int64 [sum]."""
        return np.repeat(np.arange(len(self)), self.label_counts)


def is_segments_file(path: str) -> bool:
    """Whether a path has the name of a list of segments, and not of records."""
    return path.lower().endswith(".csv")


def read_segments(path: str, ids: tuple[str, ...], flag: str) -> Segments:
    """Reads a list of segments, two million in a few seconds; times count to the millisecond.

    Args:
        path: the CSV.
        ids: of the classes, by index (see yt8m_audio.audioset.class_ids).
        flag: the flag that gave the path, for errors; "" where an argument did.

    Raises:
        UserError: if it is none, or a line is malformed or names a class that there is not; it says which line.
    """
    places, asked = places_of(ids, flag, path), f"--{flag}={path}" if flag else path
    content = read_bytes(path, f"{asked} cannot be read as a list of segments")
    marked = Marked.of(content, SEPARATORS)
    rows = rows_of(marked)
    if not len(rows):
        raise UserError(f"{asked} cannot be read as a list of segments: it holds none.")
    lines = SegmentLines(content, marked.starts[rows], marked.stops[rows])
    cells = cells_of(marked, rows)
    if not cells.is_right.all():
        content = official_spelling(content, rows[~cells.is_right], asked)
        cells = cells_of(Marked.of(content, SEPARATORS), rows)
    _check_order(cells, rows, asked)
    values = _labels(content, cells, places, rows, asked)
    video_ids = np.array(slices(content, cells.id_starts, cells.id_stops), object)
    return Segments(video_ids, cells.start_ms, cells.end_ms, values, cells.label_counts, lines)


def _check_order(cells: Cells, rows: np.ndarray, asked: str) -> None:
    """Raises a UserError about a segment that ends before it begins."""
    wrong = cells.end_ms < cells.start_ms
    if wrong.any():
        row = int(np.argmax(wrong))
        start, end = cells.start_ms[row] / 1000, cells.end_ms[row] / 1000
        raise UserError(f"{asked}, line {rows[row] + 1}: it ends at {end:.3f}, before it begins at {start:.3f}.")


def _labels(content: bytes, cells: Cells, places: dict[str, int], rows: np.ndarray, asked: str) -> np.ndarray:
    """Class indices int32 [sum] of the cells with labels."""
    listed = cells.label_counts > 0
    lists = slices(content, cells.label_starts[listed], cells.label_stops[listed])
    labels = b",".join(lists).split(b",") if lists else []
    by_bytes = {label.encode(): place for label, place in places.items()}
    values = np.fromiter(map(by_bytes.get, labels, itertools.repeat(-1)), np.int32, len(labels))
    for place in np.flatnonzero(values < 0).tolist():  # of no class, or with blanks around
        label = labels[place].strip()
        if label not in by_bytes:
            line = np.repeat(rows, cells.label_counts)[place] + 1
            raise UserError(f"{asked}, line {line}: {label.decode() or 'an empty label'} is no class.")
        values[place] = by_bytes[label]
    return values
