"""The page on the jump: it holds, its digits are those of another integral done apart from it, and answers are judged."""

from __future__ import annotations

from typing import Any

import pytest
from mpmath import mp, mpf

from gradcheck_rl import check, module, torch
from gradcheck_rl.claims import Equal
from gradcheck_rl.expressions import values
from gradcheck_rl.points import given
from gradcheck_rl.quantities import lowered

from .reading import read

page, report, line = read("problem4")


def test_every_statement_is_decided() -> None:
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"A-{n:03}" for n in range(53, 81)} <= ids


# ---- the digits, by a trapezoid over the logarithm of the slope ------------------------------------------------------------

WIDE, START, LESS, LITTLE = 40, (1, 1), (-1, -1), (-2, -2)
NEAR, FAR = ("0.2", "0.2"), ("0.5", "0.3")


def payoff_beyond(c: Any, m: Any, s: Any) -> tuple[Any, Any, Any, Any]:
    """E[(100 - v^2) 1(v >= c)], its derivatives by m and log s, and the part of the first that goes through the reward."""
    a = (c - m) / s
    tail, bell = mp.erfc(a / mp.sqrt(2)) / 2, mp.npdf(a)
    first, second = m * tail + s * bell, (m**2 + s**2) * tail + s * (m + c) * bell
    through = -2 * first
    edge = (100 - c**2) * bell
    return 100 * tail - second, through + edge / s, -2 * (second - m * first) + edge * a, through


def reference(reading: str, log_sigma: tuple[int, int], d: tuple[str, str], step: Any = None) -> list[Any]:
    """J, its gradient by b and log sigma, and the part of the gradient by b_1 that goes through the reward."""
    mp.dps = 40
    step = mpf(1) / 16 if step is None else step
    g, (d0, d1) = mpf("9.8"), map(mpf, d)
    u = mpf("0.1") * d0 - mpf("0.2") * d1 + mpf("0.05"), mpf("0.3") * d0 + mpf("0.4") * d1 - mpf("0.1")
    x = [mp.tanh(y) for y in u]
    angle, speed = (x[0] + 1) * mp.pi / 4, 5 * (x[1] + 1)
    wide, s = mp.exp(log_sigma[0]) * mp.pi / 2, 10 * mp.exp(log_sigma[1])
    turns = range(-WIDE, WIDE + 1) if reading == "as coded" else (0,)

    def at(t: Any, weight: Any) -> list[Any]:
        c = mp.sqrt(g * d0**2 * (1 + t**2) / (2 * (d0 * t - d1)))
        pays = list(payoff_beyond(c, speed, s))
        if reading == "clipped":
            pays = [p - q for p, q in zip(pays, payoff_beyond(mpf(10), speed, s), strict=True)]
        if reading == "as coded":
            back = payoff_beyond(c, -speed, s)
            pays = [pays[0] + back[0], pays[1] - back[1], pays[2] + back[2], pays[3] - back[3]]
        z = [(mp.atan(t) + k * mp.pi - angle) / wide for k in turns]
        bells = [mp.npdf(y) / wide for y in z]
        lands = sum(bells)
        turned = sum(y * p for y, p in zip(z, bells, strict=True)) / wide
        spread = sum((y**2 - 1) * p for y, p in zip(z, bells, strict=True))
        out = (lands * pays[0], turned * pays[0], lands * pays[1], spread * pays[0], lands * pays[2], lands * pays[3])
        return [weight * y / (1 + t**2) for y in out]

    if reading == "clipped":
        root = mp.sqrt((200 * d0) ** 2 - 4 * g * d0**2 * (g * d0**2 + 200 * d1))
        ends = [(200 * d0 + way * root) / (2 * g * d0**2) for way in (-1, 1)]
        total = [mp.quad(lambda t, i=i: at(t, 1)[i], [ends[0], 2 * ends[0], 8, ends[1]]) for i in range(6)]
    else:
        reach = int(14 / step)
        rows = [at(d1 / d0 + mp.exp(y), mp.exp(y) * step) for y in (n * step for n in range(-reach, reach + 1))]
        total = [sum(column) for column in zip(*rows, strict=True)]
    by_b = (1 - x[0] ** 2) * mp.pi / 4, 5 * (1 - x[1] ** 2)
    return [total[0], total[1] * by_b[0], total[2] * by_b[1], total[3], total[4], total[5] * by_b[1]]


def digits(claim: str, name: str, log_sigma: tuple[int, int], d: tuple[str, str]) -> list[Any]:
    """The left side of the page's claim at these data, to its own digits."""
    stated = page().names[claim].that
    assert isinstance(stated, Equal)
    variables = {k: v for k, v in page().bound.variables.items() if k in ("W", "b", "log_sigma", "d")}
    point = page().names["at_the_start_clipped_the_angle"].at.but(log_sigma=log_sigma, d=d)
    formulas = lowered(stated.left, [variables["W"], variables["b"], variables["log_sigma"]], {})
    assert formulas is not None, name
    return [mpf(x.str(30, radius=False)) for x in values(formulas, given(variables, point, list(variables)).rows).exact[0]]  # pyright: ignore


CASES = [
    ("as coded", START, NEAR, "at_the_start_as_coded"),
    ("clipped", START, NEAR, "at_the_start_clipped"),
    ("ahead", START, NEAR, "at_the_start_ahead"),
    ("as coded", LESS, NEAR, "with_less_noise_as_coded"),
    ("clipped", LESS, NEAR, "with_less_noise_clipped"),
    ("ahead", LESS, NEAR, "with_less_noise_ahead"),
    ("as coded", LITTLE, NEAR, "with_less_noise_as_coded"),
    ("clipped", LITTLE, NEAR, "with_less_noise_clipped"),
    ("ahead", LITTLE, NEAR, "with_less_noise_ahead"),
    ("as coded", LESS, FAR, "with_less_noise_as_coded"),
    ("clipped", LESS, FAR, "with_less_noise_clipped"),
    ("ahead", LESS, FAR, "with_less_noise_ahead"),
]


@pytest.mark.parametrize(("reading", "log_sigma", "d", "claim"), CASES)
def test_the_page_has_twenty_digits_right(reading: str, log_sigma: tuple[int, int], d: tuple[str, str], claim: str) -> None:
    expected = reference(reading, log_sigma, d)
    found = [c for c in page().names if c.startswith(claim)]
    slope, reward = (digits(c, reading, log_sigma, d) for c in sorted(found, key=lambda c: "so" in c.split("_")))
    for x, y in zip([reward[0], *slope], expected, strict=False):
        assert abs(x - y) < mpf(10) ** -20 * abs(y)


def test_the_gradient_through_the_reward_has_the_wrong_sign() -> None:
    *_, by_speed, _, _, through = reference("clipped", LESS, NEAR)
    assert by_speed > 0 > through
    assert [float(x) for x in line("opposite").value or ()] == pytest.approx([float(by_speed * through)])


def test_the_number_asked_for_is_noise() -> None:
    at_the_start = reference("as coded", START, NEAR)
    assert abs(at_the_start[1]) < 1e-13 and at_the_start[0] < -168


# ---- which routes must answer ---------------------------------------------------------------------------------------------

# What is true of formulas is proved. Inequalities, and numbers at a point, are evaluated.
PROOF = ("proof", "symbolic")
MODEL = ("symbolic",)
# The code is run on draws, and its gradient compared with a formula: in every sample, or in a given one.
IN_EVERY_SAMPLE = ("autodiff",)
BY_FORMULA = ("symbolic + autodiff",)
GIVEN = ("symbolic + listed + autodiff",)
# The reward jumps: every mean is an integral, with or without code under it.
INTEGRAL = ("integrated",)
PARTLY = ("symbolic + integrated",)
CODE = ("integrated + autodiff",)
PARTLY_CODE = ("symbolic + integrated + autodiff",)

ROUTES: dict[tuple[str, ...], str] = {
    PROOF: "slowest_jump flat least_of_all truncated_moment by_mean by_spread",
    MODEL: "eighth prize left_out uniform illegal",
    IN_EVERY_SAMPLE: "likely scored paid faces renormalised rewarded",
    BY_FORMULA: "in_every_sample_the_gradient_of in_every_sample_the_gradient_of_2 clamped generous batched",
    INTEGRAL: "integrating_the_speed_by_hand_leaves integrating_the_speed_by_hand_leaves_2 "
    "integrating_the_speed_by_hand_leaves_3 one_slope rows_of_W third_model noise squared "
    "at_the_start_as_coded_the at_the_start_clipped_the_angle at_the_start_ahead_the_angle "
    "at_the_start_as_coded_so at_the_start_clipped_so_are at_the_start_ahead_so_are "
    "with_less_noise_as_coded_the with_less_noise_clipped_the_angle with_less_noise_ahead_the_angle "
    "with_less_noise_as_coded_so with_less_noise_clipped_so_are with_less_noise_ahead_so_are",
    PARTLY: "worse smoke",
    CODE: "unbiased unbiased_ahead unbiased_box unbiased_clipped luckier onward through through_spread boundary harmless "
    "parabola between",
    PARTLY_CODE: "unbiased_truncated blunt opposite boxed",
    (*CODE, "integrated + sampled + autodiff"): "sampled sampled_reward",
    GIVEN: "at_the_start_a_jump_of with_less_noise_a_jump_of at_the_start_its_surrogate_is with_less_noise_its_surrogate_is "
    "fallen a_jump_without_speed_fails a_jump_without_angle_fails a_jump_straight_up_fails a_jump_half_a_turn_on "
    "a_jump_backwards_clears a_jump_over_nothing_clears a_jump_over_nothing_without_speed",
    ("listed + autodiff",): "hidden shown",
    (f"{GIVEN[0]} + differences",): "differenced",
    ("called",): "misspelt unreached joined",
}


def test_no_evaluator_silently_stops_applying() -> None:
    wanted = {name: {frozenset(r.split(" + ")) for r in routes} for routes, names in ROUTES.items() for name in names.split()}
    found = {
        c.id: {frozenset(r.route.split(" + ")) for r in c.routes if r.verdict in ("proved", "agrees")}
        for c in report().claims
        if c.kind == "claim"
    }
    assert found == wanted


def test_the_height_over_the_edge_is_proved() -> None:
    for name in ("kinematics.1", "kinematics.2"):
        assert "proved" in {r.verdict for r in line(name).routes if r.route == "proof"}, name


# ---- mistakes and answers -------------------------------------------------------------------------------------------------


def test_every_mistake_is_caught() -> None:
    assert len(report().mistakes) >= 8 and all(m.caught for m in report().mistakes)


def test_mistakes_leave_their_signature() -> None:
    """At no weights, biases or far gaps: whatever the point, the path says nothing of the angle, and a sign is a sign."""
    found = {m.says: [float(x) for x in m.signature or ()] for m in report().mistakes}
    path, flipped = found["gradient through the reward"], found["sign flipped for a minimiser"]
    assert path[0] == path[2] == 0 and path[1] < 0
    exact = [float(x) for x in reference("as coded", LITTLE, NEAR)[1:5]]
    assert flipped == pytest.approx([-x for x in exact])


def student() -> Any:
    class Policy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.n1 = torch.nn.Linear(2, 2)
            self.log_sigma = torch.nn.Parameter(torch.ones(2))

        def forward(self, d: Any) -> Any:
            unit = torch.tensor([torch.pi / 2, 10])
            return torch.distributions.Normal((self.n1(d).tanh() + 1) / 2 * unit, self.spread() * unit)

        def spread(self) -> Any:
            return self.log_sigma.exp()

    return Policy


def test_a_module_drops_into_the_slot() -> None:
    policy = page().functions["policy"]
    names = {"W": "n1.weight", "b": "n1.bias", "log_sigma": "log_sigma"}
    right = student()
    wrong = type("Policy", (right,), {"spread": lambda self: self.log_sigma.exp() ** 2})
    only = ["likely", "scored", "unbiased"]
    assert check(page(), {policy: module(right, policy, **names)}, only=only).exit_code == 0
    judged = check(page(), {policy: module(wrong, policy, **names)}, only=only)
    assert {c.id: c.verdict for c in judged.claims} == dict.fromkeys(only, "refuted")


def test_the_misspelt_line_is_reached_by_jumps_that_clear_and_by_no_others() -> None:
    listing, log_pi = page().functions["listing"], page().functions["log_pi"]

    def always(W: Any, b: Any, log_sigma: Any, d: Any, jump: Any) -> Any:
        return recompute_rewardward(jump, d) * log_pi(W, b, log_sigma, d, jump)  # type: ignore[name-defined]  # noqa: F821

    def never(W: Any, b: Any, log_sigma: Any, d: Any, jump: Any) -> Any:
        return 0.0 * log_pi(W, b, log_sigma, d, jump)

    for wrong, refuted in ((always, "unreached"), (never, "misspelt")):
        judged = check(page(), {listing: wrong}, only=["misspelt", "unreached"])
        assert [c.id for c in judged.claims if c.verdict == "refuted"] == [refuted]
