"""Losses against their formulas."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import models  # noqa: F401  registers the models
import yt8m_audio.training  # noqa: F401  registers the losses
from yt8m_audio import flags
from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.registry import LOSSES, MODELS, hyper_parameters
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.class_weights import (
    class_weights,
    inverse_frequency,
    keep_weights,
    kept_weights,
    resumed_weights,
)
from yt8m_audio.training.losses import LabelLoss, distilled, make_loss

LABELS = np.array([[1, 0, 1], [0, 0, 0]], "uint8")
LOGITS = np.array([[2.0, -1.0, 0.0], [-3.0, 0.5, 5.0]], "float32")
P = 1 / (1 + np.exp(-LOGITS.astype("float64")))
Y = LABELS.astype("float64")
YES, NO = np.log(P), np.log1p(-P)
EXTREME = np.array([[1e4, -1e4, 100.0, -100.0, 0.0]], "float32")
SHIFTED = np.maximum(P - 0.05, 0)
SOFTMAX_OF_P = np.exp(P) / np.exp(P).sum(axis=1, keepdims=True)
SMOOTHING = sorted(name for name in LOSSES.names() if LOSSES.get(name).smooths)

every_loss = pytest.mark.parametrize("name", LOSSES.names())


def loss_of(name, labels, logits, *label_weights, **hyper_parameters):
    return LOSSES.get(name)(**hyper_parameters)(tf.constant(labels), tf.constant(logits), *label_weights)


def gradient_of(name, labels, logits, *label_weights, **hyper_parameters):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = loss_of(name, labels, logits, *label_weights, **hyper_parameters)
    return tape.gradient(loss, logits).numpy()


@pytest.mark.parametrize(
    ("name", "hyper_parameters", "by_class"),
    [
        ("CrossEntropyLoss", {}, -Y * np.log(P + 1e-5) - (1 - Y) * np.log(1 - P + 1e-5)),
        ("HingeLoss", {}, np.maximum(0, 1 - (2 * Y - 1) * P)),
        ("SoftmaxLoss", {}, -Y / [[2], [1]] * np.log(SOFTMAX_OF_P)),
        ("SigmoidCrossEntropyLoss", {}, -Y * YES - (1 - Y) * NO),
        ("FocalLoss", {}, -Y * 0.25 * (1 - P) ** 2 * YES - (1 - Y) * 0.75 * P**2 * NO),
        (
            "FocalLoss",
            {"focal_gamma": 0.5, "focal_alpha": 0.0},
            -Y * (1 - P) ** 0.5 * YES - (1 - Y) * P**0.5 * NO,
        ),
        ("AsymmetricLoss", {}, -Y * (1 - P) * YES - (1 - Y) * SHIFTED**4 * np.log(1 - SHIFTED)),
        (
            "AsymmetricLoss",
            {"asymmetric_gamma_positive": 0.5, "asymmetric_gamma_negative": 3.0, "asymmetric_clip": 0.0},
            -Y * (1 - P) ** 0.5 * YES - (1 - Y) * P**3 * NO,
        ),
    ],
)
def test_formulas(name, hyper_parameters, by_class):
    found = loss_of(name, LABELS, LOGITS, **hyper_parameters)
    np.testing.assert_allclose(found, by_class.sum(axis=1), rtol=1e-5)
    assert found.dtype == tf.float32


def test_the_cross_entropies_differ_where_a_class_is_surely_wrong():
    found = [float(loss_of(name, [[0]], [[20.0]])[0]) for name in ("CrossEntropyLoss", "SigmoidCrossEntropyLoss")]
    assert found == pytest.approx([-np.log(1e-5 + np.exp(-20)), 20.0], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "hyper_parameters"),
    [
        ("FocalLoss", {"focal_gamma": 0.0, "focal_alpha": 0.0}),
        (
            "AsymmetricLoss",
            dict.fromkeys(hyper_parameters(LOSSES.get("AsymmetricLoss")), 0.0) | {"class_weights": None},
        ),
    ],
)
def test_without_focus_the_exact_cross_entropy_remains(name, hyper_parameters):
    exact = "SigmoidCrossEntropyLoss"
    np.testing.assert_allclose(
        loss_of(name, LABELS, LOGITS, **hyper_parameters), loss_of(exact, LABELS, LOGITS), rtol=1e-6
    )
    found = gradient_of(name, LABELS, LOGITS, **hyper_parameters)
    np.testing.assert_allclose(found, gradient_of(exact, LABELS, LOGITS), rtol=1e-5)


def test_the_exact_gradient():
    found = gradient_of("SigmoidCrossEntropyLoss", LABELS, LOGITS)  # at a logit of 0 too
    np.testing.assert_allclose(found, P - LABELS, rtol=1e-5)


@every_loss
@pytest.mark.parametrize("label", [0, 1])
def test_extreme_logits(name, label):
    labels = np.full(EXTREME.shape, label)
    assert np.isfinite(loss_of(name, labels, EXTREME)).all()
    assert np.isfinite(gradient_of(name, labels, EXTREME)).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_small_gammas_have_finite_gradients(gamma, clip):
    focus = {"asymmetric_gamma_positive": gamma, "asymmetric_gamma_negative": gamma, "asymmetric_clip": clip}
    for label in (0, 1):
        labels = np.full(EXTREME.shape, label)
        assert np.isfinite(gradient_of("FocalLoss", labels, EXTREME, focal_gamma=gamma)).all()
        assert np.isfinite(gradient_of("AsymmetricLoss", labels, EXTREME, **focus)).all()


@every_loss
def test_right_logits_cost_less(name):
    right, wrong = loss_of(name, [[1, 0], [1, 0]], [[3.0, -3.0], [-3.0, 3.0]])
    assert right < wrong
    assert (gradient_of(name, [[1, 0]], [[-1.0, 1.0]]) * [1, -1] < 0).all()


def test_the_exact_loss_grows_with_the_logit():
    found = loss_of("SigmoidCrossEntropyLoss", [[0, 1, 1, 0, 0]], EXTREME)
    np.testing.assert_allclose(found, [20_000 + np.log(2)], rtol=1e-6)


def test_hyper_parameters_are_no_other_flags():
    taken = set(flags.TAKEN).union(*(hyper_parameters(MODELS.get(name)) for name in MODELS.names()))
    theirs = set().union(*(hyper_parameters(LOSSES.get(name)) for name in LOSSES.names()))
    assert theirs >= {"focal_gamma", "label_smoothing", "class_weights"}
    assert not theirs & taken
    assert all(each.help for name in LOSSES.names() for each in hyper_parameters(LOSSES.get(name)).values())


# Rated classes


@every_loss
def test_weights_of_one_change_nothing(name):
    np.testing.assert_allclose(loss_of(name, LABELS, LOGITS, tf.ones([2, 3])), loss_of(name, LABELS, LOGITS), rtol=1e-7)


@every_loss
def test_only_rated_classes_cost(name):
    label_weights = tf.constant([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    found = loss_of(name, LABELS, LOGITS, label_weights)
    np.testing.assert_allclose(found, [loss_of(name, LABELS[:1, ::2], LOGITS[:1, ::2])[0], 0.0], rtol=1e-6)


@every_loss
@pytest.mark.parametrize("label", [0, 1])
def test_a_class_that_was_not_rated_has_no_gradient(name, label):
    labels, label_weights = [[label, 0, 1], [label, 0, 1]], tf.constant(2 * [[0.0, 1.0, 1.0]])
    gradient = gradient_of(name, labels, [[9.0, -1.0, 1.0], [-9.0, 1.0, -1.0]], label_weights)
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1] > 0).all()
    assert (gradient[:, 2] < 0).all()


# Smoothing and class weights


@pytest.mark.parametrize("name", SMOOTHING)
def test_smoothed_labels(name):
    smoothed = np.array([[0.9, 0.1, 0.9], [0.1, 0.1, 0.1]], "float32")
    expected = loss_of(name, smoothed, LOGITS)
    np.testing.assert_allclose(loss_of(name, LABELS, LOGITS, label_smoothing=0.2), expected, rtol=1e-6)
    assert not np.allclose(expected, loss_of(name, LABELS, LOGITS), rtol=1e-2)


@pytest.mark.parametrize("name", ["HingeLoss", "SoftmaxLoss"])
def test_smoothing_is_refused_where_it_makes_no_sense(name):
    with pytest.raises(
        UserError, match=f"--label_smoothing=0.1 does not apply to --label_loss={name}.*give --label_smoothing=0"
    ):
        LOSSES.get(name)(label_smoothing=0.1)


@every_loss
def test_class_weights_are_factors(name):
    each = [loss_of(name, LABELS, LOGITS, class_weights=one_hot) for one_hot in np.eye(3)]
    found = loss_of(name, LABELS, LOGITS, class_weights=[2.0, 1.0, 0.5])
    np.testing.assert_allclose(found, 2 * each[0] + each[1] + 0.5 * each[2], rtol=1e-6)
    ones = loss_of(name, LABELS, LOGITS, class_weights=np.ones(3))
    np.testing.assert_allclose(ones, loss_of(name, LABELS, LOGITS), rtol=1e-7)


@pytest.mark.parametrize(
    ("name", "hyper_parameter", "said"),
    [
        ("CrossEntropyLoss", {"label_smoothing": 1.0}, "--label_smoothing=1 must be at least 0, and below 1"),
        ("CrossEntropyLoss", {"label_smoothing": -0.1}, "--label_smoothing=-0.1 must"),
        ("FocalLoss", {"focal_gamma": -1.0}, "--focal_gamma=-1 must be at least 0."),
        ("FocalLoss", {"focal_gamma": float("nan")}, "--focal_gamma=nan must be at least 0."),
        ("FocalLoss", {"focal_alpha": 1.0}, "--focal_alpha=1 must be at least 0, and below 1"),
        ("AsymmetricLoss", {"asymmetric_clip": 1.0}, "--asymmetric_clip=1 must be"),
        ("AsymmetricLoss", {"asymmetric_gamma_positive": -1.0}, "--asymmetric_gamma_positive=-1"),
        ("AsymmetricLoss", {"asymmetric_gamma_negative": -1.0}, "--asymmetric_gamma_negative=-1"),
    ],
)
def test_what_is_out_of_range_is_refused(name, hyper_parameter, said):
    with pytest.raises(UserError, match=said):
        LOSSES.get(name)(**hyper_parameter)


@dataclasses.dataclass
class Labels:
    """Labels of clips: a clip's number, and a class, each."""

    rows: np.ndarray
    values: np.ndarray


def weights_of(asked, num_classes=3):
    return class_weights(asked, num_classes, lambda: Labels(np.array([0, 1, 2, 2, 2]), np.array([0, 0, 0, 2, 2])))


def test_inverse_frequency():
    # Class 0 in three clips, class 2 in one (which says so twice), class 1 in none.
    np.testing.assert_allclose(weights_of("inverse_frequency"), [0.5, 1.0, 1.5])
    nothing = np.array([], "int64")
    np.testing.assert_array_equal(inverse_frequency(nothing, nothing, 2), [1, 1])


def test_weights_from_a_file(tmp_path):
    (tmp_path / "weights.csv").write_text("name,index,weight\nx,2,0.25\ny,0,3\n")
    np.testing.assert_array_equal(weights_of(str(tmp_path / "weights.csv")), [3, 1, 0.25])
    assert weights_of(None) is None
    assert weights_of("") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("index,weight\n0,1\n3,1\n", "line 3: '3' is no class from 0 to 2"),
        ("index,weight\n1.5,1\n", "line 2: '1.5' is no class"),
        ("index,weight\n0,1\n0,2\n", "line 3: '0' is the index of an earlier line too"),
        ("index,weight\n0,-1\n", "line 2: '-1' is no weight"),
        ("index,weight\n0,nan\n", "line 2: 'nan' is no weight"),
        ("index\n0\n", "needs the columns index and weight; found index"),
        ("index,weight\n", "has no line below its header"),
        ("index,weight\n0,0\n1,0\n2,0\n", "weighs every class 0"),
        ("", "cannot be read as a CSV"),
        (None, "is not inverse_frequency, and cannot be read as a CSV"),
    ],
)
def test_a_file_of_weights_that_is_none(content, said, tmp_path):
    path = tmp_path / "weights.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=f"--class_weights={path}.*{said}"):
        weights_of(str(path))


def test_spaces_after_commas_are_no_matter(tmp_path):
    (tmp_path / "weights.csv").write_text("index, weight\n1, 4\n")
    np.testing.assert_array_equal(weights_of(f"{tmp_path}/weights.csv"), [1, 4, 1])


def test_a_misspelt_word_for_weights():
    with pytest.raises(UserError, match="Did you mean inverse_frequency"):
        weights_of("inverse_frequnecy")


def test_a_run_keeps_its_weights(tmp_path):
    run = RunDirectory(str(tmp_path))
    run.create()
    weights = np.array([1 / 3, 1, 2e-7], "float32")
    keep_weights(run, weights)
    np.testing.assert_array_equal(kept_weights(run, "inverse_frequency", 3), weights)
    keep_weights(run, None)
    assert not run.class_weights_file.exists()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "is missing.*--class_weights=w.csv"), ("index\n", "needs the col")]
)
def test_kept_weights_that_are_gone_are_named(content, said, tmp_path):
    if content is not None:
        (tmp_path / "class_weights.csv").write_text(content)
    with pytest.raises(UserError, match=f"^{tmp_path}/class_weights.csv {said}"):
        kept_weights(RunDirectory(str(tmp_path)), "w.csv", 3)


@pytest.mark.parametrize(
    ("asked", "given", "kept", "expected", "said"),
    [
        ("same.csv", True, True, 5, ""),
        ("other.csv", False, True, 5, ""),
        ("other.csv", True, True, 50, "--class_weights=other.csv holds other weights than before"),
        ("gone.csv", True, True, 5, ""),
        ("inverse_frequency", True, True, 5, ""),
        ("other.csv", True, False, 50, "class_weights.csv is missing: it is written anew"),
    ],
)
def test_a_resumed_run_goes_on_with_the_weights_that_it_had(
    asked, given, kept, expected, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    run = RunDirectory("run")
    run.create()
    for file, weight in {"same.csv": 5, "other.csv": 50, **({"run/class_weights.csv": 5} if kept else {})}.items():
        (tmp_path / file).write_text(f"index,weight\n0,{weight}\n")
    found = resumed_weights(run, asked, 3, lambda: Labels(np.array([0]), np.array([1])), given)
    np.testing.assert_array_equal(found, [expected, 1, 1])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == bool(said)
    assert said in "".join(lines)


# Making them, and teachers


def test_a_loss_is_made_of_a_config():
    train = TrainConfig(label_loss="FocalLoss", loss_hyper_parameters={"focal_gamma": 0.0, "class_weights": "w.csv"})
    loss = make_loss(train, np.array([1.0, 2.0]))
    assert (loss.gamma, loss.alpha, loss.class_weights.tolist()) == (0.0, 0.25, [1.0, 2.0])


def test_an_unknown_loss():
    with pytest.raises(UserError, match=r"--label_loss=CrossEntropyLos is no loss. Did you mean CrossEntropyLoss\?"):
        LOSSES.get("CrossEntropyLos")


def test_a_base_loss_is_none():
    with pytest.raises(NotImplementedError):
        LabelLoss()(LABELS, tf.constant(LOGITS))


def test_a_teacher_joins_by_its_weights():
    teacher = np.array([[0.5, 0.25, 1.0], [0.0, 0.0, 0.0]], "float32")
    batch = {"teacher": tf.constant(teacher), "teacher_weights": tf.constant([0.25, 0.0])}
    cross_entropy = (-teacher * YES - (1 - teacher) * NO).sum(axis=1)
    found = distilled(tf.constant([8.0, 9.0]), tf.constant(LOGITS), batch)
    np.testing.assert_allclose(found, [0.75 * 8 + 0.25 * cross_entropy[0], 9], rtol=1e-6)
    np.testing.assert_array_equal(distilled(tf.constant([8.0]), tf.constant(LOGITS), {}), [8.0])
