"""What every reader yields and every loop consumes: a dict of tensors with static shapes.

B clips a batch (the last one of a data set is filled up with rows of weight 0), T frames, D features, C classes:

    video_id         string [B]                                stays on the host
    features         uint8 or float32 [B, T, D], float32 [B, D]   frame level; video level
    num_frames       int32 [B]                                 frames before padding
    labels           uint8 [B, C]                              multi-hot, all zero where a record has none
    label_weights    float32 [B, C]                            segments only: 1 where rated
    example_weights  float32 [B]                               0 for the rows that fill up, else 1
    start_time       float32 [B], seconds                      stays on the host
    end_time         float32 [B], seconds                      stays on the host
    teacher          float32 [B, C]                            --teacher only, in training: its probabilities
    teacher_weights  float32 [B]                               with it: its weight, 0 where it does not know the clip
"""

import keras
from keras import ops

HOST_KEYS = ("video_id", "start_time", "end_time")
MODEL_KEYS = ("features", "num_frames")
LABEL_KEYS = ("labels", "label_weights")


def device_part(batch: dict) -> dict:
    """Returns what goes to a device: everything but ids and times."""
    return {key: value for key, value in batch.items() if key not in HOST_KEYS}


def model_inputs(batch: dict) -> dict:
    """Returns what a model is called with: features and num_frames."""
    return {key: batch[key] for key in MODEL_KEYS}


def dequantize(features, dtype="float32"):
    """Turns bytes into the values they stand for, in [-2, 2.01]; floats pass.

    The starter's formula, which pairs with a quantiser that truncates: x · 4/255 + 4/512 - 2.
    """
    if keras.backend.standardize_dtype(features.dtype) == "uint8":  # in float32: bfloat16 would lose a whole step
        features = ops.cast(features, "float32") * (4 / 255) + (4 / 512 - 2)
    return ops.cast(features, dtype)


def only_rated(values, label_weights=None):
    """Returns values [B, C] with 0 for each class that was not rated; as they are where no label_weights [B, C] are."""
    return values if label_weights is None else values * label_weights
