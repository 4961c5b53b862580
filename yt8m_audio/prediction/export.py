"""Writes a trained model out of its run: a SavedModel, which needs nothing of this project, or Keras' own file.

export_saved_model(model, Path("exported"), tf.TensorSpec((None, 10, 128), tf.uint8))
served = tf.saved_model.load("exported").signatures["serving_default"]
served(features=clips, num_frames=frames)["predictions"]      # float32 [B, C], probabilities
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import tensorflow as tf

from yt8m_audio.prediction.signatures import DEFAULT, FEATURES, Signature, plain, probabilities_function

NOTES = "assets.extra"  # TensorFlow's name for it


def export_saved_model(
    model: keras.Model,
    folder: Path,
    features: tf.TensorSpec,
    more: Mapping[str, Signature] | None = None,
    default: str = FEATURES,
    temperature: float = 1.0,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Writes a SavedModel: `features` takes features and num_frames, and gives `predictions` [B, C].

    Args:
        model: built.
        folder: where to; must not be there yet.
        features: what it is fed: uint8 or float32 [B, T, D], or float32 [B, D].
        more: further signatures by name (see yt8m_audio.prediction.signatures).
        default: which of them is `serving_default`.
        temperature: that the logits of `features` are divided by.
        notes: text by file name, for the folder of what a server leaves alone.
    """
    signatures = {FEATURES: plain(probabilities_function(model, temperature), features), **(more or {})}
    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.signature_functions = list(signatures.values())
    tf.saved_model.save(module, str(folder), signatures={DEFAULT: signatures[default], **signatures})
    for name, text in (notes or {}).items():
        (folder / NOTES).mkdir(exist_ok=True)
        (folder / NOTES / name).write_text(text)


def export_keras_file(model: keras.Model, path: Path) -> None:
    """Writes Keras' own file, which `keras.models.load_model` reads where the model's class can be imported."""
    model.save(path)


@contextlib.contextmanager
def folder_beside(folder: Path) -> Iterator[Path]:
    """Gives a folder to write, and renames it to `folder` if all went well: whole or not at all."""
    partial = folder.with_name(f".partial-{os.getpid()}-{folder.name}")
    try:
        yield partial
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
