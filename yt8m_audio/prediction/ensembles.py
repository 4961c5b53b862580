"""Several models that predict as one: the mean of their probabilities, of their logits, or of their ranks.

    Ensemble([Member(first), Member(second, temperature=1.3)], "logits").values([inputs, inputs])    # [B, C]

Of a clip's C classes, the rank that a member gives to a class is the share of the other classes that it scores lower,
those that it scores the same counted half: 1 for the best, 0 for the last, (C - 1 - place) / (C - 1) where there are no
ties. Ranks leave out how sure a member is, and need no calibration; they are no probabilities.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.errors import UserError, nearest

LEAST, MOST = 1e-30, 1 - 2**-24  # probabilities whose logits are finite in float32
MEANS = ("probabilities", "logits", "ranks")


@dataclasses.dataclass(frozen=True)
class Member:
    """A model of an ensemble.

    Attributes:
        score: gives [B, C] of features and num_frames.
        gives: what that is, "logits" or "probabilities".
        temperature: that its logits are divided by.
        reads: which of the data sets that are read beside each other it is fed from.
    """

    score: Callable
    gives: str = "logits"
    temperature: float = 1.0
    reads: int = 0

    def logits(self, inputs: dict) -> tf.Tensor:
        """Its logits, [B, C]; of probabilities those within what float32 tells from 0 and 1."""
        found = self.score(inputs)
        if self.gives == "probabilities":
            inside = tf.clip_by_value(found, LEAST, MOST)
            found = tf.math.log(inside) - tf.math.log1p(-inside)
        return found if self.temperature == 1 else found / self.temperature

    def probabilities(self, inputs: dict) -> tf.Tensor:
        """Its probabilities, [B, C]."""
        if self.gives == "probabilities" and self.temperature == 1:
            return self.score(inputs)
        return tf.sigmoid(self.logits(inputs))


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Models that predict as one.

    Attributes:
        members: one at least.
        mean: of what the mean is taken, one of MEANS.

    Raises:
        UserError: if there is no such mean.
    """

    members: Sequence[Member]
    mean: str = "probabilities"

    def __post_init__(self):
        if self.mean not in MEANS:
            raise UserError(f"--ensemble={self.mean} is none of {', '.join(MEANS)}.{nearest(self.mean, MEANS)}")

    @property
    def ranks_logits(self) -> bool:
        """Whether `values` are logits, which tell probabilities apart that float32 rounds to 1."""
        alone = len(self.members) == 1 and self.members[0].gives == "logits"
        return self.mean == "logits" or (self.mean == "probabilities" and alone)

    def values(self, inputs: Sequence[dict]) -> tf.Tensor:
        """What classes are ordered by, float32 [B, C], from what each data set gives."""
        if self.ranks_logits:
            found = [member.logits(inputs[member.reads]) for member in self.members]
        else:
            found = [member.probabilities(inputs[member.reads]) for member in self.members]
        if self.mean == "ranks":
            found = [ranks(each) for each in found]
        return functools.reduce(tf.add, found) / len(found) if len(found) > 1 else found[0]

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Scores in [0, 1] of values, float32 of any shape."""
        if not self.ranks_logits:
            return values
        with np.errstate(over="ignore"):
            return (1 / (1 + np.exp(-values.astype(np.float64)))).astype(np.float32)


def ensemble_of(model: keras.Model, temperature: float = 1.0) -> Ensemble:
    """A model that gives logits, alone."""
    return Ensemble([Member(functools.partial(model, training=False), temperature=temperature)])


def ranks(scores: tf.Tensor) -> tf.Tensor:
    """The share of the other classes that are below each class, ties counted half; of scores [B, C], float32 [B, C]."""
    rising = tf.sort(scores, axis=-1)  # [B, C]
    below = tf.searchsorted(rising, scores, "left")
    not_above = tf.searchsorted(rising, scores, "right")
    others = max(scores.shape[-1] - 1, 1)
    return tf.cast(below + not_above - 1, tf.float32) / (2 * others)
