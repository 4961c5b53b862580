"""Sounds become records: in their order whatever the number of workers, byte for byte after a kill, faults by name."""

import contextlib
import dataclasses
import json
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from yt8m_audio.audio.extraction import extract, extract_one
from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.audio.manifest import read_manifest
from yt8m_audio.audio.sound_frames import Extraction, Sound
from yt8m_audio.audio.sound_list import listed
from yt8m_audio.audio.sound_work import Opening
from yt8m_audio.errors import UserError
from yt8m_audio.feature_source import feature_source_of
from yt8m_audio.records import index_shards

OPENING, SOURCE = Opening("log_mel_statistics"), LogMelStatistics()


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)


@pytest.fixture
def sounds(tmp_path):
    """Nine sounds of 1 to 9 seconds, of which 3 is broken, 5 is not there, and 7 is too short for a frame."""
    for number in range(9):
        soundfile.write(tmp_path / f"{number}.wav", noise(0.01 if number == 7 else number + 1, number), 16_000)
    (tmp_path / "3.wav").write_bytes(b"RIFF and then nothing")
    (tmp_path / "5.wav").unlink()
    return [Sound(f"id{number}", str(tmp_path / f"{number}.wav"), (number,)) for number in range(9)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def batch_of(pattern, open_shards, **settings):
    (batch,) = open_shards(str(pattern), num_classes=527, max_frames=20, **settings).in_order(64)
    real = batch["example_weights"].numpy() > 0
    return {key: value.numpy()[real] for key, value in batch.items()}


def test_what_is_written(sounds, tmp_path, open_shards):
    done = extract(sounds, OPENING, str(tmp_path / "out"), shards=2)
    rows = batch_of(tmp_path / "out" / "*.tfrecord", open_shards)
    assert rows["video_id"].tolist() == [b"id0", b"id2", b"id4", b"id6", b"id8", b"id1"]
    assert rows["num_frames"].tolist() == [1, 3, 5, 7, 9, 2]
    assert [np.flatnonzero(each).tolist() for each in rows["labels"]] == [[0], [2], [4], [6], [8], [1]]
    assert rows["end_time"].tolist() == [1, 3, 5, 7, 9, 2]
    wanted = SOURCE.embed(soundfile.read(sounds[4].path, dtype="float32")[0])
    np.testing.assert_array_equal(rows["features"][2, :5], wanted)
    assert feature_source_of([str(tmp_path / "out" / "a")]) == SOURCE.described()
    assert (done.counts.clips, done.counts.shortest, done.counts.longest, done.labelled) == (6, 1, 9, 6)


def test_the_manifest_says_what_became_of_each(sounds, tmp_path):
    done = extract(sounds, OPENING, str(tmp_path / "out"), shards=2)
    rows = read_manifest(tmp_path / "out" / "manifest.csv")
    assert [row["video_id"] for row in rows] == [sound.video_id for sound in sounds]
    failed = {row["video_id"]: row["reason"] for row in rows if row["state"] == "failed"}
    assert failed == {"id3": "not_sound", "id5": "missing", "id7": "too_short"}
    assert done.reasons == {"not_sound": 1, "missing": 1, "too_short": 1}
    assert [row["shard"] for row in rows] == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert (rows[8]["seconds"], rows[8]["frames"], rows[8]["records"]) == (9.0, 9, 1)


def test_what_is_odd_is_said_and_written_all_the_same(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(32_000), 16_000)
    records, row = extract_one(Sound("a", str(tmp_path / "a.wav")), SOURCE)
    assert len(records) == 1
    assert row["odd"].startswith("silent")
    _, row = extract_one(Sound("a", str(tmp_path / "a.wav"), end=10.0, is_cut=True), SOURCE)
    assert "short: 2.0 s of 10.0 s are there" in row["odd"]


def test_workers_give_the_same_bytes(sounds, tmp_path):
    for workers in (1, 3):
        extract(sounds, OPENING, str(tmp_path / f"out{workers}"), shards=3, workers=workers)
    assert contents(tmp_path / "out1") == contents(tmp_path / "out3")


class KilledError(Exception):
    pass


def killed_after(count):
    def progress(done, seconds):
        if done == count:
            raise KilledError

    return progress


@pytest.mark.parametrize("count", [1, 3, 5, 8, 9])
def test_what_was_killed_goes_on_to_the_same_bytes(sounds, tmp_path, count):
    extract(sounds, OPENING, str(tmp_path / "whole"), shards=2)
    with pytest.raises(KilledError):
        extract(sounds, OPENING, str(tmp_path / "out"), shards=2, progress=killed_after(count))
    assert not (tmp_path / "out").exists()
    partial = tmp_path / ".out.extracting"
    for file in [*partial.glob("*.part"), *partial.glob("*.rows")]:  # a write that the kill cut
        with file.open("ab") as opened:
            opened.write(b'{"half": ')
    seen = []
    done = extract(sounds, OPENING, str(tmp_path / "out"), shards=2, progress=lambda number, _: seen.append(number))
    assert (done.before, len(seen)) == (count, 9 - count)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert list(tmp_path.glob(".out*")) == []


def test_rows_that_came_to_the_disk_before_their_records_do_not_count(sounds, tmp_path):
    extract(sounds, OPENING, str(tmp_path / "whole"))
    with pytest.raises(KilledError):
        extract(sounds, OPENING, str(tmp_path / "out"), progress=killed_after(5))
    (part,) = (tmp_path / ".out.extracting").glob("*.part")
    part.write_bytes(part.read_bytes()[:-1])
    assert extract(sounds, OPENING, str(tmp_path / "out")).before < 5
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("at", ["rename", "unlink"])
def test_a_kill_at_the_end(sounds, tmp_path, monkeypatch, at):
    extract(sounds, OPENING, str(tmp_path / "whole"), shards=2)
    unlink = Path.unlink

    def killed(path, *arguments, **settings):
        if at == "unlink" and path.name != "00001.rows":
            return unlink(path, **settings)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr("os.rename" if at == "rename" else "pathlib.Path.unlink", killed)
        with pytest.raises(KilledError):
            extract(sounds, OPENING, str(tmp_path / "out"), shards=2)
    assert extract(sounds, OPENING, str(tmp_path / "out"), shards=2).before == 9
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_whole_folder_is_not_made_again_but_for_what_failed(sounds, tmp_path):
    extract(sounds, OPENING, str(tmp_path / "out"), shards=5)
    seen = []
    again = {"shards": 5, "progress": lambda done, seconds: seen.append(done)}
    assert extract(sounds, OPENING, str(tmp_path / "out"), **again).before == 9
    assert seen == []
    soundfile.write(sounds[5].path, noise(2), 16_000)
    done = extract(sounds, OPENING, str(tmp_path / "out"), retry_failed=True, **again)
    assert (done.before, len(seen)) == (3, 6)  # nothing had failed in the shards of id1 and id6, and of id4
    assert done.reasons == {"not_sound": 1, "too_short": 1}
    extract(sounds, OPENING, str(tmp_path / "whole"), shards=5)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_kill_while_what_failed_is_taken_out(sounds, tmp_path):
    extract(sounds, OPENING, str(tmp_path / "whole"), shards=5)
    extract(sounds, OPENING, str(tmp_path / "out"), shards=5)
    (tmp_path / "out").rename(tmp_path / ".out.extracting")  # as --retry_failed begins, and then it is killed
    (tmp_path / ".out.extracting" / "00000-of-00005.tfrecord").unlink()
    assert extract(sounds, OPENING, str(tmp_path / "out"), shards=5).before == 7
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@contextlib.contextmanager
def files_of_at_most(size):
    """Has the system refuse to make files longer, as a disk that is full does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full_is_named_and_what_was_done_kept(sounds, tmp_path):
    extract(sounds, OPENING, str(tmp_path / "whole"))
    said = r"out cannot be written: File too large\. .* type the same command again"
    with files_of_at_most(2_000), pytest.raises(UserError, match=said):
        extract(sounds, OPENING, str(tmp_path / "out"))
    assert 0 < extract(sounds, OPENING, str(tmp_path / "out")).before < 9
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_two_at_once(sounds, tmp_path):
    def second(number, seconds):
        with pytest.raises(UserError, match="Another process is extracting to"):
            extract(sounds, OPENING, str(tmp_path / "out"))

    extract(sounds, OPENING, str(tmp_path / "out"), progress=second)
    assert (tmp_path / "out" / "manifest.csv").exists()


def test_another_extraction_is_not_mixed_in(sounds, tmp_path):
    out = str(tmp_path / "out")
    with pytest.raises(KilledError):
        extract(sounds, OPENING, out, progress=killed_after(2))
    with pytest.raises(UserError, match="list, sounds differ"):
        extract(sounds[:5], OPENING, out)
    extract(sounds, OPENING, out)
    with pytest.raises(UserError, match="split_seconds differ"):
        extract(sounds, OPENING, out, Extraction(split_seconds=2))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is none of this command"):
        extract(sounds, OPENING, str(tmp_path / "full"))


@pytest.mark.parametrize(
    ("seconds", "split", "wanted"),
    [
        (9.0, 4.0, [("a_20000", 20.0, 24.0, 4), ("a_24000", 24.0, 28.0, 4), ("a_28000", 28.0, 29.0, 1)]),
        (4.0, 4.0, [("a_20000", 20.0, 24.0, 4)]),
        (2.5, 0.0, [("a", 20.0, 22.5, 3)]),
    ],
)
def test_a_sound_is_cut_into_clips(tmp_path, open_shards, seconds, split, wanted):
    soundfile.write(tmp_path / "a.wav", noise(seconds), 16_000)
    sound = Sound("a", str(tmp_path / "a.wav"), (1, 2), start=20.0, is_cut=True)
    extract([sound], OPENING, str(tmp_path / "out"), Extraction(split_seconds=split))
    rows = batch_of(tmp_path / "out" / "*.tfrecord", open_shards)
    keys = ("video_id", "start_time", "end_time", "num_frames")
    found = list(zip(*(rows[key].tolist() for key in keys), strict=True))
    assert found == [(name.encode(), *rest) for name, *rest in wanted]
    whole = SOURCE.embed(soundfile.read(tmp_path / "a.wav", dtype="float32")[0])
    parts = [each[:count] for each, count in zip(rows["features"], rows["num_frames"], strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_part_of_a_recording_is_read_alone(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(9), 16_000)
    _, row = extract_one(Sound("a", str(tmp_path / "a.wav"), start=2.0, end=5.0), SOURCE)
    assert (row["seconds"], row["frames"]) == (3.0, 3)


def test_arrays_stand_in_for_sound(tmp_path, open_shards):
    np.savez(tmp_path / "a.npz", one=np.ones((3, 4), np.float32), two=np.zeros((2, 4), np.float32))
    sounds = [Sound("one", "", (5,), 10.0), Sound("two", ""), Sound("three", "")]
    done = extract(sounds, Opening(str(tmp_path / "a.npz")), str(tmp_path / "out"), workers=2)
    rows = batch_of(tmp_path / "out" / "*.tfrecord", open_shards)
    assert rows["num_frames"].tolist() == [3, 2]
    assert rows["end_time"].tolist() == [13.0, 2.0]
    assert done.reasons == {"refused": 1}


# Lists of sounds


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to be in, with empty files of some names."""
    monkeypatch.chdir(tmp_path)
    names = ["s/a.wav", "s/b.mp3", "s/notes.txt", "s/.hidden.wav", "s/deep/c.flac", "s/deep/a.ogg"]
    names += ["clips/audio/-x_y_30000_40000.flac", "clips/video/-x_y_30000_40000.mp4", "clips/Yabcdefghijk.wav"]
    names += ["clips/plain-id.m4a", "clips/two_0_10000.wav", "clips/two_20000_30000.wav", "clips/plain-id.json"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def found(*arguments, **settings):
    return [(each.sound.video_id, each.sound.path, each.row.labels) for each in listed(*arguments, **settings)]


def test_files_folders_and_globs(folder):
    files = {"a": "s/a.wav", "b": "s/b.mp3", "deep/a": "s/deep/a.ogg", "deep/c": "s/deep/c.flac"}
    assert {each[0]: each[1] for each in found("s")} == files  # of two files called a, the folder tells which
    assert [each[0] for each in found("s/*.wav,s/deep/c.flac")] == ["a", "c"]
    assert [each[0] for each in found("s/notes.txt")] == ["notes"]  # named as it is, it is taken at its word
    with pytest.raises(UserError, match="matches no file"):
        listed("s/*.aiff")


def test_labels_of_files(folder):
    (folder / "labels.csv").write_text("file,labels\na.wav,rain;wind\ndeep/c.flac,birds\nother.wav,x\n")
    labels = {path: each for _, path, each in found("s", labels="labels.csv")}
    assert labels == {"s/a.wav": ("rain", "wind"), "s/b.mp3": (), "s/deep/a.ogg": (), "s/deep/c.flac": ("birds",)}
    (folder / "none.csv").write_text("file,labels\nelse.wav,x\n")
    with pytest.raises(UserError, match="a label for none of the 4 files"):
        listed("s", labels="none.csv")


def test_a_csv_of_files_and_parts_of_them(folder):
    (folder / "s" / "list.csv").write_text("path,start,end,label\na.wav,0,2,x\na.wav,2.5,4,y\ndeep/c.flac,,,\n")
    names = [(each.sound.video_id, each.sound.path, each.sound.start, each.sound.end) for each in listed("s/list.csv")]
    assert names == [
        ("a_0", "s/a.wav", 0.0, 2.0),
        ("a_2500", "s/a.wav", 2.5, 4.0),
        ("c", "s/deep/c.flac", 0.0, None),
    ]
    (folder / "twice.csv").write_text("file\na.wav\na.wav\n")
    with pytest.raises(UserError, match="line 3: line 2 is the same sound"):
        listed("twice.csv")


@pytest.mark.parametrize(
    ("video_id", "start", "file"),
    [
        ("-x_y", 30, "clips/audio/-x_y_30000_40000.flac"),
        ("abcdefghijk", 5, "clips/Yabcdefghijk.wav"),
        ("plain-id", 0, "clips/plain-id.m4a"),
        ("two", 20, "clips/two_20000_30000.wav"),
        ("two", 40, ""),
        ("Abcdefghijk", 5, ""),
    ],
)
def test_clips_of_audioset_are_found_by_id(folder, video_id, start, file):
    rows = ["# made", "# num_ytids=2", "# YTID, start_seconds, end_seconds, positive_labels"]
    rows += [f'{video_id}, {start}.000, {start + 10}.000, "/m/09x0r,/t/dd00088"', 'plain-id, 0.000, 10.000, "/m/04rlf"']
    (folder / "segments.csv").write_text("\n".join(rows[: 5 if video_id != "plain-id" else 4]) + "\n")
    each = listed("segments.csv", clips="clips")[0]
    assert (each.sound.path, each.sound.is_cut, each.sound.end) == (file, True, start + 10)
    assert each.row.labels == ("/m/09x0r", "/t/dd00088")


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("video_id,labels\na,x\n", {}, "give --clips=FOLDER"),
        ("video_id,labels\nq,x\n", {"clips": "s/deep"}, "holds none of the 1 clips"),
        ("video_id,labels\na,x\n", {"clips": "nowhere"}, "is no folder"),
        ("name,labels\na,x\n", {}, "says of no row which sound it is"),
        ("file,labels\n,x\n", {}, "line 2 has no file"),
        ("file,labels\na,x\n", {"labels": "b.csv"}, "is a CSV, and says itself"),
    ],
)
def test_lists_that_are_wrong(folder, text, settings, said):
    (folder / "list.csv").write_text(text)
    with pytest.raises(UserError, match=said):
        listed("list.csv", **settings)


def test_sounds_are_plain_data():
    sound = Sound("a", "b", (1,), 2.0, 3.0, True)
    assert json.dumps(dataclasses.astuple(sound)) == '["a", "b", [1], 2.0, 3.0, true]'


def test_shards_without_a_whole_sound_are_empty(tmp_path):
    extract([Sound("a", str(tmp_path / "none.wav"))], OPENING, str(tmp_path / "out"))
    assert (tmp_path / "out" / "00000-of-00001.tfrecord").read_bytes() == b""
    assert len(index_shards([str(tmp_path / "out" / "00000-of-00001.tfrecord")])) == 0
