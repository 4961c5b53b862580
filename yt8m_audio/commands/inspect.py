"""python -m yt8m_audio inspect GLOB: says what a data set holds, what is broken in it, and the flags to train on it."""

import dataclasses
import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from readers.survey import survey
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine

ABOUT = "Says what a data set holds, what is broken in it, and the flags to train on it."
FAULTS = {
    "unreadable": "files that cannot be read",
    "empty": "empty files",
    "cut": "shards that are cut or no TFRecords",
    "checksum": "records that do not match their checksum",
    "malformed": "records that do not parse",
}


@dataclasses.dataclass(frozen=True)
class InspectFlags:
    """What is inspected.

    Attributes:
        pattern: Glob of the records, in quotes, or several with commas between; or a packed folder.
        json: Print JSON, with the count of every class.
        label_map: CSV with the columns index and display_name, or YouTube-8M's vocabulary.csv. AudioSet's own for 527
            classes when empty.
    """

    pattern: str = dataclasses.field(metadata=POSITIONAL)
    json: bool = False
    label_map: str = ""


def main(argv) -> int:
    """Prints the report; that something is corrupt is part of it, and no failure."""
    asked, line = parse(argv, ABOUT, InspectFlags), ProgressLine()
    report = survey(asked.pattern, asked.label_map, line.show if line.live and not asked.json else lambda text: None)
    if asked.json:
        print(json.dumps(report, indent=2))
        return 0
    if line.live:
        line.say("")
    console = Console(width=None if line.live else 100)
    console.print(_facts(report))
    if report["classes"]["seen"]:
        console.print(_classes(report["classes"]))
    for note in report["notes"]:
        console.print(f"note: {note}", markup=False, highlight=False)
    if not report["clips"]:
        raise UserError(f"{asked.pattern} holds no clip that can be read: give a glob of TFRecord files.")
    if report["flags"]:
        print(f"Train: python train.py {report['flags']}")
    return 0


def _facts(report: dict[str, Any]) -> Table:
    """Everything but the classes."""
    table = Table(title=escape(report["pattern"]), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    level = f" ({report['reader']}, {report['level']} level)" if report["reader"] else ""
    size = f"{report['bytes'] / 1e6:,.1f} MB"
    each = f"{report['bytes'] / report['clips']:,.0f} bytes each" if report["clips"] else "no whole clip"
    shards = "1 shard" if report["shards"] == 1 else f"{report['shards']:,} shards"
    where = f"in {shards}" if "packed" not in report else "in one array"
    rows = {
        "family": report["family"] + level,
        "clips": f"{report['clips']:,} {where}, {size}, {each}",
        "features": ", ".join(f"{each['name']} ({each['size']} {each['type']})" for each in report["features"]),
        **{f"{part} keys": ", ".join(f"{key} ({kind})" for key, kind in keys.items()) for part, keys in _keys(report)},
        "frames": _spread(report["frames"]),
        "labels a clip": _labels(report["labels_per_clip"]),
        "segments": _segments(report["segments"]),
        "packed": ", ".join(f"{name} {value}" for name, value in report.get("packed", {}).items()),
        "corrupt": _damage(report["corrupt"]),
    }
    for name, text in rows.items():
        if text:
            table.add_row(name, escape(text))
    return table


def _keys(report: dict[str, Any]):
    return [(part.replace("feature_lists", "feature list"), keys) for part, keys in report["keys"].items()]


def _spread(summary: dict[str, float] | None) -> str:
    """A histogram's summary in words."""
    return ", ".join(f"{name} {value:,}" for name, value in summary.items()) if summary else ""


def _labels(summary: dict[str, float]) -> str:
    none = f"{summary['none']:,} clips without" if summary["none"] else "no clip without"
    spread = _spread({name: value for name, value in summary.items() if name != "none"})
    return f"{spread}; {none}" if spread else ""


def _segments(segments: dict[str, int]) -> str:
    if not segments["rated"]:
        return ""
    return f"{segments['rated']:,} rated, {segments['ratings']:,} ratings of which {segments['true']:,} true"


def _damage(corrupt: dict[str, dict]) -> str:
    """What is corrupt, by kind, with the first of each."""
    found = {FAULTS[name]: each for name, each in corrupt.items() if each["count"]}
    lines = [line for what, each in found.items() for line in (f"{each['count']:,} {what}", *_first(each))]
    return "\n".join(lines) or "nothing"


def _first(each: dict[str, Any]) -> list[str]:
    more = each["count"] - len(each["first"])
    return [f"  {name}" for name in each["first"]] + ([f"  and {more:,} more"] if more else [])


def _classes(classes: dict[str, Any]) -> Table:
    """The most frequent classes and the rarest, side by side."""
    never = f"{classes['never']:,} never" if classes["never"] else "each at least once"
    title = f"{classes['seen']:,} of {classes['num_classes']:,} classes seen, {never}"
    table = Table(title=title, title_justify="left")
    for column in ("most frequent", "rarest"):
        table.add_column(column, overflow="fold")
        table.add_column("clips", justify="right")
    for most, least in zip(classes["most_frequent"], classes["rarest"], strict=True):
        table.add_row(*_class(most), *_class(least))
    return table


def _class(each: dict[str, Any]) -> tuple[str, str]:
    return escape(f"{each['index']} {each['name']}".rstrip()), f"{each['clips']:,}"
