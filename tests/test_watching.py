"""eval.py --run_once=false: it evaluates what is new, sleeps in between, and survives what happens to checkpoints."""

import json
import shutil

import numpy as np
import pytest

import eval as eval_script
from tests.test_scripts import data, error_of, run, trained  # noqa: F401  fixtures
from yt8m_audio.commands.evaluation import opened
from yt8m_audio.commands.watching import Watcher
from yt8m_audio.flags import EvalFlags
from yt8m_audio.training.checkpoints import Checkpoints


class StoppedError(Exception):
    """Ends a watch that would go on for ever."""


@pytest.fixture
def watched(trained, data, tmp_path):  # noqa: F811
    """A watcher of a run directory to which nothing has been written yet."""
    folder = tmp_path / "run"
    asked = EvalFlags(train_dir=str(folder), eval_data_pattern=f"{data}/eval*.tfrecord")
    return Watcher(asked.train_dir, 7.0, lambda: opened(asked))


@pytest.fixture
def checkpoint(trained, watched):  # noqa: F811
    """Writes a checkpoint of a step to the run directory, and before the first one the run: whole, or its beginning."""
    newest = Checkpoints(trained / "checkpoints")

    def write(step, length=None):
        folder = watched.run.path
        if not folder.exists():
            (folder / "checkpoints").mkdir(parents=True)
            shutil.copyfile(trained / "config.json", folder / "config.json")
        content = newest.path(newest.steps()[-1]).read_bytes()
        watched.checkpoints.path(step).write_bytes(content[:length])

    return write


def evaluated(watched):
    """The steps that were evaluated, in their order."""
    lines = watched.run.metrics_file.read_text().splitlines() if watched.run.metrics_file.exists() else []
    return [json.loads(line)["step"] for line in lines]


def test_new_checkpoints_are_evaluated_once_each_with_sleep_in_between(watched, checkpoint, monkeypatch, capsys):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 5:
            raise StoppedError
        if len(slept) in (2, 4):  # while it sleeps, training writes
            checkpoint(100 * len(slept))

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(StoppedError):
        watched.watch()
    assert evaluated(watched) == [200, 400]
    assert slept == [7.0] * 5
    told = capsys.readouterr().out
    assert told.count("Waiting for a run in") == 1
    assert "at step 400 on 23 clips" in told
    assert json.loads((watched.run.path / "eval" / "metrics.json").read_text())["step"] == 400


def test_of_several_new_ones_the_newest_is_evaluated(watched, checkpoint):
    for step in (1, 3, 2):
        checkpoint(step)
    assert watched.look()
    assert not watched.look()
    assert evaluated(watched) == [3]


def test_a_checkpoint_that_vanishes_is_passed_over(watched, checkpoint, monkeypatch, capsys):
    checkpoint(1)
    assert watched.look()
    for vanishes_before in ("its file is looked at", "it is read"):
        monkeypatch.setattr(Checkpoints, "steps", lambda self: [1, 2])
        if vanishes_before == "it is read":
            monkeypatch.setattr("yt8m_audio.commands.watching._stamp", lambda path: (path, 0, 0))
        assert not watched.look()
    monkeypatch.undo()
    checkpoint(3)
    assert watched.look()
    assert evaluated(watched) == [1, 3]
    assert "damaged" not in capsys.readouterr().out


def test_a_checkpoint_that_is_copied_is_read_when_it_is_whole(watched, checkpoint, capsys):
    checkpoint(1, length=1000)
    assert not watched.look()
    assert not watched.look()
    checkpoint(1, length=2000)
    assert not watched.look()
    checkpoint(1)
    assert watched.look()
    assert evaluated(watched) == [1]
    assert capsys.readouterr().out.count("step-00000001.npz is damaged, or not whole yet: waiting for it") == 1


def test_after_a_damaged_one_the_next_is_evaluated(watched, checkpoint):
    checkpoint(1, length=1000)
    assert not watched.look()
    checkpoint(2)
    assert watched.look()
    assert evaluated(watched) == [2]


def test_another_models_checkpoint_ends_it(watched, checkpoint):
    checkpoint(1)
    np.savez(watched.checkpoints.path(2), **{"00000 kernel": np.zeros(3), "state.json": np.array("{}")})
    with pytest.raises(Exception, match="another model's"):
        watched.look()


def test_a_model_that_diverged_is_passed_over(watched, checkpoint, capsys):
    checkpoint(1)
    path = watched.checkpoints.path(1)
    with np.load(path) as found:
        arrays = dict(found)
    weights = {name: np.full_like(each, np.nan) for name, each in arrays.items() if each.dtype == np.float32}
    np.savez(path, **{**arrays, **weights})
    assert watched.look()
    assert not watched.look()
    checkpoint(2)
    assert watched.look()
    assert evaluated(watched) == [2]
    assert "note: step 1 is passed over: Scores must be finite" in capsys.readouterr().out


def test_a_checkpoint_is_not_watched(capsys):
    path = "runs/a/checkpoints/step-00000001.npz"
    assert run(eval_script, f"--train_dir={path}", "--run_once=false") == 2
    assert f"--train_dir={path} is one: name its run directory" in error_of(capsys)


def test_only_runs_are_watched(tmp_path, capsys):
    (tmp_path / "p.csv").touch()
    assert run(eval_script, f"--predictions={tmp_path}/p.csv", "--run_once=false") == 2
    assert "--run_once=false goes on with new checkpoints of a run" in error_of(capsys)
