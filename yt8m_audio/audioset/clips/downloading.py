"""Getting the clips of a manifest: workers, retries, and stopping at any moment.

    finished = Download(manifest, out, settings, stop, say).run()

A clip is cut in a folder beside, measured, hashed, brought to the disk and renamed to its name; only then its row says
so. Whatever ends a run, a row that says `done` has its file, whole, and the next run goes on with the others.
"""

import concurrent.futures
import dataclasses
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from yt8m_audio.audioset.clips.fetching import Fetcher, FetchSettings, StoppedError, Tracks
from yt8m_audio.audioset.clips.layouts import clip_file
from yt8m_audio.audioset.clips.manifest import DONE, FAILED, SHORT, WAITING, Clip, Manifest
from yt8m_audio.audioset.clips.media import Cutter, SoundFormat
from yt8m_audio.audioset.clips.only_one import only_one
from yt8m_audio.audioset.clips.pacing import Gate, GateState, Pace
from yt8m_audio.audioset.clips.reasons import PERMANENT, REFUSALS, SLOW, ClipError, Reason
from yt8m_audio.audioset.clips.segment import Segment
from yt8m_audio.downloading import sha256_of
from yt8m_audio.errors import UserError

LONGEST_WAIT = 6 * 3600.0
SLOW_WAIT = 20  # times as long for what takes hours to change
REFUSED_RETRIES = 4  # times as many for what is no fault of the video, but for ever is too long
SHORTER_MS = 1_500  # than the site says: codecs and rounding; a track that ends before that was cut on its way
OUR_DISK = {errno.EEXIST, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR}
OUR_DISK |= {errno.EFBIG}


@dataclasses.dataclass(frozen=True)
class DownloadSettings:
    """How clips are had.

    Attributes:
        layout: of the files (see `layouts`).
        sound: how sound is written.
        fetch: how yt-dlp asks.
        pace: how fast.
        workers: clips at a time.
        retries: times that a clip is tried again, where trying again may help.
        retry_wait: seconds before the first of them; the next wait is twice as long, and so on.
        cut_seconds: that cutting one may take.
    """

    layout: str = "audiosetdl"
    sound: SoundFormat = dataclasses.field(default_factory=SoundFormat)
    fetch: FetchSettings = dataclasses.field(default_factory=FetchSettings)
    pace: Pace = dataclasses.field(default_factory=Pace)
    workers: int = 4
    retries: int = 5
    retry_wait: float = 30.0
    cut_seconds: float = 600.0


class Download:
    """One run over the rows of a manifest that wait."""

    def __init__(
        self,
        manifest: Manifest,
        out: Path,
        settings: DownloadSettings,
        stop: threading.Event,
        say: Callable[[str], None],
        show: Callable[[str], None] = lambda text: None,
    ):
        self.manifest, self.out, self.settings = manifest, out.absolute(), settings
        self.stop, self.say, self.show = stop, say, show
        self.partial = self.out / f".partial-{manifest.path.stem}"
        self.gate = Gate(settings.pace, say, GateState(**(manifest.note("gate") or {})))
        self.cutter = Cutter(settings.sound, settings.cut_seconds, stop)
        self.fetchers: list[Fetcher] = []
        self.own, self.lock = threading.local(), threading.Lock()
        self.pending: dict[Future, Clip] = {}
        self.broken: UserError | None = None
        self.tally = {DONE: 0, SHORT: 0, FAILED: 0, WAITING: 0}

    def run(self) -> bool:
        """Goes on until no row waits, and returns True, or False where it was stopped or refused before.

        Raises:
            UserError: if the disk is full or cannot be written, or another run is at it.
        """
        with only_one(self.manifest.path), ThreadPoolExecutor(self.settings.workers) as pool:
            shutil.rmtree(self.partial, ignore_errors=True)
            try:
                finished = self._loop(pool)
            except BaseException:
                self.stop.set()
                raise
            finally:
                for future in self.pending:
                    future.cancel()
                concurrent.futures.wait(self.pending)
                self._take(list(self.pending))
                for fetcher in self.fetchers:
                    fetcher.__exit__()
                shutil.rmtree(self.partial, ignore_errors=True)
        if self.broken:
            raise self.broken
        return finished

    def _loop(self, pool: ThreadPoolExecutor) -> bool:
        while not self.stop.is_set() and not self.gate.gave_up:
            self._fill(pool)
            if not self.pending:
                next_try = self.manifest.next_try()
                if next_try is None:
                    return True
                self._rest(next_try)
                continue
            wait = concurrent.futures.FIRST_COMPLETED
            ready, _ = concurrent.futures.wait(self.pending, timeout=0.5, return_when=wait)
            self._take(list(ready))
            self.show(self._state())
        return False

    def _fill(self, pool: ThreadPoolExecutor) -> None:
        """Gives the workers rows, a few more than they can do at once."""
        room = 2 * self.settings.workers - len(self.pending)
        if room <= 0:
            return
        begun = {clip.segment for clip in self.pending.values()}
        due = self.manifest.due(time.time(), room + len(begun))
        for clip in [each for each in due if each.segment not in begun][:room]:
            self.pending[pool.submit(self._work, clip)] = clip

    def _rest(self, until: float) -> None:
        """Waits for a row whose time has not come."""
        wait = until - time.time()
        self.show(f"{self._state()}; the next is tried in {max(wait, 0):,.0f} s")
        self.stop.wait(min(max(wait, 0.01), 1.0))

    def _take(self, ready: list[Future]) -> None:
        """Records what workers give back."""
        clips = [future.result() for future in ready if not future.cancelled()]
        clips = [clip for clip in clips if clip]
        for clip in clips:
            self.tally[clip.state] += 1
        for future in ready:
            self.pending.pop(future)
        if clips:
            self.manifest.record(clips, gate=dataclasses.asdict(self.gate.state))

    def _state(self) -> str:
        again = f", {self.tally[WAITING]:,} tries failed for now" if self.tally[WAITING] else ""
        paused = self.gate.state.paused_until - time.time()
        pause = f"; {self.gate.state.why}: paused for {paused:,.0f} s" if paused > 0 else ""
        had = self.tally[DONE] + self.tally[SHORT]
        return f"{had:,} clips, {self.tally[FAILED]:,} cannot be had{again}{pause}"

    # What a worker does

    def _work(self, clip: Clip) -> Clip | None:
        """Tries a clip, and returns its row as it then is; None where the run ends before."""
        if not self.gate.enter(self.stop):
            return None
        try:
            done = self._get(clip)
        except StoppedError:
            return None
        except ClipError as failure:
            return self._failed(clip, failure)
        except UserError as error:  # what is not installed
            self._break(error)
            return None
        except Exception as error:  # of one clip among millions: no reason to end
            return self._failed(clip, _surprise(error, self.out))
        self.gate.report(None)
        return done

    def _get(self, clip: Clip) -> Clip:
        """Fetches, cuts and places a clip."""
        segment, fetcher = clip.segment, self._fetcher()
        tracks = fetcher.fetch(segment.video_id)
        cut = fetcher.folder / f"cut.{self.settings.sound.suffix}"
        samples = self.cutter.cut_sound(tracks.sound, segment.start_ms, segment.end_ms, cut)
        self._check_length(tracks, segment, samples)
        video_sha256 = self._video(fetcher.folder, tracks, segment) if tracks.pictures else ""
        sha256, size = sha256_of(cut), cut.stat().st_size
        place(cut, clip_file(self.out, self.settings.layout, segment, self.settings.sound.suffix))
        wanted = self.settings.sound.length(segment.start_ms, segment.end_ms)
        missing = max(wanted - samples, 0)  # MP3 may have some of its last frame more
        seconds = missing / self.settings.sound.sample_rate
        short = f"the video ends {seconds:.3f} s before the segment does" if missing else ""
        return clip._replace(
            state=SHORT if missing else DONE,
            reason=Reason.TOO_SHORT if missing else "",
            message=short,
            countries="",
            attempts=clip.attempts + 1,
            bytes=size,
            samples=samples,
            sha256=sha256,
            video_sha256=video_sha256,
        )

    def _video(self, folder: Path, tracks: Tracks, segment: Segment) -> str:
        """Cuts and places the pictures; returns the file's sha256."""
        cut = folder / "cut.mp4"
        self.cutter.cut_video(tracks.pictures, tracks.sound, segment.start_ms, segment.end_ms, cut)
        sha256 = sha256_of(cut)
        place(cut, clip_file(self.out, self.settings.layout, segment, "mp4", "video"))
        return sha256

    def _check_length(self, tracks: Tracks, segment: Segment, samples: int) -> None:
        """Tells a video that ends before the segment does from a track that was cut on its way.

        Raises:
            ClipError: of the second, and where a video ends before the segment begins.
        """
        sound = self.settings.sound
        if samples >= sound.length(segment.start_ms, segment.end_ms):
            return
        ends = segment.start_ms + 1000 * samples / sound.sample_rate
        if tracks.seconds and ends < min(segment.end_ms, 1000 * tracks.seconds) - SHORTER_MS:
            raise ClipError(
                Reason.DECODE,
                f"the track ends before {ends / 1000:.1f} s, though the video is said to have {tracks.seconds:g} s",
            )
        if not samples:
            raise ClipError(Reason.TOO_SHORT, f"the video ends before {segment.start_ms / 1000:g} s, where it begins")

    def _failed(self, clip: Clip, failure: ClipError) -> Clip | None:
        """A row after a failure: it waits, or it is tried no more. None where it is no fault of the clip."""
        if self.stop.is_set():
            return None
        if failure.reason is Reason.DISK:
            self._break(UserError(f"{failure.message}: make room, or give another folder, and run it again."))
            return None
        self.gate.report(failure.reason)
        refused, attempts = failure.reason in REFUSALS, clip.attempts + 1
        most = self.settings.retries * (REFUSED_RETRIES if refused else 1)
        ended = failure.reason in PERMANENT or attempts > most
        wait = 0.0 if refused else self._wait(failure.reason, attempts)  # what was refused waits at the gate
        return clip._replace(
            state=FAILED if ended else WAITING,
            reason=failure.reason,
            message=failure.message,
            countries=",".join(failure.countries),
            attempts=attempts,
            next_try=0.0 if ended else time.time() + wait,
        )

    def _wait(self, reason: Reason, attempts: int) -> float:
        """Seconds before a clip is tried again."""
        slow = SLOW_WAIT if reason in SLOW else 1
        return min(slow * self.settings.retry_wait * 2 ** (attempts - 1), LONGEST_WAIT)

    def _fetcher(self) -> Fetcher:
        """This worker's own."""
        if not hasattr(self.own, "fetcher"):
            with self.lock:
                folder = self.partial / f"worker-{len(self.fetchers)}"
                self.own.fetcher = Fetcher(self.settings.fetch, folder, self.stop, self.say)
                self.fetchers.append(self.own.fetcher)
        return self.own.fetcher

    def _break(self, error: UserError) -> None:
        """Ends the run for what is no fault of a clip."""
        self.broken = self.broken or error
        self.stop.set()


def _surprise(error: Exception, out: Path) -> ClipError:
    """What to say of an error that nobody foresaw, or of the disk that clips go to."""
    if isinstance(error, OSError) and error.errno in OUR_DISK:
        return ClipError(Reason.DISK, f"{error.filename or out}: {error.strerror}")
    return ClipError(Reason.OTHER, f"{type(error).__name__}: {error}")


def place(cut: Path, target: Path) -> None:
    """Gives a finished file its name, once all of it is on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(cut, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(cut, target)
