"""The models that inference.py predicts with, runs and exported ones, one or several, and the clips as they read them.

Models that read alike share one reading of the clips. The others (a model on the frames beside one on their mean) each
have their own, and batches come side by side.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from readers import Clips
from readers.stores import ArrayStore, SegmentStore
from yt8m_audio.batch import LABEL_KEYS
from yt8m_audio.commands import assemble
from yt8m_audio.commands.calibrated import calibration_of
from yt8m_audio.commands.exported_source import load_keras_file, load_saved_model, open_fitting
from yt8m_audio.commands.recordings import check_frames, whole_recordings, windows_of
from yt8m_audio.commands.sources import Asked
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import Calibration
from yt8m_audio.flags import InferenceFlags, names_in
from yt8m_audio.paths import AnyPath
from yt8m_audio.prediction.ensembles import Member
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.prediction.windows import Windows, clips_at_a_time
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints

READ = ("feature_names", "frame_features", "pooling", "segment_labels", "segment_size", "max_frames")
FLAG = "input_data_pattern"
DIGEST = "sha256"


@dataclasses.dataclass(frozen=True)
class Opened:
    """A model and the clips as it reads them.

    Attributes:
        name: as the command line gives it.
        clips: the clips.
        load: makes the function of features and num_frames that gives [B, C].
        gives: what that is, "logits" or "probabilities".
        facts: what its predictions depend on, as JSON takes it.
        label_map: path of the names of its classes, or "".
        step: of its checkpoint, where it is a run.
        calibration: its own, or None.
    """

    name: str
    clips: Clips
    load: Callable[[], Callable]
    gives: str
    facts: dict[str, Any]
    label_map: str
    step: int | None = None
    calibration: Calibration | None = None

    @property
    def num_classes(self) -> int:
        """C."""
        return self.clips.data.num_classes

    @property
    def temperature(self) -> float:
        """That its logits are divided by."""
        return self.calibration.temperature if self.calibration else 1.0


@dataclasses.dataclass(frozen=True)
class Models:
    """The models that predict together.

    Attributes:
        opened: one at least.
        readings: the clips, once for each way in which they are read.
        reads: which of the readings each model is fed from.
        windows: what clips are cut into, or None.
    """

    opened: list[Opened]
    readings: list[Clips]
    reads: list[int]
    windows: Windows | None = None

    @property
    def num_clips(self) -> int:
        """How many clips there are."""
        return len(self.readings[0])

    @property
    def told(self) -> str:
        """What predicts, in a few words."""
        if len(self.opened) > 1:
            return f"{len(self.opened)} models"
        return self.opened[0].name if self.opened[0].step is None else f"step {self.opened[0].step:,}"

    def members(self) -> list[Member]:
        """Loads the models."""
        pairs = zip(self.opened, self.reads, strict=True)
        return [Member(each.load(), each.gives, each.temperature, reads) for each, reads in pairs]

    def clips_at_a_time(self, batch_size: int, predictor: Predictor) -> int:
        """How many clips to read at a time, where so many clips or windows are predicted at a time."""
        if self.windows:
            return self.recordings_at_a_time(batch_size)
        return predictor.clips_at_a_time(
            [clips.in_order(batch_size, LABEL_KEYS).element_spec for clips in self.readings]
        )

    def recordings_at_a_time(self, batch_size: int) -> int:
        """How many recordings to read at a time, where so many windows are predicted at a time."""
        specs = [clips.in_order(1).element_spec["features"] for clips in self.readings]
        return min(clips_at_a_time(each, batch_size) for each in specs)

    def batches(self, numbers: range, batch_size: int) -> tf.data.Dataset:
        """Batches of some of the clips, in order; tuples of them where there are several readings."""
        sets = [part_of(clips, numbers).in_order(batch_size, LABEL_KEYS) for clips in self.readings]
        return sets[0] if len(sets) == 1 else tf.data.Dataset.zip(tuple(sets))


def open_models(asked: InferenceFlags) -> Models:
    """Opens the models of --train_dir and --input_model.

    Raises:
        UserError: if there is none, one cannot be opened, or they do not fit together or to the clips.
    """
    windows = windows_of(asked)
    opened = [open_run(name, asked, windows) for name in names_in(asked.train_dir)]
    opened += [open_exported(name, asked, windows) for name in names_in(asked.input_model)]
    if not opened:
        raise UserError("--train_dir is missing: name the run directory that train.py left, such as runs/LstmModel.")
    for each in opened[1:]:
        check_together(opened[0], each)
    kinds = [reading_of(each.clips.data) for each in opened]
    first = {kind: each.clips for kind, each in reversed(list(zip(kinds, opened, strict=True)))}
    order = sorted(first, key=kinds.index)
    return Models(opened, [first[kind] for kind in order], [order.index(kind) for kind in kinds], windows)


def reading_of(data: DataConfig) -> tuple:
    """What there is to tell two ways of reading apart."""
    return tuple(getattr(data, name) for name in READ)


def check_together(first: Opened, other: Opened) -> None:
    """Raises a UserError unless two models can be one ensemble."""
    if other.num_classes != first.num_classes:
        raise UserError(
            f"{first.name} has {first.num_classes:,} classes and {other.name} has {other.num_classes:,}: the models of "
            "an ensemble need the same ones."
        )
    if len(other.clips) != len(first.clips):
        raise UserError(
            f"{first.name} reads {len(first.clips):,} clips in the records and {other.name} {len(other.clips):,}: the "
            "models of an ensemble need the same ones (--segment_labels in training makes clips of segments)."
        )


# Opening one


def open_run(name: str, asked: InferenceFlags, windows: Windows | None) -> Opened:
    """Opens a run and the clips as it reads them.

    Raises:
        UserError: if there is no such run or checkpoint, or the clips do not fit.
    """
    run = RunDirectory(name)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    data = assemble.reading_as(config.data, asked)
    pattern = assemble.test_pattern(asked.input_data_pattern, FLAG, data)
    clips = assemble.open_like(data, pattern, FLAG)
    clips = whole_recordings(pattern, clips.data, asked) if windows else clips
    step = checkpoints.step_of(asked.checkpoint)
    calibration = calibration_of(asked, run, step, config.data.num_classes)
    facts = {"step": step, "checkpoint": digest_of(checkpoints.path(step))}

    def load():
        spec = clips.in_order(1).element_spec
        model = assemble.restore_model(config, checkpoints, step, windows.spec(spec, 1) if windows else spec)
        return lambda inputs: model(inputs, training=False)

    return Opened(name, clips, load, "logits", facts, config.data.label_map, step, calibration)


def open_exported(name: str, asked: InferenceFlags, windows: Windows | None) -> Opened:
    """Opens an exported model and the clips as it reads them.

    Raises:
        UserError: if it cannot be loaded, or the clips do not fit.
    """
    path = Path(name)
    if not path.exists():
        raise UserError(f"--input_model={name} is not there: name a SavedModel's folder or a .keras file.")
    if not asked.input_data_pattern:
        raise UserError(f"--{FLAG} is missing: give a glob of TFRecord files.")
    exported = load_keras_file(name) if path.suffix == ".keras" else load_saved_model(name)
    reading = {each: getattr(asked, each) for each in ("label_map", "skip_corrupt_records", "num_readers")}
    clips = open_fitting(exported, name, Asked(asked.input_data_pattern, FLAG, "input_model", **reading))
    if windows:
        clips = whole_recordings(asked.input_data_pattern, clips.data, asked)
        check_frames(exported.features[1], windows, name)
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    facts = {"files": [digest_of(each) for each in files]}

    def load():
        return lambda inputs: exported.score_batch({**inputs, "labels": inputs["num_frames"][:, None]})[0]

    return Opened(name, clips, load, "probabilities", facts, asked.label_map)


# Clips


def part_of(clips: Clips, numbers: range) -> Clips:
    """Some of the clips, in order."""
    selection = np.arange(numbers.start, numbers.stop)
    selection = selection if clips.selection is None else clips.selection[numbers.start : numbers.stop]
    return dataclasses.replace(clips, selection=selection)


# What predictions depend on


def digest_of(path: AnyPath) -> str:
    """A digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, DIGEST).hexdigest()


def records_of(clips: Clips) -> dict[str, Any]:
    """Which records the clips are: their number, and a digest of the shards' names and of where records lie in them."""
    store = clips.store.records if isinstance(clips.store, SegmentStore) else clips.store
    if isinstance(store, ArrayStore):
        return {"clips": len(clips), "packed": store.about}
    shards, digest = store.shards, hashlib.new(DIGEST)
    for each in ("\n".join(shards.paths).encode(errors="surrogateescape"), shards.starts, shards.ends, shards.offsets):
        digest.update(each)
    return {"clips": len(clips), "shards": digest.hexdigest()}
