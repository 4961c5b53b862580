"""Tries every model's training step for TPU, without a TPU, and writes the table in BUILD.md: `make tpu-check`.

    .venv-jax/bin/python -m benchmarks.tpu_check .venv-tpu/bin/python

Each step is lowered by TensorFlow and compiled through JAX, each in a process of its own: what ends one with a signal
fails that model alone. The exit status is 1 when a model fails.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.update(KERAS_BACKEND="jax")

from rich.console import Console
from rich.table import Table

import models  # noqa: F401  registers the models
from benchmarks.pages import put_between
from yt8m_audio.registry import MODELS

PAGE = Path(__file__).parents[1] / "BUILD.md"
HEADINGS = ("model", "lowered", "compiled", "MiB a chip", "GFLOP a chip", "compiler's count")
FIGURES = {"mib": 1, "gflop": 2, "compiler_gflop": 2}  # digits behind the point
UNSUPPORTED = "HostModel", "PyFunc"  # a model that has to be refused, and what the refusal names
LONGEST = 1800  # seconds


def main(tensorflow_python: str) -> int:
    """Runs both checks for all models, shows and writes the table; returns the exit status.

    Args:
        tensorflow_python: the interpreter of profile tpu; this process is profile jax's.
    """
    names = MODELS.names()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        refusal = pool.submit(outcome, tensorflow_python, "tpu_lowering", UNSUPPORTED[0])
        lowered = pool.map(lambda name: outcome(tensorflow_python, "tpu_lowering", name), names)
        compiled = pool.map(lambda name: outcome(sys.executable, "tpu_compiling", name), names)
    rows = [row(*each) for each in zip(names, lowered, compiled, strict=True)]
    show(rows)
    write(rows)
    refused = UNSUPPORTED[1] in refusal.result().get("error", "")
    if not refused:
        print(f"A model that goes through NumPy was not refused, so that the check checks nothing: {refusal.result()}")
    return 0 if refused and all(each[1:3] == ["yes", "yes"] for each in rows) else 1


def outcome(python: str, check: str, name: str) -> dict:
    """Runs a check of one model in a process: what it found, or {"error": ...}."""
    command = [python, "-m", f"benchmarks.{check}", name]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        found = {"error": f"took longer than {LONGEST} s"}
    else:
        found = printed(process)
    print(f"{check} {name}: {found.get('error', 'ok')}", flush=True)
    return found


def printed(process: subprocess.CompletedProcess) -> dict:
    """What a check printed last, or that it did not come to that."""
    if process.returncode == 0 and process.stdout.strip():
        return json.loads(process.stdout.splitlines()[-1])
    last_line = next(reversed(process.stderr.strip().splitlines()), "")
    return {"error": f"ended with status {process.returncode}: {last_line}"}


def row(name: str, lowered: dict, compiled: dict) -> list[str]:
    """A model's row of the table."""
    figures = [f"{compiled[key]:,.{digits}f}" if key in compiled else "" for key, digits in FIGURES.items()]
    return [name, *(f"no: {each['error']}" if "error" in each else "yes" for each in (lowered, compiled)), *figures]


def show(rows: list[list[str]]) -> None:
    """Prints the table."""
    table = Table(title="Training steps for TPU, none of them run", title_justify="left")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in HEADINGS[:3] else "right")
    for each in rows:
        table.add_row(*each)
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def write(rows: list[list[str]]) -> None:
    """Puts the table between its two marks in BUILD.md."""
    cells = [HEADINGS, ["---"] * 3 + ["---:"] * 3, *rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in each) + " |" for each in cells]
    put_between(PAGE, "tpu-check", "\n".join(["", *lines, ""]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
