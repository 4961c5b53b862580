"""The calibration of a run that inference.py uses, and the scores from which it keeps a class."""

import math
import sys

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import FILE, Calibration, read_calibration
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.run_directory import RunDirectory

CALIBRATIONS = ("auto", "none")
CALIBRATED = "calibrated"  # of --threshold


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


def thresholds_asked(asked: InferenceFlags, calibrations: list[Calibration | None]) -> np.ndarray | float | None:
    """The score from which classes are kept: one for all, one for each class [C], or None.

    Raises:
        UserError: if several models predict, or one without a calibration, and the calibrated ones are asked for.
    """
    if asked.threshold != CALIBRATED:
        return float(asked.threshold) if asked.threshold else None
    if len(calibrations) > 1 or calibrations[0] is None:
        raise UserError(f"--threshold={CALIBRATED} is of one run: give a score from 0 to 1.")
    return np.array(calibrations[0].thresholds)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
