"""python -m yt8m_audio tag, as a user types it: sounds of every kind, what is printed and written, and each mistake."""

import io
import json
import sys
import types

import matplotlib.image
import numpy as np
import pytest

import train as train_script
from yt8m_audio import __main__ as program
from yt8m_audio import flags
from yt8m_audio.commands.tag_outputs import output_stems
from yt8m_audio.commands.tag_table import PAGE, seen_in
from yt8m_audio.commands.tagging_models import TaggingModel, as_one
from yt8m_audio.commands.tagging_source import settings_noted
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.feature_source import FeatureSource, write_feature_source
from yt8m_audio.records import write_shard
from yt8m_audio.sample import dataset
from yt8m_audio.sample.dataset import make_sample
from yt8m_audio.sample.sounds import write_sounds, write_wav


def status_of(main, *argv):
    """Runs a main as its command line would; returns the exit status."""
    with pytest.raises(SystemExit) as exit_info:
        flags.run(main, [str(each) for each in argv])
    return exit_info.value.code


def train(folder, *more):
    settings = ("--frame_features", "--model=FrameLevelLogisticModel", "--batch_size=16", "--num_epochs=1")
    assert status_of(train_script.main, "train.py", *settings, f"--train_dir={folder}", *more) == 0
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a very small sample."""
    folder = tmp_path_factory.mktemp("tag")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "make_sample", lambda there: make_sample(there, 40, 4))
        patch.setenv("YT8M_AUDIO_CACHE", str(folder / "cache"))
        return train(folder / "run")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Three sounds of ten seconds."""
    return [each.file for each in write_sounds(tmp_path_factory.mktemp("sounds"), 3, classes=["Siren", "Foghorn"])]


@pytest.fixture
def tag(run, capsys):
    """Tags files; gives the exit status, what was printed, and what was said on standard error."""

    def tagged(*argv, train_dir=run):
        model = [f"--train_dir={train_dir}"] if train_dir else []
        code = status_of(program.main_of_command, "yt8m_audio", "tag", *argv, *model)
        said = capsys.readouterr()
        return code, said.out, said.err

    return tagged


def test_a_table_a_file(tag, sounds):
    code, out, _ = tag(*sounds, "--top_k=3")
    assert code == 0
    assert "FrameLevelLogisticModel" in out
    assert "on log_mel_statistics; over time, each 3 s by itself, every 1 s" in out
    assert [line.split("  ")[0] for line in out.splitlines() if ".wav" in line] == [str(each) for each in sounds]
    assert out.count("0.") >= 9
    assert max(len(line) for line in out.splitlines()[1:] if ".wav" not in line) <= PAGE
    assert "\x1b" not in out


def test_json_lines(tag, sounds):
    code, out, _ = tag(*sounds[:2], "--json", "--top_k=2", "--threshold=0", "--window=4", "--hop=2")
    first, second = map(json.loads, out.splitlines())
    assert (code, first["file"], second["file"]) == (0, str(sounds[0]), str(sounds[1]))
    assert first["seconds"] == 10
    assert [(each["start"], each["end"]) for each in first["windows"]] == [(0, 4), (2, 6), (4, 8), (6, 10)]
    assert all(len(each["labels"]) == 2 for each in (first, *first["windows"]))
    assert set(first["labels"][0]) == {"class", "score", "peak", "name", "id"}
    assert first["labels"][0]["score"] >= first["labels"][1]["score"]


def test_standard_input(tag, sounds, monkeypatch):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(sounds[0].read_bytes())))
    _, out, _ = tag("-", "--json")
    _, of_file, _ = tag(sounds[0], "--json")
    streamed, read = json.loads(out), json.loads(of_file)
    assert streamed["file"] == "standard input"
    assert streamed["labels"] == read["labels"]


def test_files_and_pictures(tag, sounds, tmp_path):
    code, out, _ = tag(*sounds[:2], f"--output_dir={tmp_path}/out", f"--picture={tmp_path}/pictures", "--threshold=0")
    assert code == 0
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == [
        f"sound-00{number}.{end}" for number in (0, 1) for end in ("csv", "json", "txt")
    ]
    assert (tmp_path / "out" / "sound-000.csv").read_text().startswith("video_id,start,end,class,name,score\n")
    start, end, _ = (tmp_path / "out" / "sound-001.txt").read_text().splitlines()[0].split("\t")
    assert 0 <= float(start) < float(end) <= 10
    for number in (0, 1):
        path = tmp_path / "pictures" / f"sound-00{number}.png"
        assert matplotlib.image.imread(path).shape == (800, 1200, 4)
        assert f"picture: {path}" in out


def test_an_audacity_track_is_printed_alone(tag, sounds):
    code, out, _ = tag(sounds[0], "--audacity", "--threshold=0", "--top_k=1")
    assert code == 0
    starts, ends = np.array([list(map(float, line.split("\t")[:2])) for line in out.splitlines()]).T
    assert (starts[0], ends[-1]) == (0, 10)
    np.testing.assert_array_equal(starts[1:], ends[:-1])  # one class at a time, side by side


def test_broken_files_are_reported_and_others_go_on(tag, sounds, tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound")
    write_wav(tmp_path / "short.wav", np.zeros(100))
    write_wav(tmp_path / "silent.wav", np.zeros(20_000))
    names = ("empty.wav", "text.wav", "missing.wav", "short.wav")
    broken = [tmp_path / name for name in names]
    code, out, err = tag(broken[0], sounds[0], *broken[1:], tmp_path / "silent.wav", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [each.get("reason", "") for each in lines] == ["empty", "", "not_sound", "missing", "too_short", ""]
    assert lines[-1]["warnings"][0].endswith("silent: nothing in it is above -80 dBFS")
    assert all(f"{name} is" in err for name in names)
    assert "4 of 6 files could not be tagged." in err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "FILE is missing. Usage: python -m yt8m_audio tag FILE ..."),
        (["a.wav", "--topk=3"], "--topk is no flag. Did you mean --top_k?"),
        (["a.wav", "--embedding=vggish"], "gives other features than the run's features (name 'vggish', not"),
        (["a.wav", "--embedding=vgish"], "Did you mean vggish?"),
        (["a.wav", "--window=0.2"], "--window=0.2 must be 1 at least: a frame is 1 seconds."),
        (["a.wav", "--hop=nan"], "--hop=nan must be 1 at least"),
        (["a.wav", "--threshold=2"], "--threshold=2 must be a score from 0 to 1"),
        (["a.wav", "b.wav", "--picture=a.png"], "is of one file, and several are named: give a folder."),
        (["a.wav", "--picture=nowhere/a.png"], "there is no folder"),
        (["a.wav", "b.wav", "--audacity"], "several are named: give --output_dir"),
        (["a.wav", "--json", "--audacity"], "two things to print"),
        (["a.wav", "--checkpoint=7"], "--checkpoint=7:"),
    ],
)
def test_mistakes(tag, argv, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = tag(*argv)
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


def test_without_a_model(tag):
    code, _, err = tag("a.wav", train_dir="")
    assert code == 2
    assert "--train_dir is missing" in err


def test_a_run_without_a_note_takes_vggish_unless_told(tag, sounds, tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_AUDIO_CACHE", str(tmp_path / "cache"))
    frames = np.random.default_rng(0).integers(0, 256, (8, 10, 128), np.uint8)
    write_shard(
        str(tmp_path / "a.tfrecord"), [audioset_record(f"c{i}", [i % 2], each) for i, each in enumerate(frames)]
    )
    pattern = f"--train_data_pattern={tmp_path}/*.tfrecord"
    other = train(tmp_path / "other", pattern, "--num_classes=2", "--model=LogisticModel", "--frame_features=false")
    code, _, err = tag(sounds[0], train_dir=other)
    assert code == 2
    assert "python -m yt8m_audio vggish-weights" in err
    code, out, _ = tag(sounds[0], "--embedding=log_mel_statistics", train_dir=other)
    assert code == 0
    assert "class 0" in out


def test_another_size_than_the_model_takes(tag, sounds, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (8, 10, 16), np.uint8)
    write_shard(
        str(tmp_path / "a.tfrecord"), [audioset_record(f"c{i}", [i % 2], each) for i, each in enumerate(frames)]
    )
    other = train(tmp_path / "other", f"--train_data_pattern={tmp_path}/*.tfrecord", "--num_classes=2")
    code, _, err = tag(sounds[0], "--embedding=log_mel_statistics", train_dir=other)
    assert code == 2
    assert "gives 128 values a frame" in err
    assert "takes 16" in err


@pytest.mark.parametrize("suffix", [".keras", pytest.param("", marks=pytest.mark.slow)])
def test_exported_models_tag_alike(tag, run, sounds, tmp_path, suffix):
    _, of_run, _ = tag(sounds[0], "--json")
    exported = tmp_path / f"model{suffix}"
    assert status_of(program.main_of_command, "yt8m_audio", "export", run, exported) == 0
    code, out, err = tag(
        sounds[0], "--json", f"--input_model={exported}", "--embedding=log_mel_statistics", train_dir=""
    )
    assert code == 0, err
    wanted, found = json.loads(of_run)["labels"], json.loads(out.splitlines()[-1])["labels"]  # export printed before it
    assert [each["name"] for each in found] == [each["name"] for each in wanted]
    np.testing.assert_allclose([each["score"] for each in found], [each["score"] for each in wanted], atol=2e-4)


def source_noted(name, **changed):
    """A model of which nothing but its source counts."""
    return TaggingModel(name, None, 2, (128,), 10, None, source=FeatureSource(name, 16_000, 128, 1.0, **changed))


def test_models_of_two_sources_do_not_tag_as_one():
    with pytest.raises(UserError, match=r"features of vggish and .* on those of log_mel_statistics \(name differ\)"):
        as_one([source_noted("vggish"), source_noted("log_mel_statistics")])
    assert as_one([source_noted("vggish")] * 2).source.name == "vggish"


@pytest.mark.slow
def test_an_exported_models_note_of_its_features_counts(tag, run, sounds, tmp_path):
    exported, note = tmp_path / "model", FeatureSource("vggish", 16_000, 128, 1.0)
    assert status_of(program.main_of_command, "yt8m_audio", "export", run, exported) == 0
    (exported / "assets.extra").mkdir(exist_ok=True)
    write_feature_source(exported / "assets.extra", note)
    code, _, err = tag(sounds[0], f"--input_model={exported}", "--embedding=log_mel_statistics", train_dir="")
    assert code == 2
    assert "(name 'log_mel_statistics', not 'vggish')" in err


def test_a_runs_settings_of_vggish_are_taken_up():
    settings = {"postprocessing": "none", "final_relu": True, "precision": "bfloat16"}
    noted = FeatureSource("vggish", 16_000, 128, 0.5, "0a", settings)
    wanted = {"hop_seconds": 0.5, "final_relu": True, "postprocess": False, "mixed_precision": True}
    assert settings_noted(noted) == wanted
    wanted = {"hop_seconds": 0.96, "postprocess": True, "mixed_precision": False}
    assert settings_noted(FeatureSource("vggish", 16_000, 128, 0.96)) == wanted


def test_several_models_tag_as_one(tag, run, sounds):
    code, out, _ = tag(sounds[0], "--json", train_dir=f"{run},{run}")
    _, alone, _ = tag(sounds[0], "--json")
    assert code == 0
    assert json.loads(out)["labels"] == json.loads(alone)["labels"]


@pytest.mark.parametrize(
    ("files", "stems"),
    [
        (["a/rain.wav", "b/dog.mp3"], ["rain", "dog"]),
        (["rain.wav", "rain.mp3"], ["rain.wav", "rain.mp3"]),
        (["a/rain.wav", "../b/rain.wav"], ["a-rain", "b-rain"]),
        (["rain.wav", "rain.wav"], ["1-rain", "2-rain"]),
    ],
)
def test_names_of_outputs(files, stems):
    assert output_stems(files) == stems


@pytest.mark.parametrize(
    ("width", "wanted"),
    [(2, [0.9, 0.3]), (4, [0.1, 0.9, 0.2, 0.3]), (8, [0.1, 0.1, 0.9, 0.9, 0.2, 0.2, 0.3, 0.3]), (1, [0.9])],
)
def test_letters_of_a_bar(width, wanted):
    scores = np.array([0.1, 0.9, 0.2, 0.3])
    assert seen_in(scores, np.arange(5.0), 4.0, width).tolist() == wanted
