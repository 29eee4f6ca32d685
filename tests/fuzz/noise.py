"""Changes to bytes, for inputs that are one binary or text file."""

import random
import struct

_INTERESTING = (0, 1, -1, 2, 127, 128, 255, 256, 32767, -32768, 65535, 2**31 - 1, -(2**31))
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e38, float("nan"), float("inf"), float("-inf"), 1e-45)


def noisy(content: bytes, rng: random.Random, words: tuple[bytes, ...] = ()) -> bytes:
    """The content with one to four changes; `words` are put in now and then."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _change(found, rng, words)
    return bytes(found)


def _change(found: bytearray, rng: random.Random, words: tuple[bytes, ...]) -> None:
    at = rng.randrange(len(found) + 1)
    # headers are where the meaning is
    at = min(at, rng.randrange(400)) if rng.random() < 0.5 else at
    what = rng.randrange(8 if words else 7)
    if what == 0:
        found[at : at + 1] = bytes([rng.randrange(256)])
    elif what == 1:
        del found[at : at + rng.choice((1, 2, 8, 100))]
    elif what == 2:
        found[at:at] = found[at : at + rng.choice((1, 4, 64))] * rng.choice((1, 2, 50))
    elif what == 3:
        put = struct.pack("<i", rng.choice(_INTERESTING))[: rng.choice((1, 2, 4))]
        found[at : at + len(put)] = put
    elif what == 4:
        found[at : at + 4] = struct.pack("<f", rng.choice(_FLOATS))
    elif what == 5:
        del found[at:]
    elif what == 6:
        found[at : at + 8] = struct.pack("<q", rng.choice((2**62, -1, 0, 10**12, 2**33)))
    else:
        found[at : at + rng.choice((0, 0, 4, 12))] = rng.choice(words)
