"""What can be said of a claim, and the one comparison that says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import numpy as np

from .estimate import Estimate, Evidence, Floats


class Verdict(StrEnum):
    """The outcome. A report has its word, and `line.verdict == Verdict.AGREES` compares them."""

    PROVED = "proved"  # the two sides are identical
    AGREES = "agrees"  # equal at every point tried, as far as they are known
    REFUTED = "refuted"  # the two sides differ by more than their uncertainty
    UNDECIDED = "undecided"  # no way of computing resolves it

    def __bool__(self) -> NoReturn:
        raise TypeError(f"the verdict {self} is not true or false: compare it, as in `verdict == Verdict.PROVED`.")

    @property
    def word(self) -> str:
        return self.value


@dataclass(frozen=True)
class Ruling:
    """What one route says of one claim: the verdict, where it was decided, and how well."""

    route: str
    verdict: Verdict
    gap: float = 0.0
    slack: float = 0.0
    at: int = 0
    coordinate: int = 0
    note: str = ""
    remark: str = ""
    left: Estimate | None = None
    right: Estimate | None = None
    points: Any = None
    removed: int = 0
    drawn: dict[str, Any] = field(default_factory=dict)
    measured: Any = None

    @property
    def place(self) -> tuple[int, int]:
        return self.at, self.coordinate

    @property
    def evidence(self) -> Evidence:
        return max((e.evidence for e in (self.left, self.right) if e is not None), default=Evidence.EXACT)


class Compared(NamedTuple):
    """The verdict, and the component that decided it: where it is, its gap, what explains as much, and a remark."""

    verdict: Verdict
    at: tuple[int, ...]
    gap: float
    slack: float
    remark: str = ""


def at_sight(excess: Any, slack: Any, blur: Any, size: Any, resolution: float) -> Any:
    """Within what is known, and that is enough: of numbers, or of arrays component by component. NaN and infinity are not."""
    return (excess <= slack) & (slack < np.inf) & (blur <= resolution * (1 + abs(size)))


def compare(
    excess: Floats,
    left: Estimate,
    right: Estimate,
    slack: Floats,
    blur: Floats,
    resolution: float,
    faint: float | Floats = 0.0,
    formulas: bool = False,
) -> Compared:
    """Component by component. Finiteness comes first: NaN makes every comparison false, in a value and in a radius.

    `faint`: of code, up to which gap beside a large number it is right mathematics in inexact arithmetic.
    `formulas`: no code, so that where neither side is a number there is nothing to compare.
    """
    both = np.isfinite(left.value) & np.isfinite(right.value)
    if (both & at_sight(excess, slack, blur, right.value, resolution)).all():
        at = np.unravel_index(int(np.argmax(excess)), excess.shape)  # most of all comparisons
        return Compared(Verdict.AGREES, tuple(map(int, at)), float(excess[at]), float(slack[at]))
    same = np.where(left.value == right.value, ~(excess > 0), excess < 0)  # -oo is at most anything
    gap = np.where(both, np.where(np.isnan(excess), np.inf, excess), np.where(same, 0.0, np.inf))
    lone = np.isfinite(left.value) ^ np.isfinite(right.value)
    width = np.where(np.isfinite(left.value), left.radius, right.radius)
    finite = np.where(np.isfinite(left.value), left.value, np.where(np.isfinite(right.value), right.value, 0.0))
    # A number that is hardly known does not refute an infinity.
    unsettled = lone & ~(np.isnan(left.value) | np.isnan(right.value)) & ~(width <= resolution * (1 + np.abs(finite)))
    # Nor is a number that no float holds the infinity that code gives for it.
    beyond = [np.isinf(e.radius) & (e.evidence <= Evidence.BALL) for e in (left, right)]
    unsettled |= ~both & np.isnan(excess) & (left.value == right.value) & (beyond[0] | beyond[1])
    unsettled |= nowhere(left, right) if formulas else False
    room = np.where(unsettled, np.inf, np.where(both, slack, 0.0))
    scale = 1 + np.where(np.isfinite(right.value), np.abs(right.value), 0.0)
    known = np.isfinite(room)
    over = gap > room
    wide = np.where(both, blur, 0.0)
    blind = ~known | ~(wide <= resolution * scale)
    if over.any():
        far = over & (gap > faint + resolution * (scale - 1)) if np.any(faint) else over
        if far.any():
            at = _worst(gap - np.where(known, room, 0.0), far)
            return Compared(Verdict.REFUTED, at, float(gap[at]), float(room[at]))
        if not blind.any():
            at = _worst(gap, over)
            return Compared(Verdict.AGREES, at, float(gap[at]), float(room[at]), f"accurate only to {float(gap[at]):.0e} here")
    at = _worst(
        np.where(known, gap, np.inf) if not blind.any() else np.where(known, room / scale, np.inf),
        blind if blind.any() else np.ones_like(both),
    )
    return Compared(Verdict.UNDECIDED if blind.any() else Verdict.AGREES, at, float(gap[at]), float(room[at]))


def largest(x: Floats) -> float:
    """Of those that are finite."""
    return float(np.abs(x[np.isfinite(x)]).max(initial=0.0))


def nowhere(left: Estimate, right: Estimate) -> Any:
    """Where neither side is a number."""
    return np.isnan(left.value) & np.isnan(right.value)


def _worst(size: Floats, among: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(np.where(among, size, -np.inf))), size.shape))


class Ruled(Protocol):
    @property
    def verdict(self) -> Verdict: ...


R = TypeVar("R", bound=Ruled)


def combine(rulings: Sequence[R]) -> R:
    """A route that refutes, refutes; else one that shows it suffices; those too wide are listed, not counted."""
    order = (Verdict.REFUTED, Verdict.PROVED, Verdict.AGREES, Verdict.UNDECIDED)
    return min(rulings, key=lambda r: order.index(r.verdict))
