"""Stacked bidirectional GRU over frames.

Each layer goes through a clip forwards and backwards. Where the two directions of the top layer end, at the last frame
and at the first, their outputs go to a video-level classifier, concatenated.
"""

import keras

from models.recurrent import RecurrentModel, recurrent_layers
from yt8m_audio.registry import register_model


@register_model
class BiGruModel(RecurrentModel):
    """Layers of GRU cells in both directions, the last output of each direction classified.

    Paper: Schuster & Paliwal 1997, "Bidirectional Recurrent Neural Networks"; the cell is that of Cho et al. 2014,
    arXiv:1406.1078.

    Cost of a clip: 9.4 M parameters, 140 MFLOP for 10 × 128 → 527; 30 M parameters, 5.9 GFLOP for 300 × 1152 →
    3862.

    Args:
        gru_cells: cells a layer and direction.
        gru_layers: layers.
    """

    def __init__(self, *, gru_cells=512, gru_layers=2, **kwargs):
        super().__init__(recurrent_layers(keras.layers.GRU, gru_cells, gru_layers, bidirectional=True), **kwargs)
