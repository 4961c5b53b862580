"""Logistic regression on the mean over frames, the starter code's FrameLevelLogisticModel."""

import keras

from models.base import FrameLevelModel
from models.layers import L2_PENALTY, masked_mean
from yt8m_audio.registry import register_model


@register_model
class FrameLevelLogisticModel(FrameLevelModel):
    """Averages the frames, and classifies the mean by one linear layer.

    Paper: Abu-El-Haija et al. 2016, arXiv:1609.08675.

    Cost of a clip: 68 K parameters, 140 KFLOP for 10 × 128 → 527; 4.5 M parameters, 9.6 MFLOP for 300 × 1152 →
    3862. On a CPU, training and inference take more than twice as long as the multiplications: the frames, in their
    normalisation and mean, and the loss go through memory several times, for few of them.

    Args:
        l2_penalty: L2 penalty of the weights.
    """

    recommended_learning_rate = 0.01

    def __init__(self, *, l2_penalty=L2_PENALTY, **kwargs):
        super().__init__(**kwargs)
        self.output_layer = keras.layers.Dense(
            self.num_classes, kernel_regularizer=keras.regularizers.L2(l2_penalty), name="logits"
        )

    def classify(self, frames, mask, training):
        return self.output_layer(masked_mean(frames, mask))  # [B, C]
