"""python -m yt8m_audio fit-pca: from float records or arrays to a PCA's file."""

import numpy as np
import pytest

from yt8m_audio.audio.pca import fit_pca, load_pca
from yt8m_audio.commands.fit_pca import main
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record, frames_record
from yt8m_audio.records import write_shard

RANDOM = np.random.default_rng(0)
CLIPS = {f"c{number}": RANDOM.normal(3, 2, (1 + number % 4, 5)).astype(np.float32) for number in range(40)}
EXPECTED = fit_pca(np.concatenate(list(CLIPS.values())))


@pytest.fixture(params=["records", "npz", "folder"])
def features(request, tmp_path) -> str:
    if request.param == "npz":
        np.savez(tmp_path / "clips.npz", **CLIPS)
        return str(tmp_path / "clips.npz")
    if request.param == "folder":
        for name, frames in CLIPS.items():
            np.save(tmp_path / f"{name}.npy", frames)
        return str(tmp_path)
    records = [frames_record({"video_id": name}, [0], {"audio_embedding": frames}) for name, frames in CLIPS.items()]
    write_shard(str(tmp_path / "a.tfrecord"), records)
    return str(tmp_path / "*.tfrecord")


def test_each_kind_of_features(features, tmp_path, capsys):
    assert main(["fit-pca", features, str(tmp_path / "new" / "pca.npz")]) == 0
    pca = load_pca(tmp_path / "new" / "pca.npz")
    np.testing.assert_allclose(pca.eigen_vectors, EXPECTED.eigen_vectors, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(pca.means, EXPECTED.means, rtol=1e-5)
    assert "a PCA of 100 frames, from 5 to 5 numbers" in capsys.readouterr().out


def test_fewer_components(tmp_path):
    np.savez(tmp_path / "clips.npz", **CLIPS)
    main(["fit-pca", str(tmp_path / "clips.npz"), str(tmp_path / "pca.npz"), "--components=2"])
    assert load_pca(tmp_path / "pca.npz").num_components == 2


def test_bytes_are_refused(tmp_path):
    write_shard(str(tmp_path / "a.tfrecord"), [audioset_record("a", [0], np.zeros((3, 8), np.uint8))])
    np.savez(tmp_path / "clips.npz", a=np.zeros((3, 8), np.uint8))
    for features in ("*.tfrecord", "clips.npz"):
        with pytest.raises(UserError, match="holds bytes already"):
            main(["fit-pca", str(tmp_path / features), str(tmp_path / "pca.npz")])
    assert not (tmp_path / "pca.npz").exists()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"pca\.txt should end in \.npz"):
        main(["fit-pca", "anything", str(tmp_path / "pca.txt")])
