"""One maker for each class of the built-in sample: AudioSet classes whose sound a few lines can make.

    wave = SOUNDS["Foghorn"](np.random.default_rng(0), 16_000)  # [16000] in [-1, 1]

A maker draws its parameters (pitch, rate, modulation) from the generator it is given, and it is heard within the
first half second, so that the class is honestly there in a clip of one second too. What the telephone network's
tones and alarms sound like follows ITU-T Q.23 (DTMF), ITU-T E.180 and the North American precise tone plan, and
ISO 8201 (three beeps and a pause).
"""

import functools
from collections.abc import Callable

import numpy as np

from yt8m_audio.audio.mel_bands import SAMPLE_RATE
from yt8m_audio.sample.waves import (
    band_noise,
    bursts,
    chord,
    colored_noise,
    decay,
    gate,
    hard,
    loudest,
    place,
    sawtooth,
    times,
    tone,
)

Maker = Callable[[np.random.Generator, int], np.ndarray]

SOUNDS: dict[str, Maker] = {}  # by AudioSet's display name

LATEST_ONSET = 0.4  # seconds
DTMF_ROWS = (697.0, 770.0, 852.0, 941.0)
DTMF_COLUMNS = (1209.0, 1336.0, 1477.0)
BELL_PARTIALS = (
    0.5,
    1.0,
    1.183,
    1.506,
    2.0,
    2.662,
    3.011,
)  # of a tuned church bell: hum, prime, tierce, quint ...


def sound(display_name: str) -> Callable[[Maker], Maker]:
    """Enters a maker under the class it makes, and scales what it makes to the full range."""

    def enter(make: Maker) -> Maker:
        @functools.wraps(make)
        def make_loudest(random: np.random.Generator, num_samples: int) -> np.ndarray:
            return loudest(make(random, num_samples))

        SOUNDS[display_name] = make_loudest
        return make_loudest

    return enter


@sound("Sine wave")
def sine_wave(random, num_samples):
    """One steady tone, 500 Hz to 3 kHz."""
    return tone(log_uniform(random, 500, 3_000), num_samples)


@sound("Chirp tone")
def chirp_tone(random, num_samples):
    """A pure tone that sweeps two to four octaves, up or down, over and over."""
    sweep, octaves = random.uniform(0.4, 2.5), random.uniform(2, 4)
    position = (times(num_samples) / sweep) % 1
    position = 1 - position if random.random() < 0.5 else position
    return tone(log_uniform(random, 200, 450) * 2 ** (octaves * position), num_samples)


@sound("White noise")
def white_noise(random, num_samples):
    """Noise with the same power at all frequencies."""
    return random.standard_normal(num_samples)


@sound("Pink noise")
def pink_noise(random, num_samples):
    """Noise with the same power in every octave."""
    return colored_noise(random, num_samples, 1.0)


@sound("Siren")
def siren(random, num_samples):
    """A wail, a yelp, or two tones in turn."""
    kind = random.choice(["wail", "yelp", "two tones"])
    rate = {
        "wail": random.uniform(0.2, 0.5),
        "yelp": random.uniform(2.5, 4),
        "two tones": random.uniform(0.7, 1.1),
    }[kind]
    turn = np.sin(2 * np.pi * (rate * times(num_samples) + random.random()))  # [samples] in [-1, 1]
    low = random.uniform(450, 800)
    if kind == "two tones":
        return hard(tone(np.where(turn > 0, low * 4 / 3, low), num_samples))
    return hard(tone(low * 2 ** (random.uniform(1.0, 1.4) * (0.5 + 0.5 * turn)), num_samples))


@sound("Dial tone")
def dial_tone(random, num_samples):
    """The steady tone of a free line: 350 and 440 Hz in America, 425 Hz in Europe."""
    pair = (350.0, 440.0) if random.random() < 0.7 else (425.0,)
    return chord([frequency * random.uniform(0.99, 1.01) for frequency in pair], num_samples)


@sound("Busy signal")
def busy_signal(random, num_samples):
    """480 and 620 Hz (425 Hz in Europe), as long on as off."""
    pair = (480.0, 620.0) if random.random() < 0.7 else (425.0,)
    on = random.uniform(0.25, 0.5)
    return chord(pair, num_samples) * gate(num_samples, on, 2 * on, onset(random))


@sound("Telephone dialing, DTMF")
def touch_tones(random, num_samples):
    """A number dialled on a keypad: a pair of tones for each key."""
    on, period = random.uniform(0.07, 0.2), random.uniform(0.2, 0.45)
    onsets = np.arange(onset(random), num_samples / SAMPLE_RATE, period)
    pressed = int(on * SAMPLE_RATE)
    keys = [(random.choice(DTMF_ROWS), random.choice(DTMF_COLUMNS)) for _ in onsets]
    return place(num_samples, onsets, [chord(key, pressed) * gate(pressed, on, 1.0) for key in keys])


@sound("Bell")
def bell(random, num_samples):
    """Strokes of one bell: inharmonic partials, the higher the sooner gone."""
    pitch, ring = log_uniform(random, 250, 900), random.uniform(0.3, 1.2)
    length = int(min(num_samples, 4 * ring * SAMPLE_RATE))
    partials = [decay(length, ring / ratio) * tone(pitch * ratio, length) for ratio in BELL_PARTIALS]
    stroke = sum(random.uniform(0.4, 1.0) * partial for partial in partials)  # [length]
    return repeat(random, num_samples, [stroke], random.uniform(0.6, 2.5))


@sound("Heart sounds, heartbeat")
def heartbeat(random, num_samples):
    """Two dull thumps in each beat, 50 to 120 beats a minute."""
    beat = random.uniform(0.5, 1.2)
    thumps = [thump(random, 60, 90), 0.7 * thump(random, 80, 120)]
    pair = place(int(beat * SAMPLE_RATE), [0.0, 0.35 * beat], thumps)
    return repeat(random, num_samples, [pair], beat)


@sound("Tick-tock")
def tick_tock(random, num_samples):
    """A clock's two clicks in turn, the second one duller."""
    bright, length = log_uniform(random, 2_000, 4_500), int(0.04 * SAMPLE_RATE)
    envelope = decay(length, random.uniform(0.006, 0.012))
    clicks = [band_noise(random, length, bright * ratio, 0.5) * envelope for ratio in (1.0, random.uniform(0.5, 0.75))]
    return repeat(random, num_samples, [hard(loudest(click)) for click in clicks], random.uniform(0.2, 0.6))


@sound("Mains hum")
def mains_hum(random, num_samples):
    """50 or 60 Hz and its harmonics, the even ones louder."""
    mains = float(random.choice([50, 60]))
    loudness = {order: random.uniform(0.3, 1.0) / order * (2 if order % 2 == 0 else 1) for order in range(1, 11)}
    tenth = sum(loud * tone(order * mains, SAMPLE_RATE // 10) for order, loud in loudness.items())
    return np.resize(tenth, num_samples)  # whole periods of 50 and of 60 Hz, repeated


@sound("Buzz")
def buzz(random, num_samples):
    """Wings of an insect: all harmonics of a pitch that wavers, nearer and farther."""
    wobble = tone(random.uniform(3, 9), num_samples) + tone(random.uniform(0.3, 1.0), num_samples)
    pitch = random.uniform(140, 280) * (1 + random.uniform(0.02, 0.05) * wobble)
    return sawtooth(pitch, num_samples) * (0.7 + 0.3 * tone(random.uniform(0.2, 1.5), num_samples))


@sound("Static")
def static(random, num_samples):
    """Bad reception: hiss that comes and goes, and crackle."""
    slow = np.repeat(random.uniform(0.05, 0.5, num_samples // 800 + 1), 800)[:num_samples]  # another level each 50 ms
    crackle = random.standard_normal(num_samples) * (random.random(num_samples) < random.uniform(30, 150) / SAMPLE_RATE)
    return slow * random.standard_normal(num_samples) + np.convolve(crackle, decay(64, 0.0005), "same")


@sound("Throbbing")
def throbbing(random, num_samples):
    """A low drone that swells and fades two to six times a second."""
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * random.uniform(2, 6) * times(num_samples))
    return hard(tone(random.uniform(80, 200), num_samples), 2.0) * swell**1.5


@sound("Smoke detector, smoke alarm")
def smoke_alarm(random, num_samples):
    """Three piercing beeps and a pause."""
    three = bursts(num_samples, random.uniform(0.3, 0.5), 3, random.uniform(0.5, 1.2), onset(random))
    return tone(random.uniform(2_900, 3_500), num_samples) * three


@sound("Reversing beeps")
def reversing_beeps(random, num_samples):
    """A truck's beep, a half to one second long with the pause after it."""
    on = random.uniform(0.25, 0.5)
    return hard(tone(random.uniform(900, 1_500), num_samples)) * gate(num_samples, on, 2 * on, onset(random))


@sound("Alarm clock")
def alarm_clock(random, num_samples):
    """Four quick beeps and a pause."""
    four = bursts(num_samples, random.uniform(0.04, 0.08), 4, random.uniform(0.3, 0.6), onset(random))
    return hard(tone(random.uniform(1_800, 2_600), num_samples)) * four


@sound("Ringtone")
def ringtone(random, num_samples):
    """An electronic telephone's warble between two notes, with pauses."""
    low, rate = random.uniform(600, 1_100), random.uniform(12, 22)
    pitch = np.where((times(num_samples) * rate) % 1 < 0.5, low, 1.25 * low)
    ring = random.uniform(0.8, 1.5)
    return hard(tone(pitch, num_samples), 1.5) * gate(num_samples, ring, ring + random.uniform(0.5, 2), onset(random))


@sound("Foghorn")
def foghorn(random, num_samples):
    """Long low blasts."""
    blast = random.uniform(1.0, 2.5)
    envelope = gate(num_samples, blast, blast + random.uniform(0.8, 2.5), onset(random))
    return hard(sawtooth(random.uniform(110, 220), num_samples), 1.5) * envelope


@sound("Sonar")
def sonar(random, num_samples):
    """A ping that dies away slowly, and again."""
    length, half_life = min(num_samples, 2 * SAMPLE_RATE), random.uniform(0.2, 0.4)
    ping = tone(random.uniform(900, 1_600), length) * decay(length, half_life)
    return repeat(random, num_samples, [ping], random.uniform(1.2, 2.2))


@sound("Cricket")
def cricket(random, num_samples):
    """Chirps of three or four pulses, high and nearly pure."""
    pulse, pulses = random.uniform(0.012, 0.02), int(random.integers(3, 5))
    chirps = bursts(num_samples, pulse, pulses, random.uniform(0.1, 0.5), onset(random))
    return tone(random.uniform(3_900, 5_200), num_samples) * chirps


def onset(random: np.random.Generator) -> float:
    """Draws when the first event begins, in seconds."""
    return random.uniform(0.0, LATEST_ONSET)


def log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Draws a frequency in Hz, every octave as likely as the next."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def thump(random: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Returns a dull beat of 0.15 s: a low tone that begins at once and is soon gone."""
    length = int(0.15 * SAMPLE_RATE)
    return hard(tone(random.uniform(low, high), length) * decay(length, 0.04), 4.0)


def repeat(random: np.random.Generator, num_samples: int, events: list[np.ndarray], period: float) -> np.ndarray:
    """Plays events in turn, one every `period` seconds with a little unevenness, from a first onset on."""
    onsets = np.arange(onset(random), num_samples / SAMPLE_RATE, period)
    uneven = np.maximum(0.0, onsets + random.uniform(-0.01, 0.01, len(onsets)))
    return place(num_samples, uneven, [events[index % len(events)] for index in range(len(onsets))])
