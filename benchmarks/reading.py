"""Is the reader as fast as its records can be read? Batches, in order and shuffled, against raw records."""

from benchmarks.measure import Result, alternately
from readers import AudioSetFrameReader, Clips, open_clips
from yt8m_audio.config import DataConfig
from yt8m_audio.records import read_chunks

BATCH_SIZE = 1024
DATA = DataConfig(
    feature_names="audio_embedding", feature_sizes="128", frame_features=True, num_classes=527, max_frames=10
)


def opened(pattern: str) -> Clips:
    """The clips to measure with."""
    return open_clips(pattern, "train_data_pattern", AudioSetFrameReader(DATA))


def results(pattern: str) -> list[Result]:
    """Raw reading is `read_chunks`, the fastest arrangement of TFRecordDataset that was found, in batches."""
    clips = opened(pattern)

    def raw():
        return count(read_chunks(clips.shards, 1024).rebatch(BATCH_SIZE))

    def in_order():
        return count(clips.in_order(BATCH_SIZE).map(lambda batch: batch["video_id"]))

    def shuffled():
        return count(clips.shuffled(BATCH_SIZE, epochs=1, seed=0).map(lambda batch: batch["video_id"]))

    limit, *rates = alternately(raw, in_order, shuffled)
    names = ("reading in order", "reading shuffled")
    return [Result(name, rate, "clips/s", "raw records", limit) for name, rate in zip(names, rates, strict=True)]


def count(dataset) -> int:
    """Reads a data set of vectors, and counts what it read (the rows that fill up the last batch too)."""
    return sum(int(each.shape[0]) for each in dataset)
