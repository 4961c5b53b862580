"""`python -m yt8m_audio models`: the table, everything of one model, and its diagram."""

import json
import re

import keras
import pytest
import tensorflow as tf
from keras import ops

from models import FrameLevelModel
from tests.small_models import SMALL as SMALL_MODELS
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.commands.assemble import complete_model
from yt8m_audio.commands.model_cost import clip_placeholders, cost, written
from yt8m_audio.commands.model_diagram import diagram, watch
from yt8m_audio.commands.models import console, cost_in_words, short, traced
from yt8m_audio.config import ModelConfig
from yt8m_audio.errors import UserError
from yt8m_audio.registry import MODELS

SMALL = ("--num_frames=3", "--feature_sizes=4,2", "--num_classes=5", "--lstm_cells=8")


def said(capsys, *arguments):
    assert main_of_command(["yt8m_audio", "models", *arguments]) == 0
    return capsys.readouterr().out


def test_the_table_has_every_model(capsys):
    words = said(capsys).replace("│", " ").split()
    assert [name for name in MODELS.names() if name not in words] == []
    assert {"frame", "video"} <= set(words)


def test_the_table_as_json(capsys, monkeypatch):
    three = ("LogisticModel", "LstmModel", "MoeModel")
    monkeypatch.setattr(MODELS, "_classes", {name: MODELS.get(name) for name in three})
    rows = json.loads(said(capsys, "--json", "--feature_sizes=5", "--num_classes=3"))
    assert tuple(row["name"] for row in rows) == three
    assert [row["level"] for row in rows] == ["video", "frame", "video"]
    first, second, _ = rows
    assert (first["parameters"], first["flops"]) == (5 * 3 + 3 + 2 * 5, 2 * 5 * 3)
    assert first["about"] == "One linear layer on one vector a clip."
    assert "arXiv:1503.08909" in second["paper"]


def test_everything_of_one_model(capsys):
    text = said(capsys, "LstmModel", *SMALL, "--video_level_classifier_model=LogisticModel")
    for words in (
        "LstmModel (frame level)",
        "Layers of LSTM cells, the last output classified.",
        "0.001 recommended",
        "batch normalisation recommended",
        "3 × (4 + 2) → 5",
        "300 × (1024 + 128) → 3862",
        "--lstm_cells",
        "cells a layer.",
        "--l2_penalty",
        f"Trainable params: {2 * 6 + 4 * 8 * (6 + 8 + 1) + 4 * 8 * (8 + 8 + 1) + 8 * 5 + 5:,} ",
    ):
        assert words in text
    text = re.sub(r"(logistic_model)_\d+", r"\1", text)  # the name that Keras gives, of which there may be others
    flow = [line.split() for line in text.partition("Flow of one clip")[2].splitlines() if "→" in line][1:]
    assert [" ".join(line) for line in flow] == [
        "features → 3 × 6",
        "input_batch_norm MaskedBatchNormalization → 3 × 6",
        "lstm_0 LSTM → 3 × 8",
        "lstm_1 LSTM → 8",
        "logistic_model LogisticModel → 5",
        "└─ logits Dense → 5",
        "output → 5",
    ]


@pytest.mark.parametrize("name", MODELS.names())
def test_every_model_can_be_shown(name):
    cls, settings = MODELS.get(name), complete_model(ModelConfig(name, SMALL_MODELS.get(name, {}))).hyper_parameters
    layers, summary, parameters = traced(cls, (3, (8, 4), 5), settings)
    assert diagram(layers)
    assert f"Trainable params: {parameters:,} " in summary


def test_one_model_as_json(capsys):
    found = json.loads(said(capsys, "LstmModel", *SMALL, "--video_level_classifier_model=LogisticModel", "--json"))
    assert found["recommended_learning_rate"] == 0.001
    assert found["settings"]["lstm_cells"] == 8
    layers = 4 * 8 * (6 + 8 + 1) + 4 * 8 * (8 + 8 + 1)
    assert found["parameters"] == found["costs"]["3 × (4 + 2) → 5"]["parameters"] == 2 * 6 + layers + 8 * 5 + 5
    assert {flag["name"]: flag["default"] for flag in found["flags"]} == {
        "lstm_cells": 1024,
        "lstm_layers": 2,
        "video_level_classifier_model": "MoeModel",
        "input_normalization": "batch",
        "l2_penalty": 1e-8,
    }
    lstm = next(layer for layer in found["layers"] if layer["name"] == "lstm_1")
    assert lstm == {
        "depth": 0,
        "name": "lstm_1",
        "kind": "LSTM",
        "shape": [[8]],
        "sources": ["lstm_0"],
        "join": "",
        "parameters": 4 * 8 * (8 + 8 + 1),
    }


@pytest.mark.parametrize(("sizes", "same"), [((1024, 128), True), ((1152,), False)])
def test_a_cost_is_the_docstrings_of_its_shape_alone(sizes, same):
    cls = MODELS.get("NetVladModel")
    counted = written(cost(cls, 300, sizes, 3862))
    assert cost_in_words(cls, 300, sizes, 3862).replace("\n", ", ") == counted
    assert counted.startswith("310 M parameters") == same


def test_the_costs_of_one_model_are_of_different_shapes(capsys):
    asked = ("NetVladModel", "--num_frames=300", "--feature_sizes=1152", "--num_classes=3862", "--json")
    found = json.loads(said(capsys, *asked))
    assert found["shape"] == "300 × 1152 → 3862"
    assert found["costs"]["300 × 1152 → 3862"]["parameters"] == found["parameters"]
    assert found["costs"]["300 × (1024 + 128) → 3862"]["parameters"] != found["parameters"]


def test_a_model_outside_the_repository(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(MODELS, "_classes", dict(MODELS._classes))
    lines = ["from models import LogisticModel", "from yt8m_audio.registry import register_model", "@register_model"]
    lines += ["class ShownModel(LogisticModel):", "    'Shows itself.'"]
    (tmp_path / "shown_module.py").write_text("\n".join(lines))
    text = said(capsys, "shown_module:ShownModel", "--num_classes=3")
    assert "ShownModel (video level)\n\nShows itself.\n" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["LstmModle"], r"=LstmModle is no model\. Did you mean LstmModel\?"),
        (["LstmModel", "--lstm_cels=4"], r"--lstm_cels is no flag\. Did you mean --lstm_cells\?"),
        (["LstmModel", "--lstm_cells=0"], "--lstm_cells=0 must be at least 1"),
        (["LogisticModel", "--l2_penalty=nan"], "--model=LogisticModel cannot be made of"),
        (["LstmModel", "MoeModel"], "MoeModel is one argument too many"),
        (["--num_frames=0"], "--num_frames=0 must be at least 1"),
        (["--feature_sizes="], "--feature_sizes= must be at least 1"),
        (["--feature_sizes=a"], "--feature_sizes=a must be whole numbers"),
        (["--num_classes=0"], "--num_classes=0 must be at least 1"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        main_of_command(["yt8m_audio", "models", *arguments])


@pytest.mark.parametrize(
    ("paper", "wanted"),
    [
        ("Ng et al. 2015, arXiv:1503.08909, section 3", "Ng et al. 2015, arXiv:1503.08909"),
        ("Cho et al. 2014; here without a query, arXiv:1409.0473", "Cho et al. 2014"),
        ("", ""),
    ],
)
def test_a_paper_in_short(paper, wanted):
    assert short(paper) == wanted


class Gate(keras.layers.Layer):
    """Multiplies its input by what two layers say, a container of Keras' one of them."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.Sequential([keras.layers.Dense(4, name="first"), keras.layers.Dense(4, name="second")])
        self.other = keras.layers.Dense(4, name="other")

    def call(self, inputs):
        return inputs * self.inner(inputs) * self.other(inputs)


class WindingModel(FrameLevelModel):
    """Joins what comes out of its layers in each way, and calls one of them in a loop."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.left = keras.layers.Dense(4, name="left")
        self.right = keras.layers.Dense(4, name="right")
        self.gate = Gate(name="gate")
        self.both_ways = keras.layers.Bidirectional(keras.layers.GRU(4), name="both_ways")
        self.output_layer = keras.layers.Dense(self.num_classes, name="last")

    def classify(self, frames, mask, training):
        left, right = self.left(frames), self.right(frames)
        gated = self.gate(left + right)
        hidden = self.both_ways(ops.concatenate([left, gated], axis=-1))
        return self.output_layer(hidden) + self.output_layer(ops.flip(hidden, axis=-1))


def test_a_diagram_names_what_is_joined():
    with tf.Graph().as_default():
        model = WindingModel(num_classes=3, feature_sizes=(2, 3), input_normalization="none")
        clip = clip_placeholders(model, 7)
        model(clip)
        calls = watch(model, clip)
    screen = console()
    with screen.capture() as capture:
        screen.print(diagram(calls))
    container = model.gate.inner.name
    assert [" ".join(line.split()) for line in capture.get().splitlines()] == [
        "features → 7 × 5",
        "left Dense → 7 × 4",
        "right Dense → 7 × 4 ← features",
        "gate Gate → 7 × 4 ← left, right added",
        f"├─ {container} Sequential → 7 × 4",
        "│ ├─ first Dense → 7 × 4",
        "│ └─ second Dense → 7 × 4",
        "├─ other Dense → 7 × 4 ← left, right added",
        f"└─ output → 7 × 4 ← left, right, {container}, other multiplied",
        "both_ways Bidirectional → 8 ← left, gate concatenated",
        "last Dense → 3",
        "last Dense → 3 ← both_ways",
        "output → 3 ← last, last added",
    ]
    assert [each.parameters for each in calls if each.name == "both_ways"] == [2 * 3 * 4 * (8 + 4 + 2)]


def test_layers_are_left_as_they_were_when_a_call_fails(monkeypatch):
    def fail(*arguments):
        raise ValueError("on purpose")

    before = keras.layers.Layer.__call__
    with tf.Graph().as_default():
        model = WindingModel(num_classes=3, feature_sizes=(2,), input_normalization="none")
        clip = clip_placeholders(model, 7)
        model(clip)
        monkeypatch.setattr(WindingModel, "classify", fail)
        with pytest.raises(ValueError, match="on purpose"):
            watch(model, clip)
    assert keras.layers.Layer.__call__ is before
