"""A problem: the page, with every name on it bound to what it means before anything is computed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from .bundles import Bundle, Column, Rows
from .calculus import free
from .claims import Claim, Erratum, Mistake, Raises, Relation
from .derivation import Derivation
from .errors import ProblemError, did_you_mean
from .evaluators import ROUTES
from .evaluators.scene import World, bundles_with
from .figures import Figure
from .laws import Categorical, Draw, Random, with_parents
from .points import Point, check_names
from .quantities import Gradient, Over, Quantity, arguments, blocks, is_code, slots
from .symbols import Named, Pick, Symbols, Variable, atoms_in, entries, names_in, resized, unheld


@dataclass(frozen=True, eq=False)
class Problem:
    """The world is what the claims mention; `world` adds what only code asks for and this file does not name."""

    title: str
    claims: Sequence[Claim] = ()
    errata: Sequence[Erratum] = ()
    derivations: Sequence[Derivation] = ()
    mistakes: Sequence[Mistake] = ()
    corners: Sequence[Point] = ()
    figures: Sequence[Figure] = ()
    world: Sequence[Symbols | Bundle] = ()
    points: int = 12
    id: str = ""
    about: str = ""
    path: str = ""
    also: Sequence[tuple[Mapping[str, int], Problem]] = ()
    given_names: Mapping[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.title, str):
            raise ProblemError(f"title={self.title!r} of a problem is {type(self.title).__name__}: write text, in quotes.")
        for kind, items, noun in (
            (Claim, self.claims, "claims"),
            (Erratum, self.errata, "errata"),
            (Mistake, self.mistakes, "mistakes"),
            (Derivation, self.derivations, "derivations"),
            (Point, self.corners, "corners"),
            (Figure, self.figures, "figures"),
            (Symbols | Bundle, self.world, "world"),
        ):
            given = type(items).__name__
            if isinstance(items, kind):
                raise ProblemError(f"{noun}=... of {self.title!r} is one {given}: write it with a comma, {noun}=(...,).")
            if not isinstance(items, (tuple, list)):  # one that can be read once would be empty when it is checked
                raise ProblemError(f"{noun}=... of {self.title!r} is {given}: write it in parentheses, {noun}=(..., ...).")
            for item in items:
                if not isinstance(item, kind):
                    only = kind.__name__ if isinstance(kind, type) else "a variable, a draw, a Named or a batch"
                    raise ProblemError(f"{noun}=(...) of {self.title!r} holds {type(item).__name__}: only {only} belongs there.")
        if resized():  # given data, and what is built on it, belongs to the size of the page
            kept = [c for c in self.claims if c.at is None]
            for name, value in {"claims": kept, "errata": (), "derivations": (), "mistakes": ()}.items():
                object.__setattr__(self, name, value)
        if not isinstance(self.points, int) or self.points < 1:
            raise ProblemError(f"{self.title!r} has points={self.points!r}: write a whole number from 1.")
        for m in self.mistakes:
            if not isinstance(m.answer, Mapping):
                raise ProblemError(f"the mistake {m.says!r} has {m.answer!r}: write {{function: replacement}}.")
            if not isinstance(m.breaks, Claim):
                given = type(m.breaks).__name__
                raise ProblemError(f"the mistake {m.says!r} has breaks=..., which is {given}: write the claim that catches it.")
            if m.breaks not in self.claims:
                raise ProblemError(f"the mistake {m.says!r} breaks a claim that is not in claims=(...): add it there.")
        object.__setattr__(self, "bound", self._bind())

    bound: World = field(init=False)

    def __repr__(self) -> str:
        parts = {kind: getattr(self, kind) for kind in ("claims", "errata", "derivations", "mistakes")}
        counts = [f"{kind}: {len(items)}" for kind, items in parts.items() if items]
        return f"<Problem {': '.join(filter(None, [self.id, self.title]))} ({', '.join(counts)})>"

    # ---- names ------------------------------------------------------------------------------------------------------------

    def _bind(self) -> World:
        found = _Found()
        for extra in self.world:
            found.add(extra)
        for claim in self.stated:
            for q in _quantities(claim):
                found.quantity(q)
        for d in self.derivations:
            for line, _ in d.lines:
                found.formula(*entries(line))
        for claim in self.stated:
            for _, over in claim.quantities():
                if isinstance(over, Draw) and over.name not in found.names:
                    found.add(over)
        for claim in self.stated:
            for function, over in _code(claim):
                for slot in slots(function):
                    found.globals(slot, over)
        if resized():  # one number fits every shape
            shapes = {name: ((), v.shape) for name, v in found.variables.items()}
            fits = [c for c in self.corners if all(np.shape(x) in shapes.get(name, ()) for name, x in c.values.items())]
            object.__setattr__(self, "corners", fits)
        for corner in self.corners:
            check_names(corner, found.variables, "a corner")
        known = {name for v in found.variables.values() for name in (v.name, *map(str, v.atoms.ravel()))}
        if clash := found.written & known:
            raise ProblemError(TWO.format(min(clash)))
        world = World(found.variables, found.names)
        for claim in self.stated:
            if claim.at is not None:
                if drawn := next((k for k in claim.at.values if isinstance(found.names.get(k), Draw)), None):
                    wanted = "a point gives none: write a Variable for a value that is given."
                    raise ProblemError(f"the point of {claim.says!r} gives `{drawn}`, which is a draw; {wanted}")
                check_names(claim.at, found.variables, f"the point of {claim.says!r}")
            for route in claim.routes:
                if route not in ROUTES:
                    raise ProblemError(f"{claim.says!r} asks for the route {route!r}; there are {', '.join(ROUTES)}.")
            for function, names in called(claim, world):
                world.asked(function, names)
            for q, over in claim.quantities():
                _check_moved(q, world)
                _check_given(q, over, world)
        self._check_columns(world)
        return world

    def _check_columns(self, world: World) -> None:
        """A column that nothing reads is a slip of the pen."""
        read: dict[Rows, set[str]] = {}
        for claim in self.stated:
            for part, over in _leaves(claim):
                if isinstance(over, Rows):
                    names = {n for slot in slots(part) for n in arguments(slot)} if is_code(part) else world.names
                    read.setdefault(over, set()).update(names)
        for rows, names in read.items():
            if unread := next((n for n in rows.names if n not in names), None):
                raise ProblemError(f"nothing that is averaged over Rows({unread}=...) asks for it.{did_you_mean(unread, names)}")

    @property
    def name(self) -> str:
        return self.id or slug(self.title)

    @property
    def stated(self) -> list[Claim]:
        """Every claim, also those that errata make."""
        return [*self.claims, *(c for e in self.errata for c in (e.stated, e.instead))]

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """The reference functions, which an answer may replace."""
        found: dict[str, Callable[..., Any]] = {}
        for claim in self.stated:
            for top in claim.code():
                for f in slots(top):
                    if found.setdefault(f.__name__, f) is not f:
                        wanted = "write them with def" if f.__name__ == "<lambda>" else "rename one"
                        raise ProblemError(
                            f"two functions of this problem are called `{f.__name__}`: {wanted}, since answers name them."
                        )
        return found

    # ---- ids --------------------------------------------------------------------------------------------------------------

    def named(
        self,
        variables: Mapping[str, object],
        id: str,
        about: str,
        path: str,
        also: Sequence[tuple[Mapping[str, int], Problem]] = (),
    ) -> Problem:
        """The problem with the names its file gives to claims, errata and mistakes."""
        kinds = (Claim, Erratum, Mistake, Derivation)
        names = {v: k for k, v in variables.items() if type(v) in kinds}
        return self.but(id=id, about=about, path=path, also=also, given_names=names)

    def but(self, **words: Any) -> Problem:
        """The same page with other names, words or derivations: what its claims bind is bound."""
        problem = copy(self)
        for name, value in words.items():
            object.__setattr__(problem, name, value)
        return problem

    @property
    def names(self) -> dict[str, Any]:
        """id -> claim, erratum, derivation or mistake: its variable's name in the file, else a slug of its sentence."""
        out: dict[str, Any] = {}
        for item in [*self.claims, *self.errata, *self.derivations, *self.mistakes]:
            name = self.given_names.get(item) or slug(item.title if isinstance(item, Derivation) else item.says)
            unique = name if name not in out else next(f"{name}_{n}" for n in range(2, 1000) if f"{name}_{n}" not in out)
            out[unique] = item
        return out


def slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "_".join(words[:6]) or "claim"


TWO = "two things of this problem are called `{}`: rename one, since code asks for them by name."


class _Found:
    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.names: dict[str, Symbols] = {}
        self.alike: set[str] = set()  # names of several draws: no code may ask for them
        self.written: set[str] = set()  # names that formulas give to their parts
        self._looked_at: set[Draw] = set()

    def add(self, x: Any) -> None:
        if isinstance(x, Bundle):
            for named in x.names.values():
                self._name(named)
            for d in x.draws:
                self.formula(d.law)
        elif isinstance(x, Draw):
            self._draw(x)
        elif isinstance(x, Variable):
            self._name(x)
            self.variables[x.name] = x
        else:
            self._name(x)
            self.formula(*entries(x))

    def _name(self, x: Symbols) -> None:
        if self.names.setdefault(x.name, x) is not x:
            raise ProblemError(TWO.format(x.name))

    def _draw(self, draw: Draw) -> None:
        for d in with_parents(draw.atoms):
            if d.bundle is not None:
                for named in d.bundle.names.values():
                    self._name(named)
            else:
                self._name(d)
            self.formula(d.law)

    def formula(self, *expressions: Any) -> None:
        self.written |= names_in(*expressions)
        for atom in atoms_in(*expressions):
            home = atom.home
            if not isinstance(atom, Random):
                if self.variables.get(home.name) is not home:
                    self.add(home)
            elif home.bundle is None and isinstance(known := self.names.get(home.name), Draw):
                if known is not home:
                    self.alike.add(home.name)
            elif home.name not in self.names and (home.bundle is None or not self._holds_one_of(home.bundle.names)):
                self._draw(home)
            elif home.bundle is not None:
                self._laws(home)

    def _laws(self, draw: Draw) -> None:
        """The variables of a draw that is known by the names of its bundle, or whose bundle is another than the known one."""
        for d in with_parents(draw.atoms):
            if d not in self._looked_at:
                self._looked_at.add(d)
                self.formula(*(a for a in atoms_in(d.law) if not isinstance(a, Random)))

    def _holds_one_of(self, names: Mapping[str, Symbols]) -> bool:
        """Is there a bundle with a name of these, or all of them? Another one is for claims that say over= it."""
        known = [self.names[name] for name in names if name in self.names]
        return len(known) == len(names) or any(isinstance(x, Column) for x in known)

    def quantity(self, q: Quantity) -> None:
        if isinstance(q, Gradient) and q.wrt is not None:
            for v in [q.wrt] if isinstance(q.wrt, Variable) else q.wrt:
                if self.variables.get(v.name) is not v:
                    self.add(v)
        if isinstance(q, Gradient) and not is_code(q.of):
            for wrong in filter(_undefined, entries(q.of)):
                what = f"{str(wrong)[:80]} is no number anywhere (SymPy's zoo is 1/0, its nan 0/0)"
                raise ProblemError(f"{what}, and its gradient is asked for: write a formula that has a value.")
        if isinstance(q, Over) and isinstance(over := getattr(q, "over", None), Bundle):
            inside = [*(d.law for d in over.draws), *(e for named in over.names.values() for e in entries(named))]
            self.formula(*(a for a in atoms_in(*inside) if not isinstance(a, Random)))
        for part in q.parts:
            if isinstance(part, Quantity):
                self.quantity(part)
            elif not is_code(part):
                self.formula(*entries(part))

    def globals(self, function: Callable[..., Any], over: Bundle | Draw | None) -> None:
        """What the function asks for, nothing that it is averaged over gives, and its file defines with that name."""
        asked = [p.name for p in arguments(function).values() if p.default is p.empty]
        if several := self.alike.intersection(asked):
            raise ProblemError(TWO.format(min(several)))
        wanted = [name for name in asked if name not in self.names]
        around = getattr(inspect.unwrap(function), "__globals__", {}) if wanted else {}
        given = over.names if isinstance(over, Bundle) else ()
        for name in wanted:
            found = {k: x for k, x in around.items() if isinstance(x, Symbols) and x.name == name}
            # The one that the file calls so too, where there are several.
            for x in [found[name]] if name in found else found.values():
                self.add(x)
            holding = [*{*bundles_with(name, function).values()}] if not found and name not in {*given, *self.names} else []
            if len(holding) == 1 and holding[0].draws and self.names.keys().isdisjoint(holding[0].names):
                self.add(holding[0])


@lru_cache(maxsize=1 << 16)
def _undefined(e: Any) -> bool:
    """Does it divide by zero, but for what a draw may never pick? Its slope would be that of a constant."""
    return e is sp.nan or e is sp.zoo or (not isinstance(e, (Pick, Categorical)) and any(map(_undefined, e.args)))


def _quantities(claim: Claim) -> Iterable[Quantity]:
    relations = [r for r in (claim.that, claim.where) if isinstance(r, Relation)]
    for r in relations:
        yield from r.sides


def _check_moved(q: Quantity, world: World) -> None:
    """The gradient of code by parameters that it does not take is 0, whatever the code does: that is claimed by their names."""
    if not isinstance(q, Gradient) or q.wrt is not None or not is_code(q.of):
        return
    moved = {p.name for p in world.parameters}
    given = {name for slot in slots(q.of) for name in arguments(slot)}
    taken = given.intersection(world.variables)
    through = atoms_in(*(e for name in given if name in world.names for e in entries(world.names[name])))
    if moved and taken and moved.isdisjoint(a.home.name for a in through):
        name, by = q.of.__name__, " or ".join(sorted(moved))
        wanted = f"name what it is by, as Gradient({name}, {min(taken)})."
        raise ProblemError(f"`{name}` does not take {by}, and its gradient by that is 0 whatever it does: {wanted}")


def _check_given(q: Quantity, over: Bundle | Draw | None, world: World) -> None:
    """A formula is differentiated before its names are read on the rows: the slope of a name would be its definition's."""
    if not isinstance(q, Gradient) or is_code(q.of) or not isinstance(over, Bundle):
        return
    by = {a: v.name for v in blocks(q.wrt, world.parameters) for a in v.atoms.ravel()}
    live = [unheld(e) for e in entries(q.of)]
    for name in over.names:
        cells = entries(named) if isinstance(named := world.names.get(name), Named) else []
        for cell in map(unheld, cells):
            if (met := by.keys() & free(cell)) and any(e.has(cell) for e in live):
                parameter = min(by[a] for a in met)
                wanted = f"write Named({name!r}, frozen(...)), or name what the gradient is by, as Gradient(f, x)."
                through = f"a gradient by {parameter} goes through the definition of `{name}`, which the rows give"
                raise ProblemError(f"{through}: {wanted}")


def called(claim: Claim, world: World) -> Iterable[tuple[Callable[..., Any], Mapping[str, Any]]]:
    """The functions that a claim calls, and what each can be given by name."""
    for function, over in _code(claim):
        yield function, world.over(over)


def _code(claim: Claim) -> Iterable[tuple[Callable[..., Any], Any]]:
    """Functions and the rows or draws they are averaged over."""
    if isinstance(claim.that, Raises):
        yield claim.that.function, None
    for part, over in _leaves(claim):
        if is_code(part):
            yield part, over


def _leaves(claim: Claim) -> Iterable[tuple[Any, Any]]:
    """Functions and formulas, and the rows or draws they are averaged over."""
    return ((part, over) for q, over in claim.quantities() for part in q.parts if not isinstance(part, Quantity))
