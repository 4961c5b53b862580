"""`python -m yt8m_audio COMMAND` (and the script `yt8m-audio`): everything but train.py, eval.py and inference.py."""

import importlib
import sys

from yt8m_audio import flags
from yt8m_audio.errors import UserError, nearest

COMMANDS = {
    "models": "list the models; of one, say its flags, layers and cost, and draw how tensors flow through it",
    "export": "write a trained model as a SavedModel, a Keras, LiteRT or ONNX file, or the starter code's .tgz",
    "average": "average the weights of a run's checkpoints, into a run directory of its own",
    "runs": "compare the runs below a folder: models, steps, figures, and the settings in which they differ",
    "compare": "compare two models, or files of predictions, on the same clips: figures, differences, intervals, p",
    "calibrate": "fit a temperature and a threshold for each class to clips, for inference.py",
    "segment-eval": "evaluate a submission of ranked segments: MAP@N, as in YouTube-8M's challenge of 2019",
    "sample": "make the built-in sample if it is not there, and print where it lies",
    "inspect": "say what a data set holds, what is broken in it, and the flags to train on it",
    "repack": "write a data set into few large shards, into another family, or into one memory-mapped array",
    "write-records": "write records of your own data, from a CSV of labels and NumPy arrays",
}
WITHOUT_TENSORFLOW = {"runs"}  # whose import takes seconds


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
