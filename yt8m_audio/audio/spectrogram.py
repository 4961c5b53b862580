"""Log-mel bands of sound of any length for a picture of it, thinned as it comes.

spectrogram = Spectrogram()
for block in spectrogram.seeing(blocks):      # the blocks pass, float32 [n] each
    ...
spectrogram.bands(), spectrogram.column_seconds    # [columns, 64], from one column to the next
"""

from collections.abc import Iterable, Iterator

import numpy as np

from yt8m_audio.audio.mel_bands import HOP_SAMPLES, MEL_BANDS, SAMPLE_RATE, log_mel
from yt8m_audio.thinning import Thinned

COLUMNS = 2048  # at most; a picture has about half as many


class Spectrogram:
    """What is to be seen of a sound.

    Args:
        sample_rate: of the sound, in Hz. Bands of another than 16 kHz lie as much higher as it is.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE):
        self.sample_rate = sample_rate
        self.thinned = Thinned(COLUMNS, np.mean)
        self.thinned.add(np.empty((0, MEL_BANDS), np.float32))
        self.left = np.empty(0, np.float32)

    @property
    def column_seconds(self) -> float:
        """From one column to the next."""
        return self.thinned.step * HOP_SAMPLES / self.sample_rate

    def bands(self) -> np.ndarray:
        """The logarithms of the bands, [columns, 64], or the means of some in a row."""
        return self.thinned.rows()

    def seeing(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Lets blocks pass, float32 [samples] each, and looks at them."""
        for block in blocks:
            sound = np.concatenate([self.left, block])
            bands = log_mel(sound)  # [frames, 64]
            self.thinned.add(bands)
            self.left = sound[len(bands) * HOP_SAMPLES :]
            yield block
