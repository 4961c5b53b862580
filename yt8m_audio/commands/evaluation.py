"""What eval.py does: scores a run, an exported model or predictions on some clips, and shows the figures."""

import contextlib
import dataclasses
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from readers.memory import free_bytes
from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.ontology import Ontology, read_ontology
from yt8m_audio.commands.evaluation_table import show
from yt8m_audio.commands.ontology_figures import check_nodes, ontology_figures, ontology_tables
from yt8m_audio.commands.report_facts import class_facts, evaluated
from yt8m_audio.commands.run_source import RunSource
from yt8m_audio.commands.scored import is_checkpoint, open_source, scores_of
from yt8m_audio.commands.sources import Asked, Source, reading_of
from yt8m_audio.commands.streamed import streamed
from yt8m_audio.commands.watching import Watcher
from yt8m_audio.errors import UserError, reason
from yt8m_audio.evaluation.accumulation import EXACT_BYTES_PER_PAIR, MIB, fitting_accumulator
from yt8m_audio.evaluation.bootstrap import FEWEST_RESAMPLES, confidence_intervals
from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.evaluation.provenance import name_order
from yt8m_audio.evaluation.report import check_folder, write_report
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.streaming import StreamingAccumulator
from yt8m_audio.flags import EvalFlags
from yt8m_audio.labels import label_map_for
from yt8m_audio.paths import AnyPath, is_remote, path_of
from yt8m_audio.progress_line import ProgressLine
from yt8m_audio.run_directory import write_json, written_beside
from yt8m_audio.training.metrics_log import MetricsLog

FREE_SHARE = 2  # scores may take so many-th of the free memory
FILE_FLAGS = ("output_metrics", "output_scores")
NEED_SCORES = ("report", "output_scores", "bootstrap", "ontology")


def run_eval(asked: EvalFlags) -> None:
    """Evaluates once, or the newest checkpoint of a run, whenever there is a new one, until it is stopped.

    Raises:
        UserError: if there is nothing to evaluate, the clips do not fit it, or an output cannot be written.
    """
    check(asked)
    source = getattr(asked, asked.source_flag)
    if asked.run_once:
        Evaluator(asked, open_source(source, asked_clips(asked))).evaluate()
    else:
        Watcher(source, asked.poll_seconds, lambda: opened(asked)).watch()


def opened(asked: EvalFlags) -> tuple[RunSource, "Evaluator"]:
    """Opens the run that is watched, without a checkpoint as yet, and what evaluates it."""
    run = RunSource(asked.train_dir, asked_clips(asked))
    return run, Evaluator(asked, run)


def asked_clips(asked: EvalFlags) -> Asked:
    """What the command line says of the clips and of reading them."""
    return Asked(asked.eval_data_pattern, "eval_data_pattern", asked.source_flag, **reading_of(asked))


def check(asked: EvalFlags) -> None:
    """Raises a UserError about flags that do not go together, too few resamples, or outputs."""
    if not asked.run_once and asked.source_flag != "train_dir":
        raise UserError(
            f"--run_once=false goes on with new checkpoints of a run: give --train_dir, no --{asked.source_flag}."
        )
    if not asked.run_once and is_checkpoint(path_of(asked.train_dir)):
        raise UserError(
            f"--run_once=false waits for new checkpoints, and --train_dir={asked.train_dir} is one: name its run "
            "directory."
        )
    if asked.num_classes is not None and asked.source_flag != "predictions":
        print("warning: --num_classes is not used: the model has it.", file=sys.stderr)
    if 0 < asked.bootstrap < FEWEST_RESAMPLES:
        raise UserError(
            f"--bootstrap={asked.bootstrap} must be at least {FEWEST_RESAMPLES}, or 0, which computes none."
        )
    check_outputs(asked)


def check_outputs(asked: EvalFlags) -> None:
    """Raises a UserError about an output that cannot be written, or what is of the report where none is asked for."""
    for flag in ("label_quality", "train_csv"):
        if getattr(asked, flag) and not asked.report:
            raise UserError(f"--{flag}={getattr(asked, flag)} is for the report alone: give --report=FOLDER too.")
    for flag in ("report", *FILE_FLAGS):
        if is_remote(getattr(asked, flag)):
            raise UserError(f"--{flag}={getattr(asked, flag)} is on another file system: name a path on this machine.")
    for flag in FILE_FLAGS:
        path = Path(getattr(asked, flag))
        if getattr(asked, flag) and (path.is_dir() or not path.absolute().parent.is_dir()):
            what = "is a folder: name a file" if path.is_dir() else f"there is no folder {path.absolute().parent}"
            raise UserError(f"--{flag}={path}: {what}.")


@dataclasses.dataclass(frozen=True)
class Measured:
    """What comes out of all clips.

    Attributes:
        figures: of `evaluate`, or as near to it as memory allows.
        about: where they come from, and `exact`.
        scores: of all clips; None where they were not kept.
    """

    figures: dict
    about: dict
    scores: Scores | None


class Evaluator:
    """Evaluates a source as a command line asks.

    Args:
        asked: the command line.
        source: what is evaluated.

    Raises:
        UserError: if the report's folder cannot be made, or one of the files about classes cannot be read.
    """

    def __init__(self, asked: EvalFlags, source: Source):
        self.asked, self.source = asked, source
        self.run = source.run if isinstance(source, RunSource) else None
        self.log = self.run and MetricsLog(self.run.logs("eval"), self.run.eval_metrics_file, "eval")
        if asked.label_map:
            label_map_for(asked.label_map, source.num_classes)
        self.hierarchy = ontology_asked(asked, source) if asked.ontology else None
        self.facts = class_facts(source, asked) if asked.report else None
        if asked.report:
            check_folder(Path(asked.report))

    def evaluate(self) -> dict:
        """Scores all clips; prints, logs and writes what comes out. Returns the figures."""
        measured = self.measure()
        intervals = self.intervals(measured.scores) if self.asked.bootstrap else None
        ontology = self.ontology(measured.scores) if self.asked.ontology else None
        show(measured.figures, measured.about, intervals, ontology_tables(ontology) if ontology else [])
        content = {**measured.figures, **measured.about, "top_k": self.asked.top_k}
        content |= {"intervals": intervals} if intervals else {}
        self.write(content, measured, ontology)
        if self.asked.report:
            self.report(measured, intervals, ontology)
        return measured.figures

    def measure(self) -> Measured:
        """Computes the figures, with all scores in memory where they fit."""
        top_k, limit = self.asked.top_k, memory_limit(self.asked.max_eval_memory)
        accumulator = fitting_accumulator(len(self.source), self.source.num_classes, limit, top_k)
        if isinstance(accumulator, StreamingAccumulator):
            self._check_without_scores(limit)
            return Measured(*streamed(self.source, accumulator), None)
        found = scores_of(self.source)
        accumulator.add(found.scores)
        figures = accumulator.compute()
        return Measured(figures, {**found.about, "exact": figures.pop("exact")}, found.scores)

    def intervals(self, scores: Scores) -> dict[str, tuple[float, float]]:
        """Computes the intervals of the figures that have some."""
        line = ProgressLine()
        found = confidence_intervals(
            scores.probabilities,
            scores.labels,
            self.asked.bootstrap,
            progress=lambda done, total: line.show(
                f"{self.asked.bootstrap:,} resamples: {done:,} of {total:,} classes"
            ),
            rated=scores.rated,
            order=name_order(scores),
        )
        line.clear()
        return found

    def ontology(self, scores: Scores) -> dict:
        """Computes the figures by branch of the ontology."""
        return ontology_figures(scores.probabilities, scores.labels, *self.hierarchy, rated=scores.rated)

    def write(self, content: dict, measured: Measured, ontology: dict | None) -> None:
        """Writes the figures, and the scores where that is asked for."""
        content |= {"ontology": ontology} if ontology else {}
        asked = {flag: Path(getattr(self.asked, flag)) for flag in FILE_FLAGS if getattr(self.asked, flag)}
        paths: dict[str, AnyPath] = {f"--{flag}={path}": path for flag, path in asked.items()}  # as errors name them
        if self.run:
            paths = {str(path := self._log(content["step"], measured.figures)): path, **paths}
        for name, path in paths.items():
            with named_in_errors(name):
                if path == asked.get("output_scores"):
                    write_scores(path, measured.scores)
                else:
                    write_json(path, as_json(content))
        if paths:
            print(f"Written to {' and '.join(map(str, paths.values()))}.", flush=True)

    def _log(self, step: int, figures: dict) -> AnyPath:
        """Adds the figures to the logs of the run; returns the file that those of its last evaluation are in."""
        tags = {"Loss": "loss", "Hit@1": "hit@1", "PERR": "perr", "GAP": f"gap@{self.asked.top_k}"}
        path = self.run.path / "eval" / "metrics.json"
        with named_in_errors(str(path.parent)):
            path.parent.mkdir(exist_ok=True)
            self.log.write(step, {**figures, **{tag: figures[name] for tag, name in tags.items()}})
        return path

    def report(self, measured: Measured, intervals: dict | None, ontology: dict | None) -> None:
        """Writes the report."""
        how = {"top_k": self.asked.top_k, **({"bootstrap": self.asked.bootstrap} if intervals else {})}
        about = {**measured.about, **how}
        whole = evaluated(measured.scores, measured.figures, about, self.source, self.facts)
        page = write_report(Path(self.asked.report), dataclasses.replace(whole, intervals=intervals, branches=ontology))
        print(f"The report is {page}.", flush=True)

    def _check_without_scores(self, limit: float) -> None:
        """Raises a UserError where something is asked for that takes the scores of all clips."""
        wanting = [name for name in NEED_SCORES if getattr(self.asked, name)]
        if wanting:
            needed = len(self.source) * self.source.num_classes * EXACT_BYTES_PER_PAIR
            raise UserError(
                f"--{wanting[0]} takes the scores of all clips in memory: {math.ceil(needed / MIB):,} MiB, and "
                f"{limit / MIB:,.0f} may be used. Give a higher --max_eval_memory, or leave --{wanting[0]} out."
            )


def ontology_asked(asked: EvalFlags, source: Source) -> tuple[Ontology, tuple[str, ...]]:
    """Reads the ontology, and the ids of the classes, each of which must be a node of it."""
    class_ids = class_ids_for(asked.label_map or source.label_map, source.num_classes)
    ontology = read_ontology(asked.ontology)
    check_nodes(ontology, class_ids, source.num_classes)
    return ontology, class_ids


def memory_limit(asked: int | None) -> float:
    """How many bytes scores may take: so many MiB, else a share of what is free, or without end where unknown."""
    return free_bytes() / FREE_SHARE or math.inf if asked is None else asked * MIB


@contextlib.contextmanager
def named_in_errors(name: str) -> Iterator[None]:
    """Says what it is that cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{name} cannot be written: {reason(error)}.") from error


def write_scores(path: Path, scores: Scores) -> None:
    """Writes scores as NumPy's own file: `ids` bytes [N], `start_times` and `scores` float32, `labels` uint8 [N, C]."""
    arrays = {"ids": np.array(scores.video_ids.tolist(), np.bytes_), "start_times": scores.start_times}
    with written_beside(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays, scores=scores.probabilities, labels=scores.labels)
