"""What is said of records that were written, and the command to type next.

counts = FrameCounts()
counts.add(frames)            # of each clip, [frames, features]
print(*WrittenRecords("records", "audio_embedding", 300, 4, 3, counts).lines(), sep="\n")
"""

import dataclasses
import glob
import math
import os
import shlex

import numpy as np

from yt8m_audio.own_classes import LABEL_MAP

BATCH_SIZES = (16, 32, 64, 128, 256, 512)
EPOCH_STEPS = 16  # at least, where there are clips enough for that
SHORT_CLIP_FRAMES = 10  # a longer clip is kept whole only where --max_frames says so


@dataclasses.dataclass
class FrameCounts:
    """Counts clips and frames.

    Attributes:
        clips: how many.
        shortest: frames of the shortest clip.
        longest: frames of the longest one.
        size: features of a frame.
        dtype: "uint8" or "float32".
    """

    clips: int = 0
    shortest: float = math.inf
    longest: int = 0
    size: int = 0
    dtype: str = ""

    def add(self, frames: np.ndarray) -> None:
        """Counts a clip, [frames, features]; all are of the first one's size and type."""
        self.count(len(frames), frames.shape[1], str(frames.dtype))

    def count(self, num_frames: int, size: int, dtype: str) -> None:
        """Counts a clip of so many frames."""
        self.clips, self.size, self.dtype = self.clips + 1, size, dtype
        self.shortest, self.longest = min(self.shortest, num_frames), max(self.longest, num_frames)


def counted(number: int, one: str, several: str) -> str:
    """Says how many there are: 1 clip, 2,000 clips."""
    return f"{number:,} {one if number == 1 else several}"


@dataclasses.dataclass(frozen=True)
class WrittenRecords:
    """What was written.

    Attributes:
        folder: where it is.
        feature_name: name of the feature list.
        labelled: how many clips have labels.
        shards: how many shards.
        num_classes: classes of the label map.
        frames: what was written.
        warnings: a line each.
    """

    folder: str
    feature_name: str
    labelled: int
    shards: int
    num_classes: int
    frames: FrameCounts
    warnings: list[str] = dataclasses.field(default_factory=list)

    def lines(self) -> list[str]:
        """Says what was written, and what to type next."""
        counts = self.frames
        frames = f"{counts.longest:,}"
        if counts.shortest < counts.longest:
            frames = f"{counts.shortest:,} to {frames}"
        return [
            f"Wrote {counted(counts.clips, 'clip', 'clips')} of {counted(self.num_classes, 'class', 'classes')} to "
            f"{self.folder}, in {counted(self.shards, 'shard', 'shards')}; {self.feature_name} {counts.dtype} "
            f"[{frames}, {counts.size}].",
            f"Next: {self.train_command() if self.labelled else self.inference_command()}",
        ]

    def train_command(self) -> str:
        """The command that trains on what was written."""
        size = max([size for size in BATCH_SIZES if size * EPOCH_STEPS <= self.frames.clips], default=BATCH_SIZES[0])
        flags = [
            f"--train_data_pattern={self._pattern()}",
            f"--num_classes={self.num_classes}",
            f"--label_map={shlex.quote(os.path.join(self.folder, LABEL_MAP))}",
            "--frame_features",
            "--model=FrameLevelLogisticModel",
            f"--batch_size={size}",
        ]
        if self.feature_name != "audio_embedding":
            flags.append(f"--feature_names={shlex.quote(self.feature_name)}")
        if self.frames.longest > SHORT_CLIP_FRAMES:
            flags.append(f"--max_frames={self.frames.longest}")
        return " ".join(["python train.py", *flags])

    def inference_command(self) -> str:
        """The command that predicts what was written."""
        return (
            f"python inference.py --train_dir=RUN --input_data_pattern={self._pattern()} --output_file=predictions.csv "
            "--label_names"
        )

    def _pattern(self) -> str:
        """The glob of the shards, in quotes for a shell."""
        pattern = os.path.join(glob.escape(self.folder), "*.tfrecord")
        return shlex.quote(pattern.replace(",", "?"))  # a comma would begin another glob
