"""The folder that a run leaves, which is all that eval and inference need.

config.json        every setting, versions, label map hash
model_flags.json   as the starter code writes it
class_weights.csv  where the label loss has class weights: those that the run was trained with
warm_start.json    where it began with the weights of another run: what was taken
calibration.json   what python -m yt8m_audio calibrate fitted, for inference.py
checkpoints/       step-00000087.npz, ...; best.json names the best
logs/              for TensorBoard: train, validation, eval
metrics.jsonl      a line a record, for programs
eval/metrics.json  what eval.py found

It may lie in a bucket, or on another file system that TensorFlow knows (see yt8m_audio.paths). There eval.py has a
eval/metrics.jsonl of its own: what is added to an object writes it anew, so that each has one writer.
"""

import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yt8m_audio
from yt8m_audio.config import Config
from yt8m_audio.errors import UserError
from yt8m_audio.labels import LabelMap
from yt8m_audio.paths import AnyPath, RemotePath, is_remote, path_of

PACKAGES = ("tensorflow", "keras", "numpy")
OURS = (
    "model_flags.json",
    "class_weights.csv",
    "warm_start.json",
    "calibration.json",
    "checkpoints",
    "logs/train",
    "logs/validation",
    "logs/eval",
    "metrics.jsonl",
    "eval/metrics.json",
    "eval/metrics.jsonl",
    "config.json",  # last: a folder that has it is a run that is still to be moved
)


class RunDirectory:
    """Paths and files of one run."""

    def __init__(self, path: str):
        self.path = path_of(str(path))

    @property
    def checkpoints(self) -> AnyPath:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics_file(self) -> AnyPath:
        """One JSON object a line: training and validation metrics as they came."""
        return self.path / "metrics.jsonl"

    @property
    def eval_metrics_file(self) -> AnyPath:
        """Where eval.py adds its lines: the same file, and of a remote run one of its own."""
        return self.path / "eval" / "metrics.jsonl" if is_remote(str(self.path)) else self.metrics_file

    @property
    def class_weights_file(self) -> AnyPath:
        """Factors of the classes' losses; there where the run was trained with some."""
        return self.path / "class_weights.csv"

    def logs(self, part: str) -> AnyPath:
        """TensorBoard's folder of the part "train", "validation" or "eval"."""
        return self.path / "logs" / part

    def exists(self) -> bool:
        """Whether a run was begun here, far enough to have a checkpoint.

        Raises:
            UserError: if a remote file system does not say.
        """
        with self._readable():
            return (self.path / "config.json").exists() and any(self.checkpoints.glob("step-*.npz"))

    def create(self) -> None:
        """Makes the folder and finds out whether it can be written.

        Raises:
            UserError: if it cannot.
        """
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            probe = self.checkpoints / f".probe-{os.getpid()}"
            with written_beside(probe) as partial:
                partial.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"--train_dir={self.path} cannot be written: {error.strerror}. Give another folder."
            ) from error

    def load_config(self) -> Config:
        """Reads config.json.

        Raises:
            UserError: if there is none, or it is not one.
        """
        file = self.path / "config.json"
        try:
            with self._readable():
                return Config.from_dict(json.loads(file.read_text()))
        except FileNotFoundError:
            raise UserError(
                f"--train_dir={self.path} holds no run: {file} is missing. Train one with train.py."
            ) from None
        except (ValueError, AttributeError, TypeError) as error:
            raise UserError(f"{file} is damaged: {error}") from error

    def save_config(self, config: Config, labels: LabelMap | None) -> None:
        """Writes config.json, and model_flags.json with the names and values that the starter code gives it."""
        versions = {name: sys.modules[name].__version__ for name in PACKAGES if name in sys.modules}
        versions |= {"yt8m_audio": yt8m_audio.__version__, "python": platform.python_version()}
        label_map = {"classes": len(labels), "sha256": labels.sha256} if labels else None
        write_json(self.path / "config.json", {**config.to_dict(), "label_map": label_map, "versions": versions})
        starter = {
            "model": config.model.model,
            "feature_sizes": config.data.feature_sizes,
            "feature_names": config.data.feature_names,
            "frame_features": config.data.frame_features,
            "label_loss": config.train.label_loss,
        }
        write_json(self.path / "model_flags.json", starter)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Says which flag it is about where a remote file system fails or refuses."""
        try:
            yield
        except OSError as error:
            if isinstance(self.path, Path) or isinstance(error, FileNotFoundError):
                raise
            raise UserError(f"--train_dir={self.path} cannot be read: {error.strerror}.") from error

    def move_aside(self) -> AnyPath | None:
        """Moves what a run left here into a new folder beside this one, and nothing else that may lie here."""
        with self._readable():
            if not (self.path / "config.json").exists():
                return None
        found = [name for name in OURS if (self.path / name).exists()]
        whole, number = self.path.resolve(), 1
        while (aside := whole.with_name(f"{whole.name}.old-{number}")).exists():
            number += 1
        try:
            aside.mkdir()
            for name in found:
                (aside / name).parent.mkdir(exist_ok=True)
                (self.path / name).rename(aside / name)
        except OSError as error:
            raise UserError(f"--start_new_model cannot move {self.path} to {aside}: {error.strerror}.") from error
        return aside


def write_json(path: AnyPath, content: dict) -> None:
    """Writes JSON that a person can read: whole or not at all."""
    with written_beside(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


@contextlib.contextmanager
def written_beside(path: AnyPath) -> Iterator[Path]:
    """Gives a path to write to, of the same suffix, and renames it to `path` if all went well: whole or not at all.

    What is to be on a remote file system is written on this machine, and brought there whole.

    Raises:
        UserError: if there is something else than a file, such as a device, which a renamed file would replace.
    """
    if isinstance(path, RemotePath):
        with tempfile.TemporaryDirectory() as folder:
            partial = Path(folder, path.name)
            yield partial
            path.upload(partial)
        return
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is there and is no file: name a file, or what is not there yet.")
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
