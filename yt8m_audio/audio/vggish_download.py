"""Google's files of VGGish: fetched, or taken from a folder, and checked against what is known of them.

    weights = fetch_weights("weights/vggish")                 # or take_weights(folder, "weights/vggish")
    for each in weights: each.path, each.sha256, each.is_known

The PCA's size and hash are known. Of the checkpoint no published hash was found: its size is checked roughly, and what
was found is noted in weights.json beside it, against which it is checked from then on.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from yt8m_audio.downloading import Progress, download, sha256_of
from yt8m_audio.errors import UserError, reason
from yt8m_audio.run_directory import write_json, written_beside

URL = "https://storage.googleapis.com/audioset"
NOTE = "weights.json"


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """A file of Google's, and what is known of it.

    Attributes:
        name: of the file.
        least: bytes that it has at least.
        most: bytes that it has at most.
        sha256: in hexadecimal; empty where it is not known.
    """

    name: str
    least: int
    most: int
    sha256: str = ""

    @property
    def size(self) -> int | None:
        """Bytes, where they are known."""
        return self.least if self.least == self.most else None


@dataclasses.dataclass(frozen=True)
class FoundFile:
    """A file that is there.

    Attributes:
        path: of it.
        size: bytes.
        sha256: in hexadecimal.
        is_known: whether that is the hash which it should have; False where that is known of nowhere.
    """

    path: Path
    size: int
    sha256: str
    is_known: bool


FILES = (
    WeightFile(
        "vggish_pca_params.npz", 73_020, 73_020, "4d878af3e306defbfb37095365aa7e5a6cecb86bad13e859e626151c4e6a8b9d"
    ),
    WeightFile("vggish_model.ckpt", 275_000_000, 300_000_000),
)


def fetch_weights(
    folder: str | os.PathLike,
    url: str = URL,
    files: Sequence[WeightFile] = FILES,
    progress: Callable[[str], Progress] = lambda name: lambda done, total: None,
    **options,
) -> list[FoundFile]:
    """Fetches what is not in a folder yet, from where an earlier call was stopped.

    Args:
        folder: where to; made if need be.
        url: of the folder that the files are in.
        files: which.
        progress: given a file's name, what is told how far it has come (see yt8m_audio.downloading).
        **options: of yt8m_audio.downloading.download, such as attempts.

    Raises:
        UserError: if one cannot be had, or is not what it should be.
    """
    folder, noted = Path(folder), _noted_hashes(Path(folder))
    for file in files:
        address = f"{url.rstrip('/')}/{file.name}"
        expected = {"size": file.size, "sha256": file.sha256 or None}
        download(address, folder / file.name, progress=progress(file.name), **expected, **options)
    return _noted(folder, files, noted, url)


def take_weights(
    source: str | os.PathLike, folder: str | os.PathLike, files: Sequence[WeightFile] = FILES
) -> list[FoundFile]:
    """Copies the files from a folder, once all of them are found to be right.

    Raises:
        UserError: if one is missing there, or is not what it should be, or cannot be copied.
    """
    source, folder = Path(source).expanduser(), Path(folder)
    for file in files:
        if not (source / file.name).is_file():
            raise UserError(f"{source} holds no {file.name}: Google's two files are {' and '.join(_names(files))}.")
        _found(source / file.name, file, "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            with written_beside(folder / file.name) as copy:
                shutil.copyfile(source / file.name, copy)
    except (OSError, shutil.SameFileError) as error:
        raise UserError(f"{source} cannot be copied to {folder}: {reason(error)}.") from error
    return _noted(folder, files, {}, str(source))


def _names(files: Sequence[WeightFile]) -> list[str]:
    return [file.name for file in files]


def _noted_hashes(folder: Path) -> dict[str, str]:
    """The hashes that files had when they were fetched, of those that are there."""
    try:
        noted = json.loads((folder / NOTE).read_text())["files"]
        return {name: each["sha256"] for name, each in noted.items() if (folder / name).is_file()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _found(path: Path, file: WeightFile, expected: str) -> FoundFile:
    """Measures a file; a UserError if it is not what it should be."""
    size = path.stat().st_size
    if not file.least <= size <= file.most:
        wanted = f"{file.least:,}" if file.size else f"{file.least:,} to {file.most:,}"
        raise UserError(f"{path} has {size:,} bytes, and {wanted} are Google's: remove it, and fetch it again.")
    sha256 = sha256_of(path)
    if (file.sha256 or expected or sha256) != sha256:
        raise UserError(
            f"{path} has the SHA-256 {sha256}, not {file.sha256 or expected}: it was changed. Remove it, and fetch it "
            "again."
        )
    return FoundFile(path, size, sha256, bool(file.sha256))


def _noted(folder: Path, files: Sequence[WeightFile], hashes: dict[str, str], origin: str) -> list[FoundFile]:
    """Measures the files in a folder, and notes what was found beside them."""
    found = [_found(folder / file.name, file, hashes.get(file.name, "")) for file in files]
    content = {each.path.name: {"bytes": each.size, "sha256": each.sha256, "known": each.is_known} for each in found}
    write_json(folder / NOTE, {"from": origin, "files": content})
    return found
