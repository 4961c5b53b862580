"""Mixture of logistic experts per class (Abu-El-Haija et al. 2016, arXiv:1609.08675).

Each class has M logistic experts, and a gate that shares its trust among them and a dummy that always says no:

    p[b, c] = Σ_m g[b, c, m] · σ(e[b, c, m]),   m < M,    g = softmax over M + 1 gates
"""

import keras
from keras import ops

from models.base import VideoLevelModel
from models.layers import L2_PENALTY, NOTHING, mix_logits
from yt8m_audio.registry import register_model


@register_model
class MoeModel(VideoLevelModel):
    """A mixture of experts for each class.

    Args:
        moe_num_mixtures: experts a class, the dummy not counted.
        l2_penalty: L2 penalty of the weights.
    """

    recommended_learning_rate = 0.005

    def __init__(self, *, moe_num_mixtures=2, l2_penalty=L2_PENALTY, **kwargs):
        super().__init__(**kwargs)
        self.num_mixtures = moe_num_mixtures
        penalty = keras.regularizers.L2(l2_penalty)
        gates = self.num_classes * (moe_num_mixtures + 1)
        self.gates = keras.layers.Dense(gates, use_bias=False, kernel_regularizer=penalty, name="gates")
        self.experts = keras.layers.Dense(
            self.num_classes * moe_num_mixtures, kernel_regularizer=penalty, name="experts"
        )

    def classify(self, features, mask, training):
        gates = ops.reshape(self.gates(features), (-1, self.num_classes, self.num_mixtures + 1))  # [B, C, M + 1]
        experts = ops.reshape(self.experts(features), (-1, self.num_classes, self.num_mixtures))  # [B, C, M]
        votes = ops.pad(experts, ((0, 0), (0, 0), (0, 1)), constant_values=NOTHING)  # [B, C, M + 1]
        return mix_logits(votes, ops.log_softmax(gates), axis=-1)  # [B, C]
