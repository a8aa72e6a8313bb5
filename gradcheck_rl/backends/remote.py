"""A function that runs elsewhere, in the place of a torch function here: rows of numbers go out, rows of numbers come back.

To torch it is one operation: its forward pass asks for values, its backward pass for slopes against the incoming gradients.
It can be mapped by `vmap`, and then all points and outcomes are one question.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.distributions import Distribution

from ..estimate import Floats
from .rows import Arrays, Ask, Rows

_possible: list[Any] = [None]
CASTS: Mapping[str, Callable[[Any], Any]] = {"f": lambda y: y, "i": lambda y: y.long(), "b": lambda y: y.bool()}


@contextmanager
def only(possible: Any) -> Generator[None]:
    """Within this block, outcomes that cannot happen, (B, M), are not asked for."""
    _possible.append(possible)
    try:
        yield
    finally:
        _possible.pop()


def called(ask: Ask, arguments: Mapping[str, Any]) -> Any:
    """The function on tensors."""
    plain = {k: x for k, x in arguments.items() if not isinstance(x, torch.Tensor)}
    tensors = {k: x for k, x in arguments.items() if k not in plain}

    def asked(op: str, rows: Arrays, dtype: str, cotangents: Floats | None) -> Rows:
        return ask(op, {k: rows[k] if k in rows else plain[k] for k in arguments}, dtype, cotangents)

    if not tensors:
        once = asked("values", {}, _dtype(), None)
        return _apart(CASTS[once.kind](torch.tensor(once.numbers[0], dtype=torch.get_default_dtype())), once.parts)
    kind = _Kind()
    y = _Asked.apply(asked, tuple(tensors), 0, kind, *tensors.values())
    return _apart(CASTS[kind.word](y), kind.parts)


def _apart(y: Any, parts: tuple[tuple[int, ...], ...]) -> Any:
    if not parts:
        return y
    pieces = torch.split(y, [math.prod(shape) for shape in parts], dim=-1)
    return tuple(piece.reshape(shape) for piece, shape in zip(pieces, parts, strict=True))


class _Kind:
    """Told by the forward pass. No list: torch takes lists apart on the way."""

    word = "f"
    parts: tuple[tuple[int, ...], ...] = ()


class _Asked(torch.autograd.Function):
    """`depth` leading dimensions are rows: points and outcomes."""

    @staticmethod
    def forward(ask: Ask, names: tuple[str, ...], depth: int, kind: _Kind, *tensors: Any) -> Any:
        rows, kept = _rows(names, depth, tensors)
        here = Rows(*ask("values", _taken(rows, kept), _dtype(), None))
        kind.word, kind.parts = here.kind, here.parts
        lead = tensors[0].shape[:depth] if tensors else ()
        y = torch.tensor(_filled(here.numbers, kept), dtype=torch.get_default_dtype())
        return y.reshape((*lead, *here.numbers.shape[1:]))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.ask, ctx.names, ctx.depth, _, *tensors = inputs
        ctx.tensors = [t.detach() for t in tensors]

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        rows, kept = _rows(ctx.names, ctx.depth, ctx.tensors)
        weights = gradients[0].detach().double().numpy().reshape(-1, *gradients[0].shape[ctx.depth :])
        weights = weights if kept is None else weights[kept]
        here = ctx.ask("slopes", _taken(rows, kept), _dtype(), weights.reshape(len(weights), -1))
        numbers, out, at = _filled(here.numbers, kept), list[Any](), 0
        reached = iter(here.reached)
        for x in ctx.tensors:
            if not x.is_floating_point():
                out.append(None)
                continue
            size = x[(0,) * ctx.depth].numel() if x.numel() else 0
            part = numbers[:, at : at + size]
            out.append(torch.tensor(part, dtype=x.dtype).reshape(x.shape) if next(reached) else None)
            at += size
        return None, None, None, None, *out

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: Any, ask: Ask, names: tuple[str, ...], depth: int, kind: _Kind, *tensors: Any
    ) -> Any:
        front = [
            x.movedim(d, 0) if d is not None else x[None].expand(info.batch_size, *x.shape)
            for x, d in zip(tensors, in_dims[4:], strict=True)
        ]
        return _Asked.apply(ask, names, depth + 1, kind, *front), 0


def _dtype() -> str:
    return str(torch.get_default_dtype()).removeprefix("torch.")


def _rows(names: tuple[str, ...], depth: int, tensors: Any) -> tuple[dict[str, Any], Any]:
    """The arguments with one leading dimension, and which rows can happen; None where all can."""
    flat: dict[str, Any] = {}
    lead = tuple(tensors[0].shape[:depth]) if tensors else ()
    for name, x in zip(names, tensors, strict=True):
        numbers = (x.double() if x.is_floating_point() else x.long()).numpy()
        flat[name] = numbers.reshape(-1, *x.shape[depth:])
    possible = _possible[-1]
    if possible is None or lead != np.shape(possible) or not np.any(possible):
        return flat, None
    return flat, np.flatnonzero(possible)


def _taken(rows: Mapping[str, Any], kept: Any) -> dict[str, Any]:
    return dict(rows) if kept is None else {k: v[kept] for k, v in rows.items()}


def _filled(numbers: Floats, kept: Any) -> Floats:
    """Rows that were not asked for are zero: they weigh nothing."""
    if kept is None:
        return numbers
    possible = np.asarray(_possible[-1])
    out = np.zeros((possible.size, *numbers.shape[1:]))
    out[kept] = numbers
    return out


def here(code: Callable[..., Any], arguments: Arrays, dtype: str, cotangents: Floats | None) -> Rows:
    """The same question, answered in this process by a function of the page."""
    with _default(dtype) as kind, torch.enable_grad(), warnings.catch_warnings(action="ignore"):
        given = {k: torch.tensor(v, dtype=torch.int64 if v.dtype.kind == "i" else kind) for k, v in arguments.items()}
        leaves = {k: v.requires_grad_(cotangents is not None) for k, v in given.items() if v.is_floating_point()}
        shapes: tuple[tuple[int, ...], ...] = ()

        def once(row: Mapping[str, Any]) -> Any:
            nonlocal shapes
            out = code(**row)
            shapes = tuple(tuple(x.shape) for x in out) if isinstance(out, (tuple, list)) else ()
            return _tensor(out)

        try:
            y = torch.func.vmap(once, randomness="error")(given)
        except Exception:  # it indexes or branches by what it is given
            y = torch.stack([once({k: v[i] for k, v in given.items()}) for i in range(len(next(iter(given.values()))))])
        if cotangents is None:
            return Rows(y.detach().double().numpy(), kind_of(y), (), shapes)
        flat = y.reshape(len(y), -1)
        weights = torch.tensor(cotangents, dtype=flat.dtype)
        slopes: list[Any] = [None] * len(leaves)
        if flat.requires_grad and leaves:
            slopes = list(torch.autograd.grad(flat, list(leaves.values()), weights, allow_unused=True))
        parts = [
            (torch.zeros_like(v) if g is None else g).reshape(len(y), -1) for g, v in zip(slopes, leaves.values(), strict=True)
        ]
        every = torch.cat(parts, -1) if parts else torch.zeros(len(y), 0)
        return Rows(every.detach().double().numpy(), "f", tuple(g is not None for g in slopes))


@contextmanager
def unchecked() -> Generator[None]:
    """Within this block laws take any parameters; what they give for wrong ones is not a number."""
    looks = Distribution._validate_args  # pyright: ignore[reportPrivateUsage]
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(looks)


def kind_of(y: Any) -> str:
    return "f" if y.is_floating_point() else "b" if y.dtype == torch.bool else "i"


def _tensor(out: Any) -> Any:
    if isinstance(out, (tuple, list)):
        return torch.cat([x.reshape(-1) for x in out])
    return out if isinstance(out, torch.Tensor) else torch.tensor(float(out))


@contextmanager
def _default(dtype: str) -> Generator[Any]:
    before = torch.get_default_dtype()
    kind = getattr(torch, dtype)
    torch.set_default_dtype(kind)
    try:
        yield kind
    finally:
        torch.set_default_dtype(before)
