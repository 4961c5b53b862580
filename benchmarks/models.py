"""How much of the machine's arithmetic does each model use? `python -m benchmarks.models [NAME ...]`

Every registered model trains and infers on 1,024 clips of 10 × 128, 527 classes, with its default hyper-parameters, in
float32 and, where the processor multiplies it (AVX512_BF16 or AMX; any GPU), in mixed_bfloat16. Beside each rate stands
its share of what the machine's matrix product of the same dtype, measured in turn with it, would allow if nothing but
the model's own multiplications cost time: forward once in inference, three times in training. On TensorFlow a training
step is train.py's whole step. With KERAS_BACKEND=jax the same runs under JAX, on a GPU where it sees one.
"""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import models  # noqa: F401  registers the models
from benchmarks.measure import alternately
from benchmarks.pages import put_between
from benchmarks.training_step import NUM_CLASSES, NUM_FRAMES, SIZE, device_inputs, training_loss
from yt8m_audio.batch import model_inputs
from yt8m_audio.registry import MODELS

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
BATCH_SIZE = 1024
SECONDS = 0.3  # of one measurement, at least
PRODUCT_SIZE, PRODUCTS = {True: 8192, False: 2048}, 10  # on a GPU small ones would be bound by starting them
FASTER = ("avx512_bf16", "amx_bf16")


@dataclasses.dataclass(frozen=True)
class Rates:
    """What one model does in one dtype.

    Attributes:
        model: its name.
        policy: Keras' dtype policy.
        training: clips a second.
        inference: clips a second.
        training_share: of the matrix product's rate, training counted as three times the forward pass.
        inference_share: of the matrix product's rate.
    """

    model: str
    policy: str
    training: float
    inference: float
    training_share: float
    inference_share: float


def measured(name: str, policy: str) -> Rates:
    """Measures one model in one dtype."""
    keras.config.set_dtype_policy(policy)
    model = MODELS.get(name)(num_classes=NUM_CLASSES, feature_sizes=(SIZE,))
    works = _jax_works if keras.backend.backend() == "jax" else _tensorflow_works
    train, infer, multiply, flops = works(model, made_batch(model.level), keras.config.dtype_policy().compute_dtype)
    products, training, inference = alternately(multiply, long_enough(train), long_enough(infer), rounds=5)
    limit = products / flops
    return Rates(name, policy, training, inference, training * 3 / limit, inference / limit)


def made_batch(level: str) -> dict[str, np.ndarray]:
    """A batch of made clips; what is in it does not matter."""
    random = np.random.default_rng(0)
    made = {
        name: random.integers(0, 256 if name == "features" else 2, shape).astype(dtype)
        for name, (shape, dtype) in device_inputs(level, BATCH_SIZE).items()
    }
    made["num_frames"][:], made["example_weights"][:] = NUM_FRAMES, 1
    return made


def long_enough(work: Callable[[int], None]) -> Callable[[], int]:
    """A function that works on batches for SECONDS, and returns the clips; calibrated when it is first called."""
    steps = []

    def run() -> int:
        if not steps:
            work(1)
            begun = time.perf_counter()
            work(1)
            steps.append(max(1, round(SECONDS / (time.perf_counter() - begun))))
        work(steps[0])
        return steps[0] * BATCH_SIZE

    return run


def _tensorflow_works(model, batch: dict, dtype: str) -> tuple[Callable, Callable, Callable, float]:
    """Functions that train and infer some batches, one that multiplies matrices, and the FLOPs of a clip forward."""
    import tensorflow as tf

    from benchmarks.training import matrix_products, train_call_of
    from yt8m_audio.commands.model_cost import cost

    batches = iter(tf.data.Dataset.from_tensors(batch).cache().repeat())
    call = train_call_of(model, tf.data.Dataset.from_tensors(batch).element_spec, BATCH_SIZE)
    inputs = tf.nest.map_structure(tf.constant, model_inputs(batch))

    @tf.function
    def classify(steps):
        total = tf.zeros(())
        for _ in tf.range(steps):
            total += tf.reduce_sum(model(inputs, training=False)[:, 0])
        return total

    def train(steps):
        call.run(batches, tf.constant(steps))
        call.report()

    def infer(steps):
        classify(tf.constant(steps)).numpy()

    multiply = matrix_products(dtype, PRODUCT_SIZE[on_accelerator()])
    flops = cost(type(model), NUM_FRAMES, (SIZE,), NUM_CLASSES).flops
    return train, infer, multiply, flops


def _jax_works(model, batch: dict, dtype: str) -> tuple[Callable, Callable, Callable, float]:
    """The same under Keras' JAX backend: loss, gradients and Adam, compiled."""
    import jax
    import jax.numpy as jnp

    from benchmarks.jax_flops import flops

    batch = jax.tree.map(jnp.asarray, batch)
    model(model_inputs(batch))
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    state = [[each.value for each in group] for group in (model.trainable_variables, model.non_trainable_variables)]
    state.append([each.value for each in optimizer.variables])

    def loss(trainable, others):
        return training_loss(model, trainable, others, batch)

    @jax.jit
    def step(trainable, others, moments):
        (_, (_, others)), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, others)
        trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
        return trainable, others, moments

    def train(steps):
        for _ in range(steps):
            state[:] = step(*state)
        jax.block_until_ready(state)

    classify = jax.jit(lambda trainable, others: model.stateless_call(trainable, others, model_inputs(batch))[0])

    def infer(steps):
        for _ in range(steps):
            logits = classify(state[0], state[1])
        jax.block_until_ready(logits)

    size = PRODUCT_SIZE[on_accelerator()]
    matrix = jax.random.normal(jax.random.key(0), (size, size), dtype) * size**-0.5
    chain = jax.jit(lambda first: jax.lax.fori_loop(0, PRODUCTS, lambda _, found: first @ found, first))

    def multiply():
        jax.block_until_ready(chain(matrix))
        return PRODUCTS * 2.0 * size**3

    return train, infer, multiply, flops(classify.trace(state[0], state[1]).jaxpr.jaxpr) / BATCH_SIZE


def on_accelerator() -> bool:
    """Whether the backend sees something else than a CPU."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def policies() -> list[str]:
    """float32, and mixed_bfloat16 where the machine multiplies that faster: on a GPU, or by what its processor says."""
    if on_accelerator():
        return ["float32", "mixed_bfloat16"]
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return ["float32", "mixed_bfloat16"] if any(name in flags for name in FASTER) else ["float32"]


def table(found: Sequence[Rates]) -> Table:
    """The rates as a table."""
    shown = Table(title=f"{BATCH_SIZE:,} clips of 10 × 128 → 527, share of the matrix product", title_justify="left")
    shown.add_column("model")
    shown.add_column("dtype")
    for heading in ("training, clips/s", "share", "inference, clips/s", "share"):
        shown.add_column(heading, justify="right")
    for each in found:
        rates = [f"{each.training:,.0f}", f"{each.training_share:.2f}", f"{each.inference:,.0f}"]
        shown.add_row(each.model, each.policy, *rates, f"{each.inference_share:.2f}")
    return shown


def page_table(found: Sequence[Rates]) -> str:
    """The rates as a table in Markdown, a model a line."""
    names, shown = [each.model for each in found], policies()
    heading = "".join(f" | training, {each} | share | inference, {each} | share" for each in shown)
    lines = [f"| model{heading} |", "|---" * (1 + 4 * len(shown)) + "|"]
    for name in dict.fromkeys(names):
        cells = [
            f"{each.training:,.0f} clips/s | {each.training_share:.2f} | {each.inference:,.0f} clips/s "
            f"| {each.inference_share:.2f}"
            for each in found
            if each.model == name
        ]
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines)


def main(asked: Sequence[str]) -> None:
    """Measures the models asked for, or all, which fills the table of docs/models.md; BENCH_JSON=FILE gets it too."""
    found = []
    for name in asked or MODELS.names():
        for policy in policies():
            print(f"measuring {name} in {policy} ...", file=sys.stderr, flush=True)
            found.append(measured(name, policy))
    if not asked and keras.backend.backend() == "tensorflow":
        put_between(PAGE, "speed", page_table(found))
    console = Console()
    (console if console.is_terminal else Console(width=120)).print(table(found))
    if path := os.environ.get("BENCH_JSON"):
        Path(path).write_text(json.dumps([dataclasses.asdict(each) for each in found], indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
