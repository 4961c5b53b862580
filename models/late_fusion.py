"""Late fusion: the frames of each feature are aggregated by themselves, and a hidden layer takes all the results.

Behind the hidden layer comes context gating (Miech et al. 2017, arXiv:1706.06905), then a video-level classifier.
"""

import keras
from keras import ops

from models.base import ClassifierOnTop
from models.batch_normalization import MaskedBatchNormalization
from models.layers import ContextGating


class LateFusionModel(ClassifierOnTop):
    """Aggregates the frames of each feature, and projects what comes of them to a gated hidden layer.

    A model says how in `aggregations`: one layer for each feature, called with frames [B, T, D_i], mask [B, T] and
    training, which gives one vector a clip, [B, any size]. All frames of a clip are used, in training too.

    It is made of the width of its hidden layer, of an initializer of that layer's weights where they are not to begin
    with variance 1, and of how many times fewer units the gates are computed through.

    Args:
        gating: whether the units of the hidden layer gate each other, x · σ(BN(W · x)).
    """

    activation = staticmethod(ops.relu6)

    def __init__(self, hidden_size, initializer=None, gating_reduction=1, *, gating=True, **kwargs):
        super().__init__(**kwargs)
        # What is aggregated has length 1 in the VLADs and bags: so weights of variance 1 make units of variance 1.
        initializer = initializer or keras.initializers.RandomNormal(stddev=1.0)
        self.hidden = keras.layers.Dense(hidden_size, use_bias=False, kernel_initializer=initializer, name="hidden")
        self.hidden_norm = MaskedBatchNormalization(name="hidden_norm")
        self.gate = ContextGating(gating_reduction, name="gate") if gating else None

    def summarize(self, frames, mask, training):
        real = ops.any(mask, axis=1)  # [B]
        hidden = self.hidden(self.describe(frames, mask, training))  # [B, H]
        hidden = self.activation(self.hidden_norm(hidden, mask=real, training=training))
        return self.gate(hidden, mask=real, training=training) if self.gate else hidden

    def describe(self, frames, mask, training):
        """Gives what all features' frames are aggregated to, in one vector a clip."""
        features = self.split_features(frames)
        aggregated = [
            aggregate(feature, mask=mask, training=training)
            for aggregate, feature in zip(self.aggregations, features, strict=True)
        ]
        return ops.concatenate(aggregated, axis=-1)


def sizes_by_feature(feature_sizes, largest, share=2):
    """How many clusters (or groups) each feature gets: the largest ones all, every other one a share, at least 1.

    Args:
        feature_sizes: sizes D_i of the features.
        largest: what the largest of them gets.
        share: how many times less the others get; 2 is the rule of Miech et al.'s VLADs for rgb and audio.
    """
    return [largest if size == max(feature_sizes) else max(largest // share, 1) for size in feature_sizes]
