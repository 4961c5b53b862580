"""Flags: from dataclasses and constructors to a config."""

import pytest

from yt8m_audio import flags
from yt8m_audio.__main__ import COMMANDS, main_of_command
from yt8m_audio.config import Config, DataConfig, DeviceConfig, ModelConfig, TrainConfig, changes
from yt8m_audio.errors import UserError

STARTERS_DEFAULTS = {
    "batch_size": 1024,
    "label_loss": "CrossEntropyLoss",
    "regularization_penalty": 1.0,
    "learning_rate_decay": 0.95,
    "learning_rate_decay_examples": 4_000_000,
    "num_epochs": 5,
    "max_steps": None,
    "export_model_steps": 1000,
    "num_readers": 8,
    "optimizer": "AdamOptimizer",
    "clip_gradient_norm": 1.0,
    "log_device_placement": False,
}


def parsed(*arguments):
    return flags.parse_train(["train.py", "--train_dir=/nowhere", *arguments])


def test_defaults_are_the_starters():
    settings = parsed().config.flat()
    assert {name: settings[name] for name in STARTERS_DEFAULTS} == STARTERS_DEFAULTS


def test_a_models_defaults_are_the_starters(capsys):
    with pytest.raises(SystemExit):
        parsed("--model=DbofModel", "--help")
    said = capsys.readouterr().out
    for default in ("iterations (default: 30)", "dbof_cluster_size (default: 8192)", "moe_num_mixtures (default: 2)"):
        assert f"--{default}" in said


def test_what_is_given_is_known():
    request = parsed("--batch_size=8", "--noframe_features", "--moe_num_mixtures=4", "--model=MoeModel")
    assert request.given == {"train_dir", "batch_size", "frame_features", "moe_num_mixtures", "model"}
    assert request.config.train.batch_size == 8
    assert request.config.data.frame_features is False
    assert request.config.model.hyper_parameters == {"moe_num_mixtures": 4}


def test_zero_and_false_can_be_given():
    request = parsed("--clip_gradient_norm=0", "--model=DbofModel", "--dbof_add_batch_norm=false", "--seed=0")
    assert request.config.train.clip_gradient_norm == 0
    assert request.config.model.hyper_parameters == {"dbof_add_batch_norm": False}


def test_the_model_on_top_brings_its_flags():
    with pytest.raises(UserError, match="--moe_num_mixtures is no flag"):
        parsed("--model=LstmModel", "--video_level_classifier_model=LogisticModel", "--moe_num_mixtures=4")
    assert parsed("--model=LstmModel", "--moe_num_mixtures=4").config.model.hyper_parameters == {"moe_num_mixtures": 4}


@pytest.mark.parametrize(
    ("argument", "owners"),
    [
        ("--lstm_cells=4", "--model=AttentionLstmModel|BiLstmModel|LstmModel"),
        ("--focal_gamma=1", "--label_loss=FocalLoss"),
    ],
)
def test_a_flag_of_another_model_or_loss_is_said_to_be_so(argument, owners):
    with pytest.raises(UserError) as error:
        parsed("--model=MoeModel", argument)
    name = argument.partition("=")[0]
    assert str(error.value) == f"{name} is no flag here: it is one of {owners}. --help lists them."


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("--batch_size=1.5", "a whole number"),
        ("--moe_num_mixtures=two", "a whole number"),
        ("--label_smoothing=x", "a number"),
        ("--frame_features=maybe", "true or false"),
    ],
)
def test_a_value_of_another_type(argument, wanted):
    with pytest.raises(UserError, match=f"^{argument} must be {wanted}.$"):
        parsed("--model=MoeModel", argument)


def test_a_loss_brings_its_flags():
    train = parsed("--label_loss=FocalLoss", "--focal_gamma=1.5", "--class_weights=inverse_frequency").config.train
    assert train.loss_hyper_parameters == {"focal_gamma": 1.5, "class_weights": "inverse_frequency"}
    with pytest.raises(UserError, match="--focal_gamma is no flag"):
        parsed("--focal_gamma=1.5")


def test_help_lists_the_flags_of_the_loss(capsys):
    with pytest.raises(SystemExit):
        parsed("--label_loss=AsymmetricLoss", "--help")
    said = capsys.readouterr().out
    for line in ("AsymmetricLoss's own:", "--asymmetric_clip (default: 0.05)", "--label_smoothing (default: 0.0)"):
        assert line in said
    assert "--class_weights\n" in said


def test_another_loss_keeps_what_it_has_too():
    before = TrainConfig(label_loss="FocalLoss", loss_hyper_parameters={"focal_gamma": 1.0, "label_smoothing": 0.1})
    given = {"label_loss": "CrossEntropyLoss"}
    after = flags.overlaid(Config(train=before), given, [], ["label_smoothing", "class_weights"]).train
    assert after.loss_hyper_parameters == {"label_smoothing": 0.1}


def test_flag_files_work(tmp_path):
    (tmp_path / "recipe.cfg").write_text("# a recipe\n--model=LstmModel\n--lstm_cells=7\n")
    request = parsed(f"--flagfile={tmp_path}/recipe.cfg", "--batch_size=3")
    assert request.config.model == ModelConfig("LstmModel", {"lstm_cells": 7})
    assert request.config.train.batch_size == 3


def test_the_run_directory_is_named_after_the_model():
    assert str(flags.parse_train(["train.py", "--model=MoeModel"]).run.path) == "runs/MoeModel"


def test_devices_are_no_part_of_the_config():
    request = parsed("--num_gpu=2", "--strategy=mirrored")
    assert (request.devices.num_gpu, request.devices.strategy) == (2, "mirrored")
    assert request.config == parsed().config


def test_num_gpu_is_taken_with_a_warning_where_there_is_one_device(capsys):
    flags.parse_script(["eval.py", "--train_dir=run", "--num_gpu=2"], "Evaluates.", flags.EvalFlags)
    assert "warning: --num_gpu is not used" in capsys.readouterr().err


@pytest.mark.parametrize(
    "group", [DataConfig, TrainConfig, DeviceConfig, flags.TrainFlags, flags.EvalFlags, flags.InferenceFlags]
)
def test_every_flag_has_help(group):
    from yt8m_audio.registry import argument_help

    no_flag = {"loss_hyper_parameters", "feature_source"}  # each of the former is one, the latter is read
    assert argument_help(group).keys() - no_flag == {name for name, _ in flags.scalar_fields(group)}


def test_help_shows_every_group(capsys):
    with pytest.raises(SystemExit) as exit_info:
        parsed("--model=LstmModel", "--help")
    assert exit_info.value.code == 0
    said = capsys.readouterr().out
    for word in ("--train_data_pattern", "--base_learning_rate", "--lstm_cells (default: 1024)", "--moe_num_mixtures"):
        assert word in said


def test_a_config_survives_json():
    train = TrainConfig(seed=5, loss_hyper_parameters={"label_smoothing": 0.5}, teacher="p.csv")
    config = Config(DataConfig(num_classes=3), ModelConfig("MoeModel", {"moe_num_mixtures": 4}), train)
    assert Config.from_dict(config.to_dict()) == config
    assert config.flat()["label_smoothing"] == 0.5


def test_a_config_from_before_a_setting_was_there():
    assert Config.from_dict({"train": {"seed": 5}}).train == TrainConfig(seed=5)


def test_changes_name_what_differs():
    old = Config(model=ModelConfig("MoeModel", {"moe_num_mixtures": 4}))
    new = Config(model=ModelConfig("MoeModel", {}), train=TrainConfig(batch_size=2))
    assert changes(old, new) == {"moe_num_mixtures": (4, None), "batch_size": (1024, 2)}


def test_commands_are_listed(capsys):
    assert main_of_command(["yt8m_audio", "--help"]) == 0
    said = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in said] == []


def test_an_unknown_command_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean sample"):
        main_of_command(["yt8m_audio", "smaple"])
