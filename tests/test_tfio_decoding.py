"""Sound through tensorflow-io, where it loads, and what is said where it does not."""

import importlib.util

import numpy as np
import pytest

from yt8m_audio.audio.tfio_decoding import tfio_dataset
from yt8m_audio.audio.waveform import SoundError, SoundFault, read_sound, sound_blocks

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

HAS_TFIO = importlib.util.find_spec("tensorflow_io") is not None
needs_tfio = pytest.mark.skipif(not HAS_TFIO, reason="tensorflow-io is of the profile io: make env PROFILE=io")
TIMES = np.arange(44_100) / 44_100
TONES = np.stack([0.5 * np.sin(2 * np.pi * 440 * TIMES), 0.25 * np.sin(2 * np.pi * 1000 * TIMES)], axis=1)


@pytest.fixture
def sound(tmp_path):
    """Writes a second of two tones, one a channel; gives the path."""

    def write(name, sample_rate=44_100, subtype=None):
        soundfile.write(tmp_path / name, TONES, sample_rate, subtype)
        return str(tmp_path / name)

    return write


@pytest.mark.skipif(HAS_TFIO, reason="tensorflow-io is there")
def test_how_to_get_it_is_said_in_one_line(sound):
    with pytest.raises(SoundError, match="make env PROFILE=io") as caught:
        read_sound(sound("a.wav"), decoder="tfio")
    assert caught.value.reason is SoundFault.DECODER_MISSING
    with pytest.raises(SoundError, match="make env PROFILE=io"):
        tfio_dataset([sound("a.wav")])


@needs_tfio
@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        *(("a.wav", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT")),
        *(("a.flac", subtype) for subtype in ("PCM_16", "PCM_24")),
        *((name, None) for name in ("a.ogg", "a.mp3")),
    ],
)
def test_it_gives_what_soundfile_gives(sound, name, subtype):
    same_rate = sound(name, 16_000, subtype)
    np.testing.assert_allclose(read_sound(same_rate, decoder="tfio"), read_sound(same_rate), atol=2e-3)
    resampled = sound(name, 44_100, subtype)
    ours, theirs = read_sound(resampled, decoder="tfio"), read_sound(resampled)
    assert abs(len(ours) - len(theirs)) <= 1
    np.testing.assert_allclose(ours[200:-200], theirs[200 : len(ours) - 200], atol=0.02)


@needs_tfio
def test_a_part_is_cut_at_the_sample_and_comes_in_blocks(sound):
    path = sound("a.wav", 16_000)
    whole, part = (read_sound(path, start=begin, end=end, decoder="tfio") for begin, end in ((0, None), (0.5, 0.75)))
    np.testing.assert_array_equal(part, whole[8_000:12_000])
    blocks = list(sound_blocks(path, block_seconds=0.5, decoder="tfio"))
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert len(blocks[0]) == 8_000


@needs_tfio
def test_a_data_set_decodes_in_order_and_can_leave_out_what_is_broken(sound, tmp_path):
    (tmp_path / "text.wav").write_text("a text")
    paths = [sound("a.wav"), str(tmp_path / "text.wav"), sound("b.flac", 16_000)]
    found = list(tfio_dataset(paths, 16_000).ignore_errors().as_numpy_iterator())
    assert [path.decode() for path, _ in found] == [paths[0], paths[2]]
    np.testing.assert_array_equal(found[1][1], read_sound(paths[2], decoder="tfio"))


@needs_tfio
@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, SoundFault.MISSING),
        (b"", SoundFault.EMPTY),
        (b"a text of some length " * 9, SoundFault.UNSUPPORTED),
        (b"RIFF\0\0\0\0WAVE", SoundFault.BROKEN),
    ],
)
def test_faults_have_names(tmp_path, content, fault):
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SoundError) as caught:
        read_sound(path, decoder="tfio")
    assert caught.value.reason is fault
    assert "\n" not in str(caught.value)


@needs_tfio
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_what_it_would_read_wrongly_it_refuses(tmp_path, form):
    soundfile.write(tmp_path / "a.wav", TONES, 16_000, "PCM_32", format=form)
    with pytest.raises(SoundError, match="32-bit integers"):
        read_sound(tmp_path / "a.wav", decoder="tfio")


@needs_tfio
def test_what_begins_behind_the_end(sound):
    with pytest.raises(SoundError) as caught:
        read_sound(sound("a.wav"), start=2.0, decoder="tfio")
    assert caught.value.reason is SoundFault.TOO_SHORT
