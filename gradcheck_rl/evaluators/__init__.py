"""How a quantity is evaluated at points: one file for each way, and here the walk over a quantity that asks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from ..bundles import Bundle
from ..errors import RANDOM, CodeError, NumpyError, ProblemError, Unsuitable
from ..estimate import EPS, UNSURE, Estimate, Evidence, Floats, quadrature, weighted_sum
from ..expressions import UNSEEN, floats, values
from ..laws import Draw, randoms, with_parents
from ..nodes import ASIDE, CENTRED, SCATTERED
from ..points import generator
from ..quantities import (
    EMPTY,
    OPERATIONS,
    Combined,
    Component,
    Covariance,
    Curl,
    Gradient,
    Hull,
    Leaf,
    Mean,
    NonFinite,
    Printed,
    Quantity,
    Sum,
    Trace,
    Value,
    averaged,
    is_code,
    rename,
    side,
    unfit,
)
from ..rings import each, is_finite
from ..stray import Seen, missed
from ..symbols import entries
from . import autodiff, differences, hull, integrated, listed, plain, proof, sampled, symbolic
from .scene import Outcomes, Scene
from .scene import World as World

FEW = 16
REDUCTIONS = (listed.NAME, integrated.NAME, sampled.NAME)
NAMES = (symbolic.NAME, *REDUCTIONS, autodiff.NAME, plain.NAME, differences.NAME)  # the order in which a report lists them
ROUTES = (symbolic.NAME, proof.NAME, *REDUCTIONS, autodiff.NAME, differences.NAME)


def evaluate(q: Quantity, scene: Scene, outcomes: Outcomes | None = None) -> Estimate:
    """(points, outcomes or 1, coordinates). What does not depend on the answer is worked out once."""
    if outcomes is not None or any(f in scene.answer for f in q.code()):
        return _evaluate(q, scene, outcomes)
    key = scene.key(q, scene.route or "")
    if key not in scene.memo:
        alone = scene.anew()
        scene.memo[key] = _evaluate(q, alone, None), alone
    found, heard = scene.memo[key]
    scene.hears(heard)
    return found


def _evaluate(q: Quantity, scene: Scene, outcomes: Outcomes | None) -> Estimate:
    if isinstance(q, Gradient) and scene.route == differences.NAME:
        return differences.evaluate(q, scene, outcomes, evaluate)
    if isinstance(q, Gradient) and scene.route == autodiff.NAME and not is_code(q.of) and outcomes is None:
        return autodiff.of_formulas(q, scene)
    formulas = scene.world.formulas(q)
    if formulas is not None:
        return _formulas(formulas, scene, outcomes)
    match q:
        case Value() | Gradient():
            return _called(q, scene, outcomes)
        case Combined(sign=sign, left=left, right=right):
            a = evaluate(left, scene, outcomes)
            b = a if right is left else evaluate(right, scene, outcomes)
            if wrong := unfit(a.shape[-1], b.shape[-1]):
                raise CodeError(None, wrong)
            return OPERATIONS[sign](a, b)
        case Mean() | Covariance():
            return _reduce(q, scene)
        case Component(of=of):
            return evaluate(of, scene, outcomes).map(lambda x: x[..., q.slice])
        case Trace(of=of):
            square = evaluate(of, scene, outcomes)
            step = side(square.shape[-1]) + 1
            return _total(square.map(lambda x: x[..., ::step]))
        case Sum(of=of):
            return _total(evaluate(of, scene, outcomes))
        case NonFinite(of=of):
            x = evaluate(of, scene, outcomes)
            infinite = ~(np.isfinite(x.value) if x.exact is None else each(is_finite, x.exact).astype(bool))
            return Estimate(infinite.astype(float), (unsure(x) & np.isfinite(x.value)).astype(float), x.evidence)
        case Printed(digits=digits):
            shape = (len(scene.points), 1, len(digits))
            value, radius = (np.broadcast_to(np.array(x), shape) for x in ([float(d) for d in digits], q.radii))
            return Estimate(value, radius, Evidence.EXACT)
        case Curl(of=of):
            return differences.curl(of, scene, evaluate)
        case Hull(of=of):
            return hull.evaluate(of, scene, outcomes)
        case _:
            raise Unsuitable(f"{type(q).__name__} cannot be evaluated")


def _total(x: Estimate) -> Estimate:
    if not x.shape[-1]:
        raise CodeError(None, EMPTY)
    ones = Estimate(np.ones(x.shape), np.zeros(x.shape), Evidence.EXACT)
    return weighted_sum(ones, x, -1).map(lambda total: total[..., None])


def unsure(x: Estimate) -> Any:
    """Where it may be infinite."""
    return ~(np.isfinite(x.value) & (x.radius <= UNSURE * (1 + np.abs(x.value))))


def _called(q: Value | Gradient, scene: Scene, outcomes: Outcomes | None) -> Estimate:
    """What code gives; an answer gives as many numbers as the page's own function, though a page may write one for many."""
    found = _returned(q, scene, outcomes)
    if isinstance(q, Value) and scene.reached(q):
        wanted = _own_width(q, scene, outcomes)
        if (count := found.shape[-1]) != (wanted or count):
            here = f"{count} coordinate{'s' if count != 1 else ''} with this answer"
            raise CodeError(None, f"`{q.of.__name__}` gives {here}, and {wanted} with the page's own function.")
    return found


def _own_width(q: Value, scene: Scene, outcomes: Outcomes | None) -> int | None:
    """How many numbers the page's own function gives, asked once, at one point and outcome; None where it cannot be had."""
    known = scene.world.widths
    if q.of not in known:
        one = scene.without_answer().at(scene.points.take([0]))
        with suppress(CodeError, ProblemError, Unsuitable):
            known[q.of] = _returned(q, one, outcomes and outcomes.first()).shape[-1]
    return known.get(q.of)


def _returned(q: Value | Gradient, scene: Scene, outcomes: Outcomes | None) -> Estimate:
    """Torch code, or numpy code. A function that does not name torch may be either, np.log(2) a constant in it: it is called as
    what the page's own function is, then as the other."""
    code = scene.resolve(q.of)
    if not plain.is_numpy(code) and (plain.is_torch(code) or not plain.is_numpy(q.of)):
        alone = scene.anew()
        try:
            found = autodiff.evaluate(q, alone, outcomes)
        except NumpyError:
            return plain.evaluate(q, scene, outcomes)
        scene.hears(alone)
        return found
    if isinstance(q, Value) and plain.is_numpy(q.of):
        try:
            return plain.evaluate(q, scene, outcomes)
        except CodeError as error:
            if error.__cause__ is not None:  # it raised: what returns something is no tensors' code
                with suppress(CodeError):
                    return autodiff.evaluate(q, scene, outcomes)
            raise
    try:
        return autodiff.evaluate(q, scene, outcomes)
    except CodeError as error:
        if RANDOM in str(error):
            raise
        return plain.evaluate(q, scene, outcomes)


def _formulas(formulas: Sequence[Any], scene: Scene, outcomes: Outcomes | None) -> Estimate:
    here, size = _on(formulas, outcomes, scene), len(scene.points)
    if scene.rough:
        if not symbolic.applies(here):
            raise Unsuitable("what is to be integrated is not looked at roughly")
        return _in_floats(here, scene, outcomes)
    if outcomes is None or not randoms(*here):
        return symbolic.evaluate(formulas, scene) if symbolic.applies(formulas) else integrated.evaluate(formulas, scene)
    if outcomes.exact is not None or (outcomes.count <= FEW and symbolic.applies(here)):
        rows = outcomes.rows(scene.points, np.ndindex(size, outcomes.count))
        return values(here, rows).map(lambda x: np.asarray(x).reshape(size, outcomes.count, -1))
    return _in_floats(here, scene, outcomes)


def _in_floats(formulas: Sequence[Any], scene: Scene, outcomes: Outcomes | None) -> Estimate:
    columns: dict[Any, Any] = {a: v[:, None] for a, v in scene.points.columns.items()}
    count, weights = 1, 1.0
    if outcomes is not None:
        columns, count, weights = columns | dict(outcomes.columns), outcomes.count, outcomes.weights.value
    shape = (len(scene.points), count)
    x = np.stack([np.broadcast_to(o, shape) for o in floats(formulas, columns, weights)], axis=-1)
    return Estimate(x, 2**10 * EPS * np.maximum(1.0, np.abs(x)), Evidence.FLOAT)


def _on(formulas: Sequence[Any], outcomes: Outcomes | None, scene: Scene) -> list[Any]:
    return list(formulas) if outcomes is None else rename(formulas, outcomes.names, scene.world.names)


def random_atoms(q: Quantity, scene: Scene, over: Bundle | Draw | None) -> list[Any]:
    """The draws' atoms that a quantity depends on."""
    names = scene.world.over(over)
    cells: list[Any] = []
    for leaf in q.leaves():
        if is_code(leaf):
            for symbols in scene.world.asked(scene.resolve(leaf), names).values():
                cells += entries(symbols)
        else:
            cells += rename(entries(leaf), names, scene.world.names)
    return randoms(*cells)


def loose_atoms(q: Quantity, scene: Scene) -> list[Any]:
    """The atoms of draws that stand outside every mean."""
    if isinstance(q, (Mean, Covariance)):
        return []
    if isinstance(q, Leaf):
        return random_atoms(q, scene, None)
    return [a for part in q.parts for a in loose_atoms(part, scene)]


def some_outcomes(atoms: Sequence[Any], names: Mapping[str, Any], scene: Scene) -> Outcomes:
    """Every outcome of finite draws, a few of continuous ones."""
    draws = with_parents(atoms)
    if listed.applies(draws):
        return listed.outcomes(atoms, names, scene)
    size = len(scene.points)
    known = [{a: v[b : b + 1, None] for a, v in scene.points.columns.items()} for b in range(size)]
    rows = [sampled.ancestral(draws, k, FEW, generator(scene.seed, scene.name, str(b))) for b, k in enumerate(known)]
    weights = Estimate(np.full((size, FEW), 1 / FEW), np.zeros((size, FEW)))
    return Outcomes({a: np.concatenate([r[a] for r in rows]) for a in rows[0]}, weights, names)


def _reduce(q: Mean | Covariance, scene: Scene) -> Estimate:
    names = scene.world.over(q.over)
    atoms = random_atoms(q.of, scene, q.over)
    averaged(atoms, q.over)
    route = scene.route if scene.route in REDUCTIONS else None
    if route == sampled.NAME and isinstance(q, Mean):
        return sampled.evaluate(q, scene, atoms, evaluate)
    if not atoms or route == listed.NAME or (route is None and listed.applies(with_parents(atoms))):
        every = listed.outcomes(atoms, names, scene)
        return _moments(q, every, _at_outcomes(q, scene, every))
    rounding: list[Floats] = []
    centred: list[tuple[Outcomes, Estimate]] = []
    sparing = False
    apart = _by_values(q.of)

    def drawn(order: int, here: Scene, bare: bool) -> tuple[Outcomes, Estimate]:
        nonlocal sparing
        try:
            outcomes = replace(integrated.outcomes(atoms, names, here, order, sparing), bare=bare)
            return outcomes, _at_outcomes(q, here, outcomes)
        except Unsuitable:
            if sparing:
                raise
            sparing = True  # code that is called for one sample at a time
            return drawn(order, here, bare)

    def rule(order: int, rows: Any = None) -> Floats:
        here = scene if rows is None or len(rows) == len(scene.points) else scene.at(scene.points.take(rows))
        bare = apart and len(rounding) != 1
        at = drawn(order, here, bare)
        if len(rounding) == 1:
            centred.append(at)
        found = _moments(q, *at)
        if order == CENTRED and not (known := np.isfinite(found.value)).all():
            found = found.where(known, _moments(q, *drawn(ASIDE, here, bare)))  # where x / |x| is no number at the centre
        rounding.append(found.radius)
        return found.value

    def beside() -> Floats:
        nodes, stray = centred[0], drawn(SCATTERED, scene, apart)
        middle = _moments(Mean(q.of, q.over), *nodes).value
        return missed(*(_seen(q, *at, middle) for at in (nodes, stray)))[:, None, :]

    settled = quadrature(rule, 2**10, beside)
    return Estimate(settled.value, settled.radius + rounding[1], Evidence.FLOAT)  # the other rules' radii are not asked for


def _seen(q: Mean | Covariance, outcomes: Outcomes, x: Estimate, middle: Floats) -> Seen:
    weights = np.broadcast_to(outcomes.weights.value, (len(x.value), outcomes.count))
    values = x.value if isinstance(q, Mean) else _products(x.value - middle)
    return Seen([np.broadcast_to(c, weights.shape) for c in outcomes.columns.values()], weights, values)


def _by_values(q: Quantity) -> bool:
    """Do its values follow from those of its parts? A quotient, or what counts infinities, looks at radii too."""
    if isinstance(q, Combined):
        return q.sign != "/" and _by_values(q.left) and _by_values(q.right)
    return isinstance(q, (Value, Gradient)) or (isinstance(q, (Component, Sum, Trace)) and _by_values(q.of))


def _at_outcomes(q: Mean | Covariance, scene: Scene, outcomes: Outcomes) -> Estimate:
    """What it is a moment of, at each outcome."""
    x = evaluate(q.of, scene, outcomes)
    x = x.map(lambda a: np.broadcast_to(a, (a.shape[0], outcomes.count, a.shape[2])))
    if outcomes.exact is None and not np.isfinite(x.value).all():
        unseen = ~np.isfinite(x.value) & (np.abs(outcomes.weights.value) < UNSEEN)[:, :, None]
        x = Estimate(np.where(unseen, 0.0, x.value), np.where(unseen, 0.0, x.radius), x.evidence)
    return x


def _moments(q: Mean | Covariance, outcomes: Outcomes, x: Estimate) -> Estimate:
    weights = outcomes.weights.map(lambda w: np.asarray(w)[:, :, None])
    if outcomes.bare:
        return _bare_moments(q, weights.value, x.value)
    mean = weighted_sum(weights, x, axis=1).map(lambda a: a[:, None, :])
    if isinstance(q, Mean):
        return mean
    off = x - mean
    square = off.map(lambda a: a[..., :, None]) * off.map(lambda a: a[..., None, :])
    flat = square.map(lambda a: a.reshape(*a.shape[:2], -1))
    return weighted_sum(weights, flat, axis=1).map(lambda a: a[:, None, :])


def _bare_moments(q: Mean | Covariance, weights: Floats, x: Floats) -> Estimate:
    """The same numbers, of which nobody asks how well rounding leaves them known."""

    def mean(a: Floats) -> Floats:
        with np.errstate(all="ignore"):
            terms = weights * a
            return (terms if known else np.where(weights == 0, 0.0, terms)).sum(axis=1)[:, None, :]

    known = bool((weights != 0).all())
    found = mean(x)
    if isinstance(q, Covariance):
        found = mean(_products(x - found))
    return Estimate(found, np.zeros(found.shape))


def _products(x: Floats) -> Floats:
    """Each coordinate times each, in a row."""
    return (x[..., :, None] * x[..., None, :]).reshape(*x.shape[:2], -1)
