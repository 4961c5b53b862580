"""A segment of a video: its id, the milliseconds that are asked for, and its labels; and lists of them, read fast.

    for segment in read_list("eval_segments.csv"): ...

Lines are AudioSet's: ID, START, END, "LABEL,LABEL". They are read one by one: two million take seconds, and no memory.
Ids are data. One that YouTube could not have given is refused here, and again where a file is named after it.
"""

import csv
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from yt8m_audio.errors import UserError, reason

VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")
LONGEST_MS = 24 * 3600 * 1000
LONGEST_SHOWN = 40  # characters of a cell in an error
COMMENT = "#"
HEADER = ("ytid", "video_id", "youtube_id", "id")


class Segment(NamedTuple):
    """What is asked for of one video.

    Attributes:
        list_name: name of the list that it is in, such as eval_segments.
        video_id: YouTube's, of 11 characters.
        start_ms: where it begins, in milliseconds.
        end_ms: where it ends, exclusive.
        labels: ids of its classes, with commas between; "" where there are none.
    """

    list_name: str
    video_id: str
    start_ms: int
    end_ms: int
    labels: str = ""


def is_video_id(text: str) -> bool:
    """Whether a text is an id that YouTube gives: no path, no option and no shell can be made of one."""
    return VIDEO_ID.fullmatch(text) is not None


def is_asked_for(start_ms: int, end_ms: int) -> bool:
    """Whether there is something from one time to the other, and not too much."""
    return 0 <= start_ms < end_ms <= start_ms + LONGEST_MS


def list_name_of(path: str) -> str:
    """The name of a list: that of its file without .csv, of letters, digits, "_", "." and "-" alone."""
    return safe_name(Path(path).stem)


def safe_name(text: str) -> str:
    """A text as the name of one folder, which is none of "", "." and ".."."""
    return NOT_OF_NAMES.sub("_", text).lstrip(".-")[:100] or "segments"


def share_of(video_id: str, shares: int) -> int:
    """Which of n shares a video falls to, by a hash of its id: all segments of a video fall to one."""
    return zlib.crc32(video_id.encode()) % shares


def read_list(path: str, shard: tuple[int, int] = (0, 1)) -> Iterator[Segment]:
    """Reads a list of segments, one by one.

    Args:
        path: a CSV with AudioSet's lines; comments, blank lines and a line of column names are passed over.
        shard: (i, n): only the videos of which `share_of` is i.

    Raises:
        UserError: if it cannot be read or holds none, or a line is malformed; it says which.
    """
    segment = None
    name, (index, shares), line = list_name_of(path), shard, 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, skipinitialspace=True)
            for row in rows:
                line = rows.line_num
                if not row or row[0].startswith(COMMENT) or (row[0].lower() in HEADER and not is_video_id(row[0])):
                    continue
                segment = _segment(name, row, path, line)
                if shares == 1 or share_of(segment.video_id, shares) == index:
                    yield segment
            if segment is None:
                raise UserError(f"{path} cannot be read as a list of segments: it holds none.")
    except csv.Error as error:  # of a cell that does not end
        raise _malformed(path, line + 1, f"a quote may not be closed ({reason(error)})") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a list of segments: {reason(error)}.") from error


def _segment(name: str, row: list[str], path: str, line: int) -> Segment:
    """The segment of a line."""
    if not 3 <= len(row) <= 4:
        raise _malformed(path, line, f'lines are ID, START, END, "LABEL,LABEL"; found {len(row)} columns')
    video_id = row[0].strip()
    if not is_video_id(video_id):
        raise _malformed(
            path, line, f"{video_id[:LONGEST_SHOWN]!r} is no id of a YouTube video, which has 11 of A-Z a-z 0-9 - _"
        )
    start, end = (_milliseconds(text, path, line) for text in row[1:3])
    if not is_asked_for(start, end):
        raise _malformed(path, line, f"a segment from {start / 1000:g} to {end / 1000:g} s has no length, or too much")
    return Segment(name, video_id, start, end, row[3].strip() if len(row) == 4 else "")


def _milliseconds(text: str, path: str, line: int) -> int:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e9:
        raise _malformed(path, line, f"{text.strip()[:LONGEST_SHOWN]!r} is no time in seconds")
    return round(1000 * seconds)


def _malformed(path: str, line: int, what: str) -> UserError:
    return UserError(f"{path}, line {line}: {what}.")
