"""An average of a run's checkpoints: the mean of their weights, in a run directory that the other programs take."""

import json
import shutil

import keras
import numpy as np
import pytest

import train as train_script
from tests.test_scripts import data, evaluate, predict, run, trained  # noqa: F401  fixtures
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.averaging import average_checkpoints
from yt8m_audio.training.checkpoints import Checkpoints


def average(*arguments):
    return main_of_command(["yt8m_audio", "average", *map(str, arguments)])


def variables(kernel, seed):
    return [
        keras.Variable(np.array(kernel, "float32"), name="kernel"),
        keras.Variable(seed, dtype="uint32", name="seed"),
    ]


def arrays(file):
    """What a checkpoint holds, in the order of the variables."""
    with np.load(file) as found:
        return [found[key] for key in sorted(found.files) if key != "state.json"]


@pytest.fixture(scope="module")
def kept(trained, tmp_path_factory):  # noqa: F811
    """A run with the checkpoints of steps 8, 12 and 16: the newest, whichever was the best."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("kept") / "logistic")
    (folder / "checkpoints" / "best.json").unlink()
    (folder / "checkpoints" / "step-00000004.npz").unlink(missing_ok=True)
    return folder


@pytest.fixture(scope="module")
def averaged(kept, tmp_path_factory):
    """The average of all of them."""
    out = tmp_path_factory.mktemp("averages") / "all"
    assert average(kept, out) == 0
    return out


# The arithmetic


@pytest.mark.parametrize("steps", [[1, 2, 3], [3, 1, 2]])
def test_floats_are_averaged_in_float64_and_integers_are_the_newest(steps, tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step, kernel in ((1, [2.0**24, 2.0]), (2, [1.0, 4.0]), (3, [1.0, 9.0])):
        checkpoints.save(step, [*variables(kernel, 10 * step), keras.Variable(7.0, name="momentum")])
    kernel, seed = variables([0.0, 0.0], 0)
    average_checkpoints(checkpoints, steps, [kernel, seed])
    assert np.array(kernel).tolist() == [5_592_406.0, 5.0]
    assert int(np.array(seed)) == 30


def test_another_models_checkpoints_are_refused(tmp_path):
    Checkpoints(tmp_path).save(1, variables([1.0], 1))
    Checkpoints(tmp_path).save(2, variables([1.0, 2.0], 1))
    with pytest.raises(UserError, match=r"step-00000002.npz is another model's"):
        average_checkpoints(Checkpoints(tmp_path), [1, 2], variables([0.0], 0))


# The command


def test_it_holds_the_mean_of_the_models_weights_alone(kept, averaged):
    parts = [arrays(kept / "checkpoints" / f"step-{step:08d}.npz") for step in (8, 12, 16)]
    found = arrays(averaged / "checkpoints" / "step-00000016.npz")
    assert 0 < len(found) < len(parts[0])
    for value, *values in zip(found, *parts, strict=False):
        np.testing.assert_allclose(value, np.mean(values, axis=0, dtype=np.float64), rtol=1e-6)
    assert any(np.ptp(values, axis=0).max() > 0.01 for values in zip(*parts, strict=True))
    assert [each.name for each in (averaged / "checkpoints").iterdir()] == ["step-00000016.npz"]
    assert [each.name for each in averaged.parent.iterdir()] == ["all"]


def test_the_programs_take_it_as_any_run(kept, averaged, data, tmp_path, capsys):  # noqa: F811
    assert RunDirectory(averaged).load_config() == RunDirectory(kept).load_config()
    assert (averaged / "model_flags.json").read_bytes() == (kept / "model_flags.json").read_bytes()
    assert evaluate(averaged, data) == 0
    figures = json.loads((averaged / "eval" / "metrics.json").read_text())
    assert figures["step"] == 16
    assert figures["mAP"] > 0.8
    assert predict(averaged, data, tmp_path / "p.csv") == 0
    assert main_of_command(["yt8m_audio", "export", str(averaged), str(tmp_path / "saved")]) == 0
    assert "Exported step 16" in capsys.readouterr().out


def test_training_does_not_go_on_with_it(averaged, capsys):
    file = averaged / "checkpoints" / "step-00000016.npz"
    before = file.read_bytes()
    assert run(train_script, f"--train_dir={averaged}", "--num_epochs=5") == 2
    assert f"{file} is an average of checkpoints" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("asked", "steps"), [("--last=2", [12, 16]), ("--steps=8,16", [8, 16]), ("--steps=12, 8,12", [8, 12])]
)
def test_some_of_them(asked, steps, kept, tmp_path, capsys):
    assert average(kept, tmp_path / "out", asked) == 0
    said = capsys.readouterr().out
    listed = ", ".join(map(str, steps))
    assert f"Averaged 2 checkpoints of {kept}, steps {listed}, to {tmp_path}/out.\n" in said
    assert f"Next: python eval.py --train_dir={tmp_path}/out --eval_data_pattern='" in said
    assert Checkpoints(tmp_path / "out" / "checkpoints").steps() == steps[-1:]
    settings = json.loads((tmp_path / "out" / "config.json").read_text())
    assert settings["average_of"] == {"run": str(kept), "steps": steps}


def test_class_weights_go_with_it(kept, tmp_path):
    shutil.copytree(kept, tmp_path / "run")
    (tmp_path / "run" / "class_weights.csv").write_text("index,weight\n1,0.5\n")
    assert average(tmp_path / "run", tmp_path / "out") == 0
    assert (tmp_path / "out" / "class_weights.csv").read_text() == "index,weight\n1,0.5\n"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--last=2", "--steps=8,16"], "--last and --steps are two ways"),
        (["--last=1"], "--last=1: an average takes at least two checkpoints: .* holds steps 8, 12, 16"),
        (["--last=0"], "--last=0: an average takes at least two checkpoints"),
        (["--last=4"], "--last=4: not all of these checkpoints are there: .* holds steps 8, 12, 16"),
        (["--steps=8"], "--steps=8: an average takes at least two"),
        (["--steps=8,9"], "--steps=8,9: not all of these checkpoints are there: .* holds steps 8, 12, 16"),
        (["--steps=best,8"], "--steps=best,8: not all"),
    ],
)
def test_checkpoints_that_cannot_be_averaged(asked, said, kept, tmp_path):
    with pytest.raises(UserError, match=said):
        average(kept, tmp_path / "out", *asked)
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_too_few_checkpoints(kept, tmp_path):
    shutil.copytree(kept, tmp_path / "run")
    for step in (8, 12):
        (tmp_path / "run" / "checkpoints" / f"step-{step:08d}.npz").unlink()
    with pytest.raises(UserError, match=r"^an average takes at least two checkpoints: .* holds step 16\."):
        average(tmp_path / "run", tmp_path / "out")


def test_outputs_that_cannot_be_made(kept, averaged, tmp_path):
    before = sorted(kept.rglob("*"))
    for out, said in (
        (kept, "is the run to average: name a new folder"),
        (averaged, "holds a run already"),
        (tmp_path, "is there already"),
        (tmp_path / "no" / "out", "there is no folder"),
    ):
        with pytest.raises(UserError, match=said):
            average(kept, out)
    assert sorted(kept.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match="holds no run"):
        average(tmp_path, tmp_path / "out")


@pytest.mark.parametrize("fault", ["damaged", "full"])
def test_a_failure_leaves_nothing(fault, kept, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    shutil.copytree(kept, tmp_path / "run")
    if fault == "damaged":
        (tmp_path / "run" / "checkpoints" / "step-00000012.npz").write_bytes(b"PK")
    else:

        def full(*arguments, **named):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", full)
    with pytest.raises(UserError, match="step-00000012.npz is damaged" if fault == "damaged" else "No space left"):
        average(tmp_path / "run", tmp_path / "here" / "out")
    assert list((tmp_path / "here").iterdir()) == []
