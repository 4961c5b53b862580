"""The arrays of clips by id, an .npz file or a folder of ID.npy files, as frames of records.

with opened_arrays("features.npz") as arrays:
    arrays.frames("rain-1")    # uint8 or float32 [frames, features]
"""

import contextlib
import dataclasses
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError


@dataclasses.dataclass(frozen=True)
class ClipArrays:
    """Where the arrays are.

    Attributes:
        path: the .npz or the folder.
        keys: ids of the arrays.
        load: reads one.
    """

    path: str
    keys: frozenset[str]
    load: Callable[[str], np.ndarray]

    def frames(self, key: str) -> np.ndarray:
        """Reads the frames of a clip, uint8 or float32 [frames, features].

        Raises:
            UserError: if its array is not such that it can be written; it names the id.
        """
        try:
            return as_frames(self._loaded(key))
        except UserError as error:
            raise UserError(f"{self.path}, array {key} {error}") from error.__cause__

    def _loaded(self, key: str) -> np.ndarray:
        try:
            return self.load(key)
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            if "pickle" in str(error):
                raise UserError("holds Python objects, which are not unpickled: save numbers of one type.") from error
            raise UserError(
                f"cannot be read: {str(error).splitlines()[0] if str(error) else 'it is damaged'}."
            ) from error


@contextlib.contextmanager
def opened_arrays(path: str) -> Iterator[ClipArrays]:
    """Opens an .npz file, or a folder of ID.npy files. Pickled objects are never read.

    Raises:
        UserError: if it is neither.
    """
    if os.path.isdir(path):
        names = [name.removesuffix(".npy") for name in os.listdir(path) if name.endswith(".npy")]
        folder = Path(path)
        yield ClipArrays(path, frozenset(names), lambda key: np.load(folder / f"{key}.npy", allow_pickle=False))
        return
    if not os.path.exists(path):
        raise UserError(f"{path}: there is no such file: give an .npz file, or a folder of ID.npy files.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is no .npz file: save a dict of arrays with np.savez(FILE, **arrays), by id.")
    try:
        file = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no whole .npz file: {error}.") from error
    with file:
        yield ClipArrays(path, frozenset(file.files), file.__getitem__)


def as_frames(array: np.ndarray) -> np.ndarray:
    """Makes frames of a clip's array: uint8 or float32 [frames, features]; a vector becomes one frame.

    Raises:
        UserError: if that cannot be done without guessing.
    """
    if not isinstance(array, np.ndarray):
        raise UserError("is no array.")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise UserError(
            f"is {array.dtype}: features are floats, or uint8 where they are quantised bytes; convert it with "
            ".astype(np.float32)."
        )
    if array.ndim not in (1, 2) or not array.size:
        raise UserError(f"has the shape {list(array.shape)}: [frames, features] or [features] is wanted, and no 0.")
    frames = np.atleast_2d(array)
    if frames.dtype == np.uint8:
        return frames
    with np.errstate(over="ignore"):
        frames = frames.astype(np.float32)
    wrong = ~np.isfinite(frames).all(axis=1)
    if wrong.any():
        raise UserError(f"holds NaN or infinite values, first in frame {int(np.argmax(wrong))}.")
    return frames
