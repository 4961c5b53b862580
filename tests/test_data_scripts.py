"""The scripts on every family, source and way of sampling, as a user types them."""

import csv
import json

import numpy as np
import pytest

import eval as eval_script
import inference as inference_script
import train as train_script
from yt8m_audio import flags
from yt8m_audio.examples import audioset_record, frames_record, video_record
from yt8m_audio.records import write_shard

NUM_CLASSES = 4


def told(number, rows, size):
    """Bytes [rows, size] of a clip of class `number % 4`, whose every fourth feature is raised."""
    frames = np.random.default_rng(number).integers(100, 140, (rows, size), dtype=np.uint8)
    frames[:, number % NUM_CLASSES :: NUM_CLASSES] += 60
    return frames


def frame_record(number):
    lists = {"rgb": told(number, 6, 8), "audio": told(number, 6, 4)}
    return frames_record({"id": f"{number:04d}"}, [number % 4], lists)


def vector_record(number):
    vectors = {"mean_rgb": told(number, 1, 8)[0] / 64.0 - 2, "mean_audio": told(number, 1, 4)[0] / 64.0 - 2}
    return video_record({"video_id": f"{number:04d}"}, [number % 4], vectors)


def segment_record(number):
    """Two segments: in the first one the class is true, in the other it is not."""
    frames = told(number, 10, 8)
    frames[5:] = 120
    ratings = {"segment_labels": [number % 4] * 2, "segment_start_times": [0, 5], "segment_scores": [1.0, 0.0]}
    return frames_record({"id": f"{number:04d}", **ratings}, [number % 4], {"rgb": frames})


def clip_record(number):
    return audioset_record(f"{number:04d}", [number % 4], told(number, 10, 8))


@pytest.fixture
def data(tmp_path):
    """Writes 4 shards of 20 records; returns their glob."""

    def write(record, first=0):
        folder = tmp_path / f"{record.__name__}{first}"
        folder.mkdir(exist_ok=True)
        for shard in range(4):
            numbers = range(first + 20 * shard, first + 20 * (shard + 1))
            write_shard(str(folder / f"{shard}.tfrecord"), [record(number) for number in numbers])
        return f"{folder}/*.tfrecord"

    return write


def run(script, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        flags.run(script.main, [script.__file__, *map(str, arguments)])
    return exit_info.value.code


def train(pattern, folder, *more, model="FrameLevelLogisticModel", epochs=8):
    settings = ("--num_classes=4", "--batch_size=16", f"--num_epochs={epochs}", f"--model={model}")
    return run(train_script, f"--train_data_pattern={pattern}", f"--train_dir={folder}", *settings, *more)


def evaluated(pattern, folder, *more):
    assert run(eval_script, f"--train_dir={folder}", f"--eval_data_pattern={pattern}", *more) == 0
    return json.loads((folder / "eval" / "metrics.json").read_text())


def losses(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["Loss"] for line in lines if line["part"] == "train"]


@pytest.mark.parametrize(
    ("record", "more", "model"),
    [
        (frame_record, ["--frame_features"], "FrameLevelLogisticModel"),
        (frame_record, ["--feature_names=audio", "--feature_sizes=4"], "FrameLevelLogisticModel"),
        (frame_record, ["--pooling=mean_std_max"], "LogisticModel"),
        (vector_record, [], "MoeModel"),
        (vector_record, ["--feature_names=mean_rgb"], "LogisticModel"),
        (segment_record, ["--segment_labels"], "FrameLevelLogisticModel"),
        (clip_record, ["--sampling=balanced"], "FrameLevelLogisticModel"),
        (clip_record, ["--sampling=weighted", "--cache=none"], "LogisticModel"),
    ],
)
def test_training_evaluating_and_predicting(record, more, model, data, tmp_path):
    assert train(data(record), tmp_path / "run", *more, model=model) == 0
    assert evaluated(data(record, 1000), tmp_path / "run")["mAP"] > 0.9
    output = f"--output_file={tmp_path}/p.csv"
    pattern = f"--input_data_pattern={data(record, 1000)}"
    assert run(inference_script, f"--train_dir={tmp_path}/run", pattern, output, "--top_k=1") == 0
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    wanted = [f"{1000 + number:04d}" for number in range(80)]
    if record is segment_record:
        assert [row["VideoId"] for row in rows] == [f"{name}:{start}" for name in wanted for start in (0, 5)]
    else:
        assert [row["VideoId"] for row in rows] == wanted
        right = [int(row["LabelConfidencePairs"].split()[0]) == number % 4 for number, row in enumerate(rows)]
        assert np.mean(right) > 0.8


def test_a_run_evaluates_on_another_family_with_the_same_features(data, tmp_path):
    assert train(data(frame_record), tmp_path / "run", "--feature_names=rgb,audio", model="LogisticModel") == 0
    assert evaluated(data(vector_record), tmp_path / "run")["mAP"] > 0.9


def test_a_run_on_vectors_averages_all_frames_of_longer_clips(data, tmp_path):
    def long_record(number):
        frames = np.repeat(told(number, 6, 8), [1, 1, 1, 1, 1, 35], axis=0)
        frames[:12] = 255 - frames[:12]  # what the first frames say is wrong
        return frames_record({"id": f"{number:04d}"}, [number % 4], {"rgb": frames})

    assert train(data(vector_record), tmp_path / "run", "--feature_names=mean_rgb", model="LogisticModel") == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["max_frames"] is None
    assert evaluated(data(long_record), tmp_path / "run")["mAP"] > 0.8


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_clips_without_labels_are_nothing_to_learn_or_evaluate(cache, data, tmp_path, capsys):
    def unlabelled(number):
        return audioset_record(f"{number:04d}", [], told(number, 10, 8))

    if cache == "memory":
        assert train(data(unlabelled), tmp_path / "none") == 2
        assert "has a label: there is nothing to learn" in capsys.readouterr().err
        assert not (tmp_path / "none").exists()
    assert train(data(clip_record), tmp_path / "run", f"--cache={cache}", epochs=1) == 0
    capsys.readouterr()
    assert run(eval_script, f"--train_dir={tmp_path}/run", f"--eval_data_pattern={data(unlabelled)}") == 2
    assert "has a label: there is nothing to evaluate" in capsys.readouterr().err
    output = f"--output_file={tmp_path}/p.csv"
    assert run(inference_script, f"--train_dir={tmp_path}/run", f"--input_data_pattern={data(unlabelled)}", output) == 0


def test_a_command_that_fails_leaves_the_run_as_it_was(data, tmp_path, capsys):
    assert train(data(clip_record), tmp_path / "run", epochs=1) == 0
    before = (tmp_path / "run" / "config.json").read_bytes()
    assert train(data(frame_record), tmp_path / "run", "--feature_names=audio_embedding", epochs=2) == 2
    wrong = data(clip_record, 1000)
    write_shard(wrong.replace("*", "3"), [audioset_record("a", [9], told(0, 10, 8))])
    assert train(wrong, tmp_path / "run", epochs=2) == 2
    assert "label 9 is not in 0 to 3" in capsys.readouterr().err
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_segments_are_evaluated_where_asked_for(data, tmp_path):
    assert train(data(segment_record), tmp_path / "run", "--frame_features") == 0
    assert evaluated(data(segment_record), tmp_path / "run")["clips"] == 80
    assert evaluated(data(segment_record), tmp_path / "run", "--segment_labels")["clips"] == 160


@pytest.mark.parametrize("sampling", ["plain", "balanced", "weighted"])
@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_run_goes_on_in_the_order_of_one_never_stopped(sampling, cache, data, tmp_path):
    chosen = (f"--sampling={sampling}", f"--cache={cache}", "--export_model_steps=1")
    pattern = data(clip_record)
    assert train(pattern, tmp_path / "whole", *chosen, epochs=2) == 0
    assert train(pattern, tmp_path / "halves", *chosen, "--max_steps=3", epochs=2) == 0
    assert train(pattern, tmp_path / "halves", "--max_steps=10", epochs=2) == 0
    assert losses(tmp_path / "halves")[-1] == losses(tmp_path / "whole")[-1]
    saved = json.loads((tmp_path / "halves" / "config.json").read_text())["data"]
    assert (saved["sampling"], saved["cache"]) == (sampling, cache)


def test_segments_without_any_rating_are_nothing_to_train_on(data, tmp_path, capsys):
    assert train(data(frame_record), tmp_path / "run", "--segment_labels") == 2
    assert "is rated: train on records with segment_labels" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_small_data_is_kept_in_memory_and_said_so(data, tmp_path, capsys):
    assert train(data(clip_record), tmp_path / "run", epochs=1) == 0
    assert "80 to train on, none to validate on, from memory (0 MB)" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["cache"] == "memory"


@pytest.mark.parametrize(("free", "cache"), [(80 * 80 * 5, "memory"), (80 * 80 * 3, "none")])
def test_auto_looks_at_the_memory_that_is_free(free, cache, data, tmp_path, monkeypatch):
    monkeypatch.setattr("yt8m_audio.commands.assemble.free_bytes", lambda: free)
    assert train(data(clip_record), tmp_path / "run", epochs=1) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["cache"] == cache


def test_memory_that_is_not_there_is_said(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("yt8m_audio.commands.assemble.free_bytes", lambda: 1000)
    assert train(data(clip_record), tmp_path / "run", "--cache=memory") == 2
    assert "error: --cache=memory: the clips take" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("--sampling=balanced", "--sampling was plain"),
        ("--cache=none", "--cache was memory"),
        ("--pooling=mean_std_max", "--pooling is mean there"),
        ("--segment_labels", "--segment_labels fits YouTube-8M's frame-level records alone"),
    ],
)
def test_what_makes_another_run_is_refused(change, said, data, tmp_path, capsys):
    assert train(data(clip_record), tmp_path / "run", "--model=LogisticModel", epochs=1) == 0
    capsys.readouterr()
    assert train(data(clip_record), tmp_path / "run", "--model=LogisticModel", change, epochs=1) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cache=disk"], "--cache=disk is none of auto, memory, none"),
        (["--sampling=fair"], "--sampling=fair is none of plain, balanced, weighted"),
        (["--pooling=max", "--model=LogisticModel"], "--pooling=max is none of mean, mean_std_max"),
        (["--segment_size=0"], "--segment_size=0 must be at least 1"),
        (["--segment_labels", "--sampling=balanced"], "rated false would ever come: leave --sampling"),
        (["--reader=Youtube8mFrameReeder"], "Did you mean Youtube8mFrameReader?"),
    ],
)
def test_a_mistake_gets_one_line(arguments, said, data, tmp_path, capsys):
    assert train(data(clip_record), tmp_path / "run", *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_a_label_map_tells_the_number_of_classes(data, tmp_path):
    names = "".join(f"{index},/m/{index},name {index}\n" for index in range(6))
    (tmp_path / "map.csv").write_text(f"index,mid,display_name\n{names}")
    pattern, folder = f"--train_data_pattern={data(clip_record)}", f"--train_dir={tmp_path}/run"
    assert run(train_script, pattern, folder, f"--label_map={tmp_path}/map.csv", "--max_steps=1") == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["num_classes"] == 6


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_corrupt_records_to_validate_on_are_named_too(cache, data, tmp_path, capsys, flip_bit):
    validation = data(clip_record, 1000)
    path = validation.replace("*", "2")
    flip_bit(path, -50)
    more = (f"--validation_data_pattern={validation}", "--skip_corrupt_records", f"--cache={cache}")
    assert train(data(clip_record), tmp_path / "run", *more, epochs=1) == 0
    said = capsys.readouterr().out
    assert said.count(f"warning: {path}: 1 corrupt record left out.") == 1
    logged = map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    assert [each["clips"] for each in logged if each["part"] == "validation"] == [79]


def test_corrupt_records_are_counted_at_the_end_of_each_epoch(data, tmp_path, capsys, flip_bit):
    pattern = data(clip_record)
    path = pattern.replace("*", "2")
    flip_bit(path, -50)
    assert train(pattern, tmp_path / "run", "--skip_corrupt_records", "--cache=none", epochs=3) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "warning" in line] == [f"epoch 1: warning: {path}: 1 corrupt record left out."]
    counted = [line for line in said if "left out so far" in line]
    assert counted == [f"epoch {epoch}: 1 corrupt record left out so far." for epoch in (1, 2, 3)]
    assert train(pattern, tmp_path / "memory", "--skip_corrupt_records", epochs=1) == 0
    assert f"warning: {path}: 1 corrupt record left out." in capsys.readouterr().out
