"""How much of the machine's arithmetic does training use? Steps on one batch against a float32 matrix product."""

from collections.abc import Callable

import keras
import tensorflow as tf

import models  # noqa: F401  registers the models
from benchmarks.datasets import opened
from benchmarks.measure import Result, alternately
from benchmarks.training_step import NUM_CLASSES, SIZE
from readers import Clips
from yt8m_audio.batch import device_part
from yt8m_audio.commands.model_cost import cost
from yt8m_audio.config import TrainConfig
from yt8m_audio.registry import LOSSES, MODELS
from yt8m_audio.training.loop import build
from yt8m_audio.training.optimizers import make_optimizer
from yt8m_audio.training.step import TrainCall

PRODUCTS = 10
WORK = {"FrameLevelLogisticModel": (1024, 40), "LstmModel": (512, 2)}  # batch size, steps a call


def results(pattern: str) -> list[Result]:
    """The limit: clips a second if nothing but the multiplications of forward and backward passes cost time."""
    clips, found = opened(pattern), []
    for name, (batch_size, steps) in WORK.items():
        call = train_call(name, clips, batch_size)
        products, rate = alternately(matrix_products(), training(call, clips, batch_size, steps), rounds=3)
        flops = 3 * cost(type(call.model), clips.data.max_frames, (SIZE,), NUM_CLASSES).flops
        found.append(Result(f"training {name}", rate, "clips/s", "float32 matrix product", products / flops))
    return found


def train_call(name: str, clips: Clips, batch_size: int) -> TrainCall:
    """What trains a model by name, with weights not trained yet."""
    model = MODELS.get(name)(num_classes=NUM_CLASSES, feature_sizes=(SIZE,))
    return train_call_of(model, clips.in_order(batch_size).element_spec, batch_size)


def train_call_of(model: keras.Model, element_spec: dict, batch_size: int) -> TrainCall:
    """What trains a model on batches of a spec."""
    config = TrainConfig(batch_size=batch_size, base_learning_rate=1e-3)
    build(model, element_spec)
    optimizer = make_optimizer(config, total_steps=1)
    optimizer.build(model.trainable_variables)
    loss, strategy = LOSSES.get(config.label_loss)(), tf.distribute.get_strategy()
    return TrainCall(model, optimizer, loss, config, strategy, (batch_size, NUM_CLASSES))


def training(call: TrainCall, clips: Clips, batch_size: int, steps: int) -> Callable[[], int]:
    """A function that trains for some steps on batches from memory, and returns the clips."""
    batches = iter(clips.in_order(batch_size).map(device_part).take(8).cache().repeat())

    def train():
        call.run(batches, tf.constant(steps))
        call.report()
        return steps * batch_size

    return train


def matrix_products(dtype: str = "float32", size: int = 2048) -> Callable[[], float]:
    """A function that multiplies square matrices ten times, and returns floating-point operations."""
    matrix = tf.cast(tf.random.stateless_normal((size, size), (0, 0), stddev=size**-0.5), dtype)

    def multiply():
        product = matrix
        for _ in range(PRODUCTS):
            product = tf.matmul(matrix, product)
        tf.cast(product[0, 0], tf.float32).numpy()
        return PRODUCTS * 2.0 * size**3

    return multiply
