"""python -m yt8m_audio fit-pca FEATURES OUTPUT: fits a whitening PCA to float features, so that they become bytes."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from yt8m_audio.audio.pca import fit_pca, save_pca
from yt8m_audio.clip_arrays import opened_arrays
from yt8m_audio.commands.feature_reading import FeatureReading
from yt8m_audio.errors import UserError, reason
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine


@dataclasses.dataclass(frozen=True)
class FitPcaFlags:
    """What a PCA is fitted to, and where it goes.

    Attributes:
        features: Glob of records with float features, in quotes, an .npz file, or a folder of ID.npy files.
        output: .npz file to write, with the keys of VGGish's own: pca_eigen_vectors, pca_means.
        components: How many components to keep, those with the largest variance first; all when not given.
    """

    features: str = dataclasses.field(metadata=POSITIONAL)
    output: str = dataclasses.field(metadata=POSITIONAL)
    components: int | None = None


def main(argv) -> int:
    """Fits the PCA in one pass, writes it, and says what it is of."""
    asked = parse(argv, "Fits a whitening PCA to float features, so that they become bytes.", FitPcaFlags)
    _check_output(asked.output)
    line, frames = ProgressLine(), 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal frames
        for block in blocks_of(asked.features):
            yield block
            frames += len(block)
            line.show(f"{frames:,} frames")

    pca = fit_pca(counted(), asked.components)
    save_pca(asked.output, pca)
    line.say(f"Wrote {asked.output}: a PCA of {frames:,} frames, from {pca.dimension} to {pca.num_components} numbers.")
    if frames < 10 * pca.dimension:
        few = f"{frames:,} frames are few for {pca.dimension} numbers: 10 times as many are fair"
        print(f"warning: {few}.", file=sys.stderr)
    return 0


def blocks_of(features: str) -> Iterator[np.ndarray]:
    """The frames of arrays or records, floats [n, D] at a time.

    Raises:
        UserError: if there are none, or they are bytes already.
    """
    if features.endswith(".npz") or any(Path(features).glob("*.npy")):
        yield from _blocks_of_arrays(features)
        return
    reading = FeatureReading(features, "features")
    if reading.is_bytes:
        raise UserError(f"{features} holds bytes already: a PCA is fitted to floats, before they are quantised.")
    for numbers in reading.numbers():
        rows, _ = reading.read(numbers)
        yield rows.features[np.arange(rows.features.shape[1]) < rows.num_frames[:, None]]  # [sum of frames, D]
    for line in reading.losses():
        print(f"warning: {line}", file=sys.stderr)


def _blocks_of_arrays(path: str) -> Iterator[np.ndarray]:
    with opened_arrays(path) as arrays:
        for key in sorted(arrays.keys):
            frames = arrays.frames(key)
            if frames.dtype == np.uint8:
                raise UserError(f"{path}, array {key} holds bytes already: a PCA is fitted to floats.")
            yield frames


def _check_output(output: str) -> None:
    """Finds out before the work whether the file can be written."""
    path = Path(output)
    if path.suffix != ".npz":
        raise UserError(f"{output} should end in .npz: a PCA is a NumPy file of two arrays.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {reason(error)}.") from error
