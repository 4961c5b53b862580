"""Files of predictions, whole or not at all.

with csv_writer("predictions.csv", names=None) as write:
    write(video_ids, classes, scores)
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import written_beside

HEADER = "VideoId,LabelConfidencePairs"
NAMES_HEADER = "TopLabel,Labels"


@contextlib.contextmanager
def csv_writer(path: str, names: Sequence[str] | None) -> Iterator[Callable]:
    """Opens the starter's CSV: `VideoId,LabelConfidencePairs`, then `id,class score class score ...`, best first.

    Args:
        path: the file; it appears when all is written.
        names: display names by class index, to add the columns TopLabel (the best class's name) and Labels
            (`name score; name score; ...`); None adds none.

    Yields:
        A function of video_ids (bytes [n]), classes (int [n, k], -1 for those to leave out) and scores
        (float32 [n, k]) that writes their rows.

    Raises:
        UserError: if the file cannot be written.
    """
    try:
        with written_beside(Path(path)) as partial, partial.open("wb") as file:
            file.write(f"{HEADER}{',' + NAMES_HEADER if names else ''}\n".encode())
            yield lambda video_ids, classes, scores: file.write(rows(video_ids, classes, scores, names))
    except OSError as error:
        raise UserError(f"--output_file={path} cannot be written: {error.strerror}.") from error


def rows(video_ids: np.ndarray, classes: np.ndarray, scores: np.ndarray, names: Sequence[str] | None) -> bytes:
    """Formats rows, `id,class score class score ...` and a line end each; one format string a row, for speed."""
    kept = classes >= 0  # [n, k]
    counts = np.count_nonzero(kept, axis=1)  # [n]
    pairs = np.empty((counts.sum(), 2), object)  # keeps classes whole numbers
    pairs[:, 0], pairs[:, 1] = classes[kept], scores[kept]
    values, ends = pairs.ravel().tolist(), (2 * np.cumsum(counts)).tolist()
    listed = [tuple(values[end - 2 * count : end]) for count, end in zip(counts.tolist(), ends, strict=True)]
    formats = [" ".join(["%d %g"] * count) for count in range(classes.shape[1] + 1)]
    texts = [(formats[len(row) // 2] % row).encode() for row in listed]
    ids = [quoted(each) for each in video_ids]
    if names is None:
        lines = [b"%b,%b\n" % each for each in zip(ids, texts, strict=True)]
    else:
        readable = [named(row[0::2], row[1::2], names) for row in listed]
        lines = [b"%b,%b,%b,%b\n" % (*each, *more) for *each, more in zip(ids, texts, readable, strict=True)]
    return b"".join(lines)


def named(classes: Sequence[int], scores: Sequence[float], names: Sequence[str]) -> tuple[bytes, bytes]:
    """The readable columns of a row: the best class's name, and all names with their scores; empty where none is."""
    labels = "; ".join(f"{names[number]} {score:.3f}" for number, score in zip(classes, scores, strict=True))
    return quoted(names[classes[0]].encode()) if classes else b"", quoted(labels.encode())


def quoted(field: bytes) -> bytes:
    """A CSV field, quoted where it must be, that a CSV parser gives back verbatim."""
    if any(special in field for special in (b",", b'"', b"\n", b"\r")):
        return b'"' + field.replace(b'"', b'""') + b'"'
    return field
