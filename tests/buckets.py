"""Buckets on this machine: an object store in memory that speaks S3's protocol, and one that speaks Google's.

    with S3Bucket() as store: environment = store.environment       # for a process to be started
    with GoogleBucket(folder) as store: ...

Both have one bucket, `bucket`. Google's addresses cannot be changed in TensorFlow, but its requests go through the
proxy that the environment names: the server is that proxy, and answers itself, with a certificate made for it.
"""

import http.server
import json
import ssl
import subprocess
import sys
import threading
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

LISTED = "<Contents><Key>{}</Key><Size>{}</Size><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
HOSTS = ("www.googleapis.com", "storage.googleapis.com")


class Handler(http.server.BaseHTTPRequestHandler):
    """What both protocols need: ranges, prefixes, answers."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def give(self, name):
        """Answers with an object, or the range of it that is asked for."""
        content = self.server.objects.get(name)
        if content is None:
            return self.answer(404)
        first, _, last = (self.headers["Range"] or "").removeprefix("bytes=").partition("-")
        if not first:
            return self.answer(200, content)
        if int(first) >= len(content):
            return self.answer(416)
        part = content[int(first) : int(last) + 1 if last else None]
        span = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
        return self.answer(206, part, Content_Range=span)

    def body(self):
        """What is sent, whole: an upload that is cut off makes no object."""
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.read(int(self.headers["Content-Length"] or 0))
        chunks = []
        while size := int(self.rfile.readline() or b"-1", 16):
            chunks.append(self.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def read(self, count):
        content = self.rfile.read(count) if count >= 0 else b""
        if len(content) != count:
            raise ConnectionAbortedError
        return content

    def listed(self, query):
        """Names below a prefix, and those up to the delimiter, as a query asks for."""
        prefix, delimiter = (query.get(key, [""])[0] for key in ("prefix", "delimiter"))
        names, folders = [], set()
        for name in sorted(self.server.objects):
            if name.startswith(prefix):
                below, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                folders |= {prefix + below + cut} if cut else set()
                names += [] if cut else [name]
        return names, sorted(folders)

    def handle_request(self):
        self.server.requests.append(f"{self.command} {self.path}")
        with self.server.lock:
            if self.server.refuses:
                self.body()
                return self.answer(403)
            return self.respond(urlsplit(self.path))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815  http.server's names

    def log_message(self, *arguments):
        pass


class S3Handler(Handler):
    """Amazon's REST: PUT with or without a source to copy, GET, HEAD, DELETE, a list."""

    def respond(self, url):
        _, bucket, name = unquote(url.path).split("/", 2) if url.path.count("/") > 1 else ("", url.path[1:], "")
        if bucket != "bucket":
            return self.answer(404)
        if self.command == "POST":
            self.body()
            return self.answer(501)
        if self.command == "PUT":
            return self.put(name)
        if self.command == "DELETE":
            self.server.objects.pop(name, None)
            return self.answer(204)
        if not name and self.command == "GET":
            return self.answer(200, self.list_of(parse_qs(url.query)).encode())
        return self.give(name) if name else self.answer(200)

    def put(self, name):
        source, content = self.headers["x-amz-copy-source"], self.body()
        if source:
            content = self.server.objects[unquote(source).lstrip("/").partition("/")[2]]
        self.server.objects[name] = content
        result = b"<CopyObjectResult><ETag>x</ETag></CopyObjectResult>" if source else b""
        return self.answer(200, result, ETag='"x"')

    def list_of(self, query):
        names, folders = self.listed(query)
        most = int(query.get("max-keys", [1000])[0])
        contents = "".join(LISTED.format(escape(name), len(self.server.objects[name])) for name in names[:most])
        contents += "".join(f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders)
        return f"<ListBucketResult>{contents}</ListBucketResult>"


class GoogleHandler(Handler):
    """Google's JSON interface as far as TensorFlow uses it, behind CONNECT of a proxy."""

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.connection = self.request = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def respond(self, url):
        query, parts = parse_qs(url.query), [unquote(each) for each in url.path.strip("/").split("/")]
        if "bucket" not in parts:
            self.body()
            return self.answer(404)
        rest = parts[parts.index("bucket") + 1 :]
        if parts[0] == "upload":
            return self.upload(query)
        if parts[0] == "session":
            self.server.objects["/".join(rest)] = self.body()
            return self.answer(200, b"{}")
        if parts[0] == "bucket":
            return self.give("/".join(rest))
        return self.about_object(rest[1], rest[2:]) if len(rest) > 1 else self.about_bucket(rest, query)

    def upload(self, query):
        name, content = query["name"][0], self.body()
        if query["uploadType"] == ["resumable"]:
            return self.answer(200, Location=f"https://www.googleapis.com/session/bucket/{name}")
        self.server.objects[name] = content
        return self.answer(200, b"{}")

    def about_bucket(self, rest, query):
        if not rest:
            return self.answer(200, b'{"location": "HERE"}')
        names, folders = self.listed(query)
        found = {"items": [{"name": name} for name in names], "prefixes": folders}
        return self.answer(200, json.dumps({key: value for key, value in found.items() if value}).encode())

    def about_object(self, name, more):
        self.body()
        objects = self.server.objects
        if name not in objects:
            return self.answer(404)
        if more:  # rewriteTo/b/bucket/o/NAME
            objects[more[-1]] = objects[name]
            return self.answer(200, b'{"done": true}')
        if self.command == "DELETE":
            del objects[name]
            return self.answer(204)
        about = {"size": str(len(objects[name])), "generation": "1", "updated": "2024-01-01T00:00:00.000Z"}
        return self.answer(200, json.dumps(about).encode())


class Bucket(http.server.ThreadingHTTPServer):
    """A server of objects by name, in a thread of its own; it notes requests, and refuses all of them if told to."""

    daemon_threads = True

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.objects, self.requests, self.refuses, self.lock = {}, [], False, threading.Lock()

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), OSError):  # a client that was killed
            super().handle_error(request, client_address)

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.thread.join()
        self.server_close()


class S3Bucket(Bucket):
    """s3://bucket, for tensorflow-io in a process with this environment."""

    def __init__(self):
        super().__init__(S3Handler)
        self.environment = {
            "S3_ENDPOINT": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }


class GoogleBucket(Bucket):
    """gs://bucket, for TensorFlow in a process with this environment; needs the program openssl."""

    def __init__(self, folder):
        super().__init__(GoogleHandler)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        names = ",".join(f"DNS:{host}" for host in HOSTS)
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=bucket"),
                *("-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(certificate)),
            ],
            check=True,
            capture_output=True,
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.environment = {
            "https_proxy": self.url,
            "HTTPS_PROXY": self.url,
            "no_proxy": "",
            "CURL_CA_BUNDLE": str(certificate),
            "GOOGLE_AUTH_TOKEN_FOR_TESTING": "nobody",
            "GCS_RETRY_CONFIG_MAX_RETRIES": "0",
        }
