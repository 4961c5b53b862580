"""An average of several checkpoints' weights.

average_checkpoints(checkpoints, [100, 200, 300], model.variables)

Weights at the end of training go to and fro around something better than each of them (Izmailov et al. 2018,
arXiv:1803.05407; of transformers, Vaswani et al. 2017, arXiv:1706.03762, section 6.1).
"""

from collections.abc import Sequence

import keras
import numpy as np

from yt8m_audio.training.checkpoints import Checkpoints


def average_checkpoints(checkpoints: Checkpoints, steps: Sequence[int], variables: Sequence) -> None:
    """Gives variables the mean, computed in float64, of what checkpoints hold; integers are the newest one's.

    Integers count, or are states of random numbers. Moving statistics of a normalisation are averaged as weights are.

    Args:
        checkpoints: the folder.
        steps: which checkpoints, in any order, each once.
        variables: a model's, with which the checkpoints begin.

    Raises:
        UserError: if a checkpoint is damaged, or of another model.
    """
    floats = [each for each in variables if keras.backend.is_float_dtype(each.dtype)]
    sums = [np.zeros(each.shape) for each in floats]
    for step in sorted(steps):  # the newest last: what is not averaged stays as it has it
        checkpoints.restore(step, variables)
        for total, each in zip(sums, floats, strict=True):
            total += np.asarray(each)
    for total, each in zip(sums, floats, strict=True):
        each.assign(total / len(steps))
