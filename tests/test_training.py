"""The training loop: it learns, it repeats, it goes on where it stopped, and it stops when it is told to."""

import io
import json
import math
import os
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
from readers import open_clips
from tests.trained import arrays
from yt8m_audio.batch import device_part, model_inputs
from yt8m_audio.config import Config, DataConfig, ModelConfig, TrainConfig
from yt8m_audio.examples import audioset_record
from yt8m_audio.progress_line import ProgressLine, Throughput, duration
from yt8m_audio.records import write_shard
from yt8m_audio.registry import MODELS
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.input_wait import InputWait
from yt8m_audio.training.loop import calibrated, steps_to_train, train
from yt8m_audio.training.losses import CrossEntropyLoss
from yt8m_audio.training.step import TrainCall

DATA = DataConfig(
    feature_names="audio_embedding", feature_sizes="16", frame_features=True, num_classes=4, max_frames=6, num_readers=2
)
DBOF = {"iterations": 3, "dbof_cluster_size": 8, "dbof_hidden_size": 4}  # batch normalisation and frame sampling


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """50 clips in 5 shards."""
    folder, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for shard in range(5):
        frames = random.integers(0, 256, (10, 6, 16), dtype=np.uint8)
        records = [audioset_record(f"clip{shard}{i}", [i % 4], frames[i]) for i in range(10)]
        write_shard(str(folder / f"{shard}.tfrecord"), records)
    return open_clips(f"{folder}/*.tfrecord", "train_data_pattern", DATA)


def config_of(model="DbofModel", hyper_parameters=DBOF, **settings):
    settings = {"batch_size": 8, "num_epochs": 2, "base_learning_rate": 0.01, **settings}
    return Config(DATA, ModelConfig(model, hyper_parameters), TrainConfig(**settings))


def run(folder, clips, config, line=None, validation=None):
    model = MODELS.get(config.model.model)

    def make_model():
        return model(num_classes=4, feature_sizes=(16,), **config.model.hyper_parameters)

    directory = RunDirectory(str(folder))
    directory.create()
    return train(config, make_model, clips, validation, directory, line or ProgressLine(io.StringIO()))


def last_arrays(folder):
    """Everything the newest checkpoint holds, in order."""
    return list(arrays(folder).values())


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


class Interrupting(ProgressLine):
    """Sends this process a signal as soon as a step is shown."""

    def __init__(self, number):
        super().__init__(io.StringIO())
        self.number = number

    def show(self, text):
        os.kill(os.getpid(), self.number)


def test_steps_fill_whole_batches_over_all_epochs(clips):
    assert steps_to_train(config_of(), 50) == 13  # 100 clips in batches of 8
    assert steps_to_train(config_of(max_steps=4), 50) == 4


def test_a_seeded_run_repeats(clips, tmp_path):
    for name in ("one", "other"):
        run(tmp_path / name, clips, config_of())
    assert same(last_arrays(tmp_path / "one"), last_arrays(tmp_path / "other"))


def test_another_seed_gives_other_weights(clips, tmp_path):
    run(tmp_path / "one", clips, config_of(max_steps=2))
    run(tmp_path / "other", clips, config_of(max_steps=2, seed=1))
    assert not same(last_arrays(tmp_path / "one"), last_arrays(tmp_path / "other"))


@pytest.mark.parametrize("stops", [[3], [6, 7], [1, 12]])
def test_a_resumed_run_ends_with_the_weights_of_one_that_never_stopped(stops, clips, tmp_path):
    run(tmp_path / "whole", clips, config_of())
    for step in stops:
        assert run(tmp_path / "parts", clips, config_of(max_steps=step)).step == step
    assert run(tmp_path / "parts", clips, config_of()).step == 13
    assert same(last_arrays(tmp_path / "whole"), last_arrays(tmp_path / "parts"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops_and_the_run_goes_on(number, clips, tmp_path):
    before = signal.getsignal(number)
    summary = run(tmp_path / "parts", clips, config_of(), Interrupting(number))
    assert summary.signal == number
    assert 0 < summary.step < 13
    assert signal.getsignal(number) == before
    run(tmp_path / "parts", clips, config_of())
    run(tmp_path / "whole", clips, config_of())
    assert same(last_arrays(tmp_path / "whole"), last_arrays(tmp_path / "parts"))


def test_a_damaged_checkpoint_is_passed_over(clips, tmp_path):
    run(tmp_path, clips, config_of(max_steps=3))
    run(tmp_path, clips, config_of(max_steps=6))
    newest = tmp_path / "checkpoints" / "step-00000006.npz"
    newest.write_bytes(newest.read_bytes()[:1000])
    said = io.StringIO()
    assert run(tmp_path, clips, config_of(), ProgressLine(said)).step == 13
    assert f"{newest} is damaged" in said.getvalue()
    assert "Resuming at step 3" in said.getvalue()


def test_validation_marks_the_best_checkpoint(clips, tmp_path):
    summary = run(tmp_path, clips, config_of(num_epochs=4), validation=clips)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert summary.best["step"] == checkpoints.best_step() == checkpoints.step_of("best")
    assert summary.best["mAP"] > 0.25  # better than chance, on the clips it has learnt


def test_checkpoints_come_at_epochs_and_export_steps(clips, tmp_path):
    run(tmp_path, clips, config_of(export_model_steps=5, keep_checkpoints=9))
    assert Checkpoints(tmp_path / "checkpoints").steps() == [5, 7, 10, 13]  # epochs end after 6.25 and 12.5 batches


def test_the_log_says_step_epoch_loss_and_rate(clips, tmp_path):
    said = io.StringIO()
    line = ProgressLine(said)
    line.last_time = -math.inf  # long ago
    run(tmp_path, clips, config_of("FrameLevelLogisticModel", {}), line)
    first, *rows = said.getvalue().splitlines()
    assert first.startswith("step 1/13 epoch 1/2 loss ")
    assert all(word in first for word in ("Hit@1", "GAP"))
    assert [row.split()[:2] for row in rows] == [["epoch", "step"], ["1", "7"], ["2", "13"]]
    assert len(rows[-1].split()) == 4  # loss and clips/s as well


def test_steps_that_wait_for_input_say_how_long():
    def slowly(number):
        time.sleep(0.05)
        return number

    dataset = tf.data.Dataset.range(9).map(lambda number: {"n": tf.numpy_function(slowly, [number], tf.int64)})
    wait, total = InputWait(tf.distribute.get_strategy()), tf.Variable(0, dtype=tf.int64)

    @tf.function
    def run_steps(iterator, steps):
        wait.begin()
        for _ in tf.range(steps):
            batch = next(iterator)
            wait.batch_is_there(batch)
            wait.step_is_done(total.assign_add(batch["n"]))

    run_steps(iter(dataset), tf.constant(8))
    assert wait.take() >= 8 * 0.04  # nothing to do in between
    assert wait.take() == 0


def test_computing_is_no_waiting(clips):
    """The last layer, which has few weights, is updated long before the first ones."""
    sizes = {"hidden_units": 512, "hidden_layers": 3, "dropout": 0.0}
    model = MODELS.get("FeatureLevelAttentionModel")(num_classes=4, feature_sizes=(16,), **sizes)
    batch = device_part(next(iter(clips.in_order(48))))
    model(model_inputs(batch))
    optimizer, config = keras.optimizers.SGD(), TrainConfig(batch_size=48)
    optimizer.build(model.trainable_variables)
    call = TrainCall(model, optimizer, CrossEntropyLoss(), config, tf.distribute.get_strategy(), (48, 4))
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    call.run(batches, tf.constant(2))
    call.report()
    begun = time.perf_counter()
    call.run(batches, tf.constant(20))
    wait, total = call.report().input_wait, time.perf_counter() - begun
    assert wait < 0.25 * total


def test_the_share_of_time_that_is_waited_is_logged(clips, tmp_path):
    run(tmp_path, clips, config_of())
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(0 <= each["input_wait"] <= 1 for each in logged)


def test_tensorboard_gets_the_starters_tags(clips, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, clips, config_of(), validation=clips)
    for part in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / "logs" / part)).Reload()
        assert {"Loss", "Hit@1", "PERR", "GAP"} <= set(events.Tags()["tensors"])


def test_tensorboard_gets_settings_and_a_precision_recall_curve(clips, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, clips, config_of(), validation=clips)
    train = EventAccumulator(str(tmp_path / "logs" / "train")).Reload()
    assert set(train.PluginTagToContent("hparams")) == {"_hparams_/session_start_info"}
    validation = EventAccumulator(str(tmp_path / "logs" / "validation")).Reload()
    (tag,) = validation.PluginTagToContent("pr_curves")
    counts = tf.make_ndarray(validation.Tensors(tag)[-1].tensor_proto)  # true and false positives and negatives, ...
    np.testing.assert_array_equal(counts[:4].sum(axis=0), 50 * 4)  # clips times classes, at each threshold
    np.testing.assert_array_equal(counts[:4, 0], [50, 150, 0, 0])  # everything is at least 0


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, "0:00:00"), (61.4, "0:01:01"), (3723, "1:02:03")])
def test_duration(seconds, expected):
    assert duration(seconds) == expected


def test_throughput_does_not_count_the_first_steps():
    throughput = Throughput(total_clips=1000)
    assert throughput.update(100) == (0.0, 0.0)
    throughput.start_time -= 2.0
    rate, left = throughput.update(300)
    assert rate == pytest.approx(100, rel=0.1)
    assert left == pytest.approx(7, rel=0.1)


@pytest.mark.parametrize(
    ("steps", "per_call", "seconds", "expected"), [(1, 1, 0.01, 4), (4, 4, 0.5, 4), (8, 8, 4.0, 1), (2, 8, 9.0, 8)]
)
def test_calls_grow_to_half_a_second(steps, per_call, seconds, expected):
    assert calibrated(steps, per_call, seconds) == expected
