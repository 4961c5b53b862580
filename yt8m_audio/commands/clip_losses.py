"""python -m yt8m_audio clips report OUT: which classes lost clips, and what that does to an evaluation."""

import csv
import dataclasses
import math
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from yt8m_audio.audioset.clips.losses import FEW, ClassLoss, Losses
from yt8m_audio.commands.clip_upkeep import WIDTH, opened, outdated
from yt8m_audio.errors import UserError, reason
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, read_label_map
from yt8m_audio.run_directory import written_beside

COLUMNS = ("mid", "display_name", "listed", "had", "short", "waiting", "lost", "share_lost", "interval")


@dataclasses.dataclass(frozen=True)
class ReportFlags:
    """What is reported.

    Attributes:
        out: Folder of the clips.
        csv: CSV file to write all classes to.
        classes: Classes to print, those that lost most.
        label_map: CSV with the columns index, mid and display_name. AudioSet's own when empty.
    """

    out: str = dataclasses.field(metadata=POSITIONAL)
    csv: str = ""
    classes: int = 20
    label_map: str = ""


def report(argv) -> int:
    """Prints the losses."""
    asked = parse(argv, "Says which classes lost clips, and what that does to an evaluation.", ReportFlags)
    if asked.classes < 0:
        raise UserError(f"--classes={asked.classes} must be at least 0.")
    out = Path(asked.out)
    losses = Losses.of(_clips(out), _names(asked.label_map))
    if not (clips := losses.clips.listed):
        raise UserError(f"{out} holds no clips.")
    console = Console(width=None if Console().is_terminal else WIDTH)
    console.print(_reasons(losses, clips))
    console.print(_classes(losses.classes[: asked.classes], len(losses.classes)))
    print("\n".join([*in_words(losses), *outdated(out)]))
    if asked.csv:
        _write(asked.csv, losses.classes)
    return 0


def in_words(losses: Losses) -> list[str]:
    """What the losses do to an evaluation."""
    every, classes = losses.clips, len(losses.classes)
    lines = [
        f"{every.had:,} of {every.listed:,} clips are there; {every.lost:,} ({every.share_lost:.1%}) cannot be had."
    ]
    if every.short:
        lines.append(f"{every.short:,} of those that are there are shorter than asked for.")
    if every.waiting:
        lines.append(f"{every.waiting:,} are still to be tried: this is not the last word.")
    if empty := losses.empty:
        lines.append(
            f"{len(empty)} classes have no clip left, and no average precision: mAP is over {classes - len(empty)} "
            f"classes in place of {classes} ({_named(empty)})."
        )
    if few := losses.few:
        lines.append(f"{len(few)} classes have fewer than {FEW} clips left ({_named(few)}).")
    if unusual := losses.unusual:
        lines.append(f"{len(unusual)} classes lost more than chance takes at that share ({_named(unusual)}).")
    if math.isfinite(losses.widening):
        lines.append(
            f"Intervals of average precisions are {losses.widening:.2f} times as wide, in the median over classes. "
            "Compare with figures of others on the clips that both have."
        )
    return lines


def _clips(out: Path):
    for manifest in opened(out):
        yield from manifest.clips()


def _names(path: str) -> dict[str, str]:
    labels = read_label_map(path or str(AUDIOSET_LABEL_MAP))
    return dict(zip(labels.ids, labels.names, strict=False))


def _named(classes: list[ClassLoss], most: int = 5) -> str:
    more = len(classes) - most
    return ", ".join(each.name for each in classes[:most]) + (f" and {more} more" if more > 0 else "")


def _reasons(losses: Losses, clips: int) -> Table:
    table = Table(title="Why clips cannot be had", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("reason")
    table.add_column("clips", justify="right")
    table.add_column("of all", justify="right")
    for why, count in losses.reasons.items():
        table.add_row(why, f"{count:,}", f"{count / clips:.1%}")
    return table


def _classes(classes: tuple[ClassLoss, ...], of_all: int) -> Table:
    title = f"The {len(classes)} of {of_all} classes that lost the greatest share"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("class", overflow="fold")
    for column in ("listed", "there", "short", "waiting", "lost", "share", "interval ×"):
        table.add_column(column, justify="right")
    for each in classes:
        counts = (each.listed, each.had, each.short, each.waiting, each.lost)
        table.add_row(each.name, *(f"{count:,}" for count in counts), f"{each.share_lost:.1%}", f"{each.widening:.2f}")
    return table


def _write(path: str, classes: tuple[ClassLoss, ...]) -> None:
    try:
        with written_beside(Path(path)) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for each in classes:
                counts = (each.listed, each.had, each.short, each.waiting, each.lost)
                rows.writerow([each.label, each.name, *counts, f"{each.share_lost:.6f}", f"{each.widening:.6f}"])
    except OSError as error:
        raise UserError(f"--csv={path} cannot be written: {reason(error)}.") from error
