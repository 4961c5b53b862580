"""What inference.py does: predicts clips with a run's checkpoint, and writes a CSV."""

import time
from pathlib import Path

from yt8m_audio.commands import assemble
from yt8m_audio.config import Config
from yt8m_audio.errors import UserError
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.labels import label_map_for
from yt8m_audio.prediction.top_k import predictor
from yt8m_audio.prediction.writers import csv_writer
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.progress import ProgressLine, Throughput, duration


def predict_to_file(asked: InferenceFlags) -> int:
    """Predicts what the command line asks for; returns the exit status.

    Raises:
        UserError: if there is no run, the clips do not fit it, or the file cannot be written.
    """
    check_output(asked)
    run = RunDirectory(asked.train_dir)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    data = assemble.reading_as(config.data, asked)
    pattern = assemble.test_pattern(asked.input_data_pattern, "input_data_pattern", data)
    clips = assemble.open_like(data, pattern, "input_data_pattern")
    batches = clips.in_order(asked.batch_size)
    step = checkpoints.step_of(asked.checkpoint)
    model = assemble.restore_model(config, checkpoints, step, batches.element_spec)
    line, throughput, begun = ProgressLine(), Throughput(len(clips)), time.monotonic()

    def progress(done):
        rate, left = throughput.update(done)
        line.show(f"{done:,} of {len(clips):,} clips  {rate:,.0f} clips/s  {duration(left)} left")

    with clips.errors_explained(), csv_writer(asked.output_file, display_names(asked, config)) as write:
        done = predictor(model, asked.top_k)(batches, write, progress)
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


def display_names(asked: InferenceFlags, config: Config) -> tuple[str, ...] | None:
    """The names to write beside the class indices, or None."""
    if not asked.label_names:
        return None
    labels = label_map_for(asked.label_map or config.data.label_map, config.data.num_classes)
    if labels is None:
        classes = config.data.num_classes
        raise UserError(f"--label_names: the run's {classes} classes have no names: give --label_map.")
    return labels.names
