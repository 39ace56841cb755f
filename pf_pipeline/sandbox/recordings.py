"""Call recordings: short sounds that really play.

Belongs here: making the audio of ``GET /recordings/{id}.wav``.
"""

import io
import math
import wave
from functools import lru_cache
from hashlib import sha256
from typing import Final

_SAMPLES_PER_SECOND: Final = 8_000
_TONE_SECONDS: Final = 0.75
_SILENCE: Final = 128
"""The middle of the range of unsigned 8-bit samples."""
_LOUDNESS: Final = 60


@lru_cache(maxsize=256)
def recording_wav(recording_id: str) -> bytes:
    """A WAV file of two tones one after the other, 1.5 seconds, mono, 8 kHz, 8 bit.

    The same id always sounds the same; two ids almost never do.
    """
    digest = sha256(recording_id.encode()).digest()
    tones = (300 + 2 * digest[0], 300 + 2 * digest[1])
    samples = bytes(sample for hertz in tones for sample in _tone(hertz))
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(1)
        recording.setframerate(_SAMPLES_PER_SECOND)
        recording.writeframes(samples)
    return file.getvalue()


def _tone(hertz: int) -> list[int]:
    turn = 2 * math.pi * hertz / _SAMPLES_PER_SECOND
    return [
        _SILENCE + round(_LOUDNESS * math.sin(turn * position))
        for position in range(int(_SAMPLES_PER_SECOND * _TONE_SECONDS))
    ]
