"""AudioSet's features in the release's layout, made small, from a server on this machine."""

import fcntl
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.file_server import Fault, FileServer
from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.features_archive import archive_shards
from yt8m_audio.audioset.features_check import check_split
from yt8m_audio.audioset.features_release import RELEASE, Release, splits_of, url_of
from yt8m_audio.audioset.features_unpacking import check_space, has_case, unpack
from yt8m_audio.audioset.segments import read_segments
from yt8m_audio.commands import features
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard

NAMES = {"bal_train": ("-0", "aB", "AB"), "eval": ("__", "9z"), "unbal_train": ("Zz",)}
MADE = Release("audioset_v1_embeddings", {split: len(names) for split, names in NAMES.items()}, 10_000)
FRAMES = np.full((10, 128), 7, np.uint8)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Shards of two clips each, by their paths in the archive."""
    folder, found = tmp_path_factory.mktemp("shards"), {}
    for split, names in NAMES.items():
        for name in names:
            records = [audioset_record(f"{name}{number:09d}", [number, 137], FRAMES) for number in range(2)]
            write_shard(str(folder / "x"), records)
            found[f"audioset_v1_embeddings/{split}/{name}.tfrecord"] = (folder / "x").read_bytes()
    return found


def packed(content, *others):
    """A tar.gz of files, and of other members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, each in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(each)
            archive.addfile(member, io.BytesIO(each))
        for member in others:
            archive.addfile(member)
    return file.getvalue()


@pytest.fixture
def fetch(shards, tmp_path, capsys):
    """Runs the command against a server with those faults; gives its status, what it said and its requests."""

    def run(*flags, faults=(), archive=None):
        content = packed(shards) if archive is None else archive
        with FileServer({"features.tar.gz": content}, *faults) as server:
            argv = ["features", str(tmp_path / "out"), f"--url={server.url('features.tar.gz')}", *flags]
            status = features.main(argv, MADE)
        return status, capsys.readouterr().out, len(server.requests)

    return run


def unpacked(folder):
    return {
        f"audioset_v1_embeddings/{path.relative_to(folder)}": path.read_bytes() for path in folder.glob("*/*.tfrecord")
    }


def test_the_release_is_fetched_unpacked_checked_and_tidied_up(fetch, tmp_path, shards):
    status, said, requests = fetch(faults=[Fault(drop_after=100)])
    assert (status, requests) == (0, 2)
    assert unpacked(tmp_path / "out") == shards
    assert said.splitlines()[0] == "bal_train: 6 records in 3 files, whole."
    assert "CC BY 4.0" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*NAMES, "features.json"}
    assert fetch()[::2] == (0, 0)


def test_splits_can_be_chosen_and_added(fetch, tmp_path):
    assert fetch("--splits=eval", "--keep_archive")[::2] == (0, 1)
    assert not (tmp_path / "out" / "bal_train").exists()
    assert fetch("--splits=unbal_train,eval")[::2] == (0, 0)
    noted = json.loads((tmp_path / "out" / "features.json").read_text())["splits"]
    assert noted == {
        split: {"files": n, "repacked": False, "records": 2 * n} for split, n in (("eval", 2), ("unbal_train", 1))
    }


def test_what_is_missing_or_damaged_is_mended(fetch, tmp_path, shards, flip_bit):
    fetch()
    (tmp_path / "out" / "eval" / "__.tfrecord").unlink()
    flip_bit(str(tmp_path / "out" / "bal_train" / "aB.tfrecord"), -20)
    status, said, requests = fetch("--check")
    assert (status, requests) == (1, 0)
    assert "eval: 2 records in 1 files, not whole.\n  1 files of 2 are there" in said
    assert f"1 records are corrupt: {tmp_path / 'out' / 'bal_train' / 'aB.tfrecord'} record 1." in said
    assert fetch()[0] == 0
    assert unpacked(tmp_path / "out") == shards


@pytest.mark.parametrize("flags", [["--repack"], []])
def test_few_large_shards_hold_the_same_records(fetch, tmp_path, shards, monkeypatch, flags):
    monkeypatch.setattr(features, "has_case", lambda folder: bool(flags))
    status, said, _ = fetch("--shards=2", *flags)
    assert status == 0
    assert ("file system without case" in said) == (not flags)
    files = sorted((tmp_path / "out" / "bal_train").iterdir())
    assert [file.name for file in files] == ["00000-of-00002.tfrecord", "00001-of-00002.tfrecord"]
    parts = [content for name, content in shards.items() if "/bal_train/" in name]
    assert sorted(b"".join(file.read_bytes() for file in files)) == sorted(b"".join(parts))
    assert fetch("--check")[0] == 0
    files[0].unlink()
    status, said, _ = fetch("--check")
    assert "1 files of 2 are there." in said
    with pytest.raises(UserError, match="bal_train is there already: remove it"):
        fetch("--repack")


def member(name, kind=tarfile.REGTYPE):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, "/etc/passwd"
    return made


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (member("/etc/cron.d/x"), "'/etc/cron.d/x', a path that leads out of it"),
        (member("audioset_v1_embeddings/eval/../../../x.tfrecord"), "a path that leads out of it"),
        (member("audioset_v1_embeddings/eval/ab.tfrecord", tarfile.SYMTYPE), "a link or a device"),
        (member("audioset_v1_embeddings/eval/ab.tfrecord", tarfile.LNKTYPE), "a link or a device"),
        (member("audioset_v1_embeddings/eval/ab.tfrecord"), "has 3 shards of eval, and the release 2"),
    ],
)
@pytest.mark.parametrize("flags", [["--repack"], []])
def test_an_archive_writes_nowhere_else(fetch, tmp_path, shards, other, said, flags):
    with pytest.raises(UserError, match=said):
        fetch(*flags, archive=packed(shards, other))
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert not list((tmp_path / "out").rglob(".partial*"))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.DIRTYPE])
@pytest.mark.parametrize("size", [1 << 62, -1])
def test_an_absurd_size_is_not_believed(tmp_path, kind, size):
    other = member("audioset_v1_embeddings/eval/ab.tfrecord", kind)
    other.size, other.linkname = size, ""
    (tmp_path / "a").write_bytes(other.tobuf(tarfile.GNU_FORMAT) + bytes(4_096))
    with pytest.raises(UserError, match=r"is damaged \(a part of -?[0-9,]+ bytes, where"):
        list(archive_shards(tmp_path / "a", MADE, ["eval"]))


def test_what_a_killed_run_left_is_cleared_away(fetch, tmp_path):
    for name in (".partial-eval-killed/x", "unbal_train/.partial-1-Zz.tfrecord"):
        (tmp_path / "out" / name).parent.mkdir(parents=True)
        (tmp_path / "out" / name).touch()
    assert fetch("--splits=eval", "--repack")[0] == 0
    assert fetch("--splits=unbal_train")[0] == 0
    assert not list((tmp_path / "out").rglob(".partial*"))


def test_an_archive_is_unpacked_by_one_alone(tmp_path, shards):
    (tmp_path / "a").write_bytes(packed(shards))
    with (tmp_path / "a").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="is being unpacked by another process"):
            unpack(tmp_path / "a", tmp_path / "out", MADE, ["eval"], lambda done, total: None)


def test_what_is_no_shard_is_left_out(fetch, tmp_path, shards):
    others = [
        member("README"),
        member("audioset_v1_embeddings/eval", tarfile.DIRTYPE),
        member("audioset_v1_embeddings/eval/a"),
    ]
    assert fetch(archive=packed(shards, *others))[0] == 0
    assert unpacked(tmp_path / "out") == shards


@pytest.mark.parametrize("damage", ["cut", "flipped", "garbage"])
def test_a_damaged_archive_is_named(fetch, shards, damage):
    content = bytearray(packed(shards))
    if damage == "flipped":
        content[len(content) // 2] ^= 255
    content = {"cut": content[:-300], "flipped": content, "garbage": b"garbage" * 99}[damage]
    with pytest.raises(UserError, match=r"features\.tar\.gz is damaged .*: remove it") as caught:
        fetch(archive=bytes(content))
    assert "\n" not in str(caught.value)


def test_a_corrupt_record_is_not_repacked(fetch, shards):
    name = "audioset_v1_embeddings/eval/9z.tfrecord"
    content = bytearray(shards[name])
    content[-10] ^= 1
    with pytest.raises(UserError, match=r"eval/9z\.tfrecord is corrupt at record 1"):
        fetch("--repack", archive=packed({**shards, name: bytes(content)}))


LINES = {f"{name}{number:09d}": ["/m/09x0r", "/m/05zppz"][number] for name in NAMES["eval"] for number in range(2)}


def written_csv(folder, lines):
    ids = class_ids_for("", 527)
    text = "".join(f'{name}, 0.000, 10.000, "{label},{ids[137]}"\n' for name, label in lines.items())
    Path(folder, "eval_segments.csv").write_text(f"# made\n# for\n# tests\n{text}")


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({}, 0, "eval: 4 records in 2 files, whole."),
        ({"9z000000001": "/m/09x0r"}, 1, "1 clips have other labels than the CSV: 9z000000001."),
        ({"9z000000001": None}, 1, "1 clips are not in the CSV: 9z000000001."),
        ({"new00000000": "/m/09x0r"}, 0, "note: 1 of 5 clips of the CSV have no features: new00000000."),
    ],
)
def test_labels_are_those_of_the_csv(fetch, tmp_path, change, status, said):
    lines = {name: label for name, label in {**LINES, **change}.items() if label}
    written_csv(tmp_path, lines)
    found, told, _ = fetch("--splits=eval")
    assert said in told
    assert found == status


def test_flags_that_are_wrong(tmp_path):
    assert url_of("eu").startswith("https://storage.googleapis.com/eu_audioset/")
    with pytest.raises(UserError, match=r"--region=usa is none of us, eu, asia\. Did you mean us\?"):
        url_of("usa")
    with pytest.raises(UserError, match=r"test is none of bal_train, eval, unbal_train"):
        splits_of("eval,test")
    assert splits_of(" eval, bal_train,eval") == ["eval", "bal_train"]
    with pytest.raises(UserError, match=r"GB free, and 1,050,000,000\.0 GB are needed"):
        check_space(tmp_path, 10**18)
    assert has_case(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_real_balanced_clips_are_whole(audioset):
    ids = class_ids_for("", 527)
    segments = read_segments(str(audioset / "metadata" / "balanced_train_segments.csv"), ids, "")
    found = check_split(audioset / "features", "bal_train", RELEASE, segments=segments)
    assert (found.files, found.records, found.faults, found.notes) == (4_070, 22_160, [], [])


def test_an_archive_is_read_one_shard_at_a_time(tmp_path, shards):
    (tmp_path / "a").write_bytes(packed(shards))
    first = next(archive_shards(tmp_path / "a", MADE, ["eval"]))
    assert (first.split, first.name, first.content) == (
        "eval",
        "__.tfrecord",
        shards["audioset_v1_embeddings/eval/__.tfrecord"],
    )
