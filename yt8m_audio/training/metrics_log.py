"""What a run writes of its figures: TensorBoard's scalars, and metrics.jsonl."""

import json

import numpy as np
import tensorflow as tf

from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.paths import AnyPath, os_errors

PR_THRESHOLDS = 201


class MetricsLog:
    """Writes figures to TensorBoard and to metrics.jsonl.

    A bucket's objects are written anew for each line: lines are few, one in ten seconds or with a checkpoint.
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
