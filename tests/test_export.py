"""A trained model out of its run: what is written gives what the run gives."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.test_scripts import data, predict, trained  # noqa: F401  fixtures
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.commands.export import fed_with
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.prediction.export import export_saved_model

CLIPS = np.random.default_rng(0).integers(0, 256, (3, 10, 128), dtype=np.uint8)
NUM_FRAMES = np.array([10, 3, 0], "int32")


def export(*arguments):
    return main_of_command(["yt8m_audio", "export", *map(str, arguments)])


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):  # noqa: F811
    """The run's model in both forms."""
    folder = tmp_path_factory.mktemp("exported")
    assert export(trained, folder / "model.keras") == 0
    assert export(trained, folder / "saved") == 0
    return folder


def served(folder):
    return tf.saved_model.load(str(folder)).signatures["serving_default"]


def test_both_forms_say_the_same(exported):
    model = keras.models.load_model(exported / "model.keras")
    logits = model({"features": CLIPS, "num_frames": NUM_FRAMES})
    found = served(exported / "saved")(features=tf.constant(CLIPS), num_frames=tf.constant(NUM_FRAMES))["predictions"]
    np.testing.assert_allclose(found, keras.ops.sigmoid(logits), rtol=1e-5)
    assert np.ptp(np.array(found)) > 0.1
    assert sorted(each.name for each in exported.iterdir()) == ["model.keras", "saved"]


def test_it_says_what_inference_says(exported, trained, data, tmp_path):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", "--top_k=1") == 0
    with open(tmp_path / "p.csv") as file:
        said = {row["VideoId"]: row["LabelConfidencePairs"].split() for row in csv.DictReader(file)}
    from readers import open_clips

    pattern = f"{data}/eval*.tfrecord"
    clips = open_clips(pattern, "input_data_pattern", DataConfig(frame_features=True, max_frames=10))
    batch = next(iter(clips.in_order(23)))
    found = served(exported / "saved")(features=batch["features"], num_frames=batch["num_frames"])["predictions"]
    for name, scores in zip(batch["video_id"].numpy(), found.numpy(), strict=True):
        label, score = said[name.decode()]
        assert int(label) == scores.argmax()
        assert float(score) == pytest.approx(scores.max(), rel=1e-4)


def test_a_folder_that_is_there_is_left_alone(exported, trained):  # noqa: F811
    with pytest.raises(UserError, match="is there already"):
        export(trained, exported / "saved")


def test_a_parent_that_is_not_there(trained, tmp_path):  # noqa: F811
    with pytest.raises(UserError, match="there is no folder"):
        export(trained, tmp_path / "no" / "saved")


def test_a_failure_leaves_nothing(tmp_path):
    class FailingModel(keras.Model):
        def call(self, inputs, training=False):
            raise ArithmeticError

    with pytest.raises(Exception, match="ArithmeticError"):
        export_saved_model(FailingModel(), tmp_path / "saved", tf.TensorSpec((None, 2), tf.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "shape", "dtype"),
    [
        ({"frame_features": True, "max_frames": 10, "feature_types": "uint8"}, (None, 10, 6), tf.uint8),
        ({"frame_features": True, "max_frames": 7, "feature_types": "uint8,float32"}, (None, 7, 6), tf.float32),
        ({"frame_features": False}, (None, 6), tf.float32),
        ({"frame_features": False, "pooling": "mean_std_max"}, (None, 18), tf.float32),
    ],
)
def test_what_a_model_is_fed_with(settings, shape, dtype):
    spec = fed_with(DataConfig(feature_sizes="4,2", **settings))
    assert (tuple(spec.shape), spec.dtype) == (shape, dtype)
