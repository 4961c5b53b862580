"""Records of other machines: a web server and a bucket of S3 on this one, and what is said where they fail."""

import contextlib
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import tensorflow as tf

import inference as inference_script
import train as train_script
from readers import open_clips
from yt8m_audio import files, flags, records
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError

has_tensorflow_io = importlib.util.find_spec("tensorflow_io") is not None
with_tensorflow_io = pytest.mark.skipif(not has_tensorflow_io, reason="tensorflow-io is in the io profile only")
without_tensorflow_io = pytest.mark.skipif(has_tensorflow_io, reason="tensorflow-io is here")
NOBODY = "http://127.0.0.1:1"  # a port that nobody listens at
LISTED = "<Contents><Key>{}</Key><Size>1</Size><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a folder: files with HEAD and ranges, as a web server or as buckets of S3, which can be listed."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        path = Path(self.server.folder, url.path.lstrip("/"))
        with self.server.counted(self):
            if "list-type" in url.query:
                prefix = parse_qs(url.query).get("prefix", [""])[0]
                names = [str(each.relative_to(path)) for each in sorted(path.rglob("*")) if each.is_file()]
                listed = "".join(LISTED.format(name) for name in names if name.startswith(prefix))
                self.answer(200, f"<ListBucketResult>{listed}</ListBucketResult>".encode())
            elif path.is_file():
                self.give(path.read_bytes())
            else:
                self.answer(404, b"<html>\n<body>\nNo such page\n</body>\n</html>")

    def give(self, content):
        asked = self.headers["Range"] if self.server.knows_ranges else None
        first, last = (int(each) for each in asked.removeprefix("bytes=").split("-")) if asked else (0, len(content))
        if asked and first >= len(content):
            self.answer(416, b"")
        else:
            self.answer(206 if asked else 200, content[first : last + 1])

    def answer(self, status, body):
        dies = self.server.dies_after is not None and len(self.server.requests) > self.server.dies_after
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):  # a client that has had enough
                self.wfile.write(body[: len(body) // 2] if dies else body)
        self.close_connection = self.close_connection or dies

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    """A server of a folder that notes requests, and how many of them came at a time."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.url = folder, f"http://127.0.0.1:{self.server_address[1]}"
        self.requests, self.knows_ranges, self.dies_after = [], True, None
        self.wanted, self.running, self.most_running, self.changed = 1, 0, 0, threading.Condition()

    @contextlib.contextmanager
    def counted(self, request):
        """Holds a request for a moment, until as many run as are wanted."""
        with self.changed:
            self.requests.append((request.path, request.headers["Range"]))
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.most_running >= self.wanted, timeout=5)
        try:
            yield
        finally:
            with self.changed:
                self.running -= 1


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def served(server, shard):
    """Writes a shard as `shard` does; returns its path here, and its address."""

    def serve(records, name="00.tfrecord"):
        return shard(records, name), f"{server.url}/{name}"

    return serve


@pytest.fixture
def bucket(server, monkeypatch):
    """The server as S3; tensorflow-io looks at the environment once, when the first path is opened."""
    for name, value in {
        "S3_ENDPOINT": server.url,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def nothing_kept(monkeypatch):
    """As if shards were too long to stay in memory."""
    monkeypatch.setattr(records, "KEPT_BYTES", 0)


def long_records(count, size=100_000):
    """Records of random bytes."""
    return [np.random.default_rng(number).bytes(size + number) for number in range(count)]


def read(paths, numbers=None, **settings):
    """Records by number, all in order where none are given."""
    shards = records.index_shards(paths)
    found, whole = records.read_records(shards, np.arange(len(shards)) if numbers is None else numbers, **settings)
    assert whole.all()
    return [found[row] for row in range(len(found))]


def error_of(work, *arguments):
    """The one line that some work fails with."""
    with pytest.raises(UserError) as error:
        work(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def batches(dataset):
    return [{key: value.numpy().tolist() for key, value in batch.items()} for batch in dataset]


# Reading from a web server


@with_tensorflow_io
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("order", ["in_order", "shuffled"])
def test_batches_are_those_of_local_files(served, order, kept, request):
    if not kept:
        request.getfixturevalue("nothing_kept")
    both = [served(count, f"{count:02}.tfrecord") for count in (5, 40, 1)]
    made = []
    for paths in zip(*both, strict=True):
        clips = open_clips(",".join(paths), "train_data_pattern", DataConfig(frame_features=True))
        shuffled = order == "shuffled"
        made.append(batches(clips.shuffled(8, epochs=2, seed=3) if shuffled else clips.in_order(8)))
    assert made[0] == made[1]
    assert len(made[0]) == (12 if order == "shuffled" else 6)


@with_tensorflow_io
@pytest.mark.parametrize("numbers", [[0], [29], [3, 29, 0, 0], list(range(30)), list(range(29, -1, -2))])
def test_any_records_of_long_shards(served, nothing_kept, numbers):
    path, url = served(long_records(30))
    assert read([url], np.array(numbers)) == read([path], np.array(numbers))


@with_tensorflow_io
def test_small_shards_are_fetched_once(server, served):
    urls = [served(3, f"{number}.tfrecord")[1] for number in range(10)]
    clips = open_clips(",".join(urls), "train_data_pattern", DataConfig(frame_features=True))
    batches(clips.shuffled(8, epochs=5, seed=0))
    assert len(clips.in_memory()) == 30
    assert sorted(path for path, _ in server.requests) == [f"/{number}.tfrecord" for number in range(10)]


@with_tensorflow_io
@pytest.mark.parametrize(("numbers", "skipped"), [([0, 1], True), ([3], True), ([25], False), ([8, 11], False)])
def test_ranges_of_long_shards(server, served, nothing_kept, numbers, skipped):
    shards = records.index_shards([served(long_records(30))[1]])
    assert [asked for _, asked in server.requests] == [f"bytes={mib << 20}-{((mib + 1) << 20) - 1}" for mib in range(3)]
    server.requests.clear()
    records.read_records(shards, np.array(numbers), threads=1)
    begin = 0 if skipped else shards.starts[numbers[0]]  # what is near is read over; else one byte before is asked for
    wanted = [] if skipped else [f"bytes={begin - 1}-{begin - 1}"]
    assert [asked for _, asked in server.requests] == [*wanted, f"bytes={begin}-{begin + (1 << 19) - 1}"]


@with_tensorflow_io
@pytest.mark.parametrize("num_readers", [1, 4])
def test_as_many_reads_at_a_time_as_readers(server, served, nothing_kept, num_readers):
    paths, urls = zip(*[served(2, f"{number}.tfrecord") for number in range(8)], strict=True)
    shards = records.index_shards(urls)
    server.wanted, server.most_running = num_readers, 0
    found, _ = records.read_records(shards, np.arange(16), threads=num_readers)
    assert server.most_running == num_readers
    assert [found[row] for row in range(16)] == read(paths)


@with_tensorflow_io
def test_an_empty_shard_holds_no_records(server, served):
    Path(server.folder, "empty.tfrecord").touch()
    path, url = served(3)
    assert read([f"{server.url}/empty.tfrecord", url]) == read([path])


@with_tensorflow_io
def test_a_server_that_does_not_know_ranges(server, served):
    server.knows_ranges = False
    path, url = served(long_records(9))
    assert read([url]) == read([path])
    _, url = served(long_records(30))
    assert error_of(records.index_shards, [url]).startswith(f"{url} cannot be read: the web server sends whole files")


# What goes wrong at a web server


@with_tensorflow_io
def test_a_missing_file_is_named(server, served):
    pattern = f"{served(2)[1]},{server.url}/gone.tfrecord"
    said = error_of(open_clips, pattern, "train_data_pattern", DataConfig())
    gone = f"{server.url}/gone.tfrecord"
    assert said == f"{gone} cannot be read: Error executing an HTTP request: HTTP response code 404"


@with_tensorflow_io
def test_a_corrupt_record_is_named_with_its_address(served, flip_bit):
    path, url = served(3)
    flip_bit(path, -100)
    _, whole = records.read_records(records.index_shards([url]), np.arange(3))
    assert whole.tolist() == [True, True, False]
    Path(path).write_bytes(Path(path).read_bytes()[:-200])
    assert error_of(records.index_shards, [url]).startswith(f"{url} is corrupt at record 2: ")


@with_tensorflow_io
@pytest.mark.parametrize("wildcard", ["*", "0[0-9]"])
def test_a_web_server_does_not_list_its_files(server, wildcard):
    said = error_of(records.find_shards, f"{server.url}/{wildcard}.tfrecord", "train_data_pattern")
    assert "a web server does not list its files: name each of them" in said
    assert not server.requests


@with_tensorflow_io
@pytest.mark.parametrize("when", ["it is indexed", "it is read"])
def test_a_server_that_dies_midway(server, served, nothing_kept, when):
    _, url = served(3)
    shards = None if when == "it is indexed" else records.index_shards([url])
    server.dies_after = len(server.requests)
    work = (records.index_shards, [url]) if shards is None else (records.read_records, shards, np.arange(3))
    said = error_of(*work)
    assert said.startswith(f"{url} cannot be read: Unable to perform (18): ")


@with_tensorflow_io
def test_a_server_that_dies_while_batches_are_made(server, served, nothing_kept):
    _, url = served(40)
    clips = open_clips(url, "train_data_pattern", DataConfig(frame_features=True))
    server.dies_after = len(server.requests)

    def consume():
        with clips.errors_explained():
            batches(clips.in_order(8))

    assert error_of(consume).startswith(f"{url} cannot be read: ")


@with_tensorflow_io
def test_a_server_that_is_not_there(monkeypatch):
    url = f"{NOBODY}/00.tfrecord"
    said = error_of(open_clips, url, "train_data_pattern", DataConfig())
    assert said.startswith(f"{url} cannot be read: Unable to perform (7): Failed to connect to 127.0.0.1")


# The scripts


def run(script, *arguments):
    """Runs a script's main as its command line would; returns the exit status."""
    with pytest.raises(SystemExit) as exit_info:
        flags.run(script.main, [script.__file__, *map(str, arguments)])
    return exit_info.value.code


@with_tensorflow_io
@pytest.mark.parametrize("cache", ["memory", "none"])
def test_training_and_inference_from_a_web_server(server, served, tmp_path, cache):
    urls = ",".join(served(20, f"{number}.tfrecord")[1] for number in range(3))
    settings = ("--frame_features", "--num_classes=20", "--batch_size=16", "--model=FrameLevelLogisticModel")
    place = f"--train_dir={tmp_path}/run"
    assert run(train_script, f"--train_data_pattern={urls}", *settings, place, "--max_steps=5", f"--cache={cache}") == 0
    assert len(server.requests) == 3
    assert run(inference_script, place, f"--input_data_pattern={urls}", f"--output_file={tmp_path}/p.csv") == 0
    lines = Path(tmp_path, "p.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:4]] == ["0-0", "0-1", "0-2"]
    assert len(lines) == 61


# Other file systems


@with_tensorflow_io
def test_a_bucket_of_s3_is_listed_and_read_and_the_process_ends_well(bucket, shard):
    """In a process of its own, since tensorflow-io takes the endpoint once."""
    folder = Path(bucket.folder, "bucket", "clips")
    folder.mkdir(parents=True)
    wanted = []
    for number in range(3):
        wanted += read([shard(3 + number, f"{number}.tfrecord")])
        Path(bucket.folder, f"{number}.tfrecord").rename(folder / f"{number}.tfrecord")
    program = """
import sys, numpy as np
from yt8m_audio import records
from yt8m_audio.errors import UserError
paths = records.find_shards("s3://bucket/clips/*.tfrecord", "train_data_pattern")
found, whole = records.read_records(records.index_shards(paths), np.arange(12))
print(whole.sum(), np.concatenate([np.frombuffer(found[row], np.uint8) for row in range(12)]).sum(), paths[2])
for pattern in ("s3://bucket/none/*", "s3://none/clips/0.tfrecord"):
    try:
        records.find_shards(pattern, "train_data_pattern")
    except UserError as error:
        print(error)
sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    total = sum(int(np.frombuffer(record, np.uint8).sum()) for record in wanted)
    lines = done.stdout.splitlines()
    assert lines[0] == f"12 {total} s3://bucket/clips/2.tfrecord"
    assert [line.partition(":")[0] for line in lines[1:]] == ["--train_data_pattern=s3"] * 2
    assert all("matches no file" in line for line in lines[1:])
    assert done.returncode == 7, done.stderr


@with_tensorflow_io
@pytest.mark.parametrize("scheme", files.WITH_TENSORFLOW_IO)
def test_file_systems_are_registered(scheme):
    files.load_file_system(f"{scheme}://machine/00.tfrecord")
    assert scheme in [str(each) for each in tf.io.gfile.get_registered_schemes()]


@with_tensorflow_io
@pytest.mark.parametrize("path", ["hdfs://127.0.0.1:1/*.tfrecord", "viewfs://cluster/00.tfrecord"])
def test_what_is_amiss_is_told_where_nothing_can_be_listed(path):
    if os.environ.get("HADOOP_HDFS_HOME"):
        pytest.skip("Hadoop is here")
    said = error_of(records.find_shards, path, "train_data_pattern")
    assert said == f"--train_data_pattern={path} cannot be listed: HadoopFileSystem is not initialized correctly"


@without_tensorflow_io
@pytest.mark.parametrize("scheme", ["s3", "az", "hdfs", "viewfs", "http", "https"])
def test_what_needs_tensorflow_io_says_how_to_get_it(scheme):
    path = f"{scheme}://machine/00.tfrecord"
    said = error_of(open_clips, path, "train_data_pattern", DataConfig())
    assert said.startswith(f"{path}: {scheme}:// needs tensorflow-io, ")
    assert "`make env PROFILE=io`" in said


@without_tensorflow_io
def test_the_scripts_say_so_in_one_line(tmp_path, capsys):
    arguments = (f"--train_data_pattern={NOBODY}/00.tfrecord", f"--train_dir={tmp_path}/run")
    assert run(train_script, *arguments) == 2
    assert f"error: {NOBODY}/00.tfrecord: http:// needs tensorflow-io, " in capsys.readouterr().err


def test_google_cloud_storage_needs_nothing_but_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            tf.errors.AbortedError(None, None, "code 401 with body '{\n  denied\n}'\n\t when reading"),
            "code 401 with body '{ denied }' when reading",
        ),
        (tf.errors.NotFoundError(None, None, "code 404 with body '\n<html>\nno\n</html>'"), "code 404"),
        (
            tf.errors.InternalError(None, None, "{{function_node __wrapped__ReadFile}} no route [Op:ReadFile]"),
            "no route",
        ),
        (RuntimeError("Fail to get a new connection"), "Fail to get a new connection"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_whatever_is_said_becomes_one_line(error, said, monkeypatch):
    def glob(_):
        raise error

    monkeypatch.setattr(tf.io.gfile, "glob", glob)
    assert error_of(records.find_shards, "gs://bucket/*", "f") == f"--f=gs://bucket/* cannot be listed: {said}"
