"""AudioSet's strong labels: when in a clip what is heard (Hershey et al. 2021, arXiv:2105.07031).

segment_id	start_time_seconds	end_time_seconds	label
b0RFKhbpFJA_30000	0.000	10.000	/m/03m9d0z

events = read_strong_labels("audioset_eval_strong.tsv")
events.video_ids[0], events.clip_ms[0], events.start_ms[0]            # b"b0RFKhbpFJA", 30000, 0

A segment's id is a video's and where the clip begins in it, in milliseconds. Times count from the clip's beginning.
Some classes are none of the 527: they are called by their ids here.
"""

import dataclasses

import numpy as np
import pandas as pd

from yt8m_audio.audioset.byte_fields import Marked, milliseconds, read_bytes, slices
from yt8m_audio.audioset.segment_cells import milliseconds_of
from yt8m_audio.audioset.segments import SegmentLines
from yt8m_audio.errors import UserError

HEADER = b"segment_id\tstart_time_seconds\tend_time_seconds\tlabel"
TAB, RETURN = b"\t\r"


@dataclasses.dataclass(frozen=True)
class StrongLabels:
    """Events in clips.

    Attributes:
        video_ids: object [events] of bytes, the video of each.
        clip_ms: int64 [events], where its clip begins in the video, milliseconds.
        start_ms: int64 [events], where it begins in the clip, milliseconds.
        end_ms: int64 [events], where it ends in the clip, milliseconds.
        label_values: int32 [events], which of the ids.
        ids: of the classes.
        clips: int64 [events], which clip it is in: they are numbered as they come.
        lines: as they are written.
    """

    video_ids: np.ndarray
    clip_ms: np.ndarray
    start_ms: np.ndarray
    end_ms: np.ndarray
    label_values: np.ndarray
    ids: tuple[str, ...]
    clips: np.ndarray
    lines: SegmentLines

    def __len__(self) -> int:
        return len(self.video_ids)


def is_strong_labels_file(path: str) -> bool:
    """Whether a path has the name of strong labels."""
    return path.lower().endswith(".tsv")


def read_strong_labels(path: str, ids: tuple[str, ...] = (), flag: str = "") -> StrongLabels:
    """Reads strong labels.

    Args:
        path: the TSV.
        ids: of the classes; those that the file names, sorted, when empty.
        flag: the flag that gave the path, for errors; "" where an argument did.

    Raises:
        UserError: if it is none, or a line is malformed or names a class that there is not; it says which line.
    """
    asked = f"--{flag}={path}" if flag else path
    content = read_bytes(path, f"{asked} cannot be read as strong labels")
    marked = Marked.of(content, b"\t")
    rows = _rows(marked, content, asked)
    starts, stops, tabs = marked.starts[rows], marked.stops[rows], marked.firsts[rows]
    ends = stops - (marked.values[stops - 1] == RETURN)
    first, second, third = (marked.marks[tabs + number] for number in range(3))
    names, clips = _factorized(slices(content, starts, first))
    clip_ids, clip_starts = _clips(names, clips, rows, asked)
    start_ms, end_ms = (_times(content, marked, a + 1, b, rows, asked) for a, b in ((first, second), (second, third)))
    _check_order(start_ms, end_ms, rows, asked)
    values, ids = _labels(slices(content, third + 1, ends), ids, rows, asked)
    lines = SegmentLines(content, starts, stops)
    return StrongLabels(clip_ids[clips], clip_starts[clips], start_ms, end_ms, values, ids, clips, lines)


def _rows(marked: Marked, content: bytes, asked: str) -> np.ndarray:
    """Numbers of the lines with events, from 0; all others are blank, but the header."""
    header = content.partition(b"\n")[0].rstrip(b"\r")
    if header != HEADER:
        raise UserError(
            f"{asked} is none of AudioSet's lists of strong labels: its first line is not "
            f"'{HEADER.decode().expandtabs(1)}', with tabs between, but '{header.decode()[:80].expandtabs(1)}'."
        )
    columns = marked.ends - marked.firsts + 1
    rows = np.flatnonzero(columns == 4)[1:]
    others = np.flatnonzero(columns != 4)
    for line in others.tolist():
        if marked.values[marked.starts[line] : marked.stops[line]].tobytes().strip():
            raise UserError(f"{asked}, line {line + 1} has {columns[line]} columns in place of 4, with tabs between.")
    if not len(rows):
        raise UserError(f"{asked} cannot be read as strong labels: it holds none.")
    return rows


def _factorized(texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The texts, object, each once as they come, and which of these each is, int64."""
    codes, found = pd.factorize(np.array(texts, object))
    return found, codes.astype(np.int64)


def _clips(names: np.ndarray, clips: np.ndarray, rows: np.ndarray, asked: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each segment's id the video's, and where the clip begins; ids hold `_` themselves."""
    parts = [name.rpartition(b"_") for name in names]
    for number, (video_id, _, start) in enumerate(parts):
        if not video_id or not start.isdigit() or len(start) > 12:
            line = rows[int(np.argmax(clips == number))] + 1
            raise UserError(
                f"{asked}, line {line}: '{names[number].decode()}' is no segment's id: these are a video's and where "
                "the clip begins, in milliseconds, such as b0RFKhbpFJA_30000."
            )
    ids = np.array([video_id for video_id, _, _ in parts], object)
    return ids, np.array([int(start) for _, _, start in parts], np.int64)


def _times(content: bytes, marked: Marked, starts, stops, rows: np.ndarray, asked: str) -> np.ndarray:
    """A column of times, int64 [events], milliseconds."""
    times = milliseconds(marked.values, starts, stops)
    for event in np.flatnonzero(times < 0).tolist():
        text = content[starts[event] : stops[event]].decode().strip()
        times[event] = milliseconds_of(text, f"{asked}, line {rows[event] + 1}")
    return times


def _check_order(start_ms: np.ndarray, end_ms: np.ndarray, rows: np.ndarray, asked: str) -> None:
    wrong = end_ms < start_ms
    if wrong.any():
        event = int(np.argmax(wrong))
        start, end = start_ms[event] / 1000, end_ms[event] / 1000
        raise UserError(f"{asked}, line {rows[event] + 1}: it ends at {end:.3f}, before it begins at {start:.3f}.")


def _labels(texts: list[bytes], ids: tuple[str, ...], rows: np.ndarray, asked: str) -> tuple[np.ndarray, tuple]:
    """Which of the ids each label is, int32 [events], and the ids."""
    found, codes = _factorized([text.strip() for text in texts])
    names = [name.decode() for name in found]
    if "" in names:
        raise UserError(f"{asked}, line {rows[int(np.argmax(codes == names.index('')))] + 1} has no label.")
    ids = ids or tuple(sorted(names))
    places = {each: place for place, each in enumerate(ids)}
    for number, name in enumerate(names):
        if name not in places:
            raise UserError(f"{asked}, line {rows[int(np.argmax(codes == number))] + 1}: {name} is no class.")
    return np.array([places[name] for name in names], np.int32)[codes], ids
