"""MODEL_CARD.md: what a model is, what it was measured to do, and how to do that again (Mitchell et al. 2019)."""

import re
import shlex

import numpy as np

from yt8m_audio.config import Config
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.report.content import ENOUGH_POSITIVES, Tables
from yt8m_audio.evaluation.report.headlines import headlines
from yt8m_audio.evaluation.report.ontology_tables import ontology_tables, violations
from yt8m_audio.evaluation.report.wording import (
    MISSING,
    flat_settings,
    model_name,
    provenance_rows,
    shown,
    summary,
)

MARKUP = re.compile(r"([\\`*_\[\]<>|#~$&])")
TOLD = {"num_epochs", "seed"}  # in the command to train, whatever they are
FOUND_OUT = {"feature_names", "feature_sizes", "feature_types", "num_classes", "max_frames", "reader", "cache"}
SOURCE_FLAGS = {
    "run": "train_dir",
    "predictions": "predictions",
    "saved_model": "input_model",
    "keras_file": "input_model",
}
BELOW = " > "  # in the name of a branch that begins below a root
EVAL_FLAGS = (
    "eval_data_pattern",
    "held_out",
    "eval_ids",
    "segment_labels",
    "num_classes",
    "label_map",
    "skip_corrupt_records",
    "top_k",
    "bootstrap",
)


def model_card(evaluated: Evaluated, tables: Tables) -> str:
    """Returns the card as Markdown.

    Only what was measured or set is said. A part about which nothing is known, such as the training of predictions
    that came as a file, is left out.
    """
    parts = [
        f"# Model card: {plain(model_name(evaluated))}",
        _model(evaluated.settings, len(tables.classes)),
        _use(tables),
        _data(evaluated, tables),
        _training(evaluated.settings),
        _figures(evaluated),
        _ontology(evaluated.branches),
        _limits(evaluated, tables),
        _reproduce(evaluated),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _model(settings: dict, num_classes: int) -> str:
    model, data = settings.get("model"), settings.get("data", {})
    if not model:
        return ""
    level = "frame by frame" if data.get("frame_features") else "as one vector a clip"
    takes = f"{plain(shown(data.get('feature_names')))} (size {plain(shown(data.get('feature_sizes')))})"
    said = f"{plain(model.get('model'))} takes {takes} {level}, and gives a score for each of {num_classes:,} classes."
    hyper_parameters = list(model.get("hyper_parameters", {}).items())
    return _section("Model", said, _table(("setting", "value"), hyper_parameters) if hyper_parameters else "")


def _use(tables: Tables) -> str:
    if tables.reliability is None:
        reading = "They are not between 0 and 1, and say nothing of how likely a class is."
    else:
        reading = "How far they can be read as probabilities, the reliability diagram of the report shows."
    return _section(
        "Intended use",
        "Tagging clips with these classes, from features that were made as those of the training records were. The "
        f"scores rank classes within a clip, and clips within a class. {reading}",
        "The figures below are of the evaluated clips alone. Nothing was measured on other recordings, and nothing of "
        "what follows from a wrong tag: measure both before you rely on it.",
    )


def _data(evaluated: Evaluated, tables: Tables) -> str:
    evaluated_on = f"Evaluated on {len(evaluated.scores.labels):,} clips."
    return _section(
        "Data",
        _trained_on(evaluated.settings.get("data", {})),
        f"{evaluated_on} {summary(tables.classes['positives'].tolist())}",
        _table(("evaluated", "value"), provenance_rows(evaluated.about)),
    )


def _trained_on(data: dict) -> str:
    if not data:
        return ""
    records = data.get("train_data_pattern")
    held_out = data.get("validation_percent")
    less = f", less {held_out} % of the clips, which were held out" if held_out else ""
    return f"Trained on {code(records) if records else 'the built-in sample'}{less}."


def _training(settings: dict) -> str:
    train = settings.get("train")
    if not train:
        return ""
    rows = [(name, value) for name, value in flat_settings(train) if value not in (None, "", 0)]
    versions = ", ".join(f"{plain(name)} {plain(value)}" for name, value in settings.get("versions", {}).items())
    return _section("Training", f"With {versions}." if versions else "", _table(("setting", "value"), rows))


def _figures(evaluated: Evaluated) -> str:
    rows = headlines(evaluated)
    if not evaluated.intervals:
        cells = [(row["label"], number(row["value"]), row["meaning"]) for row in rows]
        return _section("Figures", "Without intervals.", _table(("figure", "value", "meaning"), cells))
    cells = [(row["label"], number(row["value"]), _interval(row), row["meaning"]) for row in rows]
    said = "The intervals are of the choice of clips alone, by resampling them."
    return _section("Figures", said, _table(("figure", "value", "95 % interval", "meaning"), cells))


def _ontology(branches: dict | None) -> str:
    tables = ontology_tables(branches)
    parts = [part for table in tables for part in (f"{table['title']}:", _group(table))]
    return _section("Figures by the ontology", *parts, violations(branches)) if tables else ""


def _group(table: dict) -> str:
    """The table of a group, of branches those that begin at a root."""
    keys = [column["key"] for column in table["columns"]]
    rows = [row for row in table["rows"] if BELOW not in row["name"]]
    cells = [(row["name"], *(number(row.get(key)) for key in keys)) for row in rows]
    return _table(("group", *(column["label"] for column in table["columns"])), cells)


def _limits(evaluated: Evaluated, tables: Tables) -> str:
    positives = tables.classes["positives"]
    some = positives[positives > 0]
    few = int((some < ENOUGH_POSITIVES).sum())
    none = len(positives) - len(some)
    lines = [
        f"Means over classes are of {len(some):,} classes on {len(evaluated.scores.labels):,} clips. {few:,} of these "
        f"classes have fewer than {ENOUGH_POSITIVES} positives: their own figures are uncertain, and count in the "
        "means as much as any other's.",
        "Figures of other systems can be compared where they are of the same clips: their ids have the same SHA-256.",
        f"{none:,} classes have no positives here: nothing is known of them." if none else "",
        _label_noise(evaluated.label_quality),
    ]
    return _section("Limits", "\n".join(f"- {line}" for line in lines if line))


def _label_noise(quality: np.ndarray | None) -> str:
    if quality is None or np.isnan(quality).all():
        return "The labels are taken as true: one that is wrong or missing counts as a mistake of the model."
    return (
        "The labels are not all true: of the clips that people checked, "
        f"{np.nanmedian(quality):.0%} had a right label in the median class, {np.nanmin(quality):.0%} in the worst. "
        "How many labels are missing is not known."
    )


def _reproduce(evaluated: Evaluated) -> str:
    commands = [_train_command(evaluated), _eval_command(evaluated.about)]
    lines = "\n".join(" ".join(each.split()).replace("```", "'''") for each in commands if each)
    said = "The first command trains it anew, into a folder of its own; the second measures the run of this card."
    return _section("How to reproduce", said if all(commands) else "", f"```sh\n{lines}\n```") if lines else ""


def _train_command(evaluated: Evaluated) -> str:
    """The flags that differ from the defaults, but for what train.py finds out by itself; to a folder of its own."""
    if not evaluated.settings.get("model"):
        return ""
    usual, flat = Config().flat(), Config.from_dict(evaluated.settings).flat()
    given = {
        name: value
        for name, value in flat.items()
        if name not in FOUND_OUT and (name in TOLD or value != usual.get(name))
    }
    if evaluated.about.get("kind") == "run":
        given["train_dir"] = evaluated.about["source"].rstrip("/") + "-again"  # the run itself would be resumed
    return " ".join(["python train.py", *(flag(*each) for each in given.items())])


def _eval_command(about: dict) -> str:
    if about.get("kind") not in SOURCE_FLAGS:
        return ""
    given = {SOURCE_FLAGS[about["kind"]]: about["source"]}
    given |= {name: about[name] for name in EVAL_FLAGS if about.get(name)}
    given |= {"checkpoint": about["step"]} if "step" in about else {}
    return " ".join(["python eval.py", *(flag(*each) for each in given.items())])


def flag(name: str, value: object) -> str:
    """A flag as a shell takes it."""
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={shlex.quote(str(value))}"


def number(value: object) -> str:
    """A figure to four digits, a count whole, a dash where it is undefined."""
    if value is None or not np.isfinite(value):
        return MISSING
    return f"{value:.4f}" if isinstance(value, float | np.floating) else f"{value:,}"


def plain(value: object) -> str:
    """Text in which nothing is markup, on one line."""
    return MARKUP.sub(r"\\\1", " ".join(str(value).split()))


def code(value: object) -> str:
    """Text as code, on one line; a fence of more backticks than any run inside ends it."""
    text = " ".join(str(value).split())
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def _interval(row: dict) -> str:
    return f"{number(row['low'])} to {number(row['high'])}" if np.isfinite(row["low"]) else MISSING


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *filter(None, parts)])


def _table(names: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [names, ["---"] * len(names), *([plain(shown(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
