"""`python -m benchmarks`: every benchmark, as a table, and with BENCH_JSON=FILE as JSON too.

The records are AudioSet's balanced split in AUDIOSET_DIR (or ../shared/audioset), or the built-in sample.
"""

import dataclasses
import json
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from yt8m_audio.flags import quieten_tensorflow


def records_pattern() -> str:
    """The glob of the records to measure with."""
    folder = Path(os.environ.get("AUDIOSET_DIR", Path(__file__).parents[2] / "shared" / "audioset"))
    if (folder / "features" / "bal_train").is_dir():
        return str(folder / "features" / "bal_train" / "*.tfrecord")
    from yt8m_audio.sample import sample_patterns

    return sample_patterns(print).train


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


def main() -> None:
    """Runs every benchmark."""
    quieten_tensorflow()
    from benchmarks import predicting, reading, training

    pattern, results = records_pattern(), []
    for part in (reading, training, predicting):
        print(f"measuring {part.__name__.split('.')[-1]} ...", flush=True)
        results += part.results(pattern)
    show(results)
    if path := os.environ.get("BENCH_JSON"):
        rows = [{**dataclasses.asdict(each), "ratio": each.ratio} for each in results]
        Path(path).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
