"""VGGish's front end as a Keras layer, for models that take sound: in a `tf.data` graph, under XLA, on JAX.

model = keras.Sequential([keras.Input((160_000,)), LogMel(), ...])  # [B, samples] -> [B, frames, 64]
"""

import keras
from keras import ops

from yt8m_audio.audio.mel_bands import (
    FFT_SAMPLES,
    HOP_SAMPLES,
    LOG_OFFSET,
    MEL_BANDS,
    WINDOW_SAMPLES,
    hann_window,
    mel_matrix,
)
from yt8m_audio.registry import KERAS_PACKAGE

TINY_POWER = 1e-20  # where there is silence, a square root has a gradient too


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class LogMel(keras.layers.Layer):
    """Log-mel bands of a batch of waveforms, float32 [B, samples] in [-1, 1] at 16 kHz -> float32 [B, frames, 64].

    What `yt8m_audio.audio.log_mel` gives, within 1e-4; frames = 1 + (samples - 400) // 160. In 32 bits the transform
    alone moves bands that are 70 dB below a loud, pure tone by up to 1e-3, and none by 1e-5 in noise. A GPU that
    multiplies matrices as TF32, or a TPU that does as bfloat16, is as exact as that is. Nothing is learnt.

    Args:
        log_offset: what is added to a band before the logarithm; 0.001 for YAMNet.
        fft_dtype: precision of the Fourier transform, float64 or float32. When None, float64 on the TensorFlow
            backend, where a TPU wants float32, and float32 on the others: JAX knows no float64 unless told to.
    """

    def __init__(self, log_offset: float = LOG_OFFSET, fft_dtype: str | None = None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.log_offset, self.fft_dtype = log_offset, fft_dtype

    def call(self, waveform):
        """Computes the bands."""
        if waveform.shape[-1] is not None and waveform.shape[-1] < WINDOW_SAMPLES:
            return ops.zeros((ops.shape(waveform)[0], 0, MEL_BANDS), self.compute_dtype)
        dtype = self.fft_dtype or ("float64" if keras.backend.backend() == "tensorflow" else "float32")
        frames = ops.extract_sequences(waveform, WINDOW_SAMPLES, HOP_SAMPLES)  # [B, frames, 400]
        windowed = ops.cast(frames, dtype) * hann_window().astype(dtype)
        real, imaginary = ops.rfft(windowed, fft_length=FFT_SAMPLES)  # [B, frames, 257] each
        magnitude = ops.cast(ops.sqrt(real * real + imaginary * imaginary + TINY_POWER), self.compute_dtype)
        bands = ops.matmul(magnitude, mel_matrix().astype(self.compute_dtype))  # [B, frames, 64]
        return ops.log(bands + self.log_offset)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "log_offset": self.log_offset, "fft_dtype": self.fft_dtype}
