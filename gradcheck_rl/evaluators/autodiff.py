"""Torch code: its value and its gradient in float64, with the radius that float32 reveals.

float32 is 2^29 times coarser than float64, so the distance between the two runs measures how the code amplifies rounding.
The largest distance over the coordinates, times 16, plus a floor of 16 eps, covered every accurate function it was measured
on. It cannot see constants rounded to float32 inside the code, nor a result that saturates in both: hence the remark that
code may be right and accurate only to so much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from typing import Any
from weakref import WeakSet

import numpy as np

from ..calculus import free, slope
from ..errors import CodeError, ProblemError, Unsuitable
from ..estimate import Estimate, Evidence, Floats
from ..expressions import compiled, needs_integration
from ..laws import Draw
from ..quantities import Gradient, Value, blocks
from ..rings import EPS
from ..symbols import Symbols, Variable, entries, unheld
from . import symbolic
from .scene import Outcomes, Scene, arrays, possible, tangent

NAME = "autodiff"
SINGLE = 2.0**-24
APART = 2.0**-12  # how far float32 may lie from float64 before the code is called again
SHAKEN = 2  # times that a formula on tensors is run with every result off in its last digit
FEW = 16  # entries of a row that are compared one after the other
_steady: WeakSet[Any] = WeakSet()  # code that gave the same again
_asked_alone: WeakSet[Any] = WeakSet()  # code that was called for one point and outcome too


def evaluate(q: Value | Gradient, scene: Scene, outcomes: Outcomes | None) -> Estimate:
    """(B, M, n)."""
    from ..backends import torch as backend

    code = scene.resolve(q.of)
    asked = scene.asked(code, outcomes)
    fixed, drawn = arrays(scene, asked, outcomes)
    gradient = isinstance(q, Gradient)
    wanted = blocks(q.wrt, scene.world.parameters) if gradient else []
    own = [b.name for b in wanted if b.name in fixed]
    if given := [b.name for b in wanted if b.name in drawn]:
        by = f"a gradient by `{given[0]}` is asked for, which the rows give"
        raise ProblemError(f"{by}: call the column otherwise, or name what the gradient is by, as Gradient(f, theta).")
    _apart(code, asked, wanted)
    leaves = {k: fixed[k] for k in own} if gradient else fixed
    rest = {k: v for k, v in fixed.items() if k not in leaves}
    can, to = possible(outcomes), ", ".join(b.name for b in wanted)

    def run(dtype: str, nudge: bool = False, one: tuple[int, int] | None = None) -> Floats:
        """At all points and outcomes, or at one of them alone."""
        b, m = (slice(None), slice(None)) if one is None else (slice(i, i + 1) for i in one)
        shape = (len(scene.points), outcomes.count if outcomes else 1) if one is None else (1, 1)
        if gradient and not own:
            scene.notes.append(f"`{code.__name__}` takes no {to}")
            return np.zeros((*shape, sum(b.array.size for b in wanted)))
        here = {k: v[b] * (1 + 2.0**-51) if nudge else v[b] for k, v in leaves.items()}
        others, draws = {k: v[b] for k, v in rest.items()}, {k: v[b, m] for k, v in drawn.items()}
        key, among = q.of if code is q.of else code, can if one is None else None
        got = backend.run(code, here, others, draws, dtype, gradient, key, among)
        x = got.gradients if gradient else got.values
        assert x is not None
        x = np.broadcast_to(x, (shape[0], shape[1], x.shape[-1]))
        if not gradient:
            return x
        at, parts = 0, []
        for b in wanted:
            n = b.array.size
            parts.append(x[..., at : at + n] if b.name in own else np.zeros((*shape, n)))
            at += n if b.name in own else 0
        if not any(got.reached.values()):
            scene.notes.append(f"no gradient flows from `{code.__name__}` to {to}: was it detached?")
        return tangent(wanted, np.concatenate(parts, -1))

    scene.says(NAME)
    if q.dtype == "float32":
        x = run("float32")
        return Estimate(x, 16 * SINGLE * np.maximum(1.0, np.abs(x)), Evidence.FLOAT)
    fine = run("float64")
    if scene.rough or (outcomes is not None and outcomes.bare):
        return Estimate(fine, np.zeros(fine.shape), Evidence.FLOAT)
    try:
        coarse = run("float32")
    except CodeError:
        coarse = np.full(fine.shape, np.nan)
    _keeps_no_state(q, code, scene, fine, coarse, can, run)
    nudged = run("float64", nudge=True) if (np.isfinite(fine) & ~np.isfinite(coarse)).any() else fine
    return Estimate(fine, radius(fine, coarse, nudged), Evidence.FLOAT)


def _keeps_no_state(
    q: Value | Gradient, code: Any, scene: Scene, fine: Floats, coarse: Floats, can: Any, run: Callable[..., Floats]
) -> None:
    """Does code give the same when it is asked again, and for one point and outcome alone? What passes is not asked again."""
    parts = [q.of, *scene.reached(q).values()]
    again = code not in _steady
    alone = scene.alone and fine.shape[0] * fine.shape[1] > 1 and not all(part in _asked_alone for part in parts)
    if not (again or alone):
        return
    with np.errstate(all="ignore"):
        gap, most = np.abs(fine - coarse), APART * (1 + np.abs(fine))
    if again and (gap > most).any():
        for _ in range(2):  # as what flips is the same at every other call
            _stateless(q.of, code.__name__, fine, run("float64"))
        with suppress(TypeError):  # what keeps no weak reference is asked each time
            _steady.add(code)
    if alone:
        clear = (gap <= most).all(axis=-1)
        for place in np.argwhere(clear if can is None else clear & can)[-1:].tolist():  # the last where nothing cancels
            _forgetful(q.of, code.__name__, fine[*place], run("float64", one=tuple(place))[0, 0])
        with suppress(TypeError):
            _asked_alone.update(parts)


def _stateless(key: Any, name: str, once: Floats, again: Floats) -> None:
    differ = (once != again) & ~(np.isnan(once) & np.isnan(again))
    if differ.any():
        x, y = once[differ][0], again[differ][0]
        raise CodeError(key, f"`{name}` gives {x:.6g} and then {y:.6g} at the same arguments: keep no state in it.")


def _forgetful(key: Any, name: str, once: Floats, again: Floats) -> None:
    """All points and outcomes are one call: what code keeps of it shows when it is called for one of them."""
    with np.errstate(all="ignore"):
        differ = ~(np.abs(once - again) <= APART * (1 + np.abs(once)))
    if differ.any():
        x, y = once[differ][0], again[differ][0]
        raise CodeError(key, f"`{name}` gives {x:.6g} for one of many points, and {y:.6g} for it alone: keep no state in it.")


def _apart(code: Any, asked: Mapping[str, Symbols], wanted: Sequence[Variable]) -> None:
    """Code is given the values of formulas: the slope through one that depends on a parameter would be lost without a word."""
    atoms = {a: v.name for v in wanted for a in v.atoms.ravel()}
    for name, symbols in asked.items():
        formulas = [] if isinstance(symbols, (Variable, Draw)) else entries(symbols)
        met = sorted({atoms[a] for e in formulas for a in free(unheld(e)) if a in atoms})
        if met:
            raise ProblemError(
                f"the gradient of `{code.__name__}` by {met[0]} does not see that its argument `{name}` depends on {met[0]}: "
                f"compute `{name}` inside, from {met[0]}, or give it frozen, Named({name!r}, frozen(...))."
            )


def of_formulas(q: Gradient, scene: Scene) -> Estimate:
    """A formula on tensors: autograd differentiates what SymPy does elsewhere."""
    from ..backends import torch as backend

    formulas = entries(q.of)
    if needs_integration(formulas):
        raise Unsuitable("autograd runs formulas whose draws are finite: integrate this one")
    run, inputs = compiled(formulas)
    atoms = [a for v in blocks(q.wrt, scene.world.parameters) for a in v.atoms.ravel()]
    at = [i for i, a in enumerate(atoms) if a in inputs]
    x, *shaken = np.zeros((1 + SHAKEN, len(scene.points), len(formulas), len(atoms)))
    if at:
        rows, by = np.stack([scene.points.columns[a] for a in inputs], axis=-1), [inputs.index(atoms[i]) for i in at]
        for seed, found in enumerate((x, *shaken)):
            found[..., at] = backend.of_formulas(run, rows, by, seed).reshape(*x.shape[:2], len(at))
    scene.says(NAME)
    x, *shaken = (found.reshape(len(x), 1, -1) for found in (x, *shaken))
    with np.errstate(invalid="ignore"):
        room = 16 * np.max(np.abs(np.stack(shaken) - x), axis=0) + 2**10 * EPS * np.maximum(1.0, np.abs(x))
    if (lost := ~np.isfinite(x)).any():  # floats may saturate where the model is a number
        lost &= np.isfinite(symbolic.evaluate([slope(e, a) for e in formulas for a in atoms], scene.anew()).value)
        x, room = np.where(lost, 0.0, x), np.where(lost, np.inf, room)
    return Estimate(x, room, Evidence.FLOAT)


def radius(fine: Floats, coarse: Floats, nudged: Floats) -> Floats:
    """From float32 where it is finite; from float64 at inputs moved by a rounding where it is not."""
    with np.errstate(all="ignore"):
        moved = np.where(np.isfinite(coarse), np.abs(fine - coarse) * 2.0**-29, np.abs(fine - nudged))
    moved = _largest(np.where(np.isfinite(moved), moved, 0.0), 0.0)
    size = _largest(np.where(np.isfinite(fine), np.abs(fine), 0.0), 1.0)
    return np.broadcast_to(16 * moved + 16 * EPS * size, fine.shape)


def _largest(x: Floats, least: float) -> Floats:
    """Along the last axis, which is kept; numpy's own maximum is slow where a million rows have two entries each."""
    if x.shape[-1] > FEW:
        return x.max(axis=-1, keepdims=True, initial=least)
    return reduce(np.maximum, (x[..., i : i + 1] for i in range(x.shape[-1])), np.full((*x.shape[:-1], 1), least))


def flow(function: Any, scene: Scene, outcomes: Outcomes | None) -> dict[str, str]:
    """For each block of parameters: 'none' (no path), 'zero' (a path, and zero everywhere), or 'some'."""
    from ..backends import torch as backend

    code = scene.resolve(function)
    fixed, drawn = arrays(scene, scene.asked(code, outcomes), outcomes)
    parameters = scene.world.parameters
    own = [p.name for p in parameters if p.name in fixed]
    if not own:
        return {p.name: "none" for p in parameters}
    got = backend.run(
        code,
        {k: fixed[k] for k in own},
        {k: v for k, v in fixed.items() if k not in own},
        drawn,
        "float64",
        True,
        function,
        possible(outcomes),
    )
    assert got.gradients is not None
    out, at = {p.name: "none" for p in parameters}, 0
    for k in own:
        n = fixed[k][0].size
        out[k] = "none" if not got.reached[k] else "some" if np.any(got.gradients[..., at : at + n] != 0) else "zero"
        at += n
    return out
