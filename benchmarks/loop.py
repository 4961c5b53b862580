"""What does the loop around the step cost? Calls, checkpoints and a second device, against training without them.

The second device is a logical one of the same CPU. TensorFlow takes such before it computes anything, so that those
rates are measured in processes of their own, which print them:

    python -m benchmarks.loop 2 'bal_train/*.tfrecord'      # {"clips_per_second": ...}
"""

import functools
import io
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from benchmarks.datasets import opened
from benchmarks.measure import Result, alternately
from benchmarks.reading import PASSES, read
from benchmarks.training import WORK, train_call, train_call_of, training
from readers import Clips
from yt8m_audio.batch import HOST_KEYS, device_part
from yt8m_audio.config import Config, DeviceConfig, TrainConfig
from yt8m_audio.flags import quieten_tensorflow
from yt8m_audio.progress_line import ProgressLine
from yt8m_audio.registry import MODELS
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.loop import Session, calibrated
from yt8m_audio.training.step import TrainCall
from yt8m_audio.training.strategy import distributed, make_strategy
from yt8m_audio.training.workers import Workers

MODEL, BATCH_SIZE, STEPS = "FrameLevelLogisticModel", 1024, 1000
EPOCHS = 10_000  # more than are trained
SHARE_OF_CHECKPOINTS = 0.02  # of the time, at most
CELLS, GLOBAL_BATCH, STEPS_ON_DEVICES, ROUNDS = 256, 1024, 8, 3  # of the LstmModel that two devices train


def results(pattern: str) -> list[Result]:
    """Calls against one call and against reading, checkpoints against what they may take, two devices against one."""
    clips = opened(pattern)
    return [*calls(clips.in_memory()), *checkpoints(clips), two_devices(pattern)]


def calls(clips: Clips, steps: int = STEPS, rounds: int = 3) -> list[Result]:
    """Clips a second as train.py trains, call after call, against one call for all steps, and against reading alone."""
    reading = functools.partial(
        read, clips.shuffled(BATCH_SIZE, PASSES, seed=0, without=HOST_KEYS), PASSES * len(clips)
    )
    with tempfile.TemporaryDirectory() as folder:
        session = made_session(clips, folder)
        batches = session.batches_from(0)
        works = in_calls(session, batches, steps), in_one_call(session, batches, steps), reading
        rate, at_once, read_rate = alternately(*works, rounds=rounds)
    name = f"training {MODEL} from memory"
    return [
        Result(f"{name}, in calls of half a second", rate, "clips/s", "the same steps in one call", at_once),
        Result(name, rate, "clips/s", "reading from memory", read_rate),
    ]


def made_session(clips: Clips, folder: str) -> Session:
    """What train.py makes, for a run in a folder."""
    config = Config(clips.data, train=TrainConfig(BATCH_SIZE, EPOCHS, base_learning_rate=1e-3))
    run = RunDirectory(folder)
    run.create()
    sizes = {"num_classes": clips.data.num_classes, "feature_sizes": tuple(clips.data.model_sizes)}
    make_model = functools.partial(MODELS.get(MODEL), **sizes)
    line = ProgressLine(io.StringIO())
    return Session(config, make_model, clips, None, run, line, None, None, Workers(tf.distribute.get_strategy()))


def in_calls(session: Session, batches, steps: int) -> Callable[[], int]:
    """A function that trains for some steps in calls of the length that the loop finds, and shows what each gave."""

    def train() -> int:
        done = 0
        while done < steps:
            count, begun = min(session.steps_per_call, steps - done), time.monotonic()
            report = session.call_device(batches, count)
            session.steps_per_call = calibrated(count, session.steps_per_call, time.monotonic() - begun)
            session.show(report, at_stop=False)
            done += count
        return steps * BATCH_SIZE

    return train


def in_one_call(session: Session, batches, steps: int) -> Callable[[], int]:
    """A function that trains for as many steps in one call."""

    def train() -> int:
        session.call_device(batches, steps)
        return steps * BATCH_SIZE

    return train


def checkpoints(clips: Clips, rounds: int = 3) -> list[Result]:
    """Milliseconds that a checkpoint takes, beside a fiftieth of those between two; a ratio under 1 is within it."""
    every, found = TrainConfig.export_model_steps, []
    for name, (batch_size, steps) in WORK.items():
        call = train_call(name, clips, batch_size)
        with tempfile.TemporaryDirectory() as folder:
            saves, rate = alternately(saving(call, folder), training(call, clips, batch_size, steps), rounds=rounds)
        allowed = SHARE_OF_CHECKPOINTS * every * batch_size / rate
        limit_name = f"{SHARE_OF_CHECKPOINTS:.0%} of {every:,} steps of {batch_size}"
        found.append(Result(f"checkpoint of {name}", 1000 / saves, "ms", limit_name, 1000 * allowed))
    return found


def saving(call: TrainCall, folder: str) -> Callable[[], int]:
    """A function that writes a checkpoint of model and optimizer, each time another step's."""
    kept, numbers = Checkpoints(Path(folder)), itertools.count()

    def save() -> int:
        kept.save(next(numbers), call.variables)
        return 1

    return save


def two_devices(pattern: str, steps: int = STEPS_ON_DEVICES, rounds: int = ROUNDS) -> Result:
    """Two logical devices with half of each batch, against one with all of it."""
    rates = {1: 0.0, 2: 0.0}
    for _ in range(rounds):
        for count in rates:
            rates[count] = max(rates[count], rate_on(count, pattern, steps))
    name = f"training LstmModel of {CELLS} cells on two logical devices"
    return Result(name, rates[2], "clips/s", "on one device", rates[1])


def rate_on(count: int, pattern: str, steps: int) -> float:
    """Clips a second of a process with so many devices."""
    command = [sys.executable, "-m", "benchmarks.loop", str(count), pattern, str(steps)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])["clips_per_second"]


def main(count: str, pattern: str, steps: str = str(STEPS_ON_DEVICES)) -> None:
    """What the process of `rate_on` does: trains, and tells how fast."""
    quieten_tensorflow()
    devices = DeviceConfig("mirrored" if int(count) > 1 else "cpu", num_cpu_devices=int(count))
    strategy = make_strategy(devices)
    clips = opened(pattern)
    with strategy.scope():
        sizes = {"num_classes": clips.data.num_classes, "feature_sizes": tuple(clips.data.model_sizes)}
        model = MODELS.get("LstmModel")(lstm_cells=CELLS, **sizes)
        call = train_call_of(model, clips.in_order(GLOBAL_BATCH).element_spec, GLOBAL_BATCH)
    batches = clips.in_order(GLOBAL_BATCH).map(device_part).take(8).cache().repeat()
    [rate] = alternately(on_devices(call, iter(distributed(strategy, batches, GLOBAL_BATCH)), int(steps)), rounds=3)
    print(json.dumps({"clips_per_second": rate}))


def on_devices(call: TrainCall, batches, steps: int) -> Callable[[], int]:
    """A function that trains for some steps on every device, and returns the clips of all."""

    def train() -> int:
        call.run(batches, tf.constant(steps))
        call.report()
        return steps * GLOBAL_BATCH

    return train


if __name__ == "__main__":
    main(*sys.argv[1:])
