"""numpy code: called once for each point and outcome; its value is the estimate, and it has no gradient of its own."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import RANDOM, CodeError, told
from ..estimate import EPS, Estimate, Evidence
from ..quantities import Gradient, Value
from .scene import Outcomes, Scene, arrays, possible

NAME = "numpy"


def is_numpy(code: Callable[..., Any]) -> bool:
    """Does the function use numpy and no torch? Read off the names it mentions, and its helpers do, never by trying."""
    used = _mentioned(code, set())
    return "numpy" in used and not any(u.endswith("torch") for u in used)


def _mentioned(code: Callable[..., Any], seen: set[Any]) -> set[str]:
    """The modules that a function and the functions beside it that it calls name."""
    function = inspect.unwrap(code)
    function = getattr(function, "func", function)
    body = getattr(function, "__code__", None)
    if body is None or body in seen:
        return set()
    seen.add(body)
    found: set[str] = set()
    for name in body.co_names:
        value = function.__globals__.get(name)
        if name == "torch" and value is not None:  # problem files hold torch by a proxy, which is no module
            found.add(name)
        elif isinstance(value, ModuleType):
            found.add(value.__name__)
        elif inspect.isfunction(value) and value.__module__ == function.__module__:
            found |= _mentioned(value, seen)
    return found


def evaluate(q: Value | Gradient, scene: Scene, outcomes: Outcomes | None) -> Estimate:
    code = scene.resolve(q.of)
    name = getattr(code, "__name__", "the function")
    if isinstance(q, Gradient):
        raise CodeError(q.of, f"`{name}` is numpy code, which has no gradient: state the claim about Value(...).")
    asked = scene.world.asked(code, scene.world.over(None) if outcomes is None else outcomes.names)
    fixed, drawn = arrays(scene, asked, outcomes)
    size, count = len(scene.points), outcomes.count if outcomes else 1
    rows: list[Any] = []
    can = possible(outcomes)
    for b in range(size):
        for m in range(count):
            if can is not None and not can[b, m]:
                rows.append(None)
                continue
            arguments = {k: v[b] for k, v in fixed.items()} | {k: v[b, m] for k, v in drawn.items()}
            rows.append(_called(code, arguments, name))
            if len(rows) == 1 and not np.array_equal(rows[0], _called(code, arguments, name), equal_nan=True):
                raise CodeError(q.of, f"`{name}` {RANDOM}")
    shapes = {r.shape for r in rows if r is not None}
    if len(shapes) != 1:
        raise CodeError(q.of, f"`{name}` returned different shapes for different data: return one shape.")
    scene.says(NAME)
    blank = np.zeros(shapes.pop())
    x = np.stack([blank if r is None else r for r in rows]).reshape(size, count, -1)
    return Estimate(x, 64 * EPS * np.maximum(1.0, np.abs(x)), Evidence.FLOAT)


def _called(code: Callable[..., Any], arguments: Mapping[str, Any], name: str) -> Any:
    """One result, flat. Code may write into its arguments: it gets its own."""
    try:
        with warnings.catch_warnings():  # 0 / 0 warns, and is NaN, which is judged as such
            warnings.simplefilter("ignore")
            out = np.asarray(code(**{k: np.copy(v) if np.ndim(v) else v for k, v in arguments.items()}))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit among them: code under test does not end the check
        raise CodeError(code, f"`{name}` raised {told(error)}") from error
    if out.dtype.kind not in "fiub":
        what = "None" if out.shape == () and out.item() is None else f"dtype {out.dtype}"
        raise CodeError(code, f"`{name}` returned {what}; a number or an array of floats was expected.")
    return out.astype(float).ravel()
