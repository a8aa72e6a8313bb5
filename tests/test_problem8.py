"""The page on the loss whose value means nothing: it holds, two routes reach its numbers, and mistakes leave signatures."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch

from gradcheck_rl import check, module

from .reading import read

F = Fraction
PAGE = Path(__file__).parents[1] / "problems" / "problem8_pseudo_loss.py"

CODE = "symbolic + listed + autodiff"
BOTH = "symbolic + autodiff"
SAMPLE = "listed + autodiff"
# Which routes must answer: an evaluator that stops applying is noticed here.
ROUTES = {
    CODE: "slope simple number leaks unmoved moved aimless imitates untouched climbs repaired by_episodes by_steps averaged "
    "wrong_sign two_of_them turned truly slope_there leaks_there number_there encouraged",
    BOTH: "stepwise scaled solved_too scaled_too crossed crossed_value table_formula table_coded table_crossed pushed_down "
    "forever_there forever_slope tangent curved same_surrogate at_zero bend_at_zero backpropagated repeated taken_as_chances "
    "over_in_time never_over thirteenths sized",
    "symbolic + numpy": "five_thousand more not_many_more",
    SAMPLE: "weightless samplewise scored typed other_score",
    "autodiff": "entropic",
    "symbolic": "in_the_limit truth",
    "proof, symbolic": "pseudo_forever",
    "called": "beyond untyped refused undefined paired five_things",
}


page, report, line = read("problem8")


@cache
def source() -> Any:
    spec = importlib.util.spec_from_file_location("page8", PAGE)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def numbers(values: Any) -> list[float]:
    return [float(Fraction(v)) if isinstance(v, str) else float(v) for v in values]


@pytest.mark.parametrize(("name", "routes"), [(name, routes) for routes, names in ROUTES.items() for name in names.split()])
def test_the_routes_that_must_answer_do(name: str, routes: str) -> None:
    assert ", ".join(r.route for r in line(name).routes) == routes


def test_every_statement_is_decided() -> None:
    """All but C-065, names of an interface in prose."""
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"A-{n:03}" for n in range(81, 97)} | {f"C-{n:03}" for n in (60, 61, 62, 63, 64, 66, 67)} <= ids


def test_what_is_said_of_every_number_of_episodes_is_checked_at_others() -> None:
    for name in ("by_episodes", "by_steps", "averaged"):
        assert line(name).sizes == {"N = 1": "agrees", "N = 3": "agrees"}, name


# ---- the notes' MDP, enumerated with fractions apart from this project ----------------------------------------------------

SLOPE = (F(2163791, 2332800), F(2456759, 4147200))
ATTACHED = (0.407975292458703, 0.144807505691234)


def test_the_gradient_and_the_value_of_the_loss() -> None:
    for side in (line("slope_there").value, line("slope_there").expected):
        assert numbers(side) == pytest.approx([-SLOPE[0], SLOPE[0], -SLOPE[1], SLOPE[1]], rel=1e-12)
    for side in (line("number_there").value, line("number_there").expected):
        assert numbers(side) == pytest.approx([1.976896246341488], rel=1e-12)  # of the mean of log pi Q, with a minus


def test_without_detaching_it_is_another_gradient() -> None:
    for side in (line("leaks_there").value, line("leaks_there").expected):
        assert numbers(side)[::2] == pytest.approx([-x for x in ATTACHED], rel=1e-12)


def test_discounted_for_ever() -> None:
    """V = (I - 9/10 P)^-1 r in fractions, and its derivative by each logit: (I - 9/10 P)^-1 (dr + 9/10 dP V)."""
    pi, start = sp.Matrix([[F(2, 3), F(1, 3)], [F(1, 4), F(3, 4)]]), sp.Matrix([[F(2, 3), F(1, 3)]])
    step = [[(F(3, 4), F(1, 4)), (F(1, 3), F(2, 3))], [(F(1, 2), F(1, 2)), (F(1, 5), F(4, 5))]]
    reward, gamma = [[1, -2], [3, F(1, 2)]], F(9, 10)

    def model(policy: Any) -> tuple[Any, Any]:
        flow = sp.Matrix(2, 2, lambda i, j: sum(policy[i, k] * sp.Rational(step[i][k][j]) for k in (0, 1)))
        return flow, sp.Matrix([sum(policy[i, k] * sp.Rational(reward[i][k]) for k in (0, 1)) for i in (0, 1)])

    flow, now = model(pi)
    resolvent = (sp.eye(2) - sp.Rational(gamma) * flow).inv()
    value = resolvent * now
    assert (start * value)[0] == sp.Rational(575, 93)
    for state in (0, 1):
        moved = sp.zeros(2, 2)
        both = pi[state, 0] * pi[state, 1]
        moved[state, 0], moved[state, 1] = both, -both
        by_flow, by_now = model(moved)
        expected = (start * resolvent * (by_now + sp.Rational(gamma) * by_flow * value))[0]
        assert float(line("forever_slope").value[2 * state]) == pytest.approx(float(expected), rel=1e-12)


# ---- means over episodes and over steps, with even chances ----------------------------------------------------------------

# An episode: its chance, its number of steps, and its return times the scores of both choices. Each score is +1/2 or -1/2.
EPISODES = (
    (F(1, 2), 1, (F(-2, 2), F(0))),
    (F(1, 4), 2, (F(1, 2), F(-1, 2))),
    (F(1, 4), 2, (F(5, 2), F(5, 2))),
)
BY_STEPS = {
    1: (F(-1, 8), F(1, 4)),
    2: (F(1, 48), F(7, 24)),
    4: (F(31, 320), F(351, 1120)),
    8: (F(175205, 1317888), F(213299, 658944)),
    16: (F(11827859554297, 78784808878080), F(12944666918911, 39392404439040)),
}
BY_SIZE = {1: (1 / 6, 1 / 3), 5: (0.16145833333333334, 0.3318452380952381), 10: (0.16468579841382575, 0.3327673709753788)}


def batches(n: int) -> Iterator[Sequence[Any]]:
    return product(EPISODES, repeat=n)


def chance(episodes: Sequence[Any]) -> Fraction:
    out = F(1)
    for c, _, _ in episodes:
        out *= c
    return out


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_the_mean_over_steps_by_listing_batches(n: int) -> None:
    mean = [F(0), F(0)]
    for episodes in batches(n):
        steps = sum(length for _, length, _ in episodes)
        for i in (0, 1):
            mean[i] += chance(episodes) * sum(g[i] for _, _, g in episodes) / steps
    assert tuple(mean) == BY_STEPS[n]


def by_weights(short: Any, long: Any) -> list[float]:
    """The gradient where an episode counts by its length: 1/4 (3 long - 2 short), and 1/8 (5 - 1) long."""
    at = {source().w[0]: 0, source().w[1]: 0}
    a, b = (sp.sympify(x).subs(at) for x in (short, long))
    return [float((3 * b - 2 * a) / 4), float(b / 2)]


@pytest.mark.parametrize("n", BY_STEPS)
def test_the_model_gives_the_same_for_every_number_of_episodes(n: int) -> None:
    share = source().share
    assert by_weights(share(n, 1), share(n, 2)) == pytest.approx([float(x) for x in BY_STEPS[n]], rel=1e-12)


@pytest.mark.parametrize("size", BY_SIZE)
def test_the_model_gives_the_same_for_a_batch_that_ends_after_so_many_steps(size: int) -> None:
    weight = source().weight_until
    assert by_weights(weight(size, 1), weight(size, 2)) == pytest.approx(BY_SIZE[size], rel=1e-12)


# ---- the network ----------------------------------------------------------------------------------------------------------


def network(hidden: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 2))


NAMES = {"W1": "0.weight", "b1": "0.bias", "W2": "2.weight", "b2": "2.bias"}


def test_a_module_drops_into_the_slot_of_the_network() -> None:
    logits = page().functions["logits"]
    answer = {logits: module(lambda: network(3), logits, **NAMES)}
    found = check(page(), answer, only=["backpropagated", "entropic", "thirteenths"], timed=False)
    assert {c.id: c.verdict for c in found.claims} == {"backpropagated": "agrees", "thirteenths": "agrees", "entropic": "agrees"}


def test_the_listing_s_network_is_differentiated_by_hand() -> None:
    """4-32-2: back from the logits, (softmax - one-hot) times weight over 13 steps."""
    rng, data = np.random.default_rng(0), source().played.values
    obs, act, weights = (np.array(data[k], dtype=float) for k in ("obs", "act", "weights"))
    cells = [rng.normal(size=shape) for shape in ((32, 4), 32, (2, 32), 2)]
    leaves = [torch.tensor(x, requires_grad=True) for x in cells]
    loss = source().compute_loss(*leaves, *(torch.tensor(x) for x in (obs, act, weights)))
    found = torch.autograd.grad(loss, leaves)
    hidden = np.tanh(obs @ cells[0].T + cells[1])
    logits = hidden @ cells[2].T + cells[3]
    share = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    above = (share - np.eye(2)[act.astype(int)]) * weights[:, None] / 13
    below = above @ cells[2] * (1 - hidden**2)
    expected = [below.T @ obs, below.sum(0), above.T @ hidden, above.sum(0)]
    assert sum(x.size for x in expected) == 226
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.numpy() == pytest.approx(theirs, abs=1e-12)


# ---- signatures -----------------------------------------------------------------------------------------------------------

# What a mistake makes of a claim on given data.
SIGNATURES: dict[str, tuple[str, list[Any]]] = {
    "weights not detached": ("slope_there", [-ATTACHED[0], ATTACHED[0], -ATTACHED[1], ATTACHED[1]]),
    "sign": ("slope_there", [SLOPE[0], -SLOPE[0], SLOPE[1], -SLOPE[1]]),
    "mean over steps": ("slope_there", [-SLOPE[0] / 3, SLOPE[0] / 3, -SLOPE[1] / 3, SLOPE[1] / 3]),
    "column times row": ("table_coded", [0, 0, F(-7, 96), F(7, 96)]),
    "weights forgotten: maximum likelihood": ("table_coded", [0, 0, F(-1, 24), F(1, 24)]),
    "sum for mean": ("table_coded", [F(-5, 2), F(5, 2), F(-3, 2), F(3, 2)]),
    "one return for both episodes": ("five_and_eight", [13] * 13),
    "truncation ignored": ("over_in_time", [6000]),
}


@pytest.mark.parametrize("says", SIGNATURES)
def test_a_mistake_leaves_its_signature(says: str) -> None:
    claim, expected = SIGNATURES[says]
    mistake = next(m for m in page().mistakes if m.says == says)
    value = check(page(), mistake.answer, only=[claim]).claims[0].value
    assert numbers(value) == pytest.approx([float(x) for x in expected], rel=1e-12, abs=1e-12)


# ---- what a loop may get wrong and still stop -----------------------------------------------------------------------------


def test_a_loop_that_asks_in_the_wrong_order_is_told_where_truncation_is_ignored() -> None:
    ends = source().ends

    def balanced(ends: Any = ends) -> float:
        return source().balanced(ends=lambda terminated, truncated: ends(truncated, terminated))

    found = {c.id: c.verdict for c in check(page(), {"balanced": balanced}).claims}
    assert found == {"over_in_time": "agrees", "never_over": "refuted"}


def test_states_of_five_numbers_are_told() -> None:
    def collected(size: float, falls: float) -> tuple[int, int]:
        return source().collected(size, falls)[0], 5

    found = {c.id: c.verdict for c in check(page(), {"collected": collected}).claims}
    assert found == {"more": "agrees", "not_many_more": "agrees", "five_thousand": "refuted"}
