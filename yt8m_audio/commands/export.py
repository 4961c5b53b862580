"""python -m yt8m_audio export RUN OUT: writes a run's model as a SavedModel or as Keras' own file."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from yt8m_audio.commands.assemble import restore_model
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.prediction.export import export_keras_file, export_saved_model
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints

ABOUT = "Writes a run's model as a SavedModel, which needs nothing of this project, or as Keras' own file."


@dataclasses.dataclass(frozen=True)
class ExportFlags:
    """What is exported, and to where.

    Attributes:
        run: Run directory that train.py left.
        out: Folder to make, a SavedModel; or a file that ends with .keras, which computes in float32.
        checkpoint: Which checkpoint: best (by validation; the last one where there was none), last, or a step.
    """

    run: str = dataclasses.field(metadata=POSITIONAL)
    out: str = dataclasses.field(metadata=POSITIONAL)
    checkpoint: str = "best"


def main(argv) -> int:
    """Writes the model, and says how it is called."""
    asked = parse(argv, ABOUT, ExportFlags)
    out, run = Path(asked.out), RunDirectory(asked.run)
    _check(out)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    if out.suffix == ".keras":  # Keras' file keeps the precision of some layers and not of others
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, precision="float32"))
    step = checkpoints.step_of(asked.checkpoint)
    features = fed_with(config.data)
    spec = {"features": features, "num_frames": tf.TensorSpec((None,), tf.int32)}
    model = restore_model(config, checkpoints, step, spec)
    if out.suffix == ".keras":
        export_keras_file(model, out)
        print(f"Exported step {step:,} to {out}, for keras.models.load_model.")
        return 0
    export_saved_model(model, out, features)
    takes = ", ".join(str(size or "B") for size in features.shape)
    takes = f"features {features.dtype.name} [{takes}] and num_frames int32 [B] in"
    print(f"Exported step {step:,} to {out}: {takes}, predictions float32 [B, {config.data.num_classes}] out.")
    return 0


def _check(out: Path) -> None:
    """Raises a UserError where the output cannot be what was asked for."""
    if not out.absolute().parent.is_dir():
        raise UserError(f"{out}: there is no folder {out.absolute().parent}.")
    if out.exists() and (out.suffix != ".keras" or out.is_dir()):
        raise UserError(f"{out} is there already: name a new folder, or a file that ends with .keras.")


def fed_with(data: DataConfig) -> tf.TensorSpec:
    """What features a run's model is fed: bytes of frames where all are quantised, else floats."""
    frames = (data.max_frames,) if data.frame_features else ()
    dtype = tf.uint8 if data.frame_features and set(data.types) == {"uint8"} else tf.float32
    return tf.TensorSpec((None, *frames, sum(data.model_sizes)), dtype)
