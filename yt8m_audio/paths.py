"""Where a run directory lies: on this machine, or on a file system that TensorFlow or tensorflow-io knows.

    folder = path_of("gs://bucket/runs/NAME")     # a RemotePath; of "runs/NAME" a pathlib.Path
    (folder / "config.json").read_text()

A RemotePath has those of pathlib's methods that a run directory needs, and raises OSError where pathlib does. It has no
method to write a file in parts, as an object of a bucket is whole at once: `yt8m_audio.run_directory.written_beside`
writes it here, and `upload` brings it there. TensorFlow is imported for remote paths alone.
"""

import contextlib
import errno
import fnmatch
import io
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

BUCKETS = ("gs", "s3", "az")  # where an object is there when it is whole, and a folder when there is something in it
READ_BYTES = 1 << 26  # at a time


def is_remote(path: str) -> bool:
    """Whether a path is one of another file system than this machine's."""
    return "://" in path


def path_of(text: str) -> "AnyPath":
    """The path that a text means.

    Raises:
        UserError: if it takes tensorflow-io, which is not there.
    """
    if not is_remote(text):
        return Path(text)
    from yt8m_audio.files import load_file_system

    load_file_system(text)
    return RemotePath(text)


@contextlib.contextmanager
def os_errors(path) -> Iterator[None]:
    """Turns what TensorFlow and tensorflow-io raise about a path into the OSError that pathlib would raise."""
    import tensorflow as tf

    from yt8m_audio.files import why

    numbers = {
        tf.errors.NotFoundError: errno.ENOENT,
        tf.errors.PermissionDeniedError: errno.EACCES,
        tf.errors.UnauthenticatedError: errno.EACCES,
    }
    try:
        yield
    except (tf.errors.OpError, RuntimeError) as error:  # the last from tensorflow-io's az://
        said = why(error).strip(" :.") or "no more is said"
        raise OSError(numbers.get(type(error), errno.EIO), said, str(path)) from error


class RemotePath:
    """A path of another file system, SCHEME://..., with pathlib's names for what can be done with it."""

    def __init__(self, text: str):
        self.scheme, _, below = text.partition("://")
        self.below = PurePosixPath(below)

    def _other(self, below: PurePosixPath) -> "RemotePath":
        return RemotePath(f"{self.scheme}://{below}")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.below}"

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __eq__(self, other) -> bool:
        return isinstance(other, RemotePath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __truediv__(self, name: str) -> "RemotePath":
        return self._other(self.below / name)

    @property
    def name(self) -> str:
        """The last part."""
        return self.below.name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return self.below.stem

    @property
    def suffix(self) -> str:
        """The end of the name, from its last dot on; "" where it has none."""
        return self.below.suffix

    @property
    def parent(self) -> "RemotePath":
        """The folder that it is in; of a bucket, itself."""
        return self._other(self.below.parent) if len(self.below.parts) > 1 else self

    def with_name(self, name: str) -> "RemotePath":
        """The path beside it of that name."""
        return self._other(self.below.with_name(name))

    def relative_to(self, top: "RemotePath") -> PurePosixPath:
        """The way from a folder above to it."""
        return self.below.relative_to(top.below)

    def resolve(self) -> "RemotePath":
        """Itself: there are no links, and no folder that one is in."""
        return self

    # What is there

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        return self._is_folder() is not None

    def is_file(self) -> bool:
        """Whether it is a file."""
        return self._is_folder() is False

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self._is_folder() is True

    def _is_folder(self) -> bool | None:
        """Whether it is a folder; None where there is nothing."""
        try:
            with os_errors(self):
                return self._files().stat(str(self)).is_directory
        except FileNotFoundError:
            return None

    def iterdir(self) -> Iterator["RemotePath"]:
        """What is in the folder."""
        with os_errors(self):
            names = self._files().listdir(str(self))
        yield from (self / name.rstrip("/") for name in names if name.strip("/"))

    def glob(self, pattern: str) -> Iterator["RemotePath"]:
        """What is in the folder and has a name of that pattern."""
        with contextlib.suppress(FileNotFoundError):
            yield from (each for each in self.iterdir() if fnmatch.fnmatchcase(each.name, pattern))

    # Content

    def read_bytes(self) -> bytes:
        """The file's content.

        It is read to its end, not to the length that it is said to have: gs:// remembers that for some seconds, in
        which another process may have written it anew.
        """
        parts = []
        with os_errors(self), self._files().GFile(str(self), "rb") as file:
            while not parts or len(parts[-1]) == READ_BYTES:
                parts.append(file.read(READ_BYTES))
        return b"".join(parts)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The file's content as text."""
        return self.read_bytes().decode(encoding, errors)

    def open(self, mode: str):
        """Opens the file to read its bytes ("rb"), which are fetched whole, or to append text ("a").

        What is appended is there when the file is closed, which writes an object of a bucket anew.
        """
        return io.BytesIO(self.read_bytes()) if mode == "rb" else self._files().GFile(str(self), mode)

    def upload(self, local: Path) -> None:
        """Has the file be a copy of a local one: whole or not at all."""
        place = self if self.scheme in BUCKETS else self.with_name(f".partial-{os.getpid()}-{self.name}")
        with os_errors(self):
            try:
                self._files().copy(str(local), str(place), overwrite=True)
                if place != self:
                    self._files().rename(str(place), str(self), overwrite=True)
            except BaseException:
                if place != self:
                    place.unlink(missing_ok=True)
                raise

    # Folders and names

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Makes the folder, with those above it; in a bucket there is nothing to make.

        Of a bucket that is not there, TensorFlow would ask for ever.
        """
        if self.scheme not in BUCKETS:
            with os_errors(self):
                self._files().makedirs(str(self))

    def rename(self, target: "RemotePath") -> None:
        """Moves a file, or a folder file by file, each of which in a bucket is copied."""
        if self.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            for each in list(self.iterdir()):
                each.rename(target / each.name)
            self.rmtree()
        else:
            with os_errors(self):
                self._files().rename(str(self), str(target), overwrite=True)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the file."""
        with contextlib.suppress(*([FileNotFoundError] if missing_ok else [])), os_errors(self):
            self._files().remove(str(self))

    def rmtree(self) -> None:
        """Removes the folder with all that is in it, if it is there."""
        with contextlib.suppress(FileNotFoundError), os_errors(self):
            self._files().rmtree(str(self))

    def _files(self):
        import tensorflow as tf

        return tf.io.gfile


AnyPath = Path | RemotePath
