"""Several devices give the numbers of one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.trained import arrays
from yt8m_audio.config import DeviceConfig
from yt8m_audio.errors import UserError
from yt8m_audio.training.strategy import fitting_strategy, make_strategy, num_workers

ROOT = Path(__file__).parents[1]
MODEL = ("--model=DecisionLevelAttentionModel", "--hidden_units=8", "--hidden_layers=1", "--dropout=0")


def train(ragged_clips, run, *more, model=MODEL):
    data = (f"--train_data_pattern={ragged_clips}", f"--train_dir={run}", "--num_classes=5", "--batch_size=16")
    settings = (*model, "--optimizer=SGD", "--base_learning_rate=0.1", "--num_epochs=2", "--validation_percent=10")
    command = [sys.executable, "train.py", *data, *settings, *more]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.fixture(scope="module")
def one_device(ragged_clips, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "one"
    done = train(ragged_clips, run, "--ema_momentum=0.9")
    assert done.returncode == 0, done.stderr
    assert "on           one CPU, in float32" in done.stdout
    return run


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_devices_give_the_numbers_of_one(count, one_device, ragged_clips, tmp_path):
    devices = ("--strategy=mirrored", f"--num_cpu_devices={count}", "--ema_momentum=0.9")
    done = train(ragged_clips, tmp_path / "run", *devices)
    assert done.returncode == 0, done.stderr
    assert f"on           {count} CPUs, in float32" in done.stdout
    found, wanted = arrays(tmp_path / "run"), arrays(one_device)
    assert "moving" in " ".join(wanted)
    for (name, array), expected in zip(found.items(), wanted.values(), strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("mixed_float16", 2e-3)])
def test_devices_that_compute_in_parts_with_all_that_changes_gradients(precision, tolerance, ragged_clips, tmp_path):
    settings = ("--model=FrameLevelLogisticModel", "--input_normalization=none", f"--precision={precision}")
    settings += ("--regularization_penalty=1e6", "--weight_decay=0.1", "--clip_global_norm=0.5")
    for name, more in {"one": (), "two": ("--num_cpu_devices=2", "--accumulation_steps=2")}.items():
        done = train(ragged_clips, tmp_path / name, *settings, *more, model=())
        assert done.returncode == 0, done.stderr
    for one, two in zip(arrays(tmp_path / "one").values(), arrays(tmp_path / "two").values(), strict=True):
        np.testing.assert_allclose(two, one, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--num_cpu_devices=3"], "--batch_size=16 must be a multiple of 3"),
        (
            ["--num_cpu_devices=2", "--jit_compile"],
            "--jit_compile is for one device or a TPU, and there are 2 devices: leave it out.",
        ),
    ],
)
def test_what_several_devices_cannot_do(arguments, said, ragged_clips, tmp_path):
    done = train(ragged_clips, tmp_path / "run", "--strategy=mirrored", *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("config", "environment", "expected"),
    [
        ({}, "", "cpu"),
        ({"num_gpu": 2}, "", "mirrored"),
        ({"num_gpu": 1}, "", "gpu"),
        ({"num_cpu_devices": 2}, "", "mirrored"),
        ({"tpu": "local"}, "", "tpu"),
        ({}, '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}', "multi_worker"),
        ({}, '{"cluster": {"worker": ["a:1"]}}', "cpu"),
        ({}, '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}}', "multi_worker"),
    ],
)
def test_what_auto_stands_for(config, environment, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", environment)
    assert fitting_strategy(DeviceConfig(**config)) == expected


@pytest.mark.parametrize(
    ("config", "flag"),
    [
        ({"strategy": "gpu", "num_gpu": 4}, "num_gpu"),
        ({"strategy": "cpu", "num_gpu": 1}, "num_gpu"),
        ({"strategy": "cpu", "num_cpu_devices": 2}, "num_cpu_devices"),
        ({"num_gpu": 2, "num_cpu_devices": 2}, "num_cpu_devices"),
        ({"strategy": "mirrored", "tpu": "local"}, "tpu"),
    ],
)
def test_a_flag_that_a_strategy_has_no_use_for(config, flag):
    with pytest.raises(UserError, match=f"--{flag}=.* is of no use to --strategy="):
        make_strategy(DeviceConfig(**config))


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}'])
def test_a_damaged_tf_config_is_named(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG in the environment"):
        num_workers()


@pytest.mark.parametrize("strategy", ["gpu", "mirrored", "multi_worker", "tpu"])
def test_devices_that_are_not_there(strategy, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(UserError, match=f"--{strategy}" if strategy == "tpu" else f"--strategy={strategy}"):
        make_strategy(DeviceConfig(strategy=strategy))
