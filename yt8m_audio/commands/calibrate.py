"""python -m yt8m_audio calibrate RUN --eval_data_pattern=GLOB (or --held_out): makes a run's scores probabilities.

It fits a temperature and a threshold for each class (see yt8m_audio.evaluation.calibration) to clips that the run was
not trained on, and writes them to RUN/calibration.json, which inference.py then uses. What that reaches should be
measured on yet other clips.
"""

import dataclasses

from rich import box
from rich.console import Console
from rich.table import Table

from yt8m_audio.commands.scored import ScoredSource, scored
from yt8m_audio.commands.sources import reading_of
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import FEWEST_POSITIVES, Calibration, fit, is_at_bound, write_calibration
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.run_directory import RunDirectory

ABOUT = "Fits a temperature and a threshold for each class, which inference.py then uses."
PAGE = 100  # columns where the output is no terminal
MEANINGS = {
    "loss": ("loss per pair", "binary cross-entropy, mean over clips and classes; eval.py's is summed over classes"),
    "ece": ("ece", "expected calibration error, 15 bins"),
}
FITTED_ON = ("step", "eval_data_pattern", "held_out", "eval_ids", "clips", "ids_sha256", "classes_with_positives")


@dataclasses.dataclass(frozen=True)
class CalibrateFlags:
    """Which run is calibrated, and on what.

    Attributes:
        run: Run directory that train.py left.
        eval_data_pattern: Glob of the records to fit to. With held_out, those that the run was trained on when empty.
        held_out: Fit to those of the clips alone that the run's validation_percent held out.
        eval_ids: File with the ids of the clips to fit to, one a line. All when empty.
        segment_labels: Fit to YouTube-8M's rated segments, as a run that was trained on segments always does.
        checkpoint: Which checkpoint: best (by validation; the last one where there was none), last, or a step.
        batch_size: Clips in a batch.
        skip_corrupt_records: Skip and count corrupt records, rather than stop.
        num_readers: Shards that are read at a time where they lie on another machine.
    """

    run: str = dataclasses.field(metadata=POSITIONAL)
    eval_data_pattern: str = ""
    held_out: bool = False
    eval_ids: str = ""
    segment_labels: bool = False
    checkpoint: str = "best"
    batch_size: int = 1024
    skip_corrupt_records: bool = False
    num_readers: int = 8


def main(argv) -> int:
    """Fits, writes, and says what changed."""
    asked = parse(argv, ABOUT, CalibrateFlags)
    run = RunDirectory(asked.run)
    if not run.exists():
        raise UserError(f"{asked.run} holds no run with a checkpoint: name the run directory that train.py left.")
    pattern = asked.eval_data_pattern or (run.load_config().data.train_data_pattern if asked.held_out else "")
    found = scored(asked.run, pattern=pattern, **reading_of(asked))
    calibration = calibrated(found)
    path = write_calibration(calibration, run.path)
    show(calibration)
    print(f"Written to {path}: inference.py uses it.")
    return 0


def calibrated(found: ScoredSource) -> Calibration:
    """Fits to scores, and states which."""
    scores = found.scores
    fitted = fit(scores.probabilities, scores.labels, scores.rated)
    about = {name: found.about[name] for name in FITTED_ON if name in found.about}
    return dataclasses.replace(fitted, fitted_on=about)


def show(calibration: Calibration) -> None:
    """Prints what was fitted, before and after."""
    about, few = calibration.fitted_on, len(calibration.few_positives)
    print(
        f"Fitted to {about['clips']:,} clips, with step {about['step']:,}. Temperature {calibration.temperature:.4g}."
    )
    if is_at_bound(calibration.temperature):
        print("note: that is the end of the range looked at: the clips are too few, or not what the model is for.")
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("figure", "before", "after", "meaning"):
        table.add_column(heading, justify="right" if heading in ("before", "after") else "left")
    for name, (shown, meaning) in MEANINGS.items():
        table.add_row(shown, f"{calibration.before[name]:.6f}", f"{calibration.after[name]:.6f}", meaning)
    console = Console()
    (console if console.is_terminal else Console(width=PAGE)).print(table)
    shared = f"; {few} with fewer than {FEWEST_POSITIVES} positives share {calibration.shared_threshold:.4f}"
    own = len(calibration.thresholds) - few
    print(f"Thresholds of the highest F1: {own} classes have their own{shared if few else ''}.")
