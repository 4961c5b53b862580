"""The training step that is tried for TPU: its inputs, and its loss as a function of weights and batch alone.

    with keras.StatelessScope(initialize_variables=False):       # no weight is allocated
        model = unallocated(MODELS.get("LstmModel"), batch_size=128)
        loss, (logits, non_trainable) = training_loss(model, trainable, non_trainable, batch)

It is written for either backend of Keras, TensorFlow or JAX.
"""

import json
from collections.abc import Callable

import keras
from keras import ops

import models  # noqa: F401  registers the models
import yt8m_audio.training  # noqa: F401  registers the losses
from yt8m_audio.batch import MODEL_KEYS, device_part, model_inputs
from yt8m_audio.registry import LOSSES

NUM_FRAMES, SIZE, NUM_CLASSES = 10, 128, 527

Spec = tuple[tuple[int, ...], str]  # shape and dtype


def device_inputs(level: str, batch_size: int) -> dict[str, Spec]:
    """Shape and dtype of what goes to a device of a batch, for models of a level.

    Raises:
        TypeError: if there is a string among them, which no TPU takes.
    """
    frame_level = level == "frame"
    batch = {
        "video_id": ((batch_size,), "string"),
        "features": ((batch_size, NUM_FRAMES, SIZE), "uint8") if frame_level else ((batch_size, SIZE), "float32"),
        "num_frames": ((batch_size,), "int32"),
        "labels": ((batch_size, NUM_CLASSES), "uint8"),
        "example_weights": ((batch_size,), "float32"),
    }
    inputs = device_part(batch)
    if strings := [key for key, (_, dtype) in inputs.items() if dtype == "string"]:
        raise TypeError(f"strings among a step's device inputs: {', '.join(strings)}")
    return inputs


def unallocated(cls: type, batch_size: int) -> keras.Model:
    """A model with its default hyper-parameters, whose weights have shapes and no values.

    To be called, like all that uses the model, in a `keras.StatelessScope(initialize_variables=False)`.
    """
    model = cls(num_classes=NUM_CLASSES, feature_sizes=(SIZE,))
    inputs = device_inputs(model.level, batch_size)
    model({key: keras.KerasTensor(*inputs[key]) for key in MODEL_KEYS})
    return model


def training_loss(model: keras.Model, trainable: list, non_trainable: list, batch: dict):
    """Label loss a clip and auxiliary losses, in training mode.

    Args:
        model: the model, whose own weights are not looked at.
        trainable: values of its trainable variables.
        non_trainable: values of its other variables.
        batch: what `device_part` leaves of a batch.

    Returns:
        The loss [], and the pair of logits [B, C] and of the other variables' new values.
    """
    logits, non_trainable, auxiliary = model.stateless_call(
        trainable, non_trainable, model_inputs(batch), training=True, return_losses=True
    )
    weights = batch["example_weights"]  # [B]
    losses = LOSSES.get("CrossEntropyLoss")()(batch["labels"], logits) * weights  # [B]
    return ops.sum(losses) / ops.maximum(ops.sum(weights), 1.0) + sum(auxiliary), (logits, non_trainable)


def print_outcome(check: Callable[[type], dict], cls: type) -> None:
    """Prints what a check of a model's class gives as a line of JSON, or the first line of its error."""
    keras.config.disable_traceback_filtering()  # which hides the first line of an error behind a general one
    try:
        outcome = check(cls)
    except Exception as error:
        first_line = next(iter(str(error).strip().splitlines()), "")
        outcome = {"error": f"{type(error).__name__}: {first_line}"}
    print(json.dumps(outcome))
