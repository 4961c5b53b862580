"""Checkpoints: every variable of a training run in one NumPy file, written beside and renamed.

    checkpoints = Checkpoints(run.checkpoints, keep=3)
    checkpoints.save(step, variables)
    checkpoints.restore(checkpoints.step_of("best"), variables)

A file holds arrays named `00012 model/dense/kernel`: the number is the variable's place, by which it is restored,
and the name is for people. The zip container checks each array's CRC when it is read.
"""

import dataclasses
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.paths import AnyPath, RemotePath
from yt8m_audio.run_directory import write_json, written_beside

PATTERN = re.compile(r"step-(\d+)\.npz")
STATE = "state.json"
DAMAGED = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile)  # whichever byte is wrong


@dataclasses.dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a folder.

    Attributes:
        folder: where they lie.
        keep: how many of the newest to keep, beside the best.
    """

    folder: AnyPath
    keep: int = 3

    def steps(self) -> list[int]:
        """Returns the steps that there are checkpoints of, rising."""
        names = (PATTERN.fullmatch(path.name) for path in self.folder.glob("step-*.npz"))
        return sorted(int(name.group(1)) for name in names if name)

    def path(self, step: int) -> AnyPath:
        """Returns the file of a step's checkpoint."""
        return self.folder / f"step-{step:08d}.npz"

    def best(self) -> dict | None:
        """Returns what `mark_best` noted (step, metric, value), or None where no checkpoint was validated."""
        try:
            return json.loads((self.folder / "best.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def best_step(self) -> int | None:
        """Returns the step of the best checkpoint, or None where none was validated."""
        best = self.best()
        return best["step"] if best else None

    def step_of(self, which: str) -> int:
        """Returns the step that "best", "last" or a number means; the last where nothing was validated.

        Raises:
            UserError: if there is no such checkpoint.
        """
        steps = self.steps()
        if not steps:
            raise UserError(f"{self.folder} holds no checkpoint: train first, with train.py.")
        if which == "last" or (which == "best" and self.best_step() not in steps):
            return steps[-1]
        if which == "best":
            return self.best_step()
        if not which.isdecimal() or int(which) not in steps:
            raise UserError(f"--checkpoint={which}: {self.folder} holds best, last, {', '.join(map(str, steps))}.")
        return int(which)

    def save(self, step: int, variables: Sequence, **more) -> AnyPath:
        """Writes a checkpoint and drops those that are no longer kept.

        Args:
            step: the steps done.
            variables: Keras or TensorFlow variables, in an order that is the same in every process.
            more: what its state says beside step and number of variables.

        Raises:
            UserError: if it cannot be written; older checkpoints stay.
        """
        arrays = {_key(number, each): each.numpy() for number, each in enumerate(variables)}
        try:
            state = {"step": step, "variables": len(arrays), **more}
            with written_beside(self.path(step)) as partial, partial.open("wb") as file:
                np.savez(file, **arrays, **{STATE: np.array(json.dumps(state))})
        except OSError as error:
            room = "make room and " if isinstance(self.folder, Path) else ""
            raise UserError(
                f"{self.path(step)} cannot be written: {error.strerror}. Earlier checkpoints are whole: {room}type the "
                "same command again."
            ) from error
        self._drop_old()
        return self.path(step)

    def mark_best(self, step: int, metric: str, value: float) -> None:
        """Notes which checkpoint is the best so far."""
        write_json(self.folder / "best.json", {"step": step, "metric": metric, "value": value})

    def mark_validated(self, step: int, without_better: int) -> None:
        """Notes the last validation, and how many in a row were not the best so far."""
        write_json(self.folder / "validated.json", {"step": step, "without_better": without_better})

    def validated(self) -> dict:
        """Returns what `mark_validated` noted (step, without_better); step -1 where nothing was validated."""
        try:
            return json.loads((self.folder / "validated.json").read_text())
        except (FileNotFoundError, ValueError):
            return {"step": -1, "without_better": 0}

    def restore(self, step: int, variables: Sequence) -> dict:
        """Reads a checkpoint into the first so many variables, and returns its state.

        Raises:
            UserError: if it is damaged, or of other variables.
        """
        arrays, state = self.read(step, len(variables))
        _fit(self.path(step), arrays, variables)
        for variable, array in zip(variables, arrays.values(), strict=True):
            variable.assign(array)
        return state

    def read(self, step: int, count: int | None = None) -> tuple[dict[str, np.ndarray], dict]:
        """Reads the first so many arrays of a checkpoint, or all, by name and in order, and its state.

        Raises:
            UserError: if it is damaged, or a remote file system does not give it.
        """
        path = self.path(step)
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                keys = sorted(name for name in file.files if name != STATE)[:count]
                return {name: file[name] for name in keys}, json.loads(str(file[STATE]))
        except DAMAGED as error:
            if isinstance(error, OSError) and isinstance(path, RemotePath):  # which says nothing of the file
                raise UserError(f"{path} cannot be read: {error.strerror}.") from None
            raise UserError(
                f"{path} is damaged ({error}): choose another checkpoint{self._another(step)}, or remove it."
            ) from error

    def _another(self, step: int) -> str:
        """Names the newest other checkpoint that was not cut, "" where there is none, or it lies elsewhere."""
        others = (each for each in reversed(self.steps()) if each != step and isinstance(self.folder, Path))
        whole = next((each for each in others if zipfile.is_zipfile(self.path(each))), None)
        return "" if whole is None else f", such as --checkpoint={whole}"

    def restore_newest(self, variables: Sequence, warn) -> dict | None:
        """Restores the newest whole checkpoint; a damaged one is passed over, and told to `warn`.

        Returns:
            Its state; None where there is no checkpoint.

        Raises:
            UserError: if none is whole, or it is of other variables.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self._restore_all(step, variables)
            except UserError as error:
                if step == steps[0] or not isinstance(error.__cause__, DAMAGED):
                    raise
                warn(f"{error} The one before is taken.")
        return None

    def _restore_all(self, step: int, variables: Sequence) -> dict:
        """Restores a checkpoint that holds these variables and no more."""
        state = self.restore(step, variables)
        if state["variables"] != len(variables):
            raise UserError(f"{self.path(step)} holds more variables than there are: it is another optimizer's.")
        return state

    def check_newest(self) -> None:
        """Raises a UserError if the newest checkpoint is one that training cannot go on from."""
        step = self.steps()[-1]
        try:
            _, state = self.read(step, 0)
        except UserError:  # a damaged one is passed over when the run is resumed
            return
        if "average_of" in state:
            raise UserError(
                f"{self.path(step)} is an average of checkpoints, without what an optimizer needs to go on: give "
                f"another --train_dir, and begin from its weights with --init_from={self.folder.parent}."
            )

    def _drop_old(self) -> None:
        """Removes all but the newest and the best."""
        best = self.best_step()
        for step in self.steps()[: -self.keep or None]:
            if step != best:
                self.path(step).unlink(missing_ok=True)


def _key(number: int, variable) -> str:
    return f"{number:05d} {getattr(variable, 'path', variable.name).removesuffix(':0')}"


def _role(key: str) -> str:
    """The last word of a variable's name, such as kernel or momentum; numbers in names differ between processes."""
    return re.split("[/_ ]", key)[-1]


def _fit(path: AnyPath, arrays: dict[str, np.ndarray], variables: Sequence) -> None:
    """Raises a UserError unless the arrays have the variables' shapes and roles."""
    if len(arrays) != len(variables):
        raise UserError(f"{path} holds {len(arrays)} variables, the model has {len(variables)}: it is another model's.")
    for number, ((key, array), variable) in enumerate(zip(arrays.items(), variables, strict=True)):
        wanted, shape = _key(number, variable), tuple(variable.shape)
        if array.shape != shape or _role(key) != _role(wanted):
            raise UserError(
                f"{path} is another model's or optimizer's: it holds {key} {array.shape} in place of {wanted} {shape}."
            )
