"""A chain of formulas with a reason at each equals sign. Every sign is a claim."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from numbers import Integral
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from .calculus import free, has, rebuilt, substituted
from .claims import Claim, Equal
from .errors import ProblemError
from .quantities import Exact
from .spaces import Normal, Uniform
from .sums import for_any
from .symbols import Atom, Variable, bare, diff, entries, named_


@dataclass(frozen=True, eq=False)
class Derivation:
    """`start`, then ((formula, reason), ...). `sizes={K: (2, 3, 5)}`: a chain for symbolic K, checked at each of these.

    A line is proved where it holds for any K; else it agrees at these. A letter that no sum runs up to is an index.

    `at={"theta": (1, 1, 1)}`: numbers at which `derive` says what the last line comes to.
    """

    title: str
    start: Any
    steps: Sequence[tuple[Any, str]] = ()
    sizes: Mapping[Any, Sequence[int]] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.title, str):
            raise ProblemError(f"title={self.title!r} of a derivation is {type(self.title).__name__}: write text, in quotes.")
        if not isinstance(self.at, Mapping) or not all(isinstance(name, str) for name in self.at):
            raise ProblemError(f"at={self.at!r} of {self.title!r} gives no numbers by name: write at={{'theta': (1, 1, 1)}}.")
        self._check_sizes()
        if not isinstance(self.steps, (tuple, list)):
            kind = type(self.steps).__name__
            raise ProblemError(f"the steps of {self.title!r} are {kind}: write pairs, ((formula, 'reason'), ...).")
        if len(self.steps) == 2 and isinstance(self.steps[1], str):
            raise ProblemError(f"the steps of {self.title!r} are one step: write it with a comma, ((formula, 'reason'),).")
        for step in self.steps:
            if not (isinstance(step, tuple) and len(step) == 2 and isinstance(step[1], str)):
                raise ProblemError(f"a step of {self.title!r} is {step!r}: write (formula, 'reason').")

    def _check_sizes(self) -> None:
        wanted = "write sizes={K: (2, 3)}, keyed by the symbol"
        if not isinstance(self.sizes, Mapping):
            raise ProblemError(f"sizes={self.sizes!r} of {self.title!r} is {type(self.sizes).__name__}: {wanted}.")
        for k, ns in self.sizes.items():
            if not isinstance(k, sp.Symbol):
                raise ProblemError(f"{k!r} in the sizes of {self.title!r} is {type(k).__name__}: {wanted}.")
            if not (isinstance(ns, Sequence) and ns and all(isinstance(n, Integral) and n >= 0 for n in ns)):
                raise ProblemError(f"the size of {k} in {self.title!r} is {ns!r}: write whole numbers, sizes={{{k}: (2, 3)}}.")

    @property
    def lines(self) -> list[tuple[Any, str]]:
        return [(self.start, ""), *self.steps]

    @cached_property
    def claims(self) -> list[Claim]:
        """One claim for each equals sign."""
        found: list[Claim] = []
        known: dict[Any, Any] = {}
        for n, ((before, _), (after, why)) in enumerate(zip(self.lines, self.lines[1:], strict=False), start=1):
            self._check_indices([bare(e) for line in (before, after) for e in entries(line)])
            left, right = (
                [evaluable(at_size(e, case), known) for case in self.cases for e in entries(line)] for line in (before, after)
            )
            found.append(Claim(f"{self.title}, line {n}: {why}", Equal(Exact(left), Exact(right)), source=self.source))
        return found

    def _check_indices(self, formulas: list[Any]) -> None:
        """A letter without a size may be an index, where it stands nowhere else, and no two entries are perhaps the same one."""
        cells = set().union(*(e.atoms(sp.Indexed) for e in formulas))
        if moved := sorted(((x, k) for x in cells for i in x.indices for k in i.atoms(Atom)), key=str):
            x, k = moved[0]
            raise ProblemError(f'{x} is read at {k}, which has values: write {x.base} = Variable("{x.base}", 3), and {x}.')
        without = [(x, k) for x, k in frozenset().union(*map(_open, formulas)) if k not in self.sizes]
        beside = frozenset().union(*(_letters(substituted(e, dict.fromkeys(cells, sp.Dummy()))) for e in formulas))
        for x, k in sorted(without, key=str):
            if k in beside or (x in cells and any(y != x and y.base == x.base and not _apart(x, y) for y in cells)):
                raise ProblemError(f"{k} in {x} has no size: write sizes={{{k}: (0, 1)}}, keyed by the symbol.")

    @cached_property
    def counts(self) -> list[Any]:
        """The letters that stand for how many there are: those that a sum runs up to."""
        ends = {letter for limits in self._ranges for end in limits for letter in end.free_symbols}
        return [k for k in self.sizes if k in ends]

    @cached_property
    def _ranges(self) -> set[tuple[Any, ...]]:
        """From where to where its sums run."""
        sums = {s for line, _ in self.lines for e in entries(line) for s in bare(e).atoms(sp.Sum, sp.Product)}
        return {tuple(ends) for s in sums for _, *ends in s.limits}

    def sizes_of(self, n: int) -> dict[Any, tuple[int, ...]]:
        """The letters of a size that are in line n or the one before, and the numbers at which it is checked."""
        found = frozenset().union(*(_letters(e) for line, _ in self.lines[n - 1 : n + 1] for e in entries(line)))
        return {k: tuple(ns) for k, ns in self.sizes.items() if k in found}

    def for_any(self, n: int) -> bool:
        """Is line n equal to the one before at every size? It is proved, or not known."""
        left, right = (entries(line) for line, _ in self.lines[n - 1 : n + 1])
        most = max(len(left), len(right))
        pairs = zip(left * (most // len(left)), right * (most // len(right)), strict=True)
        return all(for_any(a, b, self._indices) for a, b in pairs)

    @cached_property
    def _indices(self) -> dict[Any, tuple[Any, Any]]:
        """A letter that no sum runs up to is the index of one term, where every number that is tried is one of every sum."""
        if len(self._ranges) != 1:
            return {}
        (ends,) = self._ranges
        tried = [(case, [at_size(end, case) for end in ends]) for case in self.cases]
        free = (i for i in self.sizes if i not in self.counts)
        return {i: ends for i in free if all(low <= case[i] <= high for case, (low, high) in tried)}

    @cached_property
    def cases(self) -> list[dict[Any, int]]:
        """Each choice of the sizes."""
        return [dict(zip(self.sizes, ns, strict=True)) for ns in itertools.product(*self.sizes.values())]


def at_size(e: Any, case: Mapping[Any, int]) -> Any:
    """A formula with sums over a symbolic range, written out at one size. (SymPy's own doit takes seconds.)"""
    letters = _letters(e)
    return _written_out(e, tuple((k, n) for k, n in case.items() if k in letters))


@lru_cache(maxsize=1 << 14)
def _letters(e: Any) -> frozenset[Any]:
    """The symbols that are not bound; what is differentiated by is one of them, which SymPy's own free_symbols forget."""
    if isinstance(e, (sp.Sum, sp.Product)):
        ends = (_letters(end) for _, *limits in e.limits for end in limits)
        return _letters(e.function).difference(e.variables).union(*ends)
    return frozenset([e]) if e.is_Symbol else frozenset().union(*map(_letters, e.args))


def _open(e: Any) -> frozenset[tuple[Any, Any]]:
    """Each entry, and each delta, with each letter of its indices that no sum binds."""
    if isinstance(e, (sp.Sum, sp.Product)):
        return frozenset((x, k) for x, k in _open(e.function) if k not in e.variables)
    if isinstance(e, (sp.Indexed, sp.KroneckerDelta)):
        return frozenset((e, k) for i in e.indices for k in _letters(i) if not isinstance(k, Atom))
    return frozenset().union(*map(_open, e.args))


def _apart(x: Any, y: Any) -> bool:
    return any((i - j).is_nonzero for i, j in zip(x.indices, y.indices, strict=False))


@lru_cache(maxsize=1 << 14)
def _written_out(e: Any, letters: tuple[tuple[Any, int], ...]) -> Any:
    case = dict(letters)
    match e:
        case sp.Sum() | sp.Product():
            *inner, (k, low, high) = e.limits
            first, last = (_bound(at_size(end, case), e) for end in (low, high))
            body, combined = e.func(e.function, *inner) if inner else e.function, sp.Add if isinstance(e, sp.Sum) else sp.Mul
            return combined(*(at_size(body, {**case, k: n}) for n in range(first, last + 1)))
        case sp.Derivative():
            return diff(at_size(e.expr, case), *(at_size(x, case) for x in e.variables))
        case sp.Indexed():
            base, *indices = e.args
            return sp.Indexed(base, *(at_size(x, case) for x in indices))
        case named_() if case:
            words = {str(k): str(n) for k, n in case.items()}
            name = "_".join(words.get(word, word) for word in e.name.split("_"))
            return e.func(sp.Symbol(name, real=True), at_size(e.definition, case))
        case sp.Basic() if e.args and (case or has(e, sp.Derivative, sp.Sum, sp.Product)):
            return rebuilt(e, *(at_size(a, case) for a in e.args))
        case _:
            return sp.Integer(case[e]) if e in case else e


def _bound(end: Any, e: Any) -> int:
    """Where a sum begins or ends, a whole number."""
    if end.is_number and end.is_integer:
        return int(end)
    if letters := sorted(_letters(end), key=str):
        k = letters[0]
        raise ProblemError(f"{k} in {e} has no size: write sizes={{{k}: (2, 3)}}, keyed by the symbol.")
    wanted = "write a symbol for it, and sizes={K: (2, 3)}" if end.is_infinite else "write sizes at which it is a whole number"
    raise ProblemError(f"{e} runs to {end}, and is written out term by term: {wanted}.")


def evaluable(e: Any, known: dict[Any, Any]) -> Any:
    """With a variable in the place of every bare symbol and indexed entry, so that the step can be tried at points too."""
    ranges = e.atoms(sp.Integral, sp.Sum) if has(e, sp.Integral, sp.Sum) else ()
    indexed = e.atoms(sp.Indexed) if ranges else {s for s in free(e) if s.is_Indexed}
    bound = {v for i in ranges for v in i.variables}
    inside = set().union(*(free(i) - {i} for i in indexed))
    letters = (indexed | {s for s in free(e) if not isinstance(s, (Atom, sp.Indexed)) and s not in inside}) - bound
    for s in sorted(letters - known.keys(), key=str):
        if not has(e, sp.Derivative, AppliedUndef):
            name = re.sub(r"\W+", "_", str(s)).strip("_")
            name = name if name.isidentifier() else f"x{name}"
            known[s] = Variable(name, over=Uniform(0.1, 3) if s.is_positive else Normal())[()]
    return substituted(e, {s: known[s] for s in letters if s in known})
