"""Makes readers, clips and models of configs: the one place where the zoos meet the framework."""

import dataclasses
import functools
from collections.abc import Callable

import models  # noqa: F401  registers the models
import readers
from yt8m_audio import records
from yt8m_audio.config import Config, DataConfig, TrainConfig, changes, check_ranges
from yt8m_audio.errors import UserError
from yt8m_audio.registry import LOSSES, MODELS, READERS
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.sample import sample_patterns
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.loop import build
from yt8m_audio.training.optimizers import make_optimizer

SAMPLE_BATCH_SIZE = 32  # the starter's 1024 would leave the sample two steps an epoch
BEST_METRICS = ("hit@1", "perr", "gap@20", "map@20", "mAP", "auc", "d_prime", "d_prime_class_mean")
MODEL_SETTINGS = ("model", "feature_names", "feature_sizes", "num_classes", "frame_features", "max_frames", "reader")


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


def complete(config: Config, given: frozenset[str]) -> Config:
    """Fills in what was not given: from the first training record, and from the model's recommendations.

    Raises:
        UserError: if the model, the flags and the records do not fit together.
    """
    check_ranges(config.flat())
    check_names(config.train)
    model, train = MODELS.get(config.model.model), config.train
    frame_features = fitting_frame_features(config.data.frame_features, config.model.model, model.level)
    data = dataclasses.replace(config.data, frame_features=frame_features)
    shards = records.find_shards(train_pattern(data), "train_data_pattern")
    data = readers.resolve(data, records.first_record(shards, data.skip_corrupt_records), shards[0])
    if not data.train_data_pattern and "batch_size" not in given:
        train = dataclasses.replace(train, batch_size=SAMPLE_BATCH_SIZE)
    if train.base_learning_rate is None:
        train = dataclasses.replace(train, base_learning_rate=model.recommended_learning_rate)
    settings = {"input_normalization": model.recommended_input_normalization, **config.model.hyper_parameters}
    return Config(data, dataclasses.replace(config.model, hyper_parameters=settings), train)


def check_names(train: TrainConfig) -> None:
    """Raises a UserError about a loss, an optimizer or a metric that there is not."""
    LOSSES.get(train.label_loss)
    make_optimizer(dataclasses.replace(train, base_learning_rate=train.base_learning_rate or 1.0))
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


def check_resumable(saved: Config, config: Config, run: RunDirectory) -> dict:
    """Returns the settings in which a resumed run differs from before: name -> (old, new).

    Raises:
        UserError: if the model would be another one.
    """
    differing = changes(saved, config)
    fixed = [name for name in differing if name in (*MODEL_SETTINGS, *saved.model.hyper_parameters)]
    if fixed:
        name, (old, new) = fixed[0], differing[fixed[0]]
        raise UserError(
            f"--train_dir={run.path} holds a run of another model: --{name} is {old} there, {new} was asked for. Give "
            "another --train_dir, or --start_new_model to move that run aside."
        )
    return differing


def make_model_of(config: Config) -> Callable:
    """Returns a function that makes the model of a complete config, with weights not trained yet."""
    model = MODELS.get(config.model.model)
    return functools.partial(
        model,
        num_classes=config.data.num_classes,
        feature_sizes=config.data.sizes,
        **config.model.hyper_parameters,
    )


def open_clips(data: DataConfig, pattern: str, flag: str):
    """Opens the clips of a glob, and says of corrupt records that are left out.

    Args:
        data: complete settings.
        pattern: the glob.
        flag: the flag that gave it.
    """
    clips = readers.open_clips(pattern, flag, READERS.get(data.reader)(data))
    readers.resolve(dataclasses.replace(data, reader=""), records.first_record(clips.shards), clips.shards[0])
    for path, number in clips.lost.items():
        print(f"warning: {path}: {number} corrupt record{'s' if number > 1 else ''} left out.")
    if clips.lost:
        print(f"warning: {sum(clips.lost.values())} corrupt records left out in {len(clips.lost)} shards.")
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


def open_training_clips(data: DataConfig):
    """Opens the clips to train on, and those to validate on or None.

    Raises:
        UserError: if they cannot be opened, or two ways to validate are asked for.
    """
    if data.validation_data_pattern and data.validation_percent:
        raise UserError(
            "--validation_data_pattern and --validation_percent are two ways to validate: give one of them."
        )
    pattern = train_pattern(data)
    train_clips = open_clips(data, pattern, "train_data_pattern")
    if data.validation_percent:
        return tuple(train_clips.only(readers.held_out(data.validation_percent, inside)) for inside in (False, True))
    validation = data.validation_data_pattern
    return train_clips, open_clips(data, validation, "validation_data_pattern") if validation else None
