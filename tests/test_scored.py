"""Whatever gives scores of clips is evaluated alike: a run, an exported model, a file of predictions."""

import dataclasses
import hashlib
import json
import os

import keras
import numpy as np
import pytest

import eval as eval_script
import inference as inference_script
import readers
from readers.packed import write_packed
from tests.test_export import exported  # noqa: F401  a fixture
from tests.test_families import rated
from tests.test_scripts import NUM_CLASSES, data, run, trained  # noqa: F401  fixtures
from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.commands.calibrate import CalibrateFlags
from yt8m_audio.commands.compare import CompareFlags
from yt8m_audio.commands.evaluation import Evaluator, run_eval
from yt8m_audio.commands.exported_source import Exported, open_fitting
from yt8m_audio.commands.report_facts import class_facts, evaluated, train_positives
from yt8m_audio.commands.scored import open_source, scored, scores_of
from yt8m_audio.commands.sources import Asked, reading_of
from yt8m_audio.commands.streamed import streamed
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.eval_ids import chosen, read_ids
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.streaming import StreamingAccumulator
from yt8m_audio.examples import audioset_record
from yt8m_audio.flags import EvalFlags
from yt8m_audio.records import write_shard

IDS = [f"clip{1000 + number:07d}" for number in range(23)]
SEGMENTS_CSV = (
    '# a\n# b\n# YTID, start, end, labels\n--abc, 30.000, 40.000, "/m/09x0r"\nb, 0.000, 10.000, "/m/05zppz"\n'
)


@pytest.fixture(scope="module")
def pattern(data):  # noqa: F811
    return f"{data}/eval*.tfrecord"


@pytest.fixture(scope="module")
def predictions(trained, pattern, tmp_path_factory):  # noqa: F811
    """What the run says of all classes, as inference.py writes it."""
    path = tmp_path_factory.mktemp("predictions") / "p.csv"
    flags = (f"--input_data_pattern={pattern}", f"--output_file={path}", "--top_k=5")
    assert run(inference_script, f"--train_dir={trained}", *flags) == 0
    return path


@pytest.fixture
def written(tmp_path):
    """Writes a file; returns its path."""

    def write(content, name="p.csv"):
        (tmp_path / name).write_text(content)
        return str(tmp_path / name)

    return write


def figures(found):
    return evaluate(found.scores.probabilities, found.scores.labels, top_k=3)


def one_prediction(video_id):
    return f"VideoId,LabelConfidencePairs\n{video_id},0 0.5\n"


# The same figures from everywhere


@pytest.fixture(scope="module")
def of_run(trained, pattern):  # noqa: F811
    return scored(str(trained), pattern=pattern)


@pytest.mark.parametrize("kind", ["checkpoint", "saved", "model.keras", "csv", "parquet"])
def test_all_sources_give_the_same_figures(kind, of_run, trained, exported, predictions, pattern, tmp_path):  # noqa: F811
    sources = {"checkpoint": of_run.about["checkpoint"], "csv": predictions, "parquet": tmp_path / "p.parquet"}
    if kind == "parquet":
        write_parquet(tmp_path / "p.parquet", of_run.scores)
    found = scored(str(sources.get(kind, exported / kind)), pattern=pattern, num_classes=NUM_CLASSES)
    assert figures(found) == pytest.approx(figures(of_run), abs=1e-5)
    assert found.scores.video_ids.tolist() == of_run.scores.video_ids.tolist()
    assert found.scores.start_times.tolist() == of_run.scores.start_times.tolist()
    stated = ("clips", "ids_sha256", "classes", "classes_with_positives", "classes_without_positives")
    assert {name: found.about[name] for name in stated} == {name: of_run.about[name] for name in stated}


def write_parquet(path, scores):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    order = np.random.default_rng(0).permutation(len(scores.labels))  # theirs need not be ours
    columns = {"video_id": scores.video_ids[order].tolist(), "scores": scores.probabilities[order].tolist()}
    parquet.write_table(pa.table(columns), path)


def test_what_is_stated(of_run, trained, pattern):  # noqa: F811
    about = of_run.about
    assert (about["kind"], about["source"], about["model"]) == ("run", str(trained), "FrameLevelLogisticModel")
    assert about["checkpoint"].endswith(f"step-{about['step']:08d}.npz")
    assert (about["eval_data_pattern"], about["held_out"], about["clips"]) == (pattern, False, 23)
    assert about["ids_sha256"] == hashlib.sha256("".join(f"{each}\n" for each in sorted(IDS)).encode()).hexdigest()
    assert (about["classes"], about["classes_without_positives"]) == (5, 0)
    assert json.loads(json.dumps(about)) == about


def test_scores_that_are_not_kept_give_the_same_figures(of_run, trained, pattern):  # noqa: F811
    source = open_source(str(trained), Asked(pattern, batch_size=7))
    found, about = streamed(source, StreamingAccumulator(source.num_classes, top_k=3))
    wanted = figures(of_run)
    assert found.keys() == wanted.keys()
    sketched = {"mAP", "auc", "d_prime", "d_prime_class_mean", "micro_ap"}
    exact = wanted.keys() - sketched
    assert {name: found[name] for name in exact} == pytest.approx({name: wanted[name] for name in exact}, abs=1e-4)
    assert found["auc"] == pytest.approx(wanted["auc"], abs=about["auc_error_bound"] + 1e-6)
    assert about["exact"] is False
    assert "auc ±" in about["accuracy"]
    assert about["ids_sha256"] == of_run.about["ids_sha256"]


def test_eval_writes_what_it_is_told_of_predictions(predictions, pattern, tmp_path, capsys):
    outputs = (f"--output_metrics={tmp_path}/m.json", f"--output_scores={tmp_path}/s.npz", "--bootstrap=40")
    asked = (f"--predictions={predictions}", f"--eval_data_pattern={pattern}", "--num_classes=5", *outputs)
    assert run(eval_script, *asked) == 0
    found, scores = json.loads((tmp_path / "m.json").read_text()), np.load(tmp_path / "s.npz")
    assert (found["kind"], found["clips"], found["exact"], found["top_k"]) == ("predictions", 23, True, 20)
    low, high = found["intervals"]["mAP"]
    assert low <= found["mAP"] <= high
    assert scores["ids"].astype(str).tolist() == IDS
    assert scores["scores"].shape == scores["labels"].shape == (23, 5)
    assert evaluate(scores["scores"], scores["labels"])["mAP"] == found["mAP"]
    assert "p.csv on 23 clips" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["output_scores", "output_metrics"])
def test_a_full_disk_names_the_flag_and_the_file(flag, predictions, pattern, tmp_path):
    where = {"predictions": str(predictions), "eval_data_pattern": pattern, "num_classes": NUM_CLASSES}
    (tmp_path / f".partial-{os.getpid()}-out").symlink_to("/dev/full")  # what is written beside before it is renamed
    with pytest.raises(UserError, match=rf"^--{flag}={tmp_path}/out cannot be written: No space left on device\.$"):
        run_eval(EvalFlags(**where, **{flag: str(tmp_path / "out")}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"bootstrap": 39}, "--bootstrap=39 must be at least 40, or 0"),
        ({"label_quality": "qa.csv"}, "--label_quality=qa.csv is for the report alone: give --report=FOLDER too"),
        ({"train_csv": "t.csv"}, "--train_csv=t.csv is for the report alone"),
    ],
)
def test_flags_that_would_tell_nothing(asked, said):
    with pytest.raises(UserError, match=said):
        run_eval(EvalFlags(predictions="p.csv", **asked))


def test_intervals_are_the_same_in_whichever_order_the_clips_come(predictions, pattern):
    source = open_source(str(predictions), Asked(pattern, num_classes=NUM_CLASSES))
    evaluator, scores = Evaluator(EvalFlags(bootstrap=50), source), scores_of(source).scores
    rows = np.random.default_rng(0).permutation(len(source))
    per_clip = ("probabilities", "labels", "video_ids", "start_times")
    other = dataclasses.replace(scores, **{name: getattr(scores, name)[rows] for name in per_clip})
    one, two = evaluator.intervals(scores), evaluator.intervals(other)
    assert {name: pytest.approx(each, rel=1e-12) for name, each in one.items()} == two


# Models


def test_held_out_and_segments_csv_are_not_for_exported_models(exported, predictions, pattern, written):  # noqa: F811
    for source in (exported / "saved", predictions):
        with pytest.raises(UserError, match="--held_out is of runs"):
            scored(str(source), pattern=pattern, held_out=True)
    with pytest.raises(UserError, match=r"s\.csv holds no features"):
        scored(str(exported / "saved"), pattern=written(SEGMENTS_CSV, "s.csv"))


def test_records_of_other_features_do_not_fit(exported, tmp_path):  # noqa: F811
    write_shard(str(tmp_path / "0.tfrecord"), [audioset_record("a", [0], np.zeros((10, 64), np.uint8))])
    for name in ("saved", "model.keras"):
        with pytest.raises(UserError, match=r"takes 128 values a frame; .* holds audio_embedding of 64"):
            scored(str(exported / name), pattern=f"{tmp_path}/*.tfrecord")


def test_a_saved_model_of_bytes_is_not_fed_floats(exported, tmp_path):  # noqa: F811
    write_shard(str(tmp_path / "0.tfrecord"), [audioset_record("a", [0], np.zeros((10, 128), np.float32))])
    with pytest.raises(UserError, match="takes features as uint8, and the records hold float32"):
        scored(str(exported / "saved"), pattern=f"{tmp_path}/*.tfrecord")


@pytest.mark.parametrize(
    ("features", "pooling", "names"),
    [
        ((None, 18), "mean_std_max", "rgb,audio"),
        ((None, 6), "mean", "rgb,audio"),
        ((None, 12, 2), "mean", "audio"),
    ],
)
def test_settings_are_told_by_what_a_model_takes(features, pooling, names, tmp_path):
    write_shard(str(tmp_path / "0.tfrecord"), [rated(0, [7], [0], [1])])
    model = Exported("saved_model", lambda batch: batch, features, 8)
    opened = open_fitting(model, "m", Asked(f"{tmp_path}/*.tfrecord")).data
    assert (opened.pooling, opened.feature_names, opened.num_classes) == (pooling, names, 8)


def test_code_in_a_keras_file_is_not_run(tmp_path, pattern):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(UserError, match=r"m\.keras cannot be loaded as a Keras file, in safe mode"):
        scored(str(tmp_path / "m.keras"), pattern=pattern)


def test_a_keras_file_of_another_model(tmp_path, pattern):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "m.keras")
    with pytest.raises(UserError, match="holds a Sequential, which is no model of this project"):
        scored(str(tmp_path / "m.keras"), pattern=pattern)


@pytest.mark.parametrize(
    ("name", "said"), [("nothing", "is not there"), ("folder", "is nothing to evaluate"), ("p.txt", "is nothing to")]
)
def test_what_is_nothing_to_evaluate(name, said, tmp_path, pattern):
    (tmp_path / "folder").mkdir()
    (tmp_path / "p.txt").touch()
    with pytest.raises(UserError, match=f"{name} {said}.*: name a run directory"):
        scored(str(tmp_path / name), pattern=pattern)


def test_a_damaged_saved_model(tmp_path, pattern):
    (tmp_path / "saved_model.pb").write_bytes(b"?")
    with pytest.raises(UserError, match="cannot be loaded as a SavedModel"):
        scored(str(tmp_path), pattern=pattern)


# Predictions


def test_predictions_against_a_list_of_segments(written, capsys):
    path = written('VideoId,LabelConfidencePairs\nb,1 0.25\n--abc,0 0.5 7 0.75\nc,3 0.5\n"d,e",3 0.5\n')
    found = scored(path, pattern=written(SEGMENTS_CSV, "s.csv"))
    assert found.scores.video_ids.tolist() == [b"--abc", b"b"]
    assert found.scores.start_times.tolist() == [30, 0]
    assert np.flatnonzero(found.scores.labels[0]).tolist() == [0]
    assert found.scores.probabilities[0, [0, 1, 7]].tolist() == [0.5, 0, 0.75]
    assert found.about["classes"] == 527
    told = capsys.readouterr().out
    assert "2 of the 4 clips" in told
    assert "lists 1 to 2 of the 527 classes of a clip; the others count as 0" in told


def test_clips_without_a_prediction_are_an_error(written):
    with pytest.raises(UserError, match=r"lacks 1 of the 2 clips of --eval_data_pattern=.*, such as b: predict"):
        scored(written(one_prediction("--abc")), pattern=written(SEGMENTS_CSV, "s.csv"))


def test_unless_the_ids_to_evaluate_are_others(written, capsys):
    ids = written("# those that all have\n--abc\n\nnone-such\n", "ids.txt")
    found = scored(written(one_prediction("--abc")), pattern=written(SEGMENTS_CSV, "s.csv"), eval_ids=ids)
    assert found.scores.video_ids.tolist() == [b"--abc"]
    assert (found.about["eval_ids"], found.about["eval_ids_not_found"]) == (ids, 1)
    assert "no clip here has 1 of its ids" in capsys.readouterr().out


def test_predictions_of_other_clips(written):
    with pytest.raises(UserError, match=r"has none of the 2 clips of .*: its first is x, theirs is --abc"):
        scored(written(one_prediction("x")), pattern=written(SEGMENTS_CSV, "s.csv"))


def test_a_class_that_there_is_not(written, pattern):
    path = written("VideoId,LabelConfidencePairs\n" + "".join(f"{each},7 0.5\n" for each in IDS))
    with pytest.raises(
        UserError, match=r"lists class 7 for the clip clip0001000, and there are 5 classes: .*--label_map"
    ):
        scored(path, pattern=pattern, num_classes=5)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "none.csv cannot be read as a CSV"),
        ("index,mid,display_name\nx,/m/a,a\n", "the indices must be 0 to 0"),
        ("index,mid,display_name\n0,/m/a,a\n", "names 1 classes, but --num_classes is 527"),
    ],
)
def test_a_label_map_of_predictions_that_does_not_fit(content, said, written):
    label_map = written(content, "ids.csv") if content else "/nowhere/none.csv"
    asked = {"num_classes": 527, "label_map": label_map}
    with pytest.raises(UserError, match=rf"^--label_map={label_map}.*{said}|^--label_map=.*{said}"):
        scored(written(one_prediction("--abc")), pattern=written(SEGMENTS_CSV, "s.csv"), **asked)


def test_predictions_that_list_all_of_other_classes(written, tmp_path):
    write_parquet(tmp_path / "p.parquet", clips_scored([b"--abc", b"b"], 5))
    with pytest.raises(UserError, match=r"p\.parquet lists 5 scores of a clip, and there are 527 classes"):
        scored(str(tmp_path / "p.parquet"), pattern=written(SEGMENTS_CSV, "s.csv"), num_classes=527)


def clips_scored(ids, num_classes):
    scores = np.full((len(ids), num_classes), 0.5, np.float32)
    return Scores(scores, np.zeros_like(scores, np.uint8), 0.0, None, np.array(ids, object), np.zeros(len(ids)))


def test_of_records_no_features_are_read_for_their_labels(predictions, pattern, monkeypatch):
    def refuse(*arguments):
        raise AssertionError

    monkeypatch.setattr(readers.Clips, "rows", refuse)
    assert len(scored(str(predictions), pattern=pattern, num_classes=NUM_CLASSES).scores.labels) == 23


def test_labels_of_a_packed_folder(predictions, pattern, tmp_path):
    clips = readers.open_clips(pattern, "flag", DataConfig(frame_features=True, num_classes=NUM_CLASSES))
    write_packed(str(tmp_path / "packed"), clips.data, (23, clips.data.max_frames, 128), np.uint8, clips.parts())
    ours, theirs = (
        scored(str(predictions), pattern=each, num_classes=NUM_CLASSES).scores
        for each in (pattern, str(tmp_path / "packed"))
    )
    for name in ("labels", "video_ids", "start_times", "probabilities"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))


def test_what_commands_have_in_common_with_what_is_asked():
    told = {"pattern", "flag", "source_flag"}
    names = {each.name for each in dataclasses.fields(Asked)} - told
    assert reading_of(EvalFlags(batch_size=7)).keys() == reading_of(CompareFlags("a", "b")).keys() == names
    assert reading_of(CalibrateFlags("a")).keys() == names - {"num_classes", "label_map"}
    assert reading_of(EvalFlags(batch_size=7))["batch_size"] == 7


def test_corrupt_records_are_left_out_of_the_labels(data, predictions, tmp_path, capsys):  # noqa: F811
    content = bytearray((data / "eval0.tfrecord").read_bytes())
    content[30] ^= 1
    (tmp_path / "0.tfrecord").write_bytes(content)
    asked = {"pattern": f"{tmp_path}/*.tfrecord", "num_classes": NUM_CLASSES, "skip_corrupt_records": True}
    found = scored(str(predictions), **asked)
    assert [each.decode() for each in found.scores.video_ids] == IDS[1:]
    assert found.about["skip_corrupt_records"] is True
    said = capsys.readouterr().out
    assert f"warning: {tmp_path}/0.tfrecord: 1 corrupt record left out." in said
    assert said.count("left out") == 1


def test_clips_that_share_an_id(written, tmp_path):
    record = audioset_record("a", [0], np.zeros((10, 128), np.uint8))
    write_shard(str(tmp_path / "0.tfrecord"), [record, record])
    with pytest.raises(UserError, match="1 of its clips have the id of another one, such as a"):
        scored(written(one_prediction("a")), pattern=f"{tmp_path}/*.tfrecord")


def test_clips_without_labels(written, tmp_path):
    write_shard(str(tmp_path / "0.tfrecord"), [audioset_record("a", [], np.zeros((10, 128), np.uint8))])
    with pytest.raises(UserError, match=r"None of the 1 clips of --eval_data_pattern=.* has a label"):
        scored(written(one_prediction("a")), pattern=f"{tmp_path}/*.tfrecord")


def test_predictions_of_segments(written, tmp_path):
    write_shard(str(tmp_path / "0.tfrecord"), [rated(0, [3, 2], [0, 5], [1, 0])])
    path = written("VideoId,LabelConfidencePairs\nid0:5,2 0.5 3 0.75\nid0:0,2 0.25 3 0.5\n")
    found = scored(path, pattern=f"{tmp_path}/*.tfrecord", segment_labels=True, num_classes=4)
    assert found.scores.probabilities.tolist() == [[0, 0, 0, 0.5], [0, 0, 0.5, 0]]
    assert found.scores.labels.tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]
    assert found.scores.rated.tolist() == [[False, False, False, True], [False, False, True, False]]
    assert found.about["ids_sha256"] == hashlib.sha256(b"id0:0\nid0:5\n").hexdigest()


def test_figures_and_intervals_of_segments_are_of_what_was_rated(written, tmp_path):
    write_shard(str(tmp_path / "0.tfrecord"), [rated(0, [1, 1], [0, 5], [1, 0]), rated(1, [1, 0], [0, 5], [1, 0])])
    path = written("VideoId,LabelConfidencePairs\nid0:0,2 0.5\nid0:5,1 0.75\nid1:0,1 0.5\nid1:5,0 0.5\n")
    where = {"eval_data_pattern": f"{tmp_path}/*.tfrecord", "segment_labels": True, "num_classes": 3}
    run_eval(EvalFlags(predictions=path, bootstrap=40, output_metrics=str(tmp_path / "m.json"), **where))
    figures = json.loads((tmp_path / "m.json").read_text())
    assert figures["auc"] == 0  # of class 1: 0 and .5 are true, .75 is not
    assert (figures["mAP"], figures["exact"]) == (pytest.approx((1 / 2 + 2 / 3) / 2), True)
    assert figures["intervals"]["auc"] == [0, 0]


# The clips to evaluate


@pytest.mark.parametrize("kind", ["run", "saved", "csv"])
def test_eval_ids_restrict_every_source(kind, trained, exported, predictions, pattern, written):  # noqa: F811
    sources = {"run": trained, "saved": exported / "saved", "csv": predictions}
    ids = written("\n".join(IDS[20:1:-3]), "ids.txt")
    found = scored(str(sources[kind]), pattern=pattern, eval_ids=ids, num_classes=NUM_CLASSES)
    assert [each.decode() for each in found.scores.video_ids] == sorted(IDS[20:1:-3])
    assert found.about["eval_ids_not_found"] == 0


def test_ids_are_read_as_they_stand(tmp_path):
    (tmp_path / "ids").write_bytes(b'-a\n"b"\r\n# not\n\n c,d \n\xff\n-a\n')
    assert read_ids(str(tmp_path / "ids")).tolist() == [b"-a", b'"b"', b"c,d", b"\xff"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("# none\n", "holds no id"), ("x, 0\n", "none of its 1 ids, such as x, 0, .*: a line must be one id")],
)
def test_ids_of_no_clip(content, said, written):
    path = written(content, "ids.txt")
    with pytest.raises(UserError, match=rf"--eval_ids={path}.*{said}"):
        chosen(np.array([b"a"], object), read_ids(path), path)


# What a report says beside figures


def test_a_run_tells_the_report_of_its_training(of_run, trained, pattern, written):  # noqa: F811
    quality = written("label,num_rated,num_true\nclass 3,4,1\n", "qa.csv")
    source = open_source(str(trained), Asked(pattern))
    facts = class_facts(source, EvalFlags(label_quality=quality))
    whole = evaluated(of_run.scores, figures(of_run), of_run.about, source, facts)
    assert whole.class_names == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert whole.class_ids == ()
    held_out = next(row["clips"] for row in whole.training_curves if row["part"] == "validation")
    assert whole.train_positives.sum() == 80 - held_out  # every clip has one label
    np.testing.assert_array_equal(whole.label_quality, [np.nan, np.nan, np.nan, 0.25, np.nan])
    assert whole.settings["model"]["model"] == "FrameLevelLogisticModel"


def test_of_predictions_the_clips_trained_on_are_in_a_list(written):
    segments = written(SEGMENTS_CSV, "s.csv")
    source = open_source(written(one_prediction("--abc")), Asked(segments, eval_ids=written("--abc", "ids")))
    counts = train_positives(source, segments, class_ids_for("", 527))
    assert counts[:3].tolist() == [1, 1, 0]
    assert len(counts) == 527
    assert train_positives(source, "", ()) is None


def test_a_label_that_is_listed_twice_counts_once(written, tmp_path):
    twice = written('# a\na, 0.000, 10.000, "/m/09x0r,/m/09x0r"\nb, 0.000, 10.000, "/m/09x0r"\n', "s.csv")
    source = open_source(written(one_prediction("a")), Asked(twice, eval_ids=written("a", "ids")))
    assert train_positives(source, twice, class_ids_for("", 527))[:2].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("label_map", "--label_map=/nowhere cannot be read as a CSV"),
        ("label_quality", "--label_quality=/nowhere cannot be read as a CSV"),
        ("train_csv", "--train_csv=/nowhere cannot be read as a list of segments"),
        ("ontology", "/nowhere cannot be read: No such file"),
    ],
)
def test_what_cannot_be_read_is_known_before_anything_is_scored(flag, said, written, tmp_path):
    source = open_source(written(one_prediction("--abc") + "b,1 0.5\n"), Asked(written(SEGMENTS_CSV, "s.csv")))
    with pytest.raises(UserError, match=said):
        Evaluator(EvalFlags(**{flag: "/nowhere", "report": str(tmp_path / "report")}), source)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize("flag", ["report", "output_scores", "output_metrics"])
def test_outputs_are_files_of_this_machine(flag, trained, pattern, tmp_path, capsys, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    assert run(eval_script, f"--train_dir={trained}", f"--eval_data_pattern={pattern}", f"--{flag}=gs://b/a.x") == 2
    assert f"--{flag}=gs://b/a.x is on another file system" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_eval_writes_the_report(trained, pattern, tmp_path, capsys):  # noqa: F811
    asked = (f"--train_dir={trained}", f"--eval_data_pattern={pattern}", f"--report={tmp_path}/report")
    assert run(eval_script, *asked) == 0
    assert (tmp_path / "report" / "index.html").stat().st_size > 10_000
    assert f"The report is {tmp_path}/report/index.html." in capsys.readouterr().out
