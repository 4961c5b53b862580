"""Writes a trained model out of its run: a SavedModel, which needs nothing of this project, or Keras' own file.

export_saved_model(model, Path("exported"), tf.TensorSpec((None, 10, 128), tf.uint8))
served = tf.saved_model.load("exported").signatures["serving_default"]
served(features=clips, num_frames=frames)["predictions"]      # float32 [B, C], probabilities
"""

import os
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from yt8m_audio.run_directory import written_beside

SIGNATURE = "serving_default"


def export_saved_model(model: keras.Model, folder: Path, features: tf.TensorSpec) -> None:
    """Writes a SavedModel with one signature: features and num_frames in, `predictions` [B, C] out.

    Args:
        model: built.
        folder: where to; it appears whole or not at all, and must not be there yet.
        features: what it is fed: uint8 or float32 [B, T, D], or float32 [B, D].
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec(features.shape, features.dtype, name="features"),
            tf.TensorSpec((None,), tf.int32, name="num_frames"),
        ]
    )
    def predict(features, num_frames):
        logits = model({"features": features, "num_frames": num_frames}, training=False)
        return {"predictions": tf.sigmoid(logits)}

    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.predict = predict
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        tf.saved_model.save(module, str(partial), signatures={SIGNATURE: predict})
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def export_keras_file(model: keras.Model, path: Path) -> None:
    """Writes Keras' own file, which `keras.models.load_model` reads where the model's class can be imported."""
    with written_beside(path) as partial:
        model.save(partial)
