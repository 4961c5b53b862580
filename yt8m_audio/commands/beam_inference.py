"""What `python -m yt8m_audio beam` does: looks at what is asked for, without TensorFlow, and runs the pipeline."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from yt8m_audio.beam.job import Counts
from yt8m_audio.commands.inference_job import InferenceJob
from yt8m_audio.errors import UserError
from yt8m_audio.flags import InferenceFlags, names_in
from yt8m_audio.paths import is_remote
from yt8m_audio.run_directory import RunDirectory

EXAMPLES = 8
PATTERN, OUTPUT, FAILURES = "input_data_pattern", "output_file", "failures"
NOT_OFFERED = {
    "worker": "Beam shares the work among workers itself",
    "untar_model_dir": "each worker unpacks the model for itself",
}


def predict(asked: InferenceFlags, failures: str, beams: Sequence[str]) -> int:
    """Predicts what the command line asks for; returns the exit status.

    Args:
        asked: the command line.
        failures: path of the CSV of records that cannot be predicted, or "".
        beams: Beam's own flags.

    Raises:
        UserError: if that cannot be done.
    """
    from yt8m_audio.beam.options import parse_options
    from yt8m_audio.beam.pipeline import run_job
    from yt8m_audio.beam.whole_files import check_folder, find_files

    options = parse_options(beams)
    check_offered(asked)
    check_models(asked)
    check_folder(asked.output_file, OUTPUT)
    paths = find_files(pattern_of(asked), PATTERN)
    job = InferenceJob(asked, paths[:EXAMPLES])
    if failures:
        check_folder(failures, FAILURES)
        check_apart(failures, job.files)
    begun = time.monotonic()
    counts = run_job(job, paths, options, failures)
    print("\n".join(told(asked, failures, counts, time.monotonic() - begun)))
    return 1 if counts.failures and not counts.rows else 0


def check_offered(asked: InferenceFlags) -> None:
    """Raises a UserError where something is asked for that Beam does not do here."""
    refuse(asked, NOT_OFFERED)
    if not asked.output_file:
        raise UserError("--output_file is missing: name the file to write, such as predictions-@16.csv.")
    if asked.output == "audacity" and Path(asked.output_file).suffix != ".txt":
        raise UserError(
            f"--output_file={asked.output_file}: a folder of label tracks is written by inference.py, not Beam."
        )
    if Path(asked.input_data_pattern).is_dir():
        raise UserError(
            f"--{PATTERN}={asked.input_data_pattern} is a folder: give a glob of TFRecord files; what repack packed "
            "into arrays is for inference.py."
        )


def refuse(asked, not_offered: Mapping[str, str]) -> None:
    """Raises a UserError where one of these flags is given; each says why it is not for Beam."""
    for name, why in not_offered.items():
        if value := getattr(asked, name):
            given = "" if value is True else f"={value}"
            raise UserError(f"--{name}{given} is not for beam: {why}.")


def check_models(asked: InferenceFlags) -> None:
    """Raises a UserError where a model is not there, as far as that shows without TensorFlow."""
    if not (asked.train_dir or asked.input_model or asked.input_model_tgz):
        raise UserError("--train_dir is missing: name the run directory that train.py left, such as runs/LstmModel.")
    for name in names_in(asked.train_dir):
        if not is_remote(name):
            RunDirectory(name).load_config()
    for flag in ("input_model", "input_model_tgz"):
        for name in names_in(getattr(asked, flag)):
            if not is_remote(name) and not Path(name).exists():
                raise UserError(f"--{flag}={name} is not there.")


def check_apart(failures: str, files: Sequence[str]) -> None:
    """Raises a UserError where failures would be written over predictions."""
    if os.path.normpath(failures) in map(os.path.normpath, files):
        raise UserError(f"--{FAILURES}={failures} is a file of predictions too: name another one.")


def pattern_of(asked: InferenceFlags) -> str:
    """The glob of the records: where none is given, and the run is of the sample, the sample's test clips."""
    runs = names_in(asked.train_dir)
    if asked.input_data_pattern:
        return asked.input_data_pattern
    if not runs or RunDirectory(runs[0]).load_config().data.train_data_pattern:
        raise UserError(f"--{PATTERN} is missing: give a glob of TFRecord files.")
    from yt8m_audio.sample import sample_patterns

    return sample_patterns(print).test


def told(asked: InferenceFlags, failures: str, counts: Counts, seconds: float) -> list[str]:
    """What there is to say at the end."""
    if counts.rows is None:
        return [f"Predicted, to {asked.output_file}. The runner tells no counts."]
    what = "windows" if asked.window or asked.segment_labels else "clips"
    lines = [
        f"Predicted {counts.rows:,} {what}, to {asked.output_file}: {seconds:,.1f} s, {counts.rows / seconds:,.0f} "
        f"{what}/s; the model was loaded {counts.loads:,} time{'s' if counts.loads != 1 else ''}."
    ]
    if counts.failures:
        where = f"see {failures}" if failures else "--failures=FILE writes which, and why"
        lines.append(
            f"{counts.failures:,} record{'s' if counts.failures != 1 else ''} could not be predicted: {where}."
        )
    return lines
