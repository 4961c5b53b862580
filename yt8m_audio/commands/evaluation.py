"""What eval.py does: scores a run's checkpoint on some clips, and shows the figures."""

import dataclasses
import time

from rich.console import Console
from rich.table import Table

import readers
from yt8m_audio.commands import assemble
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.scoring import score, scoring_function
from yt8m_audio.flags import EvalFlags
from yt8m_audio.run_directory import RunDirectory, write_json
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.loop import build
from yt8m_audio.training.progress import MetricsLog, ProgressLine, finite

MEANINGS = {
    "hit@1": "clips whose highest class is true",
    "perr": "precision at equal recall rate",
    "gap": "global average precision of each clip's {k} best",
    "map": "the starter's MAP, of each clip's {k} best",
    "mAP": "AudioSet's mean average precision, full ranking",
    "auc": "area under the ROC curve, mean over classes",
    "d_prime": "of the mean AUC",
    "d_prime_class_mean": "mean of the classes' own d'",
    "loss": "label loss a clip",
}


class Evaluator:
    """A run and the clips to evaluate it on.

    Args:
        asked: the command line.

    Raises:
        UserError: if there is no run, or the clips do not fit it.
    """

    def __init__(self, asked: EvalFlags):
        self.asked, self.run = asked, RunDirectory(asked.train_dir)
        self.config = self.run.load_config()
        self.checkpoints = Checkpoints(self.run.checkpoints)
        data = assemble.reading_as(self.config.data, asked)
        data = dataclasses.replace(data, segment_labels=data.segment_labels or asked.segment_labels)
        if asked.held_out and not data.validation_percent:
            raise UserError(f"--held_out: the run in {self.run.path} held nothing out (--validation_percent was 0).")
        self.pattern = assemble.test_pattern(asked.eval_data_pattern, "eval_data_pattern", data)
        self.clips = assemble.open_like(data, self.pattern, "eval_data_pattern")
        if self.pattern == data.train_data_pattern and not asked.held_out:
            more = "; --held_out takes what it held out of them" if data.validation_percent else ""
            print(f"note: these are the records that the run was trained on{more}.")
        if asked.held_out:
            self.clips, _ = self.clips.split(readers.held_out(data.validation_percent))
        self.batches = self.clips.in_order(asked.batch_size)
        self.model = assemble.make_model_of(self.config)()
        build(self.model, self.batches.element_spec)
        self.score_batch = scoring_function(self.model, assemble.label_loss_of(self.run, self.config))
        self.log = MetricsLog(self.run.logs("eval"), self.run.metrics_file, "eval")
        self.line = ProgressLine()

    def evaluate_step(self, step: int) -> dict:
        """Evaluates the checkpoint of a step; prints, logs and writes what comes out."""
        self.checkpoints.restore(step, self.model.variables)
        figures = self.figures()
        folder = self.run.path / "eval"
        folder.mkdir(exist_ok=True)
        asked = {"top_k": self.asked.top_k, "held_out": self.asked.held_out, "eval_data_pattern": self.pattern}
        write_json(folder / "metrics.json", {**finite(figures), "step": step, **asked})
        tags = {"Loss": "loss", "Hit@1": "hit@1", "PERR": "perr", "GAP": f"gap@{self.asked.top_k}"}
        self.log.write(step, {**figures, **{tag: figures[name] for tag, name in tags.items()}})
        self.show(figures, step)
        print(f"Written to {folder / 'metrics.json'}.", flush=True)
        return figures

    def figures(self) -> dict:
        """Scores all clips, and computes every metric."""
        total = len(self.clips)

        def progress(done):
            self.line.show(f"{done:,} of {total:,} clips")

        with self.clips.errors_explained():
            scores = score(self.score_batch, self.batches, total, self.config.data.num_classes, progress)
        self.line.say("")
        for line in self.clips.lost_lines():
            print(line)
        if not scores.labels.any():
            raise UserError(
                f"None of the {len(scores.labels):,} clips of --eval_data_pattern={self.pattern} has a label: there is "
                "nothing to evaluate. inference.py predicts such clips."
            )
        measured = {"loss": scores.loss, "num_unrated": scores.num_unrated}
        return evaluate(scores.probabilities, scores.labels, self.asked.top_k, **measured)

    def show(self, figures: dict, step: int) -> None:
        """Prints the figures as a table."""
        table = Table(
            title=f"{self.config.model.model} at step {step:,} on {figures['clips']:,} clips", title_justify="left"
        )
        table.add_column("metric")
        table.add_column("value", justify="right")
        table.add_column("meaning")
        for name, value in figures.items():
            meaning = MEANINGS.get(name.split("@")[0] if name != "hit@1" else name)
            if meaning:
                table.add_row(name, f"{value:.4f}", meaning.format(k=self.asked.top_k))
        Console(width=None if self.line.live else 100).print(table)

    def watch(self) -> None:
        """Evaluates the newest checkpoint whenever there is a new one, and sleeps in between."""
        seen = None
        while True:
            step = max(self.checkpoints.steps(), default=None)
            if step is not None and step != seen:
                self.evaluate_step(step)
                seen = step
            else:
                time.sleep(self.asked.poll_seconds)
