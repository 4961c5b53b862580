"""Audacity's label tracks: `start<tab>end<tab>label score`, a line for each class of each clip, segment or window.

    --output=audacity --output_file=tracks       # a folder: a file for each recording, tracks/ID.txt
    --output=audacity --output_file=track.txt    # a file, where there is one recording

The names of a folder's files are the ids, of which all but letters, digits, `_`, `-` and `.` are written as `%2F` is of
`/`; so are `-` and `.` at the beginning.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote_from_bytes

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.export import folder_beside
from yt8m_audio.prediction.kept_classes import kept_classes
from yt8m_audio.prediction.packed_rows import packed, unpacked
from yt8m_audio.prediction.predicted import Predicted

FILE_SUFFIX = ".txt"
LONGEST_NAME = 200  # file systems take 255 bytes


class AudacityTracks:
    """What is heard when, as label tracks.

    Args:
        names: display names by class index; without them labels are `class 7`.
        is_file: whether they are for one file, not for a folder.
    """

    suffixes = (FILE_SUFFIX, "")

    def __init__(self, names: Sequence[str] | None = None, is_file: bool = False):
        self.is_file = is_file
        self.names = [" ".join(name.split()) for name in names] if names else None

    def header(self) -> bytes:
        """There is none."""
        return b""

    def rows(self, predicted: Predicted) -> bytes:
        """A piece of a part.

        Raises:
            UserError: if it is for one file and of several recordings; others show at the end.
        """
        if self.is_file:
            check_one(predicted.video_ids.tolist())
        return packed(predicted)

    def lines(self, piece: Predicted) -> Iterator[bytes]:
        """The lines of each row, as text."""
        kept = kept_classes(piece)
        starts, ends = piece.start_times[kept.rows].tolist(), piece.end_times[kept.rows].tolist()
        labels = [self.names[each] if self.names else f"class {each}" for each in kept.classes.tolist()]
        columns = zip(starts, ends, labels, kept.scores.tolist(), strict=True)
        lines = [f"{start:.6f}\t{end:.6f}\t{label} {score:.3f}\n" for start, end, label, score in columns]
        return ("".join(of_row).encode() for of_row in kept.by_clip(lines))

    def combine(self, parts: Sequence[Path], out: Path) -> None:
        """Writes the file, where `out` ends in .txt, or the folder; a recording without a label has an empty track.

        Raises:
            UserError: if a file is asked for and there are several recordings, or two of a folder would share a file.
        """
        if out.suffix == FILE_SUFFIX:
            self._write_file(parts, out)
        else:
            with folder_beside(out) as folder:
                folder.mkdir()
                self._write_folder(parts, folder)

    def _write_file(self, parts: Sequence[Path], out: Path) -> None:
        first = None
        with out.open("wb") as file:
            for video_id, lines in self._tracks(parts):
                first = video_id if first is None else first
                check_one([first, video_id])
                file.write(lines)

    def _write_folder(self, parts: Sequence[Path], folder: Path) -> None:
        seen: set[bytes] = set()
        for video_id, lines in self._tracks(parts):
            path = folder / f"{file_name(video_id)}{FILE_SUFFIX}"
            if video_id not in seen and path.exists():
                raise UserError(
                    f"The label track of {_shown(video_id)} would overwrite another's: this file system takes upper "
                    "and lower case for the same; write to another one."
                )
            seen.add(video_id)
            with path.open("ab") as file:
                file.write(lines)

    def _tracks(self, parts: Sequence[Path]) -> Iterator[tuple[bytes, bytes]]:
        """The id of each row, and its lines."""
        for piece in unpacked(parts):
            yield from zip(piece.video_ids.tolist(), self.lines(piece), strict=True)


def check_one(video_ids: Sequence[bytes]) -> None:
    """Raises a UserError unless all ids are of one recording."""
    if other := next((each for each in video_ids if each != video_ids[0]), None):
        raise UserError(
            f"A label track is of one recording, and there are several ({_shown(video_ids[0])}, {_shown(other)}): "
            f"name a folder, without {FILE_SUFFIX} at its end."
        )


def file_name(video_id: bytes) -> str:
    """The name that an id gives a file, without its suffix: safe, and another for each id."""
    name = quote_from_bytes(video_id, safe="").replace("~", "%7E")
    if name[:1] in ("-", "."):
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) > LONGEST_NAME:
        return f"{name[:LONGEST_NAME]}%{hashlib.sha256(video_id).hexdigest()[:16]}"
    return name or "%"


def _shown(video_id: bytes) -> str:
    return " ".join(video_id.decode(errors="backslashreplace").split())  # in one line
