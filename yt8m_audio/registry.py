"""Models, readers and losses by name.

@register_model
class MyModel(FrameLevelModel): ...

MODELS.get("MyModel")               # an unknown name answers with the known ones and the nearest
MODELS.get("my_module:MyModel")     # the same, by its module too, once that is imported
hyper_parameters(MyModel)           # its constructor's arguments, with defaults and docstring lines
"""

import dataclasses
import inspect
import re
import sys
from typing import Any

from yt8m_audio.errors import UserError, nearest

KERAS_PACKAGE = "yt8m_audio"
BY_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Registry:
    """Classes of one kind by their own names, and by "module:Name".

    Registering a Keras class also lets Keras save and load it.
    """

    def __init__(self, kind: str, flag: str):
        self.kind, self.flag = kind, flag
        self._classes: dict[str, type] = {}

    def register(self, cls: type) -> type:
        """Class decorator: files the class under its own name and under "module:Name".

        Raises:
            UserError: if another module's class has that name.
        """
        other = self._classes.get(cls.__name__)
        if other and _file(other) != _file(cls):
            raise UserError(
                f"{cls.__module__}:{cls.__name__} has the name of another {self.kind}, "
                f"{other.__module__}:{other.__name__}: rename one of them."
            )
        self._classes[cls.__name__] = self._classes[f"{cls.__module__}:{cls.__name__}"] = cls
        if hasattr(cls, "get_config"):
            import keras  # here, for commands that need no model: its import takes seconds

            keras.saving.register_keras_serializable(package=KERAS_PACKAGE)(cls)
        return cls

    def names(self) -> list[str]:
        """Returns the registered classes' own names, sorted."""
        return sorted(name for name in self._classes if ":" not in name)

    def __contains__(self, name: str) -> bool:
        return name in self._classes

    def get(self, name: str, flag: str = "") -> type:
        """Returns the class of that name.

        Args:
            name: its own name, or "module:Name".
            flag: the flag that asks for it, where that is not the registry's own.

        Raises:
            UserError: if there is none.
        """
        if name not in self._classes:
            known = self.names()
            own = f" Your own is written {name}:ITS_CLASS." if "." in name else ""
            raise UserError(
                f"--{flag or self.flag}={name} is no {self.kind}.{nearest(name, known)}{own} Known: {', '.join(known)}."
            )
        return self._classes[name]

    def add_name(self, name: str, cls: type) -> None:
        """Files a registered class under one more "module:Name": that of a module that passes it on."""
        self._classes[name] = cls

    def names_in(self, module: str) -> list[str]:
        """Returns the "module:Name" of each class that is registered in a module, sorted."""
        return sorted(name for name in self._classes if name.startswith(f"{module}:"))


MODELS = Registry("model", "model")
READERS = Registry("reader", "reader")
LOSSES = Registry("loss", "label_loss")

register_model = MODELS.register
register_reader = READERS.register
register_loss = LOSSES.register


@dataclasses.dataclass(frozen=True)
class HyperParameter:
    """One keyword argument of a constructor, as a flag shows it."""

    name: str
    default: Any
    help: str
    type: type


def hyper_parameters(cls: type) -> dict[str, HyperParameter]:
    """Collects the keyword arguments with defaults of a class and its bases, the class's own first.

    Args without a default (`num_classes`, `feature_sizes`) are what the framework gives, not hyper-parameters. Those
    that may also be given by place count where the class itself has them: of a base they are for its classes to decide.
    """
    found: dict[str, HyperParameter] = {}
    for base in cls.__mro__:
        if base.__module__.split(".")[0] == "keras" or "__init__" not in vars(base):
            continue
        help_lines, kinds = argument_help(base), (BY_KEYWORD if base is cls else BY_KEYWORD[:1])
        for name, parameter in inspect.signature(base.__init__).parameters.items():
            if parameter.kind in kinds and parameter.default is not parameter.empty:
                kind = _flag_type(parameter)
                found.setdefault(name, HyperParameter(name, parameter.default, help_lines.get(name, ""), kind))
    return found


def argument_help(cls: type) -> dict[str, str]:
    """Reads the "Args:" or "Attributes:" section of a class's docstring: name -> help, on one line each."""
    section = re.search(r"^(?:Args|Attributes):\n((?:[ \t]+.*\n?|\n)*)", inspect.cleandoc(cls.__doc__ or ""), re.M)
    entries = re.findall(r"^ {4}(\w+): ((?:.*\n?)(?: {5,}.*\n?)*)", section.group(1) if section else "", re.M)
    return {name: " ".join(text.split()) for name, text in entries}


def _file(cls: type) -> str:
    """Where a class stands: its module's file, which is the same where the module runs as a script, else its name."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__


def _flag_type(parameter: inspect.Parameter) -> type:
    """A parameter's type: its default's, or where that is None its annotation's."""
    if parameter.default is not None:
        return type(parameter.default)
    named = str(parameter.annotation).removesuffix(" | None").removeprefix("<class '").removesuffix("'>")
    return {"int": int, "float": float, "bool": bool}.get(named, str)
