"""A residual network of fully connected layers, in the pre-activation form of He et al. 2016 (arXiv:1603.05027).

Each block adds to its input what two layers make of it, and normalises before it multiplies:

    x ← x + W₂ · drop(ReLU(BN(W₁ · drop(ReLU(BN(x))))))
"""

import keras
from keras import ops

from models.base import VideoLevelModel
from models.batch_normalization import MaskedBatchNormalization
from models.layers import check_dropout
from yt8m_audio.registry import register_model


@register_model
class MlpModel(VideoLevelModel):
    """Residual blocks of two fully connected layers each, then one linear layer.

    Paper: He et al. 2016, arXiv:1603.05027, whose convolutions are fully connected layers here; dropout is ours.

    Cost of a clip: 4.9 M parameters, 9.7 MFLOP for 10 × 128 → 527; 9.3 M parameters, 19 MFLOP for 300 × 1152 →
    3862.

    Args:
        mlp_units: width of the layers.
        mlp_layers: number of residual blocks.
        mlp_dropout: share of units dropped in training in front of each layer, in [0, 1).
    """

    def __init__(self, *, mlp_units=1024, mlp_layers=2, mlp_dropout=0.5, **kwargs):
        super().__init__(**kwargs)
        check_dropout(mlp_dropout, "mlp_dropout")
        # No bias: each sum goes through a batch normalisation, which takes it away again.
        self.widen = keras.layers.Dense(mlp_units, use_bias=False, name="widen")
        numbers = range(2 * mlp_layers)
        self.layers_of_blocks = [keras.layers.Dense(mlp_units, use_bias=False, name=f"dense_{n}") for n in numbers]
        self.norms = [MaskedBatchNormalization(name=f"norm_{n}") for n in range(2 * mlp_layers + 1)]
        self.drops = [keras.layers.Dropout(mlp_dropout, name=f"dropout_{n}") for n in range(2 * mlp_layers + 1)]
        self.output_layer = keras.layers.Dense(self.num_classes, name="logits")

    def classify(self, features, mask, training):
        def activate(values, number):
            normalized = self.norms[number](values, mask=mask, training=training)
            return self.drops[number](ops.relu(normalized), training=training)

        hidden = self.widen(features)  # [B, H]
        for first in range(0, len(self.layers_of_blocks), 2):
            inner = self.layers_of_blocks[first](activate(hidden, first))
            hidden = hidden + self.layers_of_blocks[first + 1](activate(inner, first + 1))  # [B, H]
        return self.output_layer(activate(hidden, -1))  # [B, C]
