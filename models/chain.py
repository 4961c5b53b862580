"""Chaining: classifiers that see what those before them said (Wang et al. 2017, arXiv:1706.05150).

Every stage is a mixture of experts on the features and on a small projection of each earlier stage's probabilities:

    p_k = MoE_k([x, r_1, ..., r_(k-1)]),    r_j = ReLU(W_j · p_j + b_j) scaled to length 1

and the last stage's p is the answer.
"""

import keras
from keras import ops

from models.base import VideoLevelModel
from models.layers import L2_PENALTY, l2_normalize
from models.moe import MixtureOfExperts
from yt8m_audio.registry import register_model


@register_model
class ChainModel(VideoLevelModel):
    """A chain of mixtures of experts, each fed the predictions of those before.

    Paper: Wang et al. 2017, arXiv:1706.05150; the form in which a stage sees all stages before it.

    Cost of a clip: 4.8 M parameters, 9.7 MFLOP for 10 × 128 → 527; 110 M parameters, 230 MFLOP for 300 × 1152 →
    3862.

    The paper also trains the stages before the last on the labels, by a loss of small weight. A model here gives one
    prediction and sees no labels, so that these stages learn through the last one alone.

    Args:
        chain_layers: stages before the last one.
        chain_units: size of the projection of a stage's probabilities.
        moe_num_mixtures: experts a class in each stage, the dummy not counted.
        l2_penalty: L2 penalty of the weights.
    """

    def __init__(self, *, chain_layers=3, chain_units=200, moe_num_mixtures=2, l2_penalty=L2_PENALTY, **kwargs):
        super().__init__(**kwargs)
        self.stages = [
            MixtureOfExperts(self.num_classes, moe_num_mixtures, l2_penalty, name=f"stage_{number}")
            for number in range(chain_layers + 1)
        ]
        penalty = keras.regularizers.L2(l2_penalty)
        self.projections = [
            keras.layers.Dense(chain_units, "relu", kernel_regularizer=penalty, name=f"projection_{number}")
            for number in range(chain_layers)
        ]

    def classify(self, features, mask, training):
        *stages, last = self.stages
        for stage, project in zip(stages, self.projections, strict=True):
            probabilities = ops.sigmoid(stage(features))  # [B, C]
            projection = l2_normalize(project(probabilities))  # [B, units]
            features = ops.concatenate([features, projection], axis=-1)  # [B, D + k · units]
        return last(features)  # [B, C]
