"""The scores of anything that can be evaluated: a run, a checkpoint, an exported model, a file of predictions.

found = scored("runs/LstmModel", pattern="eval/*.tfrecord")
evaluate(found.scores.probabilities, found.scores.labels)
found.about["ids_sha256"]
"""

import dataclasses

import numpy as np

from yt8m_audio.audioset.segments import is_segments_file
from yt8m_audio.commands.exported_source import open_exported
from yt8m_audio.commands.prediction_source import PredictionSource
from yt8m_audio.commands.run_source import RunSource
from yt8m_audio.commands.sources import Asked, Source
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.collecting import collect
from yt8m_audio.evaluation.prediction_files import is_prediction_file
from yt8m_audio.evaluation.provenance import clip_names, provenance
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.paths import AnyPath, path_of
from yt8m_audio.progress_line import ProgressLine

CHECKPOINTS, STEP = "checkpoints", "step-"
RUN_FLAG = "train_dir"  # of a run directory and nothing else


@dataclasses.dataclass(frozen=True)
class ScoredSource:
    """Scores, and where they come from.

    Attributes:
        scores: of the clips, in the order of the records or of the list.
        about: as JSON takes it: `kind` ("run", "saved_model", "keras_file" or "predictions"), `source`, `model`,
            `eval_data_pattern`; of a run `step`, `checkpoint` and `held_out`; of predictions how many classes they
            list; `eval_ids` where they were given; and `clips`, `ids_sha256`, `classes`, `classes_with_positives`,
            `classes_without_positives` (see yt8m_audio.evaluation.provenance).
    """

    scores: Scores
    about: dict


def scored(source: str, **asked) -> ScoredSource:
    """Scores all clips that a command asks for.

    Args:
        source: what is evaluated (see `open_source`).
        asked: fields of yt8m_audio.commands.sources.Asked; `pattern` must be given.

    Raises:
        UserError: if it cannot be evaluated on these clips, or none of them has a label.
    """
    return scores_of(open_source(source, Asked(**asked)))


def open_source(source: str, asked: Asked) -> Source:
    """Opens what is to be evaluated, and the clips that it is evaluated on.

    Args:
        source: a run directory; a checkpoint in one (`RUN/checkpoints/step-00000100.npz`); a SavedModel's folder or a
            `.keras` file, as `python -m yt8m_audio export` writes them; or a file of predictions (see
            yt8m_audio.evaluation.prediction_files).
        asked: the clips.

    Raises:
        UserError: if it is none of these, or the clips do not fit it.
    """
    path, is_predictions = path_of(source), is_prediction_file(source)
    is_exported = path.suffix == ".keras" or (path / "saved_model.pb").is_file()
    if (is_predictions or is_exported) and asked.held_out:
        raise UserError(f"--held_out is of runs, which know what they held out: {source} is none.")
    if (is_predictions or is_exported) and not asked.pattern:
        raise UserError(f"--{asked.flag} is missing: give a glob of TFRecord files.")
    if is_predictions:
        return PredictionSource(source, asked)
    is_model = is_exported or is_checkpoint(path) or (path / "config.json").exists()
    if is_model and is_segments_file(asked.pattern):
        raise UserError(f"{asked.where} holds no features to run a model on: give records, or evaluate predictions.")
    return open_exported(source, asked) if is_exported else _open_run(path, asked)


def is_checkpoint(path: AnyPath) -> bool:
    """Whether a path has the name of a checkpoint in a run."""
    return path.suffix == ".npz" and path.stem.startswith(STEP) and path.parent.name == CHECKPOINTS


def _open_run(path: AnyPath, asked: Asked) -> RunSource:
    """Opens a run with one of its checkpoints."""
    if is_checkpoint(path):
        asked = dataclasses.replace(asked, checkpoint=path.stem.removeprefix(STEP).lstrip("0"))
        path = path.parent.parent
    if asked.source_flag != RUN_FLAG and not (path / "config.json").exists():
        found = "is nothing to evaluate" if path.exists() else "is not there"
        raise UserError(
            f"{asked.named(str(path))} {found}: name a run directory, a checkpoint in one, an exported "
            "model (a SavedModel's folder, a .keras file) or predictions (.csv, .csv.gz, .parquet)."
        )
    run = RunSource(str(path), asked)
    run.restore(run.checkpoints.step_of(asked.checkpoint))
    return run


def scores_of(source: Source) -> ScoredSource:
    """Scores all clips of a source that was opened, and shows how far that is.

    Raises:
        UserError: if none of them has a label.
    """
    line, total = ProgressLine(), len(source)
    scores = collect(
        source.batches(), total, source.num_classes, lambda done: line.show(f"{done:,} of {total:,} clips")
    )
    end_line(line, source)
    num_positives = np.count_nonzero(scores.labels, axis=0)
    check_labels(num_positives, len(scores.labels), source)
    return ScoredSource(scores, {**source.about, **provenance(clip_names(scores), num_positives)})


def end_line(line: ProgressLine, source: Source) -> None:
    """Ends the line that showed how far it was, and says what was lost on the way."""
    line.clear()
    for text in source.lost_lines():
        line.say(text)


def check_labels(num_positives: np.ndarray, num_clips: int, source: Source) -> None:
    """Raises a UserError unless some clip has a label, from the clips [C] in which each class is true."""
    if not num_positives.any():
        raise UserError(
            f"None of the {num_clips:,} clips of {source.where} has a label: there is nothing to evaluate. "
            "inference.py predicts such clips."
        )
