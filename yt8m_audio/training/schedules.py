"""Learning rates as functions of the step.

    schedule = make_schedule(config, total_steps=10_000)
    schedule(0)                    # the first step's

With warmup_steps W the rate of step s, from 0, is multiplied by min(1, (s + 1) / W); the cosine begins behind them.
"""

import math

import keras
from keras import ops

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError

LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule


def make_schedule(config: TrainConfig, total_steps: int) -> LearningRateSchedule:
    """Makes the schedule of a run.

    Args:
        config: settings.
        total_steps: steps of the whole run.

    Raises:
        UserError: if the warm-up is as long as the run.
    """
    if config.warmup_steps and config.warmup_steps >= total_steps:
        raise UserError(
            f"--warmup_steps={config.warmup_steps} must be fewer than the {total_steps:,} steps of the run: "
            "lower it, or train for more epochs."
        )
    schedule = SCHEDULES[config.learning_rate_schedule](config, total_steps)
    return WarmUp(schedule, config.warmup_steps) if config.warmup_steps else schedule


class Staircase(keras.optimizers.schedules.ExponentialDecay):
    """The starter's: base_learning_rate · decay ^ floor(clips seen / learning_rate_decay_examples)."""

    def __init__(self, config: TrainConfig, total_steps: int):
        super().__init__(
            config.base_learning_rate,
            decay_steps=config.learning_rate_decay_examples / config.batch_size,
            decay_rate=config.learning_rate_decay,
            staircase=True,
        )


class Cosine(LearningRateSchedule):
    """Half a cosine from base_learning_rate to 0 at the run's end (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    def __init__(self, config: TrainConfig, total_steps: int):
        self.base, self.begin, self.end = config.base_learning_rate, config.warmup_steps, total_steps

    def __call__(self, step):
        share = (ops.cast(step, "float32") - self.begin) / (self.end - self.begin)
        return self.base * 0.5 * (1 + ops.cos(math.pi * ops.clip(share, 0.0, 1.0)))


class Constant(LearningRateSchedule):
    """base_learning_rate throughout."""

    def __init__(self, config: TrainConfig, total_steps: int):
        self.base = config.base_learning_rate

    def __call__(self, step):
        return ops.convert_to_tensor(self.base, "float32")


class WarmUp(LearningRateSchedule):
    """Another schedule, whose rate rises from 0 in proportion to the steps in the beginning."""

    def __init__(self, schedule: LearningRateSchedule, steps: int):
        self.schedule, self.steps = schedule, steps

    def __call__(self, step):
        share = (ops.cast(step, "float32") + 1) / self.steps
        return self.schedule(step) * ops.minimum(share, 1.0)


SCHEDULES = {"staircase": Staircase, "cosine": Cosine, "constant": Constant}
