"""The page on masks: the routes that answer, the numbers it must reach, what it notices, and its optimisers, which are torch's.

The page has optimisers of its own, since the first step of torch's imports a compiler.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl import check

from .reading import line, numbers, read

# Which routes must answer: an evaluator that stops applying is noticed here.
LISTED = "symbolic + listed + autodiff"
ROUTES = {
    "listed + autodiff": "scores of_state likely_of_state mask_ignored lower same half_score half_log "
    "added_has_the_same_scores in_float32_added_has_the_same added_has_the_same_log_probabilities "
    "added_large_has_the_same_scores in_float32_added_large_has_the added_large_has_the_same_log "
    "removed_has_the_same_scores in_float32_removed_has_the_same removed_has_the_same_log_probabilities "
    "by_categorical_has_the_same_scores in_float32_by_categorical_has_the by_categorical_has_the_same_log "
    "chosen_first_has_the_same_scores in_float32_chosen_first_has_the chosen_first_has_the_same_log",
    "proof, symbolic": "derivative shift slope slope_all loud shares.1 closed_form.1 closed_form.2",
    "listed": "derivative_masked",
    LISTED: "centred unbiased silent likely residue harmless parabola first second rows anywhere told told_two told_masked "
    "lucky skewed log_share noise quiet large far_score far_log "
    "added_has_the_right_score_for added_has_the_right_log_probability added_large_has_the_right_score "
    "added_large_has_the_right_log removed_has_the_right_score_for removed_has_the_right_log_probability "
    "by_categorical_has_the_right_score by_categorical_has_the_right_log sunk lost pushes pushes_too pulls pulls_large "
    "pulls_half pulls_single breaks unlikely_half "
    "never added_gives_a_forbidden_action_the by_categorical_gives_a_forbidden_action "
    "chosen_first_gives_a_forbidden_action unlikely_large nothing_added nothing_chosen",
    "symbolic + sampled + autodiff": "drawn",
    "symbolic + autodiff": "policy improbable surprise disorder leaning residual residual_20 residual_40 log_20 log_40 log_104 "
    "underflow_32 underflow_64 divergent twins torn nothing_left illegal absorbed still decayed moved pushed_on followed later",
    "called": "absent refused too_large",
    "symbolic": "faster",
    "symbolic + integrated": "arrival",
}

# What C leaves the middle share and the middle weight, worked out apart from this project, in 40 digits.
LEFT = {
    10: (0.00002269944960453357932327524, -0.00001134972480226678966163762),
    20: (1.030576810157190351254637e-9, -5.152884050785951756273184e-10),
    40: (2.124177127645794493152489e-18, -1.062088563822897246576244e-18),
}

# Of these only the gradient is meant; the last two are to raise.
WITHOUT_A_VALUE = {"reinforce", "with_baseline", "unmasked", "finite_mask", "removed_middle", "filled_in_half"}


page, report, _ = read("problem1")


def test_the_routes_that_must_answer_do() -> None:
    wanted = {name: routes for routes, names in ROUTES.items() for name in names.split()}
    assert {c.id: ", ".join(r.route for r in c.routes) for c in report().claims if c.kind != "erratum"} == wanted


# ---- numbers that were worked out elsewhere -------------------------------------------------------------------------------


@pytest.mark.parametrize(("c", "name"), [(10, "residual"), (20, "residual_20"), (40, "residual_40")])
def test_what_a_finite_mask_leaves_the_middle_weight(c: int, name: str) -> None:
    found = line(report(), name)
    assert numbers(found.value) + numbers(found.expected) == pytest.approx([LEFT[c][1] * math.exp(c)] * 2, rel=1e-12)


@pytest.mark.parametrize(("c", "name"), [(20, "log_20"), (40, "log_40")])
def test_what_a_finite_mask_leaves_the_middle_share(c: int, name: str) -> None:
    found = line(report(), name)
    assert numbers(found.value) + numbers(found.expected) == pytest.approx([math.log(LEFT[c][0])] * 2, rel=1e-12)


# ---- what the page notices ------------------------------------------------------------------------------------------------


def five_more(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def moved(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) + 5

    return moved


@pytest.mark.parametrize("name", sorted(page().functions))
def test_a_value_that_has_a_meaning_is_claimed(name: str) -> None:
    function = page().functions[name]
    refuted = {c.id for c in check(page(), {function: five_more(function)}).claims if c.verdict == "refuted"}
    assert (not refuted) == (name in WITHOUT_A_VALUE)


def test_a_forgotten_mask_moves_every_optimiser() -> None:
    mistake = next(m for m in page().mistakes if m.says == "mask forgotten")
    found = check(page(), mistake.answer, only=["A-011"])
    assert {c.id: c.verdict for c in found.claims} == dict.fromkeys(("still", "decayed", "moved", "pushed_on"), "refuted")


def test_a_claim_about_samples_is_not_shown_without_them() -> None:
    found = check(page(), only=["drawn"], samples=5)
    assert line(found, "drawn").verdict == "undecided"


def test_the_displayed_score_is_set_against_a_formula() -> None:
    displayed = page().names["displayed"]
    assert displayed.stated.code() == displayed.instead.code() == []


# ---- optimisers -----------------------------------------------------------------------------------------------------------


CASES = [
    ("by_descent", torch.optim.SGD, {}),
    ("by_decaying_descent", torch.optim.SGD, {"weight_decay": 0.1}),
    ("by_adam", torch.optim.Adam, {}),
]
three = st.lists(st.floats(-3, 3), min_size=3, max_size=3).map(lambda x: torch.tensor(x, dtype=torch.float64))


@pytest.mark.parametrize(("name", "optimiser", "options"), CASES)
@given(start=three, reward=three, mask=st.sampled_from([(1, 0, 1), (0, 1, 1), (1, 1, 1), (0, 1, 0)]))
def test_an_optimiser_of_the_page_is_that_of_torch(
    name: str, optimiser: Any, options: Any, start: torch.Tensor, reward: torch.Tensor, mask: tuple[int, ...]
) -> None:
    """Adam takes a step before the mask."""
    weight, allowed = start.clone().requires_grad_(), torch.tensor(mask)
    run = optimiser([weight], lr=0.1, **options)
    for seen in (*([torch.ones(3)] if name == "by_adam" else []), allowed):
        log_pi = weight.masked_fill(seen == 0, -torch.inf).log_softmax(-1)
        mean = (log_pi * reward)[seen == 1].mean()
        weight.grad = None
        (-mean).backward()
        run.step()
    torch.testing.assert_close(page().functions[name](start, torch.tensor(1.0), allowed, reward), weight.detach())


# ---- figures --------------------------------------------------------------------------------------------------------------


def test_the_triangles_show_gradient_flow() -> None:
    """Flow moves a weight by p_i (r_i - J), a policy by p_i times that less its mean. The mask keeps the ratio of the others."""
    free, masked = (figure.data(page(), 0) for figure in page().figures)
    before, after = (np.array([masked[f"{name}{n}"] for n in range(3)]) for name in "qp")
    assert after[1] == pytest.approx(0) and after[0] / after[2] == pytest.approx(before[0] / before[2])
    for data in (free, masked):
        p, speed = (np.array([data[f"{name}{n}"] for n in range(3)]) for name in ("p", "speed"))
        pull = p * (np.array([[-1], [0], [1]]) - (p[2] - p[0]))
        assert p.sum(axis=0) == pytest.approx(1)
        assert speed == pytest.approx(p * (pull - (p * pull).sum(axis=0)))


# ---- answers --------------------------------------------------------------------------------------------------------------


def right(w: Any, s0: Any, allowed: Any) -> Any:
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)


TAKEN: dict[str, Callable[..., Any]] = {
    "in another order": lambda allowed, s0, w: right(w, s0, allowed),
    "by name": lambda *, w, s0, allowed: right(w, s0, allowed),
    "first by position": lambda s0, w, /, allowed: right(w, s0, allowed),
    "last by name": lambda w, *, allowed, s0: right(w, s0, allowed),
}


@pytest.mark.parametrize("how", TAKEN)
def test_an_answer_takes_its_arguments_as_it_likes(how: str) -> None:
    """`log_prob` and `by_shared_descent`, which are the page's own, call it by position."""
    found = check(page(), {"log_pi": TAKEN[how]}, points=2, only=["scores", "moved"])
    assert found.ok, found.text()
    turned = check(page(), {"log_pi": lambda s0, allowed, w: -right(w, s0, allowed)}, points=2, only=["scores", "moved"])
    assert {c.verdict for c in turned.claims} == {"refuted"}


def test_an_answer_need_not_take_what_it_does_not_read() -> None:
    """Without the mask it is the page's mistake, at the same point, and no error."""
    mistake = next(m for m in page().mistakes if m.says == "mask forgotten")
    short = check(page(), {"log_pi": lambda w, s0: (w * s0).log_softmax(-1)}, points=2, only=["unbiased"])
    (whole,) = check(page(), mistake.answer, points=2, only=["unbiased"]).claims
    assert whole.verdict == "refuted" and line(short, "unbiased").witness == whole.witness
    assert line(short, "unbiased").reason == whole.reason


def expected(w: Any, s0: Any, allowed: Any, reward: Any) -> Any:
    return right(w, s0, allowed).exp() @ reward


def test_an_answer_that_reads_no_draw_is_judged_at_every_outcome() -> None:
    """A claim about each outcome is one also where the answer is the same at all of them."""
    found = check(page(), {"reinforce": expected}, points=4, only=["unbiased", "silent", "parabola"])
    assert {c.id: c.verdict for c in found.claims} == {"unbiased": "agrees", "silent": "agrees", "parabola": "refuted"}
    leaky = check(page(), {"reinforce": lambda w, s0, allowed, reward: w @ reward}, points=4, only=["silent"])
    assert line(leaky, "silent").verdict == "refuted"


def test_both_speeds_are_judged_and_not_their_difference() -> None:
    assert numbers(line(report(), "faster").value) == pytest.approx([1 / 2, 2 / 9])
