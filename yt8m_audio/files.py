"""Files to read at any place: of this machine, or of another one, through TensorFlow or tensorflow-io.

    for path in glob("s3://bucket/train-*.tfrecord"): ...
    with opened("https://host/00.tfrecord") as file:
        file.size, file.read_at(12, 100)

What tensorflow-io's file systems do: a web server's file is fetched whole to learn how long it is, and no connection
to one is ever closed; an S3 client aborts the process that ends. What is done about it stands below.
"""

import contextlib
import ctypes
import functools
import os
import re
import resource
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from yt8m_audio.errors import UserError
from yt8m_audio.paths import is_remote

THREADS = 8
WITH_TENSORFLOW_IO = ("s3", "az", "hdfs", "viewfs", "http", "https")
WEB = ("http://", "https://")
UNKNOWN = -1  # how long a file of a web server is: tensorflow-io finds out by fetching it
SKIPPED_BYTES = 1 << 19  # of a remote file that are read rather than sought over; tf.io.gfile fetches as much at a time
MANY_SOCKETS = 1 << 20
READ_ERRORS = (OSError, tf.errors.OpError, RuntimeError)  # the last from tensorflow-io's az://


def glob(part: str) -> list[str]:
    """Files that a glob matches.

    Raises:
        UserError: if it would have a web server list its files, which it cannot.
    """
    if part.startswith(WEB):
        if "*" in part or "[" in part:  # a question mark begins a query
            raise UserError(f"{part}: a web server does not list its files: name each of them, with commas between.")
        return [part]
    found = tf.io.gfile.glob(part)
    if not found and is_remote(part):  # says why, where `glob` says nothing, as without Hadoop
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.stat(part)
    return found


def lengths(paths: Sequence[str]) -> list[int | None]:
    """Bytes of files, None for folders."""

    def length(path):
        if path.startswith(WEB):
            return UNKNOWN
        stat = tf.io.gfile.stat(path)
        return None if stat.is_directory else stat.length

    if not any(map(is_remote, paths)):
        return list(map(length, paths))
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(length, paths))


def load_file_system(path: str) -> None:
    """Makes sure that TensorFlow can open a path, which for some file systems takes tensorflow-io.

    Raises:
        UserError: if tensorflow-io is needed and cannot be loaded.
    """
    scheme = path.partition("://")[0] if "://" in path else ""
    if scheme not in WITH_TENSORFLOW_IO:
        return
    try:
        import tensorflow_io  # noqa: F401  registers its file systems
    except Exception as error:  # whatever a native library says that does not fit this TensorFlow
        raise UserError(
            f"{path}: {scheme}:// needs tensorflow-io, which is not there or does not load: make the `io` profile's "
            "environment (`make env PROFILE=io`), or copy the records to this machine."
        ) from error
    if path.startswith(WEB):
        _allow_many_sockets()
    elif scheme == "s3":
        _exit_without_destructors()


@functools.cache
def _exit_without_destructors() -> None:
    """Has the process end before tensorflow-io takes its S3 client apart, which aborts it (tensorflow/io#2039)."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "on_exit"):  # the C library's, which runs when Python has cleaned up; it keeps the exit status
        libc.on_exit(ctypes.cast(libc._exit, ctypes.c_void_p), None)


@functools.cache
def _allow_many_sockets() -> None:
    """Raises the soft limit of open files: tensorflow-io never closes a web request's (up to three) sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MANY_SOCKETS if hard == resource.RLIM_INFINITY else min(hard, MANY_SOCKETS)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        with contextlib.suppress(ValueError, OSError):  # what a system does not allow
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


class File:
    """A file of this machine, read at any place."""

    def __init__(self, path: str):
        self.path, self.descriptor = path, os.open(path, os.O_RDONLY)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return os.fstat(self.descriptor).st_size

    def read_at(self, place: int, count: int) -> bytes:
        """Reads up to `count` bytes from a place on."""
        return os.pread(self.descriptor, count, place)

    def read_into(self, place: int, view: memoryview) -> None:
        """Fills a view with the bytes from a place on.

        Raises:
            UserError: if the file ends before.
        """
        done = 0
        while done < len(view):
            read = self._read_some(place + done, view[done:])
            if read == 0:
                raise UserError(f"{self.path} has become shorter while it was read.")
            done += read

    def _read_some(self, place: int, view: memoryview) -> int:
        """Fills the beginning of a view; returns how many bytes."""
        return os.preadv(self.descriptor, [view], place)

    def close(self) -> None:
        """Closes the file."""
        os.close(self.descriptor)


class RemoteFile(File):
    """A file of another machine, read at any place by TensorFlow, with few requests where places ascend."""

    def __init__(self, path: str):
        load_file_system(path)
        self.path, self.file = path, tf.io.gfile.GFile(path, "rb")

    @functools.cached_property
    def size(self) -> int:
        """Bytes of the file: a request."""
        return self.file.size()

    def read_at(self, place: int, count: int) -> bytes:
        """Reads up to `count` bytes from a place on."""
        skipped = place - self.file.tell()
        if 0 < skipped <= SKIPPED_BYTES:
            self.file.read(skipped)
        elif skipped:
            self.file.seek(place)  # costs a request of its own, for the byte before
        return self.file.read(count)

    def _read_some(self, place: int, view: memoryview) -> int:
        content = self.read_at(place, len(view))
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Closes the file."""
        self.file.close()


class FetchedFile(RemoteFile):
    """A file of a web server, which is fetched whole where its content is not given."""

    def __init__(self, path: str, content: bytes | None = None):
        load_file_system(path)
        self.path, self.content = path, tf.io.read_file(path).numpy() if content is None else content

    @property
    def size(self) -> int:
        """Bytes of the file: no request."""
        return len(self.content)

    def read_at(self, place: int, count: int) -> bytes:
        """Gives up to `count` bytes from a place on."""
        return self.content[place : place + count]

    def close(self) -> None:
        """There is nothing to close."""


@contextlib.contextmanager
def opened(path: str) -> Iterator[File]:
    """Opens a file to read through, and says which one it was that cannot be opened or read."""
    kind = FetchedFile if path.startswith(WEB) else RemoteFile if is_remote(path) else File
    try:
        with contextlib.closing(kind(path)) as file:
            yield file
    except READ_ERRORS as error:
        raise unreadable(path, error) from error


def unreadable(path: str, error: Exception) -> UserError:
    return UserError(f"{path} cannot be read: {why(error)}")


def why(error: Exception) -> str:
    """What an error of the operating system or of TensorFlow says, in one line, without ops and web pages."""
    text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
    text = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]| with body '\s*<.*", "", text, flags=re.DOTALL)
    if "Unable to perform (23)" in text:  # curl: more came than was asked for
        text = "the web server sends whole files where a range is asked for; give shards from one that knows ranges."
    return " ".join(text.split())
