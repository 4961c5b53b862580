"""Prints the figures of an evaluation."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from yt8m_audio.evaluation.report.headlines import MEANINGS

PAGE = 110  # columns where the output is no terminal
HASH_SHOWN = 12  # letters; metrics.json has all


def show(
    figures: dict, about: dict, intervals: dict[str, tuple[float, float]] | None = None, more: Sequence[Table] = ()
) -> None:
    """Prints the figures as a table, further tables, and what the figures are of."""
    console = Console(width=None if sys.stdout.isatty() else PAGE)
    step = f" at step {about['step']:,}" if "step" in about else ""
    table = Table(title=f"{about['model']}{step} on {about['clips']:,} clips", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    if intervals:
        table.add_column("95 % interval", justify="right")
    table.add_column("meaning")
    for name, value in figures.items():
        if isinstance(value, float):
            low, high = (intervals or {}).get(name, ("", ""))
            interval = f"{low:.4f} to {high:.4f}" if name in (intervals or {}) else ""
            table.add_row(name, f"{value:.4f}", *([interval] if intervals else []), meaning_of(name))
    for each in (table, *more):
        console.print(each)
    some, classes, sha256 = about["classes_with_positives"], about["classes"], about["ids_sha256"][:HASH_SHOWN]
    print(f"{some:,} of {classes:,} classes have positives; the clips' ids have the sha256 {sha256}…")
    print(about.get("accuracy", "All figures are exact."))


def meaning_of(name: str) -> str:
    """What a figure means, in a line."""
    kind, _, top_k = name.partition("@") if name != "hit@1" else (name, "", "")
    return MEANINGS.get(kind, ("", ""))[1].format(k=top_k)
