"""Lists of segments and of strong labels written: some of another list's lines, as they stand there.

write_segments(Path("dogs.csv"), segments, rows, "eval_segments.csv")
write_events(Path("dogs.tsv"), events, rows)
"""

from collections.abc import Sequence

import numpy as np

from yt8m_audio.audioset.byte_fields import slices
from yt8m_audio.audioset.segments import SegmentLines, Segments
from yt8m_audio.audioset.strong_labels import HEADER, StrongLabels
from yt8m_audio.paths import AnyPath
from yt8m_audio.run_directory import written_beside

COLUMNS_LINE = b"# YTID, start_seconds, end_seconds, positive_labels\n"


def write_segments(path: AnyPath, segments: Segments, rows: np.ndarray, source: str) -> None:
    """Writes some segments in AudioSet's own format: whole or not at all.

    All segments of a file, in their order, are the file as it was, byte for byte.

    Args:
        path: the CSV to write.
        segments: to choose from.
        rows: int64 [n], which of them, in the order that they are written in.
        source: the file that they are from, for the first line.

    Raises:
        OSError: if it cannot be written.
    """
    is_whole = segments.lines.is_one_file and np.array_equal(rows, np.arange(len(segments)))
    first = f"# Segments csv made by yt8m_audio of {source}\n".encode()
    header = first + _counts_line(segments, rows) + COLUMNS_LINE
    _write_lines(path, segments.lines, None if is_whole else rows, header)


def write_events(path: AnyPath, events: StrongLabels, rows: np.ndarray) -> None:
    """Writes some events in the format of AudioSet's strong labels: whole or not at all.

    Args:
        path: the TSV to write.
        events: to choose from.
        rows: int64 [n], which of them, in the order that they are written in.

    Raises:
        OSError: if it cannot be written.
    """
    is_whole = np.array_equal(rows, np.arange(len(events)))
    _write_lines(path, events.lines, None if is_whole else rows, HEADER + b"\n")


def write_ids(path: AnyPath, video_ids: np.ndarray) -> None:
    """Writes ids, object [n] of bytes, one a line, each once, as eval.py's --eval_ids takes them.

    Raises:
        OSError: if it cannot be written.
    """
    with written_beside(path) as partial:
        partial.write_bytes(b"".join(each + b"\n" for each in dict.fromkeys(video_ids)))


def joined(lists: Sequence[Segments]) -> Segments:
    """Several lists as one."""
    if len(lists) == 1:
        return lists[0]
    contents = [each.lines.content + b"\n" for each in lists]  # whose last lines may not be ended
    begins = np.cumsum([0, *map(len, contents[:-1])])
    places = [(each.lines.starts + begin, each.lines.stops + begin) for each, begin in zip(lists, begins, strict=True)]
    starts, stops = (np.concatenate(each) for each in zip(*places, strict=True))
    lines = SegmentLines(b"".join(contents), starts, stops, is_one_file=False)
    names = ("video_ids", "start_ms", "end_ms", "label_values", "label_counts")
    return Segments(*(np.concatenate([getattr(each, name) for each in lists]) for name in names), lines)


def _write_lines(path: AnyPath, lines: SegmentLines, rows: np.ndarray | None, header: bytes) -> None:
    """Writes some lines below a header, or all of the file that they are from."""
    with written_beside(path) as partial, partial.open("wb") as file:
        if rows is None:
            file.write(lines.content)
            return
        file.write(header)
        file.writelines(each + b"\n" for each in slices(lines.content, lines.starts[rows], lines.stops[rows]))


def _counts_line(segments: Segments, rows: np.ndarray) -> bytes:
    """The second line of AudioSet's files."""
    chosen = np.zeros(len(segments), bool)
    chosen[rows] = True
    labels = segments.label_values[chosen[segments.label_rows]]
    counts = {
        "num_ytids": len(set(segments.video_ids[rows])),
        "num_segs": len(rows),
        "num_unique_labels": len(np.unique(labels)),
        "num_positive_labels": len(labels),
    }
    return f"# {', '.join(f'{name}={count}' for name, count in counts.items())}\n".encode()
