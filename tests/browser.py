"""A page in headless Chromium, spoken to by the DevTools protocol through two pipes: no driver, no package.

    with open_page(path) as page:
        page.size(390, 844)
        page.run("document.title")

Messages are JSON with a zero byte after each, on the file descriptors 3 and 4 of --remote-debugging-pipe.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
)
FLAGS += ("--remote-debugging-pipe", "--disable-background-networking", "--disable-extensions")


def chromium() -> str | None:
    """Path of the browser, from CHROMIUM or one of its usual names; None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """The one tab of a browser.

    Attributes:
        errors: what the console and the page's scripts complained of.
        requests: addresses that were asked for.
    """

    def __init__(self, reader, writer):
        self.reader, self.writer, self.sent, self.left = reader, writer, 0, b""
        self.errors, self.requests, self.loaded = [], [], 0
        self.session = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters) -> dict:
        """Sends a command, and returns its result; takes down what happens until it comes."""
        self.sent += 1
        number = self.sent
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        while (answer := self._next()).get("id") != number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, path: Path) -> None:
        """Loads a file, and waits until it has."""
        self.loaded = 0
        self.ask("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self._next()

    def run(self, script: str):
        """Returns the value of an expression in the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def size(self, width: int, height: int) -> None:
        """Gives the window a size, and lets the page draw itself anew."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def scheme(self, name: str) -> None:
        """Has the system prefer "light" or "dark"."""
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def press(self, key: str) -> None:
        """Presses a key: Tab, or Enter."""
        code = {"Tab": 9, "Enter": 13}[key]
        named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": "\r"} if key == "Enter" else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    def move(self, x: float, y: float) -> None:
        """Moves the pointer to a place in the window."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def picture(self, path: Path, part: tuple[float, float, float, float] | None = None) -> None:
        """Writes a PNG of the whole page, or of (left, top, width, height)."""
        clip = dict(zip(("x", "y", "width", "height"), part, strict=True), scale=1) if part else None
        asked = {"captureBeyondViewport": True, **({"clip": clip} if clip else {})}
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", **asked)["data"]))

    def _next(self) -> dict:
        message = json.loads(self._received())
        method, told = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self.loaded += 1
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(told["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.errors.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(told["entry"]["text"])
        return message

    def _received(self) -> bytes:
        while b"\0" not in self.left:
            more = self.reader.read1(1 << 16)
            assert more, "the browser has ended"
            self.left += more
        message, _, self.left = self.left.partition(b"\0")
        return message


@contextlib.contextmanager
def open_page(path: Path) -> Iterator[Page]:
    """Starts a browser with a file open in it, and ends it."""
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        shell = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        command = ["bash", "-c", shell, "bash", chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        browser = subprocess.Popen(
            command,
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        try:
            with open(to_us, "rb") as reader, open(from_us, "wb") as writer:
                page = Page(reader, writer)
                page.open(path)
                yield page
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
