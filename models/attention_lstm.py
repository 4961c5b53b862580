"""Stacked LSTM over frames with attention, as in the sequence models of Li et al. 2017, arXiv:1707.04555.

The outputs h of the top layer are averaged by learnt weights, and the average goes to a video-level classifier:

    summary = Σ_t w[t] h[t],    w = softmax over t of v · tanh(W h[t] + b)
"""

import keras

from models.recurrent import AttentionRecurrentModel, recurrent_layers
from yt8m_audio.registry import register_model


@register_model
class AttentionLstmModel(AttentionRecurrentModel):
    """Layers of LSTM cells, the outputs of all frames averaged by learnt weights and classified.

    Paper: Li et al. 2017, arXiv:1707.04555, there in both directions and for each feature by itself; the weights are
    made as in Bahdanau et al. 2015, arXiv:1409.0473, without a query.

    Cost of a clip: 16 M parameters, 270 MFLOP for 10 × 128 → 527; 37 M parameters, 11 GFLOP for 300 × 1152 → 3862.

    Args:
        lstm_cells: cells a layer.
        lstm_layers: layers.
    """

    def __init__(self, *, lstm_cells=1024, lstm_layers=2, **kwargs):
        super().__init__(recurrent_layers(keras.layers.LSTM, lstm_cells, lstm_layers, all_frames=True), **kwargs)
