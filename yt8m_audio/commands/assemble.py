"""Makes readers, clips and models of configs: the one place where the zoos meet the framework."""

import dataclasses
from collections.abc import Callable, Set
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import readers
from models.base import classifier_hyper_parameters
from readers.memory import free_bytes
from yt8m_audio.commands.feature_sources import check_source, with_source
from yt8m_audio.commands.outside_models import find_model, said_of_model
from yt8m_audio.config import Config, DataConfig, ModelConfig, TrainConfig, changes, check_ranges
from yt8m_audio.errors import UserError
from yt8m_audio.flags import TrainRequest, another_model
from yt8m_audio.held_out import held_out
from yt8m_audio.labels import read_label_map
from yt8m_audio.registry import LOSSES, hyper_parameters
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.sample import sample_patterns
from yt8m_audio.training.augmentation import check_augmentation
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.class_weights import (
    INVERSE_FREQUENCY,
    class_weights,
    kept_weights,
    read_weights,
    resumed_weights,
)
from yt8m_audio.training.loop import build, steps_to_train
from yt8m_audio.training.losses import LabelLoss, make_loss
from yt8m_audio.training.optimizers import check_optimizer
from yt8m_audio.training.schedules import make_schedule
from yt8m_audio.training.strategy import check_parts
from yt8m_audio.training.teacher import Teacher, read_teacher
from yt8m_audio.training.warm_start import check_warm_start

SAMPLE_BATCH_SIZE = 32  # the starter's 1024 would leave the sample two steps an epoch
BEST_METRICS = ("loss", "hit@1", "perr", "gap@20", "map@20", "mAP", "auc", "d_prime", "d_prime_class_mean")
MEMORY_SHARE = 4  # clips are kept in memory where they fit in so many-th of what is free
FIXED_SETTINGS = (
    "batch_size",
    "optimizer",
    "seed",
    "validation_percent",
    "cache",
    "sampling",
    "ema_momentum",
    "best_metric",
    "init_from",
    "freeze_matching",
)
MODEL_SETTINGS = (
    "model",
    "feature_names",
    "feature_sizes",
    "num_classes",
    "frame_features",
    "max_frames",
    "reader",
    "pooling",
    "segment_labels",
    "segment_size",
)


def train_pattern(data: DataConfig) -> str:
    """Returns the glob to train on: the built-in sample's where none was given."""
    return data.train_data_pattern or sample_patterns(print).train


def test_pattern(asked: str, flag: str, data: DataConfig) -> str:
    """Returns the glob to evaluate or predict: the built-in sample's where none was given and the run is of the sample.

    Raises:
        UserError: if none was given for a run that was trained on other records.
    """
    if not asked and data.train_data_pattern:
        raise UserError(
            f"--{flag} is missing: give a glob of TFRecord files. The run was trained on other records than the sample."
        )
    return asked or sample_patterns(print).test


def prepare(request: TrainRequest) -> tuple[Config, readers.Clips, readers.Clips | None]:
    """Fills in what was not given, from the first training record and the model's recommendations; opens the clips.

    Returns:
        The complete config, the clips to train on, and those to validate on or None.

    Raises:
        UserError: if the model, the flags and the records do not fit together.
    """
    config = request.config
    model, train = find_model(config.model.model), complete_loss(config.train)
    config = dataclasses.replace(config, model=complete_model(config.model))
    check_ranges(config.flat())
    check_names(train)
    check_data(config.data)
    check_validation(config.data, train)
    frame_features = fitting_frame_features(config.data.frame_features, config.model.model, model.level)
    check_augmentation(train, model.level, config.data.segment_labels)
    data = dataclasses.replace(config.data, frame_features=frame_features)
    if data.label_map and not data.num_classes:
        data = dataclasses.replace(data, num_classes=len(read_label_map(data.label_map)))
    clips = readers.open_clips(train_pattern(data), "train_data_pattern", data)
    if clips.data.segment_labels and not clips.store.num_ratings:
        raise UserError(
            f"--segment_labels: no segment of --train_data_pattern={data.train_data_pattern} is rated: train on "
            "records with segment_labels, such as 2019's validate split, or leave the flag out."
        )
    if not data.train_data_pattern and not request.resumed and "batch_size" not in request.given:
        train = dataclasses.replace(train, batch_size=SAMPLE_BATCH_SIZE)
    if "clip_global_norm" in request.given and "clip_gradient_norm" not in request.given:
        train = dataclasses.replace(train, clip_gradient_norm=0.0)
    if train.base_learning_rate is None:
        train = dataclasses.replace(train, base_learning_rate=model.recommended_learning_rate)
    config = with_source(Config(clips.data, config.model, train), clips, request.resumed)
    clips = dataclasses.replace(clips, data=config.data)
    check_mask_sizes(train, config.data)
    checked_model(config)
    check_learning(config, request.given, request.resumed)
    train_clips, validation_clips = split(clips)
    data = dataclasses.replace(config.data, cache=fitting_cache(train_clips, validation_clips))
    return dataclasses.replace(config, data=data), train_clips, validation_clips


def check_data(data: DataConfig) -> None:
    """Raises a UserError where settings of the data do not go together."""
    if data.segment_labels and data.sampling != "plain":
        raise UserError(
            f"--sampling={data.sampling} draws clips by the classes that are true of them, so that no segment that was "
            "rated false would ever come: leave --sampling or --segment_labels out."
        )
    if data.validation_data_pattern and data.validation_percent:
        raise UserError(
            "--validation_data_pattern and --validation_percent are two ways to validate: give one of them."
        )


def check_validation(data: DataConfig, train: TrainConfig) -> None:
    """Raises a UserError where settings are of validations, and there are none."""
    asked = [name for name in ("early_stopping_patience", "validation_steps") if getattr(train, name)]
    if asked and not (data.validation_percent or data.validation_data_pattern):
        raise UserError(
            f"--{asked[0]}={getattr(train, asked[0])} is of validations, and nothing is validated: give "
            "--validation_percent or --validation_data_pattern."
        )


def split(clips: readers.Clips) -> tuple[readers.Clips, readers.Clips | None]:
    """The clips to train on, and those to validate on or None."""
    data = clips.data
    if data.validation_percent:
        validation, others = clips.split(held_out(data.validation_percent))
        return others, validation
    pattern = data.validation_data_pattern
    return clips, open_like(data, pattern, "validation_data_pattern") if pattern else None


def fitting_cache(*clips: readers.Clips | None) -> str:
    """Whether the clips of a run are kept in memory: "memory" or "none".

    Raises:
        UserError: if that is asked for and they do not fit.
    """
    asked = clips[0].data.cache
    needed, free = sum(each.memory_bytes for each in clips if each), free_bytes()
    if asked == "auto":
        fits = needed < free / MEMORY_SHARE and not clips[0].is_indexed
        return "memory" if fits else "none"
    if asked == "memory" and free and needed > free:
        raise UserError(
            f"--cache=memory: the clips take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: train a new run "
            "with --cache=none, or from a packed folder (`python -m yt8m_audio repack GLOB FOLDER --format=packed`)."
        )
    return asked


def cached(config: Config, train_clips: readers.Clips, validation_clips: readers.Clips | None) -> tuple:
    """The same clips, in memory where the config says so."""
    if config.data.cache != "memory":
        return train_clips, validation_clips
    in_memory = tuple(clips and clips.in_memory() for clips in (train_clips, validation_clips))
    for clips in {id(each.named): each for each in in_memory if each}.values():
        for line in clips.lost_lines():
            print(line)
    if not len(in_memory[0].store.labels().values):
        raise UserError(
            f"None of the {len(in_memory[0]):,} clips of --train_data_pattern={config.data.train_data_pattern} has a "
            "label: there is nothing to learn."
        )
    return in_memory


def complete_model(config: ModelConfig) -> ModelConfig:
    """Fills in the hyper-parameters that were not given.

    Raises:
        UserError: if a whole number is neither at least 1 nor at least its default.
    """
    model = find_model(config.model)
    known = hyper_parameters(model)
    classifier = config.hyper_parameters.get("video_level_classifier_model")
    if "video_level_classifier_model" in known:
        classifier = classifier or known["video_level_classifier_model"].default
        classifier = find_model(classifier, "video_level_classifier_model")
        known = {**classifier_hyper_parameters(classifier), **known}
    defaults = {name: each.default for name, each in known.items()}
    settings = {**defaults, "input_normalization": model.recommended_input_normalization, **config.hyper_parameters}
    for name, value in settings.items():
        default = defaults.get(name)
        least = min(1, default) if type(default) is int else 1
        if type(value) is int and value < least:
            raise UserError(f"--{name}={value} must be at least {least}.")
    return ModelConfig(config.model, settings)


def complete_loss(train: TrainConfig) -> TrainConfig:
    """Fills in the hyper-parameters of the loss that were not given."""
    known = hyper_parameters(LOSSES.get(train.label_loss))
    settings = {name: train.loss_hyper_parameters.get(name, each.default) for name, each in known.items()}
    return dataclasses.replace(train, loss_hyper_parameters=settings)


def check_learning(config: Config, given: Set[str] = frozenset(), resumed: Config | None = None) -> None:
    """Looks at the files that the loss and the teacher need, before all clips are read.

    Args:
        config: a complete config.
        given: names of the flags given.
        resumed: the config of the run that is gone on with, or None.

    Raises:
        UserError: if one is not there or does not fit, or a weight is given to no teacher.
    """
    train = config.train
    weights = train.loss_hyper_parameters["class_weights"]
    if weights and weights != INVERSE_FREQUENCY and not same_class_weights(config, resumed):
        read_weights(weights, config.data.num_classes)
    stairs = [name for name in ("learning_rate_decay", "learning_rate_decay_examples") if name in given]
    if stairs and train.learning_rate_schedule != "staircase":
        raise UserError(
            f"--{stairs[0]} is of --learning_rate_schedule=staircase, and it is {train.learning_rate_schedule}: leave "
            "one of the two out."
        )
    if "teacher_weight" in given and not train.teacher:
        raise UserError(
            f"--teacher_weight={train.teacher_weight:g} is of no teacher: name one with --teacher, a CSV that "
            "inference.py wrote, or leave --teacher_weight out."
        )
    if train.teacher and config.data.segment_labels:
        raise UserError(
            f"--teacher={train.teacher}: segments cannot be taught, as a file of predictions is of whole clips: leave "
            "--teacher or --segment_labels out."
        )
    if train.teacher and not Path(train.teacher).is_file():
        raise UserError(f"--teacher={train.teacher} is no file: name the CSV that inference.py wrote.")


def same_class_weights(config: Config, resumed: Config | None) -> bool:
    """Whether a run is gone on with that has class weights already, of the setting that it still has."""
    asked = config.train.loss_hyper_parameters["class_weights"]
    return bool(asked and resumed and resumed.train.loss_hyper_parameters.get("class_weights") == asked)


def make_label_loss(request: TrainRequest, config: Config, train_clips: readers.Clips) -> LabelLoss:
    """Makes the label loss of a complete config; class weights are those of the run, or of the clips to train on."""
    asked, num_classes = config.train.loss_hyper_parameters["class_weights"], config.data.num_classes
    if same_class_weights(config, request.resumed):
        given = "class_weights" in request.given
        weights = resumed_weights(request.run, asked, num_classes, train_clips.labels, given)
    else:
        weights = class_weights(asked, num_classes, train_clips.labels)
    return make_loss(config.train, weights)


def label_loss_of(run: RunDirectory, config: Config) -> LabelLoss:
    """Makes the label loss that a run was trained with.

    Raises:
        UserError: if the run's class weights are not there.
    """
    asked = config.train.loss_hyper_parameters.get("class_weights")
    return make_loss(config.train, kept_weights(run, asked, config.data.num_classes) if asked else None)


def open_teacher(config: Config, train_clips: readers.Clips) -> Teacher | None:
    """Reads what the teacher of a config says of the clips to train on; None where there is none.

    Raises:
        UserError: if it cannot be read, or knows none of them.
    """
    path = config.train.teacher
    if not path:
        return None
    whole, video_ids = read_teacher(path, config.data.num_classes), train_clips.store.video_ids()
    video_ids = video_ids if train_clips.selection is None else video_ids[train_clips.selection]
    teacher = whole.only(video_ids)
    if not len(teacher):
        theirs, ours = (each[0].decode(errors="replace") for each in (whole.video_ids, video_ids))
        raise UserError(
            f"--teacher={path} has none of the {len(video_ids):,} clips to train on (its first is {theirs}, the clips' "
            f"first is {ours}): predict them, with inference.py --input_data_pattern='{train_pattern(config.data)}'."
        )
    return teacher


def check_mask_sizes(train: TrainConfig, data: DataConfig) -> None:
    """Raises a UserError where as much may be masked as there is."""
    limits = {"frame_mask_size": (data.max_frames, "frames"), "feature_mask_size": (sum(data.model_sizes), "features")}
    for name, (there, what) in limits.items():
        size = getattr(train, name)
        if size and size >= there:  # vectors have no frames, and no masks of any
            raise UserError(f"--{name}={size} may blank all of the {there} {what} of a clip: give a lower one.")


def checked_model(config: Config) -> keras.Model:
    """Makes the model once, so that what it cannot be made of is said before a run directory is touched.

    Returns:
        The model, built.

    Raises:
        UserError: if that fails, or if what it gives of one clip is not float32 [1, num_classes].
    """
    name, wanted = config.model.model, (1, config.data.num_classes)
    shape = (1, config.data.max_frames) if config.data.frame_features else (1,)
    with said_of_model(name, config.model.hyper_parameters):
        model = make_model_of(config)()
        logits = model(
            {
                "features": np.zeros((*shape, sum(config.data.model_sizes)), np.float32),
                "num_frames": np.ones(1, np.int32),
            }
        )
    if not hasattr(logits, "shape"):
        raise UserError(f"--model={name} gives a {type(logits).__name__} of a clip: it must give logits, one tensor.")
    found, kind = tuple(logits.shape), keras.backend.standardize_dtype(logits.dtype)
    if (found, kind) != (wanted, "float32"):
        raise UserError(
            f"--model={name} gives {kind} {list(found)} of one clip: it must give float32 {list(wanted)}, a logit of "
            "each class."
        )
    return model


def check_run(request: TrainRequest, config: Config, num_clips: int, strategy: tf.distribute.Strategy) -> None:
    """Looks for what would stop the run when it has begun, before anything is written.

    Args:
        request: what was asked for.
        config: complete settings.
        num_clips: clips to train on.
        strategy: the devices.

    Raises:
        UserError: if the batch, the learning rate, the devices, or the run that it begins with do not fit.
    """
    train = config.train
    check_parts(train, strategy)
    make_schedule(train, steps_to_train(config, num_clips))
    if request.resumed:
        checkpoints = Checkpoints(request.run.checkpoints)
        checkpoints.check_newest()
        done, total = checkpoints.steps()[-1], steps_to_train(config, num_clips)
        if done > total:
            raise UserError(
                f"--train_dir={request.run.path} holds a run of {done:,} steps, and {total:,} are asked for: give a "
                "higher --num_epochs or --max_steps, or another --train_dir."
            )
    elif train.init_from:
        check_warm_start(checked_model(config), train)


def check_names(train: TrainConfig) -> None:
    """Raises a UserError about a loss, an optimizer or a metric that there is not, or that cannot be made so."""
    make_loss(train)
    check_optimizer(train)
    if train.freeze_matching and not train.init_from:
        raise UserError("--freeze_matching freezes what --init_from brings: name a run with --init_from.")
    if train.best_metric not in BEST_METRICS:
        raise UserError(
            f"--best_metric={train.best_metric} is no metric to choose by. Known: {', '.join(BEST_METRICS)}."
        )


def fitting_frame_features(asked: bool | None, name: str, level: str) -> bool:
    """Returns whether the model is fed frames; raises a UserError where --frame_features says otherwise."""
    if asked and level == "video":
        raise UserError(
            f"--frame_features does not fit --model={name}, which takes one vector a clip: leave it out (frame records "
            "are then averaged over frames), or choose a frame-level model such as FrameLevelLogisticModel."
        )
    if asked is False and level == "frame":
        raise UserError(f"--model={name} takes frames: --frame_features must not be false.")
    return level == "frame"


def check_resumable(request: TrainRequest, config: Config) -> dict:
    """Returns the settings in which a resumed run differs from before, name -> (old, new); none of a new run.

    Raises:
        UserError: if the model would be another one.
    """
    saved, run = request.resumed, request.run
    if saved is None:
        return {}
    differing = changes(dataclasses.replace(saved, train=complete_loss(saved.train)), config)
    for name, (old, new) in differing.items():
        if name in (*MODEL_SETTINGS, *saved.model.hyper_parameters, *config.model.hyper_parameters):
            raise another_model(run, name, old, new)
        if name in FIXED_SETTINGS:
            raise UserError(
                f"--{name} was {'not set' if old in (None, '') else old} in the run in {run.path}, and cannot become "
                f"{new}: a run keeps it, so that it goes on exactly. Give another --train_dir, or --start_new_model to "
                "move that run aside."
            )
    return differing


def make_model_of(config: Config) -> Callable:
    """Returns a function that makes the model of a complete config, with weights not trained yet.

    It computes in the config's precision, as all that Keras makes after it does.
    """
    model = find_model(config.model.model)
    if "video_level_classifier_model" in config.model.hyper_parameters:
        find_model(config.model.hyper_parameters["video_level_classifier_model"], "video_level_classifier_model")

    def make():
        keras.config.set_dtype_policy(config.train.precision)
        return model(
            num_classes=config.data.num_classes,
            feature_sizes=config.data.model_sizes,
            **config.model.hyper_parameters,
        )

    return make


def open_like(data: DataConfig, pattern: str, flag: str) -> readers.Clips:
    """Opens other clips for a run: of any family that has the features that it was trained on.

    Args:
        data: the run's complete settings.
        pattern: the glob.
        flag: the flag that gave it.

    Raises:
        UserError: if they do not fit, or their features come from another embedding.
    """
    clips = readers.open_clips(pattern, flag, dataclasses.replace(data, reader="", feature_types=""))
    check_source(data, clips, flag)
    return clips


def restore_model(config: Config, checkpoints: Checkpoints, step: int, element_spec: dict):
    """Makes the model of a complete config, with the weights of a checkpoint."""
    model = make_model_of(config)()
    build(model, element_spec)
    checkpoints.restore(step, model.variables)
    return model


def reading_as(data: DataConfig, script) -> DataConfig:
    """Returns a run's data settings with what a script's own flags say of reading."""
    return dataclasses.replace(data, skip_corrupt_records=script.skip_corrupt_records, num_readers=script.num_readers)
