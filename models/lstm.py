"""Stacked LSTM over frames, the starter code's LstmModel (Ng et al. 2015, arXiv:1503.08909).

The last output of the top layer, where each clip's own frames end, goes to a video-level classifier.
"""

import keras

from models.recurrent import RecurrentModel, recurrent_layers
from yt8m_audio.registry import register_model


@register_model
class LstmModel(RecurrentModel):
    """Layers of LSTM cells, the last output classified.

    Paper: Ng et al. 2015, arXiv:1503.08909; the starter code's model, its forget bias of 1 included.

    Cost of a clip: 16 M parameters, 270 MFLOP for 10 × 128 → 527; 37 M parameters, 10 GFLOP for 300 × 1152 → 3862.

    Args:
        lstm_cells: cells a layer.
        lstm_layers: layers.
    """

    def __init__(self, *, lstm_cells=1024, lstm_layers=2, **kwargs):
        super().__init__(recurrent_layers(keras.layers.LSTM, lstm_cells, lstm_layers), **kwargs)
