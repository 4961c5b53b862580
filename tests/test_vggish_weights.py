"""Weights of VGGish: from checkpoints with Google's names, from Keras files, and what is said where they do not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vggish_cases import noise_examples, seeded_weights
from yt8m_audio.audio.pca import Pca, save_pca
from yt8m_audio.audio.v1_checkpoint import places_of_floats, read_floats
from yt8m_audio.audio.vggish import Vggish
from yt8m_audio.audio.vggish_weights import (
    CHECKPOINT,
    PCA,
    check_weights,
    default_weights_folder,
    find_weights,
    load_vggish,
    weights_digest,
)
from yt8m_audio.errors import UserError

NAMES = (  # as they stand in Google's file
    "vggish/conv1",
    "vggish/conv2",
    "vggish/conv3/conv3_1",
    "vggish/conv3/conv3_2",
    "vggish/conv4/conv4_1",
    "vggish/conv4/conv4_2",
    "vggish/fc1/fc1_1",
    "vggish/fc1/fc1_2",
    "vggish/fc2",
)
VERSIONS = {"V1": tf.compat.v1.train.SaverDef.V1, "V2": tf.compat.v1.train.SaverDef.V2}


def write_checkpoint(path, variables: dict[str, np.ndarray], version: str = "V1") -> None:
    """Writes a checkpoint as TensorFlow 1 did."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        made = [
            v1.get_variable(name, value.shape, initializer=v1.zeros_initializer()) for name, value in variables.items()
        ]
        for variable, value in zip(made, variables.values(), strict=True):
            variable.load(value, session)
        v1.train.Saver(made, write_version=VERSIONS[version]).save(session, str(path), write_meta_graph=False)


def named_weights(width: float) -> dict[str, np.ndarray]:
    vggish = Vggish(width=width)
    vggish.build()
    names = [f"{scope}/{kind}" for scope in NAMES for kind in ("weights", "biases")]
    return dict(zip(names, seeded_weights([weight.shape for weight in vggish.weights]), strict=True))


@pytest.mark.parametrize(
    ("version", "width"), [("V1", 1 / 16), ("V2", 1 / 16), pytest.param("V1", 1, marks=pytest.mark.slow)]
)
def test_a_checkpoint_of_tensorflow_1(tmp_path, version, width):
    weights = named_weights(width)
    write_checkpoint(tmp_path / CHECKPOINT, {"global_step": np.zeros(()), **weights}, version)
    files = find_weights(tmp_path)
    assert files == (tmp_path / CHECKPOINT, tmp_path / PCA)
    vggish = load_vggish(files.model)
    for found, expected in zip(vggish.get_weights(), weights.values(), strict=True):
        np.testing.assert_array_equal(found, expected)
    save_pca(tmp_path / PCA, Pca(np.eye(128, dtype="f"), np.zeros(128, "f")))
    assert "mean of the embeddings" in check_weights(tmp_path)[0]


def test_tensors_lie_where_tensorflow_finds_them(tmp_path):
    weights = named_weights(1 / 16)
    path = tmp_path / CHECKPOINT
    write_checkpoint(path, weights)
    places = places_of_floats(path)
    assert places.keys() == weights.keys()
    for name, place in places.items():
        np.testing.assert_array_equal(read_floats(path, place), weights[name].ravel())


def test_what_is_no_table_holds_no_tensors(tmp_path):
    write_checkpoint(tmp_path / CHECKPOINT, {"a": np.zeros(3, np.float32)})
    content = (tmp_path / CHECKPOINT).read_bytes()
    for wrong in (b"", b"text", content[:-1], bytes(40) + content[-8:], b"\xff" * 60 + content[-8:]):
        (tmp_path / "wrong").write_bytes(wrong)
        assert places_of_floats(tmp_path / "wrong") == {}
    assert places_of_floats(tmp_path / "absent") == {}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"other": np.zeros(3)}, r"lacks vggish/conv1/biases, .* and 15 more; it has other\."),
        (
            {f"{scope}/{kind}": np.zeros(3) for scope in NAMES for kind in ("weights", "biases")},
            r"conv1/weights is \[3\]",
        ),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_another_checkpoint_is_named(tmp_path, variables, message, version):
    write_checkpoint(tmp_path / "other.ckpt", variables, version)
    with pytest.raises(UserError, match=rf"other\.ckpt.*{message}"):
        load_vggish(tmp_path / "other.ckpt")


@pytest.mark.parametrize("name", [CHECKPOINT, "vggish.keras", "vggish.weights.h5"])
def test_a_broken_file_is_named_on_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"no such file " * 100)
    with pytest.raises(UserError, match=name) as error:
        load_vggish(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_keras_file(tmp_path):
    vggish = Vggish(width=1 / 16)
    vggish.build()
    vggish.save(tmp_path / "vggish.keras")
    again = load_vggish(find_weights(tmp_path).model, final_relu=True)
    assert (again.width, again.final_relu) == (1 / 16, True)
    np.testing.assert_array_equal(again(noise_examples()), np.maximum(vggish(noise_examples()), 0))
    assert weights_digest(again) == weights_digest(vggish)
    again.network.get_layer("fc2").bias.assign_add(np.ones(128))
    assert weights_digest(again) != weights_digest(vggish)


def test_another_keras_model_is_refused(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "vggish.keras")
    with pytest.raises(UserError, match=r"vggish\.keras holds a Sequential, not a Vggish"):
        load_vggish(tmp_path / "vggish.keras")


def test_code_in_a_keras_file_is_not_run(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(tmp_path / "vggish.keras")
    with pytest.raises(UserError, match="cannot be read as a Keras model"):
        load_vggish(tmp_path / "vggish.keras")


@pytest.mark.slow
def test_a_file_of_weights(tmp_path):
    vggish = Vggish()
    vggish.build()
    vggish.save_weights(tmp_path / "vggish.weights.h5")
    assert weights_digest(load_vggish(tmp_path / "vggish.weights.h5")) == weights_digest(vggish)


def test_where_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("YT8M_AUDIO_CACHE", str(tmp_path))
    assert default_weights_folder() == tmp_path / "vggish"
    for asked in ("", tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match="python -m yt8m_audio vggish-weights fetches Google's"):
            find_weights(asked)
    assert check_weights() == [f"VGGish's weights are not in {tmp_path / 'vggish'}: none of vggish.keras, "
                               "vggish.weights.h5, vggish_model.ckpt is there. python -m yt8m_audio vggish-weights "
                               "fetches Google's; --weights=FOLDER names others."]  # fmt: skip


def test_googles_weights_pass_its_smoke_test():
    """Runs where `python -m yt8m_audio vggish-weights` has fetched them."""
    try:
        find_weights()
    except UserError as error:
        pytest.skip(str(error))
    assert check_weights() == []
