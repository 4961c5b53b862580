"""Stacked LSTM over frames, the starter code's LstmModel (Ng et al. 2015, arXiv:1503.08909).

The last output of the top layer, where each clip's own frames end, goes to a video-level classifier.
"""

import keras
from keras import ops

from models.base import ClassifierOnTop
from yt8m_audio.registry import register_model


@register_model
class LstmModel(ClassifierOnTop):
    """Layers of LSTM cells, the last output classified.

    Args:
        lstm_cells: cells a layer.
        lstm_layers: layers.
    """

    def __init__(self, *, lstm_cells=1024, lstm_layers=2, **kwargs):
        super().__init__(**kwargs)
        self.layers_of_cells = [  # unit_forget_bias, Keras' default, is the starter's forget_bias=1
            keras.layers.LSTM(lstm_cells, return_sequences=number < lstm_layers - 1, name=f"lstm_{number}")
            for number in range(lstm_layers)
        ]

    def summarize(self, frames, mask, training):
        real = ops.any(mask, axis=1)[:, None]  # [B, 1]
        # cuDNN takes no clip without frames: such a one is given its first frame, which is 0, and no output.
        mask = ops.logical_or(mask, ops.arange(mask.shape[1])[None, :] == 0)
        hidden = frames
        for layer in self.layers_of_cells:
            hidden = layer(hidden, mask=mask, training=training)  # [B, T, H], the last one [B, H]
        return ops.where(real, hidden, ops.zeros_like(hidden))
