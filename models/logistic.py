"""Logistic regression, the starter code's LogisticModel: one linear layer from the features of a clip."""

import keras

from models.base import VideoLevelModel
from models.layers import L2_PENALTY
from yt8m_audio.registry import register_model


@register_model
class LogisticModel(VideoLevelModel):
    """One linear layer on one vector a clip.

    Paper: Abu-El-Haija et al. 2016, arXiv:1609.08675.

    Cost of a clip: 68 K parameters, 130 KFLOP for 10 × 128 → 527; 4.5 M parameters, 8.9 MFLOP for 300 × 1152 →
    3862. On a CPU, training takes more than twice as long as the multiplications: the loss goes through memory several
    times, for few of them.

    Args:
        l2_penalty: L2 penalty of the weights.
    """

    recommended_learning_rate = 0.01

    def __init__(self, *, l2_penalty=L2_PENALTY, **kwargs):
        super().__init__(**kwargs)
        self.output_layer = keras.layers.Dense(
            self.num_classes, kernel_regularizer=keras.regularizers.L2(l2_penalty), name="logits"
        )

    def classify(self, features, mask, training):
        return self.output_layer(features)  # [B, C]
