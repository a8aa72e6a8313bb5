"""Clarke's interval of the model's gradient, and with it what a kink is: a point where the interval has width.

The interval is spanned by the gradients beside the point, one for each cell between the tied switches. PPO's min is tied on an
open set with equal slopes: a tied switch alone is no kink, and dropping ties would drop every interesting point.

Between two switches that touch, as y and y - x^2, there is a cell without a direction of its own. It is looked for a little way
along the walls, by how the switches bend there; what opens only to third order, or in a narrow part of a wall, is not seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq

from ..calculus import free, has, slope
from ..errors import ProblemError, Unsuitable
from ..estimate import Estimate, Evidence, Floats
from ..expectation import closed
from ..expressions import floats, values
from ..laws import Finite, Random
from ..quantities import Quantity, lowered, taken_by
from ..rings import EXACT, binary, image
from ..symbols import frozen_
from .scene import Outcomes, Scene, possible

TIED = 2.0**-40
NEAR = 1e-6
WIDTH = 1e-6
THIN = 1e-8  # a cell thinner than this is none: two walls are one, up to their rounding
CELLS = 256
AWAY = fmpq(1, 2**16)  # how far along the walls it is looked for cells between switches that touch
BENT = 2.0**-10  # how far switches bend apart at least, in squares of that
REACH = 2.0**6  # and how far from there such a cell may lie
ALONG = 32  # directions along the walls, at most
CHOICES = 1 << 16
DOUBTFUL = 1 << 10  # slopes that are worked out once more
HALF = fmpq(1, 2)
JUMPS = (sp.Heaviside, sp.sign)
CORNERED = (sp.Min, sp.Max, sp.Abs, *JUMPS)

Row = dict[Any, Any]


def evaluate(q: Quantity, scene: Scene, outcomes: Outcomes | None = None) -> Estimate:
    """Midpoint and half width, as an Estimate whose radius is the set: (B, M, n)."""
    formulas = lowered(q, scene.world.parameters, scene.world.names)
    if formulas is None:
        raise ProblemError("Hull needs the gradient of a formula: code has one gradient, not a set of them.")
    scene.says("symbolic")
    board = _board(tuple(closed(e) for e in formulas), tuple(taken_by(q, scene.world.parameters)))
    rows, at = _rows(scene, outcomes)
    shape = (len(scene.points), outcomes.count if outcomes else 1, len(formulas))
    low, high = np.zeros((2, shape[0] * shape[1], shape[2]))
    low[at], high[at] = (np.array(x) for x in zip(*(_Place(board, row).ends() for row in rows), strict=True))
    if not (np.isfinite(low) & np.isfinite(high)).all():
        raise Unsuitable("a slope beside the point is not finite: the gradient has no Clarke interval there")
    rounding = 2**6 * TIED * (1 + np.maximum(np.abs(low), np.abs(high)))  # what is so near is taken to be at the corner
    return Estimate(((low + high) / 2).reshape(shape), ((high - low) / 2 + rounding).reshape(shape), Evidence.BALL)


def bends(formulas: Sequence[Any]) -> bool:
    """Can there be a kink at all?"""
    return any(_cornered(tuple(formulas)))


def kinked(formulas: Sequence[Any], atoms: Sequence[Any], scene: Scene, outcomes: Outcomes | None = None) -> Any:
    """For each point, and each outcome where there are some, whether the interval has width there, or a switch that matters is so
    near that rounding may flip it. Where that cannot be found out, a switch that is tied is taken to matter.

    Two ties at once, each halved, may give a number outside an interval without width: the formula is of no use there either.
    """
    written, hidden = _cornered(tuple(formulas))
    out = np.zeros((len(scene.points), outcomes.count if outcomes else 1), dtype=bool)
    rows, at = _rows(scene, outcomes) if written or hidden else ([], [])
    if written:
        board = _board(written, tuple(atoms))
        out.flat[at] |= [_bent(board, atoms, row) for row in rows]
    for switch in hidden:
        out.flat[at] |= _meets(switch, atoms, rows)
    return out if outcomes else out[:, 0]


def _rows(scene: Scene, outcomes: Outcomes | None) -> tuple[list[Row], list[int]]:
    """What is known at each point, or at each outcome that can happen there, and its place among all of them."""
    if outcomes is None:
        return list(scene.points.rows), list(range(len(scene.points)))
    shape, can = (len(scene.points), outcomes.count), possible(outcomes)
    chosen = np.argwhere(np.ones(shape, dtype=bool) if can is None else can)
    return outcomes.rows(scene.points, chosen), [int(b) * shape[1] + int(m) for b, m in chosen]


@lru_cache(maxsize=256)
def _cornered(formulas: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    """The formulas that have corners, with their expectations worked out, and the switches of those where that cannot be done."""
    written: list[Any] = []
    hidden: dict[Any, None] = {}
    for e in formulas:
        if not (has(e, *CORNERED) and _corners(e)):
            continue
        try:
            plain = closed(e)
        except Unsuitable:
            hidden |= dict.fromkeys(s for corner in sorted(_corners(e), key=sp.default_sort_key) for s in _sides(corner))
        else:
            written += [plain] if _jumps(plain) else []
    return tuple(written), list(hidden)


@lru_cache(maxsize=1 << 14)
def _corners(e: Any) -> frozenset[Any]:
    """Its corners, but for those under a stop-gradient, which bend no gradient."""
    if isinstance(e, frozen_):
        return frozenset()
    return frozenset([e] if isinstance(e, CORNERED) else []).union(*map(_corners, e.args))


def _sides(corner: Any) -> list[Any]:
    """What a corner turns on."""
    if not isinstance(corner, (sp.Min, sp.Max)):
        return [corner.args[0]]
    sides: tuple[Any, ...] = corner.args
    return [a - b for a, b in itertools.combinations(sides, 2)]


@lru_cache(maxsize=1 << 14)
def _jumps(e: Any) -> frozenset[Any]:
    """Its jumps, but for those that turn on what is bound in it: an integral over them is smooth."""
    found = frozenset([e] if isinstance(e, JUMPS) else []).union(*map(_jumps, e.args))
    bound = set(getattr(e, "bound_symbols", ()))
    return frozenset(j for j in found if free(j).isdisjoint(bound)) if bound else found


def _branches(e: Any) -> Any:
    """The formula with a sum over its branches, each times its jump, for each corner outside a jump."""
    if isinstance(e, JUMPS) or not has(e, *CORNERED):
        return e
    args = [_branches(a) for a in e.args]
    if isinstance(e, (sp.Min, sp.Max)):
        return sp.Add(*(a * e.fdiff(n) for n, a in enumerate(args, start=1)))
    return args[0] * sp.sign(e.args[0]) if isinstance(e, sp.Abs) else e.func(*args)


@dataclass(frozen=True, eq=False)
class _Board:
    """Formulas with a mark, 0 or 1, in place of each switch. A switch stands after those that its own slopes turn on."""

    written: tuple[Any, ...]
    twins: Row  # a symbol for each stop-gradient
    atoms: tuple[Any, ...]
    switches: list[Any]
    turned: list[Any]  # the switches, marked
    marks: list[Any]
    normals: list[list[Any]]  # the slopes of each switch
    curved: frozenset[int]  # the switches whose slopes are not the same everywhere on one side
    marked: list[Any]
    groups: Mapping[frozenset[int], list[int]]  # formulas by the switches they depend on


@lru_cache(maxsize=128)
def _board(formulas: tuple[Any, ...], atoms: tuple[Any, ...]) -> _Board:
    twins = {node: sp.Dummy("held", real=True) for e in formulas for node in e.atoms(frozen_)}
    held = [e.xreplace(twins) for e in formulas]
    switches: list[Any] = []
    normals: list[list[Any]] = []
    depends: list[frozenset[int]] = []
    known: dict[Any, tuple[int, bool]] = {}

    def place(s: Any) -> tuple[int, bool]:
        """Its number and whether it has that one's sign: x, 2x and -x/3 are one switch."""
        bare = s.primitive()[1]
        if bare not in known:
            slopes = [slope(s, a) for a in atoms]
            below = seen(s, *slopes)
            known.update({bare: (len(switches), True), (-bare).primitive()[1]: (len(switches), False)})
            depends.append(below | {len(switches)})
            switches.append(s)
            normals.append(slopes)
        return known[bare]

    def seen(*parts: Any) -> frozenset[int]:
        jumps = sorted(frozenset[Any]().union(*map(_jumps, parts)), key=sp.default_sort_key)
        return frozenset[int]().union(*(depends[place(j.args[0])[0]] for j in jumps))

    groups: dict[frozenset[int], list[int]] = {}
    for n, e in enumerate(held):
        groups.setdefault(seen(e), []).append(n)
    marks = [sp.Dummy(f"h{n}", real=True) for n in range(len(switches))]

    def marked(e: Any) -> Any:
        rule: dict[Any, Any] = {}
        for j in _jumps(e):
            if j.args[0].primitive()[1] not in known:  # nothing that is moved turns on it
                continue
            n, same = place(j.args[0])
            up = marks[n] if same else 1 - marks[n]
            rule[j] = up if isinstance(j, sp.Heaviside) else 2 * up - 1
        return e.xreplace(rule)

    turned, slopes = [marked(_branches(s)) for s in switches], [list(map(marked, n)) for n in normals]
    curved = frozenset(n for n, normal in enumerate(slopes) if any(not free(x).isdisjoint(atoms) for x in normal))
    return _Board(formulas, twins, atoms, switches, turned, marks, slopes, curved, list(map(marked, held)), groups)


class _Place:
    """A board at one point: which switches are tied there, and which are near."""

    def __init__(self, board: _Board, row: Row) -> None:
        self.board = board
        self.row = row | dict(zip(board.twins.values(), _exact(list(board.twins), row), strict=True))
        at = _exact(board.switches, self.row)
        size = np.array([abs(image(x)) for x in at])
        self.tied: set[int] = set(np.flatnonzero(size < TIED).tolist())
        self.near: set[int] = set(np.flatnonzero(size < NEAR).tolist()) - self.tied
        self.sides = {m: HALF if n in self.tied else EXACT.side(x) for n, (m, x) in enumerate(zip(board.marks, at, strict=True))}

    def ends(self) -> tuple[Floats, Floats]:
        """Least and greatest value of each formula beside the point, over all cells between the tied switches."""
        low, high = np.zeros(len(self.board.marked)), np.zeros(len(self.board.marked))
        for needs, chosen in self.board.groups.items():
            spread = self._values(chosen, self._cells(needs))
            low[chosen], high[chosen] = spread.min(axis=0), spread.max(axis=0)
        return low, high

    def kinked(self) -> bool:
        return any(self._kinked(needs, chosen) for needs, chosen in self.board.groups.items())

    def _kinked(self, needs: frozenset[int], chosen: list[int]) -> bool:
        if needs.isdisjoint(self.tied | self.near):
            return False
        try:
            cells = self._cells(needs)
        except Unsuitable:
            return True
        try:
            spread = self._values(chosen, [s for cell in cells for s in (cell, *_decided(cell), *self._near(cell, needs))])
            here = values([self.board.written[n] for n in chosen], [self.row]).value
        except Unsuitable:
            return len(cells) > 1 or not needs.isdisjoint(self.near)
        every = np.concatenate([here, spread])
        with np.errstate(invalid="ignore"):
            return not (every.max(axis=0) - every.min(axis=0) <= WIDTH * (1 + np.abs(here[0]))).all()

    def _values(self, chosen: list[int], sides: Sequence[Row]) -> Floats:
        return values([self.board.marked[n] for n in chosen], [self.row | s for s in sides]).value

    def _cells(self, needs: frozenset[int]) -> list[Row]:
        """The sides of all switches in each cell that the tied ones cut around the point, one after the other.

        Which wall a switch is may depend on the cell: its slopes turn on others. Where it has none it is tied on an open set, and
        is left halved: either side will do.
        """
        cells, walls, shut = self._cut(needs)
        if shut and not self.board.curved.isdisjoint(needs & self.tied):
            for direction in _along(walls):
                steps = {a: self.row[a] + AWAY * binary(float(d)) for a, d in zip(self.board.atoms, direction, strict=True) if d}
                cells += self._cut(needs, steps)[0]
        marks = [self.board.marks[n] for n in sorted(needs & self.tied)]
        return list({tuple(sides[m] for m in marks): sides for sides in cells}.values())

    def _cut(self, needs: frozenset[int], away: Row | None = None) -> tuple[list[Row], list[Floats], bool]:
        """The cells as the slopes of the switches cut them; or around a point away, where how much the switches have bent on the
        way counts too. With the walls, and whether some sides have no cell between them."""
        cells: list[tuple[Row, list[Floats], list[float]]] = [(self.sides, [], [])]
        seen: list[Floats] = []
        shut = False
        for n in sorted(needs & self.tied):
            mark, rows = self.board.marks[n], [self.row | sides for sides, *_ in cells]
            found, bent = values(self.board.normals[n], rows).value, np.zeros(len(cells))
            if away is not None:
                there, here = (values([self.board.turned[n]], x) for x in ([row | away for row in rows], rows))
                bent = (there - here).value[:, 0] / float(AWAY) ** 2
            cut: list[tuple[Row, list[Floats], list[float]]] = []
            for (sides, walls, bends), normal, bend in zip(cells, found, bent, strict=True):
                if not np.isfinite(normal).all():
                    raise Unsuitable("a switch that is tied has no slope here")
                if (np.abs(normal) < TIED).all():
                    cut.append((sides if abs(bend) < BENT else sides | {mark: fmpq(int(bend > 0))}, walls, bends))
                    continue
                size = np.abs(normal).max()
                normal = np.where(np.abs(normal) < TIED, 0.0, normal) / size
                seen.append(normal)
                both = ((side, [*walls, sign * normal], [*bends, sign * bend / size]) for side, sign in ((1, 1.0), (0, -1.0)))
                kept = [
                    (sides | {mark: fmpq(side)}, beyond, bends)
                    for side, beyond, bends in both
                    if _open(np.array(beyond), None if away is None else np.array(bends))
                ]
                shut |= len(kept) < 2
                cut += kept
            cells = cut
            if len(cells) > CELLS:
                raise Unsuitable(f"the switches that are tied cut more than {CELLS} cells around the point")
        return [sides for sides, *_ in cells], seen, shut

    def _near(self, sides: Row, needs: frozenset[int]) -> list[Row]:
        """What rounding may do to the switches that are near: each alone on its other side."""
        marks = [self.board.marks[n] for n in sorted(needs & self.near)]
        return [sides | {m: 1 - sides[m]} for m in marks]


def _decided(sides: Row) -> list[Row]:
    """What is tied on an open set all on one side, and all on the other: as good as halved, unless three branches are one."""
    loose = [m for m, side in sides.items() if side == HALF]
    return [sides | dict.fromkeys(loose, fmpq(side)) for side in (0, 1)] if loose else []


def _along(walls: Sequence[Floats]) -> list[Floats]:
    """Some directions in which all walls run, and each of them."""
    found: list[Floats] = []
    for some in (np.array(walls), *(wall[None] for wall in {tuple(w): w for w in walls}.values())):
        _, sizes, rows = np.linalg.svd(some)
        free = list(rows[int((sizes > THIN).sum()) :])
        found += [
            sign * d
            for d in (*free, *(a + s * b for a, b in itertools.combinations(free, 2) for s in (1, -1)))
            for sign in (1, -1)
        ]
    return found[:ALONG]


def _open(walls: Floats, bends: Floats | None = None) -> bool:
    """Is there a direction that is on the right side of every wall, or a place where they are as far beside the point?"""
    rows = walls if bends is None else np.column_stack([walls, bends])
    return _opened(frozenset(map(tuple, rows.tolist())), bends is None)


@lru_cache(maxsize=1 << 16)  # cells around one point share most of their walls, and so do those around the next
def _opened(rows: frozenset[tuple[float, ...]], straight: bool) -> bool:
    walls = np.array(sorted(rows))
    bends = np.zeros(len(walls))
    if not straight:
        walls, bends = walls[:, :-1], walls[:, -1]
    elif (walls @ (np.linalg.pinv(walls) @ np.ones(len(walls))) > 0.5).all():
        return True
    from scipy.optimize import linprog

    count, size = walls.shape
    reach, least = (1, THIN) if straight else (REACH, BENT)
    within = np.hstack([-walls, np.ones((count, 1))])  # walls @ direction + bend >= room
    found = linprog([0.0] * size + [-1.0], within, bends, bounds=[(-reach, reach)] * size + [(0, 1)])
    return bool(found.status == 0 and -found.fun > least)


def _bent(board: _Board, atoms: Sequence[Any], row: Row) -> bool:
    try:
        return _Place(board, row).kinked()
    except Unsuitable:  # a switch is an integral
        corners = sorted(frozenset[Any]().union(*map(_corners, board.written)), key=sp.default_sort_key)
        return any(_meets(s, atoms, [row])[0] for corner in corners for s in _sides(corner))


def _meets(switch: Any, atoms: Sequence[Any], rows: Sequence[Row]) -> Any:
    """For each row, whether the switch is so near to zero at some outcome that rounding may flip it, and is not flat there."""
    out = np.zeros(len(rows), dtype=bool)
    drawn = sorted((s for s in free(switch) if s not in rows[0]), key=sp.default_sort_key) if rows else []
    if not rows or not all(isinstance(s, Random) and isinstance(s.home.law, Finite) for s in drawn):
        return out  # an integral over a corner is smooth
    sizes = [len(s.home.law.weights) for s in drawn]
    if np.prod(sizes, dtype=float) > CHOICES:
        return ~out
    chosen = np.array(list(itertools.product(*map(range, sizes)))).T
    b, m = (x.ravel() for x in np.indices((len(rows), chosen.shape[1])))

    def found(formulas: Sequence[Any]) -> Any:
        known = {s: np.array([image(row[s]) for row in rows])[b] for s in free(switch) if s in rows[0]}
        return np.abs(
            [np.broadcast_to(x, b.shape) for x in floats(formulas, known | dict(zip(drawn, chosen[:, m], strict=True)))]
        )

    try:
        near = found([switch])[0] < NEAR
        b, m, slopes = b[near], m[near], [slope(switch, a) for a in atoms]
        size = found(slopes).max(axis=0) if len(b) and slopes else np.zeros(len(b))
        steep = ~(size < TIED)
        doubtful = np.flatnonzero(steep & (size < NEAR))[:DOUBTFUL]  # it may be flat, but for rounding
        if len(doubtful):
            drawings = (dict(zip(drawn, map(fmpq, chosen[:, j].tolist()), strict=True)) for j in m[doubtful])
            some = [rows[i] | drawing for i, drawing in zip(b[doubtful], drawings, strict=True)]
            steep[doubtful] = ~(np.abs(values(slopes, some).value) < TIED).all(axis=1)
    except Unsuitable:  # a generic function has no value anywhere
        return out
    out[b[steep]] = True
    return out


def _exact(formulas: Sequence[Any], row: Row) -> list[Any]:
    found = values(formulas, [row]).exact if formulas else [[]]
    assert found is not None
    return list(found[0])
