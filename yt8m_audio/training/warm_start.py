"""Begins with the weights of another run, as far as they fit: another number of classes, another model on top.

    warm_start(model, run, config, print)

A variable fits where name and shape are the same. What Keras numbers in names, because several models were made, does
not count: of several of one name, the first fits the first, and so on. What was taken is noted in the run directory, so
that a resumed run freezes the same.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.paths import AnyPath, path_of
from yt8m_audio.run_directory import RunDirectory, write_json
from yt8m_audio.training.checkpoints import Checkpoints

NUMBER = re.compile(r"_\d+(?=/|$)")
MOST_NAMED = 4


def warm_start(
    model: keras.Model, run: RunDirectory, config: TrainConfig, say: Callable[[str], None], writes: bool = True
) -> None:
    """Gives a model the weights of the best checkpoint of --init_from, and freezes them if asked.

    Args:
        model: a model that is built.
        run: where it is trained; a run that is there already has its weights.
        config: settings.
        say: prints a line.
        writes: whether to note what was taken, which one of several workers does.

    Raises:
        UserError: if there is no such run.
    """
    if not config.init_from:
        return
    noted = run.path / "warm_start.json"
    taken = _noted(noted) if run.exists() else _take(model, config.init_from, say)
    if writes and not run.exists():
        write_json(noted, {"init_from": config.init_from, "taken": taken})
    if config.freeze_matching:
        freeze(model, taken)


def check_warm_start(model: keras.Model, config: TrainConfig) -> None:
    """Looks whether a model can begin with the weights of --init_from, before anything is written.

    Args:
        model: a model that is built.
        config: settings.

    Raises:
        UserError: if there is no such run, nothing of it fits, or all of it would be frozen.
    """
    taken = fitting(model, _best_weights(config.init_from)[1])
    left = [each for name, each in by_name(model.variables).items() if each.trainable and name not in taken]
    if config.freeze_matching and not left:
        raise UserError(
            f"--freeze_matching: all weights of --init_from={config.init_from} fit, and nothing would be trained: "
            "leave it out."
        )
    if not any(by_name(model.variables)[name].trainable for name in taken):
        raise UserError(
            f"--init_from={config.init_from}: none of its weights has the name and shape of one of the model's."
        )


def _best_weights(init_from: str) -> tuple[int, dict[str, np.ndarray]]:
    """The step of a run's best checkpoint, and its arrays by `names_of`.

    Raises:
        UserError: if there is none.
    """
    if not path_of(init_from).is_dir():
        raise UserError(f"--init_from={init_from} is no folder: name a run directory that train.py left.")
    checkpoints = Checkpoints(RunDirectory(init_from).checkpoints)
    step = checkpoints.step_of("best")
    arrays, _ = checkpoints.read(step)
    return step, dict(zip(names_of(key.partition(" ")[2] for key in arrays), arrays.values(), strict=True))


def fitting(model: keras.Model, weights: Mapping[str, np.ndarray]) -> list[str]:
    """The names of a model's variables for which there are weights of the same shape."""
    ours = by_name(model.variables)
    return [name for name in ours if name in weights and weights[name].shape == tuple(ours[name].shape)]


def _noted(file: AnyPath) -> list[str]:
    """What a resumed run took when it began."""
    try:
        return json.loads(file.read_text())["taken"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{file} is missing or damaged, which says what --init_from brought: {error}.") from error


def freeze(model: keras.Model, names: list[str]) -> None:
    """Takes weights out of training, by their `names_of`."""
    for name, variable in by_name(model.variables).items():
        if name in names and variable.trainable:
            variable.trainable = False


def by_name(variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """A model's variables by names that are the same in every process."""
    return dict(zip(names_of(each.path for each in variables), variables, strict=True))


def names_of(paths: Iterable[str]) -> list[str]:
    """Paths without the model in front and without Keras' numbers; "#2" and so on tells those of one name apart."""
    plain = [NUMBER.sub("", path).partition("/")[2] for path in paths]
    return [f"{name}#{plain[: place + 1].count(name)}" for place, name in enumerate(plain)]


def _take(model: keras.Model, init_from: str, say: Callable[[str], None]) -> list[str]:
    """Assigns what fits; returns the names of what was taken."""
    step, theirs = _best_weights(init_from)
    ours, taken = by_name(model.variables), fitting(model, theirs)
    for name in taken:
        ours[name].assign(theirs[name])
    others = [name.partition("#")[0] for name in ours if name not in taken]
    rest = f", {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    anew = f"; anew: {', '.join(others[:MOST_NAMED])}{rest}" if others else ""
    say(f"Begins with {len(taken)} of {len(ours)} variables of {init_from} at step {step:,}{anew}.")
    return taken
