"""How well does each model learn AudioSet's balanced split? `make quality` fills the table of docs/models.md.

Every registered model is trained by train.py with one recipe and one seed on nine tenths of bal_train, with its default
hyper-parameters and its recommended learning rate, and evaluated by eval.py on the tenth that is held out by a hash of
the video id. A model whose run is whole is not trained again; runs lie in runs/quality/MODEL.
"""

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.datasets import audioset_pattern
from benchmarks.pages import put_between
from yt8m_audio.flags import quieten_tensorflow

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "runs" / "quality"
RECIPE = ("--validation_percent=10", "--batch_size=128", "--num_epochs=5", "--precision=mixed_bfloat16", "--seed=0")
MOST_SECONDS = 20 * 60  # of training


@dataclasses.dataclass(frozen=True)
class Quality:
    """What one model reached.

    Attributes:
        model: its name.
        step: of the checkpoint that was evaluated, the best by mAP.
        mAP: macro mean average precision.
        auc: macro mean of the area under the ROC curve.
        d_prime: of that mean.
        seconds: time that train.py took, validations included.
        whole: whether it came to its end within MOST_SECONDS.
    """

    model: str
    step: int
    mAP: float  # noqa: N815  the field's word
    auc: float
    d_prime: float
    seconds: float
    whole: bool


def quality_of(name: str, pattern: str) -> Quality:
    """Trains and evaluates one model, or reads what came of it before."""
    run = RUNS / name
    done = run / "quality.json"
    if not done.exists() or json.loads(done.read_text())["recipe"] != list(RECIPE):
        begun = time.monotonic()
        train = ["train.py", f"--train_data_pattern={pattern}", f"--model={name}", f"--train_dir={run}", *RECIPE]
        whole = _run([*train, "--start_new_model"], MOST_SECONDS)
        seconds = time.monotonic() - begun
        _run(["eval.py", f"--train_dir={run}", f"--eval_data_pattern={pattern}", "--held_out"])
        found = json.loads((run / "eval" / "metrics.json").read_text())
        figures = {key: found[key] for key in ("step", "mAP", "auc", "d_prime")}
        written = {"model": name, **figures, "seconds": seconds, "whole": whole, "recipe": RECIPE}
        done.write_text(json.dumps(written) + "\n")
    return Quality(**{key: value for key, value in json.loads(done.read_text()).items() if key != "recipe"})


def _run(command: Sequence[str], most_seconds: float | None = None) -> bool:
    """Runs a script; one that takes too long is asked to stop and leaves its checkpoint. Whether it came to its end."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT)
    try:
        status = process.wait(most_seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        return False
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}.")
    return True


def table(found: Sequence[Quality]) -> str:
    """The results as a table in Markdown, best first."""
    lines = ["| model | mAP | AUC | d′ | best step | minutes |", "|---|---|---|---|---|---|"]
    for each in sorted(found, key=lambda one: -one.mAP):
        figures = f"{each.mAP:.3f} | {each.auc:.3f} | {each.d_prime:.2f} | {each.step:,} | {each.seconds / 60:.1f}"
        lines.append(f"| {each.model} | {figures}{'' if each.whole else ', stopped'} |")
    return "\n".join(lines)


def main(asked: Sequence[str]) -> None:
    """Trains the models asked for, all where none are, and writes the table of all that are trained."""
    quieten_tensorflow()
    import models  # noqa: F401  registers the models
    from yt8m_audio.registry import MODELS

    pattern = audioset_pattern()
    if "bal_train" not in pattern:
        raise SystemExit("AudioSet's records are missing: AUDIOSET_DIR names the folder with features/bal_train.")
    for name in asked or MODELS.names():
        print(quality_of(name, pattern), flush=True)
    found = [quality_of(name, pattern) for name in MODELS.names() if (RUNS / name / "quality.json").exists()]
    put_between(ROOT / "docs" / "models.md", "quality", table(found))


if __name__ == "__main__":
    main(sys.argv[1:])
