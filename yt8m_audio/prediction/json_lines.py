"""JSON lines: an object a clip.

    {"id": "abc", "start": 0.000, "end": 10.000, "labels": [3, 0], "names": ["Speech", "Music"], "scores": [0.9, 0.2]}

The classes are ranked, best first; `names` is there where names are asked for. An id that is not UTF-8 is shown with
its odd bytes as `\\xff`, and comes verbatim in `id_base64`, which such rows alone have.
"""

import base64
import json
from collections.abc import Sequence

from yt8m_audio.prediction.kept_classes import kept_classes
from yt8m_audio.prediction.predicted import Predicted


class JsonLines:
    """Ranked labels as JSON lines.

    Args:
        names: display names by class index, to be listed; None lists none.
    """

    def __init__(self, names: Sequence[str] | None = None):
        self.names = [json.dumps(name, ensure_ascii=False) for name in names] if names else None

    def header(self) -> bytes:
        """There is none."""
        return b""

    def rows(self, predicted: Predicted) -> bytes:
        """A line a clip."""
        kept = kept_classes(predicted)
        classes = kept.classes.tolist()
        columns = [
            map(_id_members, predicted.video_ids.tolist()),
            map('"start": %.3f'.__mod__, predicted.start_times.tolist()),
            map('"end": %.3f'.__mod__, predicted.end_times.tolist()),
            map('"labels": %s'.__mod__, kept.by_clip(classes)),
        ]
        if self.names:
            columns.append(map(_names_member, kept.by_clip([self.names[each] for each in classes])))
        columns.append(map(_scores_member, kept.by_clip(["%g" % score for score in kept.scores.tolist()])))  # noqa: UP031
        return "".join(["{%s}\n" % ", ".join(members) for members in zip(*columns, strict=True)]).encode()  # noqa: UP031


def id_of(line: dict) -> bytes:
    """The id of a line that was read, verbatim."""
    return base64.b64decode(line["id_base64"]) if "id_base64" in line else line["id"].encode()


def _id_members(video_id: bytes) -> str:
    try:
        return f'"id": {json.dumps(video_id.decode(), ensure_ascii=False)}'
    except UnicodeDecodeError:
        shown = json.dumps(video_id.decode(errors="backslashreplace"), ensure_ascii=False)
        return f'"id": {shown}, "id_base64": "{base64.b64encode(video_id).decode()}"'


def _names_member(names: Sequence[str]) -> str:
    return f'"names": [{", ".join(names)}]'


def _scores_member(scores: Sequence[str]) -> str:
    return f'"scores": [{", ".join(scores)}]'
