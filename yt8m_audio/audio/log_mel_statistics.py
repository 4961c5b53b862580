"""An embedding that was not learnt: means and deviations of log-mel bands, as bytes of the size of AudioSet's.

    frames = LogMelStatistics().embed(waveform)   # float [samples] at 16 kHz -> uint8 [seconds, 128]

What the built-in sample is made with, and what works on any machine at once. VGGish tells sounds apart far better.
"""

import numpy as np

from yt8m_audio.audio.mel_bands import HOP_SAMPLES, MEL_BANDS, SAMPLE_RATE, WINDOW_SAMPLES, log_mel
from yt8m_audio.audio.quantize import quantize
from yt8m_audio.feature_source import FeatureSource

HOPS_PER_SECOND = SAMPLE_RATE // HOP_SAMPLES

# These bring a second's means and deviations into [-2, 2]. Over 300 clips of the sample the means lie in [-4.47, 4.97]
# with 1 % above 2.3, and the deviations in [0, 4.5] with 1 % above 3.1: what is clipped is the loudest of loud sounds.
MEAN_CENTER, MEAN_SCALE = -1.0, 1.8
DEVIATION_CENTER, DEVIATION_SCALE = 1.6, 0.8


class LogMelStatistics:
    """Describes each second by the mean and the standard deviation of each of its 64 log-mel bands.

    The last second of a sound lacks two of its hundred frames, which would end after it. What is left behind the last
    whole second counts as one where a frame fits into it.
    """

    sample_rate = SAMPLE_RATE
    dimension = 2 * MEL_BANDS
    hop_samples = SAMPLE_RATE
    window_samples = (HOPS_PER_SECOND - 1) * HOP_SAMPLES + WINDOW_SAMPLES

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embeds a waveform.

        Args:
            waveform: floats [samples] in [-1, 1], 16 kHz.

        Returns:
            uint8 [seconds, 128]: 64 means, then 64 deviations, quantised.
        """
        bands = log_mel(waveform)  # [frames, 64]
        seconds = [bands[start : start + HOPS_PER_SECOND] for start in range(0, len(bands), HOPS_PER_SECOND)]
        if not seconds:
            return np.empty((0, self.dimension), np.uint8)
        means = np.stack([second.mean(axis=0) for second in seconds])  # [seconds, 64]
        deviations = np.stack([second.std(axis=0) for second in seconds])
        features = [(means - MEAN_CENTER) / MEAN_SCALE, (deviations - DEVIATION_CENTER) / DEVIATION_SCALE]
        return quantize(np.concatenate(features, axis=1))  # [seconds, 128]

    def described(self) -> FeatureSource:
        """What is noted beside records: see yt8m_audio.feature_source."""
        return FeatureSource("log_mel_statistics", self.sample_rate, self.dimension, self.hop_samples / SAMPLE_RATE)
