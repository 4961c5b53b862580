"""Downloads from a server that drops, lies, refuses and changes its mind."""

import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.file_server import Fault, FileServer
from yt8m_audio.downloading import download
from yt8m_audio.errors import UserError

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NO_VERSION = {"ETag": ""}


@pytest.fixture
def fetch(tmp_path):
    """Fetches a.bin from a server with those faults; gives the server and the path."""

    def run(*faults, files=None, name="a.bin", **options):
        with FileServer(files or {"a.bin": CONTENT}, *faults) as server:
            path = download(server.url(name), tmp_path / "to" / "a.bin", **{"wait": 0.01, "timeout": 5, **options})
        return server, path

    return run


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "to").iterdir())


def ranges(server):
    return [request.get("Range") for request in server.requests]


def test_a_file_is_fetched_whole_and_alone(fetch, tmp_path):
    told = []
    server, path = fetch(size=len(CONTENT), sha256=SHA256.upper(), progress=lambda *state: told.append(state))
    assert path.read_bytes() == CONTENT
    assert left(tmp_path) == ["a.bin"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert ranges(server) == [None]


def test_what_is_there_is_not_fetched_again(fetch):
    fetch()
    assert fetch(sha256=SHA256)[0].requests == []
    assert fetch()[0].requests == []
    assert len(fetch(files={"a.bin": b"new"}, size=3)[0].requests) == 1


def test_a_connection_that_drops_is_taken_up_where_it_was(fetch):
    drops = [Fault(drop_after=count) for count in (100_000, 0, 50_000, 1)]
    server, path = fetch(*drops, attempts=3)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", "bytes=100000-", "bytes=150000-", "bytes=150001-"]
    assert server.requests[1]["If-Range"].startswith('"')


def test_a_process_that_was_stopped_goes_on(tmp_path):
    with FileServer({"a.bin": CONTENT}, Fault(drop_after=100_000)) as server:
        with pytest.raises(UserError, match=r"100,000 bytes have come and are kept: the same command goes on"):
            download(server.url("a.bin"), tmp_path / "to" / "a.bin", attempts=1)
        assert left(tmp_path) == ["a.bin.part", "a.bin.part.json"]
        assert download(server.url("a.bin"), tmp_path / "to" / "a.bin").read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]
    assert left(tmp_path) == ["a.bin"]


def test_a_process_that_was_killed_goes_on(tmp_path):
    part, started = tmp_path / "a.bin.part", []

    def kill():
        while not part.stat().st_size:
            time.sleep(0.01)
        started[0].kill()
        started[0].wait()

    with FileServer({"a.bin": CONTENT}, Fault(drop_after=200_000, after=kill)) as server:
        code = f"from yt8m_audio.downloading import download; download({server.url('a.bin')!r}, 'a.bin')"
        root = str(Path(__file__).parents[1])
        started.append(
            subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root})
        )
        started[0].wait()
        have = part.stat().st_size
        assert 0 < have <= 200_000
        assert download(server.url("a.bin"), tmp_path / "a.bin").read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={have}-"]


@pytest.mark.parametrize("how", ["ignored", "changed", "no version", "garbled"])
def test_ends_that_do_not_belong_together_are_not_joined(fetch, how):
    files = {"a.bin": CONTENT}
    second = Fault(ignore_range=True) if how == "ignored" else Fault()
    if how == "changed":
        second = Fault(before=lambda: files.update({"a.bin": CONTENT[::-1]}))
    if how == "garbled":
        second = Fault(headers={"Content-Range": "bytes 5-9/10"})
    first = Fault(drop_after=100_000, headers=NO_VERSION if how == "no version" else {})
    server, path = fetch(first, second, files=files)
    assert path.read_bytes() == files["a.bin"]
    assert len(server.requests) == (3 if how == "garbled" else 2)


def test_without_a_version_a_hash_tells_whether_ends_belong_together(fetch):
    files = {"a.bin": CONTENT[::-1]}
    change = Fault(before=lambda: files.update({"a.bin": CONTENT}), headers=NO_VERSION)
    server, path = fetch(Fault(drop_after=100_000, headers=NO_VERSION), change, files=files, sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", None]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_that_is_busy_is_asked_again(fetch, status):
    server, path = fetch(Fault(status=status, headers={"Retry-After": "0"}), Fault(status=status))
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_a_server_says_how_long_to_wait(fetch, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    fetch(Fault(status=429, headers={"Retry-After": "7"}), Fault(status=503, headers={"Retry-After": "nonsense"}))
    assert waits == [7.0, 0.02]
    with pytest.raises(UserError, match=r"asks to come back in 86,400 s"):
        fetch(Fault(status=429, headers={"Retry-After": "86400"}), size=1)


def test_a_range_behind_the_end_says_that_all_has_come(fetch):
    server, path = fetch(Fault(more=10))
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=300000-"]


def test_a_file_that_became_shorter_is_begun_anew(fetch):
    files = {"a.bin": CONTENT}
    shorter = Fault(before=lambda: files.update({"a.bin": CONTENT[:1000]}), status=416)
    server, path = fetch(Fault(drop_after=100_000), shorter, files=files)
    assert path.read_bytes() == CONTENT[:1000]
    assert ranges(server) == [None, "bytes=100000-", None]


@pytest.mark.parametrize(
    ("fault", "options", "said"),
    [
        (Fault(status=404), {}, r"a\.bin cannot be fetched: the server has no such file \(status 404\)\.$"),
        (Fault(status=403), {}, r"the server forbids it \(status 403\)"),
        (Fault(status=400), {}, r"answers 400 Bad Request"),
        (Fault(), {"size": 5}, r"a\.bin has 300,000 bytes, not 5: it is another file"),
        (Fault(), {"sha256": "0" * 64}, r"a\.bin has the SHA-256 [0-9a-f]{64}, not 0{64}: it is another file"),
        (Fault(body=b"<html>", headers={"Content-Type": "text/html"}), {}, r"a\.bin is a web page and no file"),
        (Fault(more=1 << 60), {}, r"part needs 1,152,921,504,607 MB more, and [\d,]+ MB are free"),
    ],
)
def test_what_another_attempt_would_not_mend_is_said_at_once(fetch, tmp_path, fault, options, said):
    with pytest.raises(UserError, match=said) as caught:
        fetch(fault, **options)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == []


def test_attempts_end(fetch):
    with pytest.raises(UserError, match=r"cannot be fetched: the server answers 503 .*Try again later\."):
        fetch(*[Fault(status=503)] * 9, attempts=3)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/hostname", "must begin with http"),
        ("features.tar.gz", "must begin with http"),
        ("http://no-such-host.invalid/a.bin", "there is no host no-such-host.invalid, or no network|is not reached"),
        ("http://127.0.0.1:9/a b", "is no address to fetch from"),
    ],
)
def test_addresses_that_lead_nowhere(tmp_path, url, said):
    with pytest.raises(UserError, match=said):
        download(url, tmp_path / "a.bin", attempts=1)


def test_a_port_where_nobody_listens(tmp_path):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(UserError, match=r"127\.0\.0\.1 is not reached \(Connection refused\)"):
            download(f"http://127.0.0.1:{bound.getsockname()[1]}/a.bin", tmp_path / "a.bin", attempts=2, wait=0.01)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: (Not a directory|File exists)"):
        download("http://127.0.0.1:9/a.bin", tmp_path / "file" / "a.bin")


def test_two_processes_do_not_fetch_the_same_file(tmp_path):
    with open(tmp_path / "a.bin.part", "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="is being written by another process"):
            download("http://127.0.0.1:9/a.bin", tmp_path / "a.bin")
