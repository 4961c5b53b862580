"""AudioSet's features from their archive to a folder: the release's own shards, or few large ones.

    unpack(archive, out, RELEASE, ["eval"])          # out/eval/-0.tfrecord ..., may be stopped at any moment
    repack(archive, out, RELEASE, ["eval"], 16)      # out/eval/00000-of-00016.tfrecord ..., whole or not at all

The shards are named by two characters of which the case counts. Where a file system has none, 4,070 names are 1,444,
and a third of the clips would be left: there the archive is repacked.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from yt8m_audio.audioset.features_archive import ArchiveShard, archive_shards
from yt8m_audio.audioset.features_release import Release
from yt8m_audio.errors import UserError, reason
from yt8m_audio.records import CRC, FOOT_BYTES, HEAD_BYTES, LENGTH, corrupt_message, masked_crc

FILE_NAME = "{:05d}-of-{:05d}.tfrecord"
HEADROOM = 1.05  # of free space, for what folders take

Progress = Callable[[int, int], None]


def has_case(folder: Path) -> bool:
    """Whether two names that differ in case are two files in a folder, which is there."""
    with tempfile.NamedTemporaryFile(prefix=".Case-", dir=folder) as probe:
        path = Path(probe.name)
        return not path.with_name(path.name.swapcase()).exists()


def check_space(folder: Path, needed: int) -> None:
    """Raises a UserError if there is no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed * HEADROOM > free:
        raise UserError(f"{folder} has {free / 1e9:,.1f} GB free, and {needed * HEADROOM / 1e9:,.1f} GB are needed.")


def unpack(archive: Path, out: Path, release: Release, splits: Collection[str], progress: Progress) -> None:
    """Writes the release's shards, each of them whole or not at all; what is there already and right stays.

    Raises:
        UserError: if the archive is not what it should be, or a shard cannot be written.
    """
    with _written(out), _alone(archive):
        for split in splits:
            (out / split).mkdir(parents=True, exist_ok=True)
            for left in (out / split).glob(".partial-*"):  # by a run that was killed
                left.unlink()
        for shard in archive_shards(archive, release, splits, progress):
            path = out / shard.split / shard.name
            if path.is_file() and path.read_bytes() == shard.content:
                continue
            partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
            try:
                partial.write_bytes(shard.content)
                os.replace(partial, path)
            finally:
                partial.unlink(missing_ok=True)


def repack(
    archive: Path, out: Path, release: Release, splits: Collection[str], num_files: int, progress: Progress
) -> None:
    """Writes a split's records into so many files, in folders beside, which are renamed when all of it is there.

    Raises:
        UserError: if a split is there already, a record is corrupt, or a file cannot be written.
    """
    for split in splits:
        if (out / split).exists():
            raise UserError(f"{out / split} is there already: remove it, or check it with --check.")
    with _written(out), _alone(archive), contextlib.ExitStack() as stack:
        for left in (each for split in splits for each in out.glob(f".partial-{split}-*")):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        folders = {split: Path(tempfile.mkdtemp(prefix=f".partial-{split}-", dir=out)) for split in splits}
        for folder in folders.values():
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        files = {split: _opened(folders[split], min(num_files, release.shards[split]), stack) for split in splits}
        counts = dict.fromkeys(splits, 0)
        for shard in archive_shards(archive, release, splits, progress):
            check_records(shard)
            into = files[shard.split]
            into[counts[shard.split] % len(into)].write(shard.content)
            counts[shard.split] += 1
        for split, folder in folders.items():
            for file in files[split]:
                file.close()
            folder.chmod(0o755)  # mkdtemp's are its owner's alone
            folder.rename(out / split)


def check_records(shard: ArchiveShard) -> None:
    """Raises a UserError at the first record of a shard that is cut or does not match its checksums."""
    content, at, number = memoryview(shard.content), 0, 0
    while at < len(content):
        head = content[at : at + HEAD_BYTES]
        is_whole = len(head) == HEAD_BYTES and CRC.unpack_from(head, LENGTH.size)[0] == _crc(head[: LENGTH.size])
        begin = at + HEAD_BYTES
        end = begin + LENGTH.unpack_from(head)[0] if is_whole else len(content)
        foot = content[end : end + FOOT_BYTES]
        if len(foot) < FOOT_BYTES or CRC.unpack(foot)[0] != _crc(content[begin:end]):
            raise UserError(corrupt_message(f"{shard.split}/{shard.name}", number))
        at, number = end + FOOT_BYTES, number + 1


def _crc(content: memoryview) -> int:
    return masked_crc(bytes(content))


def _opened(folder: Path, num_files: int, stack: contextlib.ExitStack) -> list[BinaryIO]:
    """Opens so many files to write to."""
    names = [FILE_NAME.format(number, num_files) for number in range(num_files)]
    return [stack.enter_context(open(folder / name, "wb")) for name in names]


@contextlib.contextmanager
def _alone(archive: Path) -> Iterator[None]:
    """Keeps other processes from unpacking the archive at the same time; the lock goes with the process."""
    with open(archive, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{archive} is being unpacked by another process: wait for its end, or stop it.") from None
        yield


@contextlib.contextmanager
def _written(out: Path) -> Iterator[None]:
    """Says which folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{out} cannot be written: {reason(error)}.") from error
