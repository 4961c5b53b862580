"""Optimizers by the starter's names and Keras'."""

import keras

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.training.schedules import make_schedule

ADAM_EPSILON = 1e-8  # TensorFlow 1's, which the starter trained with; Keras' own is 1e-7
STARTER_NAMES = {
    "AdagradOptimizer": "Adagrad",
    "AdamOptimizer": "Adam",
    "FtrlOptimizer": "Ftrl",
    "GradientDescentOptimizer": "SGD",
    "RMSPropOptimizer": "RMSprop",
}
KERAS_NAMES = (
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "RMSprop",
    "SGD",
)


def make_optimizer(config: TrainConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """Makes the optimizer that --optimizer names. It takes gradients that are summed over replicas already.

    Args:
        config: settings.
        total_steps: steps of the whole run, for its learning rate.

    Raises:
        UserError: if there is none of that name.
    """
    check_optimizer(config)
    name = _keras_name(config)
    settings = {"epsilon": ADAM_EPSILON} if name == "Adam" else {}
    settings["weight_decay"] = config.weight_decay or (0.0 if name == "AdamW" else None)  # its default is none of ours
    optimizer = getattr(keras.optimizers, name)(make_schedule(config, total_steps), **settings)
    # We clip sums, so ours come first, and Keras' own would send every gradient a second time. It has no public switch;
    # if this one goes, gradients count N times on N replicas, which tests/test_replicas.py would see.
    optimizer._all_reduce_sum_gradients = list
    return optimizer


def build_optimizer(optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]) -> None:
    """Makes an optimizer's variables; biases and factors, which have less than two axes, get no weight decay."""
    if optimizer.weight_decay:
        optimizer.exclude_from_weight_decay(var_list=[each for each in variables if len(each.shape) < 2])
    optimizer.build(variables)


def check_optimizer(config: TrainConfig) -> None:
    """Raises a UserError if there is no optimizer of the name that --optimizer gives."""
    name = _keras_name(config)
    if name not in KERAS_NAMES:
        known = [*STARTER_NAMES, *KERAS_NAMES]
        hint = nearest(config.optimizer, known)
        raise UserError(f"--optimizer={config.optimizer} is no optimizer.{hint} Known: {', '.join(known)}.")


def _keras_name(config: TrainConfig) -> str:
    return STARTER_NAMES.get(config.optimizer, config.optimizer)
