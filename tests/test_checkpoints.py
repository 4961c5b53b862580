"""Checkpoints: equal after restoring, whole or not there, and never another model's."""

import errno
import re

import keras
import numpy as np
import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.training.checkpoints import Checkpoints


def training_run(optimizer="Adam", units=3, steps=0):
    """The variables of a small model and its optimizer after some steps."""
    layer = keras.layers.Dense(units)
    layer.build((None, 2))
    optimizer = getattr(keras.optimizers, optimizer)(0.1)
    optimizer.build(layer.trainable_variables)
    for step in range(steps):
        gradients = [np.full(each.shape, step + 1.0, "float32") for each in layer.trainable_variables]
        optimizer.apply(gradients, layer.trainable_variables)
    return [*layer.variables, *optimizer.variables]


def one(value=0.0):
    return [keras.Variable(value, name="kernel")]


def values(variables):
    return [np.array(each) for each in variables]


def test_restores_model_and_optimizer(tmp_path):
    saved, fresh = training_run(steps=3), training_run()
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(30, saved)
    assert path.name == "step-00000030.npz"
    assert checkpoints.restore(30, fresh) == {"step": 30, "variables": len(saved)}
    for found, expected in zip(values(fresh), values(saved), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert int(fresh[2]) == 3, "the optimizer's iteration"


def test_restores_the_model_alone(tmp_path):
    saved, fresh = training_run(steps=3), training_run()
    Checkpoints(tmp_path).save(3, saved)
    Checkpoints(tmp_path).restore(3, fresh[:2])
    np.testing.assert_array_equal(fresh[0], saved[0])
    assert int(fresh[2]) == 0


@pytest.mark.parametrize(("best", "kept"), [(None, [4, 5]), (1, [1, 4, 5]), (4, [4, 5])])
def test_keeps_the_newest_and_the_best(tmp_path, best, kept):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 3, 4, 5):
        checkpoints.save(step, one())
        if step == best:
            checkpoints.mark_best(step, "mAP", 0.5)
    assert checkpoints.steps() == kept
    assert checkpoints.best_step() == best


def test_steps_are_in_the_order_of_numbers(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=5)
    for step in (123_456_789, 20_000_000, 3):
        checkpoints.save(step, one())
    (tmp_path / "step-x.npz").touch()
    assert checkpoints.steps() == [3, 20_000_000, 123_456_789]


@pytest.mark.parametrize(("which", "step"), [("best", 20), ("last", 30), ("10", 10)])
def test_step_of(tmp_path, which, step):
    checkpoints = Checkpoints(tmp_path)
    for each in (10, 20, 30):
        checkpoints.save(each, one())
    checkpoints.mark_best(20, "mAP", 0.5)
    assert checkpoints.step_of(which) == step


def test_the_last_stands_in_for_a_best_that_is_not_there(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(10, one())
    assert checkpoints.step_of("best") == 10
    checkpoints.mark_best(7, "mAP", 0.5)
    assert checkpoints.step_of("best") == 10


@pytest.mark.parametrize("which", ["15", "newest", "-1", "²", ""])
def test_step_of_what_is_not_there(tmp_path, which):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(10, one())
    with pytest.raises(UserError, match=f"--checkpoint={which}: .* holds best, last, 10"):
        checkpoints.step_of(which)


def test_step_of_an_empty_folder(tmp_path):
    with pytest.raises(UserError, match="holds no checkpoint: train first"):
        Checkpoints(tmp_path).step_of("last")
    assert Checkpoints(tmp_path).restore_newest(one(), print) is None


def cut(content):
    return content[: len(content) // 2]


def flip(content):
    place = content.index(np.float32(2.5).tobytes())  # in the array's data
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda content: b""])
def test_a_damaged_file_is_passed_over(tmp_path, damage):
    checkpoints, variables, said = Checkpoints(tmp_path), one(), []
    checkpoints.save(1, one(1.5))
    newest = checkpoints.save(2, one(2.5))
    newest.write_bytes(damage(newest.read_bytes()))
    assert checkpoints.restore_newest(variables, said.append)["step"] == 1
    assert float(variables[0]) == 1.5
    assert len(said) == 1
    assert f"{newest} is damaged" in said[0]


def test_another_that_is_whole_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=5)
    paths = [checkpoints.save(step, one()) for step in (1, 2, 3)]
    for path in paths[1:]:
        path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(
        UserError, match=r"step-00000002.npz is damaged .*: choose .* such as --checkpoint=1, or remove"
    ):
        checkpoints.read(2)


def test_nothing_begins_anew_where_every_checkpoint_is_damaged(tmp_path):
    checkpoints, said = Checkpoints(tmp_path), []
    for step in (1, 2):
        checkpoints.save(step, one()).write_bytes(b"PK")
    with pytest.raises(UserError, match=r"step-00000001.npz is damaged"):
        checkpoints.restore_newest(one(), said.append)
    assert len(said) == 1


def test_no_flipped_byte_goes_unnoticed(tmp_path):
    checkpoints, variables, noticed = Checkpoints(tmp_path), one(), []
    path = checkpoints.save(1, one(2.5))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            state = checkpoints.restore(1, variables)
        except UserError as error:
            noticed.append(str(error))
        else:
            assert (state, float(variables[0])) == ({"step": 1, "variables": 1}, 2.5), place  # a date or the like
    assert len(noticed) > len(whole) // 2
    assert all("is damaged" in each for each in noticed)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"units": 4},
            r"another model's or optimizer's: it holds 00000 .*kernel \(2, 3\) in place of .*kernel \(2, 4\)",
        ),
        ({"optimizer": "Adadelta"}, r"kernel_momentum \(2, 3\) in place of .*kernel_accumulated_grad"),
    ],
)
def test_refuses_anothers_checkpoint(tmp_path, other, message):
    Checkpoints(tmp_path).save(1, training_run(steps=1))
    variables = training_run(**other)
    before = values(variables)
    with pytest.raises(UserError, match=message):
        Checkpoints(tmp_path).restore_newest(variables, print)
    for found, expected in zip(values(variables), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_refuses_a_smaller_models_checkpoint(tmp_path):
    Checkpoints(tmp_path).save(1, one())
    with pytest.raises(UserError, match="holds 1 variables, the model has 2: it is another model's"):
        Checkpoints(tmp_path).restore(1, one() + one())


def test_a_failed_write_leaves_the_earlier_ones(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(1, one(1.5))

    def disk_is_full(file, **arrays):
        file.write(b"some of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", disk_is_full)
    with pytest.raises(UserError, match=r"step-00000002.npz cannot be written: No space left on device"):
        checkpoints.save(2, one(2.5))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.npz"]
    variables = one()
    checkpoints.restore(1, variables)
    assert float(variables[0]) == 1.5


def test_arrays_have_names_for_people(tmp_path):
    path = Checkpoints(tmp_path).save(1, training_run())
    names = np.load(path).files
    assert re.fullmatch(r"00000 dense\w*/kernel", names[0])
    assert re.fullmatch(r"00002 adam\w*/iteration", names[2])
