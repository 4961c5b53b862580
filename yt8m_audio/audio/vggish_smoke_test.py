"""Google's smoke test of an installed VGGish (`vggish_smoke_test.py`, its figures of 2023): a sine, and what it gives.

print(*smoke_test(vggish, pca), sep="\\n")  # nothing where all is well
"""

import numpy as np
from keras import ops

from yt8m_audio.audio.log_mel_examples import examples_of
from yt8m_audio.audio.mel_bands import SAMPLE_RATE, log_mel
from yt8m_audio.audio.pca import Pca
from yt8m_audio.audio.vggish import Vggish

EXPECTED = {
    "mean of the embeddings": 0.000657,
    "deviation of the embeddings": 0.343,
    "mean of the bytes": 126.0,
    "deviation of the bytes": 89.3,
}
TOLERANCE = 0.1  # of each figure: libraries differ a little


def smoke_test(vggish: Vggish, pca: Pca) -> list[str]:
    """Embeds three seconds of a sine of 1 kHz; says which figures of the result are not Google's, on a line each."""
    waveform = np.sin(2 * np.pi * 1000 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE)
    examples = examples_of(log_mel(waveform)).astype(np.float32)  # [3, 96, 64]
    embeddings = ops.convert_to_numpy(vggish(examples))  # [3, 128]
    quantized = pca.quantized(embeddings)
    found = [embeddings.mean(), embeddings.std(), quantized.mean(), quantized.std()]
    return [
        f"VGGish's smoke test on a sine of 1 kHz: {name} is {value:.4g}, and should be {expected:g} within 10 %."
        for (name, expected), value in zip(EXPECTED.items(), found, strict=True)
        if not abs(value - expected) <= TOLERANCE * expected
    ]
