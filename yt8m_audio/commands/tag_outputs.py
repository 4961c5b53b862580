"""Where what is said of tagged sounds goes: to the terminal a table, JSON or a label track, to folders the rest."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from yt8m_audio.audio.sound_errors import SoundError
from yt8m_audio.audio.spectrogram_picture import check_drawable
from yt8m_audio.commands import tag_table
from yt8m_audio.commands.tagged_sound import TaggedSound
from yt8m_audio.errors import UserError

PICTURE = ".png"


class Asked(Protocol):
    """What a command line says of outputs."""

    json: bool
    audacity: bool
    picture: str
    output_dir: str


@dataclasses.dataclass(frozen=True)
class Outputs:
    """The outputs of some files.

    Attributes:
        asked: the command line.
        stems: for each file, the name of what is written of it, without its end.
    """

    asked: Asked
    stems: tuple[str, ...]

    @classmethod
    def checked(cls, asked: Asked, names: Sequence[str]) -> "Outputs":
        """Looks whether all can be written, and makes the folders.

        Args:
            asked: the command line.
            names: of the files.

        Raises:
            UserError: if it cannot.
        """
        several = len(names) > 1
        if asked.json and asked.audacity:
            raise UserError("--json and --audacity are two things to print: give one, or --output_dir for both.")
        if asked.audacity and several:
            raise UserError("--audacity prints the label track of one file, and several are named: give --output_dir.")
        if asked.output_dir:
            make_folder("output_dir", asked.output_dir)
        if asked.picture:
            check_drawable()
            check_picture(Path(asked.picture), several)
        return cls(asked, tuple(output_stems(names)))

    @property
    def prints_tables(self) -> bool:
        """Whether it is for people to read."""
        return not (self.asked.json or self.asked.audacity)

    def give(self, sound: TaggedSound, number: int) -> None:
        """Gives out what is asked for of file number `number`."""
        if self.asked.json:
            print(json.dumps(sound.as_json(), ensure_ascii=False), flush=True)
        elif self.asked.audacity:
            for each in sound.warnings:
                print(f"warning: {each}", file=sys.stderr)
            sys.stdout.write(sound.audacity().decode())
        else:
            tag_table.show(sound)
        if self.asked.output_dir:
            sound.write(Path(self.asked.output_dir), self.stems[number])
        if self.asked.picture:
            self._draw(sound, self.picture_of(number))
        if self.prints_tables:
            print(flush=True)

    def _draw(self, sound: TaggedSound, path: Path) -> None:
        """Draws the picture, if there is a label to show."""
        told = f"picture: {path}" if sound.best else f"no picture of {sound.file}: no label reaches the threshold"
        if sound.best:
            sound.draw(path)
        print(told, file=sys.stdout if self.prints_tables else sys.stderr)

    def fail(self, file: str, error: SoundError) -> None:
        """Says that a file could not be tagged."""
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr, flush=True)
        if self.asked.json:
            print(json.dumps({"file": file, "error": str(error), "reason": error.reason}, ensure_ascii=False))

    def picture_of(self, number: int) -> Path:
        """Where the picture of file number `number` goes."""
        path = Path(self.asked.picture)
        return path if is_picture(path) else path / f"{self.stems[number]}{PICTURE}"


def is_picture(path: Path) -> bool:
    """Whether a path is that of one picture, and not a folder's."""
    return path.suffix.lower() == PICTURE


def check_picture(path: Path, several: bool) -> None:
    """Looks whether pictures can be written, and makes their folder.

    Raises:
        UserError: if they cannot.
    """
    if not is_picture(path):
        make_folder("picture", str(path))
    elif several:
        raise UserError(f"--picture={path} is of one file, and several are named: give a folder.")
    elif not path.absolute().parent.is_dir():
        raise UserError(f"--picture={path}: there is no folder {path.absolute().parent}.")


def make_folder(flag: str, name: str) -> None:
    """Makes a folder.

    Raises:
        UserError: if that cannot be.
    """
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = f" A picture's name ends in {PICTURE}." if flag == "picture" else ""
        raise UserError(f"--{flag}={name} cannot be made a folder: {error.strerror}.{hint}") from error


def output_stems(names: Sequence[str]) -> list[str]:
    """A name for each file's output, all of them different and as short as that allows.

    `rain.wav` becomes `rain`; beside a `rain.mp3` it is `rain.wav`; those of two folders are `a-rain` and `b-rain`.
    """
    paths = [Path(name) for name in names]
    ways = (
        [path.stem for path in paths],
        [path.name for path in paths],
        ["-".join(each for each in path.with_suffix("").parts if each not in ("/", "..")) for path in paths],
        [f"{number}-{path.stem}" for number, path in enumerate(paths, 1)],
    )
    return next(stems for stems in ways if len(set(stems)) == len(stems))
