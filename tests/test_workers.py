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

from tests.trained import arrays
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard
from yt8m_audio.training.workers import Workers

ROOT = Path(__file__).parents[1]
MODEL = ("--model=DecisionLevelAttentionModel", "--hidden_units=8", "--hidden_layers=1", "--dropout=0")
# What TensorFlow 2.17 says of itself at any level.
NATIVE = re.compile(r"^(?:[IW]\d{4} |WARNING: All log messages before absl).*\n", re.M)
SECONDS = 400  # for what takes 20 of them where nothing else runs


@pytest.fixture
def start(ragged_clips):
    """Starts workers, of which nothing is left when the test ends: `start(2, run, "--num_epochs=2")`."""
    processes = []

    def started(count, run, *more, last=()):
        data = (f"--train_data_pattern={ragged_clips}", f"--train_dir={run}", "--num_classes=5", "--batch_size=12")
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


def wait_for(there):
    deadline = time.monotonic() + SECONDS
    while not there() and time.monotonic() < deadline:
        time.sleep(0.05)


def wait_for_checkpoint(run):
    wait_for(lambda: list(Path(run, "checkpoints").glob("step-*.npz")))


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_workers_give_the_numbers_of_one(count, start, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    ended(start(1, alone, "--num_epochs=2", "--ema_momentum=0.9"))
    (chief, _), *others = ended(start(count, together, "--num_epochs=2", "--ema_momentum=0.9"))
    assert f"on           {count} CPUs of {count} workers, in float32" in chief
    assert re.search(r"^ +2 +23 .* │ ", chief, flags=re.MULTILINE)  # the epoch's row
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
def test_a_dead_worker_costs_no_more_than_a_moment(start, tmp_path):
    records = [audioset_record(f"c{i}", [i % 5], np.full((1, 16), i % 256, np.uint8)) for i in range(40_000)]
    write_shard(str(tmp_path / "many.tfrecord"), records)  # an epoch takes longer than the test, and nothing is saved
    settings = (
        f"--train_data_pattern={tmp_path}/many.tfrecord",
        "--validation_percent=0",
        "--export_model_steps=100000",
    )
    processes, metrics = start(2, tmp_path / "a", *settings), tmp_path / "a" / "metrics.jsonl"
    wait_for(lambda: metrics.exists() and metrics.read_text())
    time.sleep(4)
    processes[1].kill()
    [(said, _)] = ended(processes[:1], status=2)
    saved = int(re.search(r"Saved step ([\d,]+), a moment before", said)[1].replace(",", ""))
    ended(start(2, tmp_path / "a", *settings, f"--max_steps={saved + 10}"))
    ended(start(2, tmp_path / "b", *settings, f"--max_steps={saved + 10}"))
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
