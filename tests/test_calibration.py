"""Calibration: the temperature and the thresholds that fit, where they are kept, and what inference makes of them."""

import csv
import json
import math
import shutil

import numpy as np
import pytest

from tests.test_scripts import clip_record, data, predict, trained  # noqa: F401  fixtures
from yt8m_audio.commands import calibrate
from yt8m_audio.commands.scored import ScoredSource
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.calibration import (
    FILE,
    best_threshold,
    fit,
    fit_temperature,
    is_at_bound,
    read_calibration,
    thresholds_per_class,
    to_logits,
    write_calibration,
)
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.predicted import Predicted
from yt8m_audio.records import write_shard
from yt8m_audio.run_directory import RunDirectory


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def drawn(seed=0, shape=(2000, 8), sharpness=1.0):
    """Probabilities of clips whose labels were drawn by them, and made too sure by `sharpness` above 1."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-2, 2, shape)
    labels = generator.random(shape) < sigmoid(logits)
    return sigmoid(logits * sharpness).astype(np.float32), labels


# Temperature


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_a_known_temperature_is_found(sharpness):
    probabilities, labels = drawn(sharpness=sharpness)
    fitted = fit(probabilities, labels)
    assert fitted.temperature == pytest.approx(sharpness, rel=0.05)
    assert fitted.after["loss"] <= fitted.before["loss"]
    if sharpness != 1:
        assert fitted.after["ece"] < fitted.before["ece"] / 3


def test_no_other_temperature_has_a_lower_loss():
    probabilities, labels = drawn(seed=1, shape=(300, 3), sharpness=1.7)
    logits = to_logits(probabilities).astype(np.float64)

    def loss(temperature):
        return np.mean(np.logaddexp(0, logits / temperature) - labels * logits / temperature)

    found = fit_temperature(to_logits(probabilities).ravel(), labels.ravel())
    assert all(loss(found) <= loss(found * factor) for factor in (0.5, 0.99, 0.9999, 1.0001, 1.01, 2))


@pytest.mark.parametrize(("labels", "wanted"), [([0, 1], 0.05), ([1, 0], 20.0)])
def test_a_temperature_that_does_not_exist_is_the_nearest(labels, wanted):
    found = fit_temperature(np.array([-1.0, 1.0], np.float32), np.array(labels, bool))
    assert found == pytest.approx(wanted, rel=1e-4)
    assert is_at_bound(found)


def test_logits_of_0_and_1_are_finite():
    probabilities = np.array([0, 1e-40, 0.5, 1], np.float32)
    found = to_logits(probabilities)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [-69.08, -69.08, 0, 16.64], rtol=1e-3)
    np.testing.assert_allclose(to_logits(sigmoid(np.array([-30.0, -3.0, 5.0]))), [-30, -3, 5], rtol=1e-4)


def test_what_was_not_rated_does_not_count():
    probabilities, labels = drawn(sharpness=2.0)
    rated = np.random.default_rng(3).random(labels.shape) < 0.7
    wanted = fit(np.where(rated, probabilities, 0), labels & rated, rated)
    assert wanted.temperature == pytest.approx(2.0, rel=0.05)
    assert wanted.before == fit(probabilities[rated][:, None], labels[rated][:, None]).before


def test_a_rated_score_of_zero_counts():
    probabilities, labels = drawn(shape=(40, 2))
    probabilities[:20] = 0
    rated = np.arange(80).reshape(40, 2) % 3 > 0
    found = Scores(probabilities * rated, labels & rated, 0.0, rated, np.full(40, b""), np.zeros(40))
    wanted = fit(probabilities, labels & rated, rated)
    fitted = calibrate.calibrated(ScoredSource(found, {}))
    assert (fitted.temperature, fitted.before) == (wanted.temperature, wanted.before)
    assert fitted.before == fit(probabilities[rated][:, None], labels[rated][:, None]).before


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused(value):
    with pytest.raises(UserError, match=rf"Scores must be finite.*the first {value} at clip 0, class 1"):
        fit([[0.5, value], [0.5, 0.5]], [[1, 0], [0, 1]])


# Thresholds


@pytest.mark.parametrize(
    ("scores", "labels", "wanted"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 0.5),
        ([0.9, 0.8, 0.2, 0.1], [1, 0, 1, 0], 0.15),  # 2 of 3 and all of 2 found, rather than one of them
        ([0.9, 0.8, 0.7, 0.1], [1, 0, 0, 1], 0.85),  # F1 of 2/3, as that of all
        ([0.4, 0.4, 0.4, 0.2], [1, 1, 0, 0], 0.3),
        ([0.5, 0.5], [1, 1], 0.25),
    ],
)
def test_thresholds_of_small_cases(scores, labels, wanted):
    assert best_threshold(np.array(scores), np.array(labels, bool)) == pytest.approx(wanted)


@pytest.mark.parametrize("seed", range(10))
def test_no_other_threshold_has_a_higher_f1(seed):
    generator = np.random.default_rng(seed)
    scores, labels = np.round(generator.random(30), 1), generator.random(30) < 0.4

    def f1(threshold):
        return (
            2
            * np.count_nonzero(labels & (scores >= threshold))
            / (np.count_nonzero(scores >= threshold) + labels.sum())
        )

    assert f1(best_threshold(scores, labels)) == max(f1(each) for each in np.unique(scores))


def test_classes_with_few_positives_share_a_threshold():
    scores, labels = np.linspace(0, 1, 20).reshape(10, 2), np.zeros((10, 2), bool)
    labels[4:, 0], labels[-4:, 1] = True, True
    found, few = thresholds_per_class(scores, labels, 0.77)
    assert few == [1]
    assert found == [pytest.approx((scores[3, 0] + scores[4, 0]) / 2), 0.77]


def test_clips_without_labels_cannot_be_fitted():
    with pytest.raises(UserError, match="needs labels: none of the 3 clips has one"):
        fit(np.full((3, 2), 0.5), np.zeros((3, 2)))


# The file


def test_what_is_written_is_read(tmp_path):
    written = fit(*drawn(shape=(50, 3)))
    assert write_calibration(written, tmp_path) == tmp_path / FILE
    assert read_calibration(tmp_path, 3) == written
    assert read_calibration(tmp_path / "nowhere", 3) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is damaged"),
        ('{"temperature": 1}', "is damaged"),
        ("[]", "is damaged"),
        (None, "holds temperature .* and 3 thresholds, and the model has 5 classes"),
    ],
)
def test_files_that_do_not_fit(text, said, tmp_path):
    path = write_calibration(fit(*drawn(shape=(50, 3))), tmp_path)
    if text:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_calibration(tmp_path, 5)


# The command, and inference


@pytest.fixture(scope="module")
def calibrated(trained, tmp_path_factory):  # noqa: F811
    """A run, calibrated on clips of which every fourth has a wrong label."""
    folder = tmp_path_factory.mktemp("calibrated")
    records = [clip_record(2000 + i, labels=[(i + (i % 4 == 0)) % 5]) for i in range(60)]
    write_shard(str(folder / "wrong.tfrecord"), records)
    shutil.copytree(trained, folder / "run")
    assert calibrate.main(["calibrate", str(folder / "run"), f"--eval_data_pattern={folder}/wrong.tfrecord"]) == 0
    return folder / "run"


def pairs(file):
    """What a CSV of predictions says, clip -> {class: score}."""
    with file.open() as lines:
        texts = {row["VideoId"]: row["LabelConfidencePairs"].split() for row in csv.DictReader(lines)}
    return {name: dict(zip(each[0::2], map(float, each[1::2]), strict=True)) for name, each in texts.items()}


def test_the_command_says_and_writes_what_it_fitted(calibrated, data, tmp_path, capsys):  # noqa: F811
    folder = shutil.copytree(calibrated, tmp_path / "run")
    pattern = f"--eval_data_pattern={data}/train*.tfrecord"
    assert calibrate.main(["calibrate", str(folder), pattern, "--held_out"]) == 0
    said, found = capsys.readouterr().out, json.loads((folder / FILE).read_text())
    assert f"Temperature {found['temperature']:.4g}." in said
    assert "fewer than 5 positives share" in said
    assert "loss per pair" in said
    assert found["fitted_on"].keys() >= {"step", "eval_data_pattern", "held_out", "clips", "ids_sha256"}
    assert found["fitted_on"]["held_out"] is True
    assert found["after"]["loss"] <= found["before"]["loss"]
    assert len(found["thresholds"]) == 5
    assert calibrate.main(["calibrate", str(folder), "--held_out"]) == 0  # those that it was trained on
    assert json.loads((folder / FILE).read_text()) == found


def test_inference_predicts_at_the_temperature(calibrated, trained, data, tmp_path, capsys):  # noqa: F811
    temperature = read_calibration(calibrated, 5).temperature
    assert 0.3 < temperature < 3
    assert predict(calibrated, data, tmp_path / "with.csv") == 0
    assert f"Scores are at temperature {temperature:.3g}, from {calibrated}/{FILE}" in capsys.readouterr().out
    assert predict(calibrated, data, tmp_path / "without.csv", "--calibration=none") == 0
    assert predict(trained, data, tmp_path / "own.csv") == 0
    assert "temperature" not in capsys.readouterr().out
    assert (tmp_path / "without.csv").read_bytes() == (tmp_path / "own.csv").read_bytes()
    own, scaled = pairs(tmp_path / "own.csv"), pairs(tmp_path / "with.csv")
    for clip, each in own.items():
        assert list(scaled[clip]) == list(each)
        logits = to_logits(np.array([*each.values()])) / temperature
        np.testing.assert_allclose([*scaled[clip].values()], sigmoid(logits), rtol=1e-3)


@pytest.mark.parametrize("threshold", ["0.3", "0", "1"])
def test_inference_keeps_classes_from_a_threshold_on(threshold, calibrated, data, tmp_path):  # noqa: F811
    assert predict(calibrated, data, tmp_path / "all.csv") == 0
    assert predict(calibrated, data, tmp_path / "some.csv", f"--threshold={threshold}") == 0
    wanted = {
        clip: {name: score for name, score in each.items() if score >= float(threshold)}
        for clip, each in pairs(tmp_path / "all.csv").items()
    }
    assert pairs(tmp_path / "some.csv") == wanted


def test_inference_keeps_classes_from_their_own_thresholds_on(calibrated, data, tmp_path):  # noqa: F811
    thresholds = read_calibration(calibrated, 5).thresholds
    assert predict(calibrated, data, tmp_path / "all.csv") == 0
    assert predict(calibrated, data, tmp_path / "some.csv", "--threshold=calibrated") == 0
    wanted = {
        clip: {name: score for name, score in each.items() if score >= thresholds[int(name)]}
        for clip, each in pairs(tmp_path / "all.csv").items()
    }
    assert pairs(tmp_path / "some.csv") == wanted
    assert 0 < sum(map(len, wanted.values())) < 5 * len(wanted)


def test_rows_without_a_class_are_written_all_the_same():
    ids, scores = np.array([b"a", b"b", b"c"], object), np.array([[0.9, 0.5], [0.4, 0.25], [0.75, 0.5]], np.float32)
    classes = np.array([[1, 0], [-1, -1], [-1, 1]])
    predicted = Predicted(ids, np.zeros(3, np.float32), np.zeros(3, np.float32), classes, scores)
    assert LabelsCsv().rows(predicted) == b"a,1 0.9 0 0.5\nb,\nc,1 0.5\n"
    assert LabelsCsv(("no", "yes, so")).rows(predicted) == (
        b'a,1 0.9 0 0.5,"yes, so","yes, so 0.900; no 0.500"\nb,,,\nc,1 0.5,"yes, so","yes, so 0.500"\n'
    )


def test_another_step_is_told(calibrated, data, tmp_path, capsys):  # noqa: F811
    folder = shutil.copytree(calibrated, tmp_path / "run")
    fitted = read_calibration(folder, 5).fitted_on["step"]
    other = next(step for step in RunDirectory(folder).checkpoints.glob("*.npz") if int(step.stem[5:]) != fitted)
    assert predict(folder, data, tmp_path / "p.csv", f"--checkpoint={int(other.stem[5:])}") == 0
    said = capsys.readouterr().err
    assert f"warning: it was fitted to step {fitted}, and step {int(other.stem[5:])} predicts" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--calibration=of"], "--calibration=of is none of auto, none"),
        (["--threshold=1.5"], "--threshold=1.5 must be a score from 0 to 1, or calibrated"),
        (["--threshold=half"], "--threshold=half must be a score"),
        (["--threshold=nan"], "--threshold=nan must be a score"),
        (["--threshold=calibrated"], "calibration.json is not there: `python -m yt8m_audio calibrate"),
        (["--threshold=calibrated", "--calibration=none"], "that --calibration=none leaves out"),
    ],
)
def test_what_inference_does_not_take(asked, said, trained, data, tmp_path, capsys):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", *asked) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_run(tmp_path):
    (tmp_path / "p.csv").touch()
    for path in (tmp_path, tmp_path / "p.csv", tmp_path / "checkpoints" / "step-00000001.npz"):
        with pytest.raises(UserError, match=f"{path} holds no run with a checkpoint: name the run directory"):
            calibrate.main(["calibrate", str(path), "--eval_data_pattern=/nowhere"])
