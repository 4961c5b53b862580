"""Batch inference: shards of the output, interruptions, and what comes back of odd clips."""

import csv
import dataclasses
import gzip
import itertools
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.test_scripts import data, error_of, predict, trained  # noqa: F401  fixtures
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.commands.chosen_classes import chosen_classes
from yt8m_audio.commands.inference import memory_explained
from yt8m_audio.commands.inference_models import part_of
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.prediction.audacity import AudacityTracks
from yt8m_audio.prediction.batch_inference import BatchInference
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.output_shards import of_worker, output_shards
from yt8m_audio.prediction.predicted import Predicted
from yt8m_audio.prediction.predictor import Predictor
from yt8m_audio.prediction.resumable import ResumableFile, beside
from yt8m_audio.prediction.scores_npz import ScoresNpz
from yt8m_audio.records import write_shard
from yt8m_audio.registry import MODELS

ROOT = Path(__file__).parents[1]
NUM_CLIPS, BATCH_SIZE = 152, 2


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def made(start, stop):
    """What some model might say of the clips c0, c1, ..."""
    clips = np.arange(start, stop)
    ids = np.array([b"c%d" % clip for clip in clips], object)
    scores = np.stack([1 / (1 + clips), 1 / (2 + clips)], axis=1).astype(np.float32)
    classes = np.stack([clips % 5, (clips + 1) % 5], axis=1).astype(np.int32)
    return Predicted(ids, clips.astype(np.float32), clips.astype(np.float32) + 10, classes, scores)


# Shards of the output


@pytest.mark.parametrize(("num_clips", "count"), [(10, 3), (2, 5), (0, 2), (16, 16)])
def test_shards_hold_all_clips_once_and_as_many_each(num_clips, count):
    shards = output_shards(f"folder/preds-@{count}.csv.gz", num_clips)
    assert [clip for shard in shards for clip in shard.clips] == list(range(num_clips))
    assert np.ptp([len(shard.clips) for shard in shards]) <= 1
    assert str(shards[-1].path) == f"folder/preds-{count - 1:05d}-of-{count:05d}.csv.gz"


def test_a_plain_name_is_one_file():
    (shard,) = output_shards("me@home/p.csv", 3)
    assert (str(shard.path), shard.clips, shard.number) == ("me@home/p.csv", range(3), None)


def test_workers_share_the_shards():
    shards = output_shards("@5.csv", 50)
    shared = [of_worker(shards, f"{number}/3", "") for number in range(3)]
    assert [[shard.number for shard in each] for each in shared] == [[0, 3], [1, 4], [2]]
    assert of_worker(shards, "", "") == shards


@pytest.mark.parametrize(
    ("worker", "output_file", "said"),
    [
        ("1", "@2.csv", "--worker=1 must be i/n"),
        ("2/2", "@2.csv", "--worker=2/2 must be i/n"),
        ("0/3", "@2.csv", "@2.csv has @2: name at least 3 shards"),
        ("0/1", "p.csv", "p.csv has no @"),
        ("", "p-@0.csv", "@0 is no number of shards"),
    ],
)
def test_shards_that_there_are_not(worker, output_file, said):
    with pytest.raises(UserError, match=said):
        of_worker(output_shards(output_file, 9), worker, output_file)


# A file that is gone on with


def write(file, stops, finish=True):
    with file.opened() as done:
        for stop in stops:
            file.add(made(done, stop), stop - done)
            done = stop
        if finish:
            file.finish()


def test_nothing_is_left_of_what_a_format_cannot_hold(tmp_path):
    file = ResumableFile(tmp_path / "p.txt", {}, AudacityTracks())
    with pytest.raises(UserError, match="several"):
        write(file, [3, 5])
    assert names(tmp_path) == []


def test_too_little_memory_is_told_in_one_line():
    said = "--batch_size=512 of --window=60: give less"
    with pytest.raises(UserError, match=said), memory_explained(InferenceFlags(window=60)):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
def test_what_was_not_noted_is_cut_off(name, tmp_path):
    file = ResumableFile(tmp_path / name, {}, LabelsCsv(), save_seconds=0)
    write(file, [3, 5], finish=False)
    with file.partial.open("ab") as partial:
        partial.write(b"c5,0 .1\nc6,1 0.")
    again = ResumableFile(tmp_path / name, {}, LabelsCsv())
    with again.opened() as done:
        assert done == 5
        again.add(made(5, 7), 2)
        again.finish()
    content = (tmp_path / name).read_bytes()
    content = gzip.decompress(content) if name.endswith("gz") else content
    assert [line.split(b",")[0] for line in content.splitlines()[1:]] == [b"c%d" % clip for clip in range(7)]
    assert names(tmp_path) == sorted([name, beside(name)[1]])
    assert again.is_finished(7)


@pytest.mark.parametrize("broken", ["note", "partial", "facts"])
def test_what_cannot_be_gone_on_with_begins_anew(broken, tmp_path):
    file = ResumableFile(tmp_path / "p.csv", {"step": 1, "top_k": 2}, LabelsCsv(), save_seconds=0)
    write(file, [3, 5], finish=False)
    if broken == "note":
        file.note.write_text("{")
    elif broken == "partial":
        file.partial.write_bytes(file.partial.read_bytes()[:-1])
    again = ResumableFile(tmp_path / "p.csv", {"step": 7 if broken == "facts" else 1, "top_k": 2}, LabelsCsv())
    assert again.differing() == (["step"] if broken == "facts" else [])
    with again.opened() as done:
        assert done == 0


def test_a_note_that_was_written_before_the_rename(tmp_path):
    file = ResumableFile(tmp_path / "p.csv", {}, LabelsCsv())
    write(file, [3, 5])
    os.rename(file.path, file.partial)
    assert not file.is_finished(5)
    write(ResumableFile(tmp_path / "p.csv", {}, LabelsCsv()), [])
    assert file.is_finished(5)


@pytest.mark.parametrize("name", ["p.csv", "p.csv.gz"])
def test_a_finished_file_is_verified(name, tmp_path):
    file = ResumableFile(tmp_path / name, {}, LabelsCsv())
    write(file, [9])
    content = file.path.read_bytes()
    assert file.is_finished(9)
    assert not file.is_finished(8)
    assert not ResumableFile(tmp_path / name, {"step": 1}, LabelsCsv()).is_finished(9)
    for damaged in (content[:-1], content[:30] + b"\n" + content[31:], b""):
        file.path.write_bytes(damaged)
        assert not file.is_finished(9)
    file.path.unlink()
    assert not file.is_finished(9)


def test_two_processes_do_not_write_one_file(tmp_path):
    file = ResumableFile(tmp_path / "p.csv", {}, LabelsCsv())
    with file.opened(), pytest.raises(UserError, match="is being written by another process"):
        write(ResumableFile(tmp_path / "p.csv", {}, LabelsCsv()), [3])
    assert names(tmp_path) == []


def test_nothing_is_left_where_nothing_was_noted(tmp_path):
    with pytest.raises(KeyError):
        write(ResumableFile(tmp_path / "p.csv", {}, LabelsCsv()), [3, {}["stop"]])
    assert names(tmp_path) == []


# Several batches in one call


def test_several_batches_in_one_call_say_what_each_says_alone(ragged):
    clips, predict = ragged
    alone = list(predict(clips.in_order(BATCH_SIZE)))
    in_calls = Predictor(predict.ensemble, top_k=3, batch_size=BATCH_SIZE)
    together = list(in_calls(clips.in_order(8 * BATCH_SIZE)))
    assert len(together) == -(-len(alone) // 8)
    for field in dataclasses.fields(Predicted):
        found, wanted = (np.concatenate([getattr(each, field.name) for each in some]) for some in (together, alone))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("name", "frames", "batch_size", "clips"),
    [
        ("FrameLevelLogisticModel", 10, 512, 8192),
        ("FrameLevelLogisticModel", 10, 3000, 12_000),
        ("FrameLevelLogisticModel", 10, 4, 64),
        ("FrameLevelLogisticModel", 10, 20_000, 20_000),
        ("FrameLevelLogisticModel", 300, 100, 400),
        ("DecisionLevelAttentionModel", 10, 512, 512),
    ],
)
def test_light_models_are_given_several_small_batches(name, frames, batch_size, clips):
    model = MODELS.get(name)(num_classes=5, feature_sizes=(128,))
    spec = {
        "features": tf.TensorSpec([batch_size, frames, 128], tf.uint8),
        "num_frames": tf.TensorSpec([batch_size], tf.int32),
    }
    assert Predictor(model, top_k=3, batch_size=batch_size).clips_at_a_time([spec]) == clips


# Interrupted runs


class StoppedError(Exception):
    pass


def test_what_ctrl_c_stops_is_kept_and_said(ragged, tmp_path):
    def stop(done):
        if done >= NUM_CLIPS // 2:
            raise KeyboardInterrupt

    shards, said = output_shards(str(tmp_path / "p.csv"), NUM_CLIPS), []
    with pytest.raises(KeyboardInterrupt):
        inference(ragged, LabelsCsv(), progress=stop, say=said.append, save_seconds=1e9).run(shards)
    assert "are kept. The same command goes on from there." in said[-1]
    assert 0 < inference(ragged, LabelsCsv()).run(shards) <= NUM_CLIPS // 2


@pytest.fixture(scope="module")
def ragged(ragged_clips):
    """The ragged clips, and a function that predicts them."""
    from readers import open_clips
    from yt8m_audio.config import DataConfig

    clips = open_clips(ragged_clips, "input_data_pattern", DataConfig(frame_features=True, num_classes=5))
    keras.utils.set_random_seed(0)
    return clips, Predictor(MODELS.get("FrameLevelLogisticModel")(num_classes=5, feature_sizes=(16,)), top_k=3)


def inference(ragged, output, **more):
    clips, predict_clips = ragged
    read = lambda numbers: part_of(clips, numbers).in_order(BATCH_SIZE)  # noqa: E731
    settings = {"say": lambda line: None, "save_seconds": 0, **more}
    return BatchInference(predict_clips, read, {"step": 1}, output, BATCH_SIZE, **settings)


@pytest.mark.parametrize(
    ("name", "output"),
    [("p.csv", LabelsCsv()), ("p-@3.csv", LabelsCsv()), ("p.csv.gz", LabelsCsv()), ("p-@2.npz", ScoresNpz(5))],
)
def test_interrupted_at_random_20_times(name, output, ragged, tmp_path):
    for folder in ("whole", "stopped"):
        (tmp_path / folder).mkdir()
    inference(ragged, output).run(output_shards(str(tmp_path / "whole" / name), NUM_CLIPS))
    shards, random = output_shards(str(tmp_path / "stopped" / name), NUM_CLIPS), np.random.default_rng(0)
    for number, batches in enumerate(random.integers(1, 5, 20)):
        stopping = {"progress": stop_after(batches)} if number % 2 else {"output": stop_writing(output, batches)}
        with pytest.raises(StoppedError):
            inference(ragged, **{"output": output, **stopping}).run(shards)
    assert inference(ragged, output).run(shards) < NUM_CLIPS
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert names(whole) == names(stopped)
    for each in names(whole):
        assert each.startswith(".") or (whole / each).read_bytes() == (stopped / each).read_bytes()


def stop_after(batches):
    """Has a run stop when so many batches are predicted."""
    left = iter(range(batches - 1))

    def progress(done):
        if next(left, None) is None:
            raise StoppedError

    return progress


def stop_writing(output, batches):
    """A format with which one batch cannot be written, and those behind it can."""
    calls = itertools.count(1)

    class Stopping(type(output)):
        def __init__(self):
            self.__dict__ = output.__dict__

        def rows(self, predicted):
            if next(calls) == batches:
                raise StoppedError
            return super().rows(predicted)

    return Stopping()


def test_a_run_goes_on_where_it_was(ragged, tmp_path):
    shards, said, done = output_shards(str(tmp_path / "p-@2.csv"), NUM_CLIPS), [], []
    with pytest.raises(StoppedError):
        inference(ragged, LabelsCsv(), progress=stop_after(50)).run(shards)
    again = inference(ragged, LabelsCsv(), say=said.append, progress=done.append)
    assert 152 - 100 <= again.run(shards) <= 152 - 92
    assert said[0] == f"{tmp_path}/p-00000-of-00002.csv is whole already: 76 clips."
    assert said[1].startswith(f"{tmp_path}/p-00001-of-00002.csv goes on at clip ")
    assert done == sorted(done)
    assert done[-1] == NUM_CLIPS


def test_other_settings_begin_anew_and_say_so(ragged, tmp_path):
    shards, said = output_shards(str(tmp_path / "p.csv"), NUM_CLIPS), []
    with pytest.raises(StoppedError):
        inference(ragged, LabelsCsv(), progress=stop_after(50)).run(shards)
    other = dataclasses.replace(inference(ragged, LabelsCsv(), say=said.append), facts={"step": 2})
    assert other.run(shards) == NUM_CLIPS
    assert said == [f"{tmp_path}/p.csv was begun otherwise (step): it begins anew."]


def test_more_shards_than_clips(ragged, tmp_path):
    inference(ragged, LabelsCsv()).run(output_shards(str(tmp_path / "p-@5.csv"), num_clips=3))
    lines = [path.read_text().splitlines() for path in sorted(tmp_path.glob("p-*.csv"))]
    assert [len(each) - 1 for each in lines] == [0, 1, 0, 1, 1]


# The script


def lines_of(path):
    return Path(path).read_bytes().splitlines()


def test_workers_write_what_one_does(trained, data, tmp_path, capsys):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", "--batch_size=4") == 0
    for worker in ("1/2", "0/2"):
        assert predict(trained, data, tmp_path / "p-@3.csv", "--batch_size=4", f"--worker={worker}") == 0
    shards = [lines_of(path) for path in sorted(tmp_path.glob("p-*.csv"))]
    assert [line for shard in shards for line in shard[1:]] == lines_of(tmp_path / "p.csv")[1:]
    capsys.readouterr()
    assert predict(trained, data, tmp_path / "p-@3.csv", "--batch_size=4") == 0
    assert capsys.readouterr().out.count("is whole already") == 3


@pytest.mark.parametrize("more", ["--num_readers=1", "--num_readers=3"])
def test_the_same_bytes_with_any_number_of_readers(more, trained, data, tmp_path):  # noqa: F811
    for name, flag in (("a.csv.gz", "--num_readers=8"), ("b.csv.gz", more)):
        assert predict(trained, data, tmp_path / name, flag) == 0
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert names(tmp_path) == ["a.csv.gz", "b.csv.gz"]


ODD = [b"plain", b"a,b", b'say "so"', b"two\nlines", b"cr\rhere", b"\xff\xfe", b"-dash", b"=1+1", b" blank ", b"nul\0"]


@pytest.fixture
def odd(tmp_path):
    """Clips with odd ids, some of them without frames or labels."""
    frames = np.zeros((10, 128), np.uint8)
    records = [audioset_record(each, [1][: i % 2], frames[: 10 * (i % 3)]) for i, each in enumerate(ODD)]
    write_shard(str(tmp_path / "eval0.tfrecord"), records)
    return tmp_path


@pytest.mark.parametrize("errors", ["surrogateescape", "latin-1"])
def test_odd_ids_come_back_verbatim(errors, odd, trained):  # noqa: F811
    assert predict(trained, odd, odd / "p.csv") == 0
    coding = ("latin-1", "strict") if errors == "latin-1" else ("utf-8", errors)
    with open(odd / "p.csv", newline="", encoding=coding[0], errors=coding[1]) as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0].encode(*coding) for row in rows] == ODD
    assert all(len(row[1].split()) == 10 for row in rows)


def test_formulas_are_escaped_where_asked_for(odd, trained):  # noqa: F811
    assert predict(trained, odd, odd / "p.csv", "--escape_formulas") == 0
    assert {b"'-dash", b"'=1+1"} <= {line.split(b",")[0] for line in lines_of(odd / "p.csv")}


def test_some_classes_only(trained, data, tmp_path):  # noqa: F811
    names_csv = tmp_path / "names.csv"
    names_csv.write_text('index,mid,display_name\n0,/m/a,Bell\n1,/m/b,"Speech, man"\n2,/m/c,C\n3,/m/d,D\n4,/m/e,E\n')
    more = (f"--label_map={names_csv}", "--top_k=9")
    assert predict(trained, data, tmp_path / "all.csv", *more) == 0
    assert predict(trained, data, tmp_path / "some.csv", *more, '--labels=4,/m/a,"Speech, man"') == 0
    files = [lines_of(tmp_path / name)[1:] for name in ("all.csv", "some.csv")]
    for lines in zip(*files, strict=True):
        whole, some = (line.split(b",")[1].split() for line in lines)
        listed = list(zip(whole[0::2], whole[1::2], strict=True))
        assert list(zip(some[0::2], some[1::2], strict=True)) == [pair for pair in listed if pair[0] in b"014"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("7", "7 is no class: give 0 to 4"),
        ("Bel", "Did you mean Bell?"),
        (",", "names no class"),
        ("Twice", "Twice is the name of the classes 1, 2"),
    ],
)
def test_labels_that_there_are_not(labels, said):
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        chosen_classes(labels, [], ["Bell", "Twice", "Twice", "D", "E"], 5)


def test_all_scores(trained, data, tmp_path):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.npz", "--output=scores", "--labels=1,3") == 0
    assert predict(trained, data, tmp_path / "p.csv") == 0
    with np.load(tmp_path / "p.npz") as file:
        assert file["classes"].tolist() == [1, 3]
        said = [line.split(b",")[1].split() for line in lines_of(tmp_path / "p.csv")[1:]]
        wanted = [[float(pairs[pairs.index(label) + 1]) for label in (b"1", b"3")] for pairs in said]
        np.testing.assert_allclose(file["scores"], wanted, rtol=1e-5)


def test_corrupt_records_are_left_out_of_shards_that_are_whole(trained, shard, flip_bit, tmp_path):  # noqa: F811
    path = shard(5, "eval0.tfrecord")
    flip_bit(path, -300)
    for _ in range(2):
        assert predict(trained, tmp_path, tmp_path / "p-@2.csv", "--skip_corrupt_records", "--batch_size=2") == 0
    assert [len(lines_of(path)) - 1 for path in sorted(tmp_path.glob("p-*.csv"))] == [2, 2]


def test_another_checkpoint_begins_anew(trained, data, tmp_path, capsys):  # noqa: F811
    steps = sorted(int(path.stem[5:]) for path in (trained / "checkpoints").glob("step-*.npz"))
    assert predict(trained, data, tmp_path / "p-@2.csv", f"--checkpoint={steps[0]}") == 0
    first = (tmp_path / "p-00000-of-00002.csv").read_bytes()
    assert predict(trained, data, tmp_path / "p-@2.csv", f"--checkpoint={steps[-1]}") == 0
    assert "p-00000-of-00002.csv was begun otherwise (the model): it begins anew." in capsys.readouterr().out
    assert (tmp_path / "p-00000-of-00002.csv").read_bytes() != first


@pytest.mark.parametrize("output", ["p.csv", "p-@2.csv"])
def test_windows_are_rows_of_their_own(output, trained, data, tmp_path):  # noqa: F811
    assert predict(trained, data, tmp_path / output, "--window=4", "--hop=3", "--batch_size=5") == 0
    lines = [line for path in sorted(tmp_path.glob("p*.csv")) for line in lines_of(path)[1:]]
    windows = [(f"clip{1000 + i:07d}:{30 + start}") for i in range(23) for start in (0, 3, 6) if windowed(i, start)]
    assert [line.split(b",")[0].decode() for line in lines] == windows


def windowed(clip, start):
    """Whether a window of 4 seconds begins there: of clips of 1 to 10 frames, the last one reaches the end."""
    return start == 0 or start + 1 < 1 + clip % 10


def test_segments_are_ranked(trained, data, tmp_path):  # noqa: F811
    (tmp_path / "ids.csv").write_text("Index\n1\n3\n")
    more = ("--segment_labels", f"--segment_label_ids_file={tmp_path}/ids.csv", "--segment_max_pred=4")
    assert predict(trained, data, tmp_path / "p.csv", *more) == 0
    header, *lines = lines_of(tmp_path / "p.csv")
    assert (header, [line.split(b",")[0] for line in lines]) == (b"Class,Segments", [b"1", b"3"])
    assert [len(line.split(b",")[1].split()) for line in lines] == [4, 4]


def test_a_run_in_one_file_predicts_as_itself(trained, data, tmp_path):  # noqa: F811
    assert main_of_command(["yt8m_audio", "export", str(trained), str(tmp_path / "m.tgz")]) == 0
    assert predict(trained, data, tmp_path / "a.csv") == 0
    assert predict("", data, tmp_path / "b.csv", f"--input_model_tgz={tmp_path}/m.tgz") == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert names(tmp_path) == ["a.csv", "b.csv", "m.tgz"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--input_model_tgz=m.tgz"], "--input_model_tgz=m.tgz holds a model: leave --train_dir"),
        (["--segment_labels", "--output=timeline"], "leave --output=timeline out"),
        (["--worker=0/2"], "p.csv has no @: name at least 2 shards"),
        (["--labels=Dog"], "--labels: Dog is no class: give 0 to 4; they have no names without --label_map"),
        (["--output=pictures"], "--output=pictures is none of labels"),
        (["--output=scores"], "p.csv: the output scores is written to files that end in"),
        (["--output=scores", "--threshold=.5"], "--output=scores writes all scores: leave --threshold=.5 out"),
        (["--input_model=/nowhere.keras"], "--input_model=/nowhere.keras is not there"),
        (["--window=nan"], "--window=nan must be a whole number of seconds"),
        (["--ensemble=median"], "--ensemble=median is none of probabilities, logits, ranks"),
    ],
)
def test_a_mistake_gets_one_line(arguments, said, trained, data, tmp_path, capsys):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", *arguments) == 2
    assert said in error_of(capsys)
    assert names(tmp_path) == []


@pytest.mark.parametrize(("name", "said"), [("pipe", "is no file that can be gone on with"), ("folder", "is a folder")])
def test_what_is_no_file_is_not_replaced(name, said, trained, data, tmp_path, capsys):  # noqa: F811
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert predict(trained, data, tmp_path / name) == 2
    assert said in error_of(capsys)
    assert (tmp_path / "pipe").is_fifo()
    assert names(tmp_path) == ["folder", "pipe"]


def test_all_clips_are_there_already(trained, data, tmp_path, capsys):  # noqa: F811
    for _ in range(2):
        assert predict(trained, data, tmp_path / "p-@2.csv") == 0
    assert f"All 23 clips are in {tmp_path}/p-@2.csv already." in capsys.readouterr().out


# Threads


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A shard that takes a while."""
    folder, random = tmp_path_factory.mktemp("many"), np.random.default_rng(0)
    frames = random.integers(0, 256, (100, 10, 128), np.uint8)
    write_shard(str(folder / "a.tfrecord"), [audioset_record(f"c{i}", [i % 5], frames[i % 100]) for i in range(4_000)])
    return folder / "a.tfrecord"


def command(trained, many, output, *more):  # noqa: F811
    flags = (f"--train_dir={trained}", f"--input_data_pattern={many}", f"--output_file={output}")
    return [sys.executable, str(ROOT / "inference.py"), *flags, *more]


@pytest.mark.slow
def test_the_same_bytes_with_any_number_of_threads(trained, many, tmp_path):  # noqa: F811
    for threads in ("1", "2"):
        counts = {f"TF_NUM_{which}_THREADS": threads for which in ("INTRAOP", "INTEROP")}
        process = command(trained, many, tmp_path / f"{threads}.csv", "--batch_size=500")
        subprocess.run(process, check=True, capture_output=True, env={**os.environ, **counts})
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
