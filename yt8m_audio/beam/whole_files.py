"""Files on any of Beam's file systems: listed, and written whole or not at all."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from yt8m_audio.errors import UserError

COPY_BYTES = 1 << 22


def find_files(pattern: str, flag: str) -> list[str]:
    """The files that a comma-separated list of globs matches, sorted, without empty ones.

    Raises:
        UserError: if a glob matches none, all are empty, or there is no such file system.
    """
    sizes: dict[str, int] = {}
    for part in filter(None, map(str.strip, pattern.split(","))):
        with explained(f"--{flag}={pattern}"):
            (found,) = FileSystems.match([part])
        if not found.metadata_list:
            raise UserError(f"--{flag}={pattern}: {part} matches no file.")
        sizes |= {each.path: each.size_in_bytes for each in found.metadata_list}
    filled = sorted(path for path, size in sizes.items() if size)
    if not filled:
        raise UserError(f"--{flag}={pattern} matches {len(sizes)} files, and every one of them is empty.")
    return filled


def check_folder(path: str, flag: str) -> None:
    """Raises a UserError where a file cannot be written, as far as that shows before."""
    with explained(f"--{flag}={path}"):
        folder = FileSystems.split(path)[0] or "."
        if "://" not in path and not Path(folder).is_dir():
            raise UserError(f"--{flag}={path}: there is no folder {Path(folder).absolute()}.")
        if "://" in path:
            FileSystems.exists(path)  # whatever the answer, there is what answers


def put_whole(made: Path, target: str) -> None:
    """Has `target` be a copy of a local file: written beside it and renamed, so that it is never there in part."""
    folder, name = FileSystems.split(target)
    beside = FileSystems.join(folder, f".partial-{uuid.uuid4().hex[:8]}-{name}")
    try:
        with (
            made.open("rb") as source,
            FileSystems.create(beside, compression_type=CompressionTypes.UNCOMPRESSED) as file,
        ):
            shutil.copyfileobj(source, file, COPY_BYTES)
        FileSystems.rename([beside], [target])
    except BaseException:
        with contextlib.suppress(Exception):
            FileSystems.delete([beside])
        raise


@contextlib.contextmanager
def explained(asked: str) -> Iterator[None]:
    """Turns what Beam raises about a file system into one line that names the flag."""
    try:
        yield
    except ValueError as error:
        said = " ".join(str(error).split())
        if "Unable to get filesystem" in said:
            said = (
                "Beam has no such file system here: install apache-beam[gcp] for gs://, or apache-beam[aws] for s3://."
            )
        raise UserError(f"{asked}: {said}") from error
    except (BeamIOError, OSError) as error:
        raise UserError(f"{asked} cannot be read: {' '.join(str(error).split())}") from error
