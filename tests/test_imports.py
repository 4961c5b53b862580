"""Imports point down: the rule of the layers, held by reading every import, dynamic ones included.

4  train.py eval.py inference.py, yt8m_audio/{__main__,flags,commands}    know all the others
3  readers/ models/                                                       know the contracts, never each other
2  yt8m_audio/{training,evaluation,prediction,audio,audioset,sample,beam} know the contracts
1  yt8m_audio/{batch,records,config,registry,labels,...}                  know nothing of ours but each other
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = {"train", "eval", "inference"}
ENTRIES = {"__main__", "flags", "commands"}
ZOOS = {"readers", "models"}
CAPABILITIES = {"training", "evaluation", "prediction", "audio", "audioset", "sample", "beam"}
CONTRACTS = {
    "",
    "batch",
    "files",
    "records",
    "examples",
    "config",
    "registry",
    "labels",
    "replicas",
    "errors",
    "run_directory",
}
CONTRACTS |= {"own_records", "paths", "feature_source", "cache"}
CONTRACTS |= {"clip_arrays", "clip_rows", "own_classes", "written_records"}
CONTRACTS |= {"thinning", "held_out"}
CONTRACTS |= {"standard_error", "downloading", "partial_file", "progress_line"}
ACROSS = {("training", "evaluation"), ("prediction", "evaluation"), ("sample", "audio")}
WITH_TENSORFLOW = {"yt8m_audio.files", "yt8m_audio.records", "yt8m_audio.examples", "yt8m_audio.replicas"}
WITH_TENSORFLOW |= {"yt8m_audio.paths"}  # of remote paths alone, when there is one
OPTIONAL = {"apache_beam", "matplotlib", "pyarrow", "tensorflow_io", "soundfile", "soxr", "yt_dlp", "imageio_ffmpeg"}
OPTIONAL |= {"onnx", "tf2onnx", "onnxruntime", "ai_edge_litert"}
# DoFns are classes of Beam's, which have to stand in a module: such modules count as optional packages themselves.
OF_BEAM = {f"yt8m_audio.beam.{name}": {"apache_beam"} for name in ("options", "pipeline", "transforms", "whole_files")}
FILES = {"os", "io", "pathlib", "shutil", "tempfile", "glob", "json", "csv", "pickle", "pandas", "h5py"}


def sources() -> dict[str, tuple[ast.Module, bool]]:
    """Modules that the rule is about: dotted name -> (tree, whether it is a package)."""
    paths = [ROOT / f"{name}.py" for name in SCRIPTS]
    paths += [path for folder in (*ZOOS, "yt8m_audio") for path in (ROOT / folder).rglob("*.py")]
    found = {}
    for path in sorted(paths):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8")), path.name == "__init__.py"
    return found


def dynamic_target(node: ast.Call) -> str | None:
    """What `__import__` or `import_module` is asked for: "?" where that is not a literal; None of another call."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name not in ("__import__", "import_module"):
        return None
    literal = node.args and isinstance(node.args[0], ast.Constant)
    return node.args[0].value if literal else "?"


def imports(node: ast.AST, module: str, is_package: bool, known: set[str]) -> Iterator[str]:
    """Modules that some code imports, as absolute names."""
    for each in ast.walk(node):
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            parts = module.split(".") if is_package else module.split(".")[:-1]
            above = parts[: len(parts) - each.level + 1] if each.level else []
            base = ".".join([*above, *([each.module] if each.module else [])])
            for alias in each.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base
        elif isinstance(each, ast.Call) and dynamic_target(each):
            yield dynamic_target(each)


def unit(module: str) -> str:
    """The part that a module belongs to: its second name within yt8m_audio, else its first."""
    first, *rest = module.split(".")
    return first if first != "yt8m_audio" else next(iter(rest), "")


def layer(module: str) -> int | None:
    """A module's layer, or None where it is not ours or has no place."""
    if module.split(".")[0] != "yt8m_audio":
        return 3 if unit(module) in ZOOS else 4 if module in SCRIPTS else None
    layers = [layer for layer, units in ((1, CONTRACTS), (2, CAPABILITIES), (4, ENTRIES)) if unit(module) in units]
    return layers[0] if layers else None


def allowed(importer: str, imported: str) -> bool:
    """Whether one module may import another."""
    above, below = layer(importer), layer(imported)
    if imported == "?":
        return above == 4
    if below is None or unit(importer) == unit(imported) or above == 4:
        return True
    return below == 1 or (unit(importer), unit(imported)) in ACROSS


SOURCES = sources()
IMPORTS = {name: sorted(set(imports(tree, name, package, set(SOURCES)))) for name, (tree, package) in SOURCES.items()}


def roots(module: str) -> set[str]:
    """First names of what a module imports."""
    return {name.split(".")[0] for name in IMPORTS[module]}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import os, models.lstm as x", ["os", "models.lstm"]),
        ("from yt8m_audio import flags, __version__", ["yt8m_audio.flags", "yt8m_audio"]),
        ("from yt8m_audio.flags import parse", ["yt8m_audio.flags"]),
        ("from . import flags", ["yt8m_audio.training"]),
        ("from .. import flags", ["yt8m_audio.flags"]),
        ("from ..flags import parse", ["yt8m_audio.flags"]),
        ("def f():\n    import readers", ["readers"]),
        ("importlib.import_module('models.lstm')", ["models.lstm"]),
        ("import_module('models.lstm')", ["models.lstm"]),
        ("__import__('models')", ["models"]),
        ("importlib.import_module(name)", ["?"]),
        ("import_module(f'models.{name}')", ["?"]),
    ],
)
def test_every_way_to_import_is_seen(code, wanted):
    assert list(imports(ast.parse(code), "yt8m_audio.training.loop", False, {"yt8m_audio.flags"})) == wanted


@pytest.mark.parametrize(
    ("importer", "imported", "may"),
    [
        ("train", "yt8m_audio.commands.assemble", True),
        ("yt8m_audio.commands.assemble", "models", True),
        ("yt8m_audio.flags", "models.base", True),
        ("models.lstm", "yt8m_audio.registry", True),
        ("models.lstm", "models.base", True),
        ("models.lstm", "yt8m_audio.training.losses", False),
        ("models.lstm", "readers", False),
        ("readers.clips", "models", False),
        ("readers.clips", "yt8m_audio.flags", False),
        ("yt8m_audio.training.loop", "yt8m_audio.evaluation", True),
        ("yt8m_audio.prediction.predictor", "yt8m_audio.training.loop", False),
        ("yt8m_audio.evaluation.metrics", "yt8m_audio.training", False),
        ("yt8m_audio.training.loop", "readers", False),
        ("yt8m_audio.training.loop", "yt8m_audio.commands", False),
        ("yt8m_audio.training.loop", "?", False),
        ("yt8m_audio.records", "yt8m_audio.errors", True),
        ("yt8m_audio.registry", "models", False),
        ("yt8m_audio.records", "yt8m_audio.sample.dataset", False),
        ("yt8m_audio.records", "train", False),
    ],
)
def test_the_rule(importer, imported, may):
    assert allowed(importer, imported) is may


def test_every_module_has_a_layer():
    assert [name for name in SOURCES if layer(name) is None] == []
    assert {unit(name) for name in SOURCES} >= SCRIPTS | ENTRIES | ZOOS | CONTRACTS


def test_imports_point_down():
    pairs = [(name, imported) for name, imported_there in IMPORTS.items() for imported in imported_there]
    assert len(pairs) > len(SOURCES)
    assert [f"{name} imports {imported}" for name, imported in pairs if not allowed(name, imported)] == []


def test_contracts_leave_tensorflow_to_records_and_replicas():
    contracts = {name for name in SOURCES if layer(name) == 1}
    assert {name for name in contracts if "tensorflow" in roots(name)} == WITH_TENSORFLOW


def test_flags_are_known_to_the_top_alone():
    assert [name for name in SOURCES if layer(name) != 4 and "absl" in roots(name)] == []


def test_models_know_no_tensorflow_and_no_files():
    models = [name for name in SOURCES if unit(name) == "models"]
    assert [name for name in models if roots(name) & {"tensorflow", "absl", *FILES}] == []
    assert [name for name in models if "yt8m_audio.records" in IMPORTS[name]] == []
    calls = [(name, node) for name in models for node in ast.walk(SOURCES[name][0]) if isinstance(node, ast.Call)]
    assert len(calls) > len(models)
    assert [name for name, call in calls if getattr(call.func, "id", "") == "open"] == []


def test_readers_know_nothing_of_keras():
    readers = [name for name in SOURCES if unit(name) == "readers"]
    assert "tensorflow" in set().union(*map(roots, readers))
    assert [name for name in readers if "keras" in roots(name)] == []
    attributes = {
        node.attr for name in readers for node in ast.walk(SOURCES[name][0]) if isinstance(node, ast.Attribute)
    }
    assert "keras" not in attributes, "tf.keras"


def imports_outside(name: str) -> set[str]:
    """Modules that a module imports outside of functions and classes."""
    tree, package = SOURCES[name]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    outside = ast.Module([node for node in tree.body if not isinstance(node, functions)], [])
    return set(imports(outside, name, package, set(SOURCES)))


def test_optional_packages_are_imported_where_they_are_needed():
    for name in SOURCES:
        assert not OPTIONAL & {each.split(".")[0] for each in imports_outside(name)} - OF_BEAM.get(name, set()), name


def test_modules_made_of_beams_classes_are_imported_where_they_are_needed():
    for name in SOURCES.keys() - OF_BEAM.keys():
        assert not OF_BEAM.keys() & imports_outside(name), name
