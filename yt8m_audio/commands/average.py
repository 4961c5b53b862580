"""python -m yt8m_audio average RUN OUT: averages the weights of a run's checkpoints, into a run directory of its own.

eval.py, inference.py and export take that directory as they take any other. It holds the model alone, no optimizer, so
that train.py cannot go on with it.
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator

import tensorflow as tf

from yt8m_audio.commands.assemble import restore_model
from yt8m_audio.commands.export import fed_with
from yt8m_audio.commands.training_report import eval_flags
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.paths import RemotePath
from yt8m_audio.prediction.export import folder_beside
from yt8m_audio.run_directory import RunDirectory, write_json, written_beside
from yt8m_audio.training.averaging import average_checkpoints
from yt8m_audio.training.checkpoints import Checkpoints

ABOUT = "Averages the weights of a run's checkpoints, into a run directory of its own."
COPIED = ("model_flags.json", "class_weights.csv")


@dataclasses.dataclass(frozen=True)
class AverageFlags:
    """What is averaged, and to where.

    Attributes:
        run: Run directory that train.py left.
        out: Run directory to make.
        last: How many of the newest checkpoints to take. All that are there when neither this nor steps is given.
        steps: Steps of the checkpoints to take, with commas between, such as 100,200.
    """

    run: str = dataclasses.field(metadata=POSITIONAL)
    out: str = dataclasses.field(metadata=POSITIONAL)
    last: int | None = None
    steps: str = ""


def main(argv) -> int:
    """Writes the average, and says what it is of and what to type next."""
    asked = parse(argv, ABOUT, AverageFlags)
    run, out = RunDirectory(asked.run), RunDirectory(asked.out)
    config, checkpoints = run.load_config(), Checkpoints(run.checkpoints)
    _check_out(out, run)
    steps = chosen_steps(checkpoints, asked.last, asked.steps)
    spec = {"features": fed_with(config.data), "num_frames": tf.TensorSpec((None,), tf.int32)}
    model = restore_model(config, checkpoints, steps[-1], spec)
    average_checkpoints(checkpoints, steps, model.variables)
    write_run(run, out, steps, model.variables)
    print(f"Averaged {len(steps)} checkpoints of {run.path}, steps {_listed(steps)}, to {out.path}.")
    print(f"Next: python eval.py --train_dir={out.path}{eval_flags(config)}")
    return 0


def chosen_steps(checkpoints: Checkpoints, last: int | None, steps: str) -> list[int]:
    """The steps of the checkpoints to average, rising.

    Args:
        checkpoints: those there are.
        last: how many of the newest, or None.
        steps: which, with commas between, or "". All there are where `last` is None as well.

    Raises:
        UserError: if one is not there, or they are fewer than two.
    """
    if last is not None and steps:
        raise UserError("--last and --steps are two ways to choose checkpoints: give one of them.")
    there = checkpoints.steps()
    asked = f"--steps={steps}: " if steps else "" if last is None else f"--last={last}: "
    steps_there = f"step{'s' if len(there) > 1 else ''} {_listed(there)}" if there else "none"
    found = f"{checkpoints.folder} holds {steps_there}"
    names = [name.strip() for name in steps.split(",")] if steps else list(map(str, there))
    if (last or 0) > len(there) or not all(name.isdecimal() and int(name) in there for name in names):
        raise UserError(f"{asked}not all of these checkpoints are there: {found}.")
    chosen = sorted({int(name) for name in names})
    if last is not None:
        chosen = chosen[len(chosen) - last :]
    if len(chosen) < 2:
        raise UserError(f"{asked}an average takes at least two checkpoints: {found}.")
    return chosen


def write_run(run: RunDirectory, out: RunDirectory, steps: list[int], variables: list) -> None:
    """Writes a run directory with what another run's says, and one checkpoint: whole or not at all.

    Args:
        run: the run whose checkpoints were averaged.
        out: where to.
        steps: the steps averaged, rising. The checkpoint is that of the last one.
        variables: of the model.

    Raises:
        UserError: if it cannot be written.
    """
    settings = json.loads((run.path / "config.json").read_text())
    with _folder_beside(out) as partial:
        partial.create()
        for name in COPIED:
            if (run.path / name).is_file():
                with written_beside(partial.path / name) as copy:
                    copy.write_bytes((run.path / name).read_bytes())
        Checkpoints(partial.checkpoints).save(steps[-1], variables, average_of=steps)
        write_json(partial.path / "config.json", {**settings, "average_of": {"run": str(run.path), "steps": steps}})


@contextlib.contextmanager
def _folder_beside(out: RunDirectory) -> Iterator[RunDirectory]:
    """Gives a folder to fill, config.json last, and renames it to `out` if all went well.

    A bucket renames no folder: there it is `out` itself, which is no run without config.json, and goes if it failed.
    """
    if isinstance(out.path, RemotePath):
        try:
            yield out
        except BaseException:
            out.path.rmtree()
            raise
        return
    with folder_beside(out.path) as partial:
        yield RunDirectory(str(partial))


def _check_out(out: RunDirectory, run: RunDirectory) -> None:
    """Raises a UserError where the output cannot be made."""
    parent = out.path.resolve().parent
    if not isinstance(out.path, RemotePath) and not parent.is_dir():
        raise UserError(f"{out.path}: there is no folder {parent}.")
    if not out.path.exists():
        return
    what = "holds a run" if (out.path / "config.json").exists() else "is there"
    what = "is the run to average" if out.path.resolve() == run.path.resolve() else f"{what} already"
    raise UserError(f"{out.path} {what}: name a new folder.")


def _listed(steps: list[int]) -> str:
    return ", ".join(map(str, steps))
