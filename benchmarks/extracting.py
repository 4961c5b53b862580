"""Extraction of records from sound files, end to end, in times real time, against the front end alone.

python -m benchmarks extracting
python -m benchmarks.extracting 1000    # so many clips of ten seconds, with the time of starting up
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.measure import Result, alternately

SECONDS = 10
CLIPS = 240
KINDS = {"16 kHz mono": (16_000, 1), "44.1 kHz stereo": (44_100, 2)}
VGGISH_CLIPS = 96


def write_clips(folder: Path, sample_rate: int, channels: int, clips: int) -> None:
    """Writes clips of noise as 16-bit WAV files."""
    import soundfile

    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, (SECONDS * sample_rate, channels)).astype(np.float32)
    for number in range(clips):
        soundfile.write(folder / f"{number:05d}.wav", np.roll(noise, 100 * number, axis=0), sample_rate)


class Opened:
    """An embedding that is open already, in place of what opens it."""

    def __init__(self, source):
        self.source = source

    def opened(self):
        """Gives it."""
        return self.source


def extracting(folder: Path, workers: int, opening=None) -> Callable[[], int]:
    """A work that extracts all clips of a folder, and returns the seconds of sound that they are."""
    from yt8m_audio.audio.extraction import extract
    from yt8m_audio.audio.sound_list import listed
    from yt8m_audio.audio.sound_work import Opening

    def work() -> int:
        sounds = [each.sound for each in listed(str(folder))]
        out = folder.with_name(f"{folder.name}-out")
        shutil.rmtree(out, ignore_errors=True)
        done = extract(sounds, opening or Opening("log_mel_statistics"), str(out), workers=workers)
        return round(done.seconds)

    return work


def embed(clips: int) -> int:
    """Embeds clips of noise that are in memory already; returns their seconds."""
    from yt8m_audio.audio.log_mel_statistics import LogMelStatistics

    sound = np.random.default_rng(0).normal(0, 0.1, SECONDS * 16_000).astype(np.float32)
    for _ in range(clips):
        LogMelStatistics().embed(sound)
    return clips * SECONDS


def embedding_alone(workers: int) -> Iterator[Callable[[], int]]:
    """A work that does nothing but embed, on as many processes, which have started before."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield lambda: sum(pool.map(embed, [CLIPS // workers] * workers))


def results() -> list[Result]:
    """Extraction of WAV files of each kind, beside the front end alone on the same cores."""
    workers, found = os.cpu_count() or 1, []
    for kind, (sample_rate, channels) in KINDS.items():
        with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as parent:
            folder = Path(parent, "clips")
            folder.mkdir()
            write_clips(folder, sample_rate, channels, CLIPS)
            for front_end in embedding_alone(workers):
                limit, rate = alternately(front_end, extracting(folder, workers), rounds=3)
        found.append(Result(f"extracting, {kind}", rate, "s/s", "the embedding alone", limit))
    return [*found, with_vggish(workers)]


def with_vggish(workers: int) -> Result:
    """Extraction with VGGish of random weights, which are loaded before, beside the matrix product."""
    from benchmarks.embedding import flops_of, write_weights
    from benchmarks.training import matrix_products
    from yt8m_audio.audio.vggish_source import VggishSource

    with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as parent:
        folder = Path(parent, "clips")
        folder.mkdir()
        write_clips(folder, 44_100, 2, VGGISH_CLIPS)
        write_weights(Path(parent))
        source = VggishSource(parent, hop_seconds=1.0)  # an example each second
        work = extracting(folder, workers, Opened(source))
        products, rate = alternately(matrix_products(), work, rounds=3)
    limit = products / flops_of(source.vggish)
    return Result("extracting, VGGish", rate, "s/s", "float32 matrix product", limit)


def main(clips: str) -> None:
    """Extracts so many clips once, as the command does, and prints how fast that was."""
    for kind, (sample_rate, channels) in KINDS.items():
        with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as parent:
            folder = Path(parent, "clips")
            folder.mkdir()
            write_clips(folder, sample_rate, channels, int(clips))
            begun = time.perf_counter()
            seconds = extracting(folder, os.cpu_count() or 1)()
            print(f"{kind}: {seconds / (time.perf_counter() - begun):,.0f} times real time, starting up and all")


if __name__ == "__main__":
    main(*sys.argv[1:])
