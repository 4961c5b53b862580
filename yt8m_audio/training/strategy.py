"""Where a run trains: one device, several of this machine, several machines, or a TPU.

    strategy = make_strategy(DeviceConfig(strategy="mirrored", num_gpu=2))
    for batch in distributed(strategy, dataset): ...

It has to be made before TensorFlow computes anything: only then can devices be set up.
"""

import json
import os

import tensorflow as tf

from yt8m_audio.config import DeviceConfig, TrainConfig
from yt8m_audio.errors import UserError


def make_strategy(config: DeviceConfig) -> tf.distribute.Strategy:
    """Makes the strategy that a config asks for.

    Raises:
        UserError: if the devices are not there.
    """
    name = config.strategy if config.strategy != "auto" else fitting_strategy(config)
    _check_used(config, name)
    return MAKERS[name](config)


def fitting_strategy(config: DeviceConfig) -> str:
    """What "auto" stands for: the best that is there."""
    if config.tpu:
        return "tpu"
    if num_workers() > 1:
        return "multi_worker"
    gpus = len(tf.config.list_physical_devices("GPU"))
    asked = gpus if config.num_gpu is None else config.num_gpu
    if config.num_cpu_devices > 1 and not asked:
        return "mirrored"
    return "mirrored" if asked > 1 else "gpu" if asked else "cpu"


def _check_used(config: DeviceConfig, name: str) -> None:
    """Raises a UserError about a flag that the strategy of that name has no use for."""
    unused = {
        "tpu": config.tpu and name != "tpu",
        "num_cpu_devices": config.num_cpu_devices > 1 and (name != "mirrored" or bool(config.num_gpu)),
        "num_gpu": config.num_gpu and (name in ("cpu", "tpu") or (name == "gpu" and config.num_gpu > 1)),
    }
    for flag, wrong in unused.items():
        if wrong:
            raise UserError(
                f"--{flag}={getattr(config, flag)} is of no use to --strategy={name}: leave one of them out."
            )


def num_workers() -> int:
    """Workers that TF_CONFIG names, 1 where it is not set.

    Raises:
        UserError: if it is no JSON object.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text or "{}").get("cluster", {})
        return max(1, sum(len(cluster.get(job, [])) for job in ("chief", "worker")))
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(
            'TF_CONFIG in the environment is no JSON such as {"cluster": {"worker": ["host:port", ...]}, '
            f'"task": {{"type": "worker", "index": 0}}}}: {error}.'
        ) from error


def _cpu(config: DeviceConfig) -> tf.distribute.Strategy:
    """One device: TensorFlow's own, with GPUs out of sight."""
    tf.config.set_visible_devices([], "GPU")
    return tf.distribute.get_strategy()


def _gpu(config: DeviceConfig) -> tf.distribute.Strategy:
    _gpus(config, 1)
    return tf.distribute.get_strategy()


def _mirrored(config: DeviceConfig) -> tf.distribute.Strategy:
    """All GPUs, or so many logical devices of the CPU where there are none."""
    if config.num_cpu_devices > 1:
        tf.config.set_visible_devices([], "GPU")
        cpus = tf.config.list_physical_devices("CPU")[:1]
        devices = [tf.config.LogicalDeviceConfiguration()] * config.num_cpu_devices
        tf.config.set_logical_device_configuration(cpus[0], devices)
        return tf.distribute.MirroredStrategy([f"/cpu:{number}" for number in range(config.num_cpu_devices)])
    count = len(_gpus(config, config.num_gpu))
    return tf.distribute.MirroredStrategy([f"/gpu:{number}" for number in range(count)])


def _multi_worker(config: DeviceConfig) -> tf.distribute.Strategy:
    """All GPUs of several machines, or num_gpu of each, or their CPUs where there are none."""
    if num_workers() < 2:
        raise UserError("--strategy=multi_worker: TF_CONFIG in the environment names no two workers.")
    if tf.config.list_physical_devices("GPU"):
        _gpus(config, config.num_gpu)
    task = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if task.task_id is None:
        raise UserError('TF_CONFIG does not say which worker this is: add "task": {"type": "worker", "index": 0}.')
    print(f"{task.task_type} {task.task_id} of TF_CONFIG waits for the others.", flush=True)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        first = str(error).strip().split("\n")[0]
        raise UserError(
            f"--strategy=multi_worker: the workers of TF_CONFIG cannot be joined: {first.rstrip('.')}. This one's port "
            "must be free, its task one of the cluster's, and a --model of yours must compute nothing when imported."
        ) from error


def _tpu(config: DeviceConfig) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=config.tpu or "local")
        if config.tpu not in ("", "local"):
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, RuntimeError, ImportError, tf.errors.OpError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = next((line for line in lines if not line.endswith(":")), type(error).__name__)  # behind a headline
        raise UserError(f"--tpu={config.tpu or 'local'} cannot be reached: {said}") from error
    return tf.distribute.TPUStrategy(resolver)


def _gpus(config: DeviceConfig, count: int | None) -> list:
    """The first so many GPUs, all when None; nothing else is visible then, and none takes more memory than it needs."""
    there = tf.config.list_physical_devices("GPU")
    if not there or len(there) < (count or 1):
        raise UserError(
            f"--strategy={config.strategy} needs {f'{count} GPUs' if count else 'a GPU'}, and TensorFlow sees "
            f"{len(there)}: use --strategy=cpu, or --num_cpu_devices=2 to try what several devices do."
        )
    chosen = there[:count]
    tf.config.set_visible_devices(chosen, "GPU")
    for each in chosen:
        tf.config.experimental.set_memory_growth(each, True)
    return chosen


MAKERS = {"cpu": _cpu, "gpu": _gpu, "mirrored": _mirrored, "multi_worker": _multi_worker, "tpu": _tpu}


def check_parts(train: TrainConfig, strategy: tf.distribute.Strategy) -> None:
    """Raises a UserError unless a batch divides into equal parts, and steps can be compiled where they shall be."""
    replicas, parts = strategy.num_replicas_in_sync, train.accumulation_steps
    if train.batch_size % (replicas * parts):
        raise UserError(
            f"--batch_size={train.batch_size} must be a multiple of {replicas * parts}: it is divided among "
            f"{replicas} devices, and computed in --accumulation_steps={parts} parts on each."
        )
    if train.jit_compile and replicas > 1 and not isinstance(strategy, tf.distribute.TPUStrategy):
        raise UserError(f"--jit_compile is for one device or a TPU, and there are {replicas} devices: leave it out.")


def distributed(strategy: tf.distribute.Strategy, batches: tf.data.Dataset, batch_size: int):
    """Gives each replica its rows of every batch: the first its first rows, and so on, over all workers.

    Args:
        strategy: how many replicas there are, here and elsewhere.
        batches: the same batches on every worker.
        batch_size: rows of a batch, a multiple of the number of replicas.

    Returns:
        What a `strategy.run` takes elements of.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches

    def of_a_worker(context):
        rows = batch_size // context.num_input_pipelines
        first = context.input_pipeline_id * rows
        mine = batches.map(lambda batch: tf.nest.map_structure(lambda each: each[first : first + rows], batch))
        return mine.rebatch(batch_size // replicas, drop_remainder=True).prefetch(2)

    return strategy.distribute_datasets_from_function(of_a_worker)
