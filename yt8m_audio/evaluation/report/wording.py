"""How a report words what it is told: settings, and where an evaluation comes from."""

from yt8m_audio.evaluation.evaluated import Evaluated

MISSING = "–"
KNOWN = {
    "ids_sha256": "SHA-256 of the sorted ids",
    "eval_ids": "Restricted to ids of",
    "held_out": "Held-out clips only",
    "exact": "All figures exact",
}


def title(evaluated: Evaluated) -> str:
    """Names the model and how much it was evaluated on."""
    return f"{model_name(evaluated)} on {len(evaluated.scores.labels):,} clips"


def model_name(evaluated: Evaluated) -> str:
    """The model of the run, or whatever the scores come from."""
    about = evaluated.about
    return str(
        evaluated.settings.get("model", {}).get("model") or about.get("model") or about.get("source") or "Scores"
    )


def summary(num_positives: list[int]) -> str:
    """Says how many classes could be measured, from the positives of each."""
    some = sum(count > 0 for count in num_positives)
    none = len(num_positives) - some
    rest = f"; {none:,} have none, and so no figures of their own" if none else ""
    return f"{some:,} of {len(num_positives):,} classes have positives among these clips{rest}."


def provenance_rows(about: dict) -> list[tuple[str, str]]:
    """What is told of an evaluation, as (name, text), in its order."""
    return [(KNOWN.get(key, _spelled(key)), shown(value)) for key, value in about.items()]


def flat_settings(settings: dict, above: str = "") -> list[tuple[str, object]]:
    """Returns nested settings as (name, value), those of inner dicts behind the name of the outer one."""
    rows = []
    for name, value in settings.items():
        inner = isinstance(value, dict)
        rows += flat_settings(value, f"{above}{name} · ") if inner else [(f"{above}{name}", value)]
    return rows


def shown(value: object) -> str:
    """A setting as text; a dash is one that is not set."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) >= 1000:
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or MISSING
    if isinstance(value, dict):
        return ", ".join(f"{key}: {shown(each)}" for key, each in value.items()) or MISSING
    return str(value)


def _spelled(key: str) -> str:
    words = str(key).replace("_", " ")
    return words[:1].upper() + words[1:]
