"""python -m yt8m_audio clips CSV OUT: downloads the sound of AudioSet's segments, and notes what became of each.

    clips CSV OUT                       downloads; the same command goes on after a stop
    clips status OUT                    how far it is, and why clips cannot be had
    clips retry OUT --reason=network    has some tried again with the next run
    clips verify OUT                    holds every file against the manifest
    clips merge OUT [MANIFEST ...]      makes one manifest of those of many machines
    clips report OUT                    what is missing by class, and what that does to an evaluation

It needs no TensorFlow.
"""

import contextlib
import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from yt8m_audio.audioset.clips.downloading import Download, DownloadSettings
from yt8m_audio.audioset.clips.fetching import FetchSettings, check_cookies, check_proxy, yt_dlp_module
from yt8m_audio.audioset.clips.folder import (
    FolderSettings,
    check_settings,
    keep_settings,
    make_folder,
    manifest_path,
    parse_shard,
)
from yt8m_audio.audioset.clips.manifest import WAITING, Manifest
from yt8m_audio.audioset.clips.media import SoundFormat, ffmpeg
from yt8m_audio.audioset.clips.only_one import only_one
from yt8m_audio.audioset.clips.pacing import Pace
from yt8m_audio.audioset.clips.plan import Plan, plan_of
from yt8m_audio.audioset.clips.segment import read_list
from yt8m_audio.commands.clip_losses import report
from yt8m_audio.commands.clip_upkeep import merge, retry, status, verify
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine

ABOUT = "Downloads the sound of AudioSet's segments. Also: clips status, retry, verify, merge and report, with OUT."
OTHERS = {"status": status, "retry": retry, "verify": verify, "merge": merge, "report": report}
REFUSED = 75  # exit status: try again later
RIGHTS = """What you may do with clips is for you to find out first:
  YouTube's terms of service, https://www.youtube.com/t/terms, say what may be downloaded, and how.
  AudioSet's labels are licensed CC BY 4.0 (https://research.google.com/audioset/download.html); the videos are not
  part of it: each is its uploader's, under the licence that its page names."""


@dataclasses.dataclass(frozen=True)
class ClipsFlags:
    """What is downloaded, and how.

    Attributes:
        csv: List of segments as AudioSet has them: ID, START, END, "LABEL,LABEL".
        out: Folder for clips and manifest. The same command goes on with one that is there.
        layout: How files are named: audiosetdl (data/LIST/audio/ID_STARTms_ENDms.flac), panns (audios/LIST/YID.wav) or
            flat (ID_STARTms_ENDms.flac).
        format: How sound is written: flac, wav, mp3, ogg or m4a.
        sample_rate: In Hz.
        channels: 1 or 2.
        bit_depth: Bits a sample: 16, or of flac and wav 24.
        video: Download pictures too, to MP4 files of H.264 at 30 frames a second.
        max_height: Pixels that pictures may be high.
        workers: Clips at a time.
        retries: Times that a clip is tried again, where that may help.
        retry_wait: Seconds before a clip is tried again; twice as many before the next time, and so on.
        time_out: Seconds that a video may take, to fetch and to cut.
        socket_time_out: Seconds that the network may be silent.
        max_per_hour: Videos asked for in an hour, by all workers together; 0 for no limit. YouTube refuses guests that
            ask for more than about 300.
        pause: Seconds of the pause after a bot check, a captcha or a rate limit; twice as many where it is refused
            again, and after six pauses in a row it stops.
        cookies: File of a browser's cookies, in Netscape's format.
        proxy: Address of a proxy, such as socks5://127.0.0.1:1080.
        shard: Which of n machines this is, from 0/n to n-1/n: it takes the videos that a hash of their ids gives it,
            and has a manifest of its own.
        dry_run: Say what there is to do and how long it takes, and do nothing.
    """

    csv: str = dataclasses.field(metadata=POSITIONAL)
    out: str = dataclasses.field(metadata=POSITIONAL)
    layout: str = "audiosetdl"
    format: str = "flac"
    sample_rate: int = 48_000
    channels: int = 2
    bit_depth: int = 16
    video: bool = False
    max_height: int = 720
    workers: int = 4
    retries: int = 5
    retry_wait: float = 30.0
    time_out: float = 600.0
    socket_time_out: float = 20.0
    max_per_hour: float = 300.0
    pause: float = 900.0
    cookies: str = ""
    proxy: str = ""
    shard: str = ""
    dry_run: bool = False

    def folder_settings(self) -> FolderSettings:
        """What all clips of the folder have in common."""
        sound = SoundFormat(self.format, self.sample_rate, self.channels, self.bit_depth)
        return FolderSettings(self.layout, sound, self.video)

    def download_settings(self) -> DownloadSettings:
        """How they are had."""
        folder = self.folder_settings()
        secret = {"cookies": self.cookies, "proxy": self.proxy}
        fetch = FetchSettings(self.video, self.max_height, self.time_out, self.socket_time_out, **secret)
        pace = Pace(self.max_per_hour, self.pause, outage=max(20, 3 * self.workers))
        times = {"retries": self.retries, "retry_wait": self.retry_wait, "cut_seconds": self.time_out}
        return DownloadSettings(folder.layout, folder.sound, fetch, pace, self.workers, **times)


def main(argv) -> int:
    """Downloads, or does what the word after `clips` says."""
    if len(argv) > 1 and argv[1] in OTHERS:
        return OTHERS[argv[1]]([f"clips {argv[1]}", *argv[2:]])
    asked = parse(argv, ABOUT, ClipsFlags)
    if not Path(asked.csv).exists() and (near := nearest(asked.csv, OTHERS)):
        raise UserError(f"{asked.csv} is no list of segments that is there.{near}")
    check(asked)
    return dry_run(asked) if asked.dry_run else download(asked)


def check(asked: ClipsFlags) -> None:
    """Raises a UserError about a flag with a value that is none."""
    least = {"max_height": 1, "workers": 1, "retries": 0, "retry_wait": 0, "time_out": 1, "socket_time_out": 1}
    least |= {"max_per_hour": 0, "pause": 0}
    for name, value in least.items():
        if not getattr(asked, name) >= value:
            raise UserError(f"--{name}={getattr(asked, name)} must be at least {value}.")
    asked.folder_settings().check()
    parse_shard(asked.shard)
    if asked.cookies:
        check_cookies(asked.cookies)
    if asked.proxy:
        check_proxy(asked.proxy)


def dry_run(asked: ClipsFlags) -> int:
    """Prints the plan."""
    shard, over, others = parse_shard(asked.shard), 0, 0
    path, settings = manifest_path(Path(asked.out), shard), asked.folder_settings()
    if path.exists():
        with Manifest.open(path) as manifest:
            check_settings(manifest, settings)
            states = manifest.states_of(read_list(asked.csv, shard))
            others = sum(each.clips for each in manifest.counts() if each.state == WAITING) - states[WAITING]
            over = states.total() - states[WAITING]
    plan = plan_of(read_list(asked.csv, shard), over, settings.sound, asked.max_per_hour, others)
    print("\n".join(planned(plan, asked, over, others)))
    return 0


def planned(plan: Plan, asked: ClipsFlags, over: int, others: int) -> list[str]:
    """A plan in words."""
    shard = f" of shard {asked.shard}" if asked.shard else ""
    rate = f"{asked.max_per_hour:,g} an hour" if asked.max_per_hour else "without a limit, as fast as the network is"
    days = f"{plan.days:,.1f} days ({plan.hours:,.1f} hours), and what is tried again"
    days = days if asked.max_per_hour else "not known"
    more = f", of which {others:,} are of other lists of the folder" if others else ""
    video = ", and pictures, of which the size is not known" if asked.video else ""
    sound = f"{asked.format}, {asked.sample_rate} Hz, {asked.channels} channels, {asked.bit_depth} bits"
    return [
        f"segments{shard}: {plan.segments:,}, {plan.seconds / 3600:,.1f} hours of sound; {over:,} of them are "
        "over and done with",
        f"to try: {plan.videos_left:,}{more}, {rate}, {asked.workers} at a time",
        f"time: {days}",
        f"room: about {plan.bytes / 1e9:,.1f} GB in {asked.out}, if all can be had ({sound}){video}",
        "Nothing was downloaded.",
    ]


def download(asked: ClipsFlags) -> int:
    """Downloads until nothing waits, or it is stopped."""
    yt_dlp_module(), ffmpeg()  # what is not there is said before anything is made
    out, shard, line = Path(asked.out), parse_shard(asked.shard), ProgressLine()
    segments = read_list(asked.csv, shard)
    make_folder(out)
    with stopping() as stopped, Manifest.create(manifest_path(out, shard)) as manifest:
        with only_one(manifest.path):
            added = begin(manifest, asked, segments)
        if not manifest.note("rights_told"):
            line.say(RIGHTS)
            manifest.keep("rights_told", True)
        line.say(f"{added:,} segments are new in {manifest.path}.")
        run = Download(manifest, out, asked.download_settings(), stopped.event, line.say, line.show)
        try:
            finished = run.run()
        finally:
            line.clear()
        print("\n".join(summed(manifest, out)))
        if finished:
            return 0
        if run.gate.gave_up:
            why = f"{run.gate.gave_up}. The same command goes on, in some hours or from another address."
            print(f"error: this address is refused, or has no network: {why}", file=sys.stderr)
            return REFUSED
        print("Stopped: the same command goes on.")
        return 128 + (stopped.signal or signal.SIGTERM)


def begin(manifest: Manifest, asked: ClipsFlags, segments) -> int:
    """Adds the segments and keeps the settings; returns how many are new. A list with a fault leaves neither."""
    check_settings(manifest, asked.folder_settings())
    added = manifest.add(segments)
    keep_settings(manifest, asked.folder_settings())
    if asked.layout == "panns" and (twice := manifest.twice_named()):
        raise UserError(
            f"--layout=panns names a file by its video alone, and {asked.csv} has several segments of {twice}: give "
            "another layout, and another folder."
        )
    return added


def summed(manifest: Manifest, out: Path) -> list[str]:
    """What there is after a run, in words."""
    counts = manifest.counts()
    states = {state: sum(each.clips for each in counts if each.state == state) for state in ("done", "short", "failed")}
    waiting = sum(each.clips for each in counts if each.state == WAITING)
    lines = [
        f"{states['done']:,} clips, {states['short']:,} cut short, {states['failed']:,} that cannot be had, "
        f"{waiting:,} waiting: {manifest.path}"
    ]
    if states["failed"]:
        lines.append(f"Next: python -m yt8m_audio clips report {out}")
    return lines


@dataclasses.dataclass
class Stopping:
    """A wish to stop.

    Attributes:
        event: set when it comes.
        signal: which one came.
    """

    event: threading.Event = dataclasses.field(default_factory=threading.Event)
    signal: int | None = None


@contextlib.contextmanager
def stopping() -> Iterator[Stopping]:
    """Takes Ctrl-C and SIGTERM as a wish to stop soon; a second one ends the process as ever."""
    noted = Stopping()
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    def note(number, frame) -> None:
        noted.signal = number
        noted.event.set()
        restore()

    for each in before:
        signal.signal(each, note)
    try:
        yield noted
    finally:
        restore()
