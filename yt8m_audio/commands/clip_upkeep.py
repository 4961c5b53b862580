"""python -m yt8m_audio clips status, retry, verify and merge OUT: what is done with a folder of clips."""

import collections
import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from yt8m_audio.audioset.clips.folder import (
    SHARDS,
    WHOLE,
    FolderSettings,
    make_folder,
    manifest_paths,
    merge_into,
    merged_shards,
    newer_shards,
)
from yt8m_audio.audioset.clips.manifest import STATES, WAITING, Clip, Manifest
from yt8m_audio.audioset.clips.media import Cutter
from yt8m_audio.audioset.clips.only_one import only_one
from yt8m_audio.audioset.clips.reasons import PERMANENT, Reason, reasons_named
from yt8m_audio.audioset.clips.verification import verify as verify_clips
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, SEVERAL, parse
from yt8m_audio.progress_line import ProgressLine

SHOWN = 20  # faults that are listed
WIDTH = 100


@dataclasses.dataclass(frozen=True)
class StatusFlags:
    """What is shown.

    Attributes:
        out: Folder of the clips.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)


@dataclasses.dataclass(frozen=True)
class RetryFlags:
    """What is tried again.

    Attributes:
        out: Folder of the clips.
        reason: Reasons of the failures to try again, with commas between, as clips status shows them; or all.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class VerifyFlags:
    """What is verified.

    Attributes:
        out: Folder of the clips.
        workers: Files at a time.
        hash_only: Leave decoding and counting samples out.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)
    workers: int = 4
    hash_only: bool = False


@dataclasses.dataclass(frozen=True)
class MergeFlags:
    """What is merged.

    Attributes:
        out: Folder whose manifest.sqlite takes all rows.
        manifests: Manifests to take them from, any number, beside those of the folder's own shards.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)
    manifests: tuple[str, ...] = dataclasses.field(default=(), metadata=SEVERAL)


def status(argv) -> int:
    """Prints states and reasons."""
    asked = parse(argv, "Says how far the clips of a folder are, and why some cannot be had.", StatusFlags)
    out, totals = Path(asked.out), collections.Counter()
    size, pauses = 0, []
    for manifest in opened(out):
        for each in manifest.counts():
            totals[each.state, each.reason] += each.clips
            size += each.bytes if each.state in ("done", "short") else 0
        pauses += pause_of(manifest)
    console = Console(width=None if Console().is_terminal else WIDTH)
    console.print(_table(asked.out, totals))
    print(f"{size / 1e9:,.2f} GB of clips")
    for line in [*pauses, *outdated(out)]:
        print(line)
    return 0


def retry(argv) -> int:
    """Has failures of some reasons tried again."""
    asked = parse(argv, "Has clips that failed for some reasons tried again with the next run.", RetryFlags)
    reasons, out = reasons_named(asked.reason), Path(asked.out)
    with kept_from_others(out):
        count = sum(manifest.retry(reasons) for manifest in opened(out))
        for path in merged_shards(out):
            with Manifest.open(path) as shard:
                shard.retry(reasons)
    print(f"{count:,} clips wait to be tried again: the command that downloads them goes on with them.")
    return 0


def verify(argv) -> int:
    """Holds files against the manifest; those that differ are fetched again with the next run."""
    asked = parse(argv, "Hashes and measures every clip of a folder.", VerifyFlags)
    if asked.workers < 1:
        raise UserError(f"--workers={asked.workers} must be at least 1.")
    out, line, clips, faults = Path(asked.out), ProgressLine(), 0, []

    def tell(again: list[Clip]) -> None:
        for path in merged_shards(out) if again else ():
            with Manifest.open(path) as shard:
                shard.record(again)

    options = {"workers": asked.workers, "hash_only": asked.hash_only, "show": line.show, "tell": tell}
    with kept_from_others(out):
        for manifest in opened(out):
            cutter = Cutter(FolderSettings.of(manifest).sound, 600.0, threading.Event())
            found = verify_clips(manifest, out, cutter, **options)
            clips, faults = clips + found.clips, faults + found.faults
    line.clear()
    for file, what in faults[:SHOWN]:
        print(f"{file}: {what}")
    if len(faults) > SHOWN:
        print(f"and {len(faults) - SHOWN:,} more")
    print(f"{clips:,} clips verified; {len(faults):,} are not as they were, and wait to be fetched again.")
    return 1 if faults else 0


def merge(argv) -> int:
    """Merges manifests into one."""
    asked = parse(argv, "Makes one manifest of those of many machines.", MergeFlags)
    out = Path(asked.out)
    paths = [*sorted(out.glob(SHARDS)), *map(Path, asked.manifests)]
    if not paths:
        raise UserError(f"{out} holds no manifests of shards, {SHARDS}: name those to merge.")
    whole = out / WHOLE
    make_folder(out)
    with only_one(whole):
        changed = merge_into(out, paths)
    print(f"{changed:,} rows of {len(paths)} manifests came, or got further, in {whole}.")
    return 0


@contextlib.contextmanager
def kept_from_others(out: Path) -> Iterator[None]:
    """Keeps other processes from all manifests of a folder."""
    with contextlib.ExitStack() as stack:
        for path in [*manifest_paths(out), *merged_shards(out)]:
            stack.enter_context(only_one(path))
        yield


def opened(out: Path) -> Iterator[Manifest]:
    """The manifests of a folder, one after another."""
    for path in manifest_paths(out):
        with Manifest.open(path) as manifest:
            yield manifest


def outdated(out: Path) -> list[str]:
    """Says so where shards went on after they were merged."""
    newer = newer_shards(out)
    return [f"{len(newer)} shards went on since: python -m yt8m_audio clips merge {out}"] if newer else []


def pause_of(manifest: Manifest) -> list[str]:
    """When a run that the site refused goes on, and when the next clip may be tried."""
    gate, lines = manifest.note("gate") or {}, []
    with contextlib.suppress(KeyError):
        if gate["paused_until"] > time.time():
            lines.append(f"{manifest.path.name}: {gate['why']}; it goes on at {_clock(gate['paused_until'])}")
    next_try = manifest.next_try()
    if next_try and next_try > time.time():
        lines.append(f"{manifest.path.name}: the next clip is tried at {_clock(next_try)}")
    return lines


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _table(out: str, totals: collections.Counter) -> Table:
    """States and reasons, with shares of all."""
    every = sum(totals.values())
    table = Table(title=f"{out}: {every:,} segments", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("state", "reason", "clips", "share", "tried again"):
        table.add_column(column, justify="right" if column in ("clips", "share") else "left")
    order = sorted(totals.items(), key=lambda each: (STATES.index(each[0][0]), -each[1]))
    for (state, reason), clips in order:
        table.add_row(state, reason, f"{clips:,}", f"{clips / every:.1%}", _again(state, reason))
    return table


def _again(state: str, reason: str) -> str:
    """Whether clips of a state and a reason are tried again by themselves."""
    if state == WAITING:
        return "yes"
    if state == "done" or not reason:
        return ""
    return "by clips retry alone" if Reason(reason) in PERMANENT else "no more, but by clips retry"
