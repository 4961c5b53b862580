"""Feature-level attention over frames (Kong et al. 2019, arXiv:1903.00765).

As decision-level attention, with weights for each feature of a frame rather than for each class:

    u[b, k] = Σ_t w[b, t, k] · x[b, t, k],    w = σ(a) / Σ_t σ(a),    p = σ(W · drop(ReLU(BN(u))) + bias)
"""

import keras
from keras import ops

from models.base import FrameLevelModel
from models.batch_normalization import MaskedBatchNormalization
from models.layers import HiddenLayers, SigmoidAttention, check_dropout
from yt8m_audio.registry import register_model


@register_model
class FeatureLevelAttentionModel(FrameLevelModel):
    """Averages hidden features over frames with weights learnt per feature, then classifies the clip.

    Paper: Kong et al. 2019, arXiv:1903.00765.

    Cost of a clip: 4.9 M parameters, 88 MFLOP for 10 × 128 → 527; 9.3 M parameters, 3.2 GFLOP for 300 × 1152 →
    3862.

    Args:
        hidden_units: width of the layers that each frame passes first, and of the pooled features.
        hidden_layers: how many of them.
        dropout: share of hidden units dropped in training, in [0, 1).

    Raises:
        UserError: if dropout is out of range.
    """

    def __init__(self, *, hidden_units=1024, hidden_layers=3, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        check_dropout(dropout)
        self.trunk = HiddenLayers(hidden_units, hidden_layers, dropout, name="trunk")
        self.attention = SigmoidAttention(hidden_units, use_bias=False, name="attention")  # `norm` would undo a bias
        self.norm = MaskedBatchNormalization(name="norm")
        self.drop = keras.layers.Dropout(dropout, name="drop")
        self.output_layer = keras.layers.Dense(self.num_classes, name="logits")

    def classify(self, frames, mask, training):
        hidden = self.trunk(frames, mask=mask, training=training)[-1]  # [B, T, H]
        values, log_weights = self.attention(hidden, mask=mask)  # [B, T, H], [B, T, H]
        pooled = ops.sum(ops.cast(ops.exp(log_weights), values.dtype) * values, axis=1)  # [B, H]
        normalized = self.norm(pooled, mask=ops.any(mask, axis=1), training=training)
        return self.output_layer(self.drop(ops.relu(normalized), training=training))  # [B, C]
