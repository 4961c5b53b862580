"""Stacked bidirectional LSTM over frames.

Each layer goes through a clip forwards and backwards. Where the two directions of the top layer end, at the last frame
and at the first, their outputs go to a video-level classifier, concatenated.
"""

import keras

from models.recurrent import RecurrentModel, recurrent_layers
from yt8m_audio.registry import register_model


@register_model
class BiLstmModel(RecurrentModel):
    """Layers of LSTM cells in both directions, the last output of each direction classified.

    Paper: Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks".

    Cost of a clip: 12 M parameters, 180 MFLOP for 10 × 128 → 527; 33 M parameters, 7.9 GFLOP for 300 × 1152 → 3862.

    Args:
        lstm_cells: cells a layer and direction.
        lstm_layers: layers.
    """

    def __init__(self, *, lstm_cells=512, lstm_layers=2, **kwargs):
        super().__init__(recurrent_layers(keras.layers.LSTM, lstm_cells, lstm_layers, bidirectional=True), **kwargs)
