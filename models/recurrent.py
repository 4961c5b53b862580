"""What models of recurrent layers share: layers that padding does not move, and one vector a clip of what they give.

Keras' layers carry their state unchanged over frames that are masked. So a layer that goes forwards ends with the
output at a clip's own last frame, and one that goes backwards comes to that frame as if there were nothing behind it.
"""

import keras
from keras import ops

from models.base import ClassifierOnTop
from models.layers import AttentionPooling, at_least_one


def recurrent_layers(layer_class, cells, layers, bidirectional=False, all_frames=False):
    """Makes layers to be called one after the other.

    Args:
        layer_class: keras.layers.LSTM or keras.layers.GRU.
        cells: cells a layer, and a direction where there are two.
        layers: how many.
        bidirectional: whether each layer goes through a clip in both directions, its outputs concatenated.
        all_frames: whether the last layer gives its outputs of all frames [B, T, H] as those below it do, rather than
            [B, H], where each direction ends.
    """
    made = []
    for number in range(layers):
        name = f"{layer_class.__name__.lower()}_{number}"
        layer = layer_class(cells, return_sequences=all_frames or number < layers - 1, name=name)
        made.append(keras.layers.Bidirectional(layer, name=f"bi_{name}") if bidirectional else layer)
    return made


class RecurrentModel(ClassifierOnTop):
    """Layers of recurrent cells, the last output classified.

    It is made of its layers, as `recurrent_layers` gives them, and of what `ClassifierOnTop` is made of.
    """

    frame_order_matters = True

    def __init__(self, layers_of_cells, **kwargs):
        super().__init__(**kwargs)
        self.layers_of_cells = layers_of_cells

    def summarize(self, frames, mask, training):
        some_frame = at_least_one(mask)  # cuDNN takes no clip without one
        hidden = frames
        for layer in self.layers_of_cells:
            hidden = layer(hidden, mask=some_frame, training=training)  # [B, T, H]
        summary = self.pool(hidden, mask)
        return ops.where(ops.any(mask, axis=1)[:, None], summary, ops.zeros_like(summary))

    def pool(self, outputs, mask):
        """Gives one vector a clip [B, H] of what the last layer gives: here, it itself."""
        return outputs


class AttentionRecurrentModel(RecurrentModel):
    """Layers of recurrent cells, the outputs of all frames averaged by learnt weights.

    Args:
        attention_units: width of the tanh layer that a frame's weight is made of.
    """

    def __init__(self, layers_of_cells, *, attention_units=256, **kwargs):
        super().__init__(layers_of_cells, **kwargs)
        self.attention = AttentionPooling(units=attention_units, name="attention")

    def pool(self, outputs, mask):
        return self.attention(outputs, mask=mask)
