"""The page on DDPG: it holds, its numbers are reached by two routes, and every mistake leaves its own signature."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from gradcheck_rl import check
from gradcheck_rl.report import Report

from .reading import called, line, numbers, read

# The gradients of both losses on the batch of the page, worked out apart from this project: the closed forms
# (2/N) sum (Q - y) (1, s, a, s a, a^2) and -(1/N) sum (phi_2 + phi_3 s + 2 phi_4 a) 2 (1 - tanh^2) (1, s), in 40 digits, by SymPy
# and by dual numbers, which agree.
RIGHT = {
    "phi": (
        -0.011183062889580831593,
        -3.0561060784992188643,
        -1.7198337219690281156,
        1.0636947113117897239,
        1.4896131923100855300,
    ),
    "policy": (-0.52763808662258523282, -1.0521621269331932031),
    "leak": (-1, -0.1875, 0.0060628254859401694183, 0.88017012911615811226, -0.90514741051280287609),
}
LOSSES = {"regression": 3.0647659879415614045, "worth": 0.47392375192044601475}

# What each mistake makes of them; what it does not change is left out.
SIGNATURES: dict[str, dict[str, tuple[float, ...]]] = {
    "online_not_detached": {
        "phi": (-1.16144935518406, 0.146096298846794, -3.23713660674863, 5.97937673073155, -2.17275550020335),
        "theta": (0.396183897129173, -0.793414548702422),
    },
    "attached": {
        "slow_phi": (-1.14753814273931, 4.00018318121625, -2.4698123522719, 6.91283629417046, -4.18126215705382),
        "slow_theta": (1.08561744585463, -2.25755493180212),
    },
    "end_forgotten": {"phi": (0.521064461678405, -2.25773479164724, -1.58677184082703, 1.26328753302478, 1.52287866259558)},
    "column_of_targets": {
        "phi": (-0.0111830628895808, -0.288913230541796, 0.34392105255315, 0.203892422820431, -0.673047230536022)
    },
    "target_action_at_s": {
        "phi": (-1.52716788957872, -2.20907630873119, 0.278032693072826, -0.157827908298463, -1.74278919559862)
    },
    "at_the_actors_action": {
        "phi": (-0.676218066730473, -4.57980948337682, 4.55997290238117, 2.74036776655002, -1.89416790540328)
    },
    "descends": {"policy": (0.527638086622585, 1.05216212693319)},
    "by_the_slow_critic": {"policy": (-0.478027216926268, -1.04122279145652)},
    "action_detached": {"policy": (0, 0)},
    "scale_forgotten": {
        "policy": (-0.270434540806285, -0.389472836575546),
        "leak": (-1, -0.1875, 0.00303141274297008, 0.440085064558079, -0.226286852628201),
    },
    "online_detached": {"phi": (-0.283998018405725, -2.70933255744168, -1.40186480148721, 0.672309764410136, 1.19663800464511)},
    "end_inverted": {"phi": (-1.37556497543201, -1.44772246314802, 0.447983756141996, -0.148149365787005, -2.0837790609645)},
    "undiscounted": {"phi": (0.00797481021254461, -3.06428802121133, -1.7403868088071, 1.07795164968363, 1.52604407840665)},
    "reward_discounted": {"phi": (0.00506693711041917, -3.03704357849922, -1.71808372196903, 1.06763221131179, 1.50058819231009)},
    "summed": {"phi": (-0.0447322515583233, -12.2244243139969, -6.87933488787611, 4.25477884524716, 5.95845276924034)},
    "halved": {"phi": (-0.00559153144479042, -1.52805303924961, -0.859916860984514, 0.531847355655895, 0.744806596155043)},
    "added": {"phi": (-0.554441937110419, 2.37641857849922, 2.69967747196903, -0.97167908631179, -3.52870225481009)},
    "target_without_scale": {
        "phi": (-1.25141639959294, -2.24237249513974, -0.315855729003898, -0.0831859021391612, -0.656139391111816)
    },
    "online_actor": {"phi": (0.160684645167119, -3.14387574625578, -1.92065068421037, 1.20037846461305, 1.82552174595185)},
    "at_replayed_actions": {"policy": (0, 0)},
    "tanh_forgotten": {"policy": (-0.775, -1.85625), "leak": (-1, -0.1875, 0.025, 1.03125, -1.2325)},
    "tanh_twice": {
        "policy": (-0.433772902021559, -0.720275642271461),
        "leak": (-1, -0.1875, -0.00219566142742333, 0.78458776386579, -0.725006536429164),
    },
    "actor_summed": {"policy": (-2.11055234649034, -4.20864850773277)},
    "least_error": {"policy": (-5.1203524314733, -4.61204599371817)},
    "polyak_swapped": {
        "averaged": (0.19951112714757513, -0.49645917445189328, 0.30146123455335918, 0.39944162376224477, -0.25123216512634854)
    },
    "averaged_before": {"averaged": (0.1005, -0.4005, 0.25025, 0.4995, -0.20025)},
    "in_place_of_a_copy": {
        "averaged": (0.20001118306288958, -0.49694389392150078, 0.30171983372196903, 0.39893630528868821, -0.25148961319231009)
    },
}

# Where the coordinates of a block stand: in the line of which claim, from which on, and how many.
BLOCKS = {
    "phi": ("regresses_there", 0, 5),
    "policy": ("climbs_there", 0, 2),
    "leak": ("leaks_there", 0, 5),
    "theta": ("still_there", 0, 2),
    "slow_phi": ("still_there", 2, 5),
    "slow_theta": ("still_there", 7, 2),
    "averaged": ("then_slow_there", 0, 5),
}

TWO = "symbolic + autodiff"
# Which routes must answer: an evaluator that stops applying is noticed here.
ROUTES = {
    TWO: "half_gradient by_loss table_still iterated regresses regression aimed by_features still climbs worth judged "
    "leaks unseen seen regresses_there still_there climbs_there leaks_there networks_regress networks_still "
    "networks_aimed networks_climb networks_judged networks_backward networks_backward_too beside corner torch_takes "
    "broadcast column columns simulated paid replayed replay_paid simulated_there replayed_there kept then_slow "
    "then_slow_there stalls arrives symmetric outside inside sloped sloping flat sloping_single flat_single three_each "
    "flows redundant receive actor_too needless descended buffers counted masked stored",
    "autodiff": "harmless constant_kept explored at_lower at_upper single",
    "proof, symbolic": "model_still model_judged weighted on_policy off_policy ruled split frozen_right doubled theorem blurred "
    "raised_by_half centred_at restored dearer",
    "symbolic": "best_there raised raised_by_none top rescaled turned half_life half_life_over nearly_all nearly_all_over price",
    "symbolic + integrated": "of_two",
    "symbolic + listed": "optimal",
    "symbolic + listed + autodiff": "one_is_enough",
    "symbolic + integrated + autodiff": "spread",
    "symbolic + autodiff + differences": "differences_too",
    "integrated": "grows",
    "proof, exact": "weight",
    "symbolic + numpy": "ten_each",
    "called": "wrong_dtype",
}


page, report, _ = read("problem10")


def block(report: Report, name: str) -> list[float]:
    claim, start, size = BLOCKS[name]
    return numbers(line(report, claim).value)[start : start + size]


def test_the_routes_that_must_answer_do() -> None:
    wanted = {name: routes for routes, names in ROUTES.items() for name in names.split()}
    named = {c.id: ", ".join(r.route for r in c.routes) for c in report().claims if c.kind == "claim"}
    assert {name: routes for name, routes in named.items() if not name.startswith("the_mean_of_the_largest")} == wanted


# ---- numbers that were worked out elsewhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RIGHT)
def test_both_routes_reach_the_gradients_of_the_batch(name: str) -> None:
    claim, start, size = BLOCKS[name]
    found = line(report(), claim)
    for side in (found.value, found.expected):
        assert numbers(side)[start : start + size] == pytest.approx(RIGHT[name], rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_both_routes_reach_the_losses_of_the_batch(name: str) -> None:
    found = line(report(), name)  # the batch is the first point
    assert numbers([*(found.value or ()), *(found.expected or ())]) == pytest.approx([LOSSES[name]] * 2, rel=1e-12)


def test_the_largest_of_several_normals() -> None:
    """Their mean is the integral of x K phi(x) Phi(x)^(K-1), here by Gauss-Legendre on twelve deviations."""
    x, w = np.polynomial.legendre.leggauss(400)
    x, w = 12 * x, 12 * w
    below = np.array([NormalDist().cdf(t) for t in x])
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    found = [c for c in report().claims if c.id.startswith("the_mean_of_the_largest")]
    assert len(found) == 4
    for c, count in zip(found, (2, 5, 10, 20), strict=True):
        mean = float(w @ (x * count * density * below ** (count - 1)))
        assert numbers(c.value) == pytest.approx([mean]) == numbers(c.expected)
    assert numbers(found[0].value) == pytest.approx([1 / math.sqrt(math.pi)])


def lq_gradient(bias: Fraction, gain: Fraction, begin: Fraction, jitter: Fraction) -> list[Fraction]:
    """The gradient of the return at the page's system: dual numbers through the linear equations of the discounted moments.

    With x = (1, E s, E s^2) summed over all steps, x = start + fade A x; the return is -c x. So its slope is
    -(dc + fade y dA) x, where y = c + fade y A.
    """
    keep, push, cost, fade = Fraction(9, 10), Fraction(1, 2), Fraction(1, 10), Fraction(19, 20)

    def parts(b: Any, g: Any) -> tuple[Any, Any]:
        k, s = keep + push * g, push * b
        return ((1, 0, 0), (s, k, 0), (s * s + jitter, 2 * k * s, k * k)), (cost * b * b, 2 * cost * b * g, 1 + cost * g * g)

    (_, (s, k, _), (noise, cross, kk)), c = parts(bias, gain)
    x0 = 1 / (1 - fade)
    x1 = (begin + fade * s * x0) / (1 - fade * k)
    x = (x0, x1, (begin**2 + fade * (noise * x0 + cross * x1)) / (1 - fade * kk))
    y2 = c[2] / (1 - fade * kk)
    y1 = (c[1] + fade * y2 * cross) / (1 - fade * k)
    y = (Fraction(0), y1, y2)
    out = []
    for by_bias in (True, False):
        ds, dk = (push, Fraction(0)) if by_bias else (Fraction(0), push)
        rows = {1: (ds, dk, 0), 2: (2 * s * ds, 2 * (dk * s + k * ds), 2 * k * dk)}
        dc = (2 * cost * bias, 2 * cost * gain, 0) if by_bias else (0, 2 * cost * bias, 2 * cost * gain)
        moved = sum(dc[i] * x[i] for i in range(3))
        out.append(-moved - fade * sum(y[r] * rows[r][i] * x[i] for r in (1, 2) for i in range(3)))
    return out


def test_the_gradient_of_the_return() -> None:
    """Of the regulator, of its noiseless twin with a bias, and what a buffer makes of both."""
    gain = Fraction(-3, 10)
    found = line(report(), "by_the_buffer")
    true = lq_gradient(Fraction(0), gain, Fraction(1), Fraction(1, 25))[1]
    assert true == Fraction(-77831424, 13875625) == Fraction(str((found.expected or [0])[0]))
    assert Fraction(str((found.value or [0])[0])) == true / Fraction(2816, 745) == Fraction(-27639, 18625)
    affine = lq_gradient(Fraction(1, 5), gain, Fraction(2), Fraction(0))
    assert affine == [Fraction(-14930928, 428375), Fraction(-216546795936, 7340205625)]
    replay = [Fraction(4941, 856750), Fraction(-2547729, 1713500)]
    for name, wanted in (("simulated_there", affine), ("replayed_there", replay)):
        both = numbers(line(report(), name).value) + numbers(line(report(), name).expected)
        assert both == pytest.approx([float(x) for x in wanted] * 2, rel=1e-8), name
    cosine = sum(map(float.__mul__, map(float, affine), map(float, replay))) / math.hypot(*affine) / math.hypot(*replay)
    assert cosine == pytest.approx(0.643090785906046)


def test_samples_of_another_policy() -> None:
    """Means and variances about x = old + z, by Gauss-Legendre; the weight is the ratio of two normal densities."""
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 14 * z, 14 * w / math.sqrt(2 * math.pi) * np.exp(-98 * z**2)
    x = 1.5 + z
    term, weight = x**2 * (x - 2), np.exp(((x - 1.5) ** 2 - (x - 2) ** 2) / 2)
    assert float(w @ term) == pytest.approx(11 / 8) and numbers(line(report(), "reused").value) == pytest.approx([11 / 8])
    second = float(w @ (weight * term) ** 2)
    assert second - 16 == pytest.approx(342.18290256447264)
    assert numbers(line(report(), "price").expected) == pytest.approx([second - 16])
    assert numbers(line(report(), "price").value) == pytest.approx([3 * 87])


def test_averaging_in_float32_stops_short() -> None:
    slow, online, count = np.float32(0), np.float32(1), 0
    while (new := np.float32(0.995) * slow + np.float32(0.005) * online) != slow:
        slow, count = new, count + 1
    assert 1 - float(slow) == pytest.approx(200 * 2.0**-25) and 2300 < count < 2450
    assert numbers(line(report(), "stalls").value) == pytest.approx([(1 - float(slow)) * 2**23])
    assert math.floor(math.log(1 / 2) / math.log(0.995)) == 138 and math.floor(math.log(1 / 100) / math.log(0.995)) == 918


# ---- mistakes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_mistake_leaves_its_signature(name: str) -> None:
    mistake = next(m for m in page().mistakes if called(m) == name)
    answered = check(page(), mistake.answer, only={BLOCKS[part][0] for part in SIGNATURES[name]})
    for part, expected in SIGNATURES[name].items():
        assert block(answered, part) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_signatures_tell_mistakes_apart() -> None:
    def shown(name: str) -> list[tuple[str, float]]:
        return [(part, round(x, 9)) for part, values in SIGNATURES[name].items() for x in values]

    assert {(a, b) for a in SIGNATURES for b in SIGNATURES if a < b and shown(a) == shown(b)} == {
        ("action_detached", "at_replayed_actions")  # both cut the path through the action
    }


def test_only_mistakes_beside_the_two_losses_have_no_signature() -> None:
    assert {called(m) for m in page().mistakes} - set(SIGNATURES) == {
        "critic_not_frozen",
        "network_target_not_detached",
        "network_critic_not_frozen",
        "noise_not_clipped",
        "noise_as_variance",
        "mean_over_actions",
        "best_action_here",
        "sampled_states",
        "steps_counted_from_one",
    }


def test_every_statement_that_a_program_can_decide_is_decided() -> None:
    """Left out: misprints (16), listings in TensorFlow (36, 39, 44, 48), names and versions of environments (49, 52, 53)."""
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"B-{n:03}" for n in range(1, 54)} - ids == {f"B-{n:03}" for n in (16, 36, 39, 44, 48, 49, 52, 53)}
