"""`python -m benchmarks [NAME...]`: every benchmark, or those named, as a table; with BENCH_JSON=FILE as JSON too."""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from yt8m_audio.flags import quieten_tensorflow


def show(results) -> None:
    """Prints the results as a table."""
    table = Table(title="Throughput against the machine's limit in the same run", title_justify="left")
    for heading in ("name", "value", "unit", "limit", "limit is", "ratio"):
        table.add_column(heading, justify="right" if heading in ("value", "limit", "ratio") else "left")
    for each in results:
        table.add_row(
            each.name, f"{each.value:,.0f}", each.unit, f"{each.limit:,.0f}", each.limit_name, f"{each.ratio:.2f}"
        )
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table)


def main(asked: Sequence[str]) -> None:
    """Runs the benchmarks asked for, all where none are."""
    quieten_tensorflow()
    from benchmarks import (
        bootstrapping,
        clip_manifest,
        embedding,
        evaluating,
        extracting,
        loop,
        memory,
        metadata,
        predicting,
        reading,
        training,
        waiting,
    )
    from benchmarks.datasets import audioset_pattern, made

    results = []
    with made() as (repacked, videos, folder):
        works = {
            "reading": lambda: reading.results(repacked, videos, folder),
            "waiting": lambda: waiting.results(repacked),
            "training": lambda: training.results(audioset_pattern()),
            "loop": lambda: loop.results(audioset_pattern()),
            "predicting": lambda: predicting.results(repacked),
            "embedding": embedding.results,
            "evaluating": evaluating.results,
            "bootstrapping": bootstrapping.results,
            "extracting": extracting.results,
            "clip_manifest": clip_manifest.results,
            "memory": lambda: memory.results(videos, folder),
            "metadata": metadata.results,
        }
        for name in asked or works:
            print(f"measuring {name} ...", flush=True)
            results += works[name]()
    show(results)
    if path := os.environ.get("BENCH_JSON"):
        rows = [{**dataclasses.asdict(each), "ratio": each.ratio} for each in results]
        Path(path).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
