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

from yt8m_audio.audioset.clips.downloading import only_one
from yt8m_audio.audioset.clips.folder import (
    SHARDS,
    WHOLE,
    FolderSettings,
    manifest_paths,
    merge_into,
    newer_shards,
)
from yt8m_audio.audioset.clips.manifest import STATES, WAITING, Manifest
from yt8m_audio.audioset.clips.media import Cutter
from yt8m_audio.audioset.clips.reasons import PERMANENT, Reason, reasons_named
from yt8m_audio.audioset.clips.verification import verify as verify_clips
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
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
        manifests: Manifests to take them from, any number. Those of the folder's own shards when none is given.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)
    manifests: str = dataclasses.field(default="", metadata=POSITIONAL)


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
    reasons, count = reasons_named(asked.reason), 0
    for manifest in opened(Path(asked.out)):
        with only_one(manifest.path):
            count += manifest.retry(reasons)
    print(f"{count:,} clips wait to be tried again: the command that downloads them goes on with them.")
    return 0


def verify(argv) -> int:
    """Holds files against the manifest; those that differ are fetched again with the next run."""
    asked = parse(argv, "Hashes and measures every clip of a folder.", VerifyFlags)
    if asked.workers < 1:
        raise UserError(f"--workers={asked.workers} must be at least 1.")
    out, line, clips, faults = Path(asked.out), ProgressLine(), 0, []
    for manifest in opened(out):
        with only_one(manifest.path):
            cutter = Cutter(FolderSettings.of(manifest).sound, 600.0, threading.Event())
            options = {"workers": asked.workers, "hash_only": asked.hash_only, "show": line.show}
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
    others = [each for each in argv[1:] if not each.startswith("-")]
    flags = [each for each in argv[1:] if each.startswith("-")]
    joined = [argv[0], *flags, *others[:1], *(["\n".join(others[1:])] if others[1:] else [])]
    asked = parse(joined, "Makes one manifest of those of many machines.", MergeFlags)
    out = Path(asked.out)
    paths = [Path(each) for each in asked.manifests.split("\n") if each] or sorted(out.glob(SHARDS))
    if not paths:
        raise UserError(f"{out} holds no manifests of shards, {SHARDS}: name those to merge.")
    whole = out / WHOLE
    with only_one(whole):
        changed = merge_into(out, paths)
    print(f"{changed:,} rows of {len(paths)} manifests came, or got further, in {whole}.")
    return 0


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
