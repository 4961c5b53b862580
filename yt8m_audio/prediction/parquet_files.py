"""Predictions as Parquet, a row a clip, as yt8m_audio.evaluation.prediction_files reads them:

    video_id               string, or binary in a file of which some id is not UTF-8
    start_time, end_time   float, seconds
    labels                 list<int32>: class indices, best first; not where `scores` lists all classes in order
    names                  list<string>: their display names, where asked for
    scores                 list<float>: their probabilities

Needs pyarrow.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.prediction.kept_classes import kept_classes
from yt8m_audio.prediction.packed_rows import in_blocks, packed, unpacked
from yt8m_audio.prediction.predicted import Predicted

GROUP_VALUES = 1 << 21  # scores in a row group, which is what has to fit into memory
MOST_GROUP_ROWS = 1 << 16


class LabelsParquet:
    """Ranked labels as Parquet.

    Args:
        names: display names by class index, to add the column `names`; None adds none.

    Raises:
        UserError: if there is no pyarrow.
    """

    def __init__(self, names: Sequence[str] | None = None):
        check_pyarrow()
        self.names = names

    def header(self) -> bytes:
        """There is none."""
        return b""

    def rows(self, predicted: Predicted) -> bytes:
        """A piece of a part."""
        return packed(predicted)

    def combine(self, parts: Sequence[Path], out: Path) -> None:
        """Writes the file, a row group at a time."""
        from pyarrow import parquet

        schema = self._schema(parts)
        with parquet.ParquetWriter(out, schema, use_dictionary=["labels", "names"]) as writer:
            for block in in_row_groups(parts):
                writer.write_table(self._table(block, schema))

    def _schema(self, parts: Sequence[Path]):
        import pyarrow as pa

        ids = pa.string() if all(map(_has_text_ids, unpacked(parts))) else pa.binary()
        fields = [("video_id", ids), ("start_time", pa.float32()), ("end_time", pa.float32())]
        lists = {"labels": pa.int32(), "names": pa.string(), "scores": pa.float32()}
        wanted = self._lists(next(unpacked(parts), None))
        return pa.schema(fields + [(name, pa.list_(kind)) for name, kind in lists.items() if name in wanted])

    def _lists(self, first: Predicted | None) -> tuple[str, ...]:
        """The columns of lists, given some rows of the file, None where it is to be empty."""
        return ("labels", "names", "scores") if self.names else ("labels", "scores")

    def _table(self, block: Predicted, schema):
        import pyarrow as pa

        kept = kept_classes(block)
        flat = {"labels": pa.array(kept.classes), "scores": pa.array(kept.scores)}
        if "names" in schema.names:
            flat["names"] = pa.array(self.names, pa.string()).take(flat["labels"])
        ends = pa.array(np.concatenate([[0], np.cumsum(kept.counts)]).astype(np.int32))
        columns = {name: pa.ListArray.from_arrays(ends, values) for name, values in flat.items()}
        columns["video_id"] = pa.array(block.video_ids.tolist(), pa.binary()).cast(schema.field("video_id").type)
        columns |= {"start_time": pa.array(block.start_times), "end_time": pa.array(block.end_times)}
        return pa.table([columns[name] for name in schema.names], schema=schema)


class ScoresParquet(LabelsParquet):
    """All probabilities as Parquet, in the order of the classes; with `labels` where they are of some classes only.

    Args:
        num_classes: how many classes there are.

    Raises:
        UserError: if there is no pyarrow.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        self.num_classes = num_classes

    def _lists(self, first: Predicted | None) -> tuple[str, ...]:
        all_listed = first is None or np.array_equal(first.classes[0], np.arange(self.num_classes))
        return ("scores",) if all_listed else ("labels", "scores")


def in_row_groups(parts: Sequence[Path]) -> Iterator[Predicted]:
    """The rows of parts in blocks that fit into memory, the same ones however the rows came."""
    first = next(unpacked(parts), None)
    width = first.scores.shape[1] if first else 1
    return in_blocks(unpacked(parts), max(1, min(GROUP_VALUES // width, MOST_GROUP_ROWS)))


def check_pyarrow() -> None:
    """Raises a UserError where pyarrow is missing, before any work is done."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UserError("Parquet needs pyarrow: pip install 'yt8m-audio[report]'.") from None


def _has_text_ids(predicted: Predicted) -> bool:
    try:
        b"\n".join(predicted.video_ids.tolist()).decode()
    except UnicodeDecodeError:
        return False
    return True
