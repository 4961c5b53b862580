"""The models that tag sounds: a run, an exported model, or several of them, as functions of a sound's frames.

model = open_tagging_model(asked)
model.score(frames, num_frames)     # uint8 or float32 [B, T, D], int32 [B] -> probabilities [B, C]
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import tensorflow as tf

from readers.pooling import pool_frames
from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.commands import assemble
from yt8m_audio.commands.calibrated import calibration_of
from yt8m_audio.commands.export import fed_with
from yt8m_audio.commands.exported_source import POOLED_PARTS, load_keras_file, load_saved_model
from yt8m_audio.commands.feature_sources import source_of_run
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import Calibration
from yt8m_audio.feature_source import NOTE, FeatureSource, read_feature_source
from yt8m_audio.flags import names_in
from yt8m_audio.labels import LabelMap, label_map_for
from yt8m_audio.prediction.ensembles import Member
from yt8m_audio.prediction.export import NOTES
from yt8m_audio.prediction.window_scores import Score
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints

CLIP_FRAMES = 10  # of a model that does not say: AudioSet's


class Asked(Protocol):
    """What a command line says of models; threshold and calibration are as inference.py takes them."""

    train_dir: str
    input_model: str
    checkpoint: str
    label_map: str
    threshold: str
    calibration: str


@dataclasses.dataclass(frozen=True)
class TaggingModel:
    """A model, or several that tag as one.

    Attributes:
        told: what it is, in a few words.
        score: gives probabilities [B, C] of frames [B, T, D] and how many there are.
        num_classes: C.
        frame_sizes: what D may be.
        clip_frames: frames of the clips that it was trained with.
        labels: names of the classes, or None.
        most_frames: that a window may have; None where it may have any number.
        source: where the features that it was trained on came from, where that is known.
        calibrations: of each model, its own or None.
    """

    told: str
    score: Score
    num_classes: int
    frame_sizes: tuple[int, ...]
    clip_frames: int
    labels: LabelMap | None
    most_frames: int | None = None
    source: FeatureSource | None = None
    calibrations: tuple[Calibration | None, ...] = (None,)

    def name_of(self, number: int) -> str:
        """The display name of a class."""
        return self.labels.names[number] if self.labels else f"class {number}"


def open_tagging_model(asked: Asked) -> TaggingModel:
    """Opens the models of --train_dir and --input_model; several give the mean of their probabilities.

    Raises:
        UserError: if there is none, one cannot be opened, it takes more than one feature, or they do not fit together.
    """
    models = [open_run(name, asked) for name in names_in(asked.train_dir)]
    models += [open_exported(name, asked.label_map) for name in names_in(asked.input_model)]
    if not models:
        raise UserError("--train_dir is missing: name the run directory that train.py left, such as runs/LstmModel.")
    return models[0] if len(models) == 1 else as_one(models)


def as_one(models: Sequence[TaggingModel]) -> TaggingModel:
    """Several models whose mean probability counts.

    Raises:
        UserError: if they have other numbers of classes, or were trained on features of other sources.
    """
    first = models[0]
    with_source = next((each for each in models if each.source), first)
    for each in models[1:]:
        if each.num_classes != first.num_classes:
            raise UserError(
                f"{first.told} has {first.num_classes:,} classes and {each.told} has {each.num_classes:,}: models that "
                "tag as one need the same ones."
            )
        if each.source and (differing := with_source.source.differing(each.source)):
            raise UserError(
                f"{with_source.told} was trained on features of {with_source.source.name} and {each.told} on those of "
                f"{each.source.name} ({', '.join(differing)} differ): models that tag as one need the same ones."
            )

    def score(frames: np.ndarray, num_frames: np.ndarray) -> np.ndarray:
        return np.mean([each.score(frames, num_frames) for each in models], axis=0)

    limits = [each.most_frames for each in models if each.most_frames]
    return dataclasses.replace(
        first,
        told=f"{len(models)} models",
        score=score,
        frame_sizes=tuple(set.intersection(*(set(each.frame_sizes) for each in models))),
        clip_frames=min(each.clip_frames for each in models),
        most_frames=min(limits, default=None),
        source=with_source.source,
        calibrations=tuple(each.calibrations[0] for each in models),
    )


def open_run(name: str, asked: Asked) -> TaggingModel:
    """Opens a run.

    Raises:
        UserError: if there is no such run or checkpoint, or it takes more than one feature.
    """
    run = RunDirectory(name)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    data, step = config.data, checkpoints.step_of(asked.checkpoint)
    if len(data.names) > 1:
        raise UserError(f"--train_dir={name} takes {' and '.join(data.names)}: sound alone gives one feature.")
    calibration = calibration_of(asked, run, step, data.num_classes)
    fed = fed_with(data)
    model = assemble.restore_model(
        config, checkpoints, step, {"features": fed, "num_frames": tf.TensorSpec((None,), tf.int32)}
    )
    temperature = calibration.temperature if calibration else 1.0
    member = Member(lambda inputs: model(inputs, training=False), temperature=temperature)
    return TaggingModel(
        told=f"{config.model.model} of {name}, step {step:,}",
        score=scoring(member.probabilities, "" if data.frame_features else data.pooling),
        num_classes=data.num_classes,
        frame_sizes=(sum(data.sizes),),
        clip_frames=clip_frames_of(data),
        labels=label_map_for(asked.label_map or data.label_map, data.num_classes),
        source=source_of_training(data),
        calibrations=(calibration,),
    )


def source_of_training(data: DataConfig) -> FeatureSource | None:
    """Where the features of a run came from, as far as that is known."""
    noted = source_of_run(data)
    if noted is None and not data.train_data_pattern:  # the sample, before it had a note
        return LogMelStatistics().described()
    return noted


def clip_frames_of(data: DataConfig) -> int:
    """Frames of the clips that a run was trained with."""
    return data.segment_size if data.segment_labels else data.max_frames or CLIP_FRAMES


def open_exported(name: str, label_map: str) -> TaggingModel:
    """Opens an exported model.

    Raises:
        UserError: if it is not there or cannot be loaded.
    """
    path = Path(name)
    if not path.exists():
        raise UserError(f"--input_model={name} is not there: name a SavedModel's folder or a .keras file.")
    exported = load_keras_file(name) if path.suffix == ".keras" else load_saved_model(name)
    *frames, size = exported.features[1:]
    fixed = frames[0] if frames else None

    def probabilities(inputs):
        return exported.score_batch({**inputs, "labels": inputs["num_frames"][:, None]})[0]

    return TaggingModel(
        told=name,
        score=scoring(probabilities, "" if frames else size, fixed),
        num_classes=exported.num_classes,
        frame_sizes=(size,) if frames else (size, size // POOLED_PARTS),
        clip_frames=fixed or CLIP_FRAMES,
        labels=label_map_for(label_map, exported.num_classes),
        most_frames=fixed,
        source=read_feature_source(path / NOTES / NOTE) if path.is_dir() else None,
    )


def scoring(probabilities: Callable, pooling: str | int, fixed: int | None = None) -> Score:
    """Makes the function that scores frames.

    Args:
        probabilities: gives [B, C] of features and num_frames.
        pooling: how frames become the one vector that a video-level model takes, or how long that is, which tells; ""
            where it takes frames.
        fixed: frames that the model takes, no more and no fewer: others are padded to it; None where it takes any.
    """
    function = tf.function(probabilities)

    def score(frames: np.ndarray, num_frames: np.ndarray) -> np.ndarray:
        if fixed and frames.shape[1] < fixed:
            frames = np.pad(frames, ((0, 0), (0, fixed - frames.shape[1]), (0, 0)))
        features = pool_frames(frames, num_frames, pooling_for(pooling, frames.shape[2])) if pooling else frames
        inputs = {"features": tf.constant(features), "num_frames": tf.constant(num_frames)}
        return function(inputs).numpy()

    return score


def pooling_for(pooling: str | int, size: int) -> str:
    """How frames of so many values are pooled, where that may be said by the length of what comes of it."""
    if isinstance(pooling, str):
        return pooling
    return "mean" if pooling == size else "mean_std_max"
