"""Fetching a video's sound, and its pictures if asked, to this machine with yt-dlp.

    with Fetcher(settings, folder, stop) as fetcher:
        tracks = fetcher.fetch("--4gqARaEJE")     # or raises ClipError, with the reason
        tracks.sound, tracks.seconds

A worker keeps one: yt-dlp reads the site's player once for it. Cookies are read into memory and never written, since
several workers share one file.
"""

import dataclasses
import io
import shutil
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from yt8m_audio.audioset.clips.media import ffmpeg
from yt8m_audio.audioset.clips.reasons import ClipError, Reason, failure_of, reason_of
from yt8m_audio.errors import UserError, reason

PAGE = "https://www.youtube.com/watch?v={}"
EXTRACTOR = "Youtube"
SOUND = "ba/b"  # the best track of sound alone, or else the best with pictures
PICTURES = "bv*[height<={height}]/wv*/b"
PROXIES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
TRIES = 3  # of yt-dlp's own, for a broken connection


@dataclasses.dataclass(frozen=True)
class FetchSettings:
    """How yt-dlp asks.

    Attributes:
        video: whether pictures are fetched too.
        height: of the pictures, in pixels, at most.
        seconds: that a video may take, to look up and to fetch.
        socket_seconds: that the network may be silent.
        cookies: file of cookies, as browsers export them; "" for none.
        proxy: address of a proxy; "" for none.
    """

    video: bool = False
    height: int = 720
    seconds: float = 600.0
    socket_seconds: float = 20.0
    cookies: str = ""
    proxy: str = ""


@dataclasses.dataclass(frozen=True)
class Tracks:
    """What was fetched.

    Attributes:
        sound: file with the sound.
        pictures: file with the pictures, or None.
        seconds: how long the site says that the video is; None where it does not.
    """

    sound: Path
    pictures: Path | None
    seconds: float | None


class StoppedError(Exception):
    """The run is to end."""


def yt_dlp_module():
    """The package yt_dlp.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import yt_dlp
    except ImportError as error:
        raise UserError("Clips are fetched with yt-dlp: pip install 'yt8m-audio[clips]'.") from error
    return yt_dlp


class Fetcher:
    """Fetches one video at a time into a folder of its own."""

    def __init__(self, settings: FetchSettings, folder: Path, stop: threading.Event, warn: Callable[[str], None]):
        self.settings, self.folder, self.stop = settings, folder, stop
        self.until = 0.0
        self.log = _Log(warn)
        self.package = yt_dlp_module()
        self.downloader = self.package.YoutubeDL(self._options())

    def __enter__(self) -> "Fetcher":
        return self

    def __exit__(self, *error) -> None:
        self.downloader.close()

    def fetch(self, video_id: str) -> Tracks:
        """Fetches a video; what the last one left is removed.

        Raises:
            ClipError: if it cannot be had.
            StoppedError: if the run is to end.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.until, self.log.no_runtime = time.monotonic() + self.settings.seconds, ""
        try:
            info = self.downloader.extract_info(PAGE.format(video_id), ie_key=EXTRACTOR)
            return self._tracks(info or {})
        except (StoppedError, ClipError):
            raise
        except Exception as error:  # yt-dlp raises what its parts raise, which is any kind
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> ClipError:
        """The reason of an error; without a JavaScript runtime, that is why there are no formats."""
        found = failure_of(error)
        if found.reason is Reason.NO_FORMAT and self.log.no_runtime:
            return ClipError(Reason.NO_JAVASCRIPT_RUNTIME, f"{found.message} {self.log.no_runtime}")
        return found

    def _tracks(self, info: dict) -> Tracks:
        files = [Path(each["filepath"]) for each in info.get("requested_downloads") or ()]
        if not files or not all(file.is_file() for file in files):
            raise ClipError(Reason.NO_FORMAT, "yt-dlp fetched no file, and does not say why")
        return Tracks(files[0], files[-1] if self.settings.video else None, info.get("duration"))

    def _options(self) -> dict:
        """yt-dlp's parameters."""
        asked = self.settings
        formats = f"{SOUND},{PICTURES.format(height=asked.height)}" if asked.video else SOUND
        options = {
            "format": formats,
            "outtmpl": f"{_escaped(self.folder)}/%(format_id)s.%(ext)s",
            "logger": self.log,
            "noprogress": True,
            "quiet": True,
            "noplaylist": True,
            "continuedl": False,
            "overwrites": True,
            "fixup": "never",  # all is decoded anyway
            "retries": TRIES,
            "fragment_retries": TRIES,
            "extractor_retries": TRIES,
            "socket_timeout": asked.socket_seconds,
            "ffmpeg_location": ffmpeg(),
            "progress_hooks": [self._look_up],
            "proxy": asked.proxy or None,
            "cookiefile": io.StringIO(cookies_of(asked.cookies)) if asked.cookies else None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _look_up(self, progress: dict) -> None:
        """Ends a download where all is to stop or its time is up: yt-dlp calls it for every block."""
        if self.stop.is_set():
            raise StoppedError
        if time.monotonic() > self.until:
            raise ClipError(Reason.TIME_OUT, f"fetching it took more than {self.settings.seconds:g} s")


class _Log:
    """Takes what yt-dlp says: errors come as exceptions too, and of warnings one is about this machine."""

    def __init__(self, warn: Callable[[str], None]):
        self.warn, self.told = warn, False
        self.no_runtime = ""  # said of the video at hand

    def debug(self, message: str) -> None:
        """Nobody reads it."""

    def warning(self, message: str) -> None:
        """Says once that there is no JavaScript runtime."""
        if reason_of(message) is Reason.NO_JAVASCRIPT_RUNTIME:
            self.no_runtime = "There is no JavaScript runtime: pip install 'yt8m-audio[clips]' brings deno."
            if not self.told:
                self.warn(self.no_runtime)
            self.told = True

    def error(self, message: str) -> None:
        """It is raised as well."""


def cookies_of(path: str) -> str:
    """The text of a file of cookies.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--cookies={path} cannot be read: {reason(error)}.") from error


def check_cookies(path: str) -> None:
    """Raises a UserError about a file of cookies that yt-dlp does not read."""
    text, package = cookies_of(path), yt_dlp_module()
    try:
        package.cookies.YoutubeDLCookieJar(io.StringIO(text)).load()
    except OSError as error:  # of which http.cookiejar's LoadError is one
        raise UserError(
            f"--cookies={path} is no file of cookies in Netscape's format, as browsers export them."
        ) from error


def check_proxy(address: str) -> None:
    """Raises a UserError about an address that is no proxy's; it may hold a password, and is not repeated."""
    try:
        parts = urllib.parse.urlsplit(address)
        is_one = parts.scheme in PROXIES and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise UserError(
            f"--proxy is no address of a proxy, such as socks5://127.0.0.1:1080; known: {', '.join(PROXIES)}."
        )


def _escaped(folder: Path) -> str:
    """A folder in yt-dlp's template of names, in which percent and dollar signs mean something."""
    return str(folder).replace("%", "%%").replace("$", "$$")
