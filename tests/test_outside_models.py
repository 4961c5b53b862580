"""Models of modules outside the repository: `--model=module:Name`, from training to predictions, and each mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import eval as eval_script
import inference as inference_script
import train as train_script
from yt8m_audio import flags
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.commands.assemble import complete_model
from yt8m_audio.commands.outside_models import find_model
from yt8m_audio.errors import UserError
from yt8m_audio.examples import audioset_record
from yt8m_audio.records import write_shard
from yt8m_audio.registry import MODELS

MODULE = '''
import keras
from keras import ops

from models import FrameLevelModel, VideoLevelModel
from yt8m_audio.registry import register_model


@register_model
class {prefix}FirstFrameModel(FrameLevelModel):
    """Classifies the first frame.

    Args:
        width: width of the hidden layer.
    """

    def __init__(self, *, width=7, **kwargs):
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(width, activation="relu")
        self.output_layer = keras.layers.Dense(self.num_classes)

    def classify(self, frames, mask, training):
        return self.output_layer(self.hidden(frames[:, 0]))


@register_model
class {prefix}ScaleModel(VideoLevelModel):
    """Scales what one layer says.

    Args:
        scale: factor of the logits.
    """

    def __init__(self, *, scale=0.5, **kwargs):
        super().__init__(**kwargs)
        self.output_layer = keras.layers.Dense(self.num_classes)

    def classify(self, features, mask, training):
        return self.output_layer(features)


class {prefix}BareModel(VideoLevelModel):
    """Stands under no decorator."""
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory; what is imported from it and registered is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(MODELS, "_classes", dict(MODELS._classes))
    yield tmp_path
    forget(tmp_path)


def forget(folder):
    """Unloads the modules of a folder, as if another process went on."""
    for name, module in list(sys.modules.items()):
        if str(folder) in (getattr(module, "__file__", None) or str(getattr(module, "__path__", ""))):
            del sys.modules[name]


def write(folder, name, text):
    path = folder / f"{name.replace('.', '/')}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def run(script, *arguments):
    with pytest.raises(SystemExit) as exit_info:
        flags.run(script.main, [script.__file__, *map(str, arguments)])
    return exit_info.value.code


def shards(folder):
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (10, 128), dtype=np.uint8) for _ in range(8)]
    records = [audioset_record(f"clip{number:07d}", [number % 3], each) for number, each in enumerate(frames)]
    write_shard(str(folder / "clips.tfrecord"), records)
    return "clips.tfrecord"


@pytest.mark.parametrize(
    ("model", "more", "run_folder"),
    [
        ("mine.first:AFirstFrameModel", {"width": 3}, "runs/AFirstFrameModel"),
        (
            "LstmModel",
            {"lstm_cells": 4, "video_level_classifier_model": "mine.first:AScaleModel", "scale": 2.0},
            "runs/LstmModel",
        ),
    ],
)
def test_a_run_from_training_to_predictions(model, more, run_folder, folder, monkeypatch):
    write(folder, "mine.first", MODULE.format(prefix="A"))
    pattern, settings = shards(folder), [f"--{name}={value}" for name, value in more.items()]
    asked = ("--num_classes=3", "--batch_size=4", "--max_steps=2")
    assert run(train_script, f"--train_data_pattern={pattern}", f"--model={model}", *asked, *settings) == 0
    saved = json.loads((folder / run_folder / "config.json").read_text())["model"]
    assert saved["model"] == model
    assert more.items() <= saved["hyper_parameters"].items()
    forget(folder)
    monkeypatch.setattr(MODELS, "_classes", {n: c for n, c in MODELS._classes.items() if "mine" not in c.__module__})
    assert run(eval_script, f"--train_dir={run_folder}", f"--eval_data_pattern={pattern}") == 0
    assert json.loads((folder / run_folder / "eval" / "metrics.json").read_text())["clips"] == 8
    output = folder / "p.csv"
    input_flags = (f"--train_dir={run_folder}", f"--input_data_pattern={pattern}", f"--output_file={output}")
    assert run(inference_script, *input_flags) == 0
    assert len(output.read_text().splitlines()) == 9
    assert run(train_script, f"--train_dir={run_folder}", "--max_steps=3", "--num_epochs=2") == 0


def test_a_module_is_found_from_the_current_directory_by_any_script(folder):
    write(folder, "standing_here", MODULE.format(prefix="B"))
    root = Path(flags.__file__).parents[1]
    code = f"""
import sys
sys.path = [each for each in sys.path if each not in ("", {str(folder)!r})] + [{str(root)!r}]
from yt8m_audio.commands.outside_models import find_model
print(find_model("standing_here:BFirstFrameModel").__module__, sys.path.index({str(folder)!r}) == len(sys.path) - 1)
"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=environment)
    assert done.stdout.split() == ["standing_here", "True"], done.stderr


def test_a_class_is_found_in_the_package_that_passes_it_on(folder):
    write(folder, "passing.inner", MODULE.format(prefix="C"))
    write(folder, "passing.__init__", "from passing.inner import CScaleModel")
    assert find_model("passing:CScaleModel") is find_model("passing.inner:CScaleModel")
    assert MODELS.get("passing:CScaleModel").__module__ == "passing.inner"


MISTAKES = {
    "nowhere:MyModel": "there is no module nowhere. Modules are looked for from the current directory (HERE) and",
    "bad.nowhere:MyModel": "there is no module bad.nowhere in HERE/bad. Modules are looked for",
    "models.mine:MyModel": "there is no module models.mine in ",
    "my_module.py:MyModel": "write the module as Python imports it, such as my_package.my_module:MyModel.",
    "./my_module:MyModel": "write the module as Python imports it",
    ":MyModel": "write the module as Python imports it",
    "bad.raises:M": "bad.raises cannot be imported: ZeroDivisionError: division by zero (HERE/bad/raises.py, line 4).",
    "bad.syntax:M": "bad.syntax cannot be imported: SyntaxError: ",
    "bad.needs:M": "bad.needs cannot be imported: ModuleNotFoundError: No module named 'absent' (HERE/bad/needs.py, ",
    "bad.deep:M": "bad.deep cannot be imported: ZeroDivisionError: division by zero (HERE/bad/raises.py, line 4).",
    "good:DScaleModle": "good has no class DScaleModle. Did you mean good:DScaleModel? Registered there: good:DFirst",
    "bad.empty:Thing": "bad.empty has no class Thing. No model is registered there.",
    "good:DBareModel": "=good:DBareModel is not registered: put @register_model",
    "good:ops": "good has no class ops.",
    "bad.twin:DScaleModel": "bad.twin:DFirstFrameModel has the name of another model, good:DFirstFrameModel: rename",
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name, folder):
    write(folder, "good", MODULE.format(prefix="D"))
    write(folder, "bad.twin", MODULE.format(prefix="D"))
    write(folder, "bad.raises", "def divide():\n    return 1 / 0\n\nx = divide()\n")
    write(folder, "bad.syntax", "class :\n")
    write(folder, "bad.needs", "import absent\n")
    write(folder, "bad.deep", "import bad.raises\n")
    write(folder, "bad.empty", "")
    find_model("good:DScaleModel")
    with pytest.raises(UserError) as error:
        find_model(name)
    assert MISTAKES[name] in str(error.value).replace(str(folder), "HERE")
    assert "\n" not in str(error.value)


def test_a_mistake_names_the_flag_that_holds_it(folder):
    with pytest.raises(UserError, match=r"^--video_level_classifier_model=nowhere:M: there is no module nowhere"):
        flags.parse_train(["train.py", "--model=LstmModel", "--video_level_classifier_model=nowhere:M"])
    with pytest.raises(UserError, match=r"^--model=LstmModle is no model\. Did you mean LstmModel\?"):
        flags.parse_train(["train.py", "--model=LstmModle"])


def test_a_module_that_runs_as_a_script_may_be_imported_too(folder):
    last_lines = [
        "from yt8m_audio.commands.outside_models import find_model",
        "if __name__ == '__main__':",
        "    print(find_model('script:EScaleModel').__module__)",
    ]
    write(folder, "script", "\n".join([MODULE.format(prefix="E"), *last_lines]))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(Path(flags.__file__).parents[1])}
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, cwd=folder, env=environment)
    assert done.stdout == "script\n", done.stderr


BROKEN = '''
import keras
from keras import ops

from models import FrameLevelModel
from yt8m_audio.registry import register_model


@register_model
class BrokenModel(FrameLevelModel):
    """Is wrong."""

    def __init__(self, {arguments}, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(self.num_classes)
        self.dense.build((None, 128))

{method}
'''
LINE = "(HERE/broken.py, line 19)."
WRONG = {
    "return self.dense(frames[:, 0, :3])": ("ValueError: Input 0 ", "128", LINE),
    "raise ValueError": (f": ValueError {LINE}",),
    "return {}['missing']": (f": KeyError: 'missing' {LINE}",),
    "raise RuntimeError('\\n\\nsecond\\nthird')": (f": RuntimeError: second {LINE}",),
    "return self.dense(frames)": ("gives float32 [1, 10, 3] of one clip: it must give float32 [1, 3]",),
}


def write_broken(folder, line="", arguments="*, width=5"):
    method = f"    def classify(self, frames, mask, training):\n        {line}\n" if line else ""
    write(folder, "broken", BROKEN.format(method=method, arguments=arguments))


@pytest.mark.parametrize("line", [*WRONG, ""])
def test_a_model_that_is_wrong_is_said_before_a_run_directory_is_made(line, folder, capsys):
    write_broken(folder, line)
    pattern = shards(folder)
    asked = ("--model=broken:BrokenModel", f"--train_data_pattern={pattern}", "--num_classes=3")
    assert run(train_script, *asked) == 2
    (said,) = capsys.readouterr().err.replace(str(folder), "HERE").strip().splitlines()
    assert said.startswith("error: --model=broken:BrokenModel ")
    for words in WRONG.get(line, ("BrokenModel has no method classify (HERE/broken.py, line 9).",)):
        assert words in said
    assert not (folder / "runs").exists()


def test_what_models_shows_of_a_model_that_is_wrong(folder):
    write_broken(folder, "return {}['missing']")
    with pytest.raises(UserError, match=r": KeyError: 'missing' \(.*broken.py, line 19\)\.$"):
        main_of_command(["yt8m_audio", "models", "broken:BrokenModel"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("*, num_frames=1", "its hyper-parameter num_frames has the name of another flag: rename it"),
        ("*, seed=1", "its hyper-parameter seed has the name of another flag: rename it"),
        ("*, train_dir=1", "its hyper-parameter train_dir has the name of another flag: rename it"),
        ("*, num_gpu=1", "its hyper-parameter num_gpu has the name of another flag: rename it"),
        ("*, label_smoothing=0.1", "label_smoothing has the name of a flag of --label_loss=CrossEntropyLoss: rename"),
        ("*, widths=(1, 2)", "its hyper-parameter widths is a tuple, which no flag is"),
    ],
)
def test_a_hyper_parameter_that_can_be_no_flag(arguments, said, folder):
    write_broken(folder, "return self.dense(frames[:, 0])", arguments)
    with pytest.raises(UserError) as error:
        flags.parse_train(["train.py", "--model=broken:BrokenModel"])
    assert str(error.value).startswith("--model=broken:BrokenModel: ")
    assert said in str(error.value)


def test_models_says_that_its_own_flag_has_the_name(folder):
    write_broken(folder, "return self.dense(frames[:, 0])", "*, num_frames=3")
    with pytest.raises(UserError, match="its hyper-parameter num_frames has the name of another flag: rename it"):
        main_of_command(["yt8m_audio", "models", "broken:BrokenModel"])


@pytest.mark.parametrize(("arguments", "least"), [("*, context=0", 0), ("*, context=-1", -1), ("context=5", 1)])
def test_a_whole_number_may_be_its_default(arguments, least, folder):
    write_broken(folder, "return self.dense(frames[:, 0])", arguments)
    request = flags.parse_train(["train.py", "--model=broken:BrokenModel", f"--context={least}"])
    assert complete_model(request.config.model).hyper_parameters["context"] == least
    request = flags.parse_train(["train.py", "--model=broken:BrokenModel", f"--context={least - 1}"])
    with pytest.raises(UserError, match=f"--context={least - 1} must be at least {least}"):
        complete_model(request.config.model)
