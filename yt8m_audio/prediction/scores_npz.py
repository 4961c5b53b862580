"""All probabilities as NumPy's .npz, which `numpy.load` reads without pickle:

ids           bytes [N]
start_times   float32 [N], seconds
end_times     float32 [N], seconds
classes       int32 [C], the class of each column
scores        float32 [N, C]
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.packed_rows import packed, unpacked
from yt8m_audio.prediction.predicted import Predicted


class ScoresNpz:
    """All probabilities as .npz; written piece by piece, as it may be larger than memory.

    Args:
        num_classes: how many classes there are, for a file without clips.
    """

    def __init__(self, num_classes: int):
        self.num_classes = num_classes

    def header(self) -> bytes:
        """There is none."""
        return b""

    def rows(self, predicted: Predicted) -> bytes:
        """A piece of a part.

        Raises:
            UserError: if an id ends in a zero byte, which NumPy drops.
        """
        for video_id in predicted.video_ids.tolist():
            if video_id.endswith(b"\0"):
                shown = video_id.decode(errors="backslashreplace")
                raise UserError(f"The id {shown!r} ends in a zero byte, which .npz cannot hold: write Parquet.")
        return packed(predicted)

    def combine(self, parts: Sequence[Path], out: Path) -> None:
        """Writes the file; the same rows give the same bytes."""
        count, width, classes = 0, 1, np.arange(self.num_classes, dtype=np.int32)
        for piece in unpacked(parts):
            count += len(piece)
            width = max(width, *map(len, piece.video_ids))
            classes = piece.classes[0]
        kind = np.dtype(f"S{width}")
        columns: dict[str, tuple[np.dtype, tuple[int, ...], Callable]] = {
            "ids": (kind, (count,), lambda piece: piece.video_ids.astype(kind)),
            "start_times": (np.dtype("<f4"), (count,), lambda piece: piece.start_times),
            "end_times": (np.dtype("<f4"), (count,), lambda piece: piece.end_times),
            "scores": (np.dtype("<f4"), (count, len(classes)), lambda piece: piece.scores),
        }
        with zipfile.ZipFile(out, "w") as archive:
            _write(archive, "classes", np.dtype("<i4"), classes.shape, iter([classes]))
            for name, (dtype, shape, column) in columns.items():
                _write(archive, name, dtype, shape, map(column, unpacked(parts)))


def _write(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...], pieces: Iterator[np.ndarray]
) -> None:
    """Writes an array of several pieces."""
    about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:  # with no date of its own
        np.lib.format.write_array_header_1_0(file, about)
        for piece in pieces:
            file.write(piece.astype(dtype, copy=False).tobytes())
