"""An exported model as something to evaluate: a SavedModel, or Keras' own file.

Neither says which features it was trained on, but how many values a frame has: that must fit the records.
"""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

import models  # noqa: F401  Keras finds the classes of its files among the registered ones
import readers
from yt8m_audio.batch import dequantize, only_rated
from yt8m_audio.commands.model_source import ModelSource, only_chosen
from yt8m_audio.commands.sources import Asked
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.scoring import scoring_function
from yt8m_audio.prediction.signatures import FEATURES as SIGNATURE

FEATURES, NUM_FRAMES, PREDICTIONS = "features", "num_frames", "predictions"
POOLED_PARTS = 3  # mean, deviation and maximum, side by side


@dataclasses.dataclass(frozen=True)
class Exported:
    """An exported model.

    Attributes:
        kind: "saved_model" or "keras_file".
        score_batch: gives the probabilities [B, C] and losses [B] of a batch; losses are not known, nan.
        features: shape of what it is fed, (B, T, D) or (B, D); T may be None.
        num_classes: C.
    """

    kind: str
    score_batch: Callable
    features: tuple[int | None, ...]
    num_classes: int


def open_exported(path: str, asked: Asked) -> ModelSource:
    """Opens an exported model, and the clips to evaluate it on.

    Raises:
        UserError: if it cannot be loaded, or the clips do not fit it.
    """
    exported = load_keras_file(path) if path.endswith(".keras") else load_saved_model(path)
    clips, of_ids = only_chosen(open_fitting(exported, path, asked), asked.eval_ids)
    about = {"kind": exported.kind, "source": path, "model": path, "eval_data_pattern": asked.pattern, **of_ids}
    return ModelSource(exported.score_batch, clips, about, asked)


def load_saved_model(path: str) -> Exported:
    """Loads a SavedModel with the signature that yt8m_audio.prediction.export writes.

    Raises:
        UserError: if it has another one, or cannot be loaded.
    """
    try:
        loaded = tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(f"{path} cannot be loaded as a SavedModel: {_first_line(error)}") from error
    signature = loaded.signatures.get(SIGNATURE)
    takes = {} if signature is None else signature.structured_input_signature[1]
    gives = {} if signature is None else signature.structured_outputs
    if set(takes) != {FEATURES, NUM_FRAMES} or PREDICTIONS not in gives:
        raise UserError(
            f"{path} has no signature {SIGNATURE} with {FEATURES} and {NUM_FRAMES} in and {PREDICTIONS} out: write one "
            "with `python -m yt8m_audio export`."
        )
    score_batch = scoring_of_signature(loaded, takes[FEATURES].dtype, path)
    return Exported("saved_model", score_batch, tuple(takes[FEATURES].shape), gives[PREDICTIONS].shape[-1])


def scoring_of_signature(loaded, dtype: tf.DType, path: str) -> Callable:
    """Makes the function that scores a batch with a SavedModel, which it keeps in memory."""

    @tf.function
    def score_batch(batch):
        features = batch["features"]
        if features.dtype != dtype and dtype != tf.float32:
            raise UserError(f"{path} takes features as {dtype.name}, and the records hold {features.dtype.name}.")
        if features.dtype != dtype:
            features = dequantize(features)
        predictions = loaded.signatures[SIGNATURE](features=features, num_frames=batch["num_frames"])[PREDICTIONS]
        return only_rated(predictions, batch.get("label_weights")), unknown_loss(batch["labels"])

    return score_batch


def load_keras_file(path: str) -> Exported:
    """Loads Keras' own file of one of our models, in safe mode: code in it is not run.

    Raises:
        UserError: if it is of something else, or cannot be loaded.
    """
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises of every kind
        raise UserError(f"{path} cannot be loaded as a Keras file, in safe mode: {_first_line(error)}") from error
    level = getattr(model, "level", "")
    if level not in ("frame", "video"):
        raise UserError(f"{path} holds a {type(model).__name__}, which is no model of this project.")
    sizes = (sum(model.feature_sizes),)
    features = (None, None, *sizes) if level == "frame" else (None, *sizes)
    score_batch = scoring_function(model, lambda labels, logits, label_weights: unknown_loss(labels))
    return Exported("keras_file", score_batch, features, model.num_classes)


def open_fitting(exported: Exported, path: str, asked: Asked) -> readers.Clips:
    """Opens the records with the settings that the model takes.

    Raises:
        UserError: if their features are of another size.
    """
    *frames, size = exported.features[1:]
    data = DataConfig(
        frame_features=bool(frames),
        max_frames=frames[0] if frames else None,
        num_classes=exported.num_classes,
        segment_labels=asked.segment_labels,
        label_map=asked.label_map,
        skip_corrupt_records=asked.skip_corrupt_records,
        num_readers=asked.num_readers,
    )
    clips = readers.open_clips(asked.pattern, asked.flag, data)
    found = dict(zip(clips.data.names, clips.data.sizes, strict=True))
    alone = [name for name, theirs in found.items() if theirs == size]
    if sum(found.values()) == size:
        return clips
    if not frames and POOLED_PARTS * sum(found.values()) == size:
        return readers.open_clips(asked.pattern, asked.flag, dataclasses.replace(data, pooling="mean_std_max"))
    if len(alone) == 1:
        return readers.open_clips(asked.pattern, asked.flag, dataclasses.replace(data, feature_names=alone[0]))
    what = ", ".join(f"{name} of {theirs}" for name, theirs in found.items())
    raise UserError(f"{path} takes {size} values{' a frame' if frames else ''}; {asked.where} holds {what}.")


def unknown_loss(labels: tf.Tensor) -> tf.Tensor:
    """Losses [B] that are not known, of labels [B, C]."""
    return tf.fill(tf.shape(labels)[:1], float("nan"))


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
