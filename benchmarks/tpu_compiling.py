"""Compiles a model's training step by the TPU compiler for a v5e 2x4 slice with JAX, without a TPU.

    .venv-jax/bin/python -m benchmarks.tpu_compiling LstmModel       # {"mib": 193, "gflop": 103.1, ...}

Weights are replicated over the slice's eight chips, and the batch is sharded. Nothing is allocated: the step is
compiled for the shapes of its arguments. `make tpu-check` runs it for every model.
"""

import os
import sys

os.environ.update(
    KERAS_BACKEND="jax",
    JAX_PLATFORMS="cpu",
    TPU_SKIP_MDS_QUERY="true",  # or the compiler asks for minutes what machine this is
    TPU_ACCELERATOR_TYPE="v5litepod-8",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_WORKER_ID="0",
    ALLOW_MULTIPLE_LIBTPU_LOAD="true",  # nothing is run on a TPU that processes could dispute
)

import jax
import keras
import numpy as np
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.jax_flops import flops
from benchmarks.training_step import device_inputs, print_outcome, training_loss, unallocated
from yt8m_audio.registry import MODELS

TOPOLOGY = "v5e:2x4"
BATCH_SIZE = 1024
MIB, GIGA = 1 << 20, 1e9


def compiled(cls: type) -> dict:
    """Compiles the training step of a model for the slice.

    Returns:
        What a step takes of each chip: "mib" for arguments, outputs and temporaries; "gflop" in matrix products and
        convolutions, those of a loop counted at each turn; "compiler_gflop", the compiler's own count of all
        arithmetic, which takes a loop's body once.
    """
    devices = topologies.get_topology_desc(platform="tpu", topology_name=TOPOLOGY).devices
    mesh = Mesh(np.array(devices), ("batch",))
    replicated, sharded = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec("batch"))
    with keras.StatelessScope(initialize_variables=False):
        model = unallocated(cls, BATCH_SIZE)

        def loss(trainable, non_trainable, batch):
            return training_loss(model, trainable, non_trainable, batch)

        step = jax.jit(
            jax.value_and_grad(loss, has_aux=True),
            out_shardings=((replicated, (sharded, replicated)), replicated),
        )
        batch = device_inputs(model.level, BATCH_SIZE)
        traced = step.trace(
            abstract(model.trainable_variables, replicated),
            abstract(model.non_trainable_variables, replicated),
            {key: jax.ShapeDtypeStruct(*spec, sharding=sharded) for key, spec in batch.items()},
        )
    program = traced.lower().compile()
    memory = program.memory_analysis()
    held = memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes
    return {
        "mib": held / MIB,
        "gflop": flops(traced.jaxpr.jaxpr) / len(devices) / GIGA,
        "compiler_gflop": program.cost_analysis()["flops"] / GIGA,
    }


def abstract(variables: list, sharding: NamedSharding) -> list[jax.ShapeDtypeStruct]:
    """What stands for the values of variables."""
    return [jax.ShapeDtypeStruct(each.shape, each.dtype, sharding=sharding) for each in variables]


if __name__ == "__main__":
    print_outcome(compiled, MODELS.get(sys.argv[1]))
