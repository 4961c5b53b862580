"""Stacked GRU over frames (Miech et al. 2017, arXiv:1706.06905; the cell is that of Cho et al. 2014, arXiv:1406.1078).

With z how much of the state stays and r how much of it the new one is made of,

    z, r = σ(W x + U h + b),    n = tanh(W' x + b' + r · (U' h + b'')),    h ← z · h + (1 - z) · n
"""

import keras

from models.recurrent import RecurrentModel, recurrent_layers
from yt8m_audio.registry import register_model


@register_model
class GruModel(RecurrentModel):
    """Layers of GRU cells, the last output classified.

    Paper: Miech et al. 2017, arXiv:1706.06905, whose code has these flags and defaults.

    Cost of a clip: 13 M parameters, 200 MFLOP for 10 × 128 → 527; 33 M parameters, 7.8 GFLOP for 300 × 1152 → 3862.

    Args:
        gru_cells: cells a layer.
        gru_layers: layers.
    """

    def __init__(self, *, gru_cells=1024, gru_layers=2, **kwargs):
        super().__init__(recurrent_layers(keras.layers.GRU, gru_cells, gru_layers), **kwargs)
