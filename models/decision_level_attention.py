"""Decision-level attention over frames (Kong et al. 2018, arXiv:1711.00927).

Every frame votes on every class, and says how much its vote counts there:

    p[b, c] = Σ_t w[b, t, c] · σ(v[b, t, c]),    w = σ(a) / Σ_t σ(a)
"""

from models.base import FrameLevelModel
from models.layers import HiddenLayers, SigmoidAttention, check_dropout, mix_logits
from yt8m_audio.registry import register_model


@register_model
class DecisionLevelAttentionModel(FrameLevelModel):
    """Classifies each frame, then averages the frames with weights learnt per class.

    Paper: Kong et al. 2018, arXiv:1711.00927: its single attention.

    Cost of a clip: 3.3 M parameters, 66 MFLOP for 10 × 128 → 527; 11 M parameters, 6.7 GFLOP for 300 × 1152 → 3862.

    Args:
        hidden_units: width of the layers that each frame passes first.
        hidden_layers: how many of them.
        dropout: share of hidden units dropped in training, in [0, 1).

    Raises:
        UserError: if dropout is out of range.
    """

    def __init__(self, *, hidden_units=1024, hidden_layers=3, dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        check_dropout(dropout)
        self.trunk = HiddenLayers(hidden_units, hidden_layers, dropout, name="trunk")
        self.attention = SigmoidAttention(self.num_classes, name="attention")

    def classify(self, frames, mask, training):
        hidden = self.trunk(frames, mask=mask, training=training)[-1]  # [B, T, H]
        votes, log_weights = self.attention(hidden, mask=mask)  # [B, T, C], [B, T, C]
        return mix_logits(votes, log_weights)  # [B, C]
