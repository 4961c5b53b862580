"""Runs what was exported beside the model on clips, before it gets its name, and says what came of it."""

import math

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.commands import assemble
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.prediction.agreement import Runner, agreement, first_clips, model_runner

BATCH_SIZE = 64
MADE_CLIPS = 32
CALIBRATION_CLIPS = 500


def clips_of(data: DataConfig, features: tf.TensorSpec, pattern: str, flag: str, most: int) -> list[dict]:
    """The first clips of records, batch by batch, as a run's model is fed them.

    Args:
        data: the run's complete settings.
        features: what the model is fed.
        pattern: the records.
        flag: the flag that gave it, for errors.
        most: how many clips.

    Raises:
        UserError: if there are none, or they do not fit.
    """
    clips = assemble.open_like(data, pattern, flag)
    with clips.errors_explained():
        return first_clips(clips.in_order(min(BATCH_SIZE, most)), most, features)


def clips_to_compare(data: DataConfig, features: tf.TensorSpec, asked: str, most: int) -> tuple[list[dict], str]:
    """Clips to compare on, and what they are: those asked for, else of the run's own records, else made ones.

    Raises:
        UserError: if those asked for are not there, or do not fit.
    """
    if asked:
        return clips_of(data, features, asked, "compare_data_pattern", most), f"clips of {asked}"
    pattern = data.validation_data_pattern or assemble.train_pattern(data)
    try:
        return clips_of(data, features, pattern, "compare_data_pattern", most), f"clips of {pattern}"
    except UserError as error:
        print(f"note: the run's own records cannot be read, so made clips are compared. {error}")
        return [made_clips(features, data.num_classes)], "made clips"


def made_clips(features: tf.TensorSpec, num_classes: int) -> dict[str, np.ndarray]:
    """Random clips without labels, the first of them without frames."""
    random, shape = np.random.default_rng(0), (MADE_CLIPS, *features.shape[1:])
    is_bytes = features.dtype == tf.uint8
    values = random.integers(0, 256, shape, np.uint8) if is_bytes else random.normal(size=shape).astype(np.float32)
    most = shape[1] if len(shape) == 3 else 1
    num_frames = np.arange(MADE_CLIPS, dtype=np.int32) % (most + 1)
    return {"features": values, "num_frames": num_frames, "labels": np.zeros((MADE_CLIPS, num_classes), np.uint8)}


def compare(
    model: keras.Model,
    exported: Runner,
    clips: list[dict],
    of_what: str,
    tolerance: float,
    out: str,
    temperature: float = 1.0,
) -> str:
    """Compares, and returns what there is to print.

    Args:
        model: as it was trained.
        exported: runs what was exported, in its own runtime.
        clips: from `clips_to_compare`, and what they are.
        of_what: what they are.
        tolerance: how far scores may be off; infinite where that is not known beforehand.
        out: what is exported, for errors.
        temperature: that the export divides the model's logits by.

    Raises:
        UserError: if a score is further off, or not finite where a clip has no frames.
    """
    first = clips[0]["features"][:1]
    if not np.isfinite(exported(np.zeros_like(first), np.zeros(1, np.int32))).all():
        raise UserError(
            f"{out} is not written: {type(model).__name__} has no way to it, as its scores of a clip without frames "
            "would not be finite: a constant of it is beyond the format's precision."
        )
    found = agreement(model_runner(model, temperature), exported, clips)
    if not found.difference <= tolerance:
        raise UserError(
            f"{out} is not written: its scores of {found.clips:,} {of_what} differ from the model's by up to "
            f"{found.difference:.2g}, and {tolerance:g} is allowed."
        )
    allowed = "" if math.isinf(tolerance) else f" ({tolerance:g} is allowed)"
    said = f"Compared on {found.clips:,} {of_what}: scores differ by at most {found.difference:.2g}{allowed}"
    if math.isnan(found.model_map):
        return f"{said}."
    drop = round(found.drop, 4) + 0.0  # no -0.0000
    return f"{said}; mAP {found.model_map:.4f}, of the export {found.exported_map:.4f}, a drop of {drop:.4f}."
