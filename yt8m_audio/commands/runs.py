"""python -m yt8m_audio runs [FOLDER]: compares the runs below a folder, in a table or as JSON.

It reads config.json, metrics.jsonl, checkpoints/best.json and eval/metrics.json, and of checkpoints the names alone: no
TensorFlow is needed, but for a folder in a bucket. What is damaged, or half written by a run that goes on, is told and
left out.
"""

import collections
import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.config import Config
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.flags import POSITIONAL, parse, quieten_tensorflow
from yt8m_audio.paths import AnyPath, RemotePath, is_remote, path_of
from yt8m_audio.run_directory import OURS

ABOUT = "Compares the runs below a folder: their models, steps, figures, and the settings in which they differ."
DEPTH = 3  # folders below the one that is given
FIGURES = ("mAP", "auc", "gap@20", "hit@1", "loss")  # of the last validation
EVAL_FIGURE = "eval_mAP"
PARTS = ("data", "model", "train")
PAGE = 150  # columns where the output is no terminal: the runs' names are not folded


@dataclasses.dataclass(frozen=True)
class RunsFlags:
    """Which runs are shown, and how.

    Attributes:
        folder: Folder with the run directories, up to three levels down, or one of them.
        json: Print JSON.
        sort: Figure to sort by, best first: mAP, auc, gap@20, hit@1 or loss of the last validation, or eval_mAP.
    """

    folder: str = dataclasses.field(default="runs", metadata=POSITIONAL)
    json: bool = False
    sort: str = "mAP"


@dataclasses.dataclass
class Run:
    """What a run directory says of itself.

    Attributes:
        run: its path, relative to the folder that was asked for.
        model: name of its model; "" where that is not known.
        steps: steps done: the newest checkpoint's, or where there is none those that were logged.
        best: step, metric and value of the best checkpoint; {} where none was validated.
        validation: step and figures of the last validation, None where one is undefined; {} where there was none.
        eval: step, mAP and number of clips of eval.py's last evaluation, and `ids_sha256`, which tells the clips; {}
            where there was none.
        settings: all settings by flag name; {} where they are not known.
        warnings: what is damaged.
    """

    run: str
    model: str = ""
    steps: int = 0
    best: dict[str, Any] = dataclasses.field(default_factory=dict)
    validation: dict[str, float | None] = dataclasses.field(default_factory=dict)
    eval: dict[str, Any] = dataclasses.field(default_factory=dict)
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def figure(self, name: str) -> float | None:
        """A figure by the name that --sort gives it; None where it is not known."""
        return self.eval.get("mAP") if name == EVAL_FIGURE else self.validation.get(name)


def main(argv) -> int:
    """Prints the table."""
    asked = parse(argv, ABOUT, RunsFlags)
    if asked.sort not in (*FIGURES, EVAL_FIGURE):
        known = (*FIGURES, EVAL_FIGURE)
        raise UserError(f"--sort={asked.sort} is none of {', '.join(known)}.{nearest(asked.sort, known)}")
    if is_remote(asked.folder):
        quieten_tensorflow()
    top = path_of(asked.folder)
    runs = best_first([read_run(folder, top) for folder in run_folders(top)], asked.sort)
    for run in runs:
        for warning in run.warnings:
            print(f"warning: {top / run.run}: {warning}", file=sys.stderr)
    differing = differing_settings(runs)
    for run in runs:
        run.settings = {name: run.settings[name] for name in differing if name in run.settings}
    if asked.json:
        print(json.dumps([dataclasses.asdict(run) for run in runs], indent=2))
    else:
        show(runs)
    return 0


# What is there


def run_folders(top: AnyPath) -> list[AnyPath]:
    """Finds the folders with a config.json: `top`, and those up to DEPTH below it, hidden ones left out.

    Raises:
        UserError: if there is none.
    """
    if not top.is_dir():
        raise UserError(f"{top} is no folder: name one with run directories, which train.py leaves.")
    found = list(_remote_folders(top, DEPTH)) if isinstance(top, RemotePath) else _local_folders(top)
    if not found:
        raise UserError(f"{top} holds no run, nor do the {DEPTH} levels of folders below: train one, with train.py.")
    return found


def _remote_folders(folder: RemotePath, depth: int) -> Iterator[RemotePath]:
    """Those of a remote folder, with few requests: a run's own folders are not looked into."""
    inside = sorted(folder.iterdir(), key=str)
    is_run = any(each.name == "config.json" for each in inside)
    if is_run:
        yield folder
    known = {name.partition("/")[0] for name in OURS} if is_run else ()
    for each in inside:
        if depth and not each.name.startswith(".") and each.name not in known and each.is_dir():
            yield from _remote_folders(each, depth - 1)


def _local_folders(top: Path) -> list[Path]:
    found: dict[Path, Path] = {}  # by where they really are: links may lead in circles
    for name, inside, files in os.walk(top, followlinks=True):
        folder = Path(name)
        depth = len(folder.relative_to(top).parts)
        inside[:] = sorted(each for each in inside if not each.startswith(".")) if depth < DEPTH else []
        if "config.json" in files:
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def read_run(folder: AnyPath, top: AnyPath) -> Run:
    """Reads what is known of a run.

    Args:
        folder: the run directory.
        top: what its name is relative to.
    """
    run = Run(str(folder.relative_to(top)))
    run.settings = read_settings(folder, run.warnings)
    run.model = str(run.settings.get("model", ""))
    run.validation, logged = read_metrics(folder, run.warnings)
    names = (path.stem.removeprefix("step-") for path in (folder / "checkpoints").glob("step-*.npz"))
    run.steps = max((int(name) for name in names if name.isdecimal()), default=logged)
    best = read_json(folder, "checkpoints/best.json", run.warnings)
    if best:
        run.best = {"metric": str(best.get("metric", "")), **numbers(best, ("value", "step"))}
    evaluated = read_json(folder, "eval/metrics.json", run.warnings)
    if evaluated:
        run.eval = {**numbers(evaluated, ("step", "mAP", "clips")), "ids_sha256": evaluated.get("ids_sha256")}
    return run


def read_settings(folder: AnyPath, warnings: list[str]) -> dict[str, Any]:
    """All settings of a run, by flag name; with a warning {} where config.json does not tell them."""
    found = read_json(folder, "config.json", warnings)
    if found is None:
        return {}
    missing = [name for name in PARTS if name not in found]
    if missing:
        warnings.append(f"config.json has no {' and no '.join(missing)}: it is not train.py's.")
        return {}
    try:
        return Config.from_dict(found).flat()
    except (AttributeError, TypeError, ValueError) as error:
        warnings.append(f"config.json is damaged: {error}")
        return {}


def read_metrics(folder: AnyPath, warnings: list[str]) -> tuple[dict[str, float | None], int]:
    """Step and figures of the last validation, or {}, and the last step that was logged in training, or 0."""
    validation, logged, damaged = {}, 0, []
    text = read_text(folder, "metrics.jsonl", warnings) or ""
    for number, line in enumerate(text.split("\n"), start=1):
        record = parsed(line) if line.strip() else {}
        if record is None:
            damaged.append(number)
        elif record.get("part") == "validation":
            validation = numbers(record, ("step", *FIGURES))
        elif record.get("part") == "train":
            logged = int(number_or_none(record.get("step")) or logged)
    if damaged:
        more = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        warnings.append(f"metrics.jsonl is damaged, or being written, in line {damaged[0]}{more}: left out.")
    return validation, logged


def read_json(folder: AnyPath, name: str, warnings: list[str]) -> dict[str, Any] | None:
    """The JSON object in a run's file; None where there is no such file, and with a warning where it is none."""
    text = read_text(folder, name, warnings)
    found = None if text is None else parsed(text)
    if text is not None and found is None:
        warnings.append(f"{name} is damaged, and left out: it is no JSON object.")
    return found


def read_text(folder: AnyPath, name: str, warnings: list[str]) -> str | None:
    """What a run's file holds; None where there is no such file, and with a warning where it cannot be read."""
    try:
        return (folder / name).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        warnings.append(f"{name} cannot be read: {error.strerror}.")
        return None


def parsed(text: str) -> dict[str, Any] | None:
    """A JSON object, or None where a text is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def numbers(record: dict[str, Any], names: tuple[str, ...]) -> dict[str, float | None]:
    """Some of the numbers of a record; None where one is not there or undefined."""
    return {name: number_or_none(record.get(name)) for name in names}


def number_or_none(value: Any) -> float | None:
    """A finite number, or None of anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


# What is shown


def best_first(runs: list[Run], figure: str) -> list[Run]:
    """Sorts runs by a figure, of which the loss is best where it is lowest; those without it come last."""
    sign = 1 if figure == "loss" else -1

    def key(run):
        value = run.figure(figure)
        return value is None, sign * (value or 0), run.run

    return sorted(runs, key=key)


def differing_settings(runs: list[Run]) -> list[str]:
    """Names of the settings in which two runs that both have them differ, the model aside.

    What one model has and another has not is no such setting: the models' names say it.
    """
    values: dict[str, list] = {}
    for run in runs:
        for name, value in run.settings.items():
            values.setdefault(name, []).append(value)
    return [name for name, found in values.items() if name != "model" and any(each != found[0] for each in found)]


def unusual_settings(runs: list[Run]) -> list[dict]:
    """Each run's settings without the values that more than half of the runs have."""
    values = [(name, str(value)) for run in runs for name, value in run.settings.items()]
    usual = {pair for pair, count in collections.Counter(values).items() if count > len(runs) / 2}
    return [{name: each for name, each in run.settings.items() if (name, str(each)) not in usual} for run in runs]


def show(runs: list[Run]) -> None:
    """Prints the table of the runs, and below it that of their settings."""
    console = Console(width=None if sys.stdout.isatty() else PAGE)
    rows = [cells(run) for run in runs]
    if len({run.eval.get("ids_sha256") for run in runs if run.eval}) > 1:
        print("note: eval.py evaluated these runs on different clips: eval mAPs do not compare.")
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    table = _table()
    for name in columns:
        is_text = name in ("run", "model")
        table.add_column(name, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    console.print(table)
    if any(run.settings for run in runs):
        settings = _table(title="Settings in which they differ", title_justify="left")
        settings.add_column("run", overflow="fold")
        settings.add_column("settings", overflow="fold")
        for run, unusual in zip(runs, unusual_settings(runs), strict=True):
            settings.add_row(escape(run.run), escape(", ".join(map(_setting, unusual.items()))))
        console.print(settings)


def cells(run: Run) -> dict[str, str]:
    """A row of the table: column -> text, "" where something is not known."""
    best = f"{run.best['metric']}={_figure(run.best['value'])} at {_count(run.best['step'])}" if run.best else ""
    figures = {name.replace("_", " "): _figure(run.figure(name)) for name in (*FIGURES, EVAL_FIGURE)}
    return {
        "run": escape(run.run),
        "model": escape(run.model),
        "steps": _count(run.steps),
        "best": escape(best),
        **figures,
        "eval clips": _count(run.eval.get("clips")),
    }


def _table(**settings) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), **settings)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,}"


def _setting(item: tuple[str, Any]) -> str:
    name, value = item
    return f"{name} not set" if value in (None, "") else f"{name}={value}"
