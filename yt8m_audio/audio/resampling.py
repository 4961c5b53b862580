"""Many channels at any rate to one at another, block by block."""

from collections.abc import Iterable, Iterator

import numpy as np

from yt8m_audio.audio.sound_errors import of_the_audio_extra


def mixed(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Turns float32 [n, channels] into their mean over the channels, [n].

    Channel by channel: numpy's mean over so short an axis takes as long as the decoding.
    """
    for block in blocks:
        total = block[:, 0].copy()
        for channel in range(1, block.shape[1]):
            total += block[:, channel]
        yield total / np.float32(block.shape[1]) if block.shape[1] > 1 else total


def resampled(blocks: Iterable[np.ndarray], rate_in: int, rate_out: int) -> Iterator[np.ndarray]:
    """Resamples float32 [n] from one rate, in Hz, to another with soxr (HQ), as if all blocks were one.

    What comes out has round(samples * rate_out / rate_in) samples.

    Raises:
        SoundError: if soxr is needed and not installed.
    """
    if rate_in == rate_out:
        yield from blocks
        return
    with of_the_audio_extra("soxr"):
        import soxr
    stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
