"""What a report says beside scores and figures: names of classes, clips trained on, how training went."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator

import numpy as np

import readers
from readers.rows import Ragged
from yt8m_audio.audioset.label_quality import read_label_quality
from yt8m_audio.audioset.segments import read_segments
from yt8m_audio.commands import assemble
from yt8m_audio.commands.run_source import RunSource
from yt8m_audio.commands.sources import Source
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.flags import EvalFlags
from yt8m_audio.held_out import held_out
from yt8m_audio.labels import label_map_for
from yt8m_audio.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class ClassFacts:
    """What is known of the classes before anything is scored; see yt8m_audio.evaluation.evaluated."""

    class_names: tuple[str, ...]
    class_ids: tuple[str, ...]
    train_positives: np.ndarray | None
    label_quality: np.ndarray | None


def class_facts(source: Source, asked: EvalFlags) -> ClassFacts:
    """Reads what a command line names beside the clips: --label_map, --train_csv and --label_quality.

    Raises:
        UserError: if one of these cannot be read.
    """
    labels = label_map_for(asked.label_map or source.label_map, source.num_classes)
    names = labels.names if labels else tuple(f"class {index}" for index in range(source.num_classes))
    ids = labels.ids if labels else ()
    quality = read_label_quality(asked.label_quality, ids, names) if asked.label_quality else None
    return ClassFacts(names, ids, train_positives(source, asked.train_csv, ids), quality)


def evaluated(scores: Scores, figures: dict, about: dict, source: Source, facts: ClassFacts) -> Evaluated:
    """Puts together what is known of an evaluation.

    Args:
        scores: of all clips.
        figures: of them.
        about: where they come from.
        source: what was evaluated.
        facts: of its classes.
    """
    of_run = isinstance(source, RunSource)
    return Evaluated(
        scores=scores,
        figures=figures,
        about=about,
        **{each.name: getattr(facts, each.name) for each in dataclasses.fields(facts)},
        training_curves=training_curves(source.run) if of_run else [],
        settings=json.loads((source.run.path / "config.json").read_text()) if of_run else {},
    )


def train_positives(source: Source, train_csv: str, ids: tuple[str, ...]) -> np.ndarray | None:
    """Counts the clips trained on that have each class, int64 [C]; None where they are not at hand.

    Args:
        source: of a run the records are known.
        train_csv: a list of AudioSet's segments, in place of those, or "".
        ids: of the classes.
    """
    if train_csv:
        found = read_segments(train_csv, ids, "train_csv")
        labels = Ragged(found.label_values, found.label_counts)
    elif isinstance(source, RunSource):
        try:
            labels = training_clips(source.config.data).labels()
        except UserError as error:
            print(f"note: the report does not count the clips trained on: {error}")
            return None
    else:
        return None
    once = np.unique(labels.rows * source.num_classes + labels.values)  # a clip may list a label twice
    return np.bincount(once % source.num_classes, minlength=source.num_classes)


def training_clips(data: DataConfig) -> readers.Clips:
    """The clips that a run was trained on, without those that it held out."""
    clips = assemble.open_like(data, assemble.train_pattern(data), "train_data_pattern")
    return clips.split(held_out(data.validation_percent))[1] if data.validation_percent else clips


def training_curves(run: RunDirectory) -> list[dict]:
    """The rows of a run's metrics.jsonl, without what is damaged, as a line that is being written is."""
    files = dict.fromkeys((run.metrics_file, run.eval_metrics_file))
    return [row for file in files if file.exists() for row in _rows(file.read_text(errors="replace"))]


def _rows(text: str) -> Iterator[dict]:
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row
