"""Models outside the repository: `--model=my_package.my_module:MyModel` imports the module and takes its class.

The module is any that Python can import, from the current directory or PYTHONPATH; its class stands under
@register_model, as those in models/ do. Everything else follows from the class: flags, config.json, checkpoints.
"""

import contextlib
import importlib
import inspect
import os
import sys
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

import keras

import models  # noqa: F401  registers the models
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.registry import MODELS

LIBRARIES = {"keras", "tensorflow", "jax", "jaxlib", "numpy", "yt8m_audio", *sys.stdlib_module_names}


def find_model(name: str, flag: str = "model") -> type:
    """Returns the model of a name: one of ours, or "module:Name", whose module is imported.

    Args:
        name: what the flag says.
        flag: the flag that says it.

    Raises:
        UserError: if there is no such model, or its module cannot be imported.
    """
    if ":" not in name or name in MODELS:
        return MODELS.get(name, flag)
    asked, (module_name, _, class_name) = f"--{flag}={name}", name.rpartition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), class_name)) or module_name.endswith(".py"):
        raise UserError(f"{asked}: write the module as Python imports it, such as my_package.my_module:MyModel.")
    module = _imported(module_name, asked)
    if name not in MODELS:
        MODELS.add_name(name, _passed_on(module, class_name, asked))
    return MODELS.get(name)


def _imported(name: str, asked: str) -> types.ModuleType:
    """Imports a module of the user's."""
    try:
        with _current_directory_first():
            return importlib.import_module(name)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise _missing(error.name, asked) from error
        raise _failing(name, asked, error) from error
    except Exception as error:
        raise _failing(name, asked, error) from error


@contextlib.contextmanager
def _current_directory_first() -> Iterator[None]:
    """Has Python look into the current directory first, and afterwards last: names of ours stay ours."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)


def _missing(name: str, asked: str) -> UserError:
    """The error about a module that there is not: in the package that would hold it, or at all."""
    package = sys.modules.get(name.rpartition(".")[0])
    where = f" in {next(iter(package.__path__))}" if hasattr(package, "__path__") else ""
    return UserError(
        f"{asked}: there is no module {name}{where}. Modules are looked for from the current directory ({os.getcwd()}) "
        "and PYTHONPATH."
    )


def _failing(name: str, asked: str, error: Exception) -> UserError:
    """The error about a module that raises one when it is imported: its kind, its first line and where it arose."""
    if isinstance(error, SyntaxError):
        where, what = (error.filename, error.lineno), error.msg
    else:
        frames = [each for each in traceback.extract_tb(error.__traceback__) if each.name == "<module>"]
        where = (frames[-1].filename, frames[-1].lineno) if frames else (name, 1)
        what = _first_line(error)
    kind = type(error).__name__
    return UserError(f"{asked}: {name} cannot be imported: {kind}: {what} ({where[0]}, line {where[1]}).")


@contextlib.contextmanager
def said_of_model(name: str, hyper_parameters: dict[str, Any]) -> Iterator[None]:
    """Turns whatever a model's code raises while it is made and called into one line: what, and where in that code.

    Keras leaves its errors as they are meanwhile: it would put a headline in front, and take the frames away. Warnings
    come when the model is made for good.

    Args:
        name: the model's, as --model says it.
        hyper_parameters: what it is made of.

    Raises:
        UserError: about what was raised.
    """
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"--model={name} cannot be made of {hyper_parameters}: {_cause(error)}") from error
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()


def _cause(error: Exception) -> str:
    """An error's kind, its first line that says something, and where in a model's code it arose."""
    frames = list(traceback.walk_tb(error.__traceback__))
    last, what = frames[-1][0], _first_line(error)
    if isinstance(error, NotImplementedError) and not what and "self" in last.f_locals:
        cls = type(last.f_locals["self"])
        return f"{cls.__name__} has no method {last.f_code.co_name} ({_place_of(cls)})."
    kind = type(error).__name__
    places = [(_module(frame), frame.f_code.co_filename, line) for frame, line in frames]
    places = [each for each in places if each[0].split(".")[0] not in LIBRARIES and each[0] != "models.base"]
    theirs = [each for each in places if not each[0].startswith("models.")] or places
    where = f" ({theirs[-1][1]}, line {theirs[-1][2]})" if theirs else ""
    return f"{kind}: {what.rstrip('.')}{where}." if what else f"{kind}{where}."


def _first_line(error: Exception) -> str:
    """The first line of an error that is not empty, or ""."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")


def _module(frame: types.FrameType) -> str:
    return frame.f_globals.get("__name__", "")


def _place_of(cls: type) -> str:
    """The file and the line where a class begins, or its module where there is no source."""
    try:
        return f"{inspect.getsourcefile(cls)}, line {inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):
        return cls.__module__


def _passed_on(module: types.ModuleType, class_name: str, asked: str) -> type:
    """The registered class that a module has of another one.

    Raises:
        UserError: if it has none.
    """
    found = getattr(module, class_name, None)
    if isinstance(found, type) and class_name in MODELS and MODELS.get(class_name) is found:
        return found
    if isinstance(found, type):
        raise UserError(f"{asked} is not registered: put @register_model (of yt8m_audio.registry) above the class.")
    known = MODELS.names_in(module.__name__)
    there = f" Registered there: {', '.join(known)}." if known else " No model is registered there."
    raise UserError(
        f"{asked}: {module.__name__} has no class {class_name}."
        f"{nearest(f'{module.__name__}:{class_name}', known)}{there}"
    )
