"""A run with one checkpoint as one file, the starter code's `.tgz`: packed, and unpacked safely wherever it comes from.

pack_model(run_folder, Path("model.tgz"))
unpack_model("model.tgz", "/tmp/yt8m-model")       # -> the folder, which inference.py takes as --train_dir
"""

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import write_json

MARKER = ".unpacked.json"  # in a folder that was unpacked, and may be unpacked anew
MOST_FILES = 1000
SUFFIXES = (".json", ".csv", ".npz")  # of what a run holds: no code, which --model=MODULE:NAME in it could import
MOST_TIMES_LARGER = 100  # weights hardly shrink: what grows more when it is unpacked was made to fill the disk
ALWAYS_ALLOWED = 64 << 20  # bytes


def pack_model(folder: Path, out: Path) -> None:
    """Packs all files of a folder; the same files give the same bytes."""
    with (
        out.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)


def unpack_model(tgz: str, folder: str) -> Path:
    """Unpacks a model, whole or not at all.

    Args:
        tgz: the file.
        folder: where to; it must not be there, or be empty, or have been unpacked before.

    Returns:
        The folder.

    Raises:
        UserError: if it is damaged, the folder is another one, or the file holds what no model does: absolute paths,
            `..`, links, devices, code, or far more than its own size.
    """
    out = Path(folder)
    _check_folder(out)
    partial = out.absolute().with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        for name, content in _files(tgz):
            target = partial.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                shutil.copyfileobj(content, file)
        write_json(partial / MARKER, {"unpacked_from": str(tgz)})
        shutil.rmtree(out, ignore_errors=True)
        os.rename(partial, out)
    except FileExistsError as error:
        raise UserError(f"{tgz} holds {Path(error.filename).name} twice.") from None
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out


def _check_folder(folder: Path) -> None:
    """Raises a UserError where something else would be lost."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder} is no folder: name one to unpack the model to.")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise UserError(f"{folder} holds other files, which would be lost: name a new folder.")


def _files(tgz: str) -> Iterator[tuple[PurePosixPath, BinaryIO]]:
    """The files of an archive, one after another: name and content, to be read before the next one is asked for."""
    try:
        most = max(ALWAYS_ALLOWED, MOST_TIMES_LARGER * os.path.getsize(tgz))
        with gzip.open(tgz) as unpacked, tarfile.open(fileobj=_Limited(unpacked, most, tgz), mode="r|") as archive:
            for number, entry in enumerate(archive):
                if number >= MOST_FILES:
                    raise UserError(f"{tgz} holds more than {MOST_FILES} files: it is no model.")
                name = _checked(entry, tgz)
                if not entry.isdir():
                    yield name, archive.extractfile(entry)
    except FileNotFoundError:
        raise UserError(f"{tgz} is not there.") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(f"{tgz} is damaged, or no .tgz: {error}") from error


def _checked(entry: tarfile.TarInfo, tgz: str) -> PurePosixPath:
    """The name of a file or folder of an archive.

    Raises:
        UserError: if it is something else, or would land elsewhere.
    """
    name = PurePosixPath(entry.name)
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
        raise UserError(f"{tgz} holds {entry.name}, which is a link or a device: it is not unpacked.")
    if entry.issparse():  # whose holes are of any size
        raise UserError(f"{tgz} holds {entry.name}, a file with holes: it is not unpacked.")
    if name.is_absolute() or ".." in name.parts or "\\" in entry.name or ":" in entry.name or "\0" in entry.name:
        raise UserError(f"{tgz} holds {entry.name}, which lies outside of it: it is not unpacked.")
    if not entry.isdir() and name.suffix not in SUFFIXES:
        raise UserError(
            f"{tgz} holds {entry.name}, and a run has files of {', '.join(SUFFIXES)} alone: it is not unpacked. (The "
            "starter code's own checkpoints cannot be read: train anew.)"
        )
    return name


class _Limited:
    """A stream that refuses to give more than so many bytes, whatever sizes the archive's own headers say."""

    def __init__(self, stream: BinaryIO, most: int, name: str):
        self.stream, self.left, self.name = stream, most, name

    def read(self, size: int) -> bytes:
        found = self.stream.read(size)
        self.left -= len(found)
        if self.left < 0:
            raise UserError(
                f"{self.name} unpacks to more than {MOST_TIMES_LARGER} times its size: it is no model, and is not "
                "unpacked."
            )
        return found
