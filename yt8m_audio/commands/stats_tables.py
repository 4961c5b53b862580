"""What `stats` prints: tables that fit 80 columns."""

import sys
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.commands.stats_source import EVENTS

WIDTH = 80  # columns where the output is no terminal
LOOK = {"title_justify": "left", "pad_edge": False, "padding": (0, 1, 0, 0)}


def show(source: str, against: str, facts: dict, classes: Sequence[dict], pairs: Sequence[dict], top: int) -> None:
    """Prints all tables.

    Args:
        source: what was counted.
        against: the list that it was compared with, or "".
        facts: of all clips.
        classes: a row each.
        pairs: a row each, most frequent first.
        top: rows of a table.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    console.print(facts_table(source, against, facts))
    seen = sorted((row for row in classes if row["clips"]), key=lambda row: -row["clips"])
    if seen:
        console.print(classes_table(seen, top))
    if pairs:
        console.print(pairs_table(pairs[:top]))
    lost = sorted((row for row in classes if row.get("missing")), key=lambda row: -row["missing"] / row["official"])
    if lost:
        console.print(missing_table(lost[:top]))


def facts_table(source: str, against: str, facts: dict[str, Any]) -> Table:
    """The figures of all clips together."""
    table = Table(title=escape(source), show_header=False, box=box.SIMPLE, **LOOK)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in fact_lines(against, facts).items():
        table.add_row(name, escape(text))
    return table


def fact_lines(against: str, facts: dict[str, Any]) -> dict[str, str]:
    """The figures in words, by what they are of."""
    each = facts["labels_per_clip"]
    lines = {
        facts["kind"]: f"{facts['clips']:,} of {facts['ids']:,} ids",
        "labels": f"{facts['labels']:,}",
        "labels a clip": f"{each['least']:.0f} to {each['most']:.0f}, mean {each['mean']:.2f}, median "
        f"{each['median']:g}; one in {each['one']:,} clips, none in {each['none']:,}",
        "classes": f"{facts['classes_seen']:,} of {facts['num_classes']:,}",
    }
    if "seconds" in facts:
        seconds = facts["seconds"]
        usual = seconds["usual"]
        lines["seconds an event" if facts["kind"] == EVENTS else "seconds"] = (
            f"{seconds['least']:g} to {seconds['most']:g}, most often {usual['value']:g} ({usual['less']:,} less, "
            f"{usual['more']:,} more); {seconds['sum'] / 3600:,.1f} hours"
        )
    if "against" in facts:
        found = facts["against"]
        lines["against"] = (
            f"{against}, {found['clips']:,} segments: {found['missing']:,} missing, {found['extra']:,} that are not in "
            f"it, {found['relabelled']:,} with other labels, {found['moved']:,} that begin elsewhere"
        )
    return lines


def classes_table(seen: Sequence[dict], top: int) -> Table:
    """The most frequent classes and the rarest, side by side."""
    table = _table("Classes")
    for column in ("most frequent", "rarest"):
        table.add_column(column, overflow="fold", ratio=1)
        table.add_column("clips", justify="right")
    for most, least in zip(seen[:top], seen[::-1][:top], strict=True):
        table.add_row(*(cell for row in (most, least) for cell in (escape(row["display_name"]), f"{row['clips']:,}")))
    return table


def pairs_table(pairs: Sequence[dict]) -> Table:
    """Classes that are most often heard in one clip."""
    table = _table("Heard together (lift: how many times as often as by chance)")
    for column in ("class", "and class"):
        table.add_column(column, overflow="fold", ratio=1)
    for column in ("clips", "of 1st", "of 2nd", "lift"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in pairs:
        shares = (f"{row[name]:.0%}" for name in ("share_of_a", "share_of_b"))
        table.add_row(escape(row["name_a"]), escape(row["name_b"]), f"{row['clips']:,}", *shares, f"{row['lift']:.1f}")
    return table


def missing_table(lost: Sequence[dict]) -> Table:
    """Classes that lost the largest share of their clips."""
    table = _table("Missing clips by class, largest share first")
    table.add_column("class", overflow="fold", ratio=1)
    for column in ("in the list", "missing", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in lost:
        share = row["missing"] / row["official"]
        table.add_row(escape(row["display_name"]), f"{row['official']:,}", f"{row['missing']:,}", f"{share:.0%}")
    return table


def _table(title: str) -> Table:
    return Table(title=title, box=box.SIMPLE_HEAD, expand=True, **LOOK)
