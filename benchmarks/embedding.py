"""How fast does sound become features? The front end against its Fourier transform, VGGish against a matrix product.

python -m benchmarks embedding
"""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from benchmarks.measure import Result, alternately
from benchmarks.training import matrix_products
from yt8m_audio.audio.log_mel_examples import EXAMPLE_FRAMES, EXAMPLE_SAMPLES
from yt8m_audio.audio.mel_bands import FFT_SAMPLES, FRAMES_AT_ONCE, MEL_BANDS, SAMPLE_RATE, log_mel, split_frames
from yt8m_audio.audio.pca import Pca, save_pca
from yt8m_audio.audio.vggish import EMBEDDING_SIZE, Vggish
from yt8m_audio.audio.vggish_source import BATCH_SIZE, VggishSource
from yt8m_audio.audio.vggish_weights import PCA

SECONDS = 60
CLIP_EXAMPLES = 10  # of ten seconds
TIMES = "x real time"


def results() -> list[Result]:
    """Front end on one core; VGGish on all of them, as a whole minute and as one clip at a time, and in bfloat16."""
    found = [front_end()]
    with tempfile.TemporaryDirectory(prefix="yt8m_audio_bench_") as folder:
        write_weights(Path(folder))
        source, mixed = VggishSource(folder), VggishSource(folder, mixed_precision=True)
        flops = flops_of(source.vggish)
        works = matrix_products(), embedding(source, BATCH_SIZE), embedding(source, CLIP_EXAMPLES)
        products, *rates = alternately(*works, rounds=3)
        for examples, rate in zip((BATCH_SIZE, CLIP_EXAMPLES), rates, strict=True):
            name = f"VGGish, sound to bytes, {examples} examples"
            found.append(Result(name, rate, "examples/s", "float32 matrix product", products / flops))
        products, rate = alternately(matrix_products("bfloat16"), embedding(mixed, BATCH_SIZE), rounds=3)
        name = f"VGGish in bfloat16, {BATCH_SIZE} examples"
        found.append(Result(name, rate, "examples/s", "bfloat16 matrix product", products / flops))
    return found


def front_end() -> Result:
    """The limit: seconds of sound a second if nothing but the Fourier transform cost time; one core does both."""
    waveform = np.random.default_rng(0).normal(0, 0.1, SECONDS * SAMPLE_RATE).astype(np.float32)
    frames = split_frames(waveform).copy()  # [frames, 400]

    def transform():
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            np.fft.rfft(frames[start : start + FRAMES_AT_ONCE], FFT_SAMPLES)
        return SECONDS

    def bands():
        log_mel(waveform)
        return SECONDS

    limit, rate = alternately(transform, bands)
    return Result("log-mel bands, one core", rate, TIMES, "its Fourier transform alone", limit)


def write_weights(folder: Path) -> None:
    """Writes random weights: Google's would be as fast."""
    vggish = Vggish()
    vggish.build()
    vggish.save(folder / "vggish.keras")
    save_pca(folder / PCA, Pca(np.eye(EMBEDDING_SIZE, dtype=np.float32), np.zeros(EMBEDDING_SIZE, np.float32)))


def embedding(source: VggishSource, examples: int) -> Callable[[], int]:
    """A function that embeds sound of so many examples, once a call."""
    samples = EXAMPLE_SAMPLES + (examples - 1) * source.hop_samples
    waveform = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    return lambda: len(source.embed(waveform))


def flops_of(vggish: Vggish) -> int:
    """Floating-point operations of an example, 2 a multiply-add of convolutions and matrix products: 1.7 G."""
    network, total = vggish.network, 0
    shape = (1, EXAMPLE_FRAMES, MEL_BANDS, 1)
    for layer in network.layers:
        shape = layer.compute_output_shape(shape)
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            total += 2 * math.prod(layer.kernel.shape) * math.prod(shape[1:-1])
    return total
