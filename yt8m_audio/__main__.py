"""`python -m yt8m_audio COMMAND` (and the script `yt8m-audio`): everything but train.py, eval.py and inference.py."""

import importlib

from yt8m_audio import flags
from yt8m_audio.errors import UserError, nearest

COMMANDS = {
    "sample": "make the built-in sample if it is not there, and print where it lies",
}


def usage() -> str:
    """The commands, a line each."""
    lines = [f"  {name:<10}{about}" for name, about in COMMANDS.items()]
    return "\n".join(["Usage: python -m yt8m_audio COMMAND [--help]", "", "Commands:", *lines])


def main_of_command(argv) -> int:
    """Runs the command that the first argument names."""
    if len(argv) < 2 or argv[1] in ("-h", "--help", "help"):
        print(usage())
        return 0 if len(argv) > 1 else 2
    name = argv[1]
    if name not in COMMANDS:
        raise UserError(f"{name} is no command.{nearest(name, COMMANDS)} Known: {', '.join(COMMANDS)}.")
    return importlib.import_module(f"yt8m_audio.commands.{name}").main(argv[1:])


def main() -> None:
    """Entry of the script yt8m-audio."""
    flags.run(main_of_command)


if __name__ == "__main__":
    main()
