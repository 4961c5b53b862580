"""Own data: a CSV and arrays become records that train, and an error names what does not fit."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from yt8m_audio import flags
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.audio.quantize import quantize
from yt8m_audio.clip_rows import read_clips
from yt8m_audio.errors import UserError
from yt8m_audio.own_records import fitting_shards, write_records

ROOT = Path(__file__).parents[1]
DOC = ROOT / "docs" / "own_data.md"
FRAMES = np.linspace(-1, 1, 8, dtype=np.float32).reshape(4, 2)
AUDIOSET_CSV = """# Segments csv created Sun Mar  5 10:54:31 2017
# num_ytids=2, num_segs=2, num_unique_labels=3, num_positive_labels=3
# YTID, start_seconds, end_seconds, positive_labels
--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"
--ZhevVpy1s, 50.000, 60.000, "/m/012xff"
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes records to `out` of the text of a CSV and arrays by id."""
    monkeypatch.chdir(tmp_path)

    def written(text, arrays, **settings):
        Path("clips.csv").write_text(text)
        np.savez("features.npz", **arrays)
        return write_records("clips.csv", "features.npz", "out", **{"make_label_map": True, **settings})

    return written


@pytest.fixture
def read(open_shards):
    """Reads the clips of `out` as one batch of arrays."""

    def batch(size, num_classes, **settings):
        (rows,) = open_shards("out/*.tfrecord", num_classes=num_classes, **settings).in_order(size)
        return {key: value.numpy() for key, value in rows.items()}

    return batch


def classes_of(labels):
    """The class indices of each row of a multi-hot array."""
    return [np.flatnonzero(row).tolist() for row in labels]


# What is written


def test_floats_come_back_as_they_were(write, read):
    write("video_id,labels,start,end\na,rain;wind,2.5,4\nb,,,\n", {"a": FRAMES, "b": FRAMES[:1].astype(np.float64)})
    rows = read(2, 2)
    assert rows["video_id"].tolist() == [b"a", b"b"]
    np.testing.assert_array_equal(rows["features"][0, :4], FRAMES)
    assert rows["features"].dtype == np.float32
    assert rows["num_frames"].tolist() == [4, 1]
    assert classes_of(rows["labels"]) == [[0, 1], []]
    assert list(zip(rows["start_time"], rows["end_time"], strict=True)) == [(2.5, 4.0), (0.0, 1.0)]
    assert Path("out/class_labels_indices.csv").read_text() == "index,display_name\n0,rain\n1,wind\n"


def test_bytes_stay_and_floats_are_quantised(write, read):
    write("id,labels\na,x\nb,x\n", {"a": np.uint8([[0, 255]]), "b": np.array([0.0, 9.0])}, quantize=quantize)
    rows = read(2, 1)
    assert rows["features"].dtype == np.uint8
    assert rows["features"][:, 0].tolist() == [[0, 255], [127, 255]]


def test_a_vector_becomes_one_frame(write, read):
    write("id,labels\na,x\n", {"a": np.float16([1, 2, 3])})
    rows = read(1, 1)
    assert rows["num_frames"].tolist() == [1]
    assert rows["features"][0, 0].tolist() == [1, 2, 3]


def test_a_folder_of_arrays(write, read, tmp_path):
    (tmp_path / "features").mkdir()
    np.save("features/-a.b.npy", FRAMES)
    Path("clips.csv").write_text("id,labels\n-a.b,x\n")
    write_records("clips.csv", "features", "out", make_label_map=True)
    assert read(1, 1)["video_id"].tolist() == [b"-a.b"]


def test_audiosets_segments_csv(write, read):
    write(AUDIOSET_CSV, {"--PJHxphWEs": FRAMES, "--ZhevVpy1s": FRAMES}, make_label_map=False)
    rows = read(2, 527)
    assert classes_of(rows["labels"]) == [[0, 451], [375]]
    assert rows["start_time"].tolist() == [30, 50]
    own = (ROOT / "yt8m_audio" / "class_labels_indices.csv").read_bytes()
    assert Path("out/class_labels_indices.csv").read_bytes() == own


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("Speech;Music", [0, 137]),
        ("137;/m/09x0r", [0, 137]),
        ('"Male speech, man speaking; Music"', [1, 137]),
        ('"Music, Speech"', [0, 137]),
        ("Speech;;Speech;", [0]),
    ],
)
def test_labels_may_be_names_mids_and_indices(write, read, cell, wanted):
    write(f"id,labels\na,{cell}\n", {"a": FRAMES}, make_label_map=False)
    assert classes_of(read(1, 527)["labels"]) == [wanted]


def test_an_own_label_map_is_copied(write, read, tmp_path):
    content = 'index,display_name,mid\n1,"Whoosh, swoosh",/o/b\n0,9,/o/a\n'
    (tmp_path / "mine.csv").write_text(content)
    arrays = dict.fromkeys("abcd", FRAMES)
    text = 'id,labels\na,"Whoosh, swoosh"\nb,/o/a\nc,9\nd,1\n'
    assert write(text, arrays, label_map="mine.csv", make_label_map=False).num_classes == 2
    assert classes_of(read(4, 2)["labels"]) == [[1], [0], [0], [1]]
    assert Path("out/class_labels_indices.csv").read_text() == content


def test_labels_that_are_numbers_are_sorted_as_such(write, read):
    write("id,labels\na,10\nb,9\n", dict.fromkeys("ab", FRAMES))
    assert Path("out/class_labels_indices.csv").read_text() == "index,display_name\n0,9\n1,10\n"


def test_clips_are_dealt_out_over_shards(write, open_shards):
    write("id,labels\n" + "".join(f"{number},x\n" for number in range(5)), dict.fromkeys("01234", FRAMES), shards=2)
    names = sorted(path.name for path in Path("out").glob("*.tfrecord"))
    assert names == ["00000-of-00002.tfrecord", "00001-of-00002.tfrecord"]
    assert open_shards("out/00000-*", num_classes=1).store.video_ids().tolist() == [b"0", b"2", b"4"]


@pytest.mark.parametrize(("clips", "shards"), [(1, 1), (2_000, 1), (2_001, 2), (1_000_000, 16)])
def test_shards_by_default(clips, shards):
    assert fitting_shards(None, clips) == shards


# What is said


def test_the_command_to_type_next(write):
    command = write("id,labels\na,x\n", {"a": np.ones((12, 3))}, feature_name="clap").train_command()
    assert command.startswith("python train.py --train_data_pattern='out/*.tfrecord' --num_classes=1 ")
    assert command.endswith("--batch_size=16 --feature_names=clap --max_frames=12")


def test_a_folder_with_odd_characters_is_found_again(write, open_shards):
    Path("odd").mkdir()
    write("id,labels\na,x\n", {"a": FRAMES})
    written = write_records("clips.csv", "features.npz", "odd/[a, b] c", make_label_map=True)
    pattern = re.search(r"--train_data_pattern='(.*?)'", written.train_command())[1]
    assert len(open_shards(pattern, num_classes=1)) == 1


def test_clips_without_labels_are_to_be_predicted(write):
    written = write("id,labels\na,\n", {"a": FRAMES}, make_label_map=False)
    assert "inference.py" in written.lines()[-1]
    assert written.warnings == ["without a label: 1 of 1 clip."]


@pytest.mark.parametrize(
    ("text", "arrays", "settings", "said"),
    [
        (
            "id,labels\na,x\n",
            {"a": FRAMES, "b": FRAMES, "c": FRAMES},
            {},
            "left out of features.npz, for want of a row in the CSV: 2 arrays.",
        ),
        ("id,labels\na,3\n", {"a": FRAMES}, {"make_label_map": False}, "taken as AudioSet's class indices"),
        ("id,labels\na,x\n", {"a": 9 * FRAMES}, {"quantize": quantize}, "--quantize: 75% of the values"),
    ],
)
def test_warnings(write, text, arrays, settings, said):
    (warning,) = write(text, arrays, **settings).warnings
    assert said in warning


# What does not fit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "clips.csv has no rows"),
        ("id,labels\n", "clips.csv has no rows"),
        ("id;labels\na;x\n", "has no column video_id or ytid or id: its header is 'id;labels'"),
        ("id,tags\na,x\n", "has no column labels"),
        ("id,labels\na,x\n\nb,y\na,z\n", "line 5: the id a was on line 2 already"),
        ("id,labels\n,x\n", "line 2 has no id"),
        ("id,labels\na,Whoosh, swoosh\n", "line 2 has 3 cells, the header 2"),
        ('id,labels\na,"x\n', "line 2 is no line of a CSV"),
        ("id,labels,start\na,x,soon\n", "line 2: start is 'soon'"),
        ("id,labels,end\na,x,nan\n", "line 2: end is 'nan'"),
        ("id,labels,start,end\na,x,3,2\n", "line 2: the clip ends at 2, before it begins"),
    ],
)
def test_a_wrong_csv(tmp_path, text, said):
    (tmp_path / "clips.csv").write_text(text)
    with pytest.raises(UserError) as error:
        read_clips(str(tmp_path / "clips.csv"))
    assert said in str(error.value)


def test_a_csv_that_is_no_text(tmp_path):
    (tmp_path / "clips.csv").write_bytes("id,labels\nä,x".encode("latin-1"))
    with pytest.raises(UserError, match="is not UTF-8"):
        read_clips(str(tmp_path / "clips.csv"))


@pytest.mark.parametrize(
    ("cell", "settings", "said"),
    [
        ("Speach", {}, "line 2: 'Speach' is no class of AudioSet. Did you mean Speech? If the classes are your own"),
        ("527", {}, "line 2: '527' is no class"),
        ("rian", {"label_map": "mine.csv"}, "'rian' is no class of mine.csv. Did you mean rain?"),
        ("twice", {"label_map": "mine.csv"}, "'twice' is the name of several classes of mine.csv"),
        ("rain", {"label_map": "mine.csv", "make_label_map": True}, "give one of them"),
        ("", {"make_label_map": True}, "clips.csv has no labels"),
        ('"b,c"', {"make_label_map": True}, "line 2: 'b,c' would be a class of its own: put ';'"),
        ("x", {"make_label_map": True, "shards": 0}, "--shards=0"),
        ("x", {"make_label_map": True, "feature_name": "a,b"}, "--feature_name=a,b"),
    ],
)
def test_wrong_labels_and_flags(write, tmp_path, cell, settings, said):
    (tmp_path / "mine.csv").write_text("index,display_name\n0,rain\n1,twice\n2,twice\n")
    rest = "b,b\nc,c\n" if cell == '"b,c"' else ""
    with pytest.raises(UserError) as error:
        write(f"id,labels\na,{cell}\n{rest}", {"a": FRAMES}, **{"make_label_map": False, **settings})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"a": FRAMES}, "clips.csv, line 3: features.npz has no array for b; 1 of 2 clips have none, and"),
        ({"a": FRAMES, "b": np.float32(1)}, "array b has the shape []"),
        ({"a": FRAMES, "b": FRAMES[None]}, "array b has the shape [1, 4, 2]"),
        ({"a": FRAMES, "b": FRAMES[:0]}, "array b has the shape [0, 2]"),
        ({"a": FRAMES, "b": FRAMES[:, :1]}, "array b has 1 features a frame, but a has 2"),
        ({"a": FRAMES, "b": np.uint8([[1, 2]])}, "array b is uint8, but a is float32"),
        ({"a": FRAMES, "b": np.int64([[1, 2]])}, "array b is int64: features are floats, or uint8"),
        ({"a": FRAMES, "b": np.array([[0, 1], [0, np.nan]])}, "array b holds NaN or infinite values, first in frame 1"),
        ({"a": FRAMES, "b": np.array([[1e300, 0]])}, "array b holds NaN or infinite values"),
        ({"a": FRAMES, "b": np.array([print], object)}, "array b holds Python objects, which are not unpickled"),
    ],
)
def test_wrong_arrays(write, tmp_path, arrays, said):
    with pytest.raises(UserError) as error:
        write("id,labels\na,x\nb,x\n", arrays)
    assert said in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"clips.csv", "features.npz"}, "nothing is left behind"


def test_a_damaged_array_is_named(write, tmp_path):
    (tmp_path / "features").mkdir()
    Path("features/a.npy").write_bytes(b"\x93NUMPY\x01\x00")
    Path("clips.csv").write_text("id,labels\na,x\n")
    with pytest.raises(UserError, match="features, array a cannot be read"):
        write_records("clips.csv", "features", "out", make_label_map=True)


def test_arrays_are_an_npz_or_a_folder(write):
    write("id,labels\na,x\n", {"a": FRAMES})
    np.save("one.npy", FRAMES)
    with zipfile.ZipFile("text.npz", "w") as file:
        file.writestr("a", "no array")
    for path, said in (("one.npy", "is no .npz"), ("none.npz", "there is no such file"), ("text.npz", "is no array")):
        with pytest.raises(UserError, match=said):
            write_records("clips.csv", path, "out2", make_label_map=True)


def test_an_output_that_is_there_stays(write):
    Path("out").mkdir()
    write("id,labels\na,x\n", {"a": FRAMES})  # an empty folder is taken
    with pytest.raises(UserError, match="out is there already and is not an empty folder"):
        write("id,labels\na,y\n", {"a": FRAMES})
    assert "x" in Path("out/class_labels_indices.csv").read_text()


# The command


def test_the_command(write, capsys):
    write("id,labels\na,x\n", {"a": FRAMES, "b": FRAMES})
    argv = ["yt8m_audio", "write-records", "clips.csv", "features.npz", "again", "--make_label_map", "--quantize"]
    with pytest.raises(SystemExit) as exit_info:
        flags.run(main_of_command, argv)
    assert exit_info.value.code == 0
    said = capsys.readouterr()
    assert "Wrote 1 clip of 1 class to again, in 1 shard; audio_embedding uint8 [4, 2]." in said.out
    assert said.err == "warning: left out of features.npz, for want of a row in the CSV: 1 array.\n"


@pytest.mark.slow
def test_the_page_about_own_data_is_true(tmp_path):
    """Runs its code blocks as they stand."""
    scripts = {f"python {name}.py": f"{sys.executable} {ROOT}/{name}.py" for name in ("train", "eval", "inference")}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for language, code in re.findall(r"^```(python|sh)\n(.*?)^```", DOC.read_text(encoding="utf-8"), re.M | re.S):
        for script, absolute in {**scripts, "python -m": f"{sys.executable} -m"}.items():
            code = code.replace(script, absolute)
        command = ["bash", "-ec", code] if language == "sh" else [sys.executable, "-c", code]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert json.loads((tmp_path / "runs/own/eval/metrics.json").read_text())["mAP"] > 0.95
    predicted = (tmp_path / "predictions.csv").read_text().splitlines()
    assert len(predicted) == 21
    assert all(line.split(",")[2] in ("birds", "engine", "rain") for line in predicted[1:])
