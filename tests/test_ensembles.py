"""Ensembles: what the means are, and runs and exported models that predict together."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from tests.test_scripts import data, error_of, predict, run, train, trained  # noqa: F401  fixtures
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.prediction.ensembles import MEANS, Ensemble, Member, ensemble_of, ranks
from yt8m_audio.records import write_shard

LOGITS = np.random.default_rng(0).normal(0, 3, (2, 6, 5)).astype(np.float32)  # of two members


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def members(*temperatures, gives="logits"):
    """Members that give LOGITS, or what they stand for, whatever they are asked."""
    made = LOGITS if gives == "logits" else sigmoid(LOGITS)
    pairs = zip(made, temperatures, strict=True)
    return [Member(lambda _, each=each: tf.constant(each), gives, temperature) for each, temperature in pairs]


def scores_of(ensemble):
    return ensemble.scores(ensemble.values([{}]).numpy())


# Means


@pytest.mark.parametrize("gives", ["logits", "probabilities"])
@pytest.mark.parametrize("mean", ["probabilities", "logits"])
def test_means_are_what_they_are_called(mean, gives):
    scaled = LOGITS / np.array([1, 2], np.float32)[:, None, None]
    wanted = sigmoid(scaled).mean(axis=0) if mean == "probabilities" else sigmoid(scaled.mean(axis=0))
    np.testing.assert_allclose(scores_of(Ensemble(members(1, 2, gives=gives), mean)), wanted, rtol=1e-5)


def test_the_mean_of_ranks():
    places = np.argsort(np.argsort(LOGITS, axis=2), axis=2)  # 0 for the lowest
    np.testing.assert_allclose(scores_of(Ensemble(members(1, 5), "ranks")), places.mean(axis=0) / 4, rtol=1e-6)


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ([0.1, 0.9, 0.5], [0, 1, 0.5]),
        ([0.5, 0.9, 0.5], [0.25, 1, 0.25]),
        ([7, 7, 7], [0.5, 0.5, 0.5]),
        ([3], [0]),
    ],
)
def test_ranks(scores, wanted):
    np.testing.assert_allclose(ranks(tf.constant([scores], tf.float32)), [wanted])


@pytest.mark.parametrize("mean", MEANS)
def test_the_order_of_members_does_not_matter(mean):
    first, second = members(1, 1)
    np.testing.assert_allclose(*[scores_of(Ensemble(each, mean)) for each in ([first, second], [second, first])])


@pytest.mark.parametrize("mean", ["probabilities", "logits"])
def test_one_member_alone_is_itself(mean):
    alone = Ensemble(members(2, 1)[:1], mean)
    np.testing.assert_allclose(scores_of(alone), sigmoid(LOGITS[0] / 2), rtol=1e-6)


def test_logits_tell_apart_what_probabilities_round_to_1():
    model = ensemble_of(lambda inputs, training: tf.constant([[30.0, 40.0, -200.0]]))
    values = model.values([{}]).numpy()
    assert values.argmax() == 1
    assert model.scores(values).tolist() == [[1, 1, 0]]


def test_a_mean_that_there_is_not():
    with pytest.raises(UserError, match="--ensemble=rank is none of probabilities, logits, ranks"):
        Ensemble(members(1, 1), "rank")


# Together, from the command line


def scores_in(path):
    """What a file of predictions says: id -> {class: score}."""
    with open(path, newline="") as file:
        rows = [(row["VideoId"], row["LabelConfidencePairs"].split()) for row in csv.DictReader(file)]
    return {name: dict(zip(map(int, pairs[0::2]), map(float, pairs[1::2]), strict=True)) for name, pairs in rows}


def table(path):
    return np.array([[scores[label] for label in sorted(scores)] for scores in scores_in(path).values()])


@pytest.fixture(scope="module")
def other(data, tmp_path_factory):  # noqa: F811
    """A run of another model, which reads another way: the mean of the frames."""
    folder = tmp_path_factory.mktemp("runs") / "moe"
    assert train(data, folder, "--num_epochs=3", model="MoeModel") == 0
    return folder


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):  # noqa: F811
    """The first run's model, exported in both forms."""
    folder = tmp_path_factory.mktemp("exported")
    for name in ("model.keras", "saved"):
        assert main_of_command(["yt8m_audio", "export", str(trained), str(folder / name)]) == 0
    return folder


@pytest.mark.parametrize("mean", MEANS)
def test_two_runs_that_read_in_two_ways(mean, trained, other, data, tmp_path):  # noqa: F811
    for folder in (trained, other):
        assert predict(folder, data, tmp_path / f"{folder.name}.csv") == 0
    assert predict(f"{trained},{other}", data, tmp_path / "both.csv", f"--ensemble={mean}", "--batch_size=4") == 0
    one, two = (table(tmp_path / f"{folder.name}.csv") for folder in (trained, other))
    if mean == "logits":
        wanted = sigmoid((np.log(one / (1 - one)) + np.log(two / (1 - two))) / 2)
    elif mean == "ranks":
        wanted = sum(np.argsort(np.argsort(each, axis=1), axis=1) for each in (one, two)) / 8
    else:
        wanted = (one + two) / 2
    np.testing.assert_allclose(table(tmp_path / "both.csv"), wanted, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", ["model.keras", "saved"])
def test_an_exported_model_predicts_as_its_run(name, exported, trained, data, tmp_path):  # noqa: F811
    assert predict(trained, data, tmp_path / "run.csv", "--calibration=none") == 0
    assert predict("", data, tmp_path / "exported.csv", f"--input_model={exported / name}") == 0
    np.testing.assert_allclose(*[table(tmp_path / each) for each in ("run.csv", "exported.csv")], atol=2e-6)
    assert list(scores_in(tmp_path / "run.csv")) == list(scores_in(tmp_path / "exported.csv"))


def test_a_run_and_its_export_are_the_run(exported, trained, data, tmp_path):  # noqa: F811
    assert predict(trained, data, tmp_path / "run.csv") == 0
    assert predict(trained, data, tmp_path / "both.csv", f"--input_model={exported}/saved") == 0
    np.testing.assert_allclose(*[table(tmp_path / each) for each in ("run.csv", "both.csv")], atol=2e-6)


def test_thresholds_are_of_one_run(exported, data, tmp_path, capsys):  # noqa: F811
    more = (f"--input_model={exported}/saved", "--threshold=calibrated")
    assert predict("", data, tmp_path / "p.csv", *more) == 2
    assert "--threshold=calibrated is of one run" in error_of(capsys)


def test_models_of_other_classes_are_no_ensemble(trained, tmp_path, capsys):  # noqa: F811
    records = [audioset_record(f"c{i}", [i % 3], np.full((10, 128), i, np.uint8)) for i in range(20)]
    write_shard(str(tmp_path / "train0.tfrecord"), records)
    assert train(tmp_path, tmp_path / "run", "--num_epochs=1", "--num_classes=3") == 0
    write_shard(str(tmp_path / "eval0.tfrecord"), records)
    capsys.readouterr()
    assert predict(f"{trained},{tmp_path}/run", tmp_path, tmp_path / "p.csv") == 2
    assert f"{trained} has 5 classes and {tmp_path}/run has 3: the models of an ensemble" in error_of(capsys)
