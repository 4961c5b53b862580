"""Optimizers by the starter's names and Keras', with the starter's learning-rate decay."""

import keras

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError, nearest

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


def learning_rate_schedule(config: TrainConfig) -> keras.optimizers.schedules.LearningRateSchedule:
    """The starter's: base_learning_rate · decay ^ floor(clips seen / learning_rate_decay_examples)."""
    return keras.optimizers.schedules.ExponentialDecay(
        config.base_learning_rate,
        decay_steps=config.learning_rate_decay_examples / config.batch_size,
        decay_rate=config.learning_rate_decay,
        staircase=True,
    )


def make_optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    """Makes the optimizer that --optimizer names.

    Raises:
        UserError: if there is none of that name.
    """
    name = STARTER_NAMES.get(config.optimizer, config.optimizer)
    if name not in KERAS_NAMES:
        known = [*STARTER_NAMES, *KERAS_NAMES]
        hint = nearest(config.optimizer, known)
        raise UserError(f"--optimizer={config.optimizer} is no optimizer.{hint} Known: {', '.join(known)}.")
    settings = {"epsilon": ADAM_EPSILON} if name == "Adam" else {}
    return getattr(keras.optimizers, name)(learning_rate_schedule(config), **settings)
