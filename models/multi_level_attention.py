"""Attention over frames at several depths of a network (Yu et al. 2018, arXiv:1803.02353).

Each hidden layer but the first gives probabilities by decision-level attention; together they are classified:

    p_l[b, c] = Σ_t w_l[b, t, c] · σ(v_l[b, t, c]),    p = σ(W · [p_2, ..., p_L] + bias)
"""

import keras
from keras import ops

from models.base import FrameLevelModel
from models.layers import HiddenLayers, SigmoidAttention, check_dropout, mix_logits
from yt8m_audio.registry import register_model


@register_model
class MultiLevelAttentionModel(FrameLevelModel):
    """Lets the frames vote at each hidden layer but the first, and classifies what the votes come to.

    Paper: Yu et al. 2018, arXiv:1803.02353: with three layers, attention on the second and the third.

    Cost of a clip: 5.0 M parameters, 89 MFLOP for 10 × 128 → 527; 49 M parameters, 12 GFLOP for 300 × 1152 → 3862.

    Args:
        hidden_units: width of the layers that each frame passes first.
        hidden_layers: how many of them; a single one is voted on itself.
        dropout: share of hidden units dropped in training, in [0, 1).

    Raises:
        UserError: if dropout is out of range.
    """

    def __init__(self, *, hidden_units=1024, hidden_layers=3, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        check_dropout(dropout)
        self.trunk = HiddenLayers(hidden_units, hidden_layers, dropout, name="trunk")
        levels = range(max(hidden_layers - 1, 1))
        self.attentions = [SigmoidAttention(self.num_classes, name=f"attention_{number}") for number in levels]
        self.output_layer = keras.layers.Dense(self.num_classes, name="logits")

    def classify(self, frames, mask, training):
        levels = self.trunk(frames, mask=mask, training=training)[-len(self.attentions) :]  # each [B, T, H]
        votes = [
            mix_logits(*attention(hidden, mask=mask))  # [B, C]
            for attention, hidden in zip(self.attentions, levels, strict=True)
        ]
        return self.output_layer(ops.sigmoid(ops.concatenate(votes, axis=-1)))  # [B, C]
