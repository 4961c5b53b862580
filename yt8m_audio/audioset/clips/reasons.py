"""Why a clip cannot be had: a reason for whatever yt-dlp, the site, the network or ffmpeg say.

    failure = failure_of(error)          # error as yt-dlp raised it
    failure.reason, failure.message, failure.countries
    failure.reason in PERMANENT          # not tried again

messages.json holds what to look for, in order, each with a whole message as it comes. YouTube's own words reach us
through yt-dlp's YouTube extractor, which puts the site's reason and the one below it into one line.
"""

import dataclasses
import enum
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from yt8m_audio.errors import UserError, nearest

MESSAGES = Path(__file__).parent / "messages.json"
LONGEST = 400  # characters of a message that are kept


class Reason(enum.StrEnum):
    """Why there is no clip, or none as long as was asked for."""

    PRIVATE = "private"
    REMOVED = "removed"
    TERMINATED = "terminated"
    COPYRIGHT = "copyright"
    COUNTRY = "country"
    AGE = "age"
    SIGN_IN = "sign_in"
    PAID = "paid"
    DRM = "drm"
    UNAVAILABLE = "unavailable"
    TOO_SHORT = "too_short"
    BOT_CHECK = "bot_check"
    CAPTCHA = "captcha"
    RATE_LIMIT = "rate_limit"
    NOT_YET = "not_yet"
    NO_FORMAT = "no_format"
    NO_JAVASCRIPT_RUNTIME = "no_javascript_runtime"
    FORBIDDEN = "forbidden"
    NETWORK = "network"
    TIME_OUT = "time_out"
    DECODE = "decode"
    DAMAGED = "damaged"
    DISK = "disk"
    OTHER = "other"


PERMANENT = frozenset(
    {
        Reason.PRIVATE,
        Reason.REMOVED,
        Reason.TERMINATED,
        Reason.COPYRIGHT,
        Reason.COUNTRY,  # from this address
        Reason.AGE,  # with these cookies
        Reason.SIGN_IN,
        Reason.PAID,
        Reason.DRM,
        Reason.UNAVAILABLE,
        Reason.TOO_SHORT,
        Reason.NO_JAVASCRIPT_RUNTIME,  # on this machine
    }
)
REFUSALS = frozenset({Reason.BOT_CHECK, Reason.CAPTCHA, Reason.RATE_LIMIT})  # of this address, whatever the video
NO_ANSWER = frozenset({Reason.NETWORK, Reason.TIME_OUT})  # one is an accident, many in a row are an outage
SLOW = frozenset({Reason.NOT_YET, Reason.NO_FORMAT})  # what takes hours to change


@dataclasses.dataclass(eq=False)
class ClipError(Exception):
    """Why a clip could not be had.

    Attributes:
        reason: of the enum.
        message: what was said, in one line.
        countries: codes of the countries in which the video can be had, where that is why and they are known.
    """

    reason: Reason
    message: str
    countries: tuple[str, ...] = ()


@functools.cache
def known_messages() -> tuple[dict[str, str], ...]:
    """What to look for, in order: `reason`, `contains`, and `example`, a whole message."""
    return tuple(json.loads(MESSAGES.read_text(encoding="utf-8"))["messages"])


@functools.cache
def _statuses() -> dict[int, Reason]:
    found = json.loads(MESSAGES.read_text(encoding="utf-8"))["statuses"]
    return {int(status): Reason(reason) for status, reason in found.items()}


def failure_of(error: BaseException) -> ClipError:
    """Returns the reason of an error that yt-dlp raised, by its kind, by an HTTP status, or by its words."""
    chain = list(_chain(error))
    message = one_line(str(error) or type(error).__name__)
    countries = next((each.countries for each in chain if getattr(each, "countries", None)), None)
    if countries or any(type(each).__name__ == "GeoRestrictedError" for each in chain):
        return ClipError(Reason.COUNTRY, message, tuple(countries or ()))
    status = next((each.status for each in chain if isinstance(getattr(each, "status", None), int)), None)
    return ClipError(_of_status(status) or reason_of(message), message)


def reason_of(message: str) -> Reason:
    """Returns the reason of a message: that of the first known text in it, whatever the case and the apostrophes."""
    text = _plain(message)
    return next((Reason(each["reason"]) for each in known_messages() if _plain(each["contains"]) in text), Reason.OTHER)


def one_line(message: str) -> str:
    """A message without colours, yt-dlp's `ERROR: [youtube] ID: ` and line breaks, cut where it is long."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", message)
    text = re.sub(r"^(ERROR:\s*)?(\[[^\]]+\]\s*([\w-]{11}:\s*)?)?", "", text)
    text = text.partition("; please report this issue on")[0]
    return " ".join(text.split())[:LONGEST]


def reasons_named(text: str) -> list[Reason]:
    """The reasons that a text names, with commas between; all for "all".

    Raises:
        UserError: if one is none.
    """
    if text == "all":
        return list(Reason)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in list(Reason):
            raise UserError(f"--reason={name} is no reason.{nearest(name, Reason)} Known: {', '.join(Reason)}, or all.")
    if not names:
        raise UserError(f"--reason is missing: all, or some of {', '.join(Reason)}, with commas between.")
    return [Reason(name) for name in names]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it came from: yt-dlp keeps them in `exc_info` and `cause`."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        kept = getattr(each, "exc_info", None) or (None, None)
        waiting += [kept[1], getattr(each, "cause", None), each.__cause__]


def _of_status(status: int | None) -> Reason | None:
    """The reason of an HTTP status, or None where it says nothing."""
    if status is None:
        return None
    return _statuses().get(status) or (Reason.NETWORK if status >= 500 else None)


def _plain(text: str) -> str:
    """Lower case, with straight apostrophes and single spaces: YouTube writes both kinds."""
    return " ".join(text.replace("’", "'").replace("‘", "'").lower().split())
