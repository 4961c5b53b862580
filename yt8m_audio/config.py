"""Every setting of a run, as frozen dataclasses that turn into flags, and into config.json and back.

Fields and their defaults are the starter code's where it has them. `None` (or "") means: read off the first
record, or recommended by the model; `resolve` steps fill it in before a run starts.
"""

import dataclasses
from typing import Any

from yt8m_audio.errors import UserError

LEAST = {
    "batch_size": 1,
    "num_epochs": 1,
    "max_steps": 1,
    "num_classes": 1,
    "max_frames": 1,
    "num_readers": 1,
    "segment_size": 1,
    "keep_checkpoints": 1,
    "export_model_steps": 0,
    "learning_rate_decay_examples": 1,
    "regularization_penalty": 0,
    "clip_gradient_norm": 0,
    "validation_percent": 0,
    "seed": 0,
    "top_k": 1,
    "teacher_weight": 0,
}
MOST = {"validation_percent": 99, "seed": 2**32 - 1, "teacher_weight": 1}
CHOICES = {
    "pooling": ("mean", "mean_std_max"),
    "cache": ("auto", "memory", "none"),
    "sampling": ("plain", "balanced", "weighted"),
    "precision": ("float32", "mixed_bfloat16"),
}
ABOVE_ZERO = ("base_learning_rate", "learning_rate_decay", "poll_seconds")


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """What is read, and how.

    Attributes:
        train_data_pattern: Glob of the training records, or several with commas between; when empty, the
            built-in sample.
        validation_data_pattern: Glob of records to validate on after each epoch.
        validation_percent: Share of the training clips, in percent, to hold out by a hash of the video id and
            validate on after each epoch. 10 holds out int(sha256(video_id), 16) % 10 == 0.
        feature_names: Features to read, with commas between, such as audio_embedding. Read off the first record
            when empty.
        feature_sizes: Their sizes, in the same order. Read off the first record when empty.
        feature_types: Their types, uint8 (quantised bytes) or float32, in the same order. Read off the first record
            when empty.
        frame_features: Whether the model is fed frames. Frame records feed a video-level model by pooling.
        pooling: How frames become the one vector that a video-level model takes: mean, or mean_std_max (three times
            as long).
        segment_labels: Train, evaluate or predict on YouTube-8M's rated segments, each of them a clip.
        segment_size: Frames of a segment.
        num_classes: Number of classes C; labels are 0 to C - 1. When not given, that of label_map, or else of the
            record family.
        max_frames: Frames kept of a clip; shorter clips are padded and masked. When not given, 10 if none of
            the first records has more, else 300.
        reader: Name of the reader; the record family is recognised from the first record when empty.
        label_map: CSV with the columns index and display_name, or YouTube-8M's vocabulary.csv. AudioSet's own for 527
            classes when empty.
        skip_corrupt_records: Skip and count records that are cut or fail their checksum, rather than stop.
        cache: Where the training clips are read from: memory (all of them are read into it once, as bytes), none
            (from their shards, each epoch anew) or auto (memory where they fit in a quarter of what is free).
        sampling: How training clips are drawn: plain (each once an epoch), balanced (each class as often as any
            other) or weighted (with weights inverse to how frequent their classes are).
        num_readers: Shards that are read at a time where they lie on another machine.
    """

    train_data_pattern: str = ""
    validation_data_pattern: str = ""
    validation_percent: int = 0
    feature_names: str = ""
    feature_sizes: str = ""
    feature_types: str = ""
    frame_features: bool | None = None
    pooling: str = "mean"
    segment_labels: bool = False
    segment_size: int = 5
    num_classes: int | None = None
    max_frames: int | None = None
    reader: str = ""
    label_map: str = ""
    skip_corrupt_records: bool = False
    cache: str = "auto"
    sampling: str = "plain"
    num_readers: int = 8

    @property
    def names(self) -> list[str]:
        """The feature names as a list."""
        return [name.strip() for name in self.feature_names.split(",") if name.strip()]

    @property
    def sizes(self) -> list[int]:
        """The feature sizes as a list.

        Raises:
            UserError: if they are no whole numbers.
        """
        try:
            return [int(size) for size in self.feature_sizes.split(",") if size.strip()]
        except ValueError:
            raise UserError(f"--feature_sizes={self.feature_sizes} must be whole numbers, such as 1024,128.") from None

    @property
    def types(self) -> list[str]:
        """The feature types as a list."""
        return [kind.strip() for kind in self.feature_types.split(",") if kind.strip()]

    @property
    def model_sizes(self) -> list[int]:
        """Sizes of the features as the model is fed them, after pooling."""
        return self.sizes if self.frame_features or self.pooling == "mean" else 3 * self.sizes


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Which model.

    Attributes:
        model: Name of the model; of your own, my_package.my_module:MyModel.
        hyper_parameters: Its constructor's keyword arguments.
    """

    model: str = "LogisticModel"
    hyper_parameters: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How the model is trained.

    Attributes:
        batch_size: Clips in a batch. 32 on the built-in sample when not given.
        num_epochs: Passes over the training clips.
        max_steps: Most steps to train, whatever num_epochs says.
        label_loss: Loss between logits and labels.
        loss_hyper_parameters: Its constructor's keyword arguments.
        teacher: CSV of predictions that inference.py wrote of the training clips; the model learns from them too.
        teacher_weight: Weight w of the teacher, 0 to 1: the loss is (1 - w) times the label loss plus w times the
            cross-entropy with the teacher's probabilities.
        optimizer: Optimizer, by the starter's name or Keras'.
        base_learning_rate: Learning rate to begin with. The model's recommendation when not given.
        learning_rate_decay: Factor of the learning rate each learning_rate_decay_examples clips.
        learning_rate_decay_examples: Clips after which the learning rate falls.
        regularization_penalty: Factor of the weights' L2 penalties.
        clip_gradient_norm: Largest norm of each variable's gradient; 0 does not clip.
        export_model_steps: Steps after which a checkpoint is written, beside that of each epoch.
        keep_checkpoints: Newest checkpoints to keep, beside the best.
        best_metric: Validation metric by which the best checkpoint is chosen.
        seed: Seed of initial weights, shuffling, dropout and sampling.
        precision: What is computed in: float32, or mixed_bfloat16 (products in bfloat16, weights in float32), which
            is faster where the processor has AVX512_BF16 or AMX, and on TPUs.
        log_device_placement: Whether TensorFlow says on which device each operation runs.
    """

    batch_size: int = 1024
    num_epochs: int = 5
    max_steps: int | None = None
    label_loss: str = "CrossEntropyLoss"
    loss_hyper_parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    teacher: str = ""
    teacher_weight: float = 0.5
    optimizer: str = "AdamOptimizer"
    base_learning_rate: float | None = None
    learning_rate_decay: float = 0.95
    learning_rate_decay_examples: int = 4_000_000
    regularization_penalty: float = 1.0
    clip_gradient_norm: float = 1.0
    export_model_steps: int = 1000
    keep_checkpoints: int = 3
    best_metric: str = "mAP"
    seed: int = 0
    precision: str = "float32"
    log_device_placement: bool = False


@dataclasses.dataclass(frozen=True)
class Config:
    """Every setting of a run, in three parts."""

    data: DataConfig = DataConfig()
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)

    def to_dict(self) -> dict:
        """Returns nested dicts, as config.json holds them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict) -> "Config":
        """Rebuilds a config from `to_dict`; settings that are not there take their defaults."""
        parts = {"data": DataConfig, "model": ModelConfig, "train": TrainConfig}
        return cls(**{name: _rebuild(part, settings.get(name, {})) for name, part in parts.items()})

    def flat(self) -> dict[str, Any]:
        """Returns all settings by flag name, the hyper-parameters of the model and of the loss among them."""
        data, model, train = (dataclasses.asdict(part) for part in (self.data, self.model, self.train))
        loss = train.pop("loss_hyper_parameters")
        return {**data, "model": model["model"], **model["hyper_parameters"], **train, **loss}


def check_ranges(settings: dict[str, Any]) -> None:
    """Raises a UserError about the first number that is out of its range, or word that is no choice."""
    for name, value in settings.items():
        if value is None:
            continue
        if name in CHOICES and value not in CHOICES[name]:
            raise UserError(f"--{name}={value} is none of {', '.join(CHOICES[name])}.")
        if name in LEAST and not value >= LEAST[name]:
            raise UserError(f"--{name}={value} must be at least {LEAST[name]}.")
        if name in MOST and value > MOST[name]:
            raise UserError(f"--{name}={value} must be at most {MOST[name]}.")
        if name in ABOVE_ZERO and not value > 0:
            raise UserError(f"--{name}={value} must be above 0.")


def _rebuild(cls: type, settings: dict) -> Any:
    """Builds a dataclass from those settings that it knows."""
    known = {field.name for field in dataclasses.fields(cls)}
    return cls(**{name: value for name, value in settings.items() if name in known})


def changes(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Returns the settings in which two configs differ: flag name -> (old, new)."""
    before, after = old.flat(), new.flat()
    names = [*before, *(name for name in after if name not in before)]
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
