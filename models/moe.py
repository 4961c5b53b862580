"""Mixture of logistic experts per class (Abu-El-Haija et al. 2016, arXiv:1609.08675).

Each class has M logistic experts, and a gate that shares its trust among them and a dummy that always says no:

    p[b, c] = Σ_m g[b, m, c] · σ(e[b, m, c]),   m < M,    g = softmax over M + 1 gates
"""

import functools

import keras
from keras import ops

from models.base import VideoLevelModel
from models.layers import L2_PENALTY, ContextGating, ProbabilityGating, log_add
from yt8m_audio.registry import KERAS_PACKAGE, register_model


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class MixtureOfExperts(keras.layers.Layer):
    """Gives the logits [B, C] of a mixture of experts for each class, from features [B, D].

    Args:
        num_classes: classes C.
        num_mixtures: experts M a class, the dummy not counted.
        l2_penalty: L2 penalty of the weights.
    """

    def __init__(self, num_classes, num_mixtures, l2_penalty=L2_PENALTY, **kwargs):
        super().__init__(**kwargs)
        self.num_classes, self.num_mixtures, self.l2_penalty = num_classes, num_mixtures, l2_penalty
        self.supports_masking = True
        penalty, size = keras.regularizers.L2(l2_penalty), num_classes * num_mixtures
        self.gates = keras.layers.Dense(size + num_classes, use_bias=False, kernel_regularizer=penalty, name="gates")
        self.experts = keras.layers.Dense(size, kernel_regularizer=penalty, name="experts")

    def call(self, features):
        experts = ops.cast(self.experts(features), "float32")  # [B, M · C], the first expert of each class first
        gates = ops.cast(self.gates(features), "float32")  # [B, (M + 1) · C]
        gates, dummy = ops.split(gates, [experts.shape[-1]], axis=-1)
        # Logarithms of exp(gate) · σ(expert) and exp(gate) · (1 - σ(expert)): the denominator of the softmax, which
        # p and 1 - p share, is never needed.
        yes = gates - ops.softplus(-experts)
        no = yes - experts
        yes, no = (ops.split(each, self.num_mixtures, axis=-1) for each in (yes, no))  # M of [B, C]
        return functools.reduce(log_add, yes) - functools.reduce(log_add, no, dummy)

    def get_config(self):
        own = {"num_classes": self.num_classes, "num_mixtures": self.num_mixtures, "l2_penalty": self.l2_penalty}
        return {**super().get_config(), **own}


@register_model
class MoeModel(VideoLevelModel):
    """A mixture of experts for each class, with context gates on features and on probabilities if asked for.

    Paper: Abu-El-Haija et al. 2016, arXiv:1609.08675; gates: Miech et al. 2017, arXiv:1706.06905.

    Cost of a clip: 340 K parameters, 670 KFLOP for 10 × 128 → 527; 22 M parameters, 44 MFLOP for 300 × 1152 → 3862.

    On vectors as small as 128 its products take less time than the passes over [B, (M + 1) · C] that mix the experts.

    Args:
        moe_num_mixtures: experts a class, the dummy not counted.
        moe_feature_gating: whether features gate each other first: x · σ(BN(W · x)).
        moe_prob_gating: whether probabilities gate each other in the end: p · σ(BN(W · p)).
        l2_penalty: L2 penalty of the weights.
    """

    recommended_learning_rate = 0.005

    def __init__(
        self,
        *,
        moe_num_mixtures=2,
        moe_feature_gating=False,
        moe_prob_gating=False,
        l2_penalty=L2_PENALTY,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.feature_gating = ContextGating(name="feature_gating") if moe_feature_gating else None
        self.mixture = MixtureOfExperts(self.num_classes, moe_num_mixtures, l2_penalty, name="mixture")
        self.probability_gating = ProbabilityGating(name="probability_gating") if moe_prob_gating else None

    def classify(self, features, mask, training):
        if self.feature_gating:
            features = self.feature_gating(features, mask=mask, training=training)
        logits = self.mixture(features)  # [B, C]
        if self.probability_gating:
            logits = self.probability_gating(logits, mask=mask, training=training)
        return logits
