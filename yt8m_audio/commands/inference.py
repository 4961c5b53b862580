"""What inference.py does: predicts clips with a run's checkpoint, and writes a CSV."""

import math
import sys
import time
from pathlib import Path

import numpy as np

from yt8m_audio.commands import assemble
from yt8m_audio.config import Config
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import FILE, Calibration, read_calibration
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.labels import label_map_for
from yt8m_audio.prediction.top_k import predictor
from yt8m_audio.prediction.writers import csv_writer
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.progress import ProgressLine, Throughput, duration

CALIBRATIONS = ("auto", "none")
CALIBRATED = "calibrated"  # of --threshold


def predict_to_file(asked: InferenceFlags) -> int:
    """Predicts what the command line asks for; returns the exit status.

    Raises:
        UserError: if there is no run, the clips do not fit it, or the file cannot be written.
    """
    check_output(asked)
    check_calibration(asked)
    run = RunDirectory(asked.train_dir)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    data = assemble.reading_as(config.data, asked)
    pattern = assemble.test_pattern(asked.input_data_pattern, "input_data_pattern", data)
    clips = assemble.open_like(data, pattern, "input_data_pattern")
    batches = clips.in_order(asked.batch_size)
    step = checkpoints.step_of(asked.checkpoint)
    calibration = calibration_of(asked, run, step, config.data.num_classes)
    temperature = calibration.temperature if calibration else 1.0
    thresholds = thresholds_asked(asked, calibration)
    model = assemble.restore_model(config, checkpoints, step, batches.element_spec)
    line, throughput, begun = ProgressLine(), Throughput(len(clips)), time.monotonic()

    def progress(done):
        rate, left = throughput.update(done)
        line.show(f"{done:,} of {len(clips):,} clips  {rate:,.0f} clips/s  {duration(left)} left")

    with clips.errors_explained(), csv_writer(asked.output_file, display_names(asked, config)) as write:
        predict = predictor(model, asked.top_k, temperature, thresholds)
        done = predict(batches, write, progress)
    for text in clips.lost_lines():
        line.say(text)
    seconds = time.monotonic() - begun
    line.say(f"Predicted {done:,} clips with step {step:,} in {duration(seconds)}, to {asked.output_file}.")
    return 0


def check_output(asked: InferenceFlags) -> None:
    """Raises a UserError before any work is done, if the output cannot be what was asked for."""
    if not asked.output_file:
        raise UserError("--output_file is missing: name the CSV to write, such as predictions.csv.")
    folder = Path(asked.output_file).absolute().parent
    if not folder.is_dir():
        raise UserError(f"--output_file={asked.output_file}: there is no folder {folder}.")
    if Path(asked.output_file).is_dir():
        raise UserError(f"--output_file={asked.output_file} is a folder: name a file.")


def check_calibration(asked: InferenceFlags) -> None:
    """Raises a UserError where --calibration and --threshold are not among what they can be."""
    if asked.calibration not in CALIBRATIONS:
        raise UserError(f"--calibration={asked.calibration} is none of {', '.join(CALIBRATIONS)}.")
    if asked.threshold == CALIBRATED and asked.calibration == "none":
        raise UserError(
            "--threshold=calibrated takes thresholds from the calibration that --calibration=none leaves out."
        )
    if asked.threshold not in ("", CALIBRATED) and not 0 <= _number(asked.threshold) <= 1:
        raise UserError(f"--threshold={asked.threshold} must be a score from 0 to 1, or {CALIBRATED}.")


def calibration_of(asked: InferenceFlags, run: RunDirectory, step: int, num_classes: int) -> Calibration | None:
    """The run's calibration if it has one and that is wanted, and says so.

    Raises:
        UserError: if it is damaged, or --threshold needs one that is not there.
    """
    found = read_calibration(run.path, num_classes) if asked.calibration == "auto" else None
    fit = f"`python -m yt8m_audio calibrate {run.path}`"
    if asked.threshold == CALIBRATED and not found:
        raise UserError(f"--threshold={CALIBRATED}: {run.path / FILE} is not there: {fit} writes it.")
    if not found:
        return None
    print(
        f"Scores are at temperature {found.temperature:.3g}, from {run.path / FILE}; --calibration=none leaves it out."
    )
    if (fitted := found.fitted_on.get("step")) != step:
        print(
            f"warning: it was fitted to step {fitted}, and step {step:,} predicts: {fit} fits it anew.", file=sys.stderr
        )
    return found


def thresholds_asked(asked: InferenceFlags, calibration: Calibration | None) -> np.ndarray | float | None:
    """The score from which classes are kept: one for all, one for each class [C], or None."""
    if asked.threshold == CALIBRATED:
        return np.array(calibration.thresholds)
    return float(asked.threshold) if asked.threshold else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def display_names(asked: InferenceFlags, config: Config) -> tuple[str, ...] | None:
    """The names to write beside the class indices, or None."""
    if not asked.label_names:
        return None
    labels = label_map_for(asked.label_map or config.data.label_map, config.data.num_classes)
    if labels is None:
        classes = config.data.num_classes
        raise UserError(f"--label_names: the run's {classes} classes have no names: give --label_map.")
    return labels.names
