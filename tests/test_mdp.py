"""A finite MDP in numbers: what it says exactly is what listing gives, and what it says in floats is as near as it says."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from flint import fmpq
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csc_array, csr_matrix
from sympy import Integer, Rational, log

from gradcheck_rl import MDP, Claim, E, Equal, Gradient, Normal, Parameter, Problem, Value, check, episode, softmax
from gradcheck_rl.calculus import slope
from gradcheck_rl.errors import InputError
from gradcheck_rl.estimate import Estimate, Evidence
from gradcheck_rl.expressions import values
from gradcheck_rl.quantities import Mean
from gradcheck_rl.report import Report

F = Fraction
RESULTS = ("J", "values", "action_values", "advantages", "occupancy", "gradient_by_policy", "gradient_by_logits")


@dataclass(frozen=True)
class Case:
    """Tables of fractions. `weights` are the exponentials of logits."""

    start: list[Any]
    step: list[Any]
    reward: list[Any]
    weights: list[Any]
    discount: Fraction

    @property
    def policy(self) -> list[list[Fraction]]:
        return [law(row) for row in self.weights]

    def mdp(self, **options: Any) -> MDP:
        return MDP(self.start, self.step, self.reward, **{"discount": self.discount, **options})


def law(weights: list[int]) -> list[Fraction]:
    return [F(w, sum(weights)) for w in weights]


@st.composite
def cases(draw: st.DrawFn, most: int = 4, seen: int | None = None) -> Case:
    """Laws with zeros in them, rewards of either sign, policies that try everything."""
    states, actions = draw(st.integers(1, most)), draw(st.integers(1, 3))
    some = st.lists(st.integers(0, 5), min_size=states, max_size=states).filter(any).map(law)
    pays = st.lists(st.fractions(-4, 4, max_denominator=6), min_size=actions, max_size=actions)
    likes = st.lists(st.integers(1, 6), min_size=actions, max_size=actions)

    def for_each(rows: Any, n: int) -> Any:
        return draw(st.lists(rows, min_size=n, max_size=n))

    return Case(
        start=draw(some),
        step=[for_each(some, actions) for _ in range(states)],
        reward=for_each(pays, states),
        weights=for_each(likes, seen or states),
        discount=draw(st.fractions(0, F(19, 20), max_denominator=20)),
    )


def entries(x: Estimate) -> list[Fraction]:
    assert x.exact is not None and x.evidence is Evidence.EXACT
    return [F(int(q.p), int(q.q)) for q in x.exact.ravel()]


def covers(found: Estimate, truth: Estimate) -> bool:
    """Does each radius reach the truth?"""
    return found.shape == truth.shape and all(
        abs(F(v) - t) <= F(r) for v, r, t in zip(found.value.flat, found.radius.flat, entries(truth), strict=True)
    )


# ---- exact: by listing, by the equations that define it, by differences ------------------------------------------------------


@given(cases(most=3), st.integers(1, 3))
def test_the_objective_and_its_gradient_are_those_of_listing_the_episodes(case: Case, horizon: int) -> None:
    theta = Parameter("theta", np.shape(case.weights))
    tau = episode(*tables(case), softmax(theta), horizon)
    J = E(sum(rational(case.discount) ** t * r for t, r in enumerate(tau["rewards"])))
    here = {a: number(log(Integer(w))) for a, w in zip(theta.atoms.ravel(), np.ravel(case.weights), strict=True)}
    listed = values([J, *(slope(J, a) for a in theta.atoms.ravel())], [here])
    found = case.mdp(horizon=horizon).solve(case.policy)
    assert [*entries(found.J), *entries(found.gradient_by_logits)] == entries(listed)


@given(cases(most=3, seen=2), st.integers(1, 3), st.data())
def test_so_are_those_of_a_policy_that_does_not_see_the_state(case: Case, horizon: int, data: st.DataObject) -> None:
    observe = data.draw(st.lists(st.integers(0, 1), min_size=len(case.start), max_size=len(case.start)).filter(any))
    theta = Parameter("theta", np.shape(case.weights))
    J = E(episode(*tables(case), softmax(theta), horizon, observe=observe).total)
    here = {a: number(log(Integer(w))) for a, w in zip(theta.atoms.ravel(), np.ravel(case.weights), strict=True)}
    listed = values([J, *(slope(J, a) for a in theta.atoms.ravel())], [here])
    found = case.mdp(discount=1, horizon=horizon, observe=observe).solve(case.policy)
    assert [*entries(found.J), *entries(found.gradient_by_logits)] == entries(listed)
    floats = case.mdp(discount=1, horizon=horizon, observe=observe).solve(logits=np.log(case.weights))
    assert covers(floats.gradient_by_logits, found.gradient_by_logits)


def tables(case: Case) -> list[Any]:
    return [np.vectorize(rational, otypes=[object])(x) for x in (case.start, case.step, case.reward)]


def rational(x: Fraction) -> Any:
    return Rational(x.numerator, x.denominator)


def number(x: Any) -> Any:
    from gradcheck_rl.expressions import number

    return number(x)


@given(cases(most=3), st.integers(1, 3))
def test_the_gradient_by_the_policy_leaves_out_one_factor_of_each_path(case: Case, horizon: int) -> None:
    """Written out reward by reward, over the paths that lead to it."""
    states, actions = np.shape(case.reward)
    pairs = list(itertools.product(range(states), range(actions)))
    slope = np.full((states, actions), F(0))
    for path in itertools.chain.from_iterable(itertools.product(pairs, repeat=n + 1) for n in range(horizon)):
        (z, b) = path[-1]
        moves = case.start[path[0][0]] * math.prod(case.step[s][a][n] for (s, a), (n, _) in itertools.pairwise(path))
        pays = case.discount ** (len(path) - 1) * case.reward[z][b]
        for t, (s, a) in enumerate(path):
            slope[s, a] += moves * pays * math.prod(case.policy[y][c] for u, (y, c) in enumerate(path) if u != t)
    assert entries(case.mdp(horizon=horizon).solve(case.policy).gradient_by_policy) == list(slope.flat)


@given(cases())
def test_for_ever_values_and_occupancy_solve_their_equations(case: Case) -> None:
    found = case.mdp().solve(case.policy)
    v, d, q, a = (entries(x) for x in (found.values, found.occupancy, found.action_values, found.advantages))
    states, actions = np.shape(case.reward)
    pairs = list(itertools.product(range(states), range(actions)))
    gamma, pi = case.discount, case.policy
    for k, (s, b) in enumerate(pairs):
        assert q[k] == case.reward[s][b] + gamma * sum(p * x for p, x in zip(case.step[s][b], v, strict=True))
        assert a[k] == q[k] - v[s]
    for s in range(states):
        assert v[s] == sum(pi[s][b] * q[s * actions + b] for b in range(actions))
        assert d[s] == case.start[s] + gamma * sum(d[z] * pi[z][b] * case.step[z][b][s] for z, b in pairs)
    assert entries(found.J) == [sum(case.start[s] * v[s] for s in range(states))]
    assert entries(found.J) == [sum(d[s] * pi[s][b] * case.reward[s][b] for s, b in pairs)]


@given(cases(), st.integers(1, 12))
def test_a_long_horizon_nears_it_as_fast_as_the_discount_allows(case: Case, horizon: int) -> None:
    """What is missing: gamma^T R / (1 - gamma) of the return, T + 1 / (1 - gamma) times that of the gradient."""
    for_ever, until = case.mdp().solve(case.policy), case.mdp(horizon=horizon).solve(case.policy)
    most = max(abs(r) for row in case.reward for r in row)
    rest = case.discount**horizon * most / (1 - case.discount)
    assert abs(entries(for_ever.J)[0] - entries(until.J)[0]) <= rest
    for x, y in zip(entries(for_ever.gradient_by_policy), entries(until.gradient_by_policy), strict=True):
        assert abs(x - y) <= rest * (horizon + 1 / (1 - case.discount))


STEP = F(1, 10**20)


@given(cases(most=3), st.sampled_from((None, 1, 3)), st.data())
def test_the_gradients_are_the_slope_of_the_objective(case: Case, horizon: int | None, data: st.DataObject) -> None:
    """Central differences of fractions: no rounding, an error of the step squared times a third derivative below 10^10."""
    mdp, weights = case.mdp(horizon=horizon), np.array(case.weights, dtype=object)
    s, b = (data.draw(st.integers(0, n - 1)) for n in weights.shape)

    def worth(change: Fraction) -> Any:
        moved = weights.copy()
        moved[s, b] = moved[s, b] * (1 + change)  # the derivative by a logit, at 0
        return entries(mdp.solve([[F(w) / sum(row) for w in row] for row in moved]).J)[0]

    found = mdp.solve(case.policy)
    slope = (worth(STEP) - worth(-STEP)) / (2 * STEP)
    # w (1 + h) is w e^h up to h^2 / 2, which is even and leaves the central difference alone up to h^2.
    assert abs(entries(found.gradient_by_logits)[s * weights.shape[1] + b] - slope) < F(1, 10**28)
    pi = case.policy[s]
    by_policy = entries(found.gradient_by_policy)[s * len(pi) :]
    chained = sum(by_policy[a] * pi[a] * ((a == b) - pi[b]) for a in range(len(pi)))
    assert entries(found.gradient_by_logits)[s * len(pi) + b] == chained


# ---- floats: as near as they say ---------------------------------------------------------------------------------------------


def in_floats(case: Case, sparse: bool = False, **options: Any) -> MDP:
    step = np.array(case.step, dtype=float)
    return MDP(
        np.array(case.start, dtype=float),
        csr_matrix(step.reshape(-1, len(step))) if sparse else step,
        np.array(case.reward, dtype=float),
        **{"discount": float(case.discount), **options},
    )


@given(cases(), st.sampled_from((None, 1, 4)), st.booleans(), st.booleans())
def test_a_radius_reaches_the_exact_answer(case: Case, horizon: int | None, sparse: bool, by_logits: bool) -> None:
    truth = case.mdp(horizon=horizon).solve(case.policy)
    mdp = in_floats(case, sparse, horizon=horizon)
    table: Any = {"logits": np.log(case.weights)} if by_logits else {"policy": np.array(case.policy, dtype=float)}
    found = mdp.solve(**table)
    for name in RESULTS:
        x = getattr(found, name)
        assert x.evidence is Evidence.FLOAT and covers(x, getattr(truth, name)), name
        assert (x.radius <= 1e-9 * (1 + np.abs(x.value))).all(), name  # at a discount of at most 19/20 it tells errors of 1e-6


@given(cases(), st.integers(1, 15), st.booleans())
def test_also_where_the_discount_is_near_to_one(case: Case, digits: int, sparse: bool) -> None:
    near = replace(case, discount=1 - F(1, 10**digits))
    truth = near.mdp().solve(near.policy)
    try:
        found = in_floats(near, sparse).solve(np.array(near.policy, dtype=float))
        assert all(covers(getattr(found, name), getattr(truth, name)) for name in RESULTS)
    except InputError as error:
        assert digits >= 14 and "is too near to 1 for floats here: write fractions" in str(error)


@given(cases(), st.booleans())
def test_also_undiscounted_where_it_ends(case: Case, sparse: bool) -> None:
    """From everywhere a step in ten ends it: the return is that of a discount of 9/10, exactly."""
    states, actions = np.shape(case.reward)
    off = [F(0)] * states
    ending = Case(
        start=[*case.start, F(0)],
        step=[[[F(9, 10) * p for p in row] + [F(1, 10)] for row in rows] for rows in case.step] + [[[*off, F(1)]] * actions],
        reward=[*case.reward, [F(0)] * actions],
        weights=[*case.weights, [1] * actions],
        discount=F(1),
    )
    truth, ended = case.mdp(discount=F(9, 10)).solve(case.policy), ending.mdp().solve(ending.policy)
    assert entries(truth.J) == entries(ended.J)
    assert entries(truth.gradient_by_logits) == entries(ended.gradient_by_logits)[:-actions]
    assert entries(ended.occupancy)[-1] == 1  # the end is met once
    found = in_floats(ending, sparse).solve(np.array(ending.policy, dtype=float))
    for name in RESULTS:
        x = getattr(found, name)
        assert covers(x, getattr(ended, name)) and (x.radius <= 1e-9 * (1 + np.abs(x.value))).all(), name


@given(cases(), st.data())
def test_a_reward_of_the_next_state_counts_by_its_mean(case: Case, data: st.DataObject) -> None:
    states, actions = np.shape(case.reward)
    huge = data.draw(st.lists(st.integers(-(10**9), 10**9), min_size=states**2 * actions, max_size=states**2 * actions))
    reward = np.array(huge).reshape(states, actions, states)
    mean = [
        [sum(p * int(x) for p, x in zip(case.step[s][a], reward[s, a], strict=True)) for a in range(actions)]
        for s in range(states)
    ]
    truth = replace(case, reward=mean).mdp().solve(case.policy)
    assert entries(replace(case, reward=reward).mdp().solve(case.policy).J) == entries(truth.J)
    assert covers(replace(case, reward=reward).mdp(discount=float(case.discount)).solve(case.policy).J, truth.J)


@given(cases(), st.booleans())
def test_a_solver_that_is_off_is_found_out(case: Case, sparse: bool) -> None:
    """The radius comes from what the solution leaves of the equation, not from trust in how it was found."""
    truth = case.mdp().solve(case.policy)
    found = in_floats(case, sparse).solve(np.array(case.policy, dtype=float))
    found.__dict__["_solvers"] = [lambda b, solve=solve: solve(b) + 1e-4 for solve in found._solvers]
    assert abs(found.J.value - float(entries(truth.J)[0])) > 9e-5
    assert all(covers(getattr(found, name), getattr(truth, name)) for name in RESULTS)


def test_what_a_thousand_steps_lose_is_in_the_radius() -> None:
    """0.1 added a thousand times is 1.4e-12 off."""
    for_long = {"step": [[[1]]], "reward": [[F(1, 10)]], "horizon": 1000}
    exact, floats = (MDP(start=start, **for_long).solve([[1]]) for start in ([1], [1.0]))
    assert abs(floats.J.value - 100) > 1e-12
    assert covers(floats.J, exact.J) and covers(floats.gradient_by_policy, exact.gradient_by_policy)


@given(st.integers(-300, 300), st.integers(1, 9), st.integers(1, 9))
def test_large_logits_are_known_less_well(digits: int, first: int, second: int) -> None:
    """A logit of 690 that is off in its last digit moves a probability by 10^-13."""
    mdp = MDP([1], [[[1]] * 2], [[1, -2]], F(1, 2))
    scale = F(10) ** digits
    exact = mdp.solve([law([first, second])])
    floats = mdp.solve(logits=[[math.log(scale * first), math.log(scale * second)]])
    assert covers(floats.J, exact.J) and covers(floats.gradient_by_logits, exact.gradient_by_logits)


def test_an_action_may_be_forbidden_and_a_probability_too_small_for_a_float() -> None:
    """One state: the return is the policy's mean reward times 1 / (1 - 1/2)."""
    found = MDP([1], [[[1]] * 3], [[1, 7, 10**10]], F(1, 2)).solve(logits=[[0.0, -math.inf, -745.0]])
    assert found.J.value == 2 and found.gradient_by_logits.value[0, 1] == 0
    tiny = 2 * 10**10 * math.exp(-700) * math.exp(-45)
    assert tiny * 0.9 <= found.gradient_by_logits.value[0, 2] + found.gradient_by_logits.radius[0, 2]


def test_numbers_decide_the_route() -> None:
    """A single float makes floats of all; sparse transitions are floats."""
    tables: Any = ([1, 0], [[[0, 1]], [[F(1, 2), F(1, 2)]]], [[Rational(1, 3)], [fmpq(2)]])
    sparse = csc_array([[0.0, 1.0], [0.5, 0.5]])
    assert MDP(*tables, discount=F(1, 2)).solve([[1], [1]]).J.evidence is Evidence.EXACT
    for mdp in (MDP(*tables, discount=0.5), MDP(tables[0], sparse, tables[2], discount=F(1, 2))):
        J = mdp.solve([[1], [1]]).J
        assert J.evidence is Evidence.FLOAT and covers(J, MDP(*tables, discount=F(1, 2)).solve([[1], [1]]).J)
    assert MDP(*tables, discount=F(1, 2)).solve(logits=[[0.0], [0.0]]).J.evidence is Evidence.FLOAT


# ---- beside code, on a page ----------------------------------------------------------------------------------------------------

STATES, ACTIONS, GAMMA = 40, 3, 0.95
RNG = np.random.default_rng(0)
LIKELY = RNG.dirichlet(np.full(STATES, 0.1), size=(STATES, ACTIONS))
PAY = RNG.normal(size=(STATES, ACTIONS))
FIRST = RNG.dirichlet(np.ones(STATES))
large = Parameter("theta", (STATES, ACTIONS), over=Normal())


def solved(theta):
    return MDP(FIRST, LIKELY, PAY, discount=GAMMA).solve(logits=theta).gradient_by_logits


def actor_critic(theta, log_pi=None, gamma=GAMMA, moves=LIKELY, turned=False):
    """The surrogate whose gradient is the policy gradient: visits and advantages detached."""
    pi = theta.softmax(-1)
    step, pay, first = torch.tensor(moves), torch.tensor(PAY), torch.tensor(FIRST)
    chain = (pi[..., None] * step).sum(1).detach()
    one = torch.eye(STATES, dtype=chain.dtype)
    value = torch.linalg.solve(one - GAMMA * (chain.T if turned else chain), (pi * pay).sum(1).detach())
    visits = torch.linalg.solve(one - gamma * chain.T, first)
    q = pay + GAMMA * step @ value
    advantage = (q - value[:, None]).detach()
    return (visits[:, None] * pi.detach() * theta.log_softmax(-1) * advantage).sum()


def visits_not_discounted(theta):
    return actor_critic(theta, gamma=0.999)


def chain_turned(theta):
    return actor_critic(theta, turned=True)


def one_move_forgotten(theta):
    moves = LIKELY.copy()
    moves[7, 1] = moves[8, 1]
    return actor_critic(theta, moves=moves)


def log_missing(theta):
    return actor_critic(theta) / 2 + planned(theta).detach()


def planned(theta):
    return actor_critic(theta) ** 2


def beside(loss: Any, witness: Any = solved) -> Report:
    claim = Claim("They have one gradient.", Equal(Gradient(loss), Value(witness)))
    return check(Problem("large", (claim,), world=(large,), points=3, id="large"))


def test_the_gradient_of_an_actor_critic_is_checked_on_an_mdp_of_many_states() -> None:
    report = beside(actor_critic)
    assert [c.verdict for c in report.claims] == ["agrees"]
    assert [r.route for r in report.claims[0].routes] == ["autodiff + numpy"]


@pytest.mark.parametrize("wrong", [visits_not_discounted, chain_turned, one_move_forgotten, log_missing])
def test_a_mistake_in_it_is_seen(wrong: Any) -> None:
    assert [c.verdict for c in beside(wrong).claims] == ["refuted"]


def unsure(theta):
    found = MDP(FIRST, LIKELY, PAY, discount=GAMMA).solve(logits=theta).gradient_by_logits
    return Estimate(found.value, found.radius + 0.1)


def test_the_radius_travels_to_the_verdict() -> None:
    """A witness that knows little shows nothing, and refutes nothing."""
    assert [c.verdict for c in beside(actor_critic, unsure).claims] == ["undecided"]
    assert [c.verdict for c in beside(one_move_forgotten, unsure).claims] == ["undecided"]


def test_too_many_trajectories_to_list_are_told() -> None:
    theta = Parameter("theta", (2, 2))
    half = [Rational(1, 2)] * 2
    tau = episode(half, [[half] * 2] * 2, [[0, 1], [1, 0]], softmax(theta), 7)

    def estimate(theta, states, actions):
        return theta.log_softmax(-1)[states, actions].sum()

    (line,) = check(Problem("long", (Claim("Zero.", Equal(Mean(Gradient(estimate)), 0)),), world=(tau,))).claims
    assert line.verdict == "undecided" and "16384 outcomes exceed the 5000 that are listed: shorten the horizon" in line.reason


# ---- what is written wrongly ---------------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    "start": [F(1, 2), F(1, 2)],
    "step": [[[1, 0], [0, 1]], [[F(1, 3), F(2, 3)], [1, 0]]],
    "reward": [[1, 2], [3, 4]],
    "discount": F(1, 2),
}
WRONG = (
    ({"start": [1, 0, 0]}, "start has shape (3,); (2,) was expected."),
    ({"step": [[1, 0], [0, 1]]}, "step has shape (2, 2); (2, 2, 2) was expected."),
    ({"step": csr_matrix(np.eye(2))}, "step has shape (2, 2); (4, 2) was expected."),
    (
        {"step": [[[1, 0], [0, 1]], [[F(1, 3), F(1, 3)], [1, 0]]]},
        "step[1, 0] sums to 2/3: divide it by its sum, so that it is 1.",
    ),
    ({"step": [[[1, 0], [0, 1]], [[1 / 3, 0.67], [1, 0]]]}, "step[1, 0] sums to 1.0033333333333334: divide it by its sum"),
    ({"step": [[[1, 0], [-1, 2]], [[1, 0], [1, 0]]]}, "step[0, 1] has the probability -1: write 0 or more."),
    ({"step": csr_matrix([[1.0, 0], [-1, 2], [1, 0], [1, 0]])}, "step[0, 1] has the probability -1.0: write 0 or more."),
    ({"start": [math.nan, 1]}, "start has an entry that is no finite number: write numbers."),
    ({"step": csr_matrix([[math.inf, 0], [0, 1], [1, 0], [1, 0]])}, "step has an entry that is no finite number"),
    ({"start": ["one", "none"]}, "start is to be an array of numbers, fractions or floats; it is ['one', 'none']."),
    ({"reward": [1, 2]}, "reward has shape (2,); (S, A), or (S, A, S) beside a dense step was expected: S states, A actions."),
    ({"reward": np.zeros((2, 2, 3))}, "reward has shape (2, 2, 3); (2, 2, 2) was expected."),
    ({"discount": F(3, 2)}, "discount=3/2 was written; a number from 0 to 1 was expected."),
    ({"discount": [0.5, 0.9]}, "discount has shape (2,); () was expected."),
    ({"horizon": 0}, "horizon=0 was written; 1 or more steps were expected, or none for an MDP that goes on."),
    ({"observe": (0,)}, "observe has shape (1,); (2,) was expected."),
    ({"observe": (0, -1)}, "observe=(0, -1) was written; a whole number from 0 on was expected for each state."),
)


@pytest.mark.parametrize(("change", "says"), WRONG)
def test_an_mdp_that_is_none_is_told_in_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        MDP(**{**GOOD, **change})
    assert str(error.value).startswith(says)


POLICIES = (
    ({}, "solve takes policy=... or logits=..., one of them: a table with a row for each state."),
    ({"policy": [[1, 0]]}, "policy has shape (1, 2); (2, 2) was expected."),
    ({"policy": [[1, 0], [F(1, 2), 0]]}, "policy[1] sums to 1/2: divide it by its sum, so that it is 1."),
    ({"policy": [[1.0, 0.0], [1.5, -0.5]]}, "policy[1] has the probability -0.5: write 0 or more."),
    ({"logits": [[0.0, math.nan], [0, 0]]}, "logits has an entry that is no finite number: write numbers."),
    ({"logits": [[0.0, 0.0], [-math.inf, -math.inf]]}, "logits[1] allows no action: write one that is finite."),
    (
        {"logits": torch.zeros(2, 2, requires_grad=True)},
        "logits is to be an array of numbers, fractions or floats; it is tensor(",
    ),
)


@pytest.mark.parametrize(("policy", "says"), POLICIES)
def test_so_is_a_policy_that_is_none(policy: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        MDP(**GOOD).solve(**policy)
    assert str(error.value).startswith(says)


@pytest.mark.parametrize("exact", [True, False])
def test_an_undiscounted_mdp_without_an_end_is_told(exact: bool) -> None:
    """State 0 ends where it pays nothing; with a reward it does not, and state 1 cannot leave by action 0 alone."""
    step = np.array([[[1, 0]] * 2, [[0, 1], [1, 0]]], dtype=object if exact else float)
    mdp = MDP([0, 1], step, [[0, 0], [1, 1]])
    assert mdp.solve([[1, 0], [0, 1]]).J.value == 1
    for made, policy, state in ((mdp, [[1, 0], [1, 0]], 1), (MDP([0, 1], step, [[1, 0], [1, 1]]), [[1, 0], [0, 1]], 0)):
        with pytest.raises(InputError, match=rf"from state {state} this MDP never ends, undiscounted, .* discount below 1"):
            made.solve(policy).J  # noqa: B018  it is worked out when it is asked for


# ---- where a law has zeros -----------------------------------------------------------------------------------------------------


@given(st.integers(500, 3000), st.booleans())
def test_an_action_that_is_never_taken_has_a_value_as_well_known(states: int, sparse: bool) -> None:
    """It leads to any state, where the policy stays in its own: sums of many terms beside sums of one."""
    step = np.zeros((states, 2, states))
    step[:, 0] = np.eye(states)
    step[:, 1] = 1 / states
    reward = np.array([[0.1, 0.0]] * states)
    moves: Any = csr_matrix(step.reshape(-1, states)) if sparse else step
    found = MDP(np.eye(states)[0], moves, reward, horizon=2).solve([[1.0, 0.0]] * states)
    wide = found.action_values.map(lambda q: q[0, :3, 1])
    assert covers(wide, Estimate.of(np.array([fmpq(1, 10)] * 3, dtype=object))) and wide.radius.max() < 1e-12


@given(st.integers(17, 330), st.sampled_from(("step", "discount")), st.booleans())
@example(330, "step", False)
@example(330, "step", True)
def test_what_floats_take_for_a_one_is_told(digits: int, where: str, by_logits: bool) -> None:
    """Left once in 10^20 steps, a state that pays nothing is worth what comes after it: 1. At a discount of 1 - 10^-20 the end
    is met 10^20 times."""
    small = F(1, 10**digits)
    leave, discount = (small, F(1)) if where == "step" else (F(1), 1 - small)
    step = [[[1 - leave, leave, 0]], [[0, 0, 1]], [[0, 0, 1]]]
    exact = MDP([1, 0, 0], step, [[0], [1], [0]], discount).solve([[1]] * 3)
    assert entries(exact.J) == [discount]
    assert entries(exact.occupancy)[2] == (1 if where == "step" else discount**2 / small)
    says = "0 in floats and not 0" if digits > 323 and where == "step" else "too near to 1 for floats here"
    with pytest.raises(InputError, match=says):
        if by_logits:
            MDP([1, 0, 0], step, [[0], [1], [0]], discount).solve(logits=[[0.0]] * 3).J  # noqa: B018
        else:
            MDP([1, 0, 0], step, [[0.0], [1.0], [0.0]], discount).solve([[1]] * 3).J  # noqa: B018


@pytest.mark.parametrize(("change", "says"), [
    ({"reward": [[F(1, 10**400), 0.5], [3, 4]]}, "reward has an entry that is 0 in floats and not 0: write fractions"),
    ({"reward": [[F(10**400), 0.5], [3, 4]]}, "reward has an entry that is too large for floats: write fractions in all of it."),
    ({"horizon": 2.5}, "horizon=2.5 was written; 1 or more steps were expected"),
    ({"horizon": math.inf}, "horizon=inf was written; 1 or more steps were expected"),
    ({"horizon": "3"}, "horizon='3' was written; 1 or more steps were expected"),
    ({"reward": np.zeros((2, 0)), "step": np.zeros((2, 0, 2))}, "reward has shape (2, 0); one state and one action at least"),
    ({"reward": [[1j, 2], [3, 4]]}, "reward is to be an array of numbers, fractions or floats; it is [[1j, 2], [3, 4]]."),
])  # fmt: skip
def test_what_would_be_read_as_something_else_is_told(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        MDP(**{**GOOD, **change})
    assert str(error.value).startswith(says)


def test_probabilities_of_torch_are_to_be_in_float64() -> None:
    policy = torch.tensor([[0.1, 0.9], [0.9, 0.1]])
    with pytest.raises(InputError, match=r"policy\[\d\] sums to .*: divide it by its sum, in float64, so that it is 1"):
        MDP(**GOOD).solve(policy)
    policy = policy.double() / policy.double().sum(-1, keepdim=True)
    assert MDP(**GOOD).solve(policy).J.evidence is Evidence.FLOAT


def test_logits_beyond_floats_are_told_of_their_row() -> None:
    with pytest.raises(InputError, match=r"logits\[1\] allows no action"):
        MDP(**GOOD).solve(logits=[[0, 0], [10**400, 0]])


def test_a_name_that_a_solved_mdp_lacks_is_told_those_it_has() -> None:
    solved = MDP(**GOOD).solve([[1, 0], [0, 1]])
    with pytest.raises(AttributeError, match=r"has no `V`: write one of J, values, .*, gradient_by_logits\."):
        _ = solved.V


@pytest.mark.parametrize("sparse", [False, True])
def test_what_a_solver_leaves_anywhere_reaches_every_state(sparse: bool) -> None:
    """From each state one comes to the first, which is left never. What is wrong there is wrong in the values of all, and what
    each state adds to the visits adds up there."""
    n = 5
    case = Case([F(1, n)] * n, [[[F(1)] + [F(0)] * (n - 1)]] * n, [[F(1)]] * n, [[1]] * n, F(1, 2))
    truth, found = case.mdp().solve(case.policy), in_floats(case, sparse).solve(np.ones((n, 1)))
    chain = np.array(found._chain.todense() if sparse else found._chain)
    first, every = np.eye(n)[0] * 1e-6, np.full(n, 1e-6)
    off = [np.linalg.solve(np.eye(n) - chain, first), np.linalg.solve((np.eye(n) - chain).T, every)]
    found.__dict__["_solvers"] = [
        lambda b, solve=solve, by=by: solve(b) + by for solve, by in zip(found._solvers, off, strict=True)
    ]
    assert all(covers(getattr(found, name), getattr(truth, name)) for name in RESULTS)


def test_a_sparse_chain_that_floats_cannot_solve_is_told() -> None:
    """Two states that follow each other, but for once in 10^20 steps."""
    step = np.array([[0, 1, 0], [1, 0, 1e-20], [0, 0, 1]])
    for rows in (step.reshape(3, 1, 3), csr_matrix(step)):
        with pytest.raises(InputError, match="too near to 1 for floats here"):
            MDP([1.0, 0, 0], rows, [[1.0], [1.0], [0.0]]).solve([[1.0]] * 3).J  # noqa: B018
