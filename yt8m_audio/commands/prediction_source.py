"""A file of predictions as something to evaluate, against the labels of records or of AudioSet's lists."""

from collections.abc import Iterator

import numpy as np

import readers
from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.segments import is_segments_file, read_segments
from yt8m_audio.commands.model_source import told_of_ids
from yt8m_audio.commands.sources import Asked
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.eval_ids import chosen, read_ids
from yt8m_audio.evaluation.prediction_files import Predictions, read_predictions
from yt8m_audio.evaluation.provenance import segment_names
from yt8m_audio.evaluation.scores import Scores
from yt8m_audio.evaluation.sparse_rows import SparseRows, joined, sparse
from yt8m_audio.evaluation.truth import Truth, joined_batches, places_in
from yt8m_audio.labels import AUDIOSET_CLASSES, label_map_for, read_label_map


class PredictionSource:
    """A file of predictions, and what is true of the clips.

    Args:
        path: the file.
        asked: the clips.

    Raises:
        UserError: if it cannot be read, or does not fit the clips.
    """

    def __init__(self, path: str, asked: Asked):
        self.predictions, self.label_map = read_predictions(path, asked.named(path)), asked.label_map
        self.where, self.batch_size, self.lost = asked.where, asked.batch_size, []
        truth, self.num_classes = self._read_truth(asked)
        self.about = {"kind": "predictions", "source": path, "model": path, "eval_data_pattern": asked.pattern}
        if asked.eval_ids:
            kept, not_found = chosen(truth.video_ids, read_ids(asked.eval_ids), asked.eval_ids)
            truth = truth.only(kept)
            self.about |= told_of_ids(asked.eval_ids, not_found)
        self.truth, self.places = truth, places_in(self.predictions, truth, self.where)
        self.about |= {**self._told(), **asked.stated()}

    def __len__(self) -> int:
        return len(self.truth)

    def batches(self) -> Iterator[Scores]:
        """Gives the scores of all clips once."""
        return joined_batches(self.predictions, self.truth, self.places, self.num_classes, self.batch_size)

    def lost_lines(self) -> list[str]:
        """What there is to say of corrupt records."""
        return self.lost

    def _read_truth(self, asked: Asked) -> tuple[Truth, int]:
        """What is true of the clips, and how many classes there are."""
        asked_for = told_num_classes(self.predictions, asked)
        if is_segments_file(asked.pattern):
            num_classes = asked_for or AUDIOSET_CLASSES
            truth = truth_of_segments(asked, num_classes)
        else:
            clips = open_records(asked, asked_for)
            num_classes = clips.data.num_classes
            by_segment = clips.data.segment_labels
            truth = truth_of_ratings(clips, asked.batch_size) if by_segment else truth_of_records(clips)
            self.lost = clips.lost_lines(once=True)
        check_fit(self.predictions, num_classes)
        return truth, num_classes

    def _told(self) -> dict:
        """Says what is left out and what counts as 0, and returns what there is to state of that."""
        others = len(self.predictions) - len(self.truth)
        listed = self.predictions.scores.counts[self.places]
        least, most, path = int(listed.min()), int(listed.max()), self.predictions.asked
        if others:
            print(f"note: {others:,} of the {len(self.predictions):,} clips of {path} are not among those evaluated.")
        if least < self.num_classes:
            some = f"{most}" if least == most else f"{least} to {most}"
            print(f"note: {path} lists {some} of the {self.num_classes} classes of a clip; the others count as 0.")
        return {"predictions_left_out": others, "least_classes_listed": least, "most_classes_listed": most}


def told_num_classes(predictions: Predictions, asked: Asked) -> int | None:
    """How many classes there are by what was given with the predictions; None where nothing tells."""
    if asked.num_classes:
        label_map_for(asked.label_map, asked.num_classes)  # which must have as many
        return asked.num_classes
    if asked.label_map:
        return len(read_label_map(asked.label_map))
    return predictions.scores.least_classes if predictions.scores.classes is None else None


def check_fit(predictions: Predictions, num_classes: int) -> None:
    """Raises a UserError where predictions are of other classes than there are."""
    least = predictions.scores.least_classes
    said = f"and there are {num_classes} classes: where predictions are of others, --label_map or --num_classes tells."
    if predictions.scores.classes is None and least != num_classes:
        raise UserError(f"{predictions.asked} lists {least} scores of a clip, {said}")
    if least > num_classes:
        row = predictions.scores.row_of(int(predictions.scores.classes.argmax()))
        name = predictions.video_ids[row].decode(errors="replace")
        raise UserError(f"{predictions.asked} lists class {least - 1} for the clip {name}, {said}")


def open_records(asked: Asked, num_classes: int | None) -> readers.Clips:
    """Opens records for their labels."""
    data = DataConfig(
        num_classes=num_classes,
        segment_labels=asked.segment_labels,
        skip_corrupt_records=asked.skip_corrupt_records,
        num_readers=asked.num_readers,
    )
    return readers.open_clips(asked.pattern, asked.flag, data)


def truth_of_records(clips: readers.Clips) -> Truth:
    """Reads the labels of records, and no features."""
    found = clips.described()
    values, counts = found.labels
    labels = SparseRows(values.astype(np.int32), np.ones(len(values), np.uint8), counts)
    return Truth(found.video_id, found.video_id, found.start_time, labels)


def truth_of_ratings(clips: readers.Clips, batch_size: int) -> Truth:
    """Reads the ratings of segments."""
    parts = []
    with clips.errors_explained():
        for batch in clips.in_order(batch_size):
            real = batch["example_weights"].numpy() > 0
            ids, times = batch["video_id"].numpy()[real], batch["start_time"].numpy()[real]
            names = segment_names(ids, times) if "label_weights" in batch else ids
            tables = [batch[key].numpy()[real] for key in ("labels", "label_weights") if key in batch]
            parts.append((names, ids, times, *map(sparse, tables)))
    names, ids, times, *tables = zip(*parts, strict=True)
    return Truth(*map(np.concatenate, (names, ids, times)), *(joined(list(each)) for each in tables))


def truth_of_segments(asked: Asked, num_classes: int) -> Truth:
    """Reads the labels of a list of AudioSet's segments."""
    found = read_segments(asked.pattern, class_ids_for(asked.label_map, num_classes), asked.flag)
    labels = SparseRows(found.label_values, np.ones(len(found.label_values), np.uint8), found.label_counts)
    return Truth(found.video_ids, found.video_ids, found.start_times, labels)
