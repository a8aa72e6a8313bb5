"""One worker and what is exchanged with it: requests of plain numbers, answers of plain numbers, and its end."""

from __future__ import annotations

import atexit
import json
import math
import os
import selectors
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import Any, cast

import numpy as np

from ..estimate import Floats
from .isolation import BUBBLEWRAP, Limits, Tier, command, environment, readable
from .worker import framed

HEADER = 1 << 16
OUTPUT = 1 << 16
START_S, END_S = 180.0, 5.0
DIMENSIONS = 6
SENTENCE = 600


class Ended(BaseException):
    """The worker is gone, or was stopped. Not an Exception: code that tries one thing after another must not go on.

    What calls code under test takes any error for the code's own; `Session.end` remembers.
    """

    def __init__(self, word: str, says: str) -> None:
        super().__init__(says)
        self.word, self.says = word, says


class GraderFault(Exception):
    """The worker could not be started: nobody's submission is to blame."""


class Starter:
    """A process that has imported libraries and runs nothing: workers are forked from it."""

    def __init__(self, words: Sequence[str]) -> None:
        from .confine import keep_secrets  # for Unix alone, as `chosen` says

        keep_secrets()
        self._owner = os.getpid()
        self._channel, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  it is read where a worker did not start
        try:
            self._process = subprocess.Popen(
                words,
                stdin=theirs.fileno(),
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
                cwd="/",
                env=environment(),
                umask=0o077,
            )
        except OSError as error:
            self._channel.close()
            self._output.close()
            raise GraderFault(f"the worker cannot be started: {error.strerror}") from error
        finally:
            theirs.close()

    def fork(self, ends: Sequence[int]) -> None:
        """A worker, with these descriptors."""
        socket.send_fds(self._channel, [b"!"], ends)

    def says(self) -> str:
        return os.pread(self._output.fileno(), OUTPUT, 0).decode("utf-8", "replace")

    def close(self) -> None:
        """It ends where nobody asks it any more; who was forked from its owner leaves it as it is."""
        if os.getpid() != self._owner:
            return
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)  # in every process that has it
        self._channel.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


_starters: dict[tuple[str, ...], Starter] = {}
_starting = Lock()


def _forked(words: Sequence[str], ends: Sequence[int]) -> Starter:
    """From the process that was started so before, or a new one."""
    key = tuple(words)
    with _starting:
        if key in _starters:
            with suppress(OSError):
                _starters[key].fork(ends)
                return _starters[key]
            _starters.pop(key).close()
        found = _starters[key] = Starter(words)
    try:
        found.fork(ends)
    except OSError as error:
        raise GraderFault(f"the worker did not start: {clean(found.says()) or error.strerror}") from error
    return found


@atexit.register
def closed() -> None:
    """No worker is forked any more from a process that was started before."""
    while _starters:
        _starters.popitem()[1].close()


class Session:
    """A worker with one submission. `left` is how many seconds of waiting it has."""

    def __init__(self, tier: Tier, limits: Limits, config: Mapping[str, Any]) -> None:
        self.tier, self.limits = tier, limits
        self.left = limits.seconds
        self.end: Ended | None = None
        self.output = ""  # what it printed, known when it is closed: at most 64 KiB, harmless to show
        self._count = 0
        self._folder = tempfile.TemporaryDirectory(prefix="worker")
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  it is read when the worker is gone
        config = {
            **config,
            "folder": "/" if tier is BUBBLEWRAP else self._folder.name,
            "readable": readable(tier),
            "cpu_s": limits.seconds,
            "memory": limits.memory,
            "file_size": limits.file_size,
            "files": limits.files,
        }
        theirs_in, self._sink = os.pipe()
        self._source, theirs_out = os.pipe()
        self._keeper, theirs = socket.socketpair()
        for end in (self._sink, self._source):
            os.set_blocking(end, False)
        ends = (theirs_in, theirs_out, self._output.fileno(), theirs.fileno())
        try:
            self._starter = _forked(command(tier, config["libraries"]), ends)
        except GraderFault:
            theirs.close()
            self.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
            theirs.close()
        self._pending = framed(config)

    # ---- its life ---------------------------------------------------------------------------------------------------------

    @cached_property
    def ready(self) -> dict[str, Any]:
        """What holds in the worker. The time of a submission starts here: importing torch is not charged."""
        deadline = time.monotonic() + START_S
        try:
            header, _ = self._exchange(self._pending, deadline)
        except Ended as error:
            self.close()
            said = " ".join(filter(None, (error.says, self.output, clean(self._starter.says()))))
            raise GraderFault(f"the worker did not start: {said}") from error
        if header.get("ready") is not True:
            raise GraderFault("the worker did not say that it is ready")
        if self.tier.name == "landlock" and not header.get("landlock"):
            self.close()
            raise GraderFault("Landlock does not hold in the worker")
        return header

    @cached_property
    def functions(self) -> dict[str, Any]:
        """What the submission defines of what is asked for, each with its parameters."""
        assert self.ready
        header, _ = self._timed(framed({"load": True}))
        if isinstance(header.get("failed"), str):
            word = "CRASH" if header.get("ended") is True else "INVALID"
            ended = "it ended before returning an answer: " if word == "CRASH" else ""
            raise Ended(word, ended + clean(header["failed"]))
        functions = header.get("functions")
        if not isinstance(functions, dict):
            raise Ended("CRASH", "it answered with something else than functions")
        return {str(k): _parameters(v) for k, v in cast(dict[Any, Any], functions).items()}

    def close(self) -> None:
        """The worker and all that it started are gone."""
        with suppress(OSError):
            self._keeper.shutdown(socket.SHUT_WR)
            self._code()
        self._keeper.close()
        for end in (self._sink, self._source):
            try:
                os.close(end)
            except OSError:
                continue
        self._sink = self._source = -1
        self._folder.cleanup()
        if not self._output.closed:
            self._output.seek(0)
            self.output = clean(self._output.read(OUTPUT).decode("utf-8", "replace"), OUTPUT)
            self._output.close()

    def _code(self) -> int | None:
        """How it ended, once it has: negative by a signal. 0 where it does not, and None where nobody is left to tell."""
        self._keeper.settimeout(END_S)
        try:
            word = self._keeper.recv(4)
        except OSError:
            return 0
        return int(struct.unpack("<i", word)[0]) if word else None

    # ---- exchange ---------------------------------------------------------------------------------------------------------

    def ask(
        self,
        op: str,
        name: str,
        passed: Sequence[tuple[str, str | None]],
        arguments: Mapping[str, Any],
        plain: Mapping[str, Any],
        dtype: str,
        kind: str,
        cotangents: Floats | None = None,
    ) -> tuple[dict[str, Any], Floats]:
        """(rows, *shape) for arguments (rows, ...): what the function returns, or its slopes against cotangents."""
        self._count += 1
        rows = len(next(iter(arguments.values()))) if arguments else 1
        described = [[k, list(v.shape[1:]), v.dtype.kind == "i"] for k, v in arguments.items()]
        numbers = [np.ascontiguousarray(v, np.int64 if v.dtype.kind == "i" else np.float64).tobytes() for v in arguments.values()]
        if cotangents is not None:
            numbers.append(np.ascontiguousarray(cotangents, np.float64).tobytes())
        request = {"id": self._count, "op": op, "name": name, "pass": passed, "arguments": described, "rows": rows}
        header, payload = self._timed(framed({**request, "plain": plain, "dtype": dtype, "kind": kind}, b"".join(numbers)))
        if header.get("id") != self._count:
            raise Ended("CRASH", "it answered a question that was not asked")
        if isinstance(header.get("refused"), str):
            says = clean(header["refused"])
            if header.get("ended") is True:
                self.end = Ended("CRASH", says)
                raise self.end
            raise Refusal(says)
        size = shape(header.get("shape"))
        if size is None:
            raise Ended("CRASH", "it answered with something else than numbers")
        if len(payload) != 8 * rows * math.prod(size):
            raise Ended("CRASH", "it answered with another number of numbers than it said")
        return header, np.frombuffer(payload, "<f8").reshape(rows, *size)

    def _timed(self, data: bytes) -> tuple[dict[str, Any], bytes]:
        if self.end is not None:
            raise self.end
        start = time.monotonic()
        try:
            return self._exchange(data, start + self.left)
        except Ended as error:
            self.end = error
            raise
        finally:
            self.left -= time.monotonic() - start

    def _exchange(self, data: bytes, deadline: float) -> tuple[dict[str, Any], bytes]:
        """Write a frame, read a frame."""
        if self._sink < 0:
            raise Ended("CRASH", "the worker is gone")
        with selectors.DefaultSelector() as ready:
            ready.register(self._source, selectors.EVENT_READ)
            left, found = memoryview(data), bytearray()
            if left:
                ready.register(self._sink, selectors.EVENT_WRITE)
            while True:
                wait = deadline - time.monotonic()
                if wait <= 0:
                    self.close()
                    raise Ended("TIMEOUT", f"it took longer than {self.limits.seconds:g} s")
                for key, _ in ready.select(min(wait, 1.0)):
                    if key.fd == self._sink:
                        left = self._written(left)
                        if not left:
                            ready.unregister(self._sink)
                        continue
                    part = os.read(self._source, 1 << 20)
                    if not part:
                        raise self._gone()
                    found += part
                    if (frame := self._frame(found)) is not None:
                        return frame

    def _written(self, data: memoryview) -> memoryview:
        """What is left to write; of a worker that reads no more, nothing."""
        try:
            return data[os.write(self._sink, data[: 1 << 16]) :]
        except BrokenPipeError:
            return memoryview(b"")

    def _frame(self, found: bytearray) -> tuple[dict[str, Any], bytes] | None:
        """The header and the numbers behind it, once all of them are there."""
        if len(found) < 4:
            return None
        start = 4 + struct.unpack("<I", found[:4])[0]
        if not 6 <= start <= 4 + HEADER:
            raise self._forged("it answered with a header of impossible length")
        if len(found) < start:
            return None
        header = _header(bytes(found[4:start]))
        if header is None or not 0 <= header["bytes"] <= self.limits.answer:
            raise self._forged("it answered with something else than numbers, or with too many")
        if len(found) > start + header["bytes"]:
            raise self._forged("it answered more than it was asked")
        return (header, bytes(found[start:])) if len(found) == start + header["bytes"] else None

    def _forged(self, says: str) -> Ended:
        self.close()
        return Ended("CRASH", says)

    def _gone(self) -> Ended:
        """Why the worker ended."""
        code = self._code()
        self.close()
        if code is None:
            return Ended("GRADER_ERROR", "what its worker was forked from is gone, as where memory runs out: grade it again")
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and self.left < 1):
            return Ended("TIMEOUT", f"it took longer than {self.limits.seconds:g} s of processor time")
        if code in (-signal.SIGKILL, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS):
            return Ended("CRASH", f"it was stopped by the system ({signal.Signals(-code).name}): out of memory, or a fault")
        return Ended("CRASH", "it ended before returning an answer")


class Refusal(Exception):
    """A sentence about what a function did instead of returning numbers."""


def _header(text: bytes) -> dict[str, Any] | None:
    """A flat JSON object with a whole number `bytes`, or None."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], found) if isinstance(found, dict) and type(found.get("bytes")) is int else None


def shape(found: Any) -> list[int] | None:
    if not isinstance(found, list) or len(cast(list[Any], found)) > DIMENSIONS:
        return None
    return list(cast(list[int], found)) if all(type(n) is int and 0 <= n < 1 << 24 for n in cast(list[Any], found)) else None


def _parameters(found: Any) -> list[tuple[str, int, bool]] | None:
    """[name, kind, default] for each parameter, or None."""
    if not isinstance(found, list):
        return None
    out: list[tuple[str, int, bool]] = []
    for row in cast(list[Any], found):
        if not (isinstance(row, list) and len(cast(list[Any], row)) == 3):
            return None
        name, kind, default = cast(list[Any], row)
        if not (type(name) is str and name.isidentifier() and len(name) < 80 and kind in range(5) and type(default) is bool):
            return None
        out.append((name, kind, default))
    return out


def clean(text: str, most: int = SENTENCE) -> str:
    """Text of a submission, harmless to show: no control characters, no command to a terminal or to a CI service."""
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in text.expandtabs(4)[:most])
    return shown.replace("::", ": :").replace("##[", "# #[")
