"""numpy code: called once for each point and outcome; its value is the estimate, and it has no gradient of its own.

Code that returns an Estimate knows its own radius; of any other number as many roundings are assumed as a short formula makes.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import repeat
from types import CodeType, ModuleType
from typing import Any, Protocol

import numpy as np

from ..chance import Replayed
from ..errors import RANDOM, SYMBOLIC, CodeError, raised, told
from ..estimate import EPS, Estimate, Evidence, Floats
from ..mdp import MDP
from ..quantities import Gradient, Value
from .scene import Outcomes, Scene, arrays, in_rows, possible

NAME = "numpy"

Returned = Estimate | Floats | np.float64


class Elsewhere(Protocol):
    """What a function that runs in another process carries as its attribute `elsewhere`: many calls are one question."""

    numpy: bool

    def rows(self, arguments: Mapping[str, Any]) -> Floats: ...


def elsewhere(code: Callable[..., Any]) -> Elsewhere | None:
    return getattr(inspect.unwrap(code), "elsewhere", None)


def is_numpy(code: Callable[..., Any]) -> bool:
    """Does the function use numpy or scipy, or an MDP in numbers, and no torch? Read off the names it mentions, and its helpers
    do, never by trying."""
    if (there := elsewhere(code)) is not None:
        return there.numpy
    used = _mentioned(code, set())
    in_arrays = MDP.__module__ in used or any(module.partition(".")[0] in ("numpy", "scipy") for module in used)
    return in_arrays and not is_torch(code)


def is_torch(code: Callable[..., Any]) -> bool:
    """Does the function use torch by its name?"""
    if (there := elsewhere(code)) is not None:
        return not there.numpy
    return any(used.endswith("torch") for used in _mentioned(code, set()))


def _mentioned(code: Callable[..., Any], seen: set[Any]) -> set[str]:
    """The modules that a function and the functions beside it that it calls name."""
    function = inspect.unwrap(code)
    function = getattr(function, "func", function)
    body = getattr(function, "__code__", None)
    if body is None or body in seen:
        return set()
    seen.add(body)
    found: set[str] = set()
    for name in _names(body):
        value = function.__globals__.get(name)
        if name == "torch" and value is not None:  # problem files hold torch by a proxy, which is no module
            found.add(name)
        elif isinstance(value, ModuleType):
            found.add(value.__name__)
        elif isinstance(value, type):
            found.add(value.__module__)
        elif inspect.isfunction(value) and value.__module__ == function.__module__:
            found |= _mentioned(value, seen)
        elif callable(value):  # taken from a module by its name: a ufunc has none, and its type has
            found.add(getattr(value, "__module__", None) or type(value).__module__)
    return found


def _names(body: CodeType) -> Iterator[str]:
    """The names that a function mentions, in the functions and comprehensions inside it too."""
    yield from body.co_names
    for inner in body.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def evaluate(q: Value | Gradient, scene: Scene, outcomes: Outcomes | None) -> Estimate:
    code = scene.resolve(q.of)
    name = getattr(code, "__name__", "the function")
    if isinstance(q, Gradient):
        wanted = "write it in torch" + ", or claim its Value" * (code is q.of)
        raise CodeError(q.of, f"`{name}` is numpy code, which has no gradient: {wanted}.")
    fixed, drawn = arrays(scene, scene.asked(code, outcomes), outcomes)
    size, count = len(scene.points), outcomes.count if outcomes else 1
    can = possible(outcomes)
    if (there := elsewhere(code)) is not None:
        return _asked(there, fixed, drawn, (size, count), can, scene)
    given, kept = in_rows(fixed, drawn, (size, count), can)
    names, calls = list(given), zip(*given.values(), strict=True) if given else repeat((), len(kept))
    first = {k: v[0].copy() for k, v in given.items()}  # code may write into its arguments: each call has its own
    with warnings.catch_warnings(), Replayed():  # 0 / 0 warns, and is NaN, which is judged as such
        warnings.simplefilter("ignore")
        rows = [_called(code, dict(zip(names, call, strict=True)), name) for call in calls]
        if not _same(rows[0], _called(code, first, name)):
            raise CodeError(q.of, f"`{name}` {RANDOM}")
        shapes = {r.shape for r in rows}
        if len(shapes) != 1:
            raise CodeError(q.of, f"`{name}` returned different shapes for different data: return one shape.")
        shape = shapes.pop()
        own = _own_shape(q, scene, outcomes, (size, count)) if q.of in scene.answer and is_numpy(q.of) else shape
        if math.prod(shape) != math.prod(own):
            raise CodeError(
                q.of, f"`{name}` returned {_shape(shape)}; {_shape(own)} was expected, as of the page's own function."
            )
    scene.says(NAME)
    value = np.zeros((size * count, math.prod(shape)))
    value[kept] = np.reshape([*map(_value, rows)], (len(rows), -1))
    if np.isnan(value).any():
        scene.notes.append(f"`{name}` returned nan")
    radius, evidence = _rounded(value), Evidence.FLOAT
    for at, r in zip(kept, rows, strict=True):
        if isinstance(r, Estimate):
            radius[at], evidence = r.radius.ravel(), max(evidence, r.evidence)
    return Estimate(value.reshape(size, count, -1), radius.reshape(size, count, -1), evidence)


def _own_shape(q: Value, scene: Scene, outcomes: Outcomes | None, shape: tuple[int, int]) -> tuple[int, ...]:
    """What the page's own function returns at the first point, for its first outcome."""
    own = scene.without_answer().resolve(q.of)
    given, _ = in_rows(*arrays(scene, scene.asked(own, outcomes), outcomes), shape, possible(outcomes))
    return _called(own, {k: v[0] for k, v in given.items()}, own.__name__).shape


def _shape(shape: tuple[int, ...]) -> str:
    return f"shape {shape}" if shape else "one number"


def _rounded(x: Floats) -> Floats:
    return 64 * EPS * np.maximum(1.0, np.abs(x))


def _value(found: Returned) -> Floats | np.float64:
    return found.value if isinstance(found, Estimate) else found


def _same(one: Returned, other: Returned) -> bool:
    return np.array_equal(_value(one), _value(other), equal_nan=True)


def _asked(there: Elsewhere, fixed: Mapping[str, Any], drawn: Mapping[str, Any], shape: Any, can: Any, scene: Scene) -> Estimate:
    """All calls at once, of a function in another process."""
    rows, kept = in_rows(fixed, drawn, shape, can)
    found = there.rows(rows)
    x = np.zeros((shape[0] * shape[1], found[0].size))
    x[kept] = np.broadcast_to(found.reshape(len(found), -1), (len(kept), x.shape[1]))
    scene.says(NAME)
    x = x.reshape(*shape, -1)
    return Estimate(x, _rounded(x), Evidence.FLOAT)


def _called(code: Callable[..., Any], arguments: Mapping[str, Any], name: str) -> Returned:
    try:
        found = code(**arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit among them: code under test does not end the check
        raise CodeError(code, raised(name, error)) from error
    if type(found) is np.float64:
        return found
    if isinstance(found, Estimate):
        return _known(found, code, name)
    try:
        out = np.asarray(found)
    except Exception as error:
        raise CodeError(code, f"`{name}` returned {type(found).__name__}, which is no array: {told(error)}") from error
    if out.dtype.kind == "c":
        raise CodeError(code, f"`{name}` returned complex numbers; real ones were expected: take .real or abs().")
    if out.dtype.kind not in "fiub":
        if any(hasattr(x, "free_symbols") for x in out.flat):
            raise CodeError(code, f"`{name}` {SYMBOLIC}")
        what = "None" if found is None else f"dtype {out.dtype}" if isinstance(found, np.ndarray) else type(found).__name__
        fix = ": end it with `return`" if found is None else ""
        raise CodeError(code, f"`{name}` returned {what}; a number or an array of floats was expected{fix}.")
    return out.astype(float)


def _known(found: Estimate, code: Callable[..., Any], name: str) -> Estimate:
    """What code returns with a radius of its own: one for all numbers, or one for each, none of them negative."""
    try:
        value, radius = (np.asarray(x, dtype=float) for x in (found.value, found.radius))
    except (TypeError, ValueError) as error:
        raise CodeError(code, f"`{name}` returned an Estimate that holds no numbers: {told(error)}") from error
    if radius.shape not in ((), value.shape):
        wanted = "write one radius for each number, or one for all"
        raise CodeError(
            code, f"`{name}` returned an Estimate of {_shape(value.shape)} with radii of shape {radius.shape}: {wanted}."
        )
    if (radius < 0).any():
        raise CodeError(
            code, f"`{name}` returned an Estimate with the radius {radius.min():g}: write how far off it may be, 0 or more."
        )
    return replace(found, value=value, radius=np.broadcast_to(radius, value.shape))
