"""A finite MDP of any size, in numbers: its objective, and the gradient that code is to have.

The numbers decide how. Fractions stay exact: a linear system over the rationals, or dynamic programming up to a horizon.
Floats take one LU and two solves, transitions of scipy.sparse a sparse LU. A float result has a radius that reaches the
exact answer of every MDP whose numbers round to those given, 0 and 1 being exact. With M = 1 - discount P, values V and
occupancy d as computed, and some w > 0 with M w >= c > 0,

    error of V in state s <= w_s max |r - M V| / c        sum of the errors of d <= sum(w |start - d M|) / c

where the defects |...| include their own rounding; w is 1, or the steps still to come where nothing is discounted.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from .errors import InputError
from .estimate import Estimate, Evidence, Floats, weighted_sum
from .rings import EPS, TINY, each, image, rational

ROOM = 1 + 2.0**-20  # for the rounding of a radius itself

Solve = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class MDP:
    """start (S,), step (S, A, S) or scipy.sparse (S * A, S), reward (S, A) or (S, A, S). Without a horizon it goes on for ever.

    `observe` says of each state what the policy sees. With discount 1 and no horizon it ends in states that are never left and
    pay nothing.
    """

    start: Any
    step: Any
    reward: Any
    discount: Any = 1
    horizon: int | None = None
    observe: Sequence[int] | None = None
    reward_size: Any = field(init=False, repr=False)  # (S, A): the mean of |reward|, by which rounding is measured

    def __post_init__(self) -> None:
        given = {name: _numbers(name, getattr(self, name)) for name in ("start", "step", "reward", "discount")}
        _check(self, **given)
        if not all(map(_is_exact, given.values())):
            given = {name: _floats(name, x) for name, x in given.items()}
            if given["discount"] == 1 and self.discount != 1:
                raise _too_near(self.discount)
        states, actions = given["reward"].shape[:2]
        if not _is_sparse(given["step"]):
            given["step"] = given["step"].reshape(states * actions, states)
        _are_laws(given["start"][None], lambda _: "start")
        _are_laws(given["step"], lambda row: f"step[{row // actions}, {row % actions}]")
        given["reward_size"] = np.abs(given["reward"])
        if given["reward"].ndim == 3:
            odds = given["step"].reshape(states, actions, states)
            given |= {name: (odds * given[name]).sum(-1) for name in ("reward", "reward_size")}
        for name, x in given.items():
            object.__setattr__(self, name, x)

    @property
    def exact(self) -> bool:
        return _is_exact(self.start)

    @cached_property
    def _in_floats(self) -> MDP:
        start, step, reward = (_floats(name, getattr(self, name)) for name in ("start", "step", "reward"))
        return replace(self, start=start, step=step.reshape(*reward.shape, -1), reward=reward)

    def solve(self, policy: Any = None, logits: Any = None) -> Solved:
        """Under a table of probabilities, a row for each state (or observation), or under the softmax of a table of logits."""
        if (policy is None) == (logits is None):
            raise InputError("solve takes policy=... or logits=..., one of them: a table with a row for each state.")
        name, table = ("policy", policy) if logits is None else ("logits", logits)
        pi = _numbers(name, table, least=-np.inf if logits is not None else None)
        _has_shape(name, pi, (len(self.reward) if self.observe is None else max(self.observe) + 1, self.reward.shape[1]))
        if logits is not None:
            pi, roundings = _softmax(_floats(name, pi))
            return Solved(self._in_floats if self.exact else self, pi, roundings * EPS)
        _are_laws(pi, lambda row: f"policy[{row}]")
        if self.exact and _is_exact(pi):
            return Solved(self, pi)
        return Solved(self._in_floats if self.exact else self, _floats(name, pi), EPS)


@dataclass(frozen=True, eq=False)
class Solved:
    """What an MDP is worth under a policy. With a horizon, what a state has it has at each time: one more axis, in front."""

    mdp: MDP
    policy: Any
    rounding: float = 0.0  # of the policy's entries, relative

    def __getattr__(self, name: str) -> Any:
        has = [word for word, x in vars(Solved).items() if isinstance(x, property)]
        raise AttributeError(f"a solved MDP has no `{name}`: write one of {', '.join(has)}.", name=name, obj=self)

    @property
    def J(self) -> Estimate:
        """The expected return."""
        return weighted_sum(self._given(self.mdp.start, EPS), self._values.map(lambda v: v[0]), 0)

    @property
    def values(self) -> Estimate:
        """(S,): the return still to come."""
        return self._in_states(self._values)

    @property
    def action_values(self) -> Estimate:
        """(S, A): the same, once an action is chosen."""
        return self._in_states(self._action_values)

    @property
    def advantages(self) -> Estimate:
        """(S, A): by how much an action is better than the policy."""
        return self._in_states(self._advantages)

    @property
    def occupancy(self) -> Estimate:
        """(S,): how often a state is met, later visits discounted. Where an undiscounted MDP ends is met once."""
        return self._in_states(self._occupancy)

    @property
    def gradient_by_policy(self) -> Estimate:
        """dJ / dpi(a | s), each entry on its own: occupancy times action values."""
        return self._met(self._action_values)

    @property
    def gradient_by_logits(self) -> Estimate:
        """By the logits of a softmax: occupancy times probabilities times advantages."""
        return self._given(self.policy, self.rounding) * self._met(self._advantages)

    # ---- values and occupancy; the first axis is the time, of length 1 without a horizon -------------------------------------

    @cached_property
    def _values(self) -> Estimate:
        right, size = (self._pi * self.mdp.reward).sum(1), (self._pi * self.mdp.reward_size).sum(1)
        if self.mdp.horizon is None:
            found = self._solvers[0](right)
            return self._known([found], lambda: [self._reach * self._defect(right, size, found, self._chain, found).max()])
        steps = self._stepped(right, right, self._chain)
        estimate = self._known(steps, lambda: self._carried((right, size), (right, size), steps, self._chain))
        return estimate.map(lambda v: v[::-1])

    @cached_property
    def _occupancy(self) -> Estimate:
        start, none, back = self.mdp.start, 0 * self.mdp.start, self._chain.T
        if self.mdp.horizon is None:
            found = self._solvers[1](start)

            def total() -> list[Floats]:
                return [np.full(len(start), (self._reach * self._defect(start, start, found, back, found)).sum())]

            return self._known([found], total)
        steps = self._stepped(start, none, back)
        return self._known(steps, lambda: self._carried((start, start), (none, none), steps, back))

    @cached_property
    def _action_values(self) -> Estimate:
        later = self._values if self.mdp.horizon is None else self._values.map(lambda v: np.concatenate((v[1:], 0 * v[:1])))

        def ahead(x: Any) -> Any:
            return (_product(self.mdp.step, x.T) * self.mdp.discount).T.reshape(len(x), *self._pi.shape)

        if later.exact is not None:
            return Estimate.of(self.mdp.reward + ahead(later.exact))
        size = self.mdp.reward_size + ahead(np.abs(later.value))
        return _estimate(self.mdp.reward + ahead(later.value), ahead(later.radius) * ROOM + self._noise(size))

    @cached_property
    def _advantages(self) -> Estimate:
        return self._action_values - self._values.map(lambda v: v[..., None])

    def _met(self, x: Estimate) -> Estimate:
        """Weighted with the occupancy of each time, and summed over the states that look the same."""
        found = weighted_sum(self._occupancy.map(lambda d: d[..., None]), x, 0)
        if self.mdp.observe is None:
            return found
        same = np.arange(len(self.policy))[:, None, None] == np.asarray(self.mdp.observe)[:, None]
        return weighted_sum(Estimate.of(each(lambda x: fmpq(int(x)), same)), found.map(lambda a: a[None]), 1)

    def _in_states(self, x: Estimate) -> Estimate:
        return x if self.mdp.horizon is not None else x.map(lambda a: a[0])

    # ---- the chain of states under the policy --------------------------------------------------------------------------------

    @cached_property
    def _pi(self) -> Any:
        return self.policy if self.mdp.observe is None else self.policy[list(self.mdp.observe)]

    @cached_property
    def _chain(self) -> Any:
        """discount * P(next state | state); nothing follows an end."""
        states, actions = self._pi.shape
        goes_on = np.where(self._ends, 0, self.mdp.discount)[:, None] * np.ones_like(self._pi) * self._pi
        if not _is_sparse(self.mdp.step):
            return (goes_on[:, None, :] @ self.mdp.step.reshape(states, actions, states))[:, 0]
        from scipy.sparse import csr_matrix

        rows = (goes_on.ravel(), np.arange(states * actions), np.arange(0, states * actions + 1, actions))
        return csr_matrix(rows, shape=(states, states * actions)) @ self.mdp.step

    @cached_property
    def _ends(self) -> Any:
        """Which states are never left and pay nothing, where that matters; every other one is to reach one of them."""
        states, actions = self._pi.shape
        if self.mdp.horizon is not None or self.mdp.discount != 1:
            return np.zeros(states, dtype=bool)
        rows = np.arange(states * actions)
        likely = (self._pi != 0).astype(float)
        possible = self.mdp.step != 0 if _is_sparse(self.mdp.step) else (self.mdp.step != 0).astype(float)
        one_way = np.asarray(possible.sum(1)).ravel() == 1  # 1 beside 1e-20 is no 1
        stays = one_way & (np.asarray(self.mdp.step[rows, rows // actions]).ravel() == 1)
        ends = (stays.reshape(states, actions) & (self.mdp.reward == 0)).all(1).astype(bool)
        reach, before = ends, ~ends
        while (reach != before).any():
            reach, before = reach | ((likely * (possible @ reach.astype(float)).reshape(states, actions)) > 0).any(1), reach
        if not reach.all():
            wanted = "write a discount below 1, a horizon, or a state that is never left and pays nothing."
            raise InputError(f"from state {int(np.argmin(reach))} this MDP never ends, undiscounted, under this policy: {wanted}")
        return ends

    @cached_property
    def _solvers(self) -> tuple[Solve, Solve]:
        """What solves M x = b, and x M = b."""
        chain, size = self._chain, len(self._pi)
        if self.mdp.exact:
            matrix = fmpq_mat(size, size, list((np.eye(size, dtype=int) - chain).ravel()))

            def exactly(m: Any) -> Solve:
                return lambda b: np.array(m.solve(fmpq_mat(size, 1, list(b))).entries(), dtype=object)

            return exactly(matrix), exactly(matrix.transpose())
        try:
            with warnings.catch_warnings(action="error"):
                if _is_sparse(chain):
                    from scipy.sparse import csc_matrix, identity
                    from scipy.sparse.linalg import splu

                    factors = splu(csc_matrix(identity(size) - chain))
                    return factors.solve, lambda b: factors.solve(b, trans="T")
                from scipy.linalg import lu_factor, lu_solve

                lu = lu_factor(np.eye(size) - chain, overwrite_a=True, check_finite=False)
        except (RuntimeWarning, RuntimeError) as error:
            raise _too_near(self.mdp.discount) from error
        return lambda b: lu_solve(lu, b, check_finite=False), lambda b: lu_solve(lu, b, trans=1, check_finite=False)

    def _stepped(self, first: Any, right: Any, matrix: Any) -> list[Any]:
        """x, then right + matrix x, up to the horizon."""
        steps = [first]
        while len(steps) < (self.mdp.horizon or 1):
            steps.append(right + _product(matrix, steps[-1]))
        return steps

    # ---- how well it is known --------------------------------------------------------------------------------------------------

    def _given(self, x: Any, rounding: float) -> Estimate:
        return Estimate.of(x) if self.mdp.exact else _estimate(x, rounding * np.abs(x))

    def _known(self, found: list[Any], radii: Callable[[], list[Floats]]) -> Estimate:
        return Estimate.of(np.stack(found)) if self.mdp.exact else _estimate(np.stack(found), np.stack(radii()))

    def _noise(self, size: Any) -> Floats:
        """What rounding does to a sum of this size over actions and next states, that of the numbers given included."""
        roundings, most = self._roundings
        return roundings * (EPS * size + TINY * (most + size.max()))

    @cached_property
    def _roundings(self) -> tuple[float, float]:
        """How many in one sum, and the size of what may have come out as zero."""
        chain, step = self._chain, self.mdp.step
        sparse = (chain.tocsr(), chain.tocsc(), step) if _is_sparse(chain) else ()
        widest = max(np.diff(m.indptr).max() for m in sparse) if sparse else len(chain)
        return widest + self._pi.shape[1] + 8 + self.rounding / EPS, 1 + self.mdp.reward_size.max()

    def _defect(self, right: Any, size: Any, x: Any, matrix: Any, other: Any) -> Floats:
        """|right + matrix other - x|, for all numbers that round to those given."""
        return np.abs(right + matrix @ other - x) + self._noise(size + matrix @ np.abs(other) + np.abs(x))

    @cached_property
    def _reach(self) -> Floats:
        """w / c."""
        w = self._solvers[0](np.ones(len(self._pi))) if self._ends.any() else np.ones(len(self._pi))
        c = (w - self._chain @ w - self._noise(w + self._chain @ w)).min()
        if not (c > 0 and (w > 0).all()):
            raise _too_near(self.mdp.discount)
        return w / c

    def _carried(self, first: Any, right: Any, steps: list[Any], matrix: Any) -> list[Floats]:
        """The radii of `_stepped`: what one step leaves is carried through all that follow."""
        radii = [self._noise(first[1])]
        for before, x in itertools.pairwise(steps):
            radii.append(matrix @ radii[-1] * ROOM + self._defect(right[0], right[1], x, matrix, before))
        return radii


def _product(matrix: Any, x: Any) -> Any:
    """matrix x; of fractions by flint, which reduces each sum once, not each of its terms."""
    if not _is_exact(x):
        return matrix @ x
    columns = np.atleast_2d(x.T).T
    left, right = (fmpq_mat(len(m), m.shape[1], list(m.ravel())) for m in (matrix, columns))
    return np.array((left * right).entries(), dtype=object).reshape(len(matrix), *x.shape[1:])


def _too_near(discount: Any) -> InputError:
    return InputError(f"discount={discount} is too near to 1 for floats here: write fractions, and a policy in place of logits.")


def _estimate(value: Any, radius: Any) -> Estimate:
    return Estimate(value, radius * ROOM + TINY, Evidence.FLOAT)


def _softmax(logits: Floats) -> tuple[Floats, float]:
    """The probabilities, and how many roundings they may be off."""
    most = logits.max(-1, keepdims=True)
    if not np.isfinite(most).all():
        raise InputError(f"logits[{int(np.argmin(np.isfinite(most)))}] allows no action: write one that is finite.")
    weights = np.exp(logits - most)
    largest = np.abs(logits[np.isfinite(logits)]).max()
    return weights / weights.sum(-1, keepdims=True), logits.shape[1] + 8 + 6 * float(largest)


# ---- what was written -------------------------------------------------------------------------------------------------------


def _numbers(name: str, x: Any, least: float | None = None) -> Any:
    """Fractions as they are, anything else as floats; `least` is an infinity that is allowed."""
    if _is_sparse(x) and name == "step":
        from scipy.sparse import csr_matrix

        x = csr_matrix(x, dtype=float)
        if not np.isfinite(x.data).all():
            raise InputError(f"{name} has an entry that is no finite number: write numbers.")
        return x
    try:
        entries = x.toarray() if _is_sparse(x) else np.asarray(x)
        if entries.dtype.kind in "iub" or (entries.dtype == object and all(map(_is_fraction, entries.flat))):
            return each(rational, entries)
        if entries.dtype.kind == "c":
            raise TypeError
        found = entries.astype(float)
    except OverflowError as error:
        raise InputError(f"{name} has an entry that is too large for floats: write fractions in all of it.") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} is to be an array of numbers, fractions or floats; it is {_short(x)}.") from error
    if not (np.isfinite(found) | (found == least)).all():
        raise InputError(f"{name} has an entry that is no finite number: write numbers.")
    return _rounded(name, entries, found)


def _short(x: Any) -> str:
    says = repr(x)
    return says if len(says) < 60 else f"{says[:60]}..."


def _is_fraction(x: Any) -> bool:
    return isinstance(x, (int, np.integer, Fraction, fmpq)) or getattr(x, "is_Rational", False) is True


def _is_exact(x: Any) -> bool:
    return not _is_sparse(x) and np.asarray(x).dtype == object


def _is_sparse(x: Any) -> bool:
    return hasattr(x, "tocsr")


def _floats(name: str, x: Any) -> Any:
    return _rounded(name, x, each(image, x).astype(float)) if _is_exact(x) else x


def _rounded(name: str, x: Any, found: Floats) -> Floats:
    """What is no 0 is not taken for one."""
    lost = (found == 0) & x.astype(bool)
    if lost.any():
        raise InputError(f"{name} has an entry that is 0 in floats and not 0: write fractions, and a policy in place of logits.")
    return found


def _has_shape(name: str, x: Any, shape: tuple[int, ...]) -> None:
    if x.shape != shape:
        raise InputError(f"{name} has shape {x.shape}; {shape} was expected.")


def _check(mdp: MDP, start: Any, step: Any, reward: Any, discount: Any) -> None:
    if reward.ndim not in (2, 3) or (reward.ndim == 3 and _is_sparse(step)):
        wanted = "(S, A), or (S, A, S) beside a dense step"
        raise InputError(f"reward has shape {reward.shape}; {wanted} was expected: S states, A actions.")
    states, actions = reward.shape[:2]
    if not states * actions:
        raise InputError(f"reward has shape {reward.shape}; one state and one action at least were expected.")
    _has_shape("reward", reward, (states, actions, states)[: reward.ndim])
    _has_shape("start", start, (states,))
    _has_shape("step", step, (states * actions, states) if _is_sparse(step) else (states, actions, states))
    _has_shape("discount", discount, ())
    if not 0 <= discount[()] <= 1:
        raise InputError(f"discount={mdp.discount} was written; a number from 0 to 1 was expected.")
    if mdp.horizon is not None and not (isinstance(mdp.horizon, Integral) and mdp.horizon >= 1):
        raise InputError(f"horizon={mdp.horizon!r} was written; 1 or more steps were expected, or none for an MDP that goes on.")
    if mdp.observe is not None:
        seen = np.asarray(mdp.observe)
        _has_shape("observe", seen, (states,))
        if seen.dtype.kind not in "iu" or seen.min() < 0:
            raise InputError(f"observe={mdp.observe!r} was written; a whole number from 0 on was expected for each state.")


def _are_laws(rows: Any, name: Callable[[int], str]) -> None:
    """Rows of probabilities: none below 0, and each sums to 1, as well as floats can."""
    least = rows.min(axis=1)
    low = np.asarray(least.toarray() if _is_sparse(least) else least).ravel()
    total = np.asarray(rows.sum(axis=1)).ravel()
    off, how = (0, "") if _is_exact(rows) else (4 * (rows.shape[1] + 1) * EPS, ", in float64")
    below = low < 0, lambda at: f"has the probability {low[at]}: write 0 or more"
    uneven = np.abs(total - 1) > off, lambda at: f"sums to {total[at]}: divide it by its sum{how}, so that it is 1"
    for wrong, says in (below, uneven):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(f"{name(at)} {says(at)}.")
