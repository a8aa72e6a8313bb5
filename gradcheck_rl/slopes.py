"""Without a problem: is the gradient of one torch loss the slope of its value?

The question is put along random directions. Along the first the value is taken to both sides, at two distances, which says how
it bends; that serves the others, with room: there one step to one side is enough, as long as the room is less than what must
be seen. Where that does not settle it, the rounding of value and gradient is measured, by running both with every intermediate
result off in its last digit, and the steps run from coarse to fine: a gradient is wrong where the slope of the value settles
elsewhere, and stays there at all finer steps, with no kink at the point.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from .backends.loss import UNIT, Lines
from .errors import InputError
from .estimate import EPS, Estimate, Evidence, Floats
from .loop import HOLDS, whole
from .report import Line, Report, Route, versions
from .verdict import Verdict, at_sight, combine, compare

RESOLUTION = 1e-6
FAR, NEAR = 2.0**-16, 2.0**-18
LADDER = tuple(2.0**-n for n in range(5, 29, 2))
SHAKES = 4
OTHERS, FEW, LEAST, BENT = 8, 2, 2.0**-27, 2.0**-6
ROOM = 0.9  # of what must be seen, for the error of one step to one side
SIDES = (2.0**-30, 2.0**-17)
FAINT = 1e-4  # of the whole gradient: a block with less is moved alone
ALONE = 0.1  # of its own gradient: the error that is seen then
CLEAR = 4.0  # times the rounding, within which a slope is lost
NOTHING = 1e-13  # of the whole gradient, which nobody judges


def differences(loss: Callable[[], Any], parameters: Any, seed: int = 0, directions: int = 8) -> Report:
    """Is autograd's gradient of a torch loss the slope of its value, at the present values of its parameters?

    `loss` takes no arguments and returns one number; `parameters` are its float64 leaves: a module, a mapping of names, or
    tensors one after the other. An error is seen that moves the slope by a millionth of the gradient's size (entries of
    parameters beyond 1 count by so much more), or of a thousandth of the loss where that is larger. A parameter whose gradient
    is lost beside that of the others is moved alone, and an error of a tenth of it is seen; where that too is lost in
    rounding, the parameter is named.
    """
    whole("seed", seed, 0)
    if not callable(loss):
        raise InputError(
            f"the loss is {type(loss).__name__}, and no function: write differences(lambda: loss(model(batch)), model)."
        )
    if not isinstance(directions, (int, np.integer)) or directions < 1:
        raise InputError(f"directions={directions}: write how many random directions to try, 1 or more.")
    start = time.perf_counter()
    with Lines(loss, parameters) as lines:
        line = _Slopes(lines, lines.drawn(directions, seed), seed, start).line()
    name = lines.name
    return Report(
        problem="differences",
        title=f"Is the gradient of {name} the slope of its value?",
        about="",
        seed=int(seed),
        versions=versions(),
        claims=(line,),
        replay=f"differences({name}, ..., seed={seed}, directions={directions})",
        elapsed_s=line.elapsed_s,
    )


KINK = "a kink near this point: the slope changes by {:.3g} there; move the parameters off it"
UNSETTLED = "the value bends or jumps so close to this point that its slope does not settle at any step size"
ILL_CONDITIONED = (
    "ill-conditioned here: rounding moves the value by {:.0e}; write what cancels another way, "
    "as log(1 - tanh(u)^2) in its softplus form"
)
FLAT = "the gradient is 0 here but for rounding: move the parameters to where it is not"
COARSE = "ill-conditioned here: rounding in {1} moves the value by {0:.0e}; compute in float64 throughout"

COPY = "a detached copy, as in exp(x - x.detach()), or a straight-through step"
WRITTEN = "; the loss writes into it, as nn.Embedding(max_norm=...) does, and the gradient is that at other numbers"
HOOKED = "; it has a hook, which may change its gradient"
PARTS = {
    "detaching": "; with nothing detached they agree: what is meant to be held, as a target or a drawn action is, compute it "
    "once, outside of the loss",
    "hooks": "; without the hook that the loss puts on a tensor they agree",
    "soft draws": "; F.gumbel_softmax(hard=True) has the gradient of a soft draw, and the value of a hard one",
    "counts": "; an embedding with scale_grad_by_freq=True divides its gradient by counts",
    "padding": "; an embedding with padding_idx gives that row no gradient",
}
HELD = "; with what {} gives held they agree: what is meant to be held, compute it once, outside of the loss"
INSTEAD = {
    ".sample()": "; where a gradient is to flow through a draw, write .rsample()",
    "BatchNorm in training": "; its running means are held: call .eval() on it before the loss",
}
MODULE_HOOK = "; a module has a backward hook, which may change its gradient"
BY_HAND = "; the backward pass of `{}` is written by hand"
IMPLICIT = "a draw of Gamma, Beta, Dirichlet or StudentT has a gradient that is right in the mean, and not along one draw"
ITERATED = "spectral_norm in training moves its vectors with the weights and holds them: call .eval() before"
ELSEWISE = {
    "CheckpointFunctionBackward": "a checkpoint is passed whose gradient only .backward() has: write use_reentrant=False",
    "StandardGammaBackward0": IMPLICIT,
    "_DirichletBackward": IMPLICIT,
}


class _Path:
    """One line through the present values, and autograd's slope along it."""

    def __init__(self, lines: Lines, direction: Floats, slope: float, of: Callable[[], float] | None = None) -> None:
        self.lines, self.direction, self.slope, self.of = lines, direction, slope, of or lines.value
        self._known: dict[float, float] = {}

    def value(self, t: float) -> float:
        """The loss t steps away; NaN where it cannot be had."""
        if t not in self._known:
            self.lines.move(self.lines.here + t * self.direction)
            try:
                self._known[t] = self.of()
            except InputError:  # where the parameters are at home it could: one left its domain
                self._known[t] = math.nan
        return self._known[t]


class _Direction(NamedTuple):
    """What is found along one line: the slope of the value, how well it is known, and what is said of it."""

    path: _Path
    slope: float
    radius: float
    verdict: Verdict
    remark: str = ""
    reason: str = ""

    @property
    def gap(self) -> float:
        return abs(self.path.slope - self.slope) if math.isfinite(self.slope) else math.inf


class _Slopes:
    def __init__(self, lines: Lines, rows: Any, seed: int, start: float) -> None:
        self.lines, self.rows, self.seed, self.start = lines, rows, seed, start
        self.value, self.gradient, self.unreached = lines.gradient()
        self.scale = np.maximum(np.abs(lines.here), 1.0)  # how far to go in each entry: as its number is large
        moved = self.gradient * self.scale
        size = math.sqrt(float(moved.dot(moved)))
        if not 0 < size < math.inf:
            self.scale[~np.isfinite(lines.here)] = 0  # an infinite logit stays where it is
            size = _length(self.gradient * self.scale)
        self.moved = moved
        self.blur = EPS * (8 * abs(self.value) + 4 * size)
        self.unit = max(size, 1e-3 * abs(self.value)) or 1.0
        self._unshaken = ""
        self.products = 16 * EPS * self.unit * math.sqrt(moved.size)  # the rounding of autograd's slope, a sum of so many

    def line(self) -> Line:
        if broken := self._broken():
            return self._line(Verdict.REFUTED, reason=broken)
        step = self.scale * UNIT
        found = self._quick(self._paths([row * step for row in self.rows]))
        doubtful = [d for d in found if d.verdict is not Verdict.AGREES]
        if not doubtful:
            return self._said(found[0], found)
        if not self._steady():  # a value that is not the same twice has no slope: its directions do not agree
            return self.line()
        found = [d for d in found if d.verdict is Verdict.AGREES]
        for d in sorted(doubtful, key=lambda d: d.gap, reverse=True):
            found.append(self._looked_into(d))
            if found[-1].verdict is Verdict.REFUTED:
                break
        return self._said(combine(found), found)

    def _steady(self) -> bool:
        """Is it the same value again? If not, some code of torch goes other ways without a graph: then with one from now on."""
        self.lines.move(self.lines.here)
        again = self.lines.value()
        if abs(again - self.value) <= 1e-6 * abs(self.value):
            self.lines.gradient()  # fails where it leads through what was computed before
            return True
        if self.lines.records():
            return False
        values = f"{self.value:.9g} and then {again:.9g}"
        fix = "draw its random numbers once, outside of it, and keep no state in it"
        raise InputError(f"`{self.lines.name}` gives {values} at the same parameters: {fix}.")

    def _broken(self) -> str:
        if not math.isfinite(self.value):
            return f"the loss is {self.value} here"
        if math.isfinite(self.unit) or np.isfinite(self.gradient).all():
            return ""
        bad = next(k for k, at in self.lines.blocks.items() if not np.isfinite(self.gradient[at]).all())
        return f"the loss is {self.value:.6g}, and the gradient by `{bad}` is not finite"

    # ---- along one direction ----------------------------------------------------------------------------------------------

    def _paths(self, directions: Sequence[Floats]) -> list[_Path]:
        return [_Path(self.lines, d, float(d.dot(self.gradient))) for d in directions]

    def _quick(self, paths: Sequence[_Path]) -> list[_Direction]:
        """Along the first direction a step to one side and a smaller one to the other say how the value bends. What comes after
        is taken to be as much less than the bending as the bending is less than the slope; where it is more, autograd's slope
        does not agree with this one. The bending, eight times or as often as there is room for, but at least twice, serves the
        others: one step to one side, if that is enough."""
        path, *others = paths
        up, down = (path.value(FAR) - self.value) / FAR, (self.value - path.value(-NEAR)) / NEAR
        bend = 2 * (up - down) / (FAR + NEAR)
        slope, less = down + bend * NEAR / 2, bend * FAR / self.unit
        first = self._at_sight(path, slope, max(less * less, LEAST) * self.unit + self.blur / NEAR)
        if first.verdict is not Verdict.AGREES:
            first = self._to_both_sides(path, NEAR, path, slope)
        bent, enough = OTHERS * abs(bend), ROOM * RESOLUTION * self.unit
        if 2 * self.blur * bent > enough * enough:
            bent = max(FEW * abs(bend), enough * enough / (2 * self.blur))
        side = min(max(math.sqrt(2 * self.blur / bent), SIDES[0]), SIDES[1]) if bent else SIDES[1]
        radius = bent * side / 2 + self.blur / side
        quick = first.verdict is Verdict.AGREES and radius <= RESOLUTION * self.unit
        found = [first]
        for other in others:
            d = self._at_sight(other, (other.value(side) - self.value) / side, radius) if quick else None
            if d is None or d.verdict is not Verdict.AGREES:
                d = self._to_both_sides(other, side if quick else NEAR, path, slope)
            found.append(d)
        return found

    def _to_both_sides(self, path: _Path, step: float, first: _Path, slope: float) -> _Direction:
        """The first direction's slope moves when it is taken to both sides too: that, with room, is what is left to know."""
        (again,), _ = self._stepped(first, (NEAR,))
        (here,), (bend,) = self._stepped(path, (step,))
        d = self._at_sight(path, here, max(OTHERS * abs(again - slope), LEAST * self.unit) + self.blur / step)
        return d._replace(verdict=Verdict.UNDECIDED) if bend > BENT * self.unit else d

    def _stepped(self, path: _Path, steps: Sequence[float]) -> tuple[list[float], list[float]]:
        """At each step size the slope of the value, and the angle between its two sides."""
        sides = [(path.value(h), path.value(-h), h) for h in steps]
        return [(up - down) / (2 * h) for up, down, h in sides], [abs(up - 2 * self.value + down) / h for up, down, h in sides]

    def _sharp(self, bends: Sequence[float], h: float, noise: float) -> bool:
        """An angle that does not close as the steps, of which h is the last, get smaller."""
        seen = bends[-1] > max(32 * noise / h, RESOLUTION * self.unit)
        return seen and all(0.6 * before < bend for before, bend in itertools.pairwise(bends))

    def _at_sight(self, path: _Path, slope: float, radius: float) -> _Direction:
        radius += self.products
        gap, size, room = abs(path.slope - slope) / self.unit, slope / self.unit, radius / self.unit
        agrees = at_sight(gap, room, room, size, RESOLUTION)
        return _Direction(path, slope, radius, Verdict.AGREES if agrees else Verdict.UNDECIDED)

    def _ruled(self, path: _Path, slope: float, radius: float) -> _Direction:
        a, b, room = (np.array([x / self.unit]) for x in (path.slope, slope, radius + self.products))
        sides = Estimate(a, np.zeros(1)), Estimate(b, room)
        found = compare(np.abs(a - b), *sides, room, room, RESOLUTION, RESOLUTION)
        return _Direction(path, slope, radius, found.verdict, found.remark)

    def _looked_into(self, d: _Direction) -> _Direction:
        """At the step size that says most, with rounding as it is measured."""
        self.lines.strictly()
        slopes, bends = self._stepped(d.path, LADDER)
        value, gradient = self.shaken
        noise = self.blur + value
        radii = [abs(a - b) + noise / h for (a, b), h in zip(itertools.pairwise(slopes), LADDER[1:], strict=True)]
        known = [(r, n) for n, r in enumerate(radii, start=1) if math.isfinite(r)]
        if not known:
            return d._replace(reason=self._unshaken or f"the value is not finite a step of {LADDER[-2]:.0e} away")
        radius, at = min(known)
        rounding = float(gradient @ np.abs(d.path.direction))
        best = self._ruled(d.path, slopes[at], radius + rounding)
        kinks = [n for n in range(at, len(LADDER)) if self._sharp(bends[n - 1 : n + 1], LADDER[n], noise)]
        finer = [(x, h) for x, h in zip(slopes, LADDER, strict=True) if h <= LADDER[at] and noise / h < best.gap / 4]
        stays = all(abs(x - best.slope) <= radius + 2 * noise / h for x, h in finer)
        if not kinks and best.verdict is Verdict.REFUTED and stays:
            passed = [why for step, why in ELSEWISE.items() if step in self.lines.steps()]
            passed += [ITERATED] if self.lines.iterates() else []
            return best._replace(verdict=Verdict.UNDECIDED, reason=passed[0]) if passed else best
        if not kinks and best.verdict is Verdict.AGREES:
            return best
        angle = bool(kinks) and bends[kinks[-1]] < 2 * bends[kinks[-1] - 1]  # which stays as it is, however close one looks
        rounded = (COARSE if self.lines.coarse else ILL_CONDITIONED).format(value, self.lines.coarse)
        flat = (np.abs(self.gradient) <= gradient).all()
        steep = FLAT if flat else rounded if value > self.blur else UNSETTLED
        reason = KINK.format(bends[kinks[-1]]) if angle else steep
        return best._replace(verdict=Verdict.UNDECIDED, remark="", reason=reason)

    # ---- what is lost beside the others -----------------------------------------------------------------------------------

    def _faint(self) -> tuple[_Direction | None, list[str]]:
        """Blocks with a gradient too small for the directions to see: one along which it is wrong, or those not judged."""
        least = FAINT * self.unit * FAINT * self.unit
        faint = [k for k, at in self.lines.blocks.items() if self.moved[at].dot(self.moved[at]) < least]
        if not faint:
            return None, []
        still = [k for k in faint if not self.gradient[self.lines.blocks[k]].any()]
        if still and self._clear(self._along(still)) == 0:
            faint = [k for k in faint if k not in still]
        lost: list[str] = []
        for name in faint:
            path = self._along([name])
            d = self._alone(path)
            if d.verdict is Verdict.REFUTED:
                return d, []
            if d.verdict is Verdict.UNDECIDED and (abs(path.slope) or self._clear(path)) > NOTHING * self.unit:
                lost.append(name)
        return None, lost

    def _along(self, names: Sequence[str]) -> _Path:
        """Uphill by these blocks, and anywhere by entries without a gradient."""
        direction = np.zeros_like(self.lines.here)
        for name in names:
            at = self.lines.blocks[name]
            uphill, row = np.sign(self.gradient[at]), self.rows[0, at] * UNIT
            direction[at] = np.where(uphill == 0, row, np.abs(row) * uphill) * self.scale[at]
        (path,) = self._paths([direction])
        return path

    def _clear(self, path: _Path, noise: float = 0.0) -> float:
        """How steep it is, by autograd or else by the value; 0 where the noise of a near value may hide it."""
        steep = abs(path.slope) or abs(path.value(FAR) - path.value(-NEAR)) / (FAR + NEAR)
        return steep if steep * NEAR > CLEAR * (self.blur + noise) else 0.0

    def _alone(self, path: _Path) -> _Direction:
        """With its own slope for a unit."""
        closer = copy(self)
        closer.unit = self._clear(path) * ALONE / RESOLUTION
        hidden = _Direction(path, math.nan, math.inf, Verdict.UNDECIDED)
        if not closer.unit:
            return hidden
        (d,) = closer._quick([path])
        if d.verdict is Verdict.AGREES:
            return d
        self.lines.move(self.lines.here)
        noise = self.shaken[0] + abs(self.lines.value() - self.value)
        return closer._looked_into(d) if self._clear(path, noise) else hidden

    @cached_property
    def shaken(self) -> tuple[float, Floats]:
        """How far rounding moves the value, and each entry of the gradient."""
        try:
            runs = [self.lines.shaken(n) for n in range(SHAKES)]
        except InputError as error:
            self._unshaken = f"its rounding cannot be measured: with the last digits moved, {error}"
            return math.inf, np.full(self.gradient.shape, math.inf)
        return 8 * max(abs(v - self.value) for v, _ in runs), 8 * np.max([np.abs(g - self.gradient) for _, g in runs], axis=0)

    def _order(self, path: _Path) -> float | None:
        """How fast value - tangent falls with the step: 2 for a right gradient, 1 for a wrong one; None below rounding."""
        near = abs(path.value(-NEAR) - self.value + NEAR * path.slope)
        far = abs(path.value(FAR) - self.value - FAR * path.slope)
        return math.log2(far / near) / 2 if near > 4 * self.blur and 0 < far < math.inf else None

    # ---- what is said -----------------------------------------------------------------------------------------------------

    def _said(self, d: _Direction, found: list[_Direction]) -> Line:
        if d.verdict is Verdict.AGREES and len(self.unreached) == len(self.lines.blocks):
            raise InputError(f"`{self.lines.name}` depends on none of these parameters: give those of the model that it calls.")
        wrong, lost = self._faint() if d.verdict is Verdict.AGREES else (None, [])
        if wrong is not None:
            return self._said(wrong, [wrong])
        same = [x for x in found if x.verdict is d.verdict]
        radii = [x.radius for x in same]
        order = self._order(d.path)
        right = order is not None and (order > 1.8 if d.verdict is Verdict.AGREES else order < 1.2)
        taylor = "the remainder is lost in rounding" if order is None else f"{order:.2f}: a right gradient gives 2, a wrong one 1"
        routes = (
            Route("differences", d.verdict.word, max([x.gap for x in same]), _finite(max(radii))),
            Route("Taylor order", (d.verdict if right else Verdict.UNDECIDED).word, note=taylor),
        )
        if d.verdict is Verdict.REFUTED:
            return self._refuted(d, routes, order)
        left_out = len(self.rows) - len(same)
        remarks = [x.remark for x in same if x.remark][:1]
        if self.unreached:
            remarks.append(f"no gradient reaches {', '.join(self.unreached)}")
        if lost:
            remarks.append(f"a gradient too small to be judged: {', '.join(lost)}")
        if d.verdict is Verdict.AGREES and left_out:
            why = next((x.reason for x in found if x.reason), "undecided")
            remarks.append(f"{left_out} of {len(self.rows)} directions left out: {why}")
        return self._line(
            d.verdict,
            routes=routes,
            value=[x.path.slope for x in same],
            expected=[x.slope for x in same],
            radius=radii,
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

    def _refuted(self, d: _Direction, routes: tuple[Route, ...], order: float | None) -> Line:
        """The slopes by each block of parameters alone, and the block that is most of the difference."""
        parts: dict[str, tuple[float, float, float]] = {}
        for name, at in self.lines.blocks.items():
            alone = np.zeros_like(d.path.direction)
            alone[at] = d.path.direction[at]
            (part,) = self._quick(self._paths([alone]))
            if part.radius > RESOLUTION * self.unit:
                closer = self._looked_into(part)
                part = part if closer.verdict is Verdict.UNDECIDED else closer
            parts[name] = (part.path.slope, part.slope, part.radius)
        worst = max(parts, key=lambda k: abs(parts[k][0] - parts[k][1]))
        clear = order is not None and order < 1.5
        taylor = f"; the Taylor remainder falls with order {order:.2f}, where 2 is right" if clear else ""
        said = f"autograd's slope is {d.path.slope:.9g}, the value's {d.slope:.9g}"
        return self._line(
            Verdict.REFUTED,
            routes=routes,
            value=[p[0] for p in parts.values()],
            expected=[p[1] for p in parts.values()],
            radius=[p[2] for p in parts.values()],
            labels=list(parts),
            reason=f"{said}; most of it by `{worst}`{self._hint(worst, *parts[worst])}{self._cause(worst, d)}{taylor}",
            witness={"direction": f"random, seed {self.seed}"},
            points=1,
        )

    def _hint(self, name: str, autograd: float, slope: float, radius: float) -> str:
        if name in self.unreached or not self.gradient[self.lines.blocks[name]].any():
            return ": the value moves with it and its gradient is zero; detached?"
        if abs(slope) <= radius + RESOLUTION * abs(autograd) and radius < abs(autograd) / 8:
            return f": it has a gradient and the value does not move with it; {COPY}?"
        return f" ({autograd:.9g} instead of {slope:.9g})" if len(self.lines.blocks) > 1 else ""

    def _cause(self, name: str, d: _Direction) -> str:
        """What was seen to part the two slopes, if anything was."""
        if name in self.lines.written():
            return WRITTEN
        if self.lines.hooked(name):
            return HOOKED
        for without, says in PARTS.items():
            other = self.lines.otherwise(without)
            if other is not None:
                path = _Path(self.lines, d.path.direction, float(d.path.direction @ other))
                if self._explains(d, self._at_sight(path, d.slope, d.radius)):
                    return says + (_instead(self._held(d)) if without == "detaching" else "")
        if who := self._held(d):
            return HELD.format(" and ".join(who)) + _instead(who)
        own = sorted(step.removesuffix("Backward") for step, python in self.lines.steps().items() if python)
        if "BackwardHookFunction" in own:
            return MODULE_HOOK
        return BY_HAND.format(own[0]) if own else ""

    def _held(self, d: _Direction) -> list[str]:
        """By whom numbers are taken out of autograd with which held the slope of the value is autograd's: one of them, or all."""
        try:
            held = self.lines.held()
        except InputError:
            return []
        every = sorted({by for by, _, _ in held.kept})
        for who in [[by] for by in every] + [every] * (len(every) > 1):
            path = _Path(self.lines, d.path.direction, d.path.slope, partial(self.lines.value_with, held, who))
            if self._explains(d, self._quick([path])[0]):
                return who
        return []

    def _explains(self, wrong: _Direction, other: _Direction) -> bool:
        """Does one way without the cause agree, and much better than with it?"""
        return other.verdict is Verdict.AGREES and other.gap < wrong.gap / 8


def _instead(who: list[str]) -> str:
    return "".join(INSTEAD[by] for by in who if by in INSTEAD)


def _length(x: Floats) -> float:
    """Where squares overflow, or underflow."""
    largest = float(np.abs(x).max(initial=0.0))
    return largest * float(np.linalg.norm(x / largest)) if 0 < largest < math.inf else largest


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
