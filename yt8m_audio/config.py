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
    "bootstrap": 0,
    "max_eval_memory": 1,
    "compare_clips": 1,
    "teacher_weight": 0,
    "warmup_steps": 0,
    "weight_decay": 0,
    "clip_global_norm": 0,
    "ema_momentum": 0,
    "mixup_alpha": 0,
    "frame_dropout": 0,
    "frame_mask_size": 0,
    "feature_mask_size": 0,
    "accumulation_steps": 1,
    "split_seconds": 0,
    "workers": 1,
    "steps_per_call": 0,
    "validation_steps": 0,
    "early_stopping_patience": 0,
    "num_gpu": 0,
    "num_cpu_devices": 1,
    "per_class": 1,
    "number": 1,
    "min_duration": 0,
    "depth": 1,
    "top": 1,
}
MOST = {
    "validation_percent": 99,
    "seed": 2**32 - 1,
    "teacher_weight": 1,
    "ema_momentum": 0.9999999,
    "frame_dropout": 0.99,
    "mixup_alpha": 100,
}
CHOICES = {
    "strategy": ("auto", "cpu", "gpu", "mirrored", "multi_worker", "tpu"),
    "pooling": ("mean", "mean_std_max"),
    "rank": ("mean", "peak"),
    "cache": ("auto", "memory", "none"),
    "sampling": ("plain", "balanced", "weighted"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "learning_rate_schedule": ("staircase", "cosine", "constant"),
}
ABOVE_ZERO = ("base_learning_rate", "learning_rate_decay", "poll_seconds", "hop_seconds", "window_seconds")


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
        feature_source: What the note beside the training records says of where their features came from, as
            yt8m_audio.feature_source has it; None where there is none.
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
    feature_source: dict[str, Any] | None = None

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
        base_learning_rate: Learning rate to begin with, or after the warm-up. The model's recommendation when not
            given.
        learning_rate_schedule: How the learning rate falls: staircase (as the next two flags say), cosine (to 0 at the
            run's last step) or constant.
        learning_rate_decay: Factor of the learning rate each learning_rate_decay_examples clips, of the staircase.
        learning_rate_decay_examples: Clips after which the learning rate falls, of the staircase.
        warmup_steps: Steps in which the learning rate rises from 0, in proportion.
        regularization_penalty: Factor of the weights' L2 penalties.
        weight_decay: Share of each weight that a step takes off, times the learning rate; biases and the like keep
            theirs.
        clip_gradient_norm: Largest norm of each variable's gradient; 0 does not clip.
        clip_global_norm: Largest norm of all variables' gradients together; 0 does not clip. Where it is given,
            clip_gradient_norm is 0 unless that is given too.
        ema_momentum: Momentum of a moving average of the weights, such as 0.999, which is then what is validated,
            evaluated and exported; 0 has none.
        mixup_alpha: Clips are mixed in pairs, and so are their labels, with a weight drawn from Beta(a, a); 0 does not.
        frame_dropout: Share of the frames that is left out in training, drawn anew for each clip and step.
        frame_shuffle: Whether a clip's frames come in a random order in training.
        frame_mask_size: Most frames in a row that are blanked in training, as SpecAugment does; 0 blanks none.
        feature_mask_size: Most features in a row that are blanked in training, the same in all frames; 0 blanks none.
        init_from: Run directory whose best weights a new run begins with, as far as names and shapes fit.
        freeze_matching: Whether the weights taken from init_from stay as they are.
        accumulation_steps: Parts in which a batch is computed one after the other, to save memory.
        steps_per_call: Steps that a device does in one call. As many as take half a second when 0.
        jit_compile: Whether a step is compiled by XLA, on one device; on a TPU it always is.
        export_model_steps: Steps after which a checkpoint is written, beside that of each epoch.
        validation_steps: Steps after which the model is validated, beside each epoch's end; 0 is at each epoch's end.
        early_stopping_patience: Validations in a row without a better best_metric after which training ends; 0 never.
        keep_checkpoints: Newest checkpoints to keep, beside the best.
        best_metric: Validation metric by which the best checkpoint is chosen: the highest, of loss the lowest.
        seed: Seed of initial weights, shuffling, dropout and sampling.
        precision: What is computed in: float32, mixed_bfloat16 (products in bfloat16, weights in float32), which
            is faster where the processor has AVX512_BF16 or AMX, and on TPUs, or mixed_float16 (the loss scaled), for
            older GPUs.
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
    learning_rate_schedule: str = "staircase"
    learning_rate_decay: float = 0.95
    learning_rate_decay_examples: int = 4_000_000
    warmup_steps: int = 0
    regularization_penalty: float = 1.0
    weight_decay: float = 0.0
    clip_gradient_norm: float = 1.0
    clip_global_norm: float = 0.0
    ema_momentum: float = 0.0
    mixup_alpha: float = 0.0
    frame_dropout: float = 0.0
    frame_shuffle: bool = False
    frame_mask_size: int = 0
    feature_mask_size: int = 0
    init_from: str = ""
    freeze_matching: bool = False
    accumulation_steps: int = 1
    steps_per_call: int = 0
    jit_compile: bool = False
    export_model_steps: int = 1000
    validation_steps: int = 0
    early_stopping_patience: int = 0
    keep_checkpoints: int = 3
    best_metric: str = "mAP"
    seed: int = 0
    precision: str = "float32"
    log_device_placement: bool = False


@dataclasses.dataclass(frozen=True)
class DeviceConfig:
    """Where it is trained.

    Attributes:
        strategy: Devices to train on: cpu, gpu (one), mirrored (all GPUs of this machine, or num_cpu_devices),
            multi_worker (the machines that TF_CONFIG names), tpu, or auto: the best of them that is there.
        num_gpu: GPUs to use. All when not given.
        num_cpu_devices: Logical devices that the CPU is divided into, for --strategy=mirrored without GPUs.
        tpu: Name of the TPU, or local on a TPU VM.
    """

    strategy: str = "auto"
    num_gpu: int | None = None
    num_cpu_devices: int = 1
    tpu: str = ""


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
        data.pop("feature_source")  # no flag: it is read off the records
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
