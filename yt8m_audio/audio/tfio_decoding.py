"""Sound decoded and resampled by tensorflow-io, inside a `tf.data` graph: the `io` profile's.

    for path, waveform in tfio_dataset(paths, 16_000): ...   # string [], float32 [samples]

It takes what TensorFlow can open, `s3://` and the like too. WAV of 8, 16 and 24 bits and of 32-bit floats, FLAC, Ogg
Vorbis and MP3, each held in memory whole; a file that was cut gives nothing. Its resampler (Speex) is 32 samples late,
which are brought forward, to within half a sample: from 44.1 kHz two tones of 0.5 and 0.25 lay within 0.008 of soxr's.
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from yt8m_audio.audio.sound_errors import SoundError, SoundFault
from yt8m_audio.files import why

SCALES = {tf.uint8: 1 << 7, tf.int16: 1 << 15, tf.int32: 1 << 31, tf.float32: 1}
LATENCY = 32  # samples, at the slower of the two rates, by which tensorflow-io's resampler is late
TO_THE_END = -1.0
HEAD_BYTES = 46  # of a WAV, up to where an extensible format names its subformat


def tfio_dataset(paths: Iterable[str], sample_rate: int = 16_000) -> tf.data.Dataset:
    """A data set of paths and what they sound like, decoded in parallel and in order.

    Args:
        paths: sound files.
        sample_rate: that they are to have, in Hz.

    Returns:
        A data set of (string [], float32 [samples], mono). A file that cannot be decoded raises TensorFlow's error
        where it is reached: `dataset.ignore_errors()` leaves it out.

    Raises:
        SoundError: if tensorflow-io is not there.
    """
    ops = _ops()
    dataset = tf.data.Dataset.from_tensor_slices(np.array([str(path) for path in paths], object).astype(bytes))
    return dataset.map(
        lambda path: (path, decoded(ops, path, sample_rate, 0.0, TO_THE_END)), num_parallel_calls=tf.data.AUTOTUNE
    )


def read(path: str, sample_rate: int, start: float, end: float | None) -> np.ndarray:
    """Reads a sound, or a part of it, through the same graph as a data set's.

    Returns:
        float32 [samples], mono; none where the part begins behind the sound.

    Raises:
        SoundError: if it cannot be decoded, or tensorflow-io is not there.
    """
    ops, last = _ops(), TO_THE_END if end is None else end
    part = tf.data.Dataset.from_tensors(path).map(lambda name: decoded(ops, name, sample_rate, start, last))
    try:
        return next(part.as_numpy_iterator())
    except tf.errors.OpError as error:
        raise _fault(path, error) from error


def decoded(ops, path: tf.Tensor, sample_rate: int, start: float, end: float) -> tf.Tensor:
    """Decodes a file in a graph, cuts it at its samples nearest to two times in seconds, and resamples it.

    Returns:
        float32 [samples], mean of the channels.
    """
    resource = ops.io_audio_readable_init(path)
    shape, dtype, rate = ops.io_audio_readable_spec(resource)
    rate = tf.cast(rate, tf.int64)
    known = tf.debugging.assert_equal(_is_misread(path), False, "WAV of 32-bit integers is not supported")
    first, last = (tf.cast(tf.round(time * tf.cast(rate, tf.float64)), tf.int64) for time in (start, end))
    first = tf.minimum(first, shape[0])
    last = shape[0] if end == TO_THE_END else tf.clip_by_value(last, first, shape[0])

    def samples(kind):
        return lambda: _scaled(ops.io_audio_readable_read(resource, first, last, dtype=kind), kind)

    def nothing():
        return tf.zeros((0, 1))

    kinds = [(tf.equal(dtype, kind.as_datatype_enum), samples(kind)) for kind in SCALES]
    with tf.control_dependencies([known]):
        sound = tf.cond(tf.equal(first, last), nothing, lambda: tf.case(kinds, exclusive=True))  # [samples, channels]
    mono = tf.reduce_mean(sound, axis=1)  # [samples]
    same = tf.logical_or(tf.equal(rate, sample_rate), tf.equal(tf.size(mono), 0))
    return tf.cond(same, lambda: mono, lambda: _resampled(ops, mono, rate, tf.constant(sample_rate, tf.int64)))


def _resampled(ops, mono: tf.Tensor, rate_in: tf.Tensor, rate_out: tf.Tensor) -> tf.Tensor:
    """Resamples float32 [n]; what comes late is brought forward, and has the length that soxr would give it."""

    def samples(count, of_rate, at_rate):
        return tf.cast(tf.round(tf.cast(count, tf.float64) * tf.cast(at_rate / of_rate, tf.float64)), tf.int64)

    slower = tf.minimum(rate_in, rate_out)
    behind = tf.zeros([2 * samples(LATENCY, slower, rate_in)])
    sound = ops.io_audio_resample(tf.concat([mono, behind], 0)[:, tf.newaxis], rate_in, rate_out)[:, 0]
    late, wanted = samples(LATENCY, slower, rate_out), samples(tf.size(mono), rate_in, rate_out)
    return sound[late : late + wanted]


def _scaled(samples: tf.Tensor, kind: tf.DType) -> tf.Tensor:
    """Brings samples into [-1, 1], float32."""
    floats = tf.cast(samples, tf.float32)
    return ((floats - 128.0) if kind == tf.uint8 else floats) / SCALES[kind]


def _is_misread(path: tf.Tensor) -> tf.Tensor:
    """Whether a file is WAV of 32-bit integers, whose bits tensorflow-io takes for floats without a word."""
    content = tf.io.read_file(path)
    head = tf.strings.join([content, "\0" * HEAD_BYTES])  # substr refuses places behind the end

    def has(place, content):
        return tf.equal(tf.strings.substr(head, place, len(content)), content)

    extensible = tf.logical_and(has(20, b"\xfe\xff"), has(44, b"\x01\x00"))
    integers = tf.logical_or(has(20, b"\x01\x00"), extensible)
    return tf.reduce_all([has(0, b"RIFF"), has(34, b"\x20\x00"), integers])


def _ops():
    """tensorflow-io's operations.

    Raises:
        SoundError: if it is not there, or does not load.
    """
    try:
        from tensorflow_io.python.ops import core_ops

        return core_ops.io_audio_readable_init and core_ops
    except Exception as error:  # whatever a native library says that does not fit this TensorFlow
        raise SoundError(
            SoundFault.DECODER_MISSING,
            "--decoder=tfio needs tensorflow-io, which is not there or does not load: make the `io` profile's "
            "environment (`make env PROFILE=io`), or leave the flag out.",
        ) from error


def _fault(path: str, error: tf.errors.OpError) -> SoundError:
    """What it means that a file was not decoded."""
    if isinstance(error, tf.errors.NotFoundError):
        return SoundError(SoundFault.MISSING, f"{path} is not there.")
    said = why(error)
    unknown = "unknown file type" in said or "support" in said or "must have" in said
    fault = SoundFault.UNSUPPORTED if unknown else SoundFault.BROKEN
    return SoundError(fault, f"{path} cannot be decoded by tensorflow-io: {said}")
