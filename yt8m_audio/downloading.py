"""Large files over HTTP, that may be stopped at any moment and go on where they were.

    download("https://host/features.tar.gz", "features.tar.gz", sha256="4d87...")

What has come lies in `features.tar.gz.part`, and in `features.tar.gz.part.json` which version of the file that is (its
ETag, or when it was modified). The name itself is given when all of it is there and right: of the length that the
server said, and of the size and hash that were asked for.
"""

import contextlib
import dataclasses
import email.utils
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from yt8m_audio.errors import UserError, reason
from yt8m_audio.partial_file import PartialFile

READ_BYTES = 1 << 18
LONGEST_WAIT = 60.0  # seconds between two attempts, where the server does not ask for more
MOST_ASKED_WAIT = 3600.0  # seconds that a server may ask for
SENT = {"User-Agent": "yt8m-audio", "Accept-Encoding": "identity"}
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses of which another attempt may rid one
GONE = {401: "asks for a password", 403: "forbids it", 404: "has no such file", 410: "has no such file any more"}
DROPPED = (ConnectionError, TimeoutError, http.client.HTTPException, ssl.SSLError)

Progress = Callable[[int, int | None], None]


class _PassingError(Exception):
    """An attempt failed, and another may not."""

    def __init__(self, why: str, after: float = 0.0):
        super().__init__(why)
        self.after = after


def download(
    url: str,
    path: str | os.PathLike,
    *,
    size: int | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    attempts: int = 5,
    wait: float = 1.0,
    timeout: float = 60.0,
) -> Path:
    """Fetches a file, from where an earlier call was stopped, unless it is there already.

    Args:
        url: http:// or https://.
        path: what the file is to be called; its folder is made. What has that name, and size and hash, is left alone.
        size: bytes that it must have.
        sha256: hash that it must have, in hexadecimal.
        progress: called with the bytes that are there and those that there will be, None where that is not known.
        attempts: how many failures one behind the other, with nothing fetched between them, end it.
        wait: seconds before the second attempt, doubled each time; longer where the server says so (Retry-After).
        timeout: seconds of silence that count as a failure.

    Returns:
        The path.

    Raises:
        UserError: if it cannot be had, is not what it should be, or does not fit on the disk.
    """
    target = Path(path)
    if _is_there(target, size, sha256):
        return target
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{url} is no address to fetch from: it must begin with http:// or https://.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with PartialFile.opened(target, url) as part:
            fetch = _Fetch(url, part, size, sha256, progress or (lambda done, total: None), timeout)
            _attempt(fetch, attempts, wait)
            part.finish(target)
    except OSError as error:
        raise UserError(f"{target} cannot be written: {reason(error)}. What has come is kept.") from error
    return target


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_there(target: Path, size: int | None, sha256: str | None) -> bool:
    """Whether a file is there that has the size and the hash which are asked for."""
    if not target.is_file() or size not in (None, target.stat().st_size):
        return False
    return sha256 is None or sha256_of(target) == sha256.lower()


def _attempt(fetch: "_Fetch", attempts: int, wait: float) -> None:
    """Tries until the file is there and right, and waits in between."""
    failures, most = 0, fetch.part.done
    while True:
        try:
            fetch.try_once()
            return
        except _PassingError as error:
            failures = 1 if fetch.part.done > most else failures + 1
            most = max(most, fetch.part.done)
            if failures >= attempts:
                raise UserError(f"{fetch.url} cannot be fetched: {error}. {_kept(fetch.part.done)}") from error
            time.sleep(max(error.after, min(LONGEST_WAIT, wait * 2 ** (failures - 1))))


def _kept(have: int) -> str:
    return (
        f"{have:,} bytes have come and are kept: the same command goes on from there." if have else "Try again later."
    )


@dataclasses.dataclass
class _Fetch:
    """One file that is fetched, in one attempt or several."""

    url: str
    part: PartialFile
    size: int | None
    sha256: str | None
    progress: Progress
    timeout: float
    resumed: bool = False

    def try_once(self) -> None:
        """Fetches what is missing.

        Raises:
            _PassingError: if it may help to try again.
            UserError: if not.
        """
        if self.part.done and not (self.part.version or self.sha256):
            self.part.restart("")  # nothing would tell whether the two ends belong together
        if self.part.done == 0 or self.part.done != self.size:
            with self._answered() as answer:
                if answer is not None:
                    self._receive(answer)
        self.part.file.flush()
        self._check()

    @contextlib.contextmanager
    def _answered(self) -> Iterator[http.client.HTTPResponse | None]:
        """The server's answer, None where all has come already; its failures and the connection's are told apart."""
        try:
            with urllib.request.urlopen(self._request(), timeout=self.timeout) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                whole = self._refused(error)
            if not whole:
                raise _PassingError("the server has less of it than has come") from error
            yield None
        except urllib.error.URLError as error:
            raise self._unreachable(error.reason) from error
        except http.client.InvalidURL as error:
            raise UserError(f"{self.url} is no address to fetch from: {_told(error)}.") from error
        except DROPPED as error:
            raise _PassingError(f"the connection was lost ({_told(error)})") from error

    def _request(self) -> urllib.request.Request:
        headers = dict(SENT)
        if self.part.done:
            headers["Range"] = f"bytes={self.part.done}-"
            if self.part.version:
                headers["If-Range"] = self.part.version
        return urllib.request.Request(self.url, headers=headers)

    def _refused(self, error: urllib.error.HTTPError) -> bool:
        """Makes sense of a status that is none of success; True where it means that all has come."""
        if error.code == 416:
            total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
            if total and int(total[1]) == self.part.done:
                return True
            self.part.restart("")
            return False
        if error.code in PASSING:
            after = _retry_after(error.headers.get("Retry-After"))
            if after > MOST_ASKED_WAIT:
                raise UserError(f"{self.url}: the server asks to come back in {after:,.0f} s (status {error.code}).")
            raise _PassingError(f"the server answers {error.code} {error.reason}", after)
        what = GONE.get(error.code, f"answers {error.code} {error.reason}")
        raise UserError(f"{self.url} cannot be fetched: the server {what} (status {error.code}).")

    def _unreachable(self, cause: Exception | str) -> Exception:
        """What it means that no connection was made."""
        host = urllib.parse.urlsplit(self.url).hostname
        if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
            return UserError(f"{self.url} cannot be fetched: there is no host {host}, or no network.")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UserError(
                f"{self.url} cannot be fetched: the certificate of {host} is not trusted ({_told(cause)})."
            )
        return _PassingError(f"{host} is not reached ({_told(cause)})")

    def _receive(self, answer: http.client.HTTPResponse) -> None:
        """Takes an answer's bytes."""
        self.resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT and self._continues(answer)
        if not self.resumed:
            self._check_kind(answer)
            self.part.restart(_version(answer))
        length = answer.headers.get("Content-Length")
        total = self.part.done + int(length) if length and length.isdecimal() else None
        self._check_total(total)
        while content := answer.read1(READ_BYTES):  # what is there, so that little is lost if it is killed
            self.part.add(content)
            self.progress(self.part.done, total)
        if total is not None and self.part.done < total:
            raise _PassingError(f"the connection was lost after {self.part.done:,} of {total:,} bytes")

    def _continues(self, answer: http.client.HTTPResponse) -> bool:
        """Whether a part that was sent begins where ours ends."""
        sent = answer.headers.get("Content-Range", "")
        if sent.startswith(f"bytes {self.part.done}-"):
            return True
        self.part.restart("")
        raise _PassingError(f"the server sent another part ({sent or 'without saying which'}) than was asked for")

    def _check_kind(self, answer: http.client.HTTPResponse) -> None:
        """Raises a UserError of a web page, which stands where a file does not."""
        is_page = answer.headers.get_content_type() == "text/html" and "Content-Type" in answer.headers
        if is_page and not urllib.parse.urlsplit(self.url).path.endswith((".html", ".htm", "/")):
            raise UserError(f"{self.url} is a web page and no file: a login, a proxy or an error may stand before it.")

    def _check_total(self, total: int | None) -> None:
        """Raises a UserError if the file will be of the wrong size, or will not fit."""
        if total is None:
            return
        if self.size not in (None, total):
            raise UserError(f"{self.url} has {total:,} bytes, not {self.size:,}: it is another file, or was changed.")
        free, missing = shutil.disk_usage(self.part.path.parent).free, total - self.part.done
        if missing > free:
            raise UserError(f"{self.part.path} needs {missing / 1e6:,.0f} MB more, and {free / 1e6:,.0f} MB are free.")

    def _check(self) -> None:
        """Raises an error if what has come is not what was asked for; it is thrown away then."""
        if self.size not in (None, self.part.done):
            found = f"{self.url} gave {self.part.done:,} bytes, not {self.size:,}"
        elif self.sha256 and (hashed := sha256_of(self.part.path)) != self.sha256.lower():
            found = f"{self.url} has the SHA-256 {hashed}, not {self.sha256.lower()}"
        else:
            return
        self.part.restart("")
        if self.resumed:  # its two ends may not belong together
            self.resumed = False
            raise _PassingError(found)
        raise UserError(f"{found}: it is another file, or was damaged on the way.")


def _version(answer: http.client.HTTPResponse) -> str:
    """What to ask with whether a file is still the same: a strong ETag, else when it was modified, else nothing."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _retry_after(text: str | None) -> float:
    """Seconds that a server asks to wait, which it may say as a date; 0 where it does not."""
    if not text:
        return 0.0
    if text.strip().isdecimal():
        return float(text)
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0


def _told(error: object) -> str:
    """What an error says, in a few words."""
    return reason(error) if isinstance(error, Exception) else str(error)
