"""Trains and validates: the loop around a Keras model.

    summary = train(config, make_model, train_clips, validation_clips, RunDirectory("runs/LstmModel"))

`train_clips` and `validation_clips` are what `readers.open_clips` gives. Batch k, and every random number of step k,
are functions of (seed, k), so that a run which was stopped goes on as if it had not been.
"""

import contextlib
import dataclasses
import io
import math
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.batch import HOST_KEYS, model_inputs
from yt8m_audio.config import Config
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.metrics import global_average_precision, precision_at_equal_recall_rate
from yt8m_audio.evaluation.scoring import score, scoring_function
from yt8m_audio.progress_line import LOG_SECONDS, ProgressLine, Throughput, duration
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.epoch_table import EpochTable
from yt8m_audio.training.interruption import interruption
from yt8m_audio.training.losses import LabelLoss, make_loss
from yt8m_audio.training.metrics_log import MetricsLog
from yt8m_audio.training.optimizers import build_optimizer, make_optimizer
from yt8m_audio.training.snapshots import Snapshots
from yt8m_audio.training.step import StepReport, TrainCall
from yt8m_audio.training.strategy import distributed
from yt8m_audio.training.teacher import Teacher
from yt8m_audio.training.validations import Validations
from yt8m_audio.training.warm_start import warm_start
from yt8m_audio.training.workers import Workers

SECONDS_PER_CALL = 0.5  # long enough to spend no time between calls, short enough to stop at once


@dataclasses.dataclass(frozen=True)
class Summary:
    """How a run ended.

    Attributes:
        first_step: steps done before, where the run was resumed.
        step: steps done.
        total_steps: steps that were asked for.
        best: figures of the best validation, or None.
        signal: the signal that stopped the run, or None.
        stopped_early: whether validations did not get better any more.
        seconds: time spent.
    """

    first_step: int
    step: int
    total_steps: int
    best: dict | None
    signal: int | None
    stopped_early: bool
    seconds: float


def steps_to_train(config: Config, num_clips: int) -> int:
    """Returns how many steps the epochs take, at most max_steps; only the run's last batch may be short."""
    steps = math.ceil(config.train.num_epochs * num_clips / config.train.batch_size)
    return steps if config.train.max_steps is None else min(steps, config.train.max_steps)


def train(
    config: Config,
    make_model: Callable[[], keras.Model],
    train_clips,
    validation_clips,
    run: RunDirectory,
    line: ProgressLine | None = None,
    loss: LabelLoss | None = None,
    teacher: Teacher | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Summary:
    """Trains a model, from the newest checkpoint of the run if there is one.

    Args:
        config: complete settings.
        make_model: makes the model that they describe.
        train_clips: clips to train on.
        validation_clips: clips to validate on, or None.
        run: where checkpoints and logs go.
        line: where to say how it goes; of several workers, only the chief says it when None.
        loss: the label loss, where class weights were computed for it; else that of the config is made.
        teacher: what the model learns from beside the labels, or None.
        strategy: the devices, TensorFlow's own when None.

    Raises:
        UserError: if a loss is not finite, a record cannot be read, or a checkpoint cannot be written.
    """
    begun = time.monotonic()
    with interruption() as interrupted:
        workers = Workers(strategy or tf.distribute.get_strategy())
        line = line or ProgressLine(None if workers.is_chief else io.StringIO())
        session = Session(config, make_model, train_clips, validation_clips, run, line, loss, teacher, workers)
        session.resume()
        first_step = session.step
        try:
            session.run_until_done(interrupted)
            line.clear()
            workers.wait()  # the chief may still be writing, and one that left would count as dead
        except tf.errors.OpError:
            session.save_snapshot()
            raise
    seconds = time.monotonic() - begun
    signal, early = interrupted.signal, session.validations.exhausted
    return Summary(first_step, session.step, session.total_steps, session.validations.best, signal, early, seconds)


class Session:
    """One process's part of a run: model, optimizer, data and where they stand."""

    def __init__(
        self,
        config: Config,
        make_model,
        train_clips,
        validation_clips,
        run: RunDirectory,
        line: ProgressLine,
        loss: LabelLoss | None,
        teacher: Teacher | None,
        workers: Workers,
    ):
        self.config, self.run, self.line, self.teacher = config, run, line, teacher
        self.train_clips, self.validation_clips = train_clips, validation_clips
        self.total_steps = steps_to_train(config, len(train_clips))
        self.step = 0
        self.workers, self.strategy = workers, workers.strategy
        batch_size = config.train.batch_size
        self.checkpoints = Checkpoints(run.checkpoints, config.train.keep_checkpoints)
        patience = config.train.early_stopping_patience
        self.validations = Validations(self.checkpoints, config.train.best_metric, patience)
        loss = loss or make_loss(config.train)
        keras.utils.set_random_seed(config.train.seed)
        with self.strategy.scope():
            self.model, self.optimizer = make_model(), make_optimizer(config.train, self.total_steps)
            build(self.model, train_clips.in_order(batch_size).element_spec)
            warm_start(self.model, run, config.train, self.line.say, workers.is_chief)
            build_optimizer(self.optimizer, self.model.trainable_variables)
        shape = (batch_size, config.data.num_classes)
        self.call = TrainCall(self.model, self.optimizer, loss, config.train, self.strategy, shape)
        self.score_batch = scoring_function(self.model, loss)
        parts = ("train", "validation") if workers.is_chief else ()
        self.logs = {part: MetricsLog(run.logs(part), run.metrics_file, part) for part in parts}
        self.steps_per_call = config.train.steps_per_call or 1
        self.in_calls, self.waited = 0.0, 0.0  # seconds, since the log was last written
        self.logged = 0.0
        self.trained: tuple[float, float] | None = None  # loss and clips a second, of the last call
        self.table = EpochTable(self.line.say, bool(validation_clips))
        may_lose_others = workers.is_chief and len(workers.names) > 1
        self.snapshots = Snapshots(self.call) if may_lose_others else None
        self.throughput = Throughput(self.total_steps * batch_size)

    def resume(self) -> None:
        """Goes to where the newest whole checkpoint stands."""
        state = self.restored()
        if state:
            self.step = state["step"]
            self.call.resume(state)
            self.validations.resume()
            self.line.say(f"Resuming at step {self.step:,} of {self.total_steps:,}.")
        elif self.workers.is_chief:
            self.logs["train"].write_settings(self.config.flat())

    def restored(self) -> dict | None:
        """Restores the newest whole checkpoint, which the chief looks for, and returns its state."""
        state, chief = None, self.workers.is_chief
        if chief:
            state = self.checkpoints.restore_newest(self.call.variables, self.line.say)
        step = int(self.workers.said([state["step"] if state else 0])[0, 0])
        return state if chief or not step else self.checkpoints.restore(step, self.call.variables)

    def run_until_done(self, interrupted) -> None:
        """Calls the device until all steps are done or a signal has come, and leaves a checkpoint."""
        if self.validation_due() and self.validations.last_step < self.step:  # killed in between
            self.add_row(self.validate())
        iterator = self.batches_from(self.step) if self.step < self.total_steps else None
        saved = self.step
        while self.step < self.total_steps and self.goes_on(interrupted):
            steps = min(self.steps_per_call, self.next_stop(self.step) - self.step)
            begun = time.monotonic()
            report = self.call_device(iterator, steps)
            if not self.config.train.steps_per_call:
                self.steps_per_call = calibrated(steps, self.steps_per_call, time.monotonic() - begun)
            at_stop = self.step == self.next_stop(self.step - 1)
            self.show(report, at_stop)
            if self.snapshots:
                self.snapshots.take(self.step)
            if at_stop:
                self.pause_at_stop()
                saved = self.step
        if saved != self.step:
            self.save()

    def goes_on(self, interrupted) -> bool:
        """Whether there is a next call; the workers agree on it, on the signal behind it, and on its steps."""
        said = self.workers.said([interrupted.signal or 0, self.validations.exhausted, self.steps_per_call])
        signal, self.steps_per_call = int(said[:, 0].max()), int(said[0, 2])
        interrupted.signal = signal or interrupted.signal  # one may have come in between: for the next time
        return not signal and not said[0, 1]

    def batches_from(self, step: int):
        """An iterator of the batches from that step on, without what stays on the host."""
        train = self.config.train
        taught = self.teacher is not None
        without = () if taught else HOST_KEYS
        dataset = self.train_clips.shuffled(train.batch_size, train.num_epochs, train.seed, step, without)
        if taught:
            dataset = self.teacher.join(dataset, train.teacher_weight)
        return iter(distributed(self.strategy, dataset, train.batch_size))

    def epochs_done(self, step: int) -> int:
        """Epochs that are wholly seen after so many steps."""
        return min(step * self.config.train.batch_size // len(self.train_clips), self.config.train.num_epochs)

    def next_stop(self, step: int) -> int:
        """The next step after which a checkpoint is due: of an epoch, a validation, export_model_steps, or the last."""
        train = self.config.train
        epoch_end = math.ceil((self.epochs_done(step) + 1) * len(self.train_clips) / train.batch_size)
        stops = [(step // every + 1) * every for every in (train.export_model_steps, train.validation_steps) if every]
        return min(epoch_end, self.total_steps, *stops)

    def epoch_ended(self) -> bool:
        """Whether the last step was the last of an epoch."""
        return self.step > 0 and self.epochs_done(self.step) > self.epochs_done(self.step - 1)

    def validation_due(self) -> bool:
        """Whether the model is to be validated as it is, by this worker."""
        every = self.config.train.validation_steps
        due = self.epoch_ended() or self.step == self.total_steps or (every and self.step and self.step % every == 0)
        return bool(self.workers.is_chief and self.validation_clips and due)

    def call_device(self, iterator, steps: int) -> StepReport:
        """Runs some steps, and turns what went wrong into an error about it."""
        begun = time.monotonic()
        with self.train_clips.errors_explained():
            self.call.run(iterator, tf.constant(steps))
        report = self.call.report()
        self.in_calls += time.monotonic() - begun
        self.waited += report.input_wait or 0.0
        if report.not_finite_at is not None:
            raise self.not_finite(f"The loss is not finite at step {report.not_finite_at}")
        self.step += steps
        if not np.isfinite(report.probabilities).all():  # a scaled loss passes over what is not finite
            raise self.not_finite(f"What the model gives is not finite at step {self.step}")
        return report

    def not_finite(self, what: str) -> UserError:
        """The error about numbers that overflowed."""
        before = [step for step in self.checkpoints.steps() if step < self.step]
        last = f"the checkpoint of step {before[-1]} is from before it" if before else "no checkpoint is from before it"
        return UserError(
            f"{what}; {last}. Lower --base_learning_rate (now {self.config.train.base_learning_rate:g}) or look for "
            "broken features."
        )

    def show(self, report: StepReport, at_stop: bool) -> None:
        """Updates the progress line; at a stop, the logs as well."""
        clips = self.step * self.config.train.batch_size
        rate, left = self.throughput.update(clips)
        epoch = min(self.epochs_done(self.step - 1) + 1, self.config.train.num_epochs)
        gap, perr = ranking_figures(report)
        self.trained = report.loss, rate
        self.line.show(
            f"step {self.step:,}/{self.total_steps:,} epoch {epoch}/{self.config.train.num_epochs} "
            f"loss {report.loss:.4f} Hit@1 {report.hit_at_one:.3f} GAP {gap:.3f}"
            + (f" {rate:,.0f} clips/s {duration(left)} left" if rate else "")  # unknown before the second call
        )
        if self.logs and (at_stop or time.monotonic() - self.logged >= LOG_SECONDS):
            self.logged = time.monotonic()
            figures = {
                "Loss": report.loss,
                "Hit@1": report.hit_at_one,
                "PERR": perr,
                "GAP": gap,
                "learning_rate": float(self.optimizer.learning_rate),
                "examples_per_second": rate,
            }
            if report.input_wait is not None:
                figures["input_wait"] = self.waited / self.in_calls  # share of the time, 0 to 1
            self.in_calls, self.waited = 0.0, 0.0
            self.logs["train"].write(self.step, figures)

    def pause_at_stop(self) -> None:
        """Writes a checkpoint, and validates where that is due."""
        begun = time.monotonic()
        self.save()
        figures = self.validate() if self.validation_due() else None
        if figures or self.epoch_ended():
            self.add_row(figures)
        if self.epoch_ended():
            self.tell_of_corrupt_records()
        self.throughput.paused += time.monotonic() - begun

    def tell_of_corrupt_records(self) -> None:
        """Says what has been left out so far, once of clips that come from the same shards."""
        stores = {id(clips.named): clips for clips in (self.train_clips, self.validation_clips) if clips}
        for clips in stores.values():
            for text in clips.lost_lines():
                self.line.say(f"epoch {self.epochs_done(self.step)}: {text}")

    def validate(self) -> dict:
        """Evaluates on the validation clips; returns the figures, and under `best` whether they are the best so far."""
        config, clips = self.config, self.validation_clips
        average = self.call.average
        with clips.errors_explained(), average.in_use() if average else contextlib.nullcontext():
            batches, num_classes = clips.in_order(config.train.batch_size), config.data.num_classes
            scores = score(self.score_batch, batches, len(clips), num_classes)
        if not np.isfinite(scores.probabilities).all():
            raise self.not_finite(f"What the model gives is not finite after step {self.step}")
        figures = evaluate(scores.probabilities, scores.labels, loss=scores.loss, rated=scores.rated)
        tags = {"Loss": figures["loss"], "Hit@1": figures["hit@1"], "PERR": figures["perr"], "GAP": figures["gap@20"]}
        self.logs["validation"].write(self.step, {**figures, **tags})
        rated = slice(None) if scores.rated is None else scores.rated
        self.logs["validation"].write_pr_curve(self.step, scores.probabilities[rated], scores.labels[rated])
        return {**figures, "best": self.validations.take(self.step, figures)}

    def add_row(self, validation: dict | None) -> None:
        """Prints what training and validation say at a stop."""
        done = self.step * self.config.train.batch_size / len(self.train_clips)
        epoch = self.epochs_done(self.step) if self.epoch_ended() else min(done, self.config.train.num_epochs)
        self.table.add(epoch, self.step, self.trained, validation)

    def save(self) -> None:
        """Writes a checkpoint, if this worker is the one that writes."""
        if self.workers.is_chief:
            self.checkpoints.save(self.step, self.call.variables, **self.call.state)

    def save_snapshot(self) -> None:
        """Writes a checkpoint of a moment ago, where a call has failed and this is the worker that writes."""
        step = self.snapshots.save(self.checkpoints) if self.snapshots else None
        if step is not None:
            self.line.say(f"Saved step {step:,}, a moment before.")


def ranking_figures(report: StepReport) -> tuple[float, float]:
    """GAP and PERR of the last batch; nan where it held nothing but corrupt records."""
    if not len(report.labels):
        return math.nan, math.nan
    scores = report.probabilities, report.labels
    return global_average_precision(*scores), precision_at_equal_recall_rate(*scores)


def build(model: keras.Model, batch_spec: dict) -> None:
    """Makes a model's variables, by calling it once on a clip of zeros."""
    model({key: tf.zeros([1, *spec.shape[1:]], spec.dtype) for key, spec in model_inputs(batch_spec).items()})


def calibrated(steps: int, steps_per_call: int, seconds: float) -> int:
    """How many steps the next call shall run: at most four times as many, to take about SECONDS_PER_CALL."""
    if steps < steps_per_call:  # cut short by a stop: it says nothing
        return steps_per_call
    fitting = int(steps * SECONDS_PER_CALL / max(seconds, 1e-3))
    return max(1, min(fitting, 4 * steps_per_call))
