"""Where the random generators of this process stand: Python's, numpy's, and torch's once it is imported."""

from __future__ import annotations

import ctypes
import random
import sys
from typing import Any, NamedTuple

import numpy as np

KEYS = 624  # 32-bit words of a Mersenne twister, after which numpy keeps how many are used


class Numpys(NamedTuple):
    """A global generator of numpy. A normal draw makes two numbers, of which the second may still be to come."""

    words: bytes
    waits: int
    second: float


UNKNOWN = Numpys(b"", 0, 0.0)
_numpys = UNKNOWN


class Chance(NamedTuple):
    python: Any
    numpy: Numpys | None
    torch: bytes

    def put_back(self) -> None:
        random.setstate(self.python)
        if self.numpy is not None and self.numpy != _of_numpy():
            words, waits, second = self.numpy
            keys = np.frombuffer(words, np.uint32)
            np.random.set_state(("MT19937", keys[:-1], int(keys[-1]), waits, second))
        if (torch := sys.modules.get("torch")) is not None and self.torch:
            torch.set_rng_state(torch.frombuffer(bytearray(self.torch), dtype=torch.uint8))


def chance() -> Chance:
    torch = sys.modules.get("torch")
    return Chance(random.getstate(), _of_numpy(), torch.get_rng_state().numpy().tobytes() if torch is not None else b"")


def _of_numpy() -> Numpys | None:
    """numpy takes long to tell its state: it is asked where the words are others than before, or where a number waits, which may
    be taken without moving them. None where somebody has put another generator in its place."""
    global _numpys
    twister: Any = np.random.get_bit_generator()  # pyright: ignore[reportAttributeAccessIssue]
    if type(twister) is not np.random.MT19937:
        return None
    words = ctypes.string_at(twister.ctypes.state_address, 4 * KEYS + 4)
    if words != _numpys.words or _numpys.waits:
        *_, waits, second = np.random.get_state()
        _numpys = Numpys(words, int(waits), float(second))
    return _numpys


def forget() -> None:
    """Since numpy was last asked somebody may have seeded it anew: the same words, and another number that waits."""
    global _numpys
    _numpys = UNKNOWN


class Replayed:
    """After a `with`, the generators stand where they stood."""

    def __enter__(self) -> Replayed:
        self._before = self._last = chance()
        return self

    def moved(self) -> bool:
        """Since this was last asked, or since the beginning."""
        last, self._last = self._last, chance()
        return last != self._last

    def __exit__(self, *_: object) -> None:
        self._before.put_back()
