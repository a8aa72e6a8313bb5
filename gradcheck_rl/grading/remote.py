"""A function of a submission as the page calls it: named as its slot is, and answered by the worker."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from ..backends.rows import Rows, on_arrays
from ..errors import CodeError, InputError, ProblemError, did_you_mean
from ..estimate import Floats
from ..evaluators.plain import is_numpy
from .session import Refusal, Session, shape

POSITIONAL_ONLY, ORDINARY, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)
KEPT = 256
PIECE, ROWS = 1 << 15, 1 << 21
Parameters = Sequence[tuple[str, int, bool]]


def asked_of(slot: Callable[..., Any]) -> list[str]:
    """What the page gives to a function; functions that it calls are not handed over."""
    return [p.name for p in inspect.signature(slot).parameters.values() if p.default is p.empty]


def signature(slot: Callable[..., Any]) -> str:
    return f"def {slot.__name__}({', '.join(asked_of(slot))}):"


class TooMuch(BaseException):
    """A claim asks for more rows than a submission is to pay for. Not an Exception, as `Ended` is none."""


class Remote:
    """The questions that one function of a submission is asked. `left`: how many rows may still be asked for; none is, once it
    is negative."""

    def __init__(self, session: Session, slot: Callable[..., Any], parameters: Parameters | None) -> None:
        self.session, self.slot, self.name = session, slot, slot.__name__
        self.numpy = is_numpy(slot)
        self.asked = asked_of(slot)
        self.passed = _passed(slot, self.asked, parameters)
        self.left = ROWS
        self._known: dict[Any, Any] = {}

    @property
    def function(self) -> Callable[..., Any]:
        """As an answer to the problem."""
        order, names = list(inspect.signature(self.slot).parameters), [name for name, _ in self.passed]

        def forward(*values: Any, **named: Any) -> Any:
            given = dict(zip(order, values, strict=False)) | named
            arguments = {k: given[k] for k in names if k in given}
            if self.numpy:
                return on_arrays(self.ask, arguments)
            from ..backends.remote import called

            return called(self.ask, arguments)

        forward.__name__ = self.name
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        told = inspect.Signature([inspect.Parameter(n, kind) for n in names])
        forward.__signature__ = told  # pyright: ignore[reportFunctionMemberAccess]
        forward.elsewhere = self  # pyright: ignore[reportFunctionMemberAccess]
        return forward

    def rows(self, arguments: Mapping[str, Any]) -> Floats:
        return self.ask("values", arguments, "float64", None).numbers

    def ask(self, op: str, arguments: Mapping[str, Any], dtype: str, cotangents: Floats | None) -> Rows:
        """The same question is asked once."""
        arrays = {k: v for k, v in arguments.items() if isinstance(v, np.ndarray)}
        given = {k: v if v.dtype.kind == "i" else v.astype(float) for k, v in arrays.items()}
        plain = {k: _plain(self.name, k, v) for k, v in arguments.items() if k not in given}
        columns = tuple((k, v.shape, v.tobytes()) for k, v in given.items())
        key = (op, dtype, columns, tuple(plain.items()), None if cotangents is None else cotangents.tobytes())
        if key not in self._known:
            kind = "numpy" if self.numpy else "torch"
            passed = [(name, as_name) for name, as_name in self.passed if name in arguments]
            try:
                header, numbers = self._in_pieces(op, passed, given, plain, dtype, kind, cotangents)
            except Refusal as error:
                raise CodeError(self.slot, str(error)) from error
            reached = header.get("reached")
            flags = tuple(bool(x) for x in reached) if isinstance(reached, list) else ()
            floats = sum(v.dtype.kind == "f" for v in given.values())
            if op == "slopes" and (len(flags) != floats or numbers.shape[1:] != (_width(given),)):
                raise CodeError(self.slot, f"`{self.name}` gave slopes of another shape than its arguments.")
            told = header.get("kind")
            if len(self._known) >= KEPT:
                self._known.clear()
            parts = shapes_of(header.get("parts"), math.prod(numbers.shape[1:]))
            self._known[key] = Rows(np.asarray(numbers), told if told in ("f", "i", "b") else "f", flags, parts)
        return self._known[key]

    def _in_pieces(
        self, op: str, passed: Any, given: Mapping[str, Any], plain: Mapping[str, Any], dtype: str, kind: str, weights: Any
    ) -> tuple[dict[str, Any], Floats]:
        """Many rows are several questions: the worker's memory is for the submission, not for ours."""
        rows = len(next(iter(given.values()))) if given else 1
        self.left -= rows
        if self.left < 0:
            raise TooMuch
        pieces = [slice(at, at + PIECE) for at in range(0, rows, PIECE)]
        found = [
            self.session.ask(op, self.name, passed, _cut(given, p), plain, dtype, kind, None if weights is None else weights[p])
            for p in pieces
        ]
        if len({numbers.shape[1:] for _, numbers in found}) != 1:
            raise Refusal(f"`{self.name}` returned different shapes for different data: return one shape.")
        header, numbers = found[0]
        return header, numbers if len(found) == 1 else np.concatenate([numbers for _, numbers in found])


def _cut(arguments: Mapping[str, Any], piece: slice) -> dict[str, Any]:
    return {k: v[piece] for k, v in arguments.items()}


def shapes_of(found: Any, size: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of what was returned at once, if they are shapes and hold as many numbers as there are."""
    rows = [shape(row) for row in cast(list[Any], found)] if isinstance(found, list) else []
    parts = tuple(tuple(row) for row in rows if row is not None)
    return parts if len(parts) == len(rows) and sum(map(math.prod, parts)) == size else ()


def _plain(function: str, name: str, value: Any) -> Any:
    """A plain number that the page hands over."""
    if type(value) in (int, float, bool, str) or value is None:
        return value
    raise ProblemError(f"`{function}` is given `{name}` of type {type(value).__name__}, which cannot be handed to a submission.")


def _width(given: Mapping[str, Any]) -> int:
    return sum(int(np.prod(v.shape[1:])) for v in given.values() if v.dtype.kind == "f")


def _passed(slot: Callable[..., Any], asked: Sequence[str], parameters: Parameters | None) -> list[tuple[str, str | None]]:
    """(the page's name, the submission's, or None by position): by name where the names are the page's, else in order."""
    write = f"write `{signature(slot)}`"
    if parameters is None:
        return [(name, None) for name in asked]
    kinds = {kind for _, kind, _ in parameters}
    named = [(name, kind, default) for name, kind, default in parameters if kind not in (VAR_POSITIONAL, VAR_KEYWORD)]
    wanted = [name for name, _, default in named if not default or name in asked]
    if all(name in asked for name in wanted):
        taken: list[tuple[str, str | None]] = [(n, None if kind == POSITIONAL_ONLY else n) for n, kind, _ in named if n in asked]
        if VAR_KEYWORD in kinds:
            taken += [(n, n) for n in asked if n not in wanted]
        elif VAR_POSITIONAL in kinds:
            taken = [(n, None) for n in (*(n for n, _ in taken), *(n for n in asked if n not in wanted))]
        return taken
    order = [name for name, kind, default in named if kind in (POSITIONAL_ONLY, ORDINARY) and not default]
    if len(order) == len(asked) and not any(kind == KEYWORD_ONLY and not default for _, kind, default in named):
        return [(name, None) for name in asked]
    strange = next(name for name in wanted if name not in asked)
    given = ", ".join(asked) or "nothing"
    raise InputError(f"`{slot.__name__}` asks for `{strange}`; it is given {given}: {write}.{did_you_mean(strange, asked)}")
