"""python -m yt8m_audio features OUT: fetches AudioSet's features (2.4 GB) with resume, and checks that they are whole.

What is in OUT already is checked first: a split that is whole is left alone, and one that is not is mended.
"""

import dataclasses
from pathlib import Path

from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.features_check import SplitFound, check_split
from yt8m_audio.audioset.features_release import (
    ARCHIVE,
    RELEASE,
    TABLES,
    Release,
    read_note,
    splits_of,
    url_of,
    write_note,
)
from yt8m_audio.audioset.features_unpacking import check_space, has_case, repack, unpack
from yt8m_audio.audioset.segments import Segments, read_segments
from yt8m_audio.downloading import download
from yt8m_audio.errors import UserError, reason
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine

ABOUT = (
    "Fetches AudioSet's features (2.4 GB, and as much again to unpack), with resume, and checks that they are whole."
)
LICENCE = "AudioSet is Google's, CC BY 4.0 (research.google.com/audioset/download.html)."
CLASSES = 527


@dataclasses.dataclass(frozen=True)
class FeaturesFlags:
    """Where the features go, and as what.

    Attributes:
        out: Folder for the splits, such as features; it may hold what an earlier call left.
        region: Which of Google's copies to fetch: us, eu or asia, the nearest.
        url: Address to fetch the archive from, in place of Google's.
        splits: Splits to unpack, with commas between: bal_train, eval, unbal_train. All when empty.
        repack: Write few large shards in place of the release's 12,228, as is done where the file system has no case.
        shards: Shards of a split to repack to.
        check: Check what is in the folder, and fetch nothing.
        csv_folder: Folder with AudioSet's CSVs of segments, whose labels are compared. OUT and the one above it when
            empty.
        keep_archive: Keep features.tar.gz when all is there.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)
    region: str = "us"
    url: str = ""
    splits: str = ""
    repack: bool = False
    shards: int = 16
    check: bool = False
    csv_folder: str = ""
    keep_archive: bool = False


def main(argv, release: Release = RELEASE) -> int:
    """Fetches, unpacks and checks; 1 where what is there is not whole."""
    asked, line = parse(argv, ABOUT, FeaturesFlags), ProgressLine()
    out, splits, url = Path(asked.out), splits_of(asked.splits, release), asked.url or url_of(asked.region)
    if asked.shards < 1:
        raise UserError(f"--shards={asked.shards} must be at least 1.")
    found = {split: _checked(out, split, release, asked, line) for split in splits if (out / split).is_dir()}
    missing = [split for split in splits if split not in found or found[split].faults]
    if not asked.check and missing:
        _fetch(asked, out, missing, url, release, line)
        found |= {split: _checked(out, split, release, asked, line) for split in missing}
    line.clear()
    absent = SplitFound(faults=["it is not there."])
    for split in splits:
        print("\n".join(described(split, found.get(split, absent))))
    if any(found.get(split, absent).faults for split in splits):
        print(_what_to_do(asked, out))
        return 1
    if not asked.check:
        write_note(out, {split: each.noted() for split, each in found.items()}, url)
        if not asked.keep_archive:
            (out / ARCHIVE).unlink(missing_ok=True)
    print(f"{LICENCE}\nNext: python -m yt8m_audio inspect '{out / splits[0]}/*.tfrecord'")
    return 0


def described(split: str, found: SplitFound) -> list[str]:
    """What is said of a split."""
    whole = "not whole" if found.faults else "whole"
    first = f"{split}: {found.records:,} records in {found.files:,} files, {whole}."
    return [first, *(f"  {each}" for each in found.faults), *(f"  note: {each}" for each in found.notes)]


def _fetch(asked: FeaturesFlags, out: Path, splits: list[str], url: str, release: Release, line: ProgressLine) -> None:
    """Fetches the archive and takes some splits out of it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        archive = out / ARCHIVE
        there = sum(path.stat().st_size for path in (archive, out / f"{ARCHIVE}.part") if path.exists())
        check_space(out, max(0, 2 * release.size - there - _unpacked(out, splits)))
        keeps_case = has_case(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {reason(error)}.") from error
    download(url, archive, progress=lambda done, total: line.show(f"{ARCHIVE}: {_megabytes(done, total)}"))
    if not keeps_case:
        line.say(f"{out} is on a file system without case, on which the release's shards would overwrite each other:")
        line.say(f"they are written as {asked.shards} large shards a split.")

    def show(done: int, total: int) -> None:
        line.show(f"unpacking: {_megabytes(done, total)}")

    if asked.repack or not keeps_case:
        repack(archive, out, release, splits, asked.shards, show)
    else:
        unpack(archive, out, release, splits, show)


def _unpacked(out: Path, splits: list[str]) -> int:
    """Bytes of shards that are there."""
    return sum(path.stat().st_size for split in splits for path in (out / split).glob("*.tfrecord"))


def _megabytes(done: int, total: int | None) -> str:
    return f"{done / 1e6:,.1f}" + (f" of {total / 1e6:,.1f} MB" if total else " MB")


def _checked(out: Path, split: str, release: Release, asked: FeaturesFlags, line: ProgressLine) -> SplitFound:
    """Checks a split that is there."""
    line.show(f"checking {split}")
    return check_split(out, split, release, read_note(out).get(split), _segments(out, split, asked.csv_folder))


def _segments(out: Path, split: str, csv_folder: str) -> Segments | None:
    """The CSV of a split, where it is there."""
    folders = [Path(csv_folder)] if csv_folder else [out, out.absolute().parent]
    table = next((folder / TABLES[split] for folder in folders if (folder / TABLES[split]).is_file()), None)
    return None if table is None else read_segments(str(table), class_ids_for("", CLASSES), "")


def _what_to_do(asked: FeaturesFlags, out: Path) -> str:
    """What mends a folder that is not whole."""
    if asked.check:
        return "The same command without --check fetches what is missing; what was repacked must be removed before."
    return f"Remove {out / ARCHIVE}, which may be damaged, and run this command again."
