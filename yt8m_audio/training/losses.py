"""Losses between labels and logits, one number a clip.

loss = LOSSES.get("FocalLoss")(focal_gamma=1.5)
loss(labels, logits)                    # float32 [B]
loss(labels, logits, label_weights)     # of the rated classes alone

The keyword arguments of a loss are its hyper-parameters: train.py has a flag for each, and config.json holds them.
"""

import math

import numpy as np
from keras import ops

from yt8m_audio.batch import only_rated
from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.registry import LOSSES, register_loss

STARTER_EPSILON = 1e-5  # the starter's guard against log(0); part of its cross-entropy's value
STARTER_FEWEST_LABELS = 1e-7  # the starter's guard against a division by no labels
SMALLEST_SHIFTED = 1e-12  # stands for a probability of 0 where a logarithm is taken and then multiplied by 0
NOWHERE = -1e9  # takes a class out of a softmax


class LabelLoss:
    """A loss of multi-label classification; in Python, class_weights are an array [C].

    Args:
        label_smoothing: s in [0, 1): a label y counts as y · (1 - s) + s / 2. 0 leaves labels as they are.
        class_weights: factors of the classes' losses: inverse_frequency, or a CSV with the columns index and weight.
            All 1 when not given.

    Attributes:
        smooths: whether label_smoothing makes sense.

    Raises:
        UserError: if a hyper-parameter is out of its range.
    """

    smooths = True

    def __init__(self, *, label_smoothing=0.0, class_weights: np.ndarray | None = None):
        check_range("label_smoothing", label_smoothing, least=0, below=1)
        if label_smoothing and not self.smooths:
            name = type(self).__name__
            raise UserError(
                f"--label_smoothing={label_smoothing:g} does not apply to --label_loss={name}, which is no "
                "cross-entropy of single classes: give --label_smoothing=0, or choose another loss."
            )
        self.label_smoothing = label_smoothing
        self.class_weights = None if class_weights is None else np.asarray(class_weights, np.float32)  # [C]

    def __call__(self, labels, logits, label_weights=None):
        """Gives the loss of each clip, float32 [B].

        Args:
            labels: [B, C] in [0, 1].
            logits: float32 [B, C].
            label_weights: float32 [B, C], factors of the classes' losses: 1 where rated, else 0. All 1 when None.
        """
        labels = ops.cast(labels, logits.dtype)
        if self.label_smoothing:
            labels = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = self.of_rated(labels, logits, label_weights)  # [B, C]
        return ops.sum(losses if self.class_weights is None else losses * self.class_weights, axis=-1)

    def of_rated(self, labels, logits, label_weights):
        """Gives the loss of each clip and class, [B, C], 0 where not rated; classes that compete override it."""
        return only_rated(self.per_class(labels, logits), label_weights)

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
        return -(no + labels * (yes - no))  # fewer passes over memory than the sum of both


@register_loss
class HingeLoss(LabelLoss):
    """The starter's: max(0, 1 - (2y - 1)·p), fed probabilities p = σ(logits), summed over classes.

    As p is in [0, 1], a class that is not true costs at least 1. Smoothed labels would only scale and shift it.
    """

    smooths = False

    def per_class(self, labels, logits):
        return ops.relu(1 - (2 * labels - 1) * ops.sigmoid(logits))


@register_loss
class SoftmaxLoss(LabelLoss):
    """The starter's: -Σ y/n·log softmax(p), fed probabilities p = σ(logits), n the clip's number of labels.

    A clip without labels costs 0. Softmax and n are of the rated classes alone. Smoothed labels would nearly all
    lie on the classes that are not true.
    """

    smooths = False

    def of_rated(self, labels, logits, label_weights):
        labels, probabilities = only_rated(labels, label_weights), ops.sigmoid(logits)
        if label_weights is not None:
            probabilities = ops.where(label_weights > 0, probabilities, NOWHERE)
        num_labels = ops.sum(labels, axis=-1, keepdims=True)  # [B, 1]
        shares = labels / ops.maximum(num_labels, STARTER_FEWEST_LABELS)  # [B, C]
        return -shares * ops.log_softmax(probabilities, axis=-1)


@register_loss
class SigmoidCrossEntropyLoss(LabelLoss):
    """The exact cross-entropy, computed from logits and summed over classes."""

    def per_class(self, labels, logits):
        return ops.binary_crossentropy(labels, logits, from_logits=True)


@register_loss
class FocalLoss(LabelLoss):
    """Cross-entropy in which what is already right counts little (Lin et al. 2017, arXiv:1708.02002, section 3).

        -y·α·(1 - p)^γ·log p - (1 - y)·(1 - α)·p^γ·log(1 - p),    p = σ(logits)

    summed over classes. Computed in log space, so that γ below 1 has finite gradients too.

    Args:
        focal_gamma: γ, at least 0; 0 is the cross-entropy.
        focal_alpha: α, factor of the true labels, in [0, 1); 0 leaves out α and 1 - α.
    """

    def __init__(self, *, focal_gamma=2.0, focal_alpha=0.25, **kwargs):
        super().__init__(**kwargs)
        self.gamma = check_range("focal_gamma", focal_gamma, least=0)
        self.alpha = check_range("focal_alpha", focal_alpha, least=0, below=1)

    def per_class(self, labels, logits):
        log_yes, log_no = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        true = -ops.exp(self.gamma * log_no) * log_yes
        false = -ops.exp(self.gamma * log_yes) * log_no
        alpha, rest = (self.alpha, 1 - self.alpha) if self.alpha else (1, 1)
        return alpha * labels * true + rest * (1 - labels) * false


@register_loss
class AsymmetricLoss(LabelLoss):
    """Focuses true and false labels apart, and drops the easiest false ones (Ridnik et al. 2021, arXiv:2009.14119).

        -y·(1 - p)^γ₊·log p - (1 - y)·q^γ₋·log(1 - q),    p = σ(logits), q = max(p - m, 0)

    summed over classes. Gradients go through the factors too.

    Args:
        asymmetric_gamma_negative: γ₋, at least 0.
        asymmetric_gamma_positive: γ₊, at least 0.
        asymmetric_clip: m in [0, 1): a false label costs nothing up to this probability.
    """

    def __init__(self, *, asymmetric_gamma_negative=4.0, asymmetric_gamma_positive=1.0, asymmetric_clip=0.05, **kwargs):
        super().__init__(**kwargs)
        self.gamma_negative = check_range("asymmetric_gamma_negative", asymmetric_gamma_negative, least=0)
        self.gamma_positive = check_range("asymmetric_gamma_positive", asymmetric_gamma_positive, least=0)
        self.clip = check_range("asymmetric_clip", asymmetric_clip, least=0, below=1)

    def per_class(self, labels, logits):
        log_yes, log_no = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        true = -ops.exp(self.gamma_positive * log_no) * log_yes
        log_shifted, log_rest = self._shifted(logits, log_yes, log_no)
        false = -ops.exp(self.gamma_negative * log_shifted) * log_rest
        return labels * true + (1 - labels) * false

    def _shifted(self, logits, log_yes, log_no):
        """Gives log q and log(1 - q), each [B, C]."""
        if not self.clip:
            return log_yes, log_no
        shifted = ops.maximum(ops.sigmoid(logits) - self.clip, SMALLEST_SHIFTED)
        log_rest = ops.logaddexp(log_no, ops.full_like(log_no, math.log(self.clip)))  # 1 - p + m
        return ops.log(shifted), ops.minimum(log_rest, 0)


def make_loss(train: TrainConfig, class_weights: np.ndarray | None = None) -> LabelLoss:
    """Makes the label loss of a config.

    Args:
        train: settings; hyper-parameters that they do not give take their defaults.
        class_weights: float32 [C], what the hyper-parameter of that name stands for.

    Raises:
        UserError: if there is no such loss, or a hyper-parameter is out of its range.
    """
    return LOSSES.get(train.label_loss)(**{**train.loss_hyper_parameters, "class_weights": class_weights})


def distilled(losses, logits, batch: dict):
    """Mixes losses [B] with the exact cross-entropy between a teacher's probabilities and the logits, [B].

    (1 - w)·loss + w·cross-entropy (Hinton et al. 2015, arXiv:1503.02531, section 2, at temperature 1), w the batch's
    `teacher_weights`. Losses stay as they are where the batch has no teacher.
    """
    if "teacher" not in batch:
        return losses
    weights = batch["teacher_weights"]
    return (1 - weights) * losses + weights * SigmoidCrossEntropyLoss()(batch["teacher"], logits)


def check_range(name: str, value: float, least: float, below: float = math.inf) -> float:
    """Returns a hyper-parameter, or raises a UserError unless it is in [least, below)."""
    if not least <= value < below:
        most = "" if below == math.inf else f", and below {below}"
        raise UserError(f"--{name}={value:g} must be at least {least}{most}.")
    return value
