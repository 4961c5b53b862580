"""Models outside the repository: `--model=my_package.my_module:MyModel` imports the module and takes its class.

The module is any that Python can import, from the current directory or PYTHONPATH; its class stands under
@register_model, as those in models/ do. Everything else follows from the class: flags, config.json, checkpoints.
"""

import contextlib
import importlib
import os
import sys
import traceback
import types
from collections.abc import Iterator

import models  # noqa: F401  registers the models
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.registry import MODELS


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
        what = next(iter(str(error).strip().splitlines()), "")
    kind = type(error).__name__
    return UserError(f"{asked}: {name} cannot be imported: {kind}: {what} ({where[0]}, line {where[1]}).")


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
