"""The page on soft actor-critic: it holds, its numbers are reached by two routes, and every mistake leaves its own signature."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gradcheck_rl import check
from gradcheck_rl.report import Report

from .reading import called, line, numbers, read

# The gradients of both losses on the batch of the page, worked out apart from this project: the closed forms in
# a = 2 tanh(u), d log pi / d mean = 2 tanh(u), d log pi / d log sd = -1 + 2 sd xi tanh(u), in 40 digits, by SymPy and by dual
# numbers, which agree.
RIGHT = {
    "phi1": (1.3788279213107676103, -3.6254654932516415238, -3.3595114120824743297, 2.0480276722013445802, 4.3924162517165215983),
    "phi2": (1.8462029213107676103, -3.4254029932516415238, -3.5759676620824743297, 2.3233432972013445802, 4.8792621892165215983),
    "policy": (-0.17368660337417779159, -0.97939942705598712396, -0.66556663899336007250, -0.35626458499804478638),
    # Of a batch of five noises: mean x^2 (eps / sigma, eps^2 - 1) and mean 2 x (1, sigma eps).
    "score": (7.8496115495763367918, 5.0395426209541804324),
    "path": (3.6671837256838967660, 2.1136108980694581718),
    # Of a loss with an entropy bonus, and of the mean entropy: dH/dz_k = -p_k (log p_k + H).
    "rewarded": (
        0.052419777756149444079,
        -0.44511779735268552608,
        0.39269801959653608200,
        0.37977904969912573126,
        -0.62230794365350709085,
        0.24252889395438135959,
    ),
    "disordered": (
        -0.11833700566610360381,
        0.083857643468723882794,
        0.034479362197379721014,
        -0.041994120020496576489,
        0.063950642613850707847,
        -0.021956522593354131358,
    ),
}
LOSSES = {"regression": 10.168041538851822780, "surprise": -0.18474942993523346872}

# What each mistake makes of them; what it does not change is left out.
SIGNATURES: dict[str, dict[str, tuple[float, ...]]] = {
    "entropy_penalised": {"policy": (-0.289303242685971, -0.987085451592945, -0.298097773878217, -0.384758356787998)},
    "entropy_added": {
        "phi1": (0.771245021373229, -3.00510185479708, -2.47868062855044, 1.3385386326434, 3.29551945295117),
        "phi2": (1.23862002137323, -2.80503935479709, -2.69513687855044, 1.6138542576434, 3.78236539045117),
    },
    "no_log_det": {
        "phi1": (0.856066726980211, -3.30694748793392, -2.69541022482703, 1.59963606858721, 3.34696308180604),
        "phi2": (1.32344172698021, -3.10688498793392, -2.91186647482703, 1.87495169358721, 3.83380901930604),
        "policy": (-0.231494923030075, -0.983242439324466, -0.681832206435788, -0.408011470893021),
    },
    "drawn": {"policy": (-0.0281575886021685, 0.197959888573096, -0.0865, 0.045125)},
    "by_the_old_policy": {
        "phi1": (1.22809395217406, -3.51089647956583, -3.1970717223136, 1.89383725717702, 4.1624653816647),
        "phi2": (1.69546895217406, -3.31083397956583, -3.4135279723136, 2.16915288217702, 4.6493113191647),
    },
    "smallest_of_the_batch": {
        "phi1": (2.29795892294321, -3.53177056247089, -3.24707749514557, 2.54328931471236, 4.98673022272974),
        "phi2": (2.76533392294321, -3.33170806247089, -3.46353374514557, 2.81860493971236, 5.47357616022974),
    },
    "entropy_after_the_end": {
        "phi1": (1.30143654074242, -3.74155256410416, -3.37885925722456, 2.01900590448822, 4.387579290431),
        "phi2": (1.76881154074242, -3.54149006410416, -3.59531550722456, 2.29432152948822, 4.874425227931),
    },
    "attached": {
        "theta": (0.611717466954998, -8.61252203088119, 0.707781285884656, 1.44771130463434),
        "slow1": (-1.57820820385718, -1.73192540214105, 2.64080934912246, 2.97818323929658, -4.55228665246292),
        "slow2": (-3.72450983033814, 11.1735294910144, -7.25264829325427, 21.7579448797628, -14.1229073520444),
    },
    "first_twice": {
        "phi1": (2.75765584262154, -7.25093098650328, -6.71902282416495, 4.09605534440269, 8.78483250343304),
        "phi2": (0, 0, 0, 0, 0),
    },
    "column": {
        "phi1": (1.37882792131077, -0.0282861710042311, -0.403209851454538, 1.01183630738688, 1.10008553118455),
        "phi2": (1.84620292131077, 0.171776328995769, -0.619666101454538, 1.28715193238688, 1.58693146868455),
    },
    "added": {
        "phi1": (0.333305532649654, -2.98842948261619, -2.03130903757158, 1.15124446497308, 2.30150991189556),
        "phi2": (0.800680532649654, -2.78836698261619, -2.24776528757158, 1.42656008997308, 2.78835584939556),
        "policy": (-0.289303242685971, -0.987085451592945, -0.698097773878217, -0.459758356787998),
    },
    "halved": {
        "phi1": (1.11744732414549, -3.46620649059278, -3.02746081845475, 1.82383187039428, 3.86968966676128),
        "phi2": (1.58482232414549, -3.26614399059278, -3.24391706845475, 2.09914749539428, 4.35653560426128),
        "policy": (-0.202590763202126, -0.981320933190227, -0.673699422714574, -0.382138027945533),
    },
    "of_the_squashed": {
        "phi1": (1.04494378711246, -3.39121952427499, -2.90812997975137, 1.7412068642082, 3.71771599691831),
        "phi2": (1.51231878711246, -3.19115702427499, -3.12458622975137, 2.0165224892082, 4.20456193441831),
        "policy": (-0.181442593150446, -0.976941456013623, -0.665949121780417, -0.361498343055831),
    },
    "sign_lost": {
        "phi1": (1.3309317708931, -4.45524339246494, -3.40337361034445, 2.70753097763752, 3.47045191281076),
        "phi2": (1.7983067708931, -4.25518089246494, -3.61982986034445, 2.98284660263752, 3.95729785031076),
        "policy": (0.626313396625822, -0.829399427055987, -0.535639625502433, 0.0624288662981539),
    },
    "two_lost": {
        "phi1": (1.01097581495046, -3.62130844841303, -2.92127373802039, 1.91147202553315, 3.44870087925432),
        "phi2": (1.47835081495046, -3.42124594841303, -3.13772998802039, 2.18678765053315, 3.93554681675432),
        "policy": (-0.0166434653250323, -0.944918656010076, -0.645270157637081, -0.290137135495538),
    },
    "log_prob_detached": {"policy": (-0.231494923030075, -0.983242439324466, -0.481832206435788, -0.370511470893021)},
    "action_detached": {"policy": (0.0578083196558968, 0.00384301226847901, -0.183734432557572, 0.0142468858949766)},
    "action_at_s": {
        "phi1": (-0.199180279953595, -2.92677108387005, -1.26594192924366, 0.933033344129955, 0.795177913185228),
        "phi2": (0.268194720046405, -2.72670858387005, -1.48239817924366, 1.20834896912995, 1.28202385068523),
    },
    "larger": {
        "phi1": (1.01740638743318, -3.53213101181736, -3.05933805261195, 1.8128084593641, 3.77144362916293),
        "phi2": (1.48478138743318, -3.33206851181736, -3.27579430261195, 2.0881240843641, 4.25828956666293),
    },
    "variance_for_sd": {
        "phi1": (1.23600355646377, -3.61901587613365, -3.26529320399159, 1.97575901653221, 4.15003226332484),
        "phi2": (1.70337855646377, -3.41895337613365, -3.48174945399159, 2.25107464153221, 4.63687820082484),
        "policy": (-0.194106578709242, -1.17443322898227, -1.16736425850276, -1.02154389761707),
    },
    "variance_as_scale": {
        "phi1": (1.0621473806094, -3.28544467223481, -2.92860053019048, 1.65858403450479, 3.88388927247141),
        "phi2": (1.5295223806094, -3.08538217223481, -3.14505678019048, 1.93389965950479, 4.37073520997141),
        "policy": (-0.173686603374178, -0.979399427055987, -0.615286216082328, -0.369753649834542),
    },
    "entropy_undiscounted": {
        "phi1": (1.3818965218155, -3.62859864294081, -3.36396005240334, 2.05161095017891, 4.39795613453857),
        "phi2": (1.8492715218155, -3.42853614294081, -3.58041630240334, 2.32692657517891, 4.88480207203857),
    },
    "no_entropy": {
        "phi1": (1.075036471342, -3.31528367402436, -2.91909602031646, 1.69328315242237, 3.84396785233385),
        "phi2": (1.542411471342, -3.11522117402436, -3.13555227031646, 1.96859877742237, 4.33081378983385),
    },
    "alpha_forgotten": {"policy": (0.0575466752494096, -0.964027377982071, -1.40050436922365, -0.299277041418138)},
    "online_critics": {
        "phi1": (1.67873596257803, -4.61837050071891, -3.7559985966432, 3.24850460349304, 4.95849620305687),
        "phi2": (-3.7420530410964, 9.35380556012101, -11.7971029198978, 35.2347391401196, -17.3772621653872),
        "theta": (1.47497162117747, -12.8020888918771, 1.07771452163062, 1.60196812413752),
    },
    "by_the_slow_critics": {"policy": (-0.366059119908416, -0.93350120535189, -0.698386361695291, -0.51903113670696)},
    "by_the_first": {"policy": (-0.41056067439131, -0.742525356038855, -0.587242667141295, -0.43458855685011)},
    "by_both": {"policy": (-0.207251355703869, -0.862417514320395, -0.637581629328546, -0.38808869534126)},
    "by_the_larger": {"policy": (-0.24081610803356, -0.745435601584802, -0.609596619663732, -0.419912805684476)},
    "by_the_smallest_of_the_batch": {"policy": (-1.15246325676751, -1.81156435236663, -1.46540753353337, -1.90826276556872)},
    "descends": {"policy": (0.173686603374178, 0.979399427055987, 0.66556663899336, 0.356264584998045)},
    "with_limit": {
        "phi1": (1.17296320868446, -3.57399931509507, -3.19481964198143, 1.91421560899425, 4.04656353450433),
        "phi2": (1.64033820868446, -3.37393681509507, -3.41127589198143, 2.18953123399425, 4.53340947200433),
    },
    "mean_action": {
        "phi1": (0.471783543536319, -3.55244072445121, -2.35792850516701, 1.64277682112741, 2.26099949858889),
        "phi2": (0.939158543536319, -3.35237822445121, -2.57438475516701, 1.91809244612741, 2.74784543608889),
        "policy": (-0.161632210731436, -1.47275412475777, -0.2, -0.0375),
    },
    "regularised": {
        "phi1": (1.37882520622745, -3.62546350112734, -3.35950803048765, 2.04802504608591, 4.39241131649579),
        "phi2": (1.84620020622745, -3.42540100112734, -3.57596428048765, 2.32334067108591, 4.87925725399579),
        "policy": (-0.173686667960411, -0.979399428462449, -0.665566655432529, -0.356264641173065),
    },
    "critics_not_frozen": {
        "online1": (-0.75, -0.4375, -0.11233296372003063516, -0.19592369590184861277, -0.065444206039294718272),
        "online2": (-0.25, 0.25, -0.17670863455945357548, 0.17670863455945357548, -0.12490376611146604212),
    },
    "reach_by_variance": {"path": (3.40466738528859, 2.03278061944727)},
    "reach_detached": {"path": (0, 0)},
    "reach_by_logarithm": {"path": (2.45, 0.1375)},
    "density_by_variance": {"score": (21.3374564356756, 40.4814561953501)},
    "density_without_scale": {"score": (2.88771071027104, -3.80719324329765)},
    "density_not_normalised": {"score": (7.84961154957634, 8.84673586425183)},
    "samples_live": {"score": (-5.07689354811499, -8.22854869132472)},
    "samples_live_in_density": {"score": (0, -3.80719324329765)},
    "less_the_mean": {"score": (4.39726128453648, 3.08835608376413)},
    "path_summed": {"path": (18.3359186284195, 10.5680544903473)},
    "bonus_negated": {
        "rewarded": (
            0.0287523766229287,
            -0.428346268658941,
            0.399593892036012,
            0.371380225695026,
            -0.609517815130737,
            0.238137589435711,
        )
    },
    "bonus_detached": {
        "rewarded": (
            0.0405860771895391,
            -0.436732033005813,
            0.396145955816274,
            0.375579637697076,
            -0.615912879392122,
            0.240333241695046,
        ),
        "disordered": (0, 0, 0, 0, 0, 0),
    },
    "surprise_for_entropy": {
        "rewarded": (
            0.0442504301989059,
            -0.433376644147693,
            0.389126213948788,
            0.369688853473439,
            -0.573917370520601,
            0.204228517047162,
        )
    },
    "shares_detached": {
        "rewarded": (
            0.0405860771895391,
            -0.436732033005813,
            0.396145955816274,
            0.375579637697076,
            -0.615912879392122,
            0.240333241695046,
        ),
        "disordered": (0, 0, 0, 0, 0, 0),
    },
    "mean_over_actions": {
        "rewarded": (
            0.0445306440450759,
            -0.439527287788104,
            0.394996643743028,
            0.376979441697759,
            -0.61804456747925,
            0.241065125781491,
        ),
        "disordered": (
            -0.0394456685553679,
            0.027952547822908,
            0.0114931207324599,
            -0.0139980400068322,
            0.0213168808712836,
            -0.00731884086445138,
        ),
    },
    "over_the_batch": {
        "rewarded": (
            0.0405860771895391,
            -0.436732033005813,
            0.396145955816274,
            0.379892328145358,
            -0.623298522016391,
            0.246717024778895,
        ),
        "disordered": (0, 0, 0, -0.0431269044828164, 0.0738564262426901, -0.0638378308384937),
    },
    "softmax_twice": {
        "rewarded": (
            -0.0525869064269407,
            -0.0361358224798793,
            0.08872272890682,
            0.0367220421989299,
            -0.0558756617981248,
            0.0191536195991949,
        ),
        "disordered": (
            -0.0141682584301001,
            0.00745151362205052,
            0.00671674480804961,
            -0.00495488542207995,
            0.00430512629361576,
            0.00064975912846419,
        ),
    },
    "logits_for_logs": {
        "rewarded": (
            0.0987554247467826,
            -0.423473186210805,
            0.424717761464023,
            0.391919833922763,
            -0.626803452525029,
            0.253633618602266,
        ),
        "disordered": (
            -0.581693475572435,
            -0.132588467950079,
            -0.285718056477485,
            -0.16340196225687,
            0.108905731329065,
            -0.133003769072196,
        ),
    },
    "in_bits": {
        "rewarded": (
            0.0576584983123528,
            -0.448830133643109,
            0.391171635330757,
            0.381638108567083,
            -0.625139006888188,
            0.243500898321106,
        ),
        "disordered": (
            -0.170724211228137,
            0.120981006372963,
            0.0497432048551741,
            -0.0605847087000663,
            0.0922612749606648,
            -0.0316765662605985,
        ),
    },
    "summed_over_the_batch": {
        "rewarded": (
            0.0879208794559805,
            -0.470275090393303,
            0.382354210937322,
            0.392377285705275,
            -0.641493136437662,
            0.249115850732388,
        ),
        "disordered": (
            -0.473348022664414,
            0.335430573874896,
            0.137917448789519,
            -0.167976480081986,
            0.255802570455403,
            -0.0878260903734165,
        ),
    },
}

# Where the coordinates of a block stand: in the line of which claim, from which on.
BLOCKS = {
    "phi1": ("critics_there", 0),
    "phi2": ("critics_there", 5),
    "policy": ("climbs_there", 0),
    "theta": ("still_there", 0),
    "slow1": ("still_there", 4),
    "slow2": ("still_there", 9),
    "score": ("score_there", 0),
    "path": ("path_there", 0),
    "rewarded": ("rewarded_there", 0),
    "disordered": ("disordered_there", 0),
    "online1": ("judged_there", 0),
    "online2": ("judged_there", 5),
}

TWO = "symbolic + autodiff"
# Which routes must answer: an evaluator that stops applying is noticed here.
ROUTES = {
    **dict.fromkeys(("critics", "still", "climbs", "judged", "regression", "surprise", "coded", "falls_too"), TWO),
    **dict.fromkeys(("unmoved", "linear", "late"), TWO),
    **dict.fromkeys(("stable", "falls", "integrates", "solves", "weighted"), "proof, symbolic"),
    "changed": "proof, exact",
    "likely": "autodiff",
    "returned": "autodiff",
    "path": "integrated",
    "paths": "integrated",
    "pathwise": "integrated + autodiff",
    "dropped": "integrated + autodiff",
    "dropped_noise": "symbolic + integrated + autodiff",
    "smooth": "integrated",
    "low": "symbolic",
    "sampled_once": "listed",
    "improves": "symbolic",
    "single": "called",
    **dict.fromkeys(("summed_up", "pairwise", "score_of_batch", "path_of_batch", "rewarded", "disordered", "of_normal"), TWO),
    **dict.fromkeys(("score_coded", "path_coded", "score_noise", "path_noise"), "symbolic + integrated + autodiff"),
    "squashed_slope": "integrated",
    "surprise_slope": "integrated + autodiff",
    "unreadable": "called",
}


page, report, _ = read("problem12")


def block(report: Report, name: str) -> list[float]:
    claim, start = BLOCKS[name]
    values = [float(v) for v in line(report, claim).value]
    return values[start : start + len(RIGHT.get(name, range(4 if name == "theta" else 5)))]


@pytest.mark.parametrize("claim, routes", ROUTES.items())
def test_the_routes_that_must_answer_do(claim: str, routes: str) -> None:
    assert ", ".join(r.route for r in line(report(), claim).routes) == routes


@pytest.mark.parametrize("name", RIGHT)
def test_both_routes_reach_the_gradients_of_the_batch(name: str) -> None:
    claim, start = BLOCKS[name]
    found = line(report(), claim)
    for side in (found.value, found.expected):
        assert [float(x) for x in side][start : start + len(RIGHT[name])] == pytest.approx(RIGHT[name], rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_both_routes_reach_the_losses_of_the_batch(name: str) -> None:
    found = line(report(), name)  # the batch is the first point
    assert [float(found.value[0]), float(found.expected[0])] == pytest.approx([LOSSES[name]] * 2, rel=1e-12)


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_mistake_leaves_its_signature(name: str) -> None:
    mistake = next(m for m in page().mistakes if called(m) == name)
    answered = check(page(), mistake.answer, only={BLOCKS[part][0] for part in SIGNATURES[name]})
    for part, expected in SIGNATURES[name].items():
        assert block(answered, part) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_only_mistakes_beside_the_two_losses_have_no_signature() -> None:
    assert {called(m) for m in page().mistakes} - set(SIGNATURES) == {"paid_no_entropy", "smoothly_clamped"}


# ---- what an even function does not tell ----------------------------------------------------------------------------------


def test_a_batch_on_the_other_side_of_zero_is_told_by_the_score() -> None:
    """x^2 is the same there, and its slope by the path."""

    def reach(place: Any, log_width: Any, noises: Any) -> Any:
        return -(place + log_width.exp() * noises)

    found = {c.id: c.verdict for c in check(page(), {"reach": reach}, only={"score_of_batch", "path_of_batch"}).claims}
    assert found == {"score_of_batch": "refuted", "path_of_batch": "agrees"}


def test_another_action_near_1_is_told_in_float64_alone() -> None:
    def one_deviation_away(log_sd: Any) -> Any:
        return torch.distributions.Normal(torch.ones(()), log_sd.exp()).log_prob(1 + log_sd.exp())

    found = {c.id: c.verdict for c in check(page(), {"likelihood_at_one": one_deviation_away}).claims}
    assert found == {"rounded": "agrees", "told_apart": "refuted"}


def test_a_constant_moves_the_critics_by_what_it_adds_to_the_target() -> None:
    found = line(report(), "constant")
    still = [1 - int(x) for x in found.witness["done"]]
    moved = -2 * 0.2 * 0.99 * math.log(2) * sum(still) / len(still)
    for first in (0, 5):  # of each critic the constant
        assert numbers(found.value)[first] - numbers(found.expected)[first] == pytest.approx(moved)
