"""python -m yt8m_audio vggish-weights [FOLDER]: fetches Google's weights of VGGish, with resume, and checks them.

None come with this package. Without the internet: --copy_from=FOLDER takes the two files from another folder.
"""

import dataclasses

from yt8m_audio.audio.vggish_download import URL, FoundFile, fetch_weights, take_weights
from yt8m_audio.audio.vggish_weights import check_weights, default_weights_folder
from yt8m_audio.downloading import Progress
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.progress_line import ProgressLine

ABOUT = "Fetches Google's weights of VGGish (0.3 GB), with resume, and checks them."
LICENCE = "Google published VGGish's code under Apache-2.0 and these weights beside it; cite Hershey et al. 2017."


@dataclasses.dataclass(frozen=True)
class VggishWeightsFlags:
    """Where the weights go, and where they come from.

    Attributes:
        folder: Where to. The folder that extract and tag look in, vggish in the cache folder, when not given.
        copy_from: Folder to take vggish_model.ckpt and vggish_pca_params.npz from, in place of the web.
        url: Address of the folder that the files are fetched from.
        smoke_test: Try the weights with Google's smoke test: three seconds of a sine.
    """

    folder: str = dataclasses.field(default="", metadata=POSITIONAL)
    copy_from: str = ""
    url: str = URL
    smoke_test: bool = True


def main(argv) -> int:
    """Fetches or takes the files, and says what was found and what to type next; 1 where the smoke test fails."""
    asked, line = parse(argv, ABOUT, VggishWeightsFlags), ProgressLine()
    folder = asked.folder or default_weights_folder()
    if asked.copy_from:
        found = take_weights(asked.copy_from, folder)
    else:
        found = fetch_weights(folder, asked.url, progress=lambda name: _shown(line, name))
    line.clear()
    print("\n".join([*map(_described, found), LICENCE]))
    wrong = check_weights(folder) if asked.smoke_test else []
    for each in wrong:
        print(each)
    if asked.smoke_test and not wrong:
        print("Google's smoke test passes: mean and deviation of the embeddings of a sine are within 10 % of its own.")
    weights = f" --weights={folder}" if asked.folder else ""
    print(f"Next: python -m yt8m_audio extract RECORDINGS OUT --embedding=vggish{weights}")
    return int(bool(wrong))


def _shown(line: ProgressLine, name: str) -> Progress:
    """Shows how far a file has come."""

    def show(done: int, total: int | None) -> None:
        line.show(f"{name}: {done / 1e6:,.1f} MB" + (f" of {total / 1e6:,.1f}" if total else ""))

    return show


def _described(found: FoundFile) -> str:
    """One line about a file."""
    known = "as it should be" if found.is_known else "noted: no published hash to compare with is known"
    return f"{found.path}: {found.size:,} bytes, SHA-256 {found.sha256} ({known})"
