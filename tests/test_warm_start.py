"""Runs that begin with the weights of another one."""

import json

import numpy as np
import pytest

import train as train_script
from tests.test_training_settings import arrays, same
from yt8m_audio import flags
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard
from yt8m_audio.training.warm_start import names_of

MODEL = ("--model=DecisionLevelAttentionModel", "--hidden_units=8", "--hidden_layers=2")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    frames = random.integers(0, 256, (40, 10, 16), np.uint8)
    write_shard(str(folder / "a.tfrecord"), [audioset_record(f"c{i}", [i % 3], frames[i]) for i in range(40)])
    return folder


def train(data, run, *more, model=MODEL):
    pattern, folder = f"--train_data_pattern={data}/*.tfrecord", f"--train_dir={run}"
    with pytest.raises(SystemExit) as exit_info:
        flags.run(train_script.main, ["train.py", pattern, folder, "--batch_size=8", *model, *more])
    return exit_info.value.code


@pytest.fixture(scope="module")
def first(data, tmp_path_factory):
    """A run of 3 classes."""
    run = tmp_path_factory.mktemp("runs") / "first"
    assert train(data, run, "--num_classes=3", "--num_epochs=2") == 0
    return run


def weights(run, step=None):
    """A run's arrays by names that any process gives them."""
    found = arrays(run, step)
    return dict(zip(names_of(key.partition(" ")[2] for key in found), found.values(), strict=True))


def test_names_are_told_apart_by_their_order():
    assert names_of(["m_3/dense_7/kernel", "m_3/dense_8/kernel", "m_3/a_b/c_1"]) == [
        "dense/kernel#1",
        "dense/kernel#2",
        "a_b/c#1",
    ]


def test_all_fits_a_model_of_its_own_kind(first, data, tmp_path, capsys):
    settings = ("--num_classes=3", f"--init_from={first}", "--base_learning_rate=1e-30", "--max_steps=1")
    assert train(data, tmp_path / "next", *settings) == 0
    assert f" of {first} at step 10.\n" in capsys.readouterr().out  # nothing anew
    old, new = weights(first), weights(tmp_path / "next")
    kernels = [name for name in old if name.endswith("kernel#1") and "adam" not in name]
    assert kernels
    for name in kernels:
        np.testing.assert_allclose(new[name], old[name], rtol=1e-6, err_msg=name)


def test_another_number_of_classes_takes_the_rest(first, data, tmp_path, capsys):
    settings = ("--num_classes=4", f"--init_from={first}", "--base_learning_rate=1e-30", "--max_steps=1")
    assert train(data, tmp_path / "next", *settings) == 0
    assert f"of {first} at step 10; anew: " in capsys.readouterr().out
    taken = json.loads((tmp_path / "next" / "warm_start.json").read_text())["taken"]
    old, new = weights(first), weights(tmp_path / "next")
    assert 0 < len([name for name in taken if name.rpartition("/")[2].startswith("kernel")]) < 4
    for name in taken:
        if "kernel" in name:
            np.testing.assert_allclose(new[name], old[name], rtol=1e-6, err_msg=name)


def test_what_is_frozen_stays_and_a_resumed_run_has_it_frozen_too(first, data, tmp_path):
    settings = ("--num_classes=4", f"--init_from={first}", "--freeze_matching", "--num_epochs=2")
    assert train(data, tmp_path / "whole", *settings) == 0
    assert train(data, tmp_path / "parts", *settings, "--max_steps=3") == 0
    assert train(data, tmp_path / "parts", "--num_classes=4", "--max_steps=10") == 0
    taken = json.loads((tmp_path / "whole" / "warm_start.json").read_text())["taken"]
    assert same(tmp_path / "whole", tmp_path / "parts")
    old, whole = weights(first), weights(tmp_path / "whole")
    for name, array in whole.items():
        if name in taken and name.rpartition("/")[2].partition("#")[0] in ("kernel", "bias", "gamma", "beta"):
            np.testing.assert_array_equal(array, old[name], err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--init_from=/nowhere"], "--init_from=/nowhere is no folder"),
        (["--init_from={first}", "--freeze_matching"], "--freeze_matching: all weights of --init_from="),
        (["--freeze_matching"], "--freeze_matching freezes what --init_from brings"),
        (["--init_from={first}", "--hidden_units=7", "--num_classes=2"], "none of its weights has the name and shape"),
    ],
)
def test_a_mistake_gets_one_line(arguments, said, first, data, tmp_path, capsys):
    arguments = [each.format(first=first) for each in arguments]
    defaults = ["--num_classes=3"] if "--num_classes=2" not in arguments else []
    model = [*MODEL, "--input_normalization=none"] if "--num_classes=2" in arguments else MODEL
    if "--num_classes=2" in arguments:
        (data / "b").mkdir(exist_ok=True)
        write_shard(str(data / "b" / "a.tfrecord"), [audioset_record("c", [0], np.zeros((10, 12), np.uint8))])
        data = data / "b"
    assert train(data, tmp_path / "run", *defaults, *arguments, model=model) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_an_average_cannot_be_gone_on_with_and_says_what_can(first, data, tmp_path, capsys):
    from yt8m_audio.__main__ import main_of_command

    assert main_of_command(["yt8m_audio", "average", str(first), str(tmp_path / "average")]) == 0
    assert train(data, tmp_path / "average", "--num_classes=3", "--num_epochs=9") == 2
    assert f"begin from its weights with --init_from={tmp_path / 'average'}" in capsys.readouterr().err
    assert "average_of" in json.loads((tmp_path / "average" / "config.json").read_text())
    assert (
        train(data, tmp_path / "next", "--num_classes=3", f"--init_from={tmp_path / 'average'}", "--max_steps=1") == 0
    )
