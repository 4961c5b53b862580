"""A server on loopback in YouTube's place: what its player says of a video, and the media, with all that goes wrong.

    double = YoutubeDouble({"AAAAAAAAAAA": "whole", "BBBBBBBBBBB": "private"}, media)
    subprocess.run([...], env=double.environment())

yt-dlp runs as it is, with its YouTube extractor and its downloader; only where that asks the site's player, it asks
here (tests/stand_ins). The words are the site's.
"""

import collections
import json
import os
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STAND_INS = Path(__file__).parent / "stand_ins"
LOGIN, ERROR = "LOGIN_REQUIRED", "ERROR"
MADE_AT = (48_000, 2)  # of the media: Hz, channels


def screen(reason: str, subreason: str = "", status: str = ERROR) -> dict:
    """What the player says of a video that it does not play, with two lines of text."""
    renderer = {"reason": {"simpleText": reason}, "subreason": {"simpleText": subreason}}
    return {"playabilityStatus": {"status": status, "errorScreen": {"playerErrorMessageRenderer": renderer}}}


GONE = "Video unavailable"
REFUSED = {  # what is refused, and how
    "private": screen("Private video", "Sign in if you've been granted access to this video", LOGIN),
    "removed": screen(GONE, "This video has been removed by the uploader"),
    "terminated": screen(
        GONE,
        "This video is no longer available because the YouTube account associated with this video has been terminated.",
    ),
    "copyright": screen(GONE, "This video is no longer available due to a copyright claim by Some Music"),
    "country": {
        **screen(GONE, "The uploader has not made this video available in your country"),
        "microformat": {"playerMicroformatRenderer": {"availableCountries": ["DE", "FR"]}},
    },
    "age": screen("Sign in to confirm your age", "This video may be inappropriate for some users.", LOGIN),
    "sign_in": screen("Please sign in", status=LOGIN),
    "paid": screen("Join this channel to get access to members-only content like this video.", status="UNPLAYABLE"),
    "unavailable": screen(GONE),
    "bot_check": screen("Sign in to confirm you’re not a bot", "This helps protect our community. Learn more", LOGIN),
    "captcha": {
        "playabilityStatus": {
            "status": ERROR,
            "reason": GONE,
            "errorScreen": {"playerCaptchaViewModel": {"title": "x"}},
        }
    },
    "rate_limit": screen(GONE, "This content isn't available, try again later."),
    "no_format": {"playabilityStatus": {"status": "OK"}},
    "drm": {"playabilityStatus": {"status": "OK"}, "streamingData": {"licenseInfos": [{}]}},
    "no_javascript_runtime": {
        "playabilityStatus": {"status": "OK"},
        "warning": "No supported JavaScript runtime could be found. Only deno is enabled by default",
    },
}
ONCE = {"bot_check_once": "bot_check", "captcha_once": "captcha", "rate_limit_once": "rate_limit"}
TRACKS = {"whole": "long", "short": "short", "before": "short"}  # which of the media, where it is not the long one


def make_media(folder: Path, ffmpeg: str) -> Path:
    """Makes long.m4a and short.m4a, of 24 and 14 s: noise that rises and falls, with beeps, in stereo."""
    left, right = ("0.4*sin({}*2*PI*t)*sin(PI*t/3)+0.2*(random({})-0.5)".format(*each) for each in ((440, 0), (660, 1)))
    for name, seconds in (("long", 24), ("short", 14)):
        source = f"aevalsrc={left}|{right}:s={MADE_AT[0]}:d={seconds}"
        command = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", source, "-c:a", "aac", "-b:a", "64k"]
        subprocess.run([*command, "-movflags", "+faststart", str(folder / f"{name}.m4a")], check=True)
    picture = [ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:d=24", "-c:v", "libx264"]
    subprocess.run([*picture, "-pix_fmt", "yuv420p", str(folder / "long.mp4")], check=True)
    return folder


class YoutubeDouble:
    """The server.

    Args:
        behaviours: what to do about each video: "whole", "short", a key of REFUSED or of ONCE, or a method's name.
        media: folder that `make_media` filled.
    """

    def __init__(self, behaviours: dict[str, str], media: Path):
        self.behaviours = behaviours
        self.media = {path.name: path.read_bytes() for path in media.iterdir()}
        self.asked: collections.Counter = collections.Counter()
        self.cookies: set[str] = set()
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"double": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def environment(self) -> dict[str, str]:
        """For a process whose yt-dlp is to ask here."""
        path = os.pathsep.join(filter(None, [str(STAND_INS), os.environ.get("PYTHONPATH", "")]))
        return {**os.environ, "PYTHONPATH": path, "YOUTUBE_DOUBLE": self.url, "no_proxy": "127.0.0.1"}

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def count(self, what: str, video_id: str) -> int:
        """How often something was asked for, this time included."""
        with self.lock:
            self.asked[what, video_id] += 1
            return self.asked[what, video_id]

    def player(self, video_id: str) -> dict:
        """What the player answers."""
        behaviour = self.behaviours.get(video_id, "unavailable")
        times = self.count("player", video_id)
        refused = REFUSED.get(behaviour) or (REFUSED[ONCE[behaviour]] if behaviour in ONCE and times == 1 else None)
        seconds = {"short": 14, "before": 14}.get(behaviour, 24)
        details = {"videoDetails": {"videoId": video_id, "title": "made", "lengthSeconds": str(seconds)}}
        if refused:
            return {**details, **refused}
        sound = {"itag": 140, "mimeType": 'audio/mp4; codecs="mp4a.40.2"', "audioQuality": "AUDIO_QUALITY_MEDIUM"}
        sound |= {"url": f"{self.url}/media/{video_id}/{TRACKS.get(behaviour, 'long')}.m4a", "bitrate": 64_000}
        picture = {"itag": 134, "mimeType": 'video/mp4; codecs="avc1.4d401e"', "quality": "medium", "height": 48}
        picture |= {"url": f"{self.url}/media/{video_id}/long.mp4", "bitrate": 64_000, "width": 64, "fps": 25}
        return {
            **details,
            "playabilityStatus": {"status": "OK"},
            "streamingData": {"adaptiveFormats": [sound, picture]},
        }


class _Handler(BaseHTTPRequestHandler):
    double: YoutubeDouble

    def do_GET(self):
        """Answers /player/ID and /media/ID/NAME."""
        what, video_id, *name = self.path.strip("/").split("/")
        self.double.cookies |= set(filter(None, [self.headers.get("Cookie")]))
        try:
            if what == "player":
                self._player(video_id)
            else:
                self._media(video_id, name[0])
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *arguments):
        """Says nothing."""

    def _player(self, video_id: str) -> None:
        behaviour = self.double.behaviours.get(video_id)
        if behaviour == "server_error":
            self.double.count("player", video_id)
            self.send_error(503)
        elif behaviour == "dead":
            self.double.count("player", video_id)
            self.close_connection = True
        else:
            self._send(json.dumps(self.double.player(video_id)).encode(), "application/json")

    def _media(self, video_id: str, name: str) -> None:
        behaviour = self.double.behaviours[video_id]
        content = self.double.media[name]
        times = self.double.count("media", video_id)
        if behaviour == "forbidden" or (behaviour == "forbidden_once" and times == 1):
            self.send_error(403)
        elif behaviour == "too_many_once" and times == 1:
            self.send_error(429)
        elif behaviour == "garbage":
            self._send(bytes(range(256)) * 64)
        elif behaviour == "wrong_length":  # it says that it has half of itself, and that is what comes
            self._send(content[: len(content) // 2])
        elif behaviour == "cut" or (behaviour == "cut_once" and times <= 4):  # more often than yt-dlp tries by itself
            self._send(content[: len(content) // 3], length=len(content))
        elif behaviour in ("slow", "stuck"):
            self._trickle(content, 0.02 if behaviour == "slow" else 1.0)
        else:
            self._send(content)

    def _send(self, content: bytes, kind: str = "audio/mp4", length: int | None = None) -> None:
        first = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if first and length is None and kind != "application/json":
            start = int(first[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            content = content[start:]
        else:
            self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _trickle(self, content: bytes, pause: float) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        step = len(content) // 10 + 1
        for start in range(0, len(content), step):
            time.sleep(pause)
            self.wfile.write(content[start : start + step])
