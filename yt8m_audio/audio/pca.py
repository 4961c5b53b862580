"""From embeddings to bytes: a whitening PCA, then the quantiser; Google's for VGGish, or one fitted to own data.

    pca = load_pca("vggish_pca_params.npz")
    frames = pca.quantized(embeddings)             # float [N, 128] -> uint8 [N, 128]
    pca = fit_pca(blocks, num_components=128)      # blocks of any embedding, [n, D] each; nothing is held but sums
    save_pca("pca.npz", pca)

After whitening each component has mean 0 and variance 1, so that the quantiser's range [-2, 2] holds about 95 % of what
is normally distributed. Google's matrix whitens too (`vggish_postprocess.py` says so).
"""

import dataclasses
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from yt8m_audio.audio.quantize import quantize
from yt8m_audio.errors import UserError, reason

EIGEN_VECTORS, MEANS = "pca_eigen_vectors", "pca_means"
LEAST_VARIANCE = 1e-10  # of the largest component's: below there is nothing but rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Pca:
    """A PCA with whitening.

    Attributes:
        eigen_vectors: floats [K, D], each over the standard deviation along it.
        means: floats [D].
    """

    eigen_vectors: np.ndarray
    means: np.ndarray

    @property
    def dimension(self) -> int:
        """D, of what it takes."""
        return self.eigen_vectors.shape[1]

    @property
    def num_components(self) -> int:
        """K, of what it gives."""
        return self.eigen_vectors.shape[0]

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """Projects floats [..., D] to [..., K].

        Raises:
            UserError: if they have another dimension.
        """
        if embeddings.shape[-1] != self.dimension:
            raise UserError(f"The PCA takes {self.dimension} numbers a frame, and these have {embeddings.shape[-1]}.")
        return (embeddings - self.means) @ self.eigen_vectors.T

    def quantized(self, embeddings: np.ndarray) -> np.ndarray:
        """Projects floats [..., D] and quantises them, uint8 [..., K]: clipped at ±2, truncated."""
        return quantize(self.apply(embeddings))


def load_pca(path: str | os.PathLike) -> Pca:
    """Reads a PCA's .npz file: pca_eigen_vectors [K, D], and pca_means of D numbers in any shape.

    Raises:
        UserError: if it cannot be read, lacks one of the two, or they do not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            vectors, means = arrays[EIGEN_VECTORS], arrays[MEANS].reshape(-1)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise UserError(f"{path} cannot be read as a PCA's .npz file: {reason(error)}.") from error
    except KeyError as error:
        raise UserError(f"{path} is no PCA's file: {error.args[0]}. It holds {EIGEN_VECTORS} and {MEANS}.") from error
    numbers = all(np.issubdtype(each.dtype, np.floating) and np.isfinite(each).all() for each in (vectors, means))
    if vectors.ndim != 2 or vectors.shape[1:] != means.shape or not numbers:
        shapes = f"{EIGEN_VECTORS} {list(vectors.shape)} and {MEANS} {list(means.shape)}"
        raise UserError(f"{path} is no PCA's file: {shapes} should be finite floats [K, D] and [D].")
    return Pca(vectors, means)


def save_pca(path: str | os.PathLike, pca: Pca) -> None:
    """Writes a PCA's .npz file with the keys of Google's, whole or not at all."""
    from yt8m_audio.run_directory import written_beside  # here: its own imports take a second

    with written_beside(Path(path)) as partial:
        np.savez(partial, **{EIGEN_VECTORS: pca.eigen_vectors, MEANS: pca.means})


def fit_pca(blocks: np.ndarray | Iterable[np.ndarray], num_components: int | None = None) -> Pca:
    """Fits a PCA with whitening to embeddings, all at once or block by block, in memory for D × D sums.

    A component along which nothing varies gives 0 for everything, rather than noise made large.

    Args:
        blocks: floats [n, D], or several of these.
        num_components: how many components to keep, those of the largest variance first; all of them when None.

    Returns:
        The PCA, in float32.

    Raises:
        UserError: if there are fewer than two embeddings, one is not finite, dimensions differ, or there are not so
            many components.
    """
    sums = _Sums()
    for block in [blocks] if isinstance(blocks, np.ndarray) else blocks:
        sums.add(np.asarray(block))
    means, covariance = sums.moments()
    kept = len(means) if num_components is None else num_components
    if not 1 <= kept <= len(means):
        raise UserError(f"{kept} components cannot be kept of embeddings with {len(means)} numbers.")
    variances, vectors = np.linalg.eigh(covariance)  # rising; [D, D], a vector a column
    variances, vectors = variances[::-1][:kept], vectors[:, ::-1][:, :kept].T  # falling; [K, D]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=1, keepdims=True), axis=1)
    vectors = vectors * np.sign(largest)  # of the two signs of a vector, that with its largest number above 0
    varies = variances > LEAST_VARIANCE * max(variances[0], np.finfo(np.float64).tiny)
    whitened = vectors * np.where(varies, 1 / np.sqrt(np.where(varies, variances, 1)), 0)[:, np.newaxis]
    return Pca(whitened.astype(np.float32), means.astype(np.float32))


class _Sums:
    """Sums and outer products of embeddings, about the first block's mean: large means cost no digits."""

    def __init__(self):
        self.count = 0

    def add(self, block: np.ndarray) -> None:
        """Adds floats [n, D]."""
        if block.ndim != 2 or (self.count and block.shape[1] != len(self.origin)):
            wanted = f"[n, {len(self.origin)}]" if self.count else "[n, D]"
            raise UserError(f"Embeddings to fit a PCA to are {wanted}, and these are {list(block.shape)}.")
        if not np.isfinite(block).all():
            raise UserError(f"A PCA cannot be fitted: of {block.size:,} numbers some are not finite.")
        if not len(block):
            return
        block = block.astype(np.float64)
        if not self.count:
            self.origin = block.mean(axis=0)
            self.sums, self.products = np.zeros_like(self.origin), np.zeros((block.shape[1],) * 2)
        centered = block - self.origin
        self.count += len(block)
        self.sums += centered.sum(axis=0)
        self.products += centered.T @ centered

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means [D] and covariance [D, D]."""
        if self.count < 2:
            raise UserError(f"A PCA cannot be fitted to {self.count} embeddings: it takes two at least, better 10 D.")
        offset = self.sums / self.count
        covariance = (self.products - self.count * np.outer(offset, offset)) / (self.count - 1)
        return self.origin + offset, covariance
