"""Downloads from a server in YouTube's place: every failure, kills at any moment, and every file to the sample.

yt-dlp and ffmpeg are the real ones, and so is the command line; see youtube_double.py.
"""

import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from tests.youtube_double import REFUSED, YoutubeDouble, make_media
from yt8m_audio.audioset.clips.manifest import Manifest
from yt8m_audio.audioset.clips.segment import read_list
from yt8m_audio.commands import clips as clips_command
from yt8m_audio.errors import UserError

ROOT = Path(__file__).parents[1]
REFUSALS = {"bot_check", "captcha", "rate_limit"}
FAILURES = {name: name for name in REFUSED if name not in REFUSALS}
FAILURES |= {"server_error": "network", "dead": "network", "cut": "network", "forbidden": "forbidden"}
FAILURES |= {"garbage": "decode", "wrong_length": "decode", "before": "too_short"}
MENDED = ["bot_check_once", "captcha_once", "rate_limit_once", "forbidden_once", "too_many_once", "cut_once", "slow"]
QUICK = ["--max_per_hour=0", "--retry_wait=0.05", "--pause=0.05", "--retries=2", "--socket_time_out=5", "--workers=8"]


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    return make_media(tmp_path_factory.mktemp("media"), imageio_ffmpeg.get_ffmpeg_exe())


@pytest.fixture(scope="module")
def waveforms(media):
    """The tracks, decoded whole: int16 [n, 2]."""
    found = {}
    for name in ("long", "short"):
        call = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(media / f"{name}.m4a"), "-f", "s16le", "-"]
        raw = subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout
        found[name] = np.frombuffer(raw, "<i2").reshape(-1, 2)
    return found


@pytest.fixture
def site(media):
    """Makes a server: `site({video_id: behaviour})`."""
    made = []

    def start(behaviours):
        made.append(YoutubeDouble(behaviours, media))
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture
def here(capsys):
    """Runs a command that asks nothing of the site in this process, and returns what it prints."""

    def run(*arguments, status=0):
        assert clips_command.main(["clips", *map(str, arguments)]) == status
        return capsys.readouterr().out

    return run


def video_id(number):
    return f"-{number:010d}"


def cases(behaviours):
    """Videos by behaviour, and the milliseconds that are asked of each."""
    chance = random.Random(0)
    found = {}
    for number, behaviour in enumerate(behaviours):
        start = 20_000 if behaviour == "before" else chance.randrange(0, 9_000) if behaviour != "short" else 8_000
        found[video_id(number)] = (behaviour, start, start + 10_000)
    return found


def write_list(path, segments):
    lines = [f'{name}, {start / 1000:.3f}, {end / 1000:.3f}, "/m/09x0r"' for name, (_, start, end) in segments.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def command(*arguments):
    return [sys.executable, "-m", "yt8m_audio", "clips", *map(str, arguments)]


def clips(double, *arguments, check=True):
    call = command(*arguments)
    done = subprocess.run(call, cwd=ROOT, env=double.environment(), capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def rows(out):
    with Manifest.open(out / "manifest.sqlite") as manifest:
        return {clip.segment.video_id: clip for clip in manifest.clips()}


def check_all(out, segments, waveforms):
    """Every row is as its behaviour wants it, and every file is its track's part, to the sample."""
    found = rows(out)
    assert found.keys() == segments.keys()
    wrong = []
    for name, (behaviour, start, end) in segments.items():
        clip, file = found[name], out / "data" / "list" / "audio" / f"{name}_{start}_{end}.flac"
        track = waveforms["short" if behaviour in ("short", "before") else "long"]
        part = track[round(start * 48) : round(end * 48)]
        wanted = ("failed", FAILURES[behaviour]) if behaviour in FAILURES else ("done", "")
        wanted = ("short", "too_short") if behaviour == "short" else wanted
        if (clip.state, clip.reason) != wanted or file.exists() != (wanted[0] != "failed"):
            wrong.append((behaviour, clip))
        elif file.exists():
            assert clip.samples == len(part)
            np.testing.assert_array_equal(soundfile.read(file, dtype="int16")[0], part)
    assert wrong == []
    assert not list(out.glob(".partial*"))
    left = {file.suffix for file in out.rglob("*") if file.is_file()}
    assert left <= {".flac", ".sqlite", ".lock", ".sqlite-wal", ".sqlite-shm"}


def run_with_kills(double, csv, out, chance, kills, between):
    """Runs it, kills it some times at any moment, and lets the last one end."""
    options = {"cwd": ROOT, "env": double.environment(), "stdout": subprocess.DEVNULL}
    for _ in range(kills):
        with subprocess.Popen(command(csv, out, *QUICK), **options) as one:
            time.sleep(chance.uniform(*between))
            one.kill()
    return clips(double, csv, out, *QUICK)


def test_every_failure_ends_as_it_should(site, media, waveforms, tmp_path):
    segments = cases([*FAILURES, *MENDED, "short", *["whole"] * 10])
    double = site({name: behaviour for name, (behaviour, *_) in segments.items()})
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out %(id)s $HOME"
    done = run_with_kills(double, csv, out, random.Random(1), kills=1, between=(2.0, 3.0))
    check_all(out, segments, waveforms)
    country = next(clip for clip in rows(out).values() if clip.reason == "country")
    assert country.countries == "DE,FR"
    assert "it goes on at" in done.stdout or "bot_check" not in done.stdout
    asked = double.asked.copy()
    clips(double, csv, out, *QUICK)
    assert double.asked == asked, "nothing is asked for again"


@pytest.mark.slow
def test_five_hundred_with_kills(site, media, waveforms, tmp_path):
    failing = [*FAILURES, *MENDED, "short"]
    segments = cases([failing[n % len(failing)] if n % 5 == 0 else "whole" for n in range(500)])
    double = site({name: behaviour for name, (behaviour, *_) in segments.items()})
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    run_with_kills(double, csv, out, random.Random(2), kills=8, between=(1.5, 8.0))
    check_all(out, segments, waveforms)
    had = sum(clip.state in ("done", "short") for clip in rows(out).values())
    assert f"{had} clips verified; 0 are not as they were" in clips(double, "verify", out).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_stops_it_and_it_goes_on(site, waveforms, tmp_path, number):
    segments = cases(["slow"] * 8)
    double = site(dict.fromkeys(segments, "slow"))
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    call = command(csv, out, *QUICK, "--workers=2")
    with subprocess.Popen(call, cwd=ROOT, env=double.environment(), stdout=subprocess.PIPE, text=True) as process:
        while not double.asked["media", video_id(3)] and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number
    assert "Stopped: the same command goes on." in said
    assert {clip.state for clip in rows(out).values()} == {"done", "waiting"}
    clips(double, csv, out, *QUICK)
    check_all(out, segments, waveforms)


def test_for_ever_refused_ends_and_says_so(site, tmp_path):
    segments = cases(["bot_check"] * 20)
    double = site(dict.fromkeys(segments, "bot_check"))
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    done = clips(double, csv, out, *QUICK, "--pause=0.02", check=False)
    assert done.returncode == 75
    assert "bot_check after 6 pauses in a row" in done.stderr
    assert {clip.state for clip in rows(out).values()} == {"waiting"}


def test_a_dead_connection_is_given_up(site, tmp_path):
    segments = cases(["stuck"])
    double = site(dict.fromkeys(segments, "stuck"))
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    clips(double, csv, out, *QUICK, "--time_out=1.5", "--retries=0")
    assert [clip.reason for clip in rows(out).values()] == ["time_out"]


def test_shards_layout_video_verify_merge_and_report(site, tmp_path, here):
    segments = cases(["whole"] * 3 + ["private"])
    double = site({name: behaviour for name, (behaviour, *_) in segments.items()})
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    asked = ["--layout=panns", "--format=wav", "--sample_rate=32000", "--channels=1", "--video", *QUICK]
    for shard in ("0/2", "1/2"):
        clips(double, csv, out, *asked, f"--shard={shard}")
    assert "4 segments" in here("status", out)
    assert "4 rows of 2 manifests" in here("merge", out)
    files = sorted((out / "audios" / "list").iterdir())
    assert [file.name for file in files] == [f"Y{video_id(number)}.wav" for number in range(3)]
    assert {(soundfile.info(file).frames, soundfile.info(file).channels) for file in files} == {(320_000, 1)}
    pictures = sorted((out / "videos" / "list").iterdir())
    assert [imageio_ffmpeg.count_frames_and_secs(file)[0] for file in pictures] == [300] * 3
    assert "3 clips verified; 0 are" in here("verify", out)
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:-2])
    said = here("verify", out, status=1)
    assert f"{files[0]}: it is missing" in said
    assert f"{files[1]}: its content is another" in said
    clips(double, csv, out, *asked)
    assert "3 clips verified; 0 are" in here("verify", out, "--hash_only")
    assert "3 of 4 clips are there; 1 (25.0%) cannot be had." in here("report", out, f"--csv={tmp_path / 'c.csv'}")
    assert (tmp_path / "c.csv").read_text().splitlines()[1].startswith("/m/09x0r,Speech,4,3,0,0,1,0.25")
    assert "1 clips wait" in here("retry", out, "--reason=private")


def test_a_disk_that_cannot_be_written_ends_the_run_and_is_no_fault_of_a_clip(site, tmp_path):
    segments = cases(["whole"] * 3)
    double = site(dict.fromkeys(segments, "whole"))
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    out.mkdir()
    (out / "data").write_text("a file where a folder is to be")
    done = clips(double, csv, out, *QUICK, check=False)
    assert done.returncode == 2
    assert "make room, or give another folder" in done.stderr
    assert {clip.state for clip in rows(out).values()} == {"waiting"}


def test_two_runs_at_once_are_refused(site, tmp_path):
    segments = cases(["stuck"])
    double = site(dict.fromkeys(segments, "stuck"))
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    with subprocess.Popen(command(csv, out, *QUICK), cwd=ROOT, env=double.environment(), stdout=subprocess.PIPE) as one:
        while not double.asked["media", video_id(0)] and one.poll() is None:
            time.sleep(0.02)
        done = clips(double, csv, out, *QUICK, check=False)
        one.kill()
    assert done.returncode == 2
    assert "another run is at it" in done.stderr


def test_cookies_are_sent_and_the_file_stays(site, tmp_path):
    segments = cases(["whole"])
    double = site(dict.fromkeys(segments, "whole"))
    cookies = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4000000000\tSID\tsecret\n"
    cookies.write_text(text)
    cookies.chmod(0o400)
    csv, out = write_list(tmp_path / "list.csv", segments), tmp_path / "out"
    clips(double, csv, out, *QUICK, f"--cookies={cookies}")
    assert double.cookies == {"SID=secret"}
    assert cookies.read_text() == text
    assert not any(b"secret" in file.read_bytes() for file in out.rglob("*") if file.is_file())


def test_a_dry_run_plans_and_makes_nothing(tmp_path, here):
    csv, out = write_list(tmp_path / "list.csv", cases(["whole"] * 600)), tmp_path / "out"
    said = here(csv, out, "--dry_run", "--max_per_hour=100")
    assert "to try: 600, 100 an hour" in said
    assert "time: 0.2 days (6.0 hours)" in said
    assert not out.exists()


def test_a_dry_run_counts_what_is_over_of_its_list_and_what_waits_of_others(tmp_path, here):
    csv, out = write_list(tmp_path / "list.csv", cases(["whole"] * 6)), tmp_path / "out"
    with Manifest.create(out / "manifest.sqlite") as manifest:
        manifest.add(read_list(str(csv)))
        manifest.record([clip._replace(state="done") for clip in list(manifest.clips())[:4]])
    assert "; 4 of them are over and done with\nto try: 2, 300" in here(csv, out, "--dry_run")
    other = write_list(tmp_path / "other.csv", cases(["whole"] * 3))
    said = here(other, out, "--dry_run")
    assert "; 0 of them are over and done with\nto try: 5, of which 2 are of other lists of the folder, 300" in said


def test_a_list_with_a_fault_binds_the_folder_to_nothing(tmp_path, here):
    csv, out = write_list(tmp_path / "list.csv", cases(["whole"])), tmp_path / "out"
    with pytest.raises(UserError, match=r"no\.csv cannot be read"):
        here(tmp_path / "no.csv", out)
    assert "to try: 1," in here(csv, out, "--layout=flat", "--dry_run")


@pytest.mark.parametrize("arguments", [("list.csv", "file"), ("merge", "file", "file")])
def test_a_folder_that_is_a_file(tmp_path, here, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    write_list(tmp_path / "list.csv", cases(["whole"]))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file cannot be made a folder for clips: File exists"):
        here(*arguments)


@pytest.mark.parametrize(
    ("flag", "what"),
    [
        ("--layout=mine", "--layout=mine is none of"),
        ("--workers=0", "--workers=0 must be at least 1"),
        ("--max_per_hour=-1", "--max_per_hour=-1.0 must be at least 0"),
        ("--shard=2/2", "--shard=2/2 must be"),
        ("--cookies=none.txt", "--cookies=none.txt cannot be read"),
        (f"--cookies={__file__}", "is no file of cookies in Netscape's format"),
        ("--proxy=somewhere", "--proxy is no address of a proxy"),
        ("--proxy=http://host:port", "--proxy is no address of a proxy"),
        ("--format=aiff", "--format=aiff is none of"),
        ("--vide", "--vide is no flag. Did you mean --video"),
    ],
)
def test_a_wrong_flag(tmp_path, here, flag, what):
    csv = write_list(tmp_path / "list.csv", cases(["whole"]))
    with pytest.raises(UserError, match=re.escape(what)):
        here(csv, tmp_path / "out", flag)
    assert not (tmp_path / "out").exists()


def test_two_segments_of_a_video_have_no_two_names_of_panns(tmp_path, here):
    csv = tmp_path / "list.csv"
    csv.write_text("-0000000000, 0, 10\n-0000000000, 10, 20\n")
    with pytest.raises(UserError, match="has several segments of -0000000000"):
        here(csv, tmp_path / "out", "--layout=panns")


def test_what_there_is_nothing_of(tmp_path, here):
    for command_name in ("status", "verify", "report"):
        with pytest.raises(UserError, match="holds no manifest of clips"):
            here(command_name, tmp_path)
    with pytest.raises(UserError, match="holds no manifests of shards"):
        here("merge", tmp_path)
