"""Writes a report's folder: its files are whole when the first is moved in, and the page is the last."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from yt8m_audio.errors import UserError, reason
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.evaluation.report.content import Tables, make_tables, page_content
from yt8m_audio.evaluation.report.model_card import model_card
from yt8m_audio.evaluation.report.page import page

PAGE = "index.html"


def check_folder(folder: Path) -> None:
    """Makes the folder of a report, and one in it, so that it is known to be writable before anything is computed.

    Nothing is left of them.

    Raises:
        UserError: if one of them cannot be made.
    """
    if folder.is_file():
        raise UserError(f"--report={folder} is a file: name a folder.")
    try:
        with made(folder):
            staging_in(folder).mkdir()
            staging_in(folder).rmdir()
    except OSError as error:
        raise UserError(f"--report={folder} cannot be written: {reason(error)}. Name another folder.") from error


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Makes a folder, and those above it; those that are empty in the end, and were not there before, are removed."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for each in new:
            with contextlib.suppress(OSError):  # it is not empty
                each.rmdir()


def write_report(folder: Path, evaluated: Evaluated) -> Path:
    """Writes the page, the model card and the tables behind them.

    Files of an earlier report are replaced, others that lie in the folder stay. All are written to a folder inside it
    first, and when all are whole moved out of it one by one: the tables, then `figures.json`, then the page.

    Args:
        folder: where to; made if it is not there.
        evaluated: what to report.

    Returns:
        The page, `folder/index.html`. Beside it `classes.csv` (and `classes.parquet`, where pyarrow is installed),
        `clips.csv`, `confusions.csv`, `figures.json` and `MODEL_CARD.md`.

    Raises:
        UserError: if the folder cannot be written.
    """
    check_folder(folder)
    files = _files(evaluated, make_tables(evaluated))
    try:
        with made(folder):
            _write(files, folder, staging_in(folder))
    except OSError as error:
        raise UserError(f"--report={folder} cannot be written: {reason(error)}.") from error
    return folder / PAGE


def _write(files: dict[str, Callable[[Path], None]], folder: Path, staging: Path) -> None:
    """Writes the files to the one folder, and moves them to the other when all are whole."""
    try:
        staging.mkdir()
        written = [name for name, write in files.items() if _wrote(write, folder / name, staging / name)]
        for name in set(files) - set(written):
            (folder / name).unlink(missing_ok=True)  # of an earlier report, whose other files will be gone
        for name in written:
            os.replace(staging / name, folder / name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def staging_in(folder: Path) -> Path:
    """The folder in that of a report in which it is written: on the same file system, whatever is mounted where."""
    return folder / f".partial-{os.getpid()}"


def _files(evaluated: Evaluated, tables: Tables) -> dict[str, Callable[[Path], None]]:
    """What writes each file, those last that say what the others are."""
    names = evaluated.class_names
    card, html = model_card(evaluated, tables), page(page_content(evaluated, tables))
    return {
        "classes.csv": lambda path: tables.classes.to_csv(path, index=False),
        "classes.parquet": lambda path: tables.classes.to_parquet(path, engine="pyarrow", index=False),
        "clips.csv": lambda path: named_clips(tables.clips, names).to_csv(path, index=False),
        "confusions.csv": lambda path: named_confusions(tables.confusions, names).to_csv(path, index=False),
        "MODEL_CARD.md": lambda path: path.write_text(card, encoding="utf-8"),
        "figures.json": lambda path: path.write_text(json.dumps(figures(evaluated, tables), indent=2) + "\n"),
        PAGE: lambda path: path.write_text(html, encoding="utf-8"),
    }


def figures(evaluated: Evaluated, tables: Tables) -> dict:
    """All figures that are not of a class or a clip, as JSON has them: null is what is undefined."""
    positives = tables.classes["positives"]
    return as_json(
        {
            "about": evaluated.about,
            "classes_with_positives": int((positives > 0).sum()),
            "classes_without_positives": int((positives == 0).sum()),
            "figures": evaluated.figures,
            "intervals": evaluated.intervals,
            "branches": evaluated.branches,
            "reliability": tables.reliability,
        }
    )


def named_clips(clips: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The table of clips with names in place of lists of class indices, `|` between them."""
    listed = {name: ["|".join(names[index] for index in each) for each in clips[name]] for name in ("true", "guesses")}
    places = ["|".join(map(str, each)) for each in clips["places"]]
    return clips.assign(**listed, places=places).drop(columns="clip")


def named_confusions(confusions: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The table of confusions with names beside the class indices."""
    named = {f"{key}_name": [names[index] for index in confusions[key]] for key in ("true", "above")}
    return confusions.assign(**named)


def _wrote(write: Callable[[Path], None], path: Path, staged: Path) -> bool:
    """Writes a file that will be at `path`; without the optional package that it takes, does not."""
    try:
        write(staged)
    except ImportError:
        return False
    except OSError as error:
        raise UserError(f"--report={path.parent}: {path.name} cannot be written: {reason(error)}.") from error
    return True
