"""Cuts at the sample, whatever the codec of the track and the format of the clip."""

import subprocess
import threading

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from yt8m_audio.audioset.clips.media import RATES, Cutter, SoundFormat
from yt8m_audio.audioset.clips.reasons import ClipError, Reason
from yt8m_audio.errors import UserError

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def run(*arguments):
    return subprocess.run([FFMPEG, "-v", "error", *arguments], check=True, stdout=subprocess.PIPE).stdout


def decoded(path, rate):
    """All of a file, int16 [n, 2]."""
    return np.frombuffer(run("-i", path, "-ar", str(rate), "-ac", "2", "-f", "s16le", "-"), "<i2").reshape(-1, 2)


def cutter(sound=None, seconds=60.0):
    return Cutter(sound or SoundFormat(), seconds, threading.Event())


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    noise = "aevalsrc=0.5*(random(0)-0.5)|0.5*(random(1)-0.5):s=44100:d=7.3"
    for name, codec in (("a.m4a", "aac"), ("a.webm", "libopus"), ("a.wav", "pcm_s16le")):
        run("-f", "lavfi", "-i", noise, "-c:a", codec, folder / name)
    return folder


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wav"])
@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_a_cut_is_a_part_of_the_whole(tracks, tmp_path, name, rate):
    clip = tmp_path / "-cut.flac"
    samples = cutter(SoundFormat(sample_rate=rate)).cut_sound(tracks / name, 1_234, 5_678, clip)
    first, last = round(1.234 * rate), round(5.678 * rate)
    assert samples == last - first
    np.testing.assert_array_equal(decoded(clip, rate), decoded(tracks / name, rate)[first:last])


@pytest.mark.parametrize("suffix", ["flac", "wav"])
@pytest.mark.parametrize("bit_depth", [16, 24])
def test_bits_a_sample(tracks, tmp_path, suffix, bit_depth):
    clip = tmp_path / f"clip.{suffix}"
    cutter(SoundFormat(suffix, bit_depth=bit_depth)).cut_sound(tracks / "a.m4a", 0, 1_000, clip)
    assert soundfile.info(clip).subtype == f"PCM_{bit_depth}"


@pytest.mark.parametrize(
    "sound",
    [
        SoundFormat("wav", 16_000, 1),
        SoundFormat("wav", 44_100, 2, 24),
        SoundFormat("flac", 48_000, 2, 24),
        SoundFormat("mp3", 32_000, 1),
        SoundFormat("ogg", 48_000, 2),
        SoundFormat("m4a", 44_100, 2),
    ],
    ids=str,
)
def test_every_format_has_all_its_samples(tracks, tmp_path, sound):
    samples = cutter(sound).cut_sound(tracks / "a.wav", 500, 3_500, tmp_path / "clip")
    assert samples == sound.length(500, 3_500) == 3 * sound.sample_rate


@pytest.mark.parametrize("suffix", RATES)
def test_every_rate_of_a_format_has_all_its_samples(tracks, tmp_path, suffix):
    for rate in RATES[suffix]:
        sound = SoundFormat(suffix, rate, 1)
        sound.check()
        samples = cutter(sound).cut_sound(tracks / "a.wav", 500, 1_777, tmp_path / "clip")
        assert 0 <= samples - sound.length(500, 1_777) <= (100 if suffix == "mp3" else 0)


def test_a_track_that_begins_late_is_silent_until_then(tracks, tmp_path):
    run("-itsoffset", "0.5", "-i", tracks / "a.wav", "-c:a", "pcm_s16le", tmp_path / "late.mkv")
    sound = SoundFormat(sample_rate=44_100)
    assert cutter(sound).cut_sound(tmp_path / "late.mkv", 250, 1_250, tmp_path / "clip.flac") == 44_100
    clip, whole = decoded(tmp_path / "clip.flac", 44_100), decoded(tracks / "a.wav", 44_100)
    assert not clip[:11_025].any()
    np.testing.assert_array_equal(clip[11_025:], whole[: 44_100 - 11_025])


def test_a_track_that_ends_before(tracks, tmp_path):
    assert cutter().cut_sound(tracks / "a.wav", 5_000, 15_000, tmp_path / "clip") == round(2.3 * 48_000)


def test_a_track_that_ends_before_it_begins(tracks, tmp_path):
    assert cutter().cut_sound(tracks / "a.wav", 8_000, 9_000, tmp_path / "clip") == 0


def test_what_is_no_sound(tmp_path):
    (tmp_path / "a.m4a").write_bytes(bytes(1000))
    with pytest.raises(ClipError) as raised:
        cutter().cut_sound(tmp_path / "a.m4a", 0, 1_000, tmp_path / "clip")
    assert raised.value.reason is Reason.DECODE


def test_media_that_names_other_files_is_not_followed(tracks, tmp_path):
    playlist = tmp_path / "a.m3u8"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/{tracks / 'a.wav'}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(ClipError):
        cutter().cut_sound(playlist, 0, 1_000, tmp_path / "clip")


def test_time_is_up(tracks, tmp_path):
    with pytest.raises(ClipError) as raised:
        Cutter(SoundFormat(), 0.0, threading.Event())._run(["-re", "-i", str(tracks / "a.wav"), "-f", "null", "-"])
    assert raised.value.reason is Reason.TIME_OUT


@pytest.mark.parametrize(("number", "reason"), [("XFSZ", Reason.DISK), ("KILL", Reason.OTHER)])
def test_what_ended_it_is_no_time_out(tmp_path, monkeypatch, number, reason):
    ended = tmp_path / "ffmpeg"
    ended.write_text(f"#!/bin/sh\nkill -{number} $$\n")
    ended.chmod(0o755)
    monkeypatch.setattr("yt8m_audio.audioset.clips.media.ffmpeg", lambda: str(ended))
    with pytest.raises(ClipError) as raised:
        cutter().count(tmp_path / "clip")
    assert raised.value.reason is reason


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"suffix": "aiff"}, "--format=aiff is none of"),
        ({"suffix": "mp3", "bit_depth": 24}, "--bit_depth=24: mp3 takes 16"),
        ({"suffix": "mp3", "sample_rate": 11_025}, "--sample_rate=11025: mp3 takes"),
        ({"suffix": "m4a", "sample_rate": 192_000}, "--sample_rate=192000: m4a takes"),
        ({"channels": 6}, "--channels=6 must be 1 or 2"),
    ],
)
def test_a_format_that_there_is_not(settings, what):
    with pytest.raises(UserError, match=what):
        SoundFormat(**settings).check()
