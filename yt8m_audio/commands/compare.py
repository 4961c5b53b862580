"""python -m yt8m_audio compare A B --eval_data_pattern=GLOB: what B is better in than A, and how sure that is.

A and B are run directories, checkpoints, exported models or files of predictions, evaluated on the same clips.
Intervals and p come from resamples of these clips, the same ones for both (see yt8m_audio.evaluation.bootstrap).
"""

import contextlib
import dataclasses
import json
import math
import sys

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from yt8m_audio.commands.scored import ScoredSource, scored
from yt8m_audio.commands.sources import reading_of
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.bootstrap import FEWEST_RESAMPLES, Difference, paired_difference
from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.evaluation.prediction_files import is_prediction_file
from yt8m_audio.evaluation.provenance import name_order
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine, Throughput, duration

ABOUT = "Compares two models on the same clips: their figures, the differences, and how sure these are."
PAGE = 100  # columns where the output is no terminal


@dataclasses.dataclass(frozen=True)
class CompareFlags:
    """What is compared, and on what.

    Attributes:
        first: A: a run directory, a checkpoint in one, an exported model (a SavedModel's folder, a .keras file), or
            predictions (.csv, .csv.gz, .parquet).
        second: B, likewise.
        eval_data_pattern: Glob of the records to compare on; for two files of predictions also a CSV of AudioSet's
            segments. The sample's test clips when empty and both runs were trained on the sample.
        eval_ids: File with the ids of the clips to compare on, one a line. All when empty.
        held_out: Compare on those of the clips alone that the runs' validation_percent held out.
        segment_labels: Compare on YouTube-8M's rated segments.
        checkpoint: Which checkpoint of a run: best (by validation; the last one where there was none), last, or a step.
        resamples: How often the clips are drawn anew, at least 40 times.
        level: Share of the resamples within an interval.
        seed: Of the resamples. The same one gives the same intervals, in whichever order the clips come.
        batch_size: Clips in a batch.
        num_classes: Classes of predictions, where neither they nor label_map nor the records tell.
        label_map: CSV with the columns index and display_name, which tells the classes of predictions.
        skip_corrupt_records: Skip and count corrupt records, rather than stop.
        num_readers: Shards that are read at a time where they lie on another machine.
        json: Print JSON.
    """

    first: str = dataclasses.field(metadata=POSITIONAL)
    second: str = dataclasses.field(metadata=POSITIONAL)
    eval_data_pattern: str = ""
    eval_ids: str = ""
    held_out: bool = False
    segment_labels: bool = False
    checkpoint: str = "best"
    resamples: int = 1000
    level: float = 0.95
    seed: int = 0
    batch_size: int = 1024
    num_classes: int | None = None
    label_map: str = ""
    skip_corrupt_records: bool = False
    num_readers: int = 8
    json: bool = False


def main(argv) -> int:
    """Prints the comparison."""
    asked = parse(argv, ABOUT, CompareFlags)
    if asked.resamples < FEWEST_RESAMPLES:
        raise UserError(f"--resamples={asked.resamples} must be at least {FEWEST_RESAMPLES}: give 1000.")
    if not 0 < asked.level < 1:
        raise UserError(f"--level={asked.level} must be between 0 and 1, such as 0.95.")
    with contextlib.redirect_stdout(sys.stderr) if asked.json else contextlib.nullcontext():
        first, second = scored_pair(asked)
        figures = differences(aligned(first, second), asked)
    if asked.json:
        print(json.dumps(as_json(comparison(first, second, figures, asked)), indent=2))
    else:
        show(first, second, figures, asked)
    return 0


def scored_pair(asked: CompareFlags) -> tuple[ScoredSource, ScoredSource]:
    """Scores both, a model first: it tells how many classes there are, where predictions do not."""
    reading, found = reading_of(asked), {}
    for source in sorted({asked.first, asked.second}, key=is_prediction_file):
        found[source] = scored(source, pattern=asked.eval_data_pattern, **reading)
        if not is_prediction_file(source):
            reading["num_classes"] = reading["num_classes"] or found[source].about["classes"]
    return found[asked.first], found[asked.second]


def aligned(first: ScoredSource, second: ScoredSource) -> tuple[Scores, Scores]:
    """The scores of two sources with their clips in one order, the first's.

    Raises:
        UserError: if they are not of the same clips, labels, ratings and classes.
    """
    one, two = first.scores, second.scores
    names = f"{first.about['source']} and {second.about['source']}"
    if one.labels.shape[1] != two.labels.shape[1]:
        is_told = any(each.about.get("kind") == "predictions" for each in (first, second))
        told = "; --num_classes says how many predictions are of" if is_told else ""
        raise UserError(
            f"{names} are of {one.labels.shape[1]} and {two.labels.shape[1]} classes: only the same classes can be "
            f"compared{told}."
        )
    ours, theirs = clip_keys(one, two)
    places = theirs.get_indexer(ours) if len(ours) == len(theirs) else np.array([-1])
    if (places < 0).any():
        raise UserError(
            f"{names} are of different clips, {len(ours):,} and {len(theirs):,}, {len(ours.intersection(theirs)):,} of "
            "them in both: name those with --eval_ids, a file with an id a line."
        )
    per_clip = {name: getattr(two, name)[places] for name in ("probabilities", "labels", "video_ids", "start_times")}
    per_clip["rated"] = None if two.rated is None else two.rated[places]
    if not all(np.array_equal(getattr(one, name), per_clip[name]) for name in ("labels", "rated")):  # or both None
        raise UserError(f"{names} have different labels for the same clips: evaluate both on the same records.")
    return one, dataclasses.replace(two, **per_clip)


def clip_keys(one: Scores, two: Scores) -> tuple[pd.Index, pd.Index]:
    """What tells the clips of two sources apart: the id where it is enough, else the start time too, then a number.

    An id alone is better where it is enough, as some sources do not know when a clip starts.
    """
    tables = [pd.DataFrame({"id": each.video_ids, "start": each.start_times}) for each in (one, two)]
    if not any(table["id"].duplicated().any() for table in tables):
        return tuple(pd.Index(table["id"]) for table in tables)
    for table in tables:
        table["copy"] = table.groupby(["id", "start"]).cumcount()
    return tuple(pd.MultiIndex.from_frame(table) for table in tables)


def differences(pair: tuple[Scores, Scores], asked: CompareFlags) -> dict[str, Difference]:
    """Figures of both and their differences, with a line that shows how far that is."""
    one, two = pair
    line, throughput, settings = ProgressLine(), None, (asked.resamples, asked.seed, asked.level)

    def progress(done, total):
        nonlocal throughput
        throughput = throughput or Throughput(total)
        _, left = throughput.update(done)
        line.show(f"{asked.resamples:,} resamples of {done:,} of {total:,} rankings  {duration(left)} left")

    of_clips = {"rated": one.rated, "order": name_order(one)}
    found = paired_difference(
        one.probabilities, two.probabilities, one.labels, *settings, progress=progress, **of_clips
    )
    line.say("")
    return found


def comparison(first: ScoredSource, second: ScoredSource, figures: dict[str, Difference], asked: CompareFlags) -> dict:
    """The comparison, as `--json` shows it."""
    return {
        "first": first.about,
        "second": second.about,
        "clips": first.about["clips"],
        "ids_sha256": first.about["ids_sha256"],
        "resamples": asked.resamples,
        "level": asked.level,
        "seed": asked.seed,
        "figures": {name: dataclasses.asdict(each) for name, each in figures.items()},
    }


def show(first: ScoredSource, second: ScoredSource, figures: dict[str, Difference], asked: CompareFlags) -> None:
    """Prints the comparison as a table."""
    for letter, each in (("A", first), ("B", second)):
        step = f" at step {each.about['step']:,}" if "step" in each.about else ""
        print(f"{letter}: {each.about['source']}{step}")
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("figure", "A", "B", "B - A", f"{100 * asked.level:g} % interval", "p"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for name, each in figures.items():
        interval = "" if math.isnan(each.low) else f"{each.low:+.4f} to {each.high:+.4f}"
        values = (f"{each.first:.4f}", f"{each.second:.4f}", f"{each.difference:+.4f}", interval, f"{each.p:.3f}")
        table.add_row(name, *values)
    console = Console()
    (console if console.is_terminal else Console(width=PAGE)).print(table)
    print(f"{first.about['clips']:,} clips, sha256 of their sorted ids {first.about['ids_sha256']}.")
    print(f"{asked.resamples:,} resamples of the clips, the same for A and B; p of no difference, two-sided.")
