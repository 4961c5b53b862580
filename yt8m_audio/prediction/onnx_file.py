"""ONNX files (`.onnx`), which ONNX Runtime and most other engines read: made, and run.

    content = onnx_file(model, tf.TensorSpec((None, 10, 128), tf.uint8))
    predict = onnx_runner(content)
    predict(features, num_frames)                       # float32 [N, C]

Inputs are features [N, T, D] and num_frames int32 [N], the output is predictions [N, C], probabilities.
"""

import logging
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.native_output import held_back
from yt8m_audio.prediction.signatures import fed, plain, probabilities_function

OPSET = 18  # of 2023: ONNX Runtime reads it from 1.14 on


def onnx_file(
    model: keras.Model, features: tf.TensorSpec, temperature: float = 1.0, notes: Mapping[str, str] | None = None
) -> bytes:
    """Converts a model.

    Args:
        model: built, in float32.
        features: what it is fed: uint8 or float32 [None, T, D], or float32 [None, D].
        temperature: that logits are divided by.
        notes: text by name, for the file's metadata.

    Raises:
        UserError: if the packages are not there, or there is no way to ONNX for this model.
    """
    convert, check = _converter()
    predict = plain(probabilities_function(model, temperature), features)

    try:
        with held_back():
            converted, _ = convert(predict, input_signature=fed(features), opset=OPSET)
            check(converted)  # operations that it does not know are left as they are
    except Exception as error:  # of every kind, as the operation is that it does not know
        said = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{type(model).__name__} has no way to ONNX: {said}") from error
    for name, text in (notes or {}).items():
        converted.metadata_props.add(key=name, value=text)
    return converted.SerializeToString()


def onnx_runner(content: bytes) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Makes a function of features [N, T, D] and num_frames [N] that gives probabilities [N, C].

    Raises:
        UserError: if ONNX Runtime is not there.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing(error) from None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    given = {each.name for each in session.get_inputs()}

    def run(features: np.ndarray, num_frames: np.ndarray) -> np.ndarray:
        inputs = {"features": features, "num_frames": num_frames}
        return session.run(["predictions"], {name: inputs[name] for name in given})[0]

    return run


def _converter() -> tuple[Callable, Callable]:
    """What converts a function, and what checks what came of it."""
    try:
        import onnx
        import tf2onnx
    except (ImportError, AttributeError) as error:  # AttributeError: beside an older ml_dtypes
        raise _missing(error) from None
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    return tf2onnx.convert.from_function, onnx.checker.check_model


def _missing(error: Exception) -> UserError:
    return UserError(f"ONNX needs packages that are not here ({error}): pip install 'yt8m-audio[onnx]'.")
