"""The exact policy gradient of a finite MDP, and its values in fractions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mat
from scipy.linalg import lu_factor, lu_solve
from scipy.sparse import csr_matrix

from gradcheck_rl import MDP, E, episode
from gradcheck_rl.expressions import values

from .timing import Options, Row, least, once

ACTIONS = 4


def rows(options: Options) -> Iterator[Row]:
    for states in (2, 10) if options.smoke else (10, 50, 200, 500):
        yield from gradient(states, options)
    yield fractions(3 if options.smoke else 20, options)
    for states, actions, horizon in ((2, 2, 3),) if options.smoke else ((5, 3, 10), (20, 4, 20)):
        yield planned(states, actions, horizon, options)
    for horizon in (2,) if options.smoke else (3, 6):
        yield listed(horizon, options)


def gradient(states: int, options: Options) -> Iterator[Row]:
    """The floor gets the system ready-made; the peer also makes it, and the gradient of it, as a person writes them in numpy."""
    rng = np.random.default_rng(states)
    step = rng.dirichlet(np.ones(states), size=(states, ACTIONS))
    reward, logits, start = rng.normal(size=(states, ACTIONS)), rng.normal(size=(states, ACTIONS)), np.full(states, 1 / states)
    mdp = MDP(start, step, reward, discount=0.99)
    near = MDP(start, csr_matrix(step.reshape(-1, states)), reward, discount=0.99)

    def by_hand() -> Any:
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        pi = weights / weights.sum(-1, keepdims=True)
        lu = lu_factor(np.eye(states) - 0.99 * (pi[:, None] @ step)[:, 0])
        value, met = lu_solve(lu, (pi * reward).sum(-1)), lu_solve(lu, start, trans=1)
        return met[:, None] * pi * (reward + 0.99 * step @ value - value[:, None])

    def ours() -> Any:
        return mdp.solve(logits=logits).gradient_by_logits

    found = ours()
    assert (np.abs(found.value - by_hand()) <= found.radius).all()
    matrix = np.eye(states) - 0.99 * step[:, 0]

    def floor() -> None:
        lu = lu_factor(matrix)
        lu_solve(lu, start)
        lu_solve(lu, start, trans=1)

    times = least({"ours": ours, "numpy": by_hand, "floor": floor}, 3 * options.repeats)
    least_work = ("one LU, two solves", times["floor"])
    yield Row(f"mdp: gradient with radius, {states} states", times["ours"], ("numpy by hand", times["numpy"]), least_work)
    if states == 200:
        sparse = least({"sparse": lambda: near.solve(logits=logits).gradient_by_logits}, 1)["sparse"]
        yield Row(f"mdp: the same, sparse and full, {states} states", sparse, ("numpy by hand", times["numpy"]), least_work)


def tables(states: int, actions: int) -> tuple[Any, Any, Any, Any]:
    """Laws, rewards and a policy in fractions."""
    rng = np.random.default_rng(states)

    def laws(*shape: int) -> Any:
        weights = rng.integers(1, 9, size=shape)
        divided = np.frompyfunc(lambda w, total: Fraction(int(w), int(total)), 2, 1)
        return divided(weights, weights.sum(-1, keepdims=True))

    return laws(states), laws(states, actions, states), rng.integers(-4, 5, size=(states, actions)), laws(states, actions)


def fractions(states: int, options: Options) -> Row:
    """From tables to values, and SymPy's matrices with the system ready-made."""
    start, step, reward, policy = tables(states, ACTIONS)
    mdp = MDP(start, step, reward, discount=Fraction(9, 10))
    chain = Fraction(9, 10) * (policy[:, None] @ step)[:, 0]
    system, right = np.eye(states, dtype=int) - chain, (policy * reward).sum(-1)
    ready, b = (sp.Matrix(x.shape[0], x.size // x.shape[0], [sp.Rational(q) for q in x.ravel()]) for x in (system, right))
    matrix = fmpq_mat(states, states, [fmpq(q.numerator, q.denominator) for q in system.ravel()])
    column = fmpq_mat(states, 1, [fmpq(q.numerator, q.denominator) for q in right])
    assert [str(x) for x in mdp.solve(policy).values.exact] == [str(x) for x in ready.LUsolve(b)]
    times = least({"ours": lambda: mdp.solve(policy).values, "flint": lambda: matrix.solve(column)}, options.repeats)
    sympy = once(lambda: ready.LUsolve(b))
    return Row(
        f"mdp: values in fractions, {states} states", times["ours"], ("SymPy LUsolve", sympy), ("flint solve", times["flint"])
    )


def planned(states: int, actions: int, horizon: int, options: Options) -> Row:
    """Return and gradient up to a horizon; the floor is the return alone, without keeping what the gradient needs."""
    start, step, reward, policy = tables(states, actions)
    mdp = MDP(start, step, reward, horizon=horizon)

    def by_fractions() -> list[Any]:
        chain, pays = (policy[:, None] @ step)[:, 0], (policy * reward).sum(-1)
        value, later, met = pays, [pays * 0], [start]
        for _ in range(horizon - 1):
            later, value, met = [value, *later], pays + chain @ value, [*met, chain.T @ met[-1]]
        slope = sum(d[:, None] * (reward + step @ v) for d, v in zip(met, later, strict=True))
        return [start @ value, *(policy * (slope - (policy * slope).sum(-1, keepdims=True))).ravel()]

    def by_flint() -> Any:
        size = len(start)
        rows = [fmpq(q.numerator, q.denominator) for q in (policy[:, None] @ step)[:, 0].ravel()]
        chain = fmpq_mat(size, size, rows)
        pays = value = fmpq_mat(size, 1, [fmpq(q.numerator, q.denominator) for q in (policy * reward).sum(-1)])
        for _ in range(horizon - 1):
            value = pays + chain * value
        return value

    def ours() -> list[Any]:
        found = mdp.solve(policy)
        return [found.J.exact[()], *found.gradient_by_logits.exact.ravel()]

    assert [str(x) for x in ours()] == [str(x) for x in by_fractions()]
    times = least({"ours": ours, "flint": by_flint}, min(options.repeats, 3))
    what = f"mdp: horizon, (S, A, T) = ({states}, {actions}, {horizon})"
    return Row(what, times["ours"], ("Python's fractions", once(by_fractions)), ("flint, return only", times["flint"]))


def listed(horizon: int, options: Options) -> Row:
    """The mean square of the return, over trajectories; the floor multiplies each one's chance and reward, and no more."""
    start, step, reward, policy = tables(2, 2)
    total = episode(*(exact(x) for x in (start, step, reward, policy)), horizon).total
    pairs = list(itertools.product(range(2), repeat=2))

    def by_paths(number: Any) -> Any:
        first, moves, choices = (np.frompyfunc(number, 1, 1)(x) for x in (start, step, policy))
        found = number(Fraction(0))
        for path in itertools.product(pairs, repeat=horizon):
            chance = first[path[0][0]] * math.prod(choices[s, a] for s, a in path)
            chance *= math.prod(moves[s, a, n] for (s, a), (n, _) in itertools.pairwise(path))
            found += chance * int(sum(reward[s, a] for s, a in path)) ** 2
        return found

    def ours() -> Any:
        return values([E(total**2)], [{}])

    assert str(ours().exact[0, 0]) == str(by_paths(Fraction))
    works = {
        "ours": ours,
        "fractions": lambda: by_paths(Fraction),
        "flint": lambda: by_paths(lambda q: fmpq(q.numerator, q.denominator)),
    }
    times = least(works, min(options.repeats, 3))
    floor = ("flint", times["flint"])
    return Row(f"mdp: {4**horizon} trajectories listed", times["ours"], ("Python's fractions", times["fractions"]), floor)


def exact(table: Any) -> Any:
    return np.frompyfunc(lambda q: sp.Rational(int(q.numerator), int(q.denominator)), 1, 1)(table)
