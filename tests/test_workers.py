"""Several processes that train one model on loopback: the numbers of one, one that writes, and what happens to one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard
from yt8m_audio.training.workers import Workers

ROOT = Path(__file__).parents[1]
CLIPS = 152  # in batches of 12, the last one is short
MODEL = ("--model=DecisionLevelAttentionModel", "--hidden_units=8", "--hidden_layers=1", "--dropout=0")
# What TensorFlow 2.17 says of itself at any level.
NATIVE = re.compile(r"^(?:[IW]\d{4} |WARNING: All log messages before absl).*\n", re.M)
SECONDS = 400  # for what takes 20 of them where nothing else runs


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """Clips of 1 to 10 frames."""
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    frames = random.integers(0, 256, (CLIPS, 10, 16), np.uint8)
    records = [audioset_record(f"c{i}", [i % 5], frames[i][: 1 + i % 10]) for i in range(CLIPS)]
    write_shard(str(folder / "a.tfrecord"), records)
    return str(folder / "*.tfrecord")


@pytest.fixture
def start(pattern):
    """Starts workers, of which nothing is left when the test ends: `start(2, run, "--num_epochs=2")`."""
    processes = []

    def started(count, run, *more, last=()):
        data = (f"--train_data_pattern={pattern}", f"--train_dir={run}", "--num_classes=5", "--batch_size=12")
        settings = (*MODEL, "--optimizer=SGD", "--base_learning_rate=0.1", "--validation_percent=10")
        command = [sys.executable, "train.py", *data, *settings, *more]
        commands = [*(count - 1) * [command], [*command, *last]]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        new = [
            subprocess.Popen(command, cwd=ROOT, env=environment, **pipes)
            for command, environment in zip(commands, environments(count), strict=True)
        ]
        processes.extend(new)
        return new

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def environments(count):
    """What each of so many workers finds in its environment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    places = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    tasks = [{"cluster": {"worker": places}, "task": {"type": "worker", "index": index}} for index in range(count)]
    clean = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    return [clean | ({"TF_CONFIG": json.dumps(task)} if count > 1 else {}) for task in tasks]


def ended(processes, status=0):
    """What each has printed, once all have ended with a status."""
    said = [process.communicate(timeout=SECONDS) for process in processes]
    assert [process.returncode for process in processes] == len(processes) * [status], said
    return said


def wait_for_checkpoint(run):
    deadline = time.monotonic() + SECONDS
    while not list(Path(run, "checkpoints").glob("step-*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)


def arrays(run):
    newest = max(Path(run, "checkpoints").glob("step-*.npz"))
    with np.load(newest) as file:
        return {key: file[key] for key in sorted(file.files) if key != "state.json"}


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_workers_give_the_numbers_of_one(count, start, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    ended(start(1, alone, "--num_epochs=2", "--ema_momentum=0.9"))
    (chief, _), *others = ended(start(count, together, "--num_epochs=2", "--ema_momentum=0.9"))
    assert f"on           {count} CPUs of {count} workers, in float32" in chief
    assert "epoch 2 validated on" in chief
    for out, err in others:
        assert (out.count("\n"), "ended at step 23" in out, NATIVE.sub("", err)) == (3, True, "")
    found, wanted = arrays(together), arrays(alone)
    assert "moving" in " ".join(wanted)
    for (name, array), expected in zip(found.items(), wanted.values(), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-5, err_msg=name)
    logged = map(json.loads, (together / "metrics.jsonl").read_text().splitlines())
    assert [each["step"] for each in logged if each["part"] == "validation"] == [12, 23]


@pytest.mark.slow
@pytest.mark.parametrize(("count", "killed"), [(2, 0), (2, 1), (3, 1)])
def test_a_dead_worker_is_named_and_the_run_goes_on(count, killed, start, tmp_path):
    settings = ("--num_epochs=20", "--export_model_steps=20")
    processes = start(count, tmp_path / "a", *settings)
    wait_for_checkpoint(tmp_path / "a")
    processes[killed].kill()
    survivors = [process for process in processes if process is not processes[killed]]
    for _, err in ended(survivors, status=2):
        assert err.startswith(f"error: worker {killed} (127.0.0.1:")
        assert err.count("\n") == 1
    (again, _), *_ = ended(start(count, tmp_path / "a", *settings))
    assert "Resuming at step" in again
    ended(start(count, tmp_path / "b", *settings))
    assert all(map(np.array_equal, arrays(tmp_path / "a").values(), arrays(tmp_path / "b").values()))


@pytest.mark.slow
@pytest.mark.parametrize("asked", [0, 1])
def test_a_signal_to_one_stops_all_at_the_same_step(asked, start, tmp_path):
    processes = start(2, tmp_path / "a", "--num_epochs=100", "--export_model_steps=20")
    wait_for_checkpoint(tmp_path / "a")
    processes[asked].send_signal(signal.SIGTERM)
    (chief, _), (other, _) = ended(processes, status=128 + signal.SIGTERM)
    step = max((tmp_path / "a" / "checkpoints").glob("step-*.npz")).stem.removeprefix("step-").lstrip("0")
    assert f"Stopped at step {step}, saved." in chief.replace(",", "", 1)
    assert f"ended at step {step}." in other.replace(",", "", 1)


@pytest.mark.slow
def test_workers_started_with_other_settings(start, tmp_path):
    processes = start(2, tmp_path / "a", "--num_epochs=2", last=("--num_epochs=3",))
    (_, first), (_, last) = ended(processes, status=2)
    assert first.startswith("error: worker 1 (127.0.0.1:")
    assert last.startswith("error: --num_epochs is 3 for worker 1 (127.0.0.1:")


REMOTE = "Additional GRPC error information from remote target /job:worker/replica:0/task:{} while calling RecvBuf:"


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (REMOTE.format(1), "worker 1 (b:1) does not answer"),
        (f"{REMOTE.format(2)} aborted by: {REMOTE.format(1)}", "worker 2 (c:1) does not answer"),
        ("Error reported from /job:worker/task:2: stopped sending heartbeats", "worker 2 (c:1) does not answer"),
        ("Deadline Exceeded\n\nRPC: /tensorflow.CoordinationService/Heartbeat", "worker 0 (a:1) does not answer"),
        (f"at /job:worker/replica:0/task:3/device:CPU:0: {REMOTE.format(1)}", "worker 1 (b:1) does not answer"),
    ],
)
def test_the_error_names_who_is_gone(said, named):
    workers = Workers(tf.distribute.get_strategy())
    workers.names, workers.number = ["worker 0 (a:1)", "worker 1 (b:1)", "worker 2 (c:1)", "worker 3 (d:1)"], 3
    with pytest.raises(UserError) as caught, workers.loss_named():
        raise tf.errors.UnavailableError(None, None, said)
    assert str(caught.value).startswith(named)


def test_an_error_of_this_worker_stays_what_it_is():
    with pytest.raises(tf.errors.ResourceExhaustedError), Workers(tf.distribute.get_strategy()).loss_named():
        raise tf.errors.ResourceExhaustedError(None, None, "at /job:worker/replica:0/task:0/device:CPU:0")
