"""The page on TD3: it holds, its numbers are reached by two routes, and every mistake leaves its own signature."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from gradcheck_rl import check
from gradcheck_rl.report import Report

from .reading import called, line, numbers, read

# The gradients of both losses on the batch of the page, worked out apart from this project: the closed forms
# (2/N) sum (Q_i - y) (1, s, a, s a, a^2) and -(1/N) sum (phi_2 + phi_3 s + 2 phi_4 a) 2 (1 - tanh^2) (1, s), in 40 digits, by
# SymPy and by dual numbers, which agree.
RIGHT = {
    "phi1": (
        0.49124742714596566663,
        -3.4992301891737498344,
        -2.7529246575019651367,
        1.5307590711931362335,
        2.9525060290700010840,
    ),
    "phi2": (
        0.95862242714596566663,
        -3.2991676891737498344,
        -2.9693809075019651367,
        1.8060746961931362335,
        3.4393519665700010840,
    ),
    "policy": (-0.52763808662258523282, -1.0521621269331932031),
    "leak": (-1, -0.1875, 0.0060628254859401694183, 0.88017012911615811226, -0.90514741051280287609),
    "no leak": (0, 0, 0, 0, 0),
}
LOSSES = {"regression": 7.9815330851925938837, "worth": 0.47392375192044601475}

# What each mistake makes of them; what it does not change is left out.
SIGNATURES: dict[str, dict[str, tuple[float, ...]]] = {
    "larger": {
        "phi1": (0.0881055963710396, -3.40013885813337, -2.40394056739783, 1.27543407267509, 2.23198194370812),
        "phi2": (0.55548059637104, -3.20007635813337, -2.62039681739783, 1.55074969767509, 2.71882788120812),
    },
    "smallest_of_the_batch": {
        "phi1": (1.4334375, -3.08140625, -2.358078125, 1.8240703125, 3.49625546875),
        "phi2": (1.9008125, -2.88134375, -2.574534375, 2.0993859375, 3.98310140625),
    },
    "each_its_own": {
        "phi1": (0.367497427145966, -3.37548018917375, -2.60442465750197, 1.38225907119314, 2.77430602907),
        "phi2": (0.67923059637104, -3.32382635813337, -2.76889681739783, 1.69924969767509, 2.89702788120812),
    },
    "noise_not_clipped": {
        "phi1": (0.715544228235366, -3.5553043894461, -3.15665889946289, 1.63169263168337, 3.67922766459966),
        "phi2": (1.18291922823537, -3.3552418894461, -3.37311514946289, 1.90700825668337, 4.16607360209966),
    },
    "action_not_clipped": {
        "phi1": (0.863906682565838, -3.87188944459362, -3.20011576400581, 1.97795017769698, 3.48913535687462),
        "phi2": (1.33128168256584, -3.67182694459362, -3.41657201400581, 2.25326580269698, 3.97598129437462),
    },
    "noise_by_variance": {
        "phi1": (0.525820072940201, -3.47120422622216, -2.69781422185112, 1.53898293692051, 2.92371196374676),
        "phi2": (0.993195072940201, -3.27114172622216, -2.91427047185112, 1.81429856192051, 3.41055790124676),
    },
    "attached": {
        "slow1": (-0.272863655749012, -0.447354645899759, 0.747835608446717, 0.942102391730393, -1.2486168560671),
        "slow2": (-3.272445, 9.817335, -6.54489, 19.63467, -13.08978),
        "slow_theta": (-0.82010644445987, -1.15409589582495),
    },
    "first_twice": {
        "phi1": (0.982494854291931, -6.9984603783475, -5.50584931500393, 3.06151814238627, 5.90501205814),
        "phi2": (0, 0, 0, 0, 0),
    },
    "column": {
        "phi1": (0.491247427145966, -0.194707513660131, 0.0738646641590435, 0.495930145153593, -0.0321343366844275),
        "phi2": (0.958622427145966, 0.00535498633986856, -0.142591585840957, 0.771245770153593, 0.454711600815572),
    },
    "descends": {"policy": (0.527638086622585, 1.05216212693319)},
    "mean_of_both": {
        "phi1": (0.289676511758503, -3.44968452365356, -2.5784326124499, 1.40309657193411, 2.59224398638906),
        "phi2": (0.757051511758503, -3.24962202365356, -2.7948888624499, 1.67841219693411, 3.07908992388906),
    },
    "first_only": {
        "phi1": (0.367497427145966, -3.37548018917375, -2.60442465750197, 1.38225907119314, 2.77430602907),
        "phi2": (0.834872427145966, -3.17541768917375, -2.82088090750196, 1.65757469619314, 3.26115196657),
    },
    "noise_after_the_clip": {
        "phi1": (0.863906682565838, -3.87188944459362, -3.20011576400581, 1.97795017769698, 3.48913535687462),
        "phi2": (1.33128168256584, -3.67182694459362, -3.41657201400581, 2.25326580269698, 3.97598129437462),
    },
    "action_squashed": {
        "phi1": (0.828157090619258, -3.44336737344263, -3.03357920876545, 1.62984919381027, 3.69725605046406),
        "phi2": (1.29553209061926, -3.24330487344263, -3.25003545876545, 1.90516481881027, 4.18410198796406),
    },
    "no_noise": {
        "phi1": (0.101235804852333, -3.16852494624113, -1.85473636325932, 1.19859735260209, 1.65149636185844),
        "phi2": (0.568610804852333, -2.96846244624113, -2.07119261325932, 1.47391297760209, 2.13834229935844),
    },
    "one_noise": {
        "phi1": (-0.0197573757591008, -3.37147898844748, -1.83311601227285, 1.30080690988586, 1.29685046765759),
        "phi2": (0.447617624240899, -3.17141648844748, -2.04957226227285, 1.57612253488586, 1.78369640515759),
    },
    "noise_on_the_replayed_action": {
        "phi1": (0.556247427145966, -3.52860518917375, -1.31497386452266, -0.0857635017678666, 0.408176776087668),
        "phi2": (0.862622427145966, -3.22854268917375, -1.37959261452266, 0.0708833732321334, 0.746310213587668),
    },
    "online_actor": {
        "phi1": (0.586036023010989, -3.50709783258414, -2.87288971228024, 1.57024803822122, 3.19883577833816),
        "phi2": (1.05341102301099, -3.30703533258414, -3.08934596228024, 1.84556366322122, 3.68568171583816),
    },
    "online_not_detached": {
        "phi1": (0.885009693484187, -4.63768531194387, -2.80703795028814, 3.31891913703461, 2.64847707453471),
        "phi2": (-2.96705035049407, 9.80991062636802, -12.9942155201283, 30.1839999220288, -13.9407686981297),
        "slow_theta": (-0.913047244869264, -1.28076160138923),
    },
    "online_detached": {
        "phi1": (1.16115464950593, -4.17689187363198, -3.58659927012826, 2.33520429702877, 3.95470536437032),
        "phi2": (1.62852964950593, -3.97682937363198, -3.80305552012826, 2.61051992202877, 4.44155130187032),
    },
    "averaged": {
        "phi1": (0.245623713572983, -1.74961509458687, -1.37646232875098, 0.765379535596568, 1.476253014535),
        "phi2": (0.479311213572983, -1.64958384458687, -1.48469045375098, 0.903037348096568, 1.719675983285),
    },
    "smaller_error": {
        "phi1": (1.83897187032898, -1.65505546758224, -2.35389936659216, 2.02284984164804, 3.08951885986589),
        "phi2": (-1.08634944318301, -1.50411222159151, -0.315481540909807, -0.397975145454903, -0.105206893295884),
    },
    "smaller_prediction": {"phi2": (0, 0, 0, 0, 0)},
    "end_forgotten": {
        "phi1": (0.970652751106051, -2.78012220323362, -2.63307332651194, 1.71053606767817, 2.98246886181751),
        "phi2": (1.43802775110605, -2.58005970323362, -2.84952957651194, 1.98585169267817, 3.46931479931751),
    },
    "by_the_smaller": {"policy": (-0.160419645634248, -1.29672009893454)},
    "by_both": {"policy": (-0.7801422123942, -2.49712386191952)},
    "by_the_second": {"policy": (-0.252504125771615, -1.44496173498633)},
    "with_noise": {"policy": (-0.47974289105981, -1.04512543100461)},
    "actor_of_the_actor": {"policy": (-0.0162615879403884, -0.273762326272411)},
    "action_detached": {"policy": (0, 0)},
}

# Where the coordinates of a block stand: in the line of which claim, from which on, and how many.
BLOCKS = {
    "phi1": ("regress_there", 0, 5),
    "phi2": ("regress_there", 5, 5),
    "policy": ("climbs_there", 0, 2),
    "leak": ("leaks_there", 0, 5),
    "no leak": ("leaks_there", 5, 5),
    "theta": ("still_there", 0, 2),
    "slow_theta": ("still_there", 2, 2),
    "slow1": ("still_there", 4, 5),
    "slow2": ("still_there", 9, 5),
}

TWO = "symbolic + autodiff"
# Which routes must answer: an evaluator that stops applying is noticed here.
ROUTES = {
    TWO: "regress regression by_features aimed smoothed still climbs worth judged leaks unseen seen regress_there still_there "
    "climbs_there leaks_there networks_regress networks_aimed networks_still networks_climb networks_judged networks_backward "
    "networks_backward_too edge together slowly delayed by_two same_steps from_a_list used_up not_thawed",
    "autodiff": "own coded_noise coded_action",
    "proof, symbolic": "model_judged coins alone unmixed independent cancelling fair",
    "symbolic": "model_still low_for_coins exact shrunk",
    "symbolic + integrated": "low high centred less rarely shifted inwards",
    "symbolic + integrated + autodiff": "one_scale",
    "called": "stuck no_twin too_few",
}
# Of claims made in a row: how their names begin.
ROWS = {"by_": TWO, "at_": TWO}


page, report, _ = read("problem11")


def block(report: Report, name: str) -> list[float]:
    claim, start, size = BLOCKS[name]
    return numbers(line(report, claim).value)[start : start + size]


def test_the_routes_that_must_answer_do() -> None:
    wanted = {name: routes for routes, names in ROUTES.items() for name in names.split()}
    found = {c.id: ", ".join(r.route for r in c.routes) for c in report().claims if c.kind == "claim"}
    assert {name: routes for name, routes in found.items() if name in wanted or not name.startswith(tuple(ROWS))} == wanted
    for start, routes in ROWS.items():
        assert {r for name, r in found.items() if name.startswith(start) and name not in wanted} == {routes}


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


def test_the_listings_noise() -> None:
    """Deviation 1/5, clipped at 1/2: moments by Gauss-Legendre between the corners, chances by the normal distribution."""
    z, w = np.polynomial.legendre.leggauss(200)
    pieces = [(-12, -2.5), (-2.5, 1), (1, 2.5), (2.5, 12)]  # the outer clip at mean 9/5 begins at one deviation
    x = np.concatenate([(a + b) / 2 + (b - a) / 2 * z for a, b in pieces])
    mass = np.concatenate([(b - a) / 2 * w for a, b in pieces]) * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    noise = np.clip(x / 5, -0.5, 0.5)
    assert float(mass @ noise**2) == pytest.approx(0.039102399338112269)
    spread = page().names["less"].that.right.of
    listed = {x: {"sd": 0.2, "bound": 0.5}[x.name] for x in spread.free_symbols}
    assert float(spread.subs(listed)) == pytest.approx(float(mass @ noise**2))
    assert 2 * NormalDist().cdf(-2.5) == pytest.approx(0.01241933065155227)
    mean = float(mass @ np.clip(1.8 + noise, -2, 2))
    assert mean == pytest.approx(1.7837377333182884)
    assert numbers(line(report(), "inwards").value) == pytest.approx([mean])


def test_the_smaller_of_two_normals() -> None:
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 12 * z, 12 * w * np.exp(-72 * z**2) / math.sqrt(2 * math.pi)
    smaller = float(w @ (2 * z * [NormalDist().cdf(-t) for t in z]))
    assert smaller == pytest.approx(-1 / math.sqrt(math.pi)) == pytest.approx(-0.56418958354775628695)


def test_a_clip_is_no_tanh() -> None:
    """At mean 9/5 with noise 1/2 and limit 2: the clip gives 2; the prose, read in two ways, gives less."""
    assert min(1.8 + 0.5, 2) == 2
    assert [2 * math.tanh(2.3), 2 * math.tanh(1.15)] == pytest.approx([1.96019279253238, 1.63550815594058])


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

    same = {(a, b) for a in SIGNATURES for b in SIGNATURES if a < b and shown(a) == shown(b)}
    assert same == {("action_not_clipped", "noise_after_the_clip")}  # clipping what tanh has bounded does nothing


def test_only_mistakes_beside_the_two_losses_have_no_signature() -> None:
    assert {called(m) for m in page().mistakes} - set(SIGNATURES) == {
        "critic_not_frozen",
        "network_target_not_detached",
        "network_critic_not_frozen",
        "never_delayed",
        "first_delayed",
        "rates_swapped",
        "noise_as_variance",
    }


def test_every_statement_that_a_program_can_decide_is_decided() -> None:
    """Left out: a label (69), a listing in TensorFlow (72), a mistranslation (73)."""
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"B-{n:03}" for n in range(54, 74)} - ids == {f"B-{n:03}" for n in (69, 72, 73)}


# ---- what a number that is 0 or even does not tell ------------------------------------------------------------------------


def test_critics_that_never_move_are_not_the_same_steps() -> None:
    """With one optimiser or two: no weight differs where none moves."""
    found = check(page(), {"separately": lambda: (0, 0)}).claims
    assert [(c.id, c.verdict) for c in found] == [("same_steps", "refuted")]


def test_the_listings_noise_with_another_sign_is_another() -> None:
    """Its variance is the same, and its law too."""
    found = check(page(), {"listed_noise": lambda xi, sd: -sd * xi}).claims
    assert {c.id: c.verdict for c in found} == {"one_scale": "agrees", "coded_noise": "refuted", "coded_action": "refuted"}
