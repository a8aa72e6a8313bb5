"""A chain of formulas with a reason at each equals sign. Every sign is a claim."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from .claims import Claim, Equal
from .errors import ProblemError
from .quantities import Exact
from .symbols import entries


@dataclass(frozen=True, eq=False)
class Derivation:
    """`start`, then ((formula, reason), ...). `sizes={K: (2, 3, 5)}`: a chain for symbolic K, every sign checked at each of these."""

    title: str
    start: Any
    steps: Sequence[tuple[Any, str]]
    sizes: Mapping[Any, Sequence[int]] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        for step in self.steps:
            if not (isinstance(step, tuple) and len(step) == 2 and isinstance(step[1], str)):
                raise ProblemError(f"a step of {self.title!r} is {step!r}: write (formula, 'reason').")

    @property
    def lines(self) -> list[tuple[Any, str]]:
        return [(self.start, ""), *self.steps]

    def claims(self) -> list[Claim]:
        """One claim for each equals sign."""
        found: list[Claim] = []
        for n, ((before, _), (after, why)) in enumerate(zip(self.lines, self.lines[1:], strict=False), start=1):
            left: list[Any] = []
            right: list[Any] = []
            for case in self._cases():
                left += [_at_size(e, case) for e in entries(before)]
                right += [_at_size(e, case) for e in entries(after)]
            found.append(Claim(f"{self.title}, line {n}: {why}", Equal(Exact(left), Exact(right)), source=self.source))
        return found

    def _cases(self) -> list[dict[Any, int]]:
        cases: list[dict[Any, int]] = [{}]
        for k, ns in self.sizes.items():
            cases = [case | {k: n} for case in cases for n in ns]
        return cases


def _at_size(e: Any, case: Mapping[Any, int]) -> Any:
    """A formula with sums over a symbolic range, written out at one size; its indexed entries become symbols of their own."""
    if not case:
        return e
    concrete = e.subs(case).doit()
    names = {i: sp.Symbol(re.sub(r"\\W+", "_", str(i)).strip("_"), real=True) for i in concrete.atoms(sp.Indexed)}
    return concrete.xreplace(names)
