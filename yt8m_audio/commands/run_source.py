"""A run's checkpoint as something to evaluate."""

import dataclasses

import readers
from yt8m_audio.commands import assemble
from yt8m_audio.commands.model_source import ModelSource, only_chosen
from yt8m_audio.commands.sources import Asked
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.scoring import scoring_function
from yt8m_audio.held_out import held_out
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.loop import build


class RunSource(ModelSource):
    """A run, and the clips to evaluate it on; it scores when a checkpoint has been restored.

    Args:
        path: the run directory.
        asked: the clips.

    Raises:
        UserError: if there is no run, or the clips do not fit it.
    """

    def __init__(self, path: str, asked: Asked):
        self.run = RunDirectory(path)
        self.config, self.checkpoints = self.run.load_config(), Checkpoints(self.run.checkpoints)
        clips, pattern = self._open(asked)
        asked = dataclasses.replace(asked, pattern=pattern)
        clips, of_ids = only_chosen(clips, asked.eval_ids)
        self.model = assemble.make_model_of(self.config)()
        about = {
            "kind": "run",
            "source": path,
            "model": self.config.model.model,
            "eval_data_pattern": pattern,
            "held_out": asked.held_out,
            **of_ids,
        }
        loss = assemble.label_loss_of(self.run, self.config)
        super().__init__(scoring_function(self.model, loss), clips, about, asked)
        build(self.model, self.dataset.element_spec)

    def restore(self, step: int) -> None:
        """Has the model of a step's checkpoint score from now on.

        Raises:
            UserError: if it is gone, damaged, or of another model.
        """
        self.checkpoints.restore(step, self.model.variables)
        self.about |= {"step": step, "checkpoint": str(self.checkpoints.path(step))}

    def _open(self, asked: Asked) -> tuple[readers.Clips, str]:
        """The clips and the pattern that they are of."""
        data = assemble.reading_as(self.config.data, asked)
        data = dataclasses.replace(data, segment_labels=data.segment_labels or asked.segment_labels)
        if asked.held_out and not data.validation_percent:
            raise UserError(f"--held_out: the run in {self.run.path} held nothing out (--validation_percent was 0).")
        pattern = assemble.test_pattern(asked.pattern, asked.flag, data)
        clips = assemble.open_like(data, pattern, asked.flag)
        if pattern == data.train_data_pattern and not asked.held_out:
            more = "; --held_out takes what it held out of them" if data.validation_percent else ""
            print(f"note: these are the records that the run was trained on{more}.")
        if asked.held_out:
            clips, _ = clips.split(held_out(data.validation_percent))
        return clips, pattern
