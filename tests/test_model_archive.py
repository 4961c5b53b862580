"""The starter's .tgz: what is packed comes back, and what a stranger packed does no harm."""

import io
import tarfile

import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.model_archive import MARKER, MOST_FILES, pack_model, unpack_model


@pytest.fixture
def packed(tmp_path):
    """A folder of two files, packed."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "checkpoints" / "step-00000007.npz").write_bytes(bytes(range(256)))
    pack_model(folder, tmp_path / "model.tgz")
    return tmp_path / "model.tgz"


@pytest.fixture
def strange(tmp_path):
    """Writes an archive of one entry, as a stranger might."""

    def write(name, kind=tarfile.REGTYPE, content=b"x", link="", times=1):
        with tarfile.open(tmp_path / "strange.tgz", "w:gz") as archive:
            for _ in range(times):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = kind, link
                entry.size = len(content) if kind in (tarfile.REGTYPE, tarfile.CONTTYPE) else 0
                archive.addfile(entry, io.BytesIO(content))
        return str(tmp_path / "strange.tgz")

    return write


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_packed_comes_back(packed, tmp_path):
    found = unpack_model(str(packed), str(tmp_path / "out" / "model"))
    assert names(found) == [MARKER, "checkpoints/step-00000007.npz", "config.json"]
    assert (found / "checkpoints" / "step-00000007.npz").read_bytes() == bytes(range(256))


def test_the_same_files_are_packed_to_the_same_bytes(packed, tmp_path):
    pack_model(tmp_path / "run", tmp_path / "again.tgz")
    assert (tmp_path / "again.tgz").read_bytes() == packed.read_bytes()


def test_a_folder_that_was_unpacked_is_unpacked_anew(packed, tmp_path):
    out = tmp_path / "out"
    unpack_model(str(packed), str(out))
    (out / "old").touch()
    assert "old" not in names(unpack_model(str(packed), str(out)))


def test_a_folder_of_other_files_is_left_alone(packed, tmp_path):
    with pytest.raises(UserError, match="would be lost"):
        unpack_model(str(packed), str(tmp_path / "run"))
    assert names(tmp_path / "run") == ["checkpoints/step-00000007.npz", "config.json"]


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a\\..\\x", "C:x", "a/../b"])
def test_no_file_lands_elsewhere(strange, tmp_path, name):
    with pytest.raises(UserError, match="outside of it"):
        unpack_model(strange(name), str(tmp_path / "out"))
    assert names(tmp_path) == ["strange.tgz"]


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE],
)
def test_no_links_and_no_devices(strange, tmp_path, kind):
    with pytest.raises(UserError, match="link or a device"):
        unpack_model(strange("x", kind, link="/etc/passwd"), str(tmp_path / "out"))
    assert names(tmp_path) == ["strange.tgz"]


@pytest.mark.parametrize("name", ["x.py", "checkpoints/x.so", "__pycache__/x.pyc", "x.pkl", "x", ".", ""])
def test_no_code(strange, tmp_path, name):
    with pytest.raises(UserError, match=r"files of .json, .csv, .npz alone"):
        unpack_model(strange(name), str(tmp_path / "out"))
    assert names(tmp_path) == ["strange.tgz"]


def test_a_file_that_would_fill_the_disk(strange, tmp_path):
    with pytest.raises(UserError, match="more than 100 times its size"):
        unpack_model(strange("x.npz", content=bytes(80 << 20)), str(tmp_path / "out"))
    assert names(tmp_path) == ["strange.tgz"]


def test_a_header_that_would_fill_the_memory(tmp_path):
    with tarfile.open(tmp_path / "x.tgz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("x")
        entry.pax_headers = {"comment": "c" * (80 << 20)}
        archive.addfile(entry)
    with pytest.raises(UserError, match="more than 100 times its size"):
        unpack_model(str(tmp_path / "x.tgz"), str(tmp_path / "out"))


def test_a_file_of_holes(tmp_path):
    with tarfile.open(tmp_path / "x.tgz", "w:gz", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("x")
        sparse = {"major": "1", "minor": "0", "name": "x", "realsize": str(1 << 40)}
        entry.pax_headers = {f"GNU.sparse.{key}": value for key, value in sparse.items()}
        entry.size = 512
        archive.addfile(entry, io.BytesIO(f"1\n{1 << 40}\n0\n".encode().ljust(512, b"\0")))
    with pytest.raises(UserError, match="a file with holes"):
        unpack_model(str(tmp_path / "x.tgz"), str(tmp_path / "out"))


@pytest.mark.parametrize(("times", "said"), [(2, "twice"), (MOST_FILES + 1, "twice|more than 1000 files")])
def test_a_name_that_comes_again(strange, tmp_path, times, said):
    with pytest.raises(UserError, match=said):
        unpack_model(strange("x.csv", times=times), str(tmp_path / "out"))


def test_more_files_than_a_model_has(strange, tmp_path):
    with pytest.raises(UserError, match="more than 1000 files"):
        unpack_model(strange("x", tarfile.DIRTYPE, times=MOST_FILES + 1), str(tmp_path / "out"))


@pytest.mark.parametrize("kept", [0, 10, 100, -20])
def test_a_damaged_file(packed, tmp_path, kept):
    packed.write_bytes(packed.read_bytes()[:kept])
    with pytest.raises(UserError, match="is damaged"):
        unpack_model(str(packed), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"no\.tgz is not there"):
        unpack_model(str(tmp_path / "no.tgz"), str(tmp_path / "out"))
