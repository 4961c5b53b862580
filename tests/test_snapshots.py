"""Copies of a run's state, in memory."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.trained import arrays
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.snapshots import Snapshots


class Counting:
    """Stands where the call that trains does: a variable, and a state beside it."""

    def __init__(self):
        self.variables, self.state = [tf.Variable([1.0, 2.0], name="weights")], {"loss_scale": 8}


@pytest.fixture
def checkpoints(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return Checkpoints(tmp_path / "checkpoints")


def test_what_is_saved_is_the_copy(checkpoints, tmp_path):
    call = Counting()
    snapshots = Snapshots(call)
    snapshots.take(3)
    call.variables[0].assign([5.0, 6.0])
    assert snapshots.save(checkpoints) == 3
    np.testing.assert_array_equal(arrays(tmp_path)["00000 weights"], [1, 2])
    state = json.loads(str(np.load(checkpoints.path(3))["state.json"]))
    assert state == {"step": 3, "variables": 1, "loss_scale": 8}


def test_copies_are_not_taken_all_the_time(checkpoints):
    snapshots = Snapshots(Counting())
    snapshots.take(3)
    snapshots.take(4)
    assert snapshots.save(checkpoints) == 3


def test_an_older_copy_is_not_saved(checkpoints):
    call = Counting()
    snapshots = Snapshots(call)
    assert snapshots.save(checkpoints) is None
    snapshots.take(3)
    checkpoints.save(4, call.variables)
    assert snapshots.save(checkpoints) is None
    assert checkpoints.steps() == [4]
