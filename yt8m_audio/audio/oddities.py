"""What is odd about a sound, of any length, before anything is made of it.

odd_about(waveform)             # ["clipped: 3.1 % of its samples are at full scale"]
oddities = Oddities()
for block in blocks:
    oddities.update(block)
oddities.found()                # the same, of a file that is not held in memory
"""

import numpy as np

SILENCE = 10 ** (-80 / 20)  # -80 dBFS: a recording's own noise is above it
FULL_SCALE = 0.999
FRAME_SAMPLES = 1_600  # 0.1 s at 16 kHz, silent or not as a whole
MOSTLY = 0.9
CLIPPED_SHARE = 1e-3


class Oddities:
    """Counts what is odd, block by block; what it finds does not depend on where blocks end."""

    def __init__(self):
        self.samples = self.frames = self.silent_frames = self.clipped = 0
        self.lowest, self.highest = np.inf, -np.inf
        self.left = np.empty(0, np.float32)  # behind the last whole frame

    def update(self, block: np.ndarray) -> None:
        """Takes the next float32 [n]."""
        if not len(block):
            return
        self.samples += len(block)
        self.lowest, self.highest = min(self.lowest, float(block.min())), max(self.highest, float(block.max()))
        sound = np.concatenate([self.left, block])
        whole = len(sound) // FRAME_SAMPLES * FRAME_SAMPLES
        frames = np.abs(sound[:whole].reshape(-1, FRAME_SAMPLES))  # [frames, 1600]
        self.frames += len(frames)
        self.silent_frames += int((frames.max(axis=1, initial=0.0) < SILENCE).sum())
        self.clipped += _at_full_scale(frames)
        self.left = sound[whole:]

    def found(self) -> list[str]:
        """What is odd, a line each: empty, silent, constant, mostly silent, clipped; nothing of most sounds."""
        if not self.samples:
            return ["empty: it has no sample"]
        if max(-self.lowest, self.highest) < SILENCE:
            return ["silent: nothing in it is above -80 dBFS"]
        if self.lowest == self.highest:
            return [f"constant: every sample is {self.lowest:.4g}"]
        return [*self._mostly_silent(), *self._clipped()]

    def _mostly_silent(self) -> list[str]:
        share = self.silent_frames / max(self.frames, 1)
        return [f"mostly silent: {100 * share:.0f} % of it is below -80 dBFS"] if share >= MOSTLY else []

    def _clipped(self) -> list[str]:
        share = (self.clipped + _at_full_scale(np.abs(self.left)[np.newaxis])) / self.samples
        return [f"clipped: {100 * share:.1f} % of its samples are at full scale"] if share >= CLIPPED_SHARE else []


def odd_about(waveform: np.ndarray) -> list[str]:
    """Says what is odd about a waveform, float32 [samples] in [-1, 1], a line each; nothing of most."""
    oddities = Oddities()
    oddities.update(np.asarray(waveform, np.float32))
    return oddities.found()


def _at_full_scale(magnitudes: np.ndarray) -> int:
    """Samples of [frames, n] at full scale between two that are: one alone is the peak of a sound that just fits."""
    full = magnitudes >= FULL_SCALE
    return int((full[:, :-2] & full[:, 1:-1] & full[:, 2:]).sum())
