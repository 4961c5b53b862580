"""Scores that a model gives of records: what a run and an exported model have in common."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from readers import Clips
from yt8m_audio.commands.sources import Asked
from yt8m_audio.evaluation.eval_ids import chosen, read_ids
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.scoring import scored_batches


class ModelSource:
    """A model and the records that it is evaluated on.

    Args:
        score_batch: gives the probabilities [B, C] and losses [B] of a batch.
        clips: the records.
        about: what the model is.
        asked: the command line.
    """

    def __init__(self, score_batch: Callable, clips: Clips, about: dict, asked: Asked):
        self.score_batch, self.clips, self.where = score_batch, clips, asked.where
        self.about = {**about, **dataclasses.replace(asked, num_classes=None).stated()}  # the model has its own
        self.num_classes, self.label_map = clips.data.num_classes, clips.data.label_map
        self.dataset = clips.in_order(asked.batch_size)

    def __len__(self) -> int:
        return len(self.clips)

    def batches(self) -> Iterator[Scores]:
        """Gives the scores of all clips once."""
        with self.clips.errors_explained():
            yield from scored_batches(self.score_batch, self.dataset)

    def lost_lines(self) -> list[str]:
        """What there is to say of corrupt records."""
        return self.clips.lost_lines(once=True)


def only_chosen(clips: Clips, eval_ids: str) -> tuple[Clips, dict]:
    """Those of the clips that a file of ids names, all where there is none, and what there is to state of that.

    Raises:
        UserError: if it names none of them.
    """
    if not eval_ids:
        return clips, {}
    numbers = np.arange(len(clips.store)) if clips.selection is None else clips.selection
    kept, not_found = chosen(clips.store.video_ids()[numbers], read_ids(eval_ids), eval_ids)
    return dataclasses.replace(clips, selection=numbers[kept]), told_of_ids(eval_ids, not_found)


def told_of_ids(eval_ids: str, not_found: int) -> dict:
    """Says how many of the ids of a file no clip has, and returns what there is to state."""
    if not_found:
        print(f"note: --eval_ids={eval_ids}: no clip here has {not_found:,} of its ids.")
    return {"eval_ids": eval_ids, "eval_ids_not_found": not_found}
