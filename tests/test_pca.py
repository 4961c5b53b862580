"""PCA with whitening, Google's file format, and bytes."""

import numpy as np
import pytest

from yt8m_audio.audio.pca import Pca, fit_pca, load_pca, save_pca
from yt8m_audio.errors import UserError

RANDOM = np.random.default_rng(0)
MIXED = RANDOM.normal(size=(4_000, 6)) @ RANDOM.normal(size=(6, 6)) + 100 * RANDOM.normal(size=6)


def test_two_numbers_by_hand():
    pca = Pca(np.array([[0.5, 0.0], [0.0, 2.0]]), np.array([1.0, 1.0]))
    embeddings = np.array([[1.0, 1.0], [3.0, 0.5], [9.0, -9.0]])
    np.testing.assert_array_equal(pca.apply(embeddings), [[0, 0], [1, -1], [4, -20]])
    np.testing.assert_array_equal(pca.quantized(embeddings), [[127, 127], [191, 63], [255, 0]])


def test_a_fit_whitens():
    projected = fit_pca(MIXED).apply(MIXED)
    np.testing.assert_allclose(projected.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(projected.T), np.eye(6), atol=1e-3)


def test_its_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    theirs = decomposition.PCA(3, whiten=True).fit_transform(MIXED)
    ours = fit_pca(MIXED, 3).apply(MIXED)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-3)


def test_most_of_what_is_normal_fits_into_bytes():
    quantized = fit_pca(MIXED).quantized(MIXED)
    assert 0.03 < np.isin(quantized, (0, 255)).mean() < 0.06
    assert abs(quantized.mean() - 127) < 1


def test_blocks_give_what_the_whole_gives():
    whole = fit_pca(MIXED)
    blocks = fit_pca(np.split(MIXED, [0, 1, 700, 701]))
    np.testing.assert_allclose(blocks.eigen_vectors, whole.eigen_vectors, rtol=1e-4)
    np.testing.assert_allclose(blocks.means, whole.means, rtol=1e-6)


def test_what_does_not_vary_gives_no_noise():
    doubled = np.concatenate([MIXED, MIXED[:, :1], np.ones((len(MIXED), 1))], axis=1)
    projected = fit_pca(doubled).apply(doubled)
    np.testing.assert_allclose(projected.std(axis=0), [1, 1, 1, 1, 1, 1, 0, 0], atol=1e-3)
    assert fit_pca(np.ones((3, 2))).quantized(np.ones((1, 2))).tolist() == [[127, 127]]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_googles_file_format(tmp_path, shape):
    np.savez(tmp_path / "pca.npz", pca_eigen_vectors=np.eye(2), pca_means=np.ones(2).reshape(shape))
    assert load_pca(tmp_path / "pca.npz").apply(np.array([[1.0, 2.0]])).tolist() == [[0, 1]]


def test_it_is_read_back(tmp_path):
    pca = fit_pca(MIXED, 4)
    save_pca(tmp_path / "pca.npz", pca)
    again = load_pca(tmp_path / "pca.npz")
    np.testing.assert_array_equal(again.eigen_vectors, pca.eigen_vectors)
    np.testing.assert_array_equal(again.means, pca.means)
    assert [path.name for path in tmp_path.iterdir()] == ["pca.npz"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pca_means": np.ones(2)}, "pca_eigen_vectors"),
        ({"pca_eigen_vectors": np.eye(3), "pca_means": np.ones(2)}, r"\[3, 3\] and pca_means \[2\]"),
        ({"pca_eigen_vectors": np.full((2, 2), np.nan), "pca_means": np.ones(2)}, "finite"),
        ({"pca_eigen_vectors": np.eye(2, dtype=object), "pca_means": np.ones(2)}, "cannot be read"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, arrays, message):
    np.savez(tmp_path / "pca.npz", **arrays)
    with pytest.raises(UserError, match=rf"pca\.npz .*{message}"):
        load_pca(tmp_path / "pca.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "pca.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"pca\.npz cannot be read"):
        load_pca(tmp_path / "pca.npz")


@pytest.mark.parametrize(
    ("blocks", "components", "message"),
    [
        ([], None, "0 embeddings"),
        ([np.ones((1, 2))], None, "1 embeddings"),
        ([np.ones((3, 2)), np.ones((3, 4))], None, r"\[n, 2\], and these are \[3, 4\]"),
        ([np.ones(3)], None, r"\[n, D\]"),
        ([np.full((3, 2), np.inf)], None, "not finite"),
        ([np.ones((3, 2))], 3, "3 components"),
    ],
)
def test_what_cannot_be_fitted(blocks, components, message):
    with pytest.raises(UserError, match=message):
        fit_pca(blocks, components)


def test_another_dimension_is_refused():
    with pytest.raises(UserError, match="takes 6 numbers a frame, and these have 5"):
        fit_pca(MIXED).apply(np.ones((1, 5)))
