"""Where a quantity is evaluated: the names of the problem, the points, the answer under test, and what was worked out already."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundles import Bundle, Column
from ..errors import ProblemError, did_you_mean
from ..estimate import Estimate, Floats
from ..expressions import floats
from ..laws import Draw, Finite, randoms
from ..points import Points
from ..quantities import Combined, Component, Mean, Quantity, Sum, Trace, arguments, is_code, lowered, slots
from ..rings import binary
from ..spaces import Simplex
from ..symbols import Named, Symbols, Variable, entries


@dataclass(frozen=True, eq=False)
class World:
    """What functions may ask for by name."""

    variables: Mapping[str, Variable]
    names: Mapping[str, Symbols]
    widths: dict[Any, int] = field(default_factory=dict[Any, int], repr=False)  # how many numbers each of its functions gives
    _formulas: dict[Quantity, list[Any] | None] = field(default_factory=dict[Quantity, "list[Any] | None"], repr=False)
    _parts: dict[Quantity, list[tuple[Quantity, list[Any]]]] = field(
        default_factory=dict[Quantity, "list[tuple[Quantity, list[Any]]]"], repr=False
    )

    @property
    def parameters(self) -> list[Variable]:
        """In the order in which the page writes them, whichever claim or formula has which first."""
        return sorted((v for v in self.variables.values() if v.parameter), key=lambda v: v.place)

    def formulas(self, q: Quantity) -> list[Any] | None:
        """The quantity as formulas, differentiated once."""
        if q not in self._formulas:
            self._formulas[q] = lowered(q, self.parameters, self.names)
        return self._formulas[q]

    def parts(self, q: Quantity) -> list[tuple[Quantity, list[Any]]]:
        """The parts of a quantity that are formulas, averaged as they are in it."""
        if q not in self._parts:
            formulas = self.formulas(q)
            self._parts[q] = [(q, formulas)] if formulas is not None else [p for inner in _inside(q) for p in self.parts(inner)]
        return self._parts[q]

    def over(self, bundle: Bundle | Draw | None) -> Mapping[str, Symbols]:
        """The names as these rows or copies define them."""
        if isinstance(bundle, Bundle):
            return {**self.names, **bundle.names}
        return self.names if bundle is None else {**self.names, bundle.name: bundle}

    def asked(self, code: Callable[..., Any], names: Mapping[str, Symbols]) -> dict[str, Symbols]:
        """The arguments a function asks for; a parameter with a default keeps it."""
        found: dict[str, Symbols] = {}
        title = getattr(code, "__name__", "the function")
        for p in arguments(code).values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.default is not p.empty:
                continue
            if p.name not in names:
                known, holding = ", ".join(names) or "no names", " or ".join(bundles_with(p.name, code))
                hint = f" Write over={holding} in its Mean." if holding else did_you_mean(p.name, names)
                raise ProblemError(f"`{title}` asks for `{p.name}`; this problem has {known}.{hint}")
            found[p.name] = names[p.name]
        if not found and any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in arguments(code).values()):
            raise ProblemError(f"`{title}` is given its arguments by name, and names none: write them, as def {title}(theta).")
        return found


def bundles_with(name: str, code: Callable[..., Any]) -> dict[str, Bundle]:
    """The copies, rows and episodes in the file of a function that have a name."""
    around = getattr(inspect.unwrap(code), "__globals__", {})
    return {k: x for k, x in around.items() if isinstance(x, Bundle) and name in x.names}


def _inside(q: Quantity) -> Iterable[Quantity]:
    """The quantities that one is made of; those in a mean are averaged on their own."""
    if isinstance(q, Mean):
        return (Mean(part, q.over) for part in _inside(q.of))
    return q.parts if isinstance(q, (Combined, Component, Sum, Trace)) else ()


@dataclass(eq=False)
class Scene:
    world: World
    points: Points
    answer: Mapping[Any, Any] = field(default_factory=dict)
    route: str | None = None
    resolution: float = 1e-6
    seed: int = 0
    name: str = ""
    samples: int | None = None  # of each mean at each point; None: as many as the resolution needs
    away: Callable[..., Iterable[Any]] | None = None  # makes draws in other processes
    tells: Callable[[int, int], None] | None = None  # is told how many draws there are, of how many
    memo: dict[Any, tuple[Estimate, Scene]] = field(default_factory=dict[Any, "tuple[Estimate, Scene]"])
    resolved: dict[Any, Callable[..., Any]] = field(default_factory=dict[Any, "Callable[..., Any]"])
    used: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    alone: bool = True  # is code that is new called for one point and outcome too?
    rough: bool = False  # are numbers worked out in floats alone, without a radius, to see where it is worth a closer look?
    means: int = 1  # that a claim samples: they share its resolution and its errors
    decisive: bool = False  # is a claim refuted where its sampled mean is not the declared one?
    made: list[int] = field(default_factory=list[int])  # the draws that a radius is known from
    short: list[int] = field(default_factory=list[int])  # the draws it would take, where those made do not tell
    near: list[str] = field(default_factory=list[str])  # what there is near a point that keeps differences from settling

    def at(self, points: Points) -> Scene:
        return replace(self, points=points, memo={})

    def anew(self) -> Scene:
        """With nothing heard yet."""
        return replace(self, used={}, notes=[], made=[], short=[], near=[])

    def hears(self, other: Scene) -> None:
        self.used.update(other.used)
        self.notes.extend(other.notes)
        self.made.extend(other.made)
        self.short.extend(other.short)
        self.near.extend(other.near)

    def without_answer(self) -> Scene:
        return replace(self.anew(), answer={})

    def says(self, route: str) -> None:
        self.used[route] = None

    def asked(self, code: Callable[..., Any], outcomes: Outcomes | None) -> dict[str, Symbols]:
        """The arguments that code asks for, as these outcomes define them."""
        return self.world.asked(code, self.world.names if outcomes is None else outcomes.names)

    def resolve(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function in this slot, with the answer's replacements for the functions it calls by default.

        A replacement that calls what it replaces means the page's own function: `def doubled(x, loss=loss): ...`. It is the
        same object each time, since what is known of code is known by that.
        """
        if not self.answer:
            return function
        if function not in self.resolved:
            self.resolved[function] = self._resolved(function, ())
        return self.resolved[function]

    def _resolved(self, function: Callable[..., Any], within: tuple[Any, ...]) -> Callable[..., Any]:
        chosen, within = self.answer.get(function, function), (*within, function)
        defaults = {p.name: p.default for p in arguments(chosen).values() if is_code(p.default)}
        inner = {name: self._resolved(f, within) for name, f in defaults.items() if f not in within}
        changed = {k: v for k, v in inner.items() if v is not arguments(chosen)[k].default}
        if not changed:
            return chosen
        by_position = [p.name for p in arguments(chosen).values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]

        @functools.wraps(chosen)
        def bound(*values: Any, **given: Any) -> Any:
            """What a caller hands over, by its place too, counts; what it leaves out is the replacement."""
            handed = by_position[: len(values)]
            return chosen(*values, **{k: v for k, v in changed.items() if k not in handed} | given)

        return bound

    def key(self, quantity: Quantity, route: str) -> Any:
        sampled = route == "sampled"
        planned = (self.name, self.samples) if sampled else ()
        answer = self.answer if sampled else self.reached(quantity)  # notes of samples say whether there is an answer
        return (quantity, route, self.points, self.rough, self.resolution, frozenset(answer.items()), *planned)

    def reached(self, quantity: Quantity) -> dict[Any, Any]:
        """The replacements that a quantity runs: in the slots of its functions, and in those of the replacements themselves."""
        found: dict[Any, Any] = {}
        waiting = [slot for function in quantity.code() for slot in slots(function)] if self.answer else []
        for function in waiting:
            if function in self.answer and function not in found:
                found[function] = self.answer[function]
                waiting += slots(self.answer[function])
        return found


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What the draws came out as: float columns (B, M) for each atom, and the weight of each outcome (B, M)."""

    columns: Mapping[Any, Any]
    weights: Estimate
    names: Mapping[str, Symbols]
    exact: Mapping[Any, Any] | None = None
    bare: bool = False  # of what code gives at them only the value is used, not its radius

    @property
    def count(self) -> int:
        return self.weights.shape[1]

    def first(self) -> Outcomes:
        """One that can happen at the first point, of which only the value is used."""
        m = int((self.weights.value[0] != 0).argmax())
        one = slice(1), slice(m, m + 1)
        columns = {a: x[one] for a, x in self.columns.items()}
        return Outcomes(columns, self.weights.map(lambda w: w[one]), self.names, bare=True)

    def rows(self, points: Points, places: Iterable[tuple[int, int]]) -> list[dict[Any, Any]]:
        """What is known at each of these points and outcomes, in exact numbers."""
        drawn = {a: np.broadcast_to(x, (len(points), self.count)) for a, x in (self.exact or self.columns).items()}
        return [points.rows[b] | {a: binary(float(x[b, m])) for a, x in drawn.items()} for b, m in places]


def possible(outcomes: Outcomes | None) -> Any:
    """Which outcomes can happen at which point; None where all can."""
    if outcomes is None:
        return None
    can = outcomes.weights.value != 0
    return None if can.all() else can


def tangent(blocks: Sequence[Variable], gradient: Floats) -> Floats:
    """Code's gradient as the model's: of a row of probabilities the last entry moves against each of the others."""
    at, out = 0, gradient
    for b in blocks:
        if isinstance(b.over, Simplex):
            rows = gradient[..., at : at + b.array.size].reshape(*gradient.shape[:-1], *b.shape)
            out = out.copy() if out is gradient else out
            with np.errstate(invalid="ignore"):
                out[..., at : at + b.array.size] = (rows - rows[..., -1:]).reshape(*gradient.shape[:-1], -1)
        at += b.array.size
    return out


def is_index(symbols: Symbols) -> bool:
    """Does code index with it? Then it is passed as whole numbers."""
    if isinstance(symbols, Draw):
        return isinstance(symbols.law, Finite)
    if isinstance(symbols, Named):
        symbols = Column(symbols.name, [e.args[-1] for e in symbols.array.ravel()])
    return isinstance(symbols, Column) and symbols.whole


def arrays(scene: Scene, asked: Mapping[str, Symbols], outcomes: Outcomes | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of code: those fixed at a point (B, ...), and those drawn (B, M, ...)."""
    here = scene.points.floats
    fixed, random = {}, {}
    size = len(scene.points)
    columns: dict[Any, Any] = {a: v[:, None] for a, v in scene.points.columns.items()} | dict(
        outcomes.columns if outcomes else {}
    )
    count, weights = (outcomes.count, outcomes.weights.value) if outcomes else (1, 1.0)
    for name, symbols in asked.items():
        if isinstance(symbols, Variable):
            if name not in here:
                raise ProblemError(f"the point gives no `{name}`, which the code asks for.")
            fixed[name] = here[name]
            continue
        cells = entries(symbols)
        loose = [a for a in randoms(*cells) if a not in columns]
        if loose:
            raise ProblemError(f"`{name}` is random here: take Mean(...) over it, or name the rows with over=Rows({name}=...).")
        table = np.stack([np.broadcast_to(x, (size, count)) for x in floats(cells, columns, weights)], axis=-1)
        whole = is_index(symbols) or is_index(scene.world.names.get(name, symbols))
        if whole and (part := table[table != np.rint(table)]).size:
            raise ProblemError(f"`{name}` is an index, and the rows give it {part[0]:g}: write whole numbers.")
        random[name] = (table.astype(np.int64) if whole else table).reshape(size, count, *symbols.shape)
    return fixed, random


def in_rows(
    fixed: Mapping[str, Any], drawn: Mapping[str, Any], shape: tuple[int, int], can: Any
) -> tuple[dict[str, Any], NDArray[np.intp]]:
    """The arguments of code as rows, one for each point and outcome that can happen; and which ones these are."""
    kept = np.arange(shape[0] * shape[1]) if can is None else np.flatnonzero(can)
    every = {k: np.repeat(v, shape[1], axis=0) for k, v in fixed.items()}
    every |= {k: v.reshape(-1, *v.shape[2:]) for k, v in drawn.items()}
    return {k: v[kept] for k, v in every.items()}, kept
