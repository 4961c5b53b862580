"""What only a process of its own shows: signals, kills, output that is clean."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    records = [audioset_record(f"c{i}", [i % 5], random.integers(0, 256, (10, 128), np.uint8)) for i in range(200)]
    write_shard(str(folder / "a.tfrecord"), records)
    return str(folder / "*.tfrecord")


def command(pattern, train_dir, *more):
    settings = (
        "--model=DbofModel",
        "--iterations=5",
        "--dbof_cluster_size=64",
        "--dbof_hidden_size=32",
        "--num_classes=5",
    )
    data = (f"--train_data_pattern={pattern}", f"--train_dir={train_dir}", "--batch_size=16")
    return [sys.executable, str(ROOT / "train.py"), *data, *settings, "--export_model_steps=10", *more]


def weights(train_dir):
    newest = max(Path(train_dir, "checkpoints").glob("step-*.npz"))
    with np.load(newest) as file:
        return [file[key] for key in sorted(file.files) if key != "state.json"]


def start_until_checkpoint(arguments, train_dir, number):
    """Starts a run, sends it a signal when it has written a checkpoint, and returns what it said."""
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(Path(train_dir, "checkpoints").glob("step-*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_to_the_weights_of_one_never_stopped(number, pattern, tmp_path):
    arguments = ("--num_epochs=60",)
    status, out, err = start_until_checkpoint(command(pattern, tmp_path / "a", *arguments), tmp_path / "a", number)
    assert status == (-9 if number == signal.SIGKILL else 128 + number), err
    assert ("Type the same command again" in out) == (number != signal.SIGKILL)
    again = subprocess.run(command(pattern, tmp_path / "a", *arguments), capture_output=True, text=True, check=True)
    assert "Resuming at step" in again.stdout
    subprocess.run(command(pattern, tmp_path / "b", *arguments), capture_output=True, check=True)
    assert all(map(np.array_equal, weights(tmp_path / "a"), weights(tmp_path / "b")))


def killed_later(arguments, train_dir, seconds):
    """Starts a run, kills it some time after it has written another checkpoint, and returns what it printed."""
    folder = Path(train_dir, "checkpoints")
    before = set(folder.glob("step-*.npz"))
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not set(folder.glob("step-*.npz")) - before and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    return process.communicate(timeout=120)[0]


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_run_killed_at_any_moments_ends_as_one_never_killed(cache, pattern, tmp_path):
    """Of a model with dropout, batch normalisation and frame sampling, with all that draws or remembers on."""
    settings = ("--video_level_classifier_model=MlpModel", "--mlp_units=16", "--mixup_alpha=0.5", "--frame_dropout=0.2")
    settings += ("--ema_momentum=0.9", "--learning_rate_schedule=cosine", "--validation_percent=10", "--num_epochs=80")
    whole, parts = (command(pattern, tmp_path / name, *settings, f"--cache={cache}") for name in ("whole", "parts"))
    subprocess.run(whole, check=True, capture_output=True)
    random = np.random.default_rng(0)
    said = [killed_later(parts, tmp_path / "parts", random.uniform(0, 0.4)) for _ in range(5)]
    said.append(subprocess.run(parts, check=True, capture_output=True, text=True).stdout)
    assert sum("Resuming at step" in each for each in said) == 5
    pairs = zip(weights(tmp_path / "whole"), weights(tmp_path / "parts"), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_a_run_says_nothing_on_stderr(pattern, tmp_path):
    done = subprocess.run(
        command(pattern, tmp_path / "a", "--num_epochs=1"), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


def test_a_users_mistake_ends_with_status_2(pattern, tmp_path):
    done = subprocess.run(
        command(pattern, tmp_path / "a", "--batch_sise=1"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "error: --batch_sise is no flag. Did you mean --batch_size? --help lists them.\n"
