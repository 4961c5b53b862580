"""What every model shares: dequantising, masking and normalising happen here, once.

A model file gives its idea in `classify` and nothing else:

    FrameLevelModel.classify(frames [B, T, D], mask [B, T], training) -> logits [B, C]
    VideoLevelModel.classify(features [B, D], mask [B], training) -> logits [B, C]

Each is called with {"features": ..., "num_frames": int32 [B]} and gives float32 logits.
"""

import itertools

import keras
from keras import ops

from models.batch_normalization import MaskedBatchNormalization
from models.layers import frame_mask, l2_normalize
from yt8m_audio.batch import dequantize
from yt8m_audio.errors import UserError
from yt8m_audio.registry import MODELS, hyper_parameters

INPUT_NORMALIZATIONS = ("batch", "l2", "none")


class ClipModel(keras.Model):
    """Classifies clips.

    Args:
        num_classes: number of classes C.
        feature_sizes: sizes of the features that are concatenated to D.
        input_normalization: batch (over all clips and frames), l2 (each frame or clip to length 1) or none. The
            model's recommendation when not given.

    Raises:
        UserError: if input_normalization is none of these.
    """

    level = ""
    recommended_input_normalization = "batch"
    recommended_learning_rate = 0.001

    def __new__(cls, **arguments):
        """Remembers the arguments, of which each class on the way down to here takes some, for `get_config`."""
        model = super().__new__(cls)
        vars(model)["arguments"] = arguments  # not as an attribute of a layer, whose dicts Keras would track
        return model

    def __init__(self, *, num_classes, feature_sizes, input_normalization: str | None = None, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True  # Keras' recurrent layers hang their mask on what they give
        self.num_classes = num_classes
        self.feature_sizes = tuple(feature_sizes)
        self.input_normalization = input_normalization or self.recommended_input_normalization
        if self.input_normalization not in INPUT_NORMALIZATIONS:
            known = ", ".join(INPUT_NORMALIZATIONS)
            raise UserError(f"--input_normalization={input_normalization} is none of {known}.")
        if self.input_normalization == "batch":
            self.input_batch_norm = MaskedBatchNormalization(name="input_batch_norm")

    def get_config(self):
        return {**self.arguments, **super().get_config()}

    def normalize(self, features, mask, training, quantized=False):
        """Normalises features [..., D] where mask [...] is true; those that were bytes are within ±2.01."""
        if self.input_normalization == "batch":
            return self.input_batch_norm(features, mask=mask, training=training, near_zero=quantized)
        return l2_normalize(features) if self.input_normalization == "l2" else features


class FrameLevelModel(ClipModel):
    """A model of frames [B, T, D].

    Attributes:
        frame_order_matters: whether a clip with its frames in another order is another clip.
    """

    level = "frame"
    frame_order_matters = False

    def call(self, inputs, training=False):
        features = inputs["features"]  # [B, T, D], bytes or floats
        mask = frame_mask(inputs["num_frames"], features.shape[1])  # [B, T]
        quantized = keras.backend.standardize_dtype(features.dtype) == "uint8"
        frames = self.normalize(dequantize(features, self.compute_dtype), mask, training, quantized)
        frames = frames * ops.cast(mask, frames.dtype)[:, :, None]
        return ops.cast(self.classify(frames, mask, training), "float32")

    def classify(self, frames, mask, training):
        """Gives logits [B, C] of frames [B, T, D], which are 0 where mask [B, T] is false."""
        raise NotImplementedError

    def split_features(self, frames):
        """Takes frames [B, T, D] apart into those of each feature, [B, T, D_i], for late fusion."""
        places = list(itertools.accumulate(self.feature_sizes))[:-1]
        return ops.split(frames, places, axis=-1) if places else [frames]


class VideoLevelModel(ClipModel):
    """A model of one vector a clip, [B, D]."""

    level = "video"

    def call(self, inputs, training=False):
        features = ops.cast(inputs["features"], self.compute_dtype)  # [B, D]
        mask = inputs["num_frames"] > 0  # [B]
        features = self.normalize(features, mask, training)
        return ops.cast(self.classify(features, mask, training), "float32")

    def classify(self, features, mask, training):
        """Gives logits [B, C] of features [B, D]; the clips are real where mask [B] is true."""
        raise NotImplementedError


class ClassifierOnTop(FrameLevelModel):
    """A frame-level model that makes one vector of a clip and hands it to a video-level model.

    Args:
        video_level_classifier_model: name of the video-level model on top; its hyper-parameters are taken too.
    """

    def __init__(self, *, video_level_classifier_model="MoeModel", **kwargs):
        classifier = MODELS.get(video_level_classifier_model)
        if classifier.level != "video":
            raise UserError(f"--video_level_classifier_model={video_level_classifier_model} is a frame-level model.")
        theirs = {name: kwargs.pop(name) for name in classifier_hyper_parameters(classifier) if name in kwargs}
        super().__init__(**kwargs)
        self.classifier = classifier(
            num_classes=self.num_classes, feature_sizes=(), input_normalization="none", **theirs
        )

    def classify(self, frames, mask, training):
        summary = self.summarize(frames, mask, training)  # [B, H]
        num_frames = ops.sum(ops.cast(mask, "int32"), axis=1)
        return self.classifier({"features": summary, "num_frames": num_frames}, training=training)

    def summarize(self, frames, mask, training):
        """Gives one vector [B, H] of frames [B, T, D], which are 0 where mask [B, T] is false."""
        raise NotImplementedError


def classifier_hyper_parameters(classifier: type) -> dict:
    """The hyper-parameters that a video-level model adds when it stands on top of another one."""
    return {name: each for name, each in hyper_parameters(classifier).items() if name != "input_normalization"}
