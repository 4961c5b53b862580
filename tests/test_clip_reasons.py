"""Why clips cannot be had: every message that is known, and yt-dlp's exceptions."""

import functools
import json
from pathlib import Path

import pytest
import yt_dlp
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError

from yt8m_audio.audioset.clips.reasons import (
    PERMANENT,
    REFUSALS,
    Reason,
    failure_of,
    known_messages,
    one_line,
    reason_of,
    reasons_named,
)
from yt8m_audio.errors import UserError


@pytest.mark.parametrize("known", known_messages(), ids=lambda each: each["contains"])
def test_a_message_has_its_reason(known):
    assert known["contains"].lower() in known["example"].replace("’", "'").lower()
    assert reason_of(known["example"]) == known["reason"]
    assert reason_of(f"ERROR: [youtube] --4gqARaEJE: {known['example'].upper()}") == known["reason"]


def test_every_message_decides_over_its_own_example_or_a_longer_one():
    texts = [(each["contains"], each["reason"]) for each in known_messages()]
    assert len(set(texts)) == len(texts)
    assert {reason for _, reason in texts} <= set(Reason)


@pytest.mark.parametrize(
    "text",
    [
        "YouTube is requiring a captcha challenge before playback",
        "has been rate-limited by YouTube",
        "Your IP is likely being blocked by Youtube",
        "No supported JavaScript runtime could be found",
        "Ensure you have a supported JavaScript runtime and ",
        "Failed to extract any player response",
        "This video is DRM protected",
        "Requested format is not available",
        "No video formats found!",
        "This video is only available for registered users",
        "Login details are needed to download this content",
        "This video is not available from your location due to geo restriction",
        "Did not get any data blocks",
    ],
)
def test_what_yt_dlp_says_itself_is_still_its_wording(text):
    assert text in yt_dlp_sources()
    assert reason_of(text) is not Reason.OTHER


@functools.cache
def yt_dlp_sources():
    names = ("YoutubeDL.py", "extractor/common.py", "extractor/youtube/*.py", "downloader/http.py")
    folder = Path(yt_dlp.__file__).parent
    return "".join(path.read_text(encoding="utf-8") for name in names for path in folder.glob(name))


@pytest.mark.parametrize("apostrophe", ["'", "’", "‘"])
def test_apostrophes_do_not_matter(apostrophe):
    assert reason_of(f"Sign in to confirm you{apostrophe}re not a bot") == Reason.BOT_CHECK
    assert reason_of(f"This content isn{apostrophe}t available, try again later") == Reason.RATE_LIMIT


def test_an_unknown_message_is_told_as_it_came():
    failure = failure_of(DownloadError("ERROR: [youtube] --4gqARaEJE: Something\n  new"))
    assert (failure.reason, failure.message) == (Reason.OTHER, "Something new")


def test_a_country_is_known_by_the_exception_and_keeps_the_list():
    inner = GeoRestrictedError("whatever is said", countries=["DE", "FR"])
    failure = failure_of(DownloadError("ERROR: whatever", (type(inner), inner, None)))
    assert (failure.reason, failure.countries) == (Reason.COUNTRY, ("DE", "FR"))


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rate_limit"), (402, "captcha"), (403, "forbidden"), (404, "forbidden"), (500, "network"), (503, "network")],
)
def test_a_status_counts_more_than_words(status, reason):
    error = HTTPError(Response(None, "http://localhost", {}, status=status))
    for each in (ExtractorError("unable to say", cause=error), DownloadError("unable", (HTTPError, error, None))):
        assert failure_of(each).reason == reason


def test_messages_lose_colours_prefixes_and_length():
    assert one_line("\x1b[0;31mERROR:\x1b[0m [youtube] -0000000000: Video unavailable") == "Video unavailable"
    assert len(one_line("x" * 10_000)) == 400


def test_refusals_are_tried_again():
    assert not REFUSALS & PERMANENT
    assert json.dumps(Reason.PRIVATE) == '"private"'


def test_reasons_by_name():
    assert reasons_named("network, age") == [Reason.NETWORK, Reason.AGE]
    assert reasons_named("all") == list(Reason)
    with pytest.raises(UserError, match=r"--reason=privat is no reason. Did you mean private\?"):
        reasons_named("privat")
    with pytest.raises(UserError, match="--reason is missing"):
        reasons_named("")
