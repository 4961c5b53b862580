"""Several averages of hidden frames, each with weights of its own that sum to 1 by a softmax over time.

    u_h[b] = Σ_t w_h[b, t] · x[b, t],    w_h = softmax over t of a_h · x[b, t]
    p[b] = σ(V · ReLU(BN(W · [u_1, ..., u_H])) + bias)

The heads are those of Lin et al. 2017 (arXiv:1703.03130), with hidden layers on each frame in place of their LSTM and
of the tanh layer that scores are made of.
"""

import keras
from keras import ops

from models.base import FrameLevelModel
from models.layers import AttentionPooling, HiddenLayers, check_dropout
from yt8m_audio.registry import register_model


@register_model
class MultiHeadAttentionModel(FrameLevelModel):
    """Averages hidden frames by several heads of attention, and classifies the averages together.

    Paper: Lin et al. 2017, arXiv:1703.03130, for the heads.

    Cost of a clip: 7.0 M parameters, 54 MFLOP for 10 × 128 → 527; 11 M parameters, 2.0 GFLOP for 300 × 1152 → 3862.

    Args:
        attention_heads: number of averages.
        hidden_units: width of the layers that each frame passes first, and of the one that the averages pass.
        hidden_layers: how many layers each frame passes.
        dropout: share of hidden units dropped in training, in [0, 1).

    Raises:
        UserError: if dropout is out of range.
    """

    def __init__(self, *, attention_heads=4, hidden_units=1024, hidden_layers=3, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        check_dropout(dropout)
        self.trunk = HiddenLayers(hidden_units, hidden_layers, dropout, name="trunk")
        self.pooling = AttentionPooling(attention_heads, name="pooling")
        self.hidden = HiddenLayers(hidden_units, 1, dropout, name="hidden")
        self.output_layer = keras.layers.Dense(self.num_classes, name="logits")

    def classify(self, frames, mask, training):
        frames = self.trunk(frames, mask=mask, training=training)[-1]  # [B, T, H]
        pooled = self.pooling(frames, mask=mask)  # [B, heads · H]
        hidden = self.hidden(pooled, mask=ops.any(mask, axis=1), training=training)[-1]  # [B, H]
        return self.output_layer(hidden)  # [B, C]
