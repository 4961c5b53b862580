"""eval.py --run_once=false: it evaluates what is new, and sleeps in between."""

import pytest

from yt8m_audio.commands.evaluation import Evaluator
from yt8m_audio.flags import EvalFlags
from yt8m_audio.training.checkpoints import Checkpoints


class StoppedError(Exception):
    """Ends a watch that would go on for ever."""


@pytest.fixture
def watcher(tmp_path, monkeypatch):
    """An evaluator without data, which notes the steps that it is to evaluate."""
    evaluator = Evaluator.__new__(Evaluator)
    evaluator.asked, evaluator.checkpoints = EvalFlags(poll_seconds=7.0), Checkpoints(tmp_path)
    evaluator.steps = []
    monkeypatch.setattr(evaluator, "evaluate_step", evaluator.steps.append)
    return evaluator


def test_new_checkpoints_are_evaluated_once_each(watcher, tmp_path, monkeypatch):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 4:
            raise StoppedError
        if len(slept) in (1, 3):  # while it sleeps, training writes
            watcher.checkpoints.path(100 * len(slept)).touch()

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(StoppedError):
        watcher.watch()
    assert watcher.steps == [100, 300]
    assert slept == [7.0] * 4
