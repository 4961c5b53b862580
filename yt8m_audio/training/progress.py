"""What a run says while it goes on: a line on the terminal or in a log, TensorBoard's scalars, metrics.jsonl."""

import dataclasses
import json
import shutil
import sys
import time

import numpy as np
import tensorflow as tf

from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.paths import AnyPath, os_errors

PR_THRESHOLDS = 201
LOG_SECONDS = 10.0  # between two lines where the output is no terminal


def duration(seconds: float) -> str:
    """Formats seconds as 1:02:03."""
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


@dataclasses.dataclass
class Throughput:
    """Clips a second and time left, from when the first steps (which compile) were done."""

    total_clips: int
    start_clips: int | None = None
    start_time: float = 0.0
    paused: float = 0.0

    def update(self, clips: int) -> tuple[float, float]:
        """Takes the clips done so far; returns clips a second and seconds left, 0 while unknown."""
        if self.start_clips is None:
            self.start_clips, self.start_time = clips, time.monotonic()
        elapsed = time.monotonic() - self.start_time - self.paused
        rate = (clips - self.start_clips) / elapsed if clips > self.start_clips and elapsed > 0 else 0.0
        return rate, (self.total_clips - clips) / rate if rate else 0.0


class ProgressLine:
    """One line that is rewritten in place in a terminal, and printed now and then in a log file."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.shown = 0
        self.last_time = time.monotonic()

    def show(self, text: str) -> None:
        """Shows the state of things; in a log only every ten seconds."""
        if self.live:
            text = text[: shutil.get_terminal_size().columns - 1]  # a longer one would wrap, and could not be rewritten
            self.stream.write("\r" + text.ljust(self.shown))
            self.stream.flush()
            self.shown = len(text)
        elif time.monotonic() - self.last_time >= LOG_SECONDS:
            self.last_time = time.monotonic()
            print(text, file=self.stream, flush=True)

    def say(self, text: str) -> None:
        """Prints a line that stays, in the place of the one that is rewritten."""
        self.clear()
        print(text, file=self.stream, flush=True)

    def clear(self) -> None:
        """Takes the rewritten line away."""
        if self.live and self.shown:
            self.stream.write("\r" + " " * self.shown + "\r")
            self.shown = 0


class MetricsLog:
    """Writes figures to TensorBoard and to metrics.jsonl.

    A bucket's objects are written anew for each line: lines are few, one in LOG_SECONDS or with a checkpoint.
    """

    def __init__(self, logs: AnyPath, jsonl: AnyPath, part: str):
        with os_errors(logs):
            self.writer = tf.summary.create_file_writer(str(logs))
        self.jsonl, self.part = jsonl, part

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Writes figures of a step; TensorBoard's tags are the dict's keys."""
        with os_errors(self.jsonl):
            with self.writer.as_default(step=step):
                for name, value in figures.items():
                    tf.summary.scalar(name, value)
            self.writer.flush()
            with self.jsonl.open("a") as file:
                file.write(json.dumps(as_json({"part": self.part, "step": step, **figures})) + "\n")

    def write_settings(self, settings: dict) -> None:
        """Writes a run's settings for TensorBoard's tab HPARAMS; what is None or a list stands there as text."""
        from tensorboard.plugins.hparams import api

        plain = {name: each if isinstance(each, bool | int | float) else str(each) for name, each in settings.items()}
        with self.writer.as_default(step=0):
            api.hparams(plain)
        self.writer.flush()

    def write_pr_curve(self, step: int, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Writes the precision-recall curve over pairs of a clip and a class, of any shape, for the tab PR CURVES."""
        from tensorboard.plugins.pr_curve import summary

        bins = (probabilities * (PR_THRESHOLDS - 1)).astype(np.int64)
        true, all_of_them = (np.bincount(each, minlength=PR_THRESHOLDS) for each in (bins[labels > 0], bins.ravel()))
        above, positives = (np.cumsum(each[::-1])[::-1] for each in (all_of_them, true))  # at least a threshold
        counts = positives, above - positives, above[0] - positives[0] - (above - positives), positives[0] - positives
        precision, recall = positives / np.maximum(above, 1), positives / max(positives[0], 1)
        curve = summary.raw_data_pb("micro", *counts, precision, recall, num_thresholds=PR_THRESHOLDS)
        with self.writer.as_default(step=step):
            tf.summary.experimental.write_raw_pb(curve.SerializeToString())
        self.writer.flush()
