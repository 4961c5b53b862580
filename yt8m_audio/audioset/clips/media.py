"""Cutting sound and pictures at the sample, and counting what came of it, with the ffmpeg of imageio-ffmpeg.

A clip is a part of the whole track: decoded from its beginning, brought to the rate that is asked for, and cut from
sample round(start × rate) to round(end × rate). Seeking would be faster, but lands where the container has a cue, and
codecs need what was before to decode what comes. Gaps in the track's times become silence, and so does what lies before
a track that begins late (-copyts): time stays time.
"""

import dataclasses
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from yt8m_audio.audioset.clips.reasons import ClipError, Reason, one_line
from yt8m_audio.errors import UserError

CODECS = {  # suffix: ffmpeg's container, codec by bits a sample
    "flac": ("flac", {16: "flac", 24: "flac"}),
    "wav": ("wav", {16: "pcm_s16le", 24: "pcm_s24le"}),
    "mp3": ("mp3", {16: "libmp3lame"}),
    "ogg": ("ogg", {16: "libvorbis"}),
    "m4a": ("mp4", {16: "aac"}),
}
RATES = {  # what encoders take; the others whatever
    "mp3": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "m4a": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
}
VIDEO_FRAMES = 30  # a second, as audiosetdl has them
POLL = 0.2  # seconds between two looks at whether to stop
BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class SoundFormat:
    """How clips are written.

    Attributes:
        suffix: flac, wav, mp3, ogg or m4a.
        sample_rate: in Hz.
        channels: 1 or 2.
        bit_depth: 16, or of flac and wav 24.
    """

    suffix: str = "flac"
    sample_rate: int = 48_000
    channels: int = 2
    bit_depth: int = 16

    def check(self) -> None:
        """Raises a UserError about a format that there is not."""
        if self.suffix not in CODECS:
            raise UserError(f"--format={self.suffix} is none of {', '.join(CODECS)}.")
        depths = CODECS[self.suffix][1]
        if self.bit_depth not in depths:
            raise UserError(f"--bit_depth={self.bit_depth}: {self.suffix} takes {' or '.join(map(str, depths))}.")
        rates = RATES.get(self.suffix)
        if not 4_000 <= self.sample_rate <= 192_000 or (rates and self.sample_rate not in rates):
            wanted = ", ".join(map(str, rates)) if rates else "4000 to 192000"
            raise UserError(f"--sample_rate={self.sample_rate}: {self.suffix} takes {wanted} Hz here.")
        if self.channels not in (1, 2):
            raise UserError(f"--channels={self.channels} must be 1 or 2.")

    def place(self, milliseconds: int) -> int:
        """The sample at a time."""
        return round(milliseconds * self.sample_rate / 1000)

    def length(self, start_ms: int, end_ms: int) -> int:
        """Samples of a segment, a channel."""
        return self.place(end_ms) - self.place(start_ms)

    def encoding(self) -> list[str]:
        """ffmpeg's arguments that write it."""
        container, codecs = CODECS[self.suffix]
        deep = {16: ["-sample_fmt", "s16"], 24: ["-sample_fmt", "s32", "-bits_per_raw_sample", "24"]}
        depth = deep[self.bit_depth] if self.suffix == "flac" else []  # which takes 24 bits of its own accord
        ends = ["-movie_timescale", str(self.sample_rate)] if container == "mp4" else []  # where it ends, to the sample
        return ["-ac", str(self.channels), "-c:a", codecs[self.bit_depth], *depth, *ends, "-f", container]


def ffmpeg() -> str:
    """The path of ffmpeg.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise UserError("Clips need ffmpeg: pip install 'yt8m-audio[clips]' brings one.") from error


@dataclasses.dataclass(frozen=True)
class Cutter:
    """Cuts clips out of tracks.

    Attributes:
        sound: how they are written.
        seconds: that one may take.
        stop: set where all is to end soon.
    """

    sound: SoundFormat
    seconds: float
    stop: threading.Event

    def cut_sound(self, track: Path, start_ms: int, end_ms: int, clip: Path) -> int:
        """Writes a clip of a track's sound; returns its samples a channel, as counted in the file that was written.

        Raises:
            ClipError: if the track cannot be decoded, or nothing of it lies there.
        """
        first, last = self.sound.place(start_ms), self.sound.place(end_ms)
        chain = f"{self._timed()},atrim=start_sample={first}:end_sample={last},asetpts=PTS-STARTPTS"
        self._run([*_input(track), "-map", "0:a:0", "-af", chain, *self.sound.encoding(), _output(clip)])
        return self.count(clip)

    def cut_video(self, pictures: Path, track: Path, start_ms: int, end_ms: int, clip: Path) -> None:
        """Writes the pictures and the sound of a clip to an MP4 file: H.264 at 30 frames a second, and AAC."""
        first, last = (round(each * VIDEO_FRAMES / 1000) for each in (start_ms, end_ms))
        samples = f"start_sample={self.sound.place(start_ms)}:end_sample={self.sound.place(end_ms)}"
        chains = f"[0:v:0]fps={VIDEO_FRAMES}:start_time=0,trim=start_frame={first}:end_frame={last},"
        chains += f"setpts=PTS-STARTPTS[v];[1:a:0]{self._timed()},atrim={samples},asetpts=PTS-STARTPTS[a]"
        encoding = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4"]
        arguments = ["-filter_complex", chains, "-map", "[v]", "-map", "[a]", *encoding, _output(clip)]
        self._run([*_input(pictures), *_input(track), *arguments])

    def count(self, clip: Path) -> int:
        """Samples a channel of a file, by decoding all of it."""
        arguments = [*_input(clip), "-map", "0:a:0", "-ac", "1", "-f", "s16le", "pipe:1"]
        return self._run(arguments, lambda pipe: sum(len(block) for block in iter(lambda: pipe.read(BLOCK), b""))) // 2

    def _timed(self) -> str:
        """The filter that brings a track to the sample rate, with time 0 as its first sample."""
        return f"aresample={self.sound.sample_rate}:async=1:first_pts=0"

    def _run(self, arguments: Sequence[str], read: Callable | None = None) -> int:
        """Runs ffmpeg, whose standard output `read` takes; ends it where time is up or all is to stop."""
        command = [ffmpeg(), "-nostdin", "-hide_banner", "-loglevel", "error", "-copyts", "-y", *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # In a session of its own: Ctrl-C is for us, and is no fault of a clip.
        with subprocess.Popen(command, start_new_session=True, **pipes) as process:
            said: list[bytes] = []
            late = threading.Event()
            listener = threading.Thread(target=lambda: said.append(process.stderr.read()), daemon=True)
            watcher = threading.Thread(target=self._watch, args=(process, late), daemon=True)
            listener.start()
            watcher.start()
            result = read(process.stdout) if read else 0
            process.wait()
            listener.join()
        if process.returncode == 0:
            return result
        if late.is_set():
            raise ClipError(Reason.TIME_OUT, f"cutting it took more than {self.seconds:g} s")
        raise _failure(process.returncode, one_line(b"".join(said).decode(errors="replace")))

    def _watch(self, process: subprocess.Popen, late: threading.Event) -> None:
        until = time.monotonic() + self.seconds
        while process.poll() is None:
            if self.stop.wait(POLL) or time.monotonic() > until:
                late.set()
                process.kill()
                return


def _failure(status: int, said: str) -> ClipError:
    """Why ffmpeg ended as it did."""
    if "No space left on device" in said or status == -signal.SIGXFSZ:
        return ClipError(Reason.DISK, said or "a file grew larger than this process may write (ulimit -f)")
    if status < 0:
        return ClipError(Reason.OTHER, f"ffmpeg was ended by signal {-status}. {said}".strip())
    return ClipError(Reason.DECODE, said or f"ffmpeg ended with status {status}")


def _input(path: Path) -> list[str]:
    """A file of this machine to read: media that names other files or addresses reaches neither."""
    return ["-threads", "1", "-protocol_whitelist", "file", "-i", f"file:{path.absolute()}"]


def _output(path: Path) -> str:
    return f"file:{path.absolute()}"
