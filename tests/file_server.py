"""A web server on this machine that does to a download what servers and networks do.

    with FileServer({"a.bin": content}, Fault(drop_after=100), Fault(status=429)) as server:
        download(server.url("a.bin"), path)
    server.requests   # [{"Range": None, ...}, {"Range": "bytes=100-", ...}, ...]

Each request meets the next fault; those behind the last one are served well.
"""

import dataclasses
import hashlib
import http.server
import threading
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    Attributes:
        status: answered in place of the file.
        headers: sent along, in place of those that would be.
        drop_after: bytes of the body after which the connection is closed.
        ignore_range: whether the whole file is sent where a range was asked for.
        more: bytes that the length is said to be above what it is.
        body: sent in place of the file, with status 200.
        before: called before anything is sent.
        after: called when the body was sent, as far as it is, and before the connection is closed.
    """

    status: int | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    drop_after: int | None = None
    ignore_range: bool = False
    more: int = 0
    body: bytes | None = None
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the files of its server, with ETags, ranges and the faults that are planned."""

    def do_GET(self):
        server = self.server.owner
        server.requests.append(dict(self.headers))
        fault = server.faults.pop(0) if server.faults else Fault()
        fault.before()
        content = server.files.get(self.path.lstrip("/")) if fault.body is None else fault.body
        if content is None or fault.status:
            return self.answer(fault.status or 404, b"<html>no</html>", {"Content-Type": "text/html", **fault.headers})
        headers = {"ETag": f'"{hashlib.md5(content).hexdigest()}"', "Content-Type": "application/octet-stream"}
        first = self.first_wanted(fault, headers["ETag"])
        if first is not None and first >= len(content):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        if first is not None:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        status = 200 if first is None else 206
        return self.answer(status, content[first or 0 :], {**headers, **fault.headers}, fault)

    def first_wanted(self, fault, tag):
        asked, known = self.headers["Range"], self.headers["If-Range"]
        if not asked or fault.ignore_range or fault.body is not None or known not in (None, tag):
            return None
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def answer(self, status, body, headers, fault=Fault()):
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) + fault.more))
        self.end_headers()
        self.wfile.write(body[: fault.drop_after])
        fault.after()

    def log_message(self, *arguments):
        pass


class FileServer:
    """The server, in a thread."""

    def __init__(self, files: dict[str, bytes], *faults: Fault):
        self.files, self.faults, self.requests = files, list(faults), []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.owner = self

    def url(self, name: str = "") -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.server.server_close()
