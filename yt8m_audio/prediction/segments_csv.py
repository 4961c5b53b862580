"""Segments as YouTube-8M's challenge of 2019 takes them: `Class,Segments`, then `class,id:start id:start ...`.

A line a class, the best segment first, at most so many of each. `python -m yt8m_audio segment-eval` scores such a file.
"""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.packed_rows import packed, unpacked
from yt8m_audio.prediction.predicted import DROPPED, Predicted
from yt8m_audio.prediction.segment_ranking import SegmentRanking

HEADER = b"Class,Segments\n"
GROUP_SEGMENTS = 1 << 22  # that are ranked at a time, of all classes together; 100 bytes each
SEPARATORS = re.compile(rb"[\s:,]")
LABEL_IDS_FLAG = "--segment_label_ids_file"
LABEL_IDS_HEADER = "Index"


class SegmentsCsv:
    """Ranked segments of each class.

    Args:
        most: segments of a class that are listed, at least 1.

    Raises:
        UserError: if `most` is below 1.
    """

    def __init__(self, most: int = 100_000):
        if most < 1:
            raise UserError(f"--segment_max_pred={most} must be at least 1, the segments that are listed of a class.")
        self.most = most

    def header(self) -> bytes:
        """Of a part there is none."""
        return b""

    def rows(self, predicted: Predicted) -> bytes:
        """A piece of a part; segments without a frame are left out.

        Raises:
            UserError: if an id cannot be written in this format.
        """
        if SEPARATORS.search(b"".join(predicted.video_ids.tolist())):
            wrong = next(each for each in predicted.video_ids.tolist() if SEPARATORS.search(each))
            shown = wrong.decode(errors="backslashreplace")
            raise UserError(
                f"--segment_labels: the id {shown!r} holds a space, colon or comma, which the challenge's format has "
                "between segments: use --window=5 --output=timeline."
            )
        return packed(predicted.take(predicted.end_times > predicted.start_times))

    def combine(self, parts: Sequence[Path], out: Path) -> None:
        """Ranks the segments of all parts, some classes at a time, and writes the file."""
        with out.open("wb") as file:
            file.write(HEADER)
            for classes in self._groups(parts):
                ranking = SegmentRanking(self.most)
                for piece in unpacked(parts):
                    ranking.add(of_classes(piece, classes))
                for number, video_ids, starts in ranking.classes():
                    segments = [b"%b:%d" % each for each in zip(video_ids, starts, strict=True)]
                    file.write(b"%d,%b\n" % (number, b" ".join(segments)))

    def _groups(self, parts: Sequence[Path]) -> list[range]:
        """Neighbouring classes of which all segments that are listed fit into memory together; one class at least."""
        listed = np.zeros(0, np.int64)  # segments of each class
        for piece in unpacked(parts):
            found = np.bincount(piece.classes[piece.classes >= 0], minlength=len(listed))
            found[: len(listed)] += listed
            listed = found
        kept = np.minimum(listed, self.most)
        begins, room = [0], GROUP_SEGMENTS
        for number, count in enumerate(kept.tolist()):
            if count > room and number:
                begins.append(number)
                room = GROUP_SEGMENTS
            room -= count
        return [range(*each) for each in itertools.pairwise([*begins, len(kept)])]


def of_classes(predicted: Predicted, classes: range) -> Predicted:
    """The same segments with other classes left out."""
    inside = (predicted.classes >= classes.start) & (predicted.classes < classes.stop)
    return dataclasses.replace(predicted, classes=np.where(inside, predicted.classes, DROPPED))


def read_segment_label_ids(path: str, num_classes: int) -> np.ndarray:
    """Reads which classes are ranked, from the challenge's segment_label_ids.csv: `Index`, then a class a line.

    Args:
        path: the file.
        num_classes: how many classes the model has.

    Returns:
        The classes, int32 [m], ascending.

    Raises:
        UserError: if the file is elsewhere, cannot be read, or a line is no class.
    """
    asked = f"{LABEL_IDS_FLAG}={path}"
    if "://" in path:
        raise UserError(f"{asked} is on the web: download it, and name the file.")
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"{asked} cannot be read: {why}.") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    if numbered and numbered[0][1].lower() == LABEL_IDS_HEADER.lower():
        del numbered[0]
    classes = sorted({_label_id(line, f"{asked}, line {number}", num_classes) for number, line in numbered})
    if not classes:
        raise UserError(f"{asked} holds no class: its lines are `{LABEL_IDS_HEADER}` and then a class each.")
    return np.array(classes, np.int32)


def _label_id(line: str, where: str, num_classes: int) -> int:
    if not (line.isascii() and line.isdecimal()):
        raise UserError(f"{where}: {line[:40]!r} is no class, a whole number; the lines are a class each.")
    if int(line) >= num_classes:
        raise UserError(f"{where}: there is no class {line}: the model has {num_classes}, from 0 on.")
    return int(line)
