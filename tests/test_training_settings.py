"""What a recipe may set: averages, parts of a batch, precision, clipping, when to validate and when to stop."""

import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
from readers import open_clips
from tests.trained import arrays
from yt8m_audio.config import Config, DataConfig, ModelConfig, TrainConfig
from yt8m_audio.examples import audioset_record
from yt8m_audio.progress_line import ProgressLine
from yt8m_audio.records import write_shard
from yt8m_audio.registry import MODELS
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.loop import train
from yt8m_audio.training.loss_scale import FIRST_FACTOR, LossScale, restore_unless
from yt8m_audio.training.moving_average import MovingAverage
from yt8m_audio.training.validations import Validations

DATA = DataConfig(
    feature_names="audio_embedding", feature_sizes="16", frame_features=True, num_classes=4, max_frames=6, num_readers=2
)
LOGISTIC = ("FrameLevelLogisticModel", {"input_normalization": "none"})
DBOF = ("DbofModel", {"iterations": 3, "dbof_cluster_size": 8, "dbof_hidden_size": 4})
TRANSFORMER = ("TransformerModel", {"transformer_layers": 1, "transformer_units": 8, "transformer_heads": 2})


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """50 clips of 4 classes; class c raises the features c, c + 4, ..."""
    folder, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    frames = random.integers(0, 200, (50, 6, 16), dtype=np.uint8)
    for number in range(50):
        frames[number, :, number % 4 :: 4] += 50
    records = [audioset_record(f"clip{i}", [i % 4], frames[i][: 1 + i % 6]) for i in range(50)]
    write_shard(str(folder / "a.tfrecord"), records)
    return open_clips(f"{folder}/*.tfrecord", "train_data_pattern", DATA)


def run(folder, clips, model=LOGISTIC, validation=None, said=None, **settings):
    settings = {"batch_size": 8, "num_epochs": 2, "base_learning_rate": 0.01, **settings}
    config = Config(DATA, ModelConfig(*model), TrainConfig(**settings))
    directory = RunDirectory(str(folder))
    directory.create()

    def make_model():
        keras.config.set_dtype_policy(config.train.precision)
        return MODELS.get(model[0])(num_classes=4, feature_sizes=(16,), **model[1])

    try:
        return train(config, make_model, clips, validation, directory, ProgressLine(said or io.StringIO()))
    finally:
        keras.config.set_dtype_policy("float32")


def same(one, other):
    pairs = list(zip(arrays(one).values(), arrays(other).values(), strict=True))
    return all(np.array_equal(*pair) for pair in pairs)


def close(one, other, **tolerances):
    for (name, found), wanted in zip(arrays(one).items(), arrays(other).values(), strict=True):
        np.testing.assert_allclose(found, wanted, err_msg=name, **tolerances)


# The moving average


def test_the_average_follows_its_formula():
    weight = keras.Variable([1.0])
    average, expected = MovingAverage([weight], momentum=0.3), 1.0
    for step, value in enumerate([2.0, 4.0, 8.0, 16.0, 32.0]):
        weight.assign([value])
        average.update(tf.constant(step, tf.int64))
        momentum = min(0.3, (1 + step) / (10 + step))
        expected = momentum * expected + (1 - momentum) * value
    with average.in_use():
        assert float(weight[0]) == pytest.approx(expected, rel=1e-6)
    assert float(weight[0]) == 32.0


def test_the_average_changes_nothing_of_the_training(clips, tmp_path):
    run(tmp_path / "plain", clips)
    run(tmp_path / "averaged", clips, ema_momentum=0.9)
    plain, averaged = list(arrays(tmp_path / "plain").values()), list(arrays(tmp_path / "averaged").values())
    assert len(averaged) == len(plain) + 2  # the two weights themselves come last
    for weight, trained, average in zip(plain[:2], averaged[-2:], averaged[:2], strict=True):
        np.testing.assert_array_equal(weight, trained)
        assert not np.array_equal(weight, average)


def test_the_average_is_what_is_validated(clips, tmp_path):
    run(tmp_path / "one", clips, validation=clips, ema_momentum=0.9, max_steps=7)
    run(tmp_path / "other", clips, validation=clips, max_steps=7)
    losses = []
    for name in ("one", "other"):
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        losses.append(next(line["loss"] for line in lines if line["part"] == "validation"))
    assert losses[0] > losses[1]  # it lags behind


@pytest.mark.parametrize("settings", [{"ema_momentum": 0.9}, {"precision": "mixed_float16"}, {"mixup_alpha": 0.5}])
def test_a_stopped_run_ends_as_one_that_did_not(settings, clips, tmp_path):
    run(tmp_path / "whole", clips, DBOF, **settings)
    for step in (3, 9):
        run(tmp_path / "parts", clips, DBOF, max_steps=step, **settings)
    run(tmp_path / "parts", clips, DBOF, **settings)
    assert same(tmp_path / "whole", tmp_path / "parts")


# Parts, calls, compilation


@pytest.mark.parametrize("model", [LOGISTIC, TRANSFORMER])
def test_parts_of_a_batch_give_what_the_whole_gives(model, clips, tmp_path):
    model = (
        model[0],
        {**model[1], "input_normalization": "none", **({"dropout": 0.0} if model is TRANSFORMER else {})},
    )
    for parts in (1, 4):
        run(tmp_path / str(parts), clips, model, accumulation_steps=parts, optimizer="SGD")
    close(tmp_path / "1", tmp_path / "4", rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3])
def test_steps_of_a_call_change_nothing(steps, clips, tmp_path):
    run(tmp_path / "auto", clips, DBOF)
    run(tmp_path / "fixed", clips, DBOF, steps_per_call=steps)
    assert same(tmp_path / "auto", tmp_path / "fixed")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"mixup_alpha": 0.5, "frame_dropout": 0.3, "accumulation_steps": 2}])
def test_a_compiled_step_gives_what_a_plain_one_gives(settings, clips, tmp_path):
    """Of a model without draws of its own: TensorFlow's are others where XLA compiles them."""
    model = (TRANSFORMER[0], {**TRANSFORMER[1], "dropout": 0.0})
    run(tmp_path / "plain", clips, model, optimizer="SGD", **settings)
    run(tmp_path / "compiled", clips, model, optimizer="SGD", jit_compile=True, **settings)
    close(tmp_path / "plain", tmp_path / "compiled", rtol=1e-3, atol=1e-5)


# Precision


def test_float16_scales_the_loss_and_learns_what_float32_learns(clips, tmp_path):
    run(tmp_path / "half", clips, precision="mixed_float16", num_epochs=4)
    run(tmp_path / "single", clips, num_epochs=4)
    half, single = arrays(tmp_path / "half"), arrays(tmp_path / "single")
    for found, wanted in list(zip(half.values(), single.values(), strict=True))[:2]:  # kernel and bias
        np.testing.assert_allclose(found, wanted, atol=0.01)


def test_a_resumed_run_has_the_factor_that_it_had(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("yt8m_audio.training.loss_scale.STEPS_TO_GROW", 3)
    run(tmp_path, clips, precision="mixed_float16", max_steps=4)
    _, state = Checkpoints(tmp_path / "checkpoints").read(4, 0)
    assert state["loss_scale"] == [2 * FIRST_FACTOR, 1]
    run(tmp_path, clips, precision="mixed_float16", max_steps=6)
    _, state = Checkpoints(tmp_path / "checkpoints").read(6, 0)
    assert state["loss_scale"] == [4 * FIRST_FACTOR, 0]


def test_a_step_that_is_not_finite_changes_nothing_but_the_factor():
    scale = LossScale()
    scale.adapt(tf.constant(False))
    assert (float(scale.factor), int(scale.good_steps)) == (FIRST_FACTOR / 2, 0)
    scale.good_steps.assign(1999)
    scale.adapt(tf.constant(True))
    assert (float(scale.factor), int(scale.good_steps)) == (FIRST_FACTOR, 0)
    for _ in range(40):
        scale.adapt(tf.constant(False))
    assert float(scale.factor) == 1.0


@pytest.mark.parametrize("finite", [True, False])
def test_what_is_not_finite_is_put_back(finite):
    weight = keras.Variable([1.0, 2.0])

    @tf.function
    def step():
        before = [tf.identity(weight.value)]
        weight.assign([5.0, 6.0])
        restore_unless(tf.constant(finite), [weight], before)

    step()
    np.testing.assert_array_equal(weight, [5, 6] if finite else [1, 2])


# Clipping


def test_the_global_norm_is_clipped(clips, tmp_path):
    """One step of SGD moves all weights together by the rate times the norm."""
    first = {"optimizer": "SGD", "max_steps": 1, "base_learning_rate": 1.0}
    run(tmp_path / "none", clips, **first, clip_gradient_norm=0.0, clip_global_norm=1e-12)
    run(tmp_path / "clipped", clips, **first, clip_gradient_norm=0.0, clip_global_norm=0.01)
    pairs = zip(arrays(tmp_path / "none").values(), arrays(tmp_path / "clipped").values(), strict=True)
    moved = [np.sum((one - other) ** 2) for one, other in list(pairs)[:2]]
    assert np.sqrt(sum(moved)) == pytest.approx(0.01, rel=1e-3)


# Validation


def test_validation_every_so_many_steps(clips, tmp_path):
    said = io.StringIO()
    run(tmp_path, clips, validation=clips, validation_steps=5, said=said)
    heading, *rows = [line.split()[:2] for line in said.getvalue().splitlines()]
    assert (heading, rows) == (["epoch", "step"], [["0.8", "5"], ["1", "7"], ["1.6", "10"], ["2", "13"]])


def test_training_stops_when_validation_gets_no_better(clips, tmp_path):
    settings = {"validation_steps": 1, "early_stopping_patience": 2, "base_learning_rate": 1e-30, "num_epochs": 9}
    summary = run(tmp_path, clips, validation=clips, **settings)
    assert (summary.step, summary.stopped_early) == (3, True)
    again = run(tmp_path, clips, validation=clips, **settings)
    assert (again.first_step, again.step, again.stopped_early) == (3, 3, True)
    more = run(tmp_path, clips, validation=clips, **{**settings, "early_stopping_patience": 4})
    assert (more.step, more.stopped_early) == (5, True)


def test_a_run_killed_before_its_validation_makes_up_for_it(clips, tmp_path):
    run(tmp_path, clips, max_steps=7)
    said = io.StringIO()
    run(tmp_path, clips, validation=clips, max_steps=7, said=said)
    row = said.getvalue().splitlines()[-1]
    assert row.split()[:3] == ["1", "7", "│"]  # what it trained at is not known any more
    assert row.endswith("best")


@pytest.mark.parametrize(("metric", "better", "worse"), [("mAP", 0.5, 0.3), ("loss", 0.3, 0.5)])
def test_which_validation_is_better(metric, better, worse, tmp_path):
    validations = Validations(Checkpoints(tmp_path), metric, patience=2)
    found = [
        validations.take(step, {metric: value}) for step, value in enumerate([np.nan, worse, better, worse, better])
    ]
    assert found == [True, True, True, False, False]
    assert validations.exhausted
    resumed = Validations(Checkpoints(tmp_path), metric, patience=3)
    resumed.resume()
    assert (resumed.best, resumed.without_better, resumed.exhausted) == ({metric: better, "step": 2}, 2, False)
    resumed.take(4, {metric: worse})  # again, after a damaged checkpoint
    assert resumed.without_better == 2


def test_a_run_killed_between_its_two_notes_of_a_validation(tmp_path):
    validations = Validations(Checkpoints(tmp_path), "mAP", patience=2)
    validations.take(1, {"mAP": 0.3})
    validations.take(2, {"mAP": 0.2})
    Checkpoints(tmp_path).mark_best(3, "mAP", 0.4)
    resumed = Validations(Checkpoints(tmp_path), "mAP", patience=2)
    resumed.resume()
    assert (resumed.last_step, resumed.without_better) == (3, 0)
