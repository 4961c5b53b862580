"""What train.py says before and after, and what it does with the run directory before it begins."""

import dataclasses
from typing import Any

import tensorflow as tf

from yt8m_audio.commands.assemble import complete_model
from yt8m_audio.commands.model_cost import cost, written
from yt8m_audio.commands.outside_models import find_model
from yt8m_audio.config import Config, ModelConfig, TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.flags import TrainRequest
from yt8m_audio.labels import label_map_for
from yt8m_audio.progress_line import duration
from yt8m_audio.registry import LOSSES, hyper_parameters
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.class_weights import keep_weights
from yt8m_audio.training.loop import Summary, steps_to_train
from yt8m_audio.training.losses import LabelLoss
from yt8m_audio.training.teacher import Teacher
from yt8m_audio.training.workers import Workers

SHOWN = {"batch_size", "num_epochs", "max_steps", "optimizer", "base_learning_rate", "precision", "label_loss"}
SHOWN |= {"loss_hyper_parameters", "teacher", "teacher_weight", "log_device_placement"}
SAMPLED = {
    "plain": "",
    "balanced": "; every class as often as any other",
    "weighted": "; drawn with weights inverse to how frequent their classes are",
}


def begin(request: TrainRequest, config: Config, changes: dict, loss: LabelLoss, workers: Workers) -> None:
    """Has the chief prepare the run directory, before any worker looks at it.

    Args:
        request: what was asked for.
        config: complete settings.
        changes: settings that are other ones than before, name -> (old, new), which are printed.
        loss: the label loss; its class weights are kept.
        workers: who trains.
    """
    if workers.is_chief:
        _prepare(request, config, changes, loss)
    workers.wait()
    if not (request.run.path / "config.json").is_file():
        raise UserError(
            f"--train_dir={request.run.path} is not the folder that {workers.names[0]} writes to: name one on a file "
            "system that all workers share."
        )


def _prepare(request: TrainRequest, config: Config, changes: dict, loss: LabelLoss) -> None:
    labels = label_map_for(config.data.label_map, config.data.num_classes)
    for name, (old, new) in changes.items():
        print(changed(name, old, new))
    if request.start_new_model and (aside := request.run.move_aside()):
        print(f"The run that was in {request.run.path} is now in {aside}.")
    elif not request.resumed and (request.run.path / "config.json").exists():
        print(f"note: {request.run.path} holds settings and no checkpoint: the run begins anew, with those given now.")
    request.run.create()
    request.run.save_config(config, labels)
    keep_weights(request.run, loss.class_weights)


def changed(name: str, old: Any, new: Any) -> str:
    """Says that a setting of a resumed run is another one than before; None or "" is one that is not set."""
    if old in (None, ""):
        return f"--{name} is {new} from now on; it was not set before."
    return f"--{name} was {old}, and is {'not set' if new in (None, '') else new} from now on."


def show(config: Config, train_clips, validation_clips, run: RunDirectory, teacher, workers: Workers) -> None:
    """Prints what is about to happen, on the chief."""
    if not workers.is_chief:
        print(f"{workers.name} trains along; {workers.names[0]} says how it goes.", flush=True)
        return
    data, train = config.data, config.train
    what = data.train_data_pattern or "the built-in sample (no --train_data_pattern was given)"
    print(f"Training {config.model.model} on {what}")
    print(f"  features     {data.feature_names} ({data.feature_sizes}), {data.num_classes} classes, {data.reader}")
    print(f"  clips        {len(train_clips):,} to train on", end="")
    print(f", {len(validation_clips):,} to validate on" if validation_clips else ", none to validate on", end="")
    print(f", from {source(config, train_clips)}{SAMPLED[data.sampling]}")
    print(
        f"  steps        {steps_to_train(config, len(train_clips)):,} of {train.batch_size:,} clips, "
        f"{epochs(config, len(train_clips))}, {train.optimizer} at {train.base_learning_rate:g}"
    )
    if recipe := ", ".join(f"{name}={value}" for name, value in recipe_settings(train).items()):
        print(f"  with         {recipe}")
    settings = ", ".join(f"{name}={value}" for name, value in model_settings(config).items())
    print(f"  model        {model_size(config)}; {settings}")
    print(f"  loss         {loss_settings(train)}")
    if teacher is not None:
        print(f"  teacher      {taught(train, teacher, len(train_clips))}")
    print(f"  on           {devices(workers)}, in {train.precision}")
    print(f"  goes to      {run.path}", flush=True)


def devices(workers: Workers) -> str:
    """What a run trains on, in words."""
    kinds = {each.device_type for each in tf.config.get_visible_devices()}
    kind = next((each for each in ("TPU", "GPU") if each in kinds), "CPU")
    replicas, count = workers.strategy.num_replicas_in_sync, len(workers.names)
    return f"{replicas} {kind}s{f' of {count} workers' if count > 1 else ''}" if replicas > 1 else f"one {kind}"


def epochs(config: Config, num_clips: int) -> str:
    """How many epochs a run has, of which max_steps may leave less."""
    count = config.train.num_epochs
    shortened = steps_to_train(config, num_clips) * config.train.batch_size < count * num_clips
    return f"{'at most ' if shortened else ''}{count} epoch{'s' if count > 1 else ''}"


def recipe_settings(train: TrainConfig) -> dict[str, Any]:
    """The settings that are not their defaults, but for those that have lines of their own."""
    defaults = dataclasses.asdict(TrainConfig())
    settings = {name: value for name, value in dataclasses.asdict(train).items() if name not in SHOWN}
    return {name: value for name, value in settings.items() if value != defaults[name]}


def model_settings(config: Config) -> dict[str, Any]:
    """How inputs are normalised, and the hyper-parameters that are not the model's defaults."""
    settings = config.model.hyper_parameters
    defaults = complete_model(ModelConfig(config.model.model)).hyper_parameters
    shown = {"input_normalization": settings["input_normalization"]}
    return shown | {name: value for name, value in settings.items() if name in defaults and value != defaults[name]}


def model_size(config: Config) -> str:
    """What the model costs, as far as its operations can be counted."""
    data, model = config.data, find_model(config.model.model)
    shape = data.max_frames, tuple(data.model_sizes), data.num_classes
    try:
        return f"{written(cost(model, *shape, config.model.hyper_parameters))} a clip forward"
    except ValueError:
        return "its operations cannot be counted"


def loss_settings(train: TrainConfig) -> str:
    """The label loss, with the settings that are not its defaults."""
    known = hyper_parameters(LOSSES.get(train.label_loss))
    settings = train.loss_hyper_parameters.items()
    return ", ".join([train.label_loss, *(f"{key}={value}" for key, value in settings if value != known[key].default)])


def taught(train: TrainConfig, teacher: Teacher, clips: int) -> str:
    """The teacher, its weight, how many of the clips it knows, and how many classes of each."""
    known, pairs = len(teacher), teacher.classes.shape[1]
    some = (
        f" ({pairs} of {teacher.num_classes} classes each, the others count as 0)"
        if pairs < teacher.num_classes
        else ""
    )
    alone = f"; the other {clips - known:,} learn from their labels alone" if known < clips else ""
    return f"{train.teacher} at weight {train.teacher_weight:g} knows {known:,} of {clips:,} clips{some}{alone}"


def source(config: Config, train_clips) -> str:
    """Where the clips are read from each epoch."""
    if config.data.cache == "memory":
        return f"memory ({train_clips.memory_bytes / 1e6:,.0f} MB)"
    return train_clips.store.about


def end(run: RunDirectory, config: Config, summary: Summary, workers: Workers) -> int:
    """Prints how the run ended and what to type next; returns the exit status."""
    interrupted = summary.signal is not None and summary.step < summary.total_steps
    if not workers.is_chief:
        print(f"{workers.name} ended at step {summary.step:,}.")
        return 128 + summary.signal if interrupted else 0
    if interrupted:
        print(f"Stopped at step {summary.step:,}, saved. Type the same command again to go on.")
        return 128 + summary.signal
    done = f"Trained {summary.step - summary.first_step:,} steps in {duration(summary.seconds)}"
    if summary.stopped_early:
        patience, metric = config.train.early_stopping_patience, config.train.best_metric
        done = f"Stopped early at step {summary.step:,}: {patience} validations in a row had no better {metric}"
        done += " (a higher --early_stopping_patience goes on)"
    elif summary.first_step >= summary.total_steps:
        done = f"All steps were done before (a higher --{limiting_flag(config, summary.total_steps)} goes on)"
    if summary.best:
        metric = config.train.best_metric
        done += f"; best {metric} {summary.best[metric]:.4f} at step {summary.best['step']:,}"
    print(f"{done}.\nNext: python eval.py --train_dir={run.path}{eval_flags(config)}")
    return 0


def limiting_flag(config: Config, total_steps: int) -> str:
    """The flag that says how long a run is."""
    return "max_steps" if config.train.max_steps == total_steps else "num_epochs"


def eval_flags(config: Config) -> str:
    """The flags that eval.py needs next, beside the run directory."""
    pattern = config.data.train_data_pattern
    if not pattern:
        return ""
    return (
        f" --eval_data_pattern='{pattern}' --held_out"
        if config.data.validation_percent
        else " --eval_data_pattern=GLOB"
    )
