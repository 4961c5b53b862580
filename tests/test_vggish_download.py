"""VGGish's weights from a server on this machine, or from a folder."""

import functools
import hashlib
import io
import json

import numpy as np
import pytest

from tests.file_server import Fault, FileServer
from yt8m_audio.audio import vggish_weights
from yt8m_audio.audio.vggish_download import FILES, WeightFile, fetch_weights, take_weights
from yt8m_audio.commands import vggish_weights as command
from yt8m_audio.errors import UserError


def made_pca():
    content = io.BytesIO()
    np.savez(content, pca_eigen_vectors=np.eye(128, dtype=np.float32), pca_means=np.zeros((128, 1), np.float32))
    return content.getvalue()


PCA, CHECKPOINT = made_pca(), np.random.default_rng(0).bytes(50_000)
CONTENT = {"vggish_pca_params.npz": PCA, "vggish_model.ckpt": CHECKPOINT}
MADE = (
    WeightFile("vggish_pca_params.npz", len(PCA), len(PCA), hashlib.sha256(PCA).hexdigest()),
    WeightFile("vggish_model.ckpt", 40_000, 60_000),
)


def test_the_names_are_those_that_are_looked_for():
    assert [file.name for file in FILES] == [vggish_weights.PCA, vggish_weights.CHECKPOINT]
    assert FILES[0].size == 73_020


def test_both_files_are_fetched_and_what_was_found_is_noted(tmp_path):
    with FileServer(dict(CONTENT), Fault(drop_after=10), Fault(status=503)) as server:
        found = fetch_weights(tmp_path / "vggish", server.url(), MADE, wait=0.01)
        assert fetch_weights(tmp_path / "vggish", server.url(), MADE) == found
    assert len(server.requests) == 4
    assert {each.path.name: each.path.read_bytes() for each in found} == CONTENT
    assert [each.is_known for each in found] == [True, False]
    noted = json.loads((tmp_path / "vggish" / "weights.json").read_text())
    assert noted["files"]["vggish_model.ckpt"] == {
        "bytes": 50_000,
        "sha256": hashlib.sha256(CHECKPOINT).hexdigest(),
        "known": False,
    }


def test_what_was_changed_since_is_an_error(tmp_path):
    with FileServer(dict(CONTENT)) as server:
        fetch_weights(tmp_path, server.url(), MADE)
        (tmp_path / "vggish_model.ckpt").write_bytes(CHECKPOINT[::-1])
        with pytest.raises(UserError, match=r"vggish_model\.ckpt has the SHA-256 .* it was changed"):
            fetch_weights(tmp_path, server.url(), MADE)
        (tmp_path / "vggish_model.ckpt").unlink()
        assert fetch_weights(tmp_path, server.url(), MADE)[1].size == 50_000


def test_what_is_not_googles_is_an_error(tmp_path):
    with FileServer({**CONTENT, "vggish_model.ckpt": b"<html>"}) as server:
        with pytest.raises(UserError, match=r"ckpt has 6 bytes, and 40,000 to 60,000 are Google's"):
            fetch_weights(tmp_path / "a", server.url(), MADE)
        with pytest.raises(UserError, match=r"npz has [\d,]+ bytes, not 73,020"):
            fetch_weights(tmp_path / "b", server.url())


def test_the_files_can_be_taken_from_a_folder(tmp_path):
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "vggish_pca_params.npz").write_bytes(PCA)
    with pytest.raises(UserError, match=r"holds no vggish_model\.ckpt"):
        take_weights(tmp_path / "from", tmp_path / "to", MADE)
    (tmp_path / "from" / "vggish_model.ckpt").write_bytes(CHECKPOINT)
    found = take_weights(tmp_path / "from", tmp_path / "to", MADE)
    assert {each.path.name: each.path.read_bytes() for each in found} == CONTENT
    with pytest.raises(UserError, match=r"has [\d,]+ bytes, and 73,020 are Google's"):
        take_weights(tmp_path / "from", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_command_says_what_it_found_and_what_comes_next(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "fetch_weights", functools.partial(fetch_weights, files=MADE))
    with FileServer(dict(CONTENT)) as server:
        argv = ["vggish-weights", str(tmp_path / "w"), f"--url={server.url()}"]
        assert command.main([*argv, "--nosmoke_test"]) == 0
        said = capsys.readouterr().out
        assert "no published hash" in said
        assert "Apache-2.0" in said
        assert f"extract RECORDINGS OUT --embedding=vggish --weights={tmp_path / 'w'}" in said
        assert command.main(argv) == 1
    assert "vggish_model.ckpt" in capsys.readouterr().out.splitlines()[3]
