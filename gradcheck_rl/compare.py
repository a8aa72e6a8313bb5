"""Without a problem: are two functions the same, and is the gradient of one loss the slope of its value?

The second question is put along random directions. Along the first the value is differenced at two step sizes, whose
distance is the radius; what it says of truncation serves the others, with room: there one step to one side is enough, as long
as the room is less than what must be seen. Where that does not settle it, the rounding of value and gradient is measured, by
running both with every intermediate result off in its last digit, and the steps run from coarse to fine: a gradient is wrong
where the slope of the value settles elsewhere, and stays there at all finer steps, with no kink at the point.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from .claims import Claim, Equal
from .errors import InputError, ProblemError, did_you_mean
from .estimate import EPS, Estimate, Evidence, Floats
from .loop import HOLDS, check
from .problem import Problem
from .quantities import Gradient, Value, is_code
from .report import Line, Report, Route, versions
from .spaces import Integers, Masks, OneOf, Simplex
from .symbols import Atom, Parameter, Variable, entries
from .verdict import Verdict, at_sight, combine, compare

RESOLUTION = 1e-6

# ---- two functions --------------------------------------------------------------------------------------------------------


def same_gradient(
    f: Any,
    g: Any,
    wrt: str | Sequence[str] | None = None,
    resolution: float = RESOLUTION,
    seed: int = 0,
    points: int = 12,
    **spaces: Any,
) -> Report:
    """Have two functions (of torch, or SymPy formulas) the same value and the same gradient?

    A keyword says where an argument's values come from: `x=Uniform(1, 2)`, or with a shape `theta=(Normal(), 3)`. A formula
    may use SymPy's symbols of those names (theta_0, theta_1, ... for an array), or Variables, which need no keyword. The
    gradient is by all that varies smoothly, or by the names in `wrt`.
    """
    by = [wrt] if isinstance(wrt, str) else wrt
    variables = {name: _variable(name, space, by) for name, space in spaces.items()}
    for name in by or ():
        if name not in variables:
            given = ", ".join(variables) or "nothing"
            raise InputError(f"wrt names `{name}`; the spaces given are of {given}.{did_you_mean(name, variables)}")
    left, right = _side(f, "first", variables), _side(g, "second", variables)
    if is_code(left) and is_code(right) and left.__name__ == right.__name__:
        right = _called(f"{right.__name__} (second)", right)
    claims = (
        Claim("The values are equal.", Equal(Value(left), Value(right)), resolution=resolution),
        Claim("The gradients are equal.", Equal(Gradient(left), Gradient(right)), resolution=resolution),
    )
    names = [x.__name__ if is_code(x) else str(x)[:60] for x in (left, right)]
    try:
        problem = Problem(" and ".join(names), claims, world=tuple(variables.values()), points=points, id="same_gradient")
        if not problem.bound.parameters:
            raise InputError("there is nothing to differentiate by: give a space, as theta=(Normal(), 3), or name it in wrt=.")
        report = check(problem, seed=seed)
    except ProblemError as error:
        raise InputError(str(error)) from error
    return replace(report, replay=f"same_gradient({', '.join(names)}, ..., seed={seed}, points={points})")


def _called(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function under another name: reports tell functions apart by it."""

    @functools.wraps(function)
    def other(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    other.__name__ = name
    return other


def _variable(name: str, space: Any, by: Sequence[str] | None) -> Variable:
    over: Any
    shape: Any
    over, shape = space if isinstance(space, tuple) and len(space) == 2 else (space, ())
    if isinstance(over, type) or not hasattr(over, "draw"):
        raise InputError(f"{name}={space!r} is no space: write {name}=Normal(), or with a shape {name}=(Normal(), 3).")
    smooth = not isinstance(over, (Integers, Masks, OneOf, Simplex))
    return (Parameter if (smooth if by is None else name in by) else Variable)(name, shape, over)


def _side(x: Any, word: str, variables: dict[str, Variable]) -> Any:
    """The function, or the formula in the variables' own symbols."""
    if is_code(x):
        return x
    try:
        cells = entries(x)
    except (sp.SympifyError, ProblemError) as error:
        kind = type(x).__name__
        raise InputError(f"the {word} of the two is {kind}; a torch function or a SymPy formula was expected.") from error
    table = {str(a): a for v in variables.values() for a in v.atoms.ravel()}
    free = {s for e in cells for s in e.free_symbols if not isinstance(s, Atom)}
    for s in sorted(free, key=str):
        if str(s) not in table:
            like = did_you_mean(str(s), table)
            raise InputError(f"the {word} of the two has the symbol `{s}`, which has no space: write {s}=Normal().{like}")
    return np.array([e.xreplace({s: table[str(s)] for s in free}) for e in cells], dtype=object).reshape(np.shape(x))


# ---- one loss -------------------------------------------------------------------------------------------------------------

STEPS = (2.0**-15, 2.0**-17)
LADDER = tuple(2.0**-n for n in range(5, 29, 2))
SHAKES = 4
OTHERS, LEAST, BENT = 4, 2.0**-27, 2.0**-6
SIDES = (2.0**-30, 2.0**-17)


def differences(loss: Callable[[], Any], parameters: Any, seed: int = 0, directions: int = 8) -> Report:
    """Is autograd's gradient of a torch loss the slope of its value, at the present values of its parameters?

    `loss` takes no arguments and returns one number; `parameters` are its float64 leaves: a module, a mapping of names, or
    tensors one after the other. An error is seen that moves the slope by a millionth of the gradient's size, or of a
    thousandth of the loss where that is larger.
    """
    from .backends import torch as backend

    if directions < 1:
        raise InputError(f"directions={directions}: write how many random directions to try, 1 or more.")
    start = time.perf_counter()
    with backend.lines(loss, parameters) as lines:
        line = _Slopes(lines, seed, start).line(directions)
        name = lines.name
    return Report(
        problem="differences",
        title=f"Is the gradient of {name} the slope of its value?",
        about="",
        seed=seed,
        versions=versions(),
        claims=(line,),
        replay=f"differences({name}, ..., seed={seed}, directions={directions})",
        elapsed_s=round(time.perf_counter() - start, 4),
    )


KINK = "a kink near this point: the slope changes by {:.3g} there; move the parameters off it"
UNSETTLED = "the value bends or jumps so close to this point that its slope does not settle at any step size"
ILL_CONDITIONED = (
    "ill-conditioned here: rounding moves the value by {:.0e}; write what cancels another way, "
    "as log(1 - tanh(u)^2) in its softplus form"
)


@dataclass(frozen=True)
class _Direction:
    """What was found along one line: the two slopes, and what is said of them."""

    path: Any
    autograd: float
    slope: float
    radius: float
    verdict: Verdict
    remark: str = ""
    reason: str = ""

    @property
    def gap(self) -> float:
        return abs(self.autograd - self.slope) if math.isfinite(self.slope) else math.inf


class _Slopes:
    def __init__(self, lines: Any, seed: int, start: float) -> None:
        self.lines, self.seed, self.start = lines, seed, start
        self.value, self.gradient, self.reached = lines.gradient()
        here = lines.flat
        blocks = lines.blocks.values()
        self.scale = np.repeat([_size(here[at]) for at in blocks], [at.stop - at.start for at in blocks])
        self.blur = 8 * EPS * abs(self.value) + 4 * EPS * _norm(self.gradient * here)
        self.unit = max(_norm(self.gradient * self.scale), 1e-3 * abs(self.value)) or 1.0

    def line(self, count: int) -> Line:
        if broken := self._broken():
            return self._line(Verdict.REFUTED, reason=broken)
        found = self._quick(self.lines.drawn(count, self.scale, self.seed))
        doubtful = sorted((d for d in found if d.verdict is not Verdict.AGREES), key=lambda d: d.gap, reverse=True)
        found = [d for d in found if d.verdict is Verdict.AGREES]
        if doubtful:  # a value that is not the same twice has no slope: its directions do not agree
            self._steady()
        for d in doubtful:
            found.append(self._looked_into(d))
            if found[-1].verdict is Verdict.REFUTED:
                break
        return self._said(found, count)

    def _steady(self) -> None:
        self.lines.home()
        again = self.lines.value()
        if not abs(again - self.value) <= 1e-6 * abs(self.value):
            name, values = self.lines.name, f"{self.value:.6g} and then {again:.6g}"
            raise InputError(f"`{name}` gives {values} at the same parameters: draw its random numbers once, outside of it.")

    def _broken(self) -> str:
        if not math.isfinite(self.value):
            return f"the loss is {self.value} here"
        if math.isfinite(self.unit) or np.isfinite(self.gradient).all():
            return ""
        bad = next(k for k, at in self.lines.blocks.items() if not np.isfinite(self.gradient[at]).all())
        return f"the loss is {self.value:.6g}, and the gradient by `{bad}` is not finite"

    # ---- along one direction ----------------------------------------------------------------------------------------------

    def _quick(self, paths: Sequence[Any]) -> list[_Direction]:
        """At two steps to both sides along the first direction. What that says of bending and rounding serves the others, with
        room: one step to one side is enough where it says that it is, else one to both. A direction for which it was too little
        room is looked into."""
        h = STEPS[-1]
        (coarse, fine), bends = self._stepped(paths[0], STEPS)
        apart = abs(coarse - fine)
        first = self._ruled(paths[0], fine, apart + self.blur / h)
        if self._sharp(bends, h, self.blur):
            first = replace(first, verdict=Verdict.UNDECIDED)
        if len(paths) == 1:
            return [first]
        bent = OTHERS * bends[-1] / h + LEAST * self.unit
        side = min(max(math.sqrt(self.blur / bent), SIDES[0]), SIDES[1])
        radius = bent * side + 2 * self.blur / side
        if first.verdict is Verdict.AGREES and radius <= RESOLUTION * self.unit:
            return [first, *(self._ruled(path, (path.value(side) - self.value) / side, radius) for path in paths[1:])]
        found, radius = [first], max(OTHERS * apart, LEAST * self.unit) + self.blur / h
        for path in paths[1:]:
            (slope,), (bend,) = self._stepped(path, STEPS[-1:])
            d = self._ruled(path, slope, radius)
            found.append(replace(d, verdict=Verdict.UNDECIDED) if bend > BENT * self.unit else d)
        return found

    def _stepped(self, path: Any, steps: Sequence[float]) -> tuple[list[float], list[float]]:
        """At each step size the slope of the value, and the angle between its two sides."""
        sides = [(path.value(h), path.value(-h), h) for h in steps]
        return [(up - down) / (2 * h) for up, down, h in sides], [abs(up - 2 * self.value + down) / h for up, down, h in sides]

    def _sharp(self, bends: Sequence[float], h: float, noise: float) -> bool:
        """An angle that does not close as the steps, of which h is the last, get smaller."""
        seen = bends[-1] > max(32 * noise / h, RESOLUTION * self.unit)
        return seen and all(0.6 * before < bend for before, bend in itertools.pairwise(bends))

    def _ruled(self, path: Any, slope: float, radius: float) -> _Direction:
        autograd = float(path.direction @ self.gradient)
        radius += 16 * EPS * float(np.abs(path.direction) @ np.abs(self.gradient))
        gap, size, room = (x / self.unit for x in (abs(autograd - slope), slope, radius))
        if at_sight(gap, room, room, size, RESOLUTION):  # as nearly always
            return _Direction(path, autograd, slope, radius, Verdict.AGREES)
        verdict, remark = Verdict.UNDECIDED, ""
        if math.isfinite(slope):
            a, b, room = (np.array([x / self.unit]) for x in (autograd, slope, radius))
            sides = Estimate(a, np.zeros(1)), Estimate(b, room)
            verdict, _, _, _, remark = compare(np.abs(a - b), *sides, room, room, RESOLUTION, faint=True)
        return _Direction(path, autograd, slope, radius, verdict, remark)

    def _looked_into(self, d: _Direction) -> _Direction:
        """At the step size that says most, with rounding as it is measured."""
        slopes, bends = self._stepped(d.path, LADDER)
        value, gradient = self.shaken
        noise = self.blur + value
        radii = [abs(a - b) + noise / h for (a, b), h in zip(itertools.pairwise(slopes), LADDER[1:], strict=True)]
        known = [(r, n) for n, r in enumerate(radii, start=1) if math.isfinite(r)]
        if not known:
            return replace(d, reason=f"the value is not finite a step of {LADDER[-1]:.0e} away")
        radius, at = min(known)
        rounding = float(gradient @ np.abs(d.path.direction))
        best = self._ruled(d.path, slopes[at], radius + rounding)
        kinks = [n for n in range(at, len(LADDER)) if self._sharp(bends[n - 1 : n + 1], LADDER[n], noise)]
        finer = [x for x, h in zip(slopes, LADDER, strict=True) if h <= LADDER[at] and noise / h < best.gap / 4]
        stays = all(abs(x - best.autograd) > best.gap / 2 for x in finer)
        if not kinks and (best.verdict is Verdict.AGREES or (best.verdict is Verdict.REFUTED and stays)):
            return best
        reason = KINK.format(bends[kinks[-1]]) if kinks else ILL_CONDITIONED.format(value) if value > self.blur else UNSETTLED
        return replace(best, verdict=Verdict.UNDECIDED, reason=reason)

    @cached_property
    def shaken(self) -> tuple[float, Floats]:
        """How far rounding moves the value, and each entry of the gradient."""
        runs = [self.lines.shaken(n) for n in range(SHAKES)]
        return 8 * max(abs(v - self.value) for v, _ in runs), 8 * np.max([np.abs(g - self.gradient) for _, g in runs], axis=0)

    def _order(self, path: Any) -> float | None:
        """How fast value - tangent falls with the step: 2 for a right gradient, 1 for a wrong one; None below rounding."""
        slope = float(self.gradient @ path.direction)
        far, near = (max(abs(path.value(s * h) - self.value - s * h * slope) for s in (1, -1)) for h in STEPS)
        return math.log(far / near) / math.log(STEPS[0] / STEPS[1]) if near > 4 * self.blur and math.isfinite(far) else None

    # ---- what is said -----------------------------------------------------------------------------------------------------

    def _said(self, found: list[_Direction], count: int) -> Line:
        d = combine(found)
        same = [x for x in found if x.verdict is d.verdict]
        order = self._order(d.path)
        right = order is not None and (order > 1.8 if d.verdict is Verdict.AGREES else order < 1.2)
        taylor = "the remainder is lost in rounding" if order is None else f"{order:.2f}: a right gradient gives 2, a wrong one 1"
        routes = (
            Route("differences", d.verdict.word, max(x.gap for x in same), _finite(max(x.radius for x in same))),
            Route("Taylor order", (d.verdict if right else Verdict.UNDECIDED).word, note=taylor),
        )
        if d.verdict is Verdict.REFUTED:
            return self._refuted(d, routes, order)
        left_out = count - len(same)
        remarks = [x.remark for x in same if x.remark][:1] + self._unreached()
        if d.verdict is Verdict.AGREES and left_out:
            why = next((x.reason for x in found if x.reason), "undecided")
            remarks.append(f"{left_out} of {count} directions left out: {why}")
        return self._line(
            d.verdict,
            routes=routes,
            value=[x.autograd for x in same],
            expected=[x.slope for x in same],
            radius=[x.radius for x in same],
            labels=[f"direction {n}" for n in range(1, len(same) + 1)],
            reason=d.reason,
            remark="; ".join(remarks),
            points=len(same),
            removed=left_out if d.verdict is Verdict.AGREES else 0,
        )

    def _line(self, verdict: Verdict, **rest: Any) -> Line:
        return Line(
            id="slope",
            says="The gradient is the slope of the value.",
            kind="claim",
            source="",
            verdict=verdict.word,
            ok=verdict in HOLDS,
            resolution=RESOLUTION,
            evidence=Evidence.FLOAT.word,
            elapsed_s=round(time.perf_counter() - self.start, 4),
            **rest,
        )

    def _unreached(self) -> list[str]:
        names = [k for k, yes in self.reached.items() if not yes]
        return [f"no gradient reaches {', '.join(names)}"] if names else []

    def _refuted(self, d: _Direction, routes: tuple[Route, ...], order: float | None) -> Line:
        """The slopes by each block of parameters alone, and the block that is most of the difference."""
        parts: dict[str, tuple[float, float, float]] = {}
        for name, at in self.lines.blocks.items():
            alone = np.zeros_like(d.path.direction)
            alone[at] = d.path.direction[at]
            (part,) = self._quick(self.lines.towards(alone[None]))
            parts[name] = (part.autograd, part.slope, part.radius)
        worst = max(parts, key=lambda k: abs(parts[k][0] - parts[k][1]))
        clear = order is not None and order < 1.5
        taylor = f"; the Taylor remainder falls with order {order:.2f}, where 2 is right" if clear else ""
        said = f"autograd's slope is {d.autograd:.9g}, the value's {d.slope:.9g}"
        return self._line(
            Verdict.REFUTED,
            routes=routes,
            value=[p[0] for p in parts.values()],
            expected=[p[1] for p in parts.values()],
            radius=[p[2] for p in parts.values()],
            labels=list(parts),
            reason=f"{said}; most of it by `{worst}`{self._hint(worst, *parts[worst])}{taylor}",
            witness={"direction": f"random, seed {self.seed}"},
            points=1,
        )

    def _hint(self, name: str, autograd: float, slope: float, radius: float) -> str:
        if not self.reached[name] or not self.gradient[self.lines.blocks[name]].any():
            return ": the value moves with it and its gradient is zero; detached?"
        if abs(slope) <= radius + RESOLUTION * abs(autograd):
            return ": it has a gradient and the value does not move with it; a detached copy, as in exp(x - x.detach())?"
        return f" ({autograd:.9g} instead of {slope:.9g})" if len(self.reached) > 1 else ""


def _size(block: Floats) -> float:
    """How far to go in each entry of a block: as its numbers are large, and not less than 1."""
    return max(1.0, _norm(block) / max(block.size, 1) ** 0.5)


def _norm(x: Floats) -> float:
    return math.sqrt(float(x @ x))


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
