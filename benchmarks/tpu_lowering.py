"""Lowers a model's training step for TPU with TensorFlow, without a TPU.

    .venv-tpu/bin/python -m benchmarks.tpu_lowering LstmModel        # {"operations": 2385}

TensorFlow's bridge takes the step to XLA's HLO for the platform TPU, which refuses every operation that no TPU has.
`make tpu-check` runs it for every model.
"""

import os
import sys
import tempfile

os.environ.pop("TPU_LIBRARY_PATH", None)  # which JAX, where it started this process, has set to its own libtpu
os.environ.update(
    KERAS_BACKEND="tensorflow",
    TPU_SKIP_MDS_QUERY="true",  # or the import asks for minutes what machine this is
    TPU_ACCELERATOR_TYPE="v5litepod-1",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_WORKER_ID="0",
    ALLOW_MULTIPLE_LIBTPU_LOAD="true",  # nothing is run on a TPU that processes could dispute
    TF_CPP_MIN_LOG_LEVEL="3",
)

import keras
import numpy as np
import tensorflow as tf

from benchmarks.training_step import (
    NUM_CLASSES,
    NUM_FRAMES,
    SIZE,
    device_inputs,
    print_outcome,
    training_loss,
    unallocated,
)
from models import FrameLevelModel
from readers import open_clips
from yt8m_audio.batch import device_part
from yt8m_audio.config import DataConfig
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard
from yt8m_audio.registry import MODELS

BATCH_SIZE = 128


class HostModel(FrameLevelModel):
    """What a TPU cannot run: a model that goes through NumPy on the host. The check has to refuse it."""

    def classify(self, frames, mask, training):
        logits = tf.numpy_function(lambda each: each.max(axis=(1, 2)), [frames], tf.float32)
        return tf.reshape(logits, (-1, 1)) * tf.ones((1, self.num_classes))


def lowered(cls: type) -> dict:
    """Lowers the training step of a model, and gives the number of operations that it became."""
    check_batch(cls.level)
    with keras.StatelessScope(initialize_variables=False):
        model = unallocated(cls, BATCH_SIZE)
        inputs = device_inputs(model.level, BATCH_SIZE)
        batch = {key: tf.TensorSpec(*spec) for key, spec in inputs.items()}
        arguments = (specs(model.trainable_variables), specs(model.non_trainable_variables), batch)

        @tf.function(jit_compile=True, autograph=False)
        def step(*flat):
            trainable, non_trainable, batch = tf.nest.pack_sequence_as(arguments, flat)
            with tf.GradientTape() as tape:
                tape.watch(trainable)
                loss, others = training_loss(model, trainable, non_trainable, batch)
            return loss, others, tape.gradient(loss, trainable)

        compiler_ir = step.experimental_get_compiler_ir(*tf.nest.flatten(arguments))
        hlo = compiler_ir(stage="hlo", platform_name="TPU")
    return {"operations": sum(" = " in line for line in hlo.splitlines())}


def specs(variables: list) -> list[tf.TensorSpec]:
    """What stands for the values of variables."""
    return [tf.TensorSpec(each.shape, each.dtype) for each in variables]


def check_batch(level: str) -> None:
    """Checks that what a reader gives a device is what the step is lowered for, and holds no string.

    Raises:
        TypeError: if it is not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/00.tfrecord"
        write_shard(path, [audioset_record("a", [0], np.zeros((NUM_FRAMES, SIZE), np.uint8))])
        data = DataConfig(frame_features=level == "frame", num_classes=NUM_CLASSES)
        spec = device_part(open_clips(path, "train_data_pattern", data).in_order(BATCH_SIZE).element_spec)
    found = {key: (tuple(each.shape), each.dtype.name) for key, each in spec.items()}
    if found != device_inputs(level, BATCH_SIZE):
        raise TypeError(f"a reader gives other device inputs than the step is lowered for: {found}")


if __name__ == "__main__":
    name = sys.argv[1]
    print_outcome(lowered, HostModel if name == HostModel.__name__ else MODELS.get(name))
