"""Sound files of every kind, whole, cut, broken and none at all."""

import io
import pickle
import struct
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from yt8m_audio.audio import waveform as facade
from yt8m_audio.audio.ffmpeg import ffmpeg_program
from yt8m_audio.audio.waveform import (
    Oddities,
    SoundError,
    SoundFault,
    SoundWarning,
    odd_about,
    read_sound,
    sound_blocks,
    sound_info,
)

soundfile = pytest.importorskip("soundfile")
soxr = pytest.importorskip("soxr")
pytest.importorskip("imageio_ffmpeg")

NOISE = (0.2 * np.random.default_rng(0).standard_normal(3 * 44_100)).clip(-0.9, 0.9).astype(np.float32)
FAULTS = SoundFault


@pytest.fixture
def noise(tmp_path):
    """Writes three seconds of noise at 44.1 kHz as a file of that name; gives its path."""

    def write(name, subtype=None, samples=NOISE, sample_rate=44_100):
        soundfile.write(tmp_path / name, samples, sample_rate, subtype)
        return str(tmp_path / name)

    return write


def made_by_ffmpeg(path, *arguments):
    command = [ffmpeg_program(), "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return str(path)


def cut(path, share=0.6):
    with open(path, "r+b") as file:
        file.truncate(int(len(file.read()) * share))
    return path


def fault_of(path, **options):
    with pytest.raises(SoundError) as caught:
        read_sound(path, **options)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def stdin_of(content, monkeypatch):
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(content)))


def wav_head(tag, channels, bits):
    form = struct.pack("<HHIIHH", tag, channels, 8_000, 16_000, 2, bits)
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0"


# Formats


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_a_wav_is_the_same_from_a_file_and_from_standard_input(tmp_path, monkeypatch, subtype, form):
    stereo = NOISE[:4_000].reshape(-1, 2)
    soundfile.write(tmp_path / "a.wav", stereo, 16_000, subtype, format=form)
    sound = read_sound(tmp_path / "a.wav")
    np.testing.assert_allclose(sound, stereo.mean(axis=1), atol=0.03 if subtype[1:] == "LAW" else 0.01)
    stdin_of((tmp_path / "a.wav").read_bytes(), monkeypatch)
    np.testing.assert_array_equal(read_sound("-"), sound)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_sound_of_another_rate_has_the_length_that_it_had(noise, name):
    path = noise(name)
    info = sound_info(path)
    assert (info.sample_rate, info.channels, info.num_samples, info.seconds) == (44_100, 1, 132_300, 3.0)
    sound = read_sound(path)
    assert sound.shape == (48_000,)
    assert sound.dtype == np.float32
    assert np.corrcoef(sound, soxr.resample(NOISE, 44_100, 16_000))[0, 1] > 0.9


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_no_sample_is_changed_where_reads_meet(noise, name):
    path = noise(name)
    np.testing.assert_array_equal(read_sound(path, 44_100), soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("-a.webm", "libopus"), ("concat:a.mkv", "ac3")])
def test_what_soundfile_does_not_know_ffmpeg_decodes(noise, tmp_path, monkeypatch, name, codec):
    made_by_ffmpeg(tmp_path / name, "-i", noise("a.wav"), "-c:a", codec)
    monkeypatch.chdir(tmp_path)
    sound, info = read_sound(name), sound_info(name)
    assert abs(len(sound) - 48_000) < 800
    assert info.num_samples is None
    assert info.seconds == pytest.approx(3.0, abs=0.05)
    assert np.corrcoef(sound[:48_000], soxr.resample(NOISE, 44_100, 16_000)[: len(sound)])[0, 1] > 0.7


def test_ffmpeg_and_soundfile_agree_about_a_wav(noise):
    path = noise("a.wav", "PCM_24")
    np.testing.assert_array_equal(read_sound(path, decoder="ffmpeg"), read_sound(path, decoder="soundfile"))


def test_a_name_says_nothing_about_a_file(noise, tmp_path):
    path = tmp_path / "flac.raw"
    path.write_bytes(Path(noise("a.flac")).read_bytes())
    assert read_sound(path).shape == (48_000,)


# Blocks and parts


@pytest.mark.parametrize("name", ["a.wav", "a.ogg", "a.mp3", "a.m4a"])
@pytest.mark.parametrize(("start", "end"), [(0.0, None), (0.5, 2.25), (2.5, 9.0)])
def test_blocks_are_the_whole_bit_for_bit(noise, tmp_path, name, start, end):
    path = noise("a.wav" if name == "a.m4a" else name, samples=np.stack([NOISE, NOISE[::-1]], axis=1))
    path = path if name != "a.m4a" else made_by_ffmpeg(tmp_path / name, "-i", path, "-c:a", "aac")
    blocks = list(sound_blocks(path, start=start, end=end, block_seconds=0.1))
    assert {len(block) for block in blocks[:-1]} == {1_600}
    np.testing.assert_array_equal(np.concatenate(blocks), read_sound(path, start=start, end=end))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("decoder", ["soundfile", "ffmpeg"])
def test_a_part_is_cut_at_the_sample(noise, name, decoder):
    path = noise(name)
    whole = read_sound(path, 44_100, decoder=decoder)
    part = read_sound(path, 44_100, start=0.7, end=1.9001, decoder=decoder)
    np.testing.assert_array_equal(part, whole[30_870:83_794])


def test_a_part_is_cut_before_it_is_resampled(noise):
    part = read_sound(noise("a.wav", "FLOAT"), start=1.0, end=2.0)
    np.testing.assert_array_equal(part, soxr.resample(NOISE[44_100:88_200], 44_100, 16_000))


@pytest.mark.parametrize(
    ("start", "end", "fault"),
    [
        (3.5, None, FAULTS.TOO_SHORT),
        (-1.0, None, FAULTS.BAD_RANGE),
        (1.0, 1.0, FAULTS.BAD_RANGE),
        (float("nan"), None, FAULTS.BAD_RANGE),
        (0.0, float("inf"), FAULTS.BAD_RANGE),
    ],
)
@pytest.mark.parametrize("decoder", ["soundfile", "ffmpeg"])
def test_a_part_that_is_not_there(noise, start, end, fault, decoder):
    assert fault_of(noise("a.wav"), start=start, end=end, decoder=decoder) is fault


def test_a_process_that_is_not_read_to_its_end_is_ended(noise, tmp_path):
    path = made_by_ffmpeg(tmp_path / "a.m4a", "-i", noise("a.wav", samples=np.tile(NOISE, 20)), "-c:a", "aac")
    blocks = sound_blocks(path, block_seconds=0.5)
    assert next(blocks).shape == (8_000,)
    blocks.close()
    assert read_sound(path, end=0.5).shape == (8_000,)


# Standard input


@pytest.mark.parametrize("length", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_stream_of_unknown_length_is_read_to_its_end(noise, monkeypatch, length):
    content = bytearray(Path(noise("a.wav")).read_bytes())
    content[40:44] = struct.pack("<I", length)
    stdin_of(bytes(content), monkeypatch)
    np.testing.assert_array_equal(read_sound("-"), read_sound(noise("a.wav")))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b"hello, this is a text", "not_sound"),
        (b"RIFF\0\0\0\0WAVE", "broken"),
        (wav_head(1, 0, 16), "broken"),
        (wav_head(17, 1, 4), "unsupported"),
        (wav_head(1, 1, 16), "no_samples"),
    ],
)
def test_what_is_no_wav_on_standard_input(monkeypatch, content, fault):
    stdin_of(content, monkeypatch)
    assert fault_of("-") == fault


def test_standard_input_that_ends_too_early_gives_what_is_there(noise, monkeypatch):
    stdin_of(Path(cut(noise("a.wav"))).read_bytes(), monkeypatch)
    told = []
    assert 28_000 < len(read_sound("-", warn=told.append)) < 29_000
    assert told[0].startswith("Standard input: it is cut: 1.20 s")


# Faults


def test_faults_of_files_have_names(tmp_path, noise):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is a text\n" * 40)
    head = cut(noise("head.wav"), 44 / (44 + 2 * len(NOISE)))
    video = made_by_ffmpeg(tmp_path / "mute.mp4", "-f", "lavfi", "-i", "testsrc=d=0.2:s=32x32")
    lost = cut(made_by_ffmpeg(tmp_path / "lost.m4a", "-i", noise("a.wav"), "-c:a", "aac"))
    samples = NOISE.copy()
    samples[100_000] = np.nan
    found = {
        path: fault_of(path)
        for path in (tmp_path / "none.wav", tmp_path, tmp_path / "empty.wav", tmp_path / "text.wav", head, video, lost)
    }
    wanted = ["missing", "unreadable", "empty", "not_sound", "no_samples", "no_audio", "broken"]
    assert [fault.value for fault in found.values()] == wanted
    assert fault_of(noise("nan.wav", "FLOAT", samples)) is FAULTS.NOT_FINITE


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.webm", "a.m4a"])
def test_a_cut_file_gives_what_is_there_and_says_so(noise, tmp_path, name):
    options = ["-c:a", "aac", "-movflags", "+faststart"] if name == "a.m4a" else ["-c:a", "libopus"]
    if name in ("a.webm", "a.m4a"):
        path = made_by_ffmpeg(tmp_path / name, "-i", noise("b.wav"), *options)
    else:
        path = noise(name)
    cut(path)
    told = []
    sound = read_sound(path, warn=told.append)
    assert 16_000 < len(sound) < 40_000
    assert len(told) == 1
    assert told[0].startswith(f"{path}: ")
    with pytest.warns(SoundWarning):
        read_sound(path)
    read_sound(path, end=0.5, warn=pytest.fail)  # of that part, nothing is missing


def test_a_cut_wav_shows_in_what_is_known_before(noise):
    path = noise("a.wav")
    assert sound_info(path).warnings == ()
    assert sound_info(cut(path)).warnings == ("it is cut: its end is not there",)


def test_a_fault_passes_from_process_to_process():
    error = pickle.loads(pickle.dumps(SoundError(FAULTS.EMPTY, "a.wav is empty.")))
    assert (error.reason, str(error)) == (FAULTS.EMPTY, "a.wav is empty.")


def test_decoders_that_are_unknown_or_missing(noise, monkeypatch, tmp_path):
    path = noise("a.wav")
    assert fault_of(path, decoder="sox") is FAULTS.UNSUPPORTED
    assert fault_of("-", decoder="ffmpeg") is FAULTS.UNSUPPORTED
    video = made_by_ffmpeg(tmp_path / "a.m4a", "-i", path)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fault_of(video) is FAULTS.DECODER_MISSING
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(SoundError, match=r"needs soxr: pip install 'yt8m-audio\[audio\]'"):
        read_sound(path)


def test_nothing_is_said_of_standard_input_before_it_is_read():
    with pytest.raises(SoundError, match="read once"):
        sound_info(facade.STANDARD_INPUT)


# Oddities

TONE = np.sin(np.arange(32_000) / 20).astype(np.float32)


@pytest.mark.parametrize(
    ("waveform", "odd"),
    [
        (0.5 * TONE, []),
        (np.zeros(32_000), ["silent: nothing in it is above -80 dBFS"]),
        (np.full(32_000, 0.25), ["constant: every sample is 0.25"]),
        (np.zeros(0), ["empty: it has no sample"]),
        (np.concatenate([np.zeros(32_000), TONE[:2_000] / 2]), ["mostly silent: 95 % of it is below -80 dBFS"]),
        ((2 * TONE).clip(-1, 1), ["clipped: 63.4 % of its samples are at full scale"]),
    ],
)
def test_what_is_odd(waveform, odd):
    assert odd_about(waveform) == odd


def test_oddities_do_not_depend_on_blocks():
    sound, oddities = (2 * TONE).clip(-1, 1), Oddities()
    for start in range(0, len(sound), 777):
        oddities.update(sound[start : start + 777])
    assert oddities.found() == odd_about(sound)
