"""python -m yt8m_audio models [NAME]: lists the models, or says everything of one.

Its hyper-parameters and the shape of what it is fed are flags, for what the model costs and for its diagram; no weight
is allocated for either.
"""

import dataclasses
import inspect
import json
import re
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.commands.assemble import complete_model
from yt8m_audio.commands.model_cost import (
    SHAPES,
    clip_placeholders,
    cost,
    docstring_shape,
    trained_parameters,
    written,
)
from yt8m_audio.commands.model_diagram import Call, diagram, watch
from yt8m_audio.commands.outside_models import find_model, said_of_model
from yt8m_audio.config import DataConfig, ModelConfig
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, Parser
from yt8m_audio.progress_line import ProgressLine
from yt8m_audio.registry import MODELS

ABOUT = "Lists the models; of a NAME, says its flags, layers and cost, and draws how tensors flow through it."


@dataclasses.dataclass(frozen=True)
class ModelsFlags:
    """What is shown.

    Attributes:
        name: Model to show, one of ours or my_package.my_module:MyModel. All of ours when not given.
        json: Print JSON.
        num_frames: Frames of the clip that the model is fed.
        feature_sizes: Sizes of its features, with commas between.
        num_classes: Number of classes.
    """

    name: str = dataclasses.field(default="", metadata=POSITIONAL)
    json: bool = False
    num_frames: int = 10
    feature_sizes: str = "128"
    num_classes: int = 527


def main(argv) -> int:
    """Prints the table of all models, or what there is to say of one."""
    parser = Parser(argv, ABOUT, [ModelsFlags])
    name = parser.first_argument()
    if name:
        parser.define_model(name, {})
    given = parser.finish()
    shape = asked_shape(parser)
    if not name:
        show_all(parser.value("json"), *shape)
        return 0
    settings = {each: given[each] for each in parser.model_flags if each in given}
    found = described(name, shape, settings)
    found["flags"] = flag_rows(parser, found["settings"].get("input_normalization"))
    if parser.value("json"):
        print(json.dumps({key: value for key, value in found.items() if key != "summary"}, indent=2, default=vars))
    else:
        show_one(found)
    return 0


def asked_shape(parser: Parser) -> tuple[int, tuple[int, ...], int]:
    """Frames, feature sizes and classes, as the flags say.

    Raises:
        UserError: if one is not at least 1.
    """
    sizes = DataConfig(feature_sizes=parser.value("feature_sizes")).sizes
    numbers = {"num_frames": parser.value("num_frames"), "num_classes": parser.value("num_classes")}
    for name, least in {**numbers, "feature_sizes": min(sizes, default=0)}.items():
        if least < 1:
            raise UserError(f"--{name}={parser.value(name)} must be at least 1.")
    return numbers["num_frames"], tuple(sizes), numbers["num_classes"]


# The table of all


def show_all(as_json: bool, *shape) -> None:
    """Prints what each model is and costs, in one shape."""
    classes = [MODELS.get(name) for name in MODELS.names()]
    if as_json:
        print(json.dumps([{**card(cls), **vars(cost(cls, *shape))} for cls in classes], indent=2))
        return
    table = Table(title=f"Models, with default hyper-parameters, of {in_words(*shape)}", title_justify="left")
    for column in ("name", "level", "cost of a clip", "paper", "idea"):
        table.add_column(column, overflow="fold")
    for cls in classes:
        row = {name: escape(text) for name, text in card(cls).items()}
        table.add_row(row["name"], row["level"], cost_in_words(cls, *shape), short(row["paper"]), row["about"])
    console().print(table)
    print("Everything of one: python -m yt8m_audio models NAME")


def cost_in_words(cls: type, *shape) -> str:
    """What a model costs, on two lines: as its docstring says, at once, where it is of just that shape, or counted."""
    text = " ".join((cls.__doc__ or "").split())
    stated = re.search(rf"Cost of a clip:.*? ([^;:]+) for {docstring_shape(*shape)}[;.]", text)
    return (stated.group(1) if stated and shape in SHAPES else written(cost(cls, *shape))).replace(", ", "\n")


def card(cls: type) -> dict[str, str]:
    """A model in short: its name, level, paper and first line."""
    text = inspect.cleandoc(cls.__doc__ or "")
    paper = re.search(r"^Paper: ((?:.+\n?)+)", text, re.M)
    return {
        "name": cls.__name__,
        "level": cls.level,
        "paper": " ".join(paper.group(1).split()).rstrip(".") if paper else "",
        "about": text.split("\n", 1)[0],
    }


def short(paper: str) -> str:
    """A paper without remarks on it: up to the first semicolon or arXiv number."""
    return re.match(r"[^;]*?arXiv:[\d.]*\d|[^;]*", paper).group()


def in_words(num_frames: int, feature_sizes: tuple[int, ...], num_classes: int) -> str:
    """A shape, such as "300 × (1024 + 128) → 3862": models of several features cost what each of them takes."""
    sizes = " + ".join(map(str, feature_sizes))
    return f"{num_frames} × {f'({sizes})' if len(feature_sizes) > 1 else sizes} → {num_classes}"


# Everything of one


def described(name: str, shape: tuple, settings: dict[str, Any]) -> dict[str, Any]:
    """Everything there is to say of a model in one shape.

    Raises:
        UserError: if it cannot be made of the settings.
    """
    cls = find_model(name)
    complete = complete_model(ModelConfig(name, settings)).hyper_parameters
    with said_of_model(name, complete):
        layers, summary, parameters = traced(cls, shape, complete)
        costs = {in_words(*each): cost(cls, *each, complete) for each in dict.fromkeys((shape, *SHAPES))}
    return {
        **card(cls),
        "docstring": inspect.cleandoc(cls.__doc__ or ""),
        "recommended_learning_rate": cls.recommended_learning_rate,
        "recommended_input_normalization": cls.recommended_input_normalization,
        "settings": complete,
        "shape": in_words(*shape),
        "parameters": parameters,
        "costs": costs,
        "layers": layers,
        "summary": summary,
    }


def traced(cls: type, shape: tuple, settings: dict[str, Any]) -> tuple[list[Call], str, int]:
    """A model's diagram, Keras' summary of it, and how many numbers are trained."""
    num_frames, feature_sizes, num_classes = shape
    with tf.Graph().as_default():
        model = cls(num_classes=num_classes, feature_sizes=feature_sizes, **settings)
        clip = clip_placeholders(model, num_frames)
        model(clip, training=False)  # builds
        lines: list[str] = []
        model.summary(print_fn=lines.append, expand_nested=True)
        return watch(model, clip), "\n".join(lines), trained_parameters(model)


def flag_rows(parser: Parser, normalization: str) -> list[dict[str, Any]]:
    """The flags of a model: names, defaults and help."""
    defaults = {name: parser.values[name].default for name in parser.model_flags}
    defaults["input_normalization"] = normalization
    return [{"name": name, "default": defaults[name], "help": parser.values[name].help} for name in parser.model_flags]


def show_one(found: dict[str, Any]) -> None:
    """Prints everything of a model."""
    screen = console()
    prose = re.split(r"^(?:Args|Raises):", found["docstring"], maxsplit=1, flags=re.M)[0]
    prose = re.sub(r"^Cost of a clip: (?:.+\n)+\n*", "", prose, flags=re.M).strip()
    screen.print(f"[bold]{escape(found['name'])}[/bold] ({found['level']} level)\n\n{escape(prose)}\n", highlight=False)
    facts = Table.grid(padding=(0, 2))
    facts.add_row("learning rate", f"{found['recommended_learning_rate']:g} recommended")
    facts.add_row("inputs", f"{found['recommended_input_normalization']} normalisation recommended")
    for shape, each in found["costs"].items():
        facts.add_row(shape, written(each))
    screen.print(facts)
    screen.print(flag_table(found["flags"]))
    screen.print(f"\nLayers, of {found['shape']}")
    screen.print(found["summary"].strip("\n"), markup=False, highlight=False, soft_wrap=True)
    screen.print(f"\nFlow of one clip, of {found['shape']}")
    screen.print(diagram(found["layers"]))


def flag_table(rows: list[dict[str, Any]]) -> Table:
    """The flags of a model."""
    table = Table(title="\nFlags", title_justify="left")
    for column in ("flag", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(f"--{row['name']}", escape(str(row["default"])), escape(row["help"]))
    return table


def console() -> Console:
    """A terminal, or a page of 120 columns."""
    return Console(width=None if ProgressLine().live else 120)
