"""Without a problem: are two functions the same, and is the gradient of one loss the slope of its value?

The second question is put along random directions. The value is differenced at two step sizes, whose distance is the
radius. Where that does not settle it, the steps run from coarse to fine, and the change of the value is held against the
integral of autograd's slope: a wrong gradient fails at every length, while a kink, a jump or lost digits fail at some.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from .claims import Claim, Equal
from .errors import InputError, ProblemError, did_you_mean
from .estimate import EPS, Estimate, Evidence, Floats
from .loop import HOLDS, check
from .points import generator
from .problem import Problem
from .quantities import Gradient, Value, is_code
from .report import Line, Report, Route, versions
from .spaces import Integers, Masks, OneOf, Simplex, Space
from .symbols import Atom, Parameter, Variable, entries
from .verdict import Ruling, Verdict, combine, compare

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
            raise InputError(f"wrt names `{name}`; the spaces are of {', '.join(variables) or 'nothing'}.{did_you_mean(name, variables)}")
    left, right = (_side(x, word, variables) for x, word in ((f, "first"), (g, "second")))
    claims = (
        Claim("The values are equal.", Equal(Value(left), Value(right)), resolution=resolution),
        Claim("The gradients are equal.", Equal(Gradient(left), Gradient(right)), resolution=resolution),
    )
    names = [_title(x) for x in (f, g)]
    try:
        problem = Problem(f"{names[0]} and {names[1]}", claims, world=tuple(variables.values()), points=points, id="same_gradient")
        if not problem.bound.parameters:
            raise InputError("there is nothing to differentiate by: give a space, as in theta=(Normal(), 3), or name it in wrt=...")
        report = check(problem, seed=seed)
    except ProblemError as error:
        raise InputError(str(error)) from error
    return replace(report, replay=f"same_gradient({', '.join(names)}, ..., seed={seed}, points={points})")


def _variable(name: str, space: Any, by: Sequence[str] | None) -> Variable:
    over, shape = space if isinstance(space, tuple) and len(space) == 2 else (space, ())
    if not isinstance(over, Space):
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
        raise InputError(f"the {word} of the two is {type(x).__name__}: a torch function or a SymPy formula was expected.") from error
    table = {str(a): a for v in variables.values() for a in v.atoms.ravel()}
    free = {s for e in cells for s in e.free_symbols if not isinstance(s, Atom)}
    for s in sorted(free, key=str):
        if str(s) not in table:
            raise InputError(f"the {word} of the two has the symbol `{s}` and no space for it: write {s}=Normal().{did_you_mean(str(s), table)}")
    return np.array([e.xreplace({s: table[str(s)] for s in free}) for e in cells], dtype=object).reshape(np.shape(x))


def _title(x: Any) -> str:
    return x.__name__ if is_code(x) else str(x)[:60]


# ---- one loss -------------------------------------------------------------------------------------------------------------

STEPS = (2.0**-15, 2.0**-17)
LADDER = tuple(2.0**-n for n in range(5, 27, 2))
LENGTHS = (2.0**-4, 2.0**-8, 2.0**-12)
DISPUTED = 3  # directions that are looked into

# Gauss's three nodes on (0, 1) and Kronrod's seven around them.
_OUTER = (0.9604912687080203, 0.7745966692414834, 0.4342437493468026)
NODES = (1 + np.array([-x for x in _OUTER] + [0.0] + [x for x in _OUTER[::-1]])) / 2
FINE = np.array([0.1046562260264673, 0.2684880898683334, 0.4013974147759622, 0.4509165386584741]) / 2
FINE = np.concatenate([FINE, FINE[2::-1]])
COARSE = np.array([0, 5, 0, 8, 0, 5, 0]) / 18


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
        line = _Slopes(lines, seed).line(directions)
        name = lines.name
    return Report(
        problem="differences",
        title=f"Is the gradient of {name} the slope of its value?",
        about="",
        seed=seed,
        versions=versions(),
        claims=(replace(line, elapsed_s=round(time.perf_counter() - start, 4)),),
        replay=f"differences({name}, ..., seed={seed}, directions={directions})",
        elapsed_s=round(time.perf_counter() - start, 4),
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
        return abs(self.autograd - self.slope)


class _Slopes:
    def __init__(self, lines: Any, seed: int) -> None:
        self.lines, self.seed = lines, seed
        self.value, self.gradient, self.reached = lines.gradient()
        here = lines.flat
        self.scale = np.concatenate(
            [np.full(at.stop - at.start, max(1.0, float(np.sqrt(np.mean(here[at] ** 2))))) for at in lines.blocks.values()]
        )
        self.blur = 8 * EPS * abs(self.value) + 4 * EPS * float(np.linalg.norm(self.gradient * here))
        self.unit = max(float(np.linalg.norm(self.gradient * self.scale)), 1e-3 * abs(self.value)) or 1.0

    def line(self, count: int) -> Line:
        if broken := self._broken():
            return _line(Verdict.REFUTED, reason=broken)
        again = self.lines.value()
        if not abs(again - self.value) <= 1e-6 * abs(self.value):
            raise InputError(
                f"`{self.lines.name}` gives {self.value:.6g} and then {again:.6g} at the same parameters: draw its random numbers once, outside of it."
            )
        found = [self._quick(path) for path in self._drawn(count)]
        doubtful = sorted((d for d in found if d.verdict is not Verdict.AGREES), key=lambda d: -d.gap)
        looked = [self._looked_into(d) for d in doubtful[:DISPUTED]]
        found = [d for d in found if d.verdict is Verdict.AGREES] + looked
        return self._said(found, count)

    def _broken(self) -> str:
        if not math.isfinite(self.value):
            return f"the loss is {self.value} here"
        bad = [k for k, at in self.lines.blocks.items() if not np.isfinite(self.gradient[at]).all()]
        return f"the loss is {self.value:.6g}, and the gradient by `{bad[0]}` is not finite" if bad else ""

    def _drawn(self, count: int) -> Iterator[Any]:
        rng = generator(self.seed, "differences", self.lines.name)
        for _ in range(count):
            yield self.lines.towards(rng.standard_normal(len(self.scale)) * self.scale)

    # ---- along one direction ----------------------------------------------------------------------------------------------

    def _quick(self, path: Any) -> _Direction:
        far, near = (_central(path, h) for h in STEPS)
        return self._ruled(path, near, abs(far - near) + self.blur / STEPS[1])

    def _ruled(self, path: Any, slope: float, radius: float) -> _Direction:
        autograd = float(self.gradient @ path.direction)
        radius += 16 * EPS * float(np.abs(self.gradient) @ np.abs(path.direction))
        a, b = (Estimate(np.array([x]) / self.unit, np.array([r]) / self.unit, Evidence.FLOAT) for x, r in ((autograd, 0.0), (slope, radius)))
        if not math.isfinite(slope):
            return _Direction(path, autograd, slope, math.inf, Verdict.UNDECIDED)
        verdict, _, _, _, remark = compare(np.abs(a.value - b.value), a, b, b.radius, b.radius, RESOLUTION, faint=True)
        return _Direction(path, autograd, slope, radius, verdict, remark)

    def _looked_into(self, d: _Direction) -> _Direction:
        """At the step size that says most; what still differs must differ over every length."""
        slopes = [_central(d.path, h) for h in LADDER]
        pairs = [(abs(a - b) + self.blur / h, b) for a, b, h in zip(slopes, slopes[1:], LADDER[1:], strict=False)]
        known = [p for p in pairs if math.isfinite(p[0])]
        if not known:
            return replace(d, reason=f"the value is not finite a step of {LADDER[-1]:.0e} away")
        radius, slope = min(known)
        best = self._ruled(d.path, slope, radius)
        if best.verdict is Verdict.AGREES or (best.verdict is Verdict.REFUTED and self._at_every_length(best)):
            return best
        return replace(best, verdict=Verdict.UNDECIDED, reason=self._why(d.path))

    def _at_every_length(self, d: _Direction) -> bool:
        """Does the value's change differ from the integral of autograd's slope, wherever the integral is known well enough?"""
        told: list[bool] = []
        for length in LENGTHS:
            misses = [self._miss(d.path, side * length) for side in (1, -1)]
            clear = [miss for miss, doubt in misses if doubt < d.gap / 4]
            if len(clear) == 2 and max(clear) < d.gap / 4:
                return False
            told += [miss >= d.gap / 4 for miss in clear]
        return any(told)

    def _miss(self, path: Any, length: float) -> tuple[float, float]:
        """How far change and integral are apart, for each unit of length, and how well that is known."""
        slopes = np.array([path.slope(length * x) for x in NODES])
        change = (path.value(length) - self.value) / length
        fine, coarse = float(FINE @ slopes), float(COARSE @ slopes)
        doubt = abs(fine - coarse) + self.blur / abs(length)
        return (abs(change - fine), doubt) if math.isfinite(change + doubt) else (math.inf, math.inf)

    def _why(self, path: Any) -> str:
        """A kink bends the value by the same angle at every scale; lost digits by ever larger ones, or by none."""
        sides = [((path.value(h) - self.value) / h, (self.value - path.value(-h)) / h) for h in LADDER]
        bends = [abs(a - b) for a, b in sides]
        for n, h in reversed(list(enumerate(LADDER[2:], start=2))):
            a, b, c = bends[n - 2 : n + 1]
            if c > 32 * self.blur / h and c > RESOLUTION * self.unit and 0.6 < c / b < 1.6 and 0.6 < b / a < 1.6:
                right, left = sides[n]
                return f"a kink near this point: the slope is {left:.6g} on one side and {right:.6g} on the other; move the parameters off it"
        return (
            "ill-conditioned here: steps of different sizes disagree, though over longer ones the value changes as the gradient says; "
            "write what cancels another way, as log(1 - tanh(u)^2) by softplus"
        )

    def _order(self, path: Any) -> float | None:
        """How fast value - tangent falls with the step: 2 for a right gradient, 1 for a wrong one; None below rounding."""
        slope = float(self.gradient @ path.direction)
        far, near = (max(abs(path.value(s * h) - self.value - s * h * slope) for s in (1, -1)) for h in STEPS)
        return math.log(far / near) / math.log(STEPS[0] / STEPS[1]) if near > 4 * self.blur and math.isfinite(far) else None

    # ---- what is said -----------------------------------------------------------------------------------------------------

    def _said(self, found: list[_Direction], count: int) -> Line:
        best = combine([Ruling(str(n), d.verdict, coordinate=n) for n, d in enumerate(found)])
        d = found[best.coordinate]
        same = [x for x in found if x.verdict is d.verdict]
        order = self._order(d.path)
        right = order is not None and (order > 1.8 if d.verdict is Verdict.AGREES else order < 1.2)
        routes = (
            Route("differences", d.verdict.word, max(x.gap for x in same), _finite(max(x.radius for x in same))),
            Route(
                "Taylor order",
                (d.verdict if right else Verdict.UNDECIDED).word,
                note="the remainder is lost in rounding" if order is None else f"{order:.2f}, where a right gradient gives 2 and a wrong one 1",
            ),
        )
        if d.verdict is Verdict.REFUTED:
            return self._refuted(d, routes, order)
        left_out = count - len(same)
        remarks = [x.remark for x in same if x.remark][:1] + self._unreached()
        if d.verdict is Verdict.AGREES and left_out:
            remarks.append(f"{left_out} of {count} directions left out: {next((x.reason for x in found if x.reason), 'undecided')}")
        return _line(
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

    def _unreached(self) -> list[str]:
        names = [k for k, yes in self.reached.items() if not yes]
        return [f"no gradient reaches {', '.join(names)}"] if names else []

    def _refuted(self, d: _Direction, routes: tuple[Route, ...], order: float | None) -> Line:
        """The slopes by each block of parameters alone, and the block that is most of the difference."""
        parts: dict[str, tuple[float, float, float]] = {}
        for name, at in self.lines.blocks.items():
            alone = np.zeros_like(d.path.direction)
            alone[at] = d.path.direction[at]
            part = self._quick(self.lines.towards(alone))
            parts[name] = (part.autograd, part.slope, part.radius)
        worst = max(parts, key=lambda k: abs(parts[k][0] - parts[k][1]))
        taylor = f"; the Taylor remainder falls with order {order:.2f}, where a right gradient gives 2" if order is not None else ""
        return _line(
            Verdict.REFUTED,
            routes=routes,
            value=[p[0] for p in parts.values()],
            expected=[p[1] for p in parts.values()],
            radius=[p[2] for p in parts.values()],
            labels=list(parts),
            reason=f"autograd's slope is {d.autograd:.9g}, the value's {d.slope:.9g}; most of it by `{worst}`{self._hint(worst, *parts[worst])}{taylor}",
            witness={"direction": f"random, seed {self.seed}"},
            points=1,
        )

    def _hint(self, name: str, autograd: float, slope: float, radius: float) -> str:
        if not self.reached[name] or not self.gradient[self.lines.blocks[name]].any():
            return ": the value moves with it and its gradient is zero; detached?"
        if abs(slope) <= radius + RESOLUTION * abs(autograd):
            return ": it has a gradient and the value does not move with it; a detached copy in the value, as in exp(x - x.detach())?"
        return f" ({autograd:.9g} instead of {slope:.9g})"


def _central(path: Any, h: float) -> float:
    return (path.value(h) - path.value(-h)) / (2 * h)


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def _line(verdict: Verdict, **rest: Any) -> Line:
    return Line(
        id="slope",
        says="The gradient is the slope of the value.",
        kind="claim",
        source="",
        verdict=verdict.word,
        ok=verdict in HOLDS,
        resolution=RESOLUTION,
        evidence=Evidence.FLOAT.word,
        **rest,
    )
