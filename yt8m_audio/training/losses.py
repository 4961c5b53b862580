"""Losses between labels and logits, one number a clip.

loss = LOSSES.get("CrossEntropyLoss")()
loss(labels, logits)                    # float32 [B]
loss(labels, logits, label_weights)     # of the rated classes alone
"""

from keras import ops

from yt8m_audio.batch import only_rated
from yt8m_audio.registry import register_loss

STARTER_EPSILON = 1e-5  # the starter's guard against log(0); part of its loss's value


class LabelLoss:
    """A loss of multi-label classification."""

    def __call__(self, labels, logits, label_weights=None):
        """Gives the loss of each clip, float32 [B].

        Args:
            labels: [B, C] in {0, 1}.
            logits: float32 [B, C].
            label_weights: float32 [B, C], factors of the classes' losses: 1 where rated, else 0. All 1 when None.
        """
        losses = self.per_class(ops.cast(labels, logits.dtype), logits)  # [B, C]
        return ops.sum(only_rated(losses, label_weights), axis=-1)

    def per_class(self, labels, logits):
        """Gives the loss of each clip and class, [B, C]."""
        raise NotImplementedError


@register_loss
class CrossEntropyLoss(LabelLoss):
    """The starter's: -y·log(p + 1e-5) - (1 - y)·log(1 - p + 1e-5), p = σ(logits), summed over classes."""

    def per_class(self, labels, logits):
        probabilities = ops.sigmoid(logits)
        yes = ops.log(probabilities + STARTER_EPSILON)
        no = ops.log(1 - probabilities + STARTER_EPSILON)
        return -labels * yes - (1 - labels) * no


@register_loss
class SigmoidCrossEntropyLoss(LabelLoss):
    """The exact cross-entropy, computed from logits and summed over classes."""

    def per_class(self, labels, logits):
        return ops.relu(logits) - logits * labels + ops.softplus(-ops.abs(logits))
