"""The shards in the archive of AudioSet's features, one behind the other, and no file that an archive has no right to.

for shard in archive_shards("features.tar.gz", RELEASE, ["bal_train"]):
    shard.split, shard.name, shard.content
"""

import os
import re
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from yt8m_audio.audioset.features_release import Release
from yt8m_audio.errors import UserError, reason

SHARD_NAME = re.compile(r"[A-Za-z0-9_-]{2}\.tfrecord")  # a letter of one case is another than that of the other
MOST_SHARD_BYTES = 1 << 28
MOST_NAME_BYTES = 1 << 16  # of a header that holds a long name, or other words about the member behind it
NAMES = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
PLAIN = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}
DAMAGED = (tarfile.TarError, EOFError, zlib.error, OSError)


class ArchiveShard(NamedTuple):
    """One shard.

    Attributes:
        split: that it is of.
        name: of the file, such as -0.tfrecord.
        content: its bytes.
    """

    split: str
    name: str
    content: bytes


class _Member(tarfile.TarInfo):
    """A member whose header is looked at before it is believed: tarfile reads a name of any length at once."""

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        """Reads a header."""
        member = super().frombuf(buf, encoding, errors)
        _check_size(member, MOST_NAME_BYTES if member.type in NAMES else MOST_SHARD_BYTES)
        return member


def _check_size(member: tarfile.TarInfo, most: int) -> None:
    if not 0 <= member.size <= most:
        raise tarfile.ReadError(f"a part of {member.size:,} bytes, where {most:,} are the most")


def archive_shards(
    path: str | os.PathLike,
    release: Release,
    splits: Collection[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[ArchiveShard]:
    """Reads the shards of some splits, in the archive's order, and holds one at a time.

    Args:
        path: the archive; gzip, or plain.
        release: what it should hold.
        splits: which are wanted.
        progress: called with the bytes of the archive that were read, and all of them.

    Raises:
        UserError: if the archive is damaged, has links or paths that lead out of it, or lacks shards.
    """
    found = dict.fromkeys(splits, 0)
    size = os.path.getsize(path)
    try:
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r|*", tarinfo=_Member) as archive:
            for member in archive:
                _check_size(member, MOST_SHARD_BYTES)  # a header before may have changed it
                split = _split_of(member, path, release)
                if split in found:
                    found[split] += 1
                    yield ArchiveShard(split, PurePosixPath(member.name).name, archive.extractfile(member).read())
                progress(file.tell(), size)
    except DAMAGED as error:
        raise UserError(f"{path} is damaged ({reason(error)}): remove it, and run this command again.") from error
    for split, count in found.items():
        if count != release.shards[split]:
            raise UserError(
                f"{path} has {count:,} shards of {split}, and the release {release.shards[split]:,}: remove it, and "
                "run this command again."
            )


def _split_of(member: tarfile.TarInfo, path: str | os.PathLike, release: Release) -> str | None:
    """The split that a member is a shard of; None of a folder and of what is no shard.

    Raises:
        UserError: if it is what would write elsewhere than it should when it is unpacked.
    """
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts or member.type not in PLAIN:
        kind = "a path that leads out of it" if member.type in PLAIN else "a link or a device"
        raise UserError(
            f"{path} holds {member.name!r}, {kind}: it is not AudioSet's release, and nothing is taken of it."
        )
    if not member.isfile() or len(place.parts) != 3 or place.parts[0] != release.folder:
        return None
    if not SHARD_NAME.fullmatch(place.name):
        return None
    return place.parts[1]
