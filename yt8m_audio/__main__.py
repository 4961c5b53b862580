"""`python -m yt8m_audio COMMAND` (and the script `yt8m-audio`): everything but train.py, eval.py and inference.py."""

import importlib
import sys

from yt8m_audio import flags
from yt8m_audio.errors import UserError, nearest

COMMANDS = {
    "models": "list the models; of one, say its flags, layers and cost, and draw how tensors flow through it",
    "export": "write a trained model as a SavedModel, a Keras, LiteRT or ONNX file, or the starter code's .tgz",
    "beam": "predict as inference.py does over many machines, as an Apache Beam pipeline",
    "average": "average the weights of a run's checkpoints, into a run directory of its own",
    "runs": "compare the runs below a folder: models, steps, figures, and the settings in which they differ",
    "compare": "compare two models, or files of predictions, on the same clips: figures, differences, intervals, p",
    "calibrate": "fit a temperature and a threshold for each class to clips, for inference.py",
    "segment-eval": "evaluate a submission of ranked segments: MAP@N, as in YouTube-8M's challenge of 2019",
    "sample": "make the built-in sample if it is not there, and say where it lies; or sounds of its kind (--sounds)",
    "tag": "say what is heard in sound files, and when: as a table, JSON, Audacity labels or a picture",
    "inspect": "say what a data set holds, what is broken in it, and the flags to train on it",
    "repack": "write a data set into few large shards, into another family, or into one memory-mapped array",
    "clips": "download the sound of AudioSet's segments, with a manifest of what became of each",
    "write-records": "write records of your own data, from a CSV of labels and NumPy arrays",
    "fit-pca": "fit a whitening PCA to float features, so that any embedding can be stored as bytes",
    "extract": "write records of sounds: VGGish's embedding or another, of files, folders or AudioSet's clips",
    "check": "say what is odd about features, and how far they agree with others of the same clips",
    "features": "fetch AudioSet's features with resume, and check that they are whole",
    "vggish-weights": "fetch Google's weights of VGGish, with resume, and check them",
    "labels": "say index, id and display name of classes, whichever of the three is given",
    "ontology": "print or draw what AudioSet's ontology has below a class, with counts of clips",
    "stats": "count what lists of segments, or records, hold: clips, labels, classes, pairs, durations, missing ids",
    "select": "write the segments of a list that have, or have not, some classes; so many a class, at random",
    "split": "divide a list of segments into training, validation and test, with each class's share in each",
}
WITHOUT_TENSORFLOW = {"runs", "beam"}  # whose import takes seconds
WITHOUT_TENSORFLOW |= {"clips"}
WITHOUT_TENSORFLOW |= {"labels", "ontology", "stats", "select", "split"}


def usage() -> str:
    """The commands, a line each."""
    lines = [f"  {name:<15}{about}" for name, about in COMMANDS.items()]
    return "\n".join(["Usage: python -m yt8m_audio COMMAND [--help]", "", "Commands:", *lines])


def asks_what_there_is(argv) -> bool:
    """Whether a command line names no command."""
    return len(argv) < 2 or argv[1] in ("-h", "--help", "help")


def main_of_command(argv) -> int:
    """Runs the command that the first argument names."""
    if asks_what_there_is(argv):
        print(usage())
        return 0 if len(argv) > 1 else 2
    name = argv[1]
    if name not in COMMANDS:
        raise UserError(f"{name} is no command.{nearest(name, COMMANDS)} Known: {', '.join(COMMANDS)}.")
    module = name.replace("-", "_")
    return importlib.import_module(f"yt8m_audio.commands.{module}").main(argv[1:])


def main() -> None:
    """Entry of the script yt8m-audio."""
    if asks_what_there_is(sys.argv):  # at once, without TensorFlow
        sys.exit(main_of_command(sys.argv))
    flags.run(main_of_command, needs_tensorflow=sys.argv[1] not in WITHOUT_TENSORFLOW)


if __name__ == "__main__":
    main()
