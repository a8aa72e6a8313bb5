"""The page on reparameterisation: it holds, its numbers are reached by two routes, and every mistake leaves its own signature."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcheck_rl import check
from gradcheck_rl.claims import Mistake
from gradcheck_rl.load import load_functions

from .reading import read

N = 3


page, report, line = read("problem3")


# ---- which routes must answer ---------------------------------------------------------------------------------------------

PROOF = ("proof", "symbolic")
IN_EVERY_SAMPLE = ("proof", "exact")
MODEL = ("symbolic",)
NUMPY = ("symbolic + integrated + numpy",)
TORCH = ("symbolic + integrated + autodiff",)

ROUTES: dict[tuple[str, ...], str] = {
    PROOF: "score_identity path_identity slope bottom score_variance path_variance gap fourth parabola levels apart cubic_part "
    "no_part score_any_identity path_any_identity straight edge",
    IN_EVERY_SAMPLE: "decomposed best_is_linear path_part",
    MODEL: "least flat restless better wide narrow heavy optimum never four_levels up_to_three from_four",
    NUMPY: "score_mean path_mean score_over_n path_over_n naive_right reparam_right naive_noise reparam_noise naive_elsewhere "
    "numpy_expects unbiased_variance calming wobble eighty_seven four ratio score_is_four path_is_four",
    ("listed + numpy + symbolic",): "on_data on_noise on_data_elsewhere on_noise_elsewhere",
    TORCH: "score_right path_right score_scatter path_scatter harmless parabola_scatter own_mean others_mean "
    "others_scatter score_any path_any "
    "sine_score sine_path sine_score_noise sine_path_noise nine edge_score",
    (*TORCH, "symbolic + sampled + autodiff"): "score_drawn path_drawn",
    ("symbolic + autodiff",): "edge_path",
    ("autodiff",): "score_sample path_sample edge_value",
    ("called",): "unreadable",
}


def test_no_evaluator_silently_stops_applying() -> None:
    wanted = {name: {frozenset(r.split(" + ")) for r in routes} for routes, names in ROUTES.items() for name in names.split()}
    found = {
        c.id: {frozenset(r.route.split(" + ")) for r in c.routes if r.verdict in ("proved", "agrees")}
        for c in report().claims
        if c.kind == "claim"
    }
    assert found == wanted


def test_what_is_said_of_every_size_is_checked_at_another() -> None:
    for name in ("score_over_n", "path_over_n", "own_mean", "others_mean", "numpy_expects"):
        assert line(name).sizes == {"N = 2": "agrees"}, name


def test_every_statement_is_decided() -> None:
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"A-{n:03}" for n in range(39, 53)} <= ids


# ---- numbers that were worked out elsewhere -------------------------------------------------------------------------------


def moments(f: Callable[[Any], Any]) -> tuple[float, float]:
    """Mean and variance of f(z), z normal, by Gauss-Legendre on twelve deviations: no code of the project's."""
    z, w = np.polynomial.legendre.leggauss(400)
    z, w = 12 * z, 12 * w * np.exp(-72 * z**2) / math.sqrt(2 * math.pi)
    mean = float(w @ f(z))
    return mean, float(w @ f(z) ** 2) - mean**2


def test_the_variances_at_the_published_point() -> None:
    by_score, by_path = moments(lambda z: (2 + z) ** 2 * z), moments(lambda z: 2 * (2 + z))
    assert by_score == pytest.approx((4, 87)) and by_path == pytest.approx((4, 4))
    for name, variance in (("eighty_seven", 87), ("four", 4), ("ratio", 87 / 4)):
        assert line(name).value == pytest.approx([variance])


def test_the_wave_at_zero() -> None:
    by_score, by_path = moments(lambda z: np.sin(3 * z) * z), moments(lambda z: 3 * np.cos(3 * z))
    e9, e18 = math.exp(-9), math.exp(-18)
    assert by_score == pytest.approx((3 * math.exp(-4.5), (1 + 35 * e18) / 2 - 9 * e9))
    assert by_path == pytest.approx((3 * math.exp(-4.5), 4.5 * (1 + e18) - 9 * e9))
    assert line("nine").value == pytest.approx([by_path[1] / by_score[1]])
    assert line("always").value == pytest.approx([by_path[1]]) and line("always").expected == pytest.approx([by_score[1]])


def test_the_step_at_one_half() -> None:
    density = math.exp(-1 / 8) / math.sqrt(2 * math.pi)
    found = line("through")
    assert found.value == [0.0] and [float(v) for v in found.expected or ()] == pytest.approx([density])


def test_the_means_do_not_see_sigma() -> None:
    wanted = {name: ["sigma"] for name in ("flat", "score_is_four", "path_is_four")}
    assert {b.id: b.inputs for b in report().blind_spots} == wanted


# ---- mistakes and answers -------------------------------------------------------------------------------------------------

# What each makes of the claim that catches it, at its witness: by the moments of a normal number.
SIGNATURES: dict[str, Callable[..., float]] = {
    "sign of the score": lambda mu, **_: -2 * mu,
    "x for x^2": lambda **_: 1,
    "the score forgotten": lambda mu, **_: mu**2 + 1,
    "sum instead of mean": lambda mu, **_: 2 * mu * N,
    "mu forgotten": lambda **_: 0,
    "factor 2 forgotten": lambda mu, **_: mu,
    "the square itself": lambda mu, **_: mu**2 + 1,
    "the gradient by sigma": lambda **_: 2,
    "one noise for the whole batch": lambda **_: 4,
    "1 / sigma^2 forgotten, as in the listing": lambda mu, sigma: 2 * mu * sigma**2,
    "1 / sigma for 1 / sigma^2": lambda mu, sigma: 2 * mu * sigma,
    "noise not scaled, as in the listing": lambda **_: 4 / N,
    "noise scaled by the variance": lambda sigma, **_: 4 * sigma**4 / N,
    "ddof forgotten": lambda mu, **_: (mu**4 + 14 * mu**2 + 15) * (1 - 1 / N),
    "variance for standard deviation": lambda mu, sigma: 2 * mu / sigma**2,
    "density for its logarithm": lambda mu, sigma: mu / (2 * sigma * math.sqrt(math.pi)),
    "sampled without gradient": lambda **_: 0,
    "baseline sees the sample": lambda mu, b, **_: 2 * mu - b,
    "the sample in its own baseline": lambda mu, **_: 2 * mu * (1 - 1 / N),
}


def test_every_mistake_is_caught_with_its_signature() -> None:
    assert {m.says for m in report().mistakes} == set(SIGNATURES)
    for m in report().mistakes:
        here = {name: float(Fraction(str(value))) for name, value in (m.witness or {}).items()}
        assert m.caught and m.signature == pytest.approx([SIGNATURES[m.says](**here)], abs=1e-9), m.says


def test_a_mistake_that_is_none_is_not_caught() -> None:
    other = next(item for item in page().names.values() if isinstance(item, Mistake))
    slot = next(iter(other.answer))
    assert check(page(), {slot: slot}, only=["naive_right"], timed=False).ok


NUMPY_CODE = "import numpy as np\n"
ANSWERS = {
    NUMPY_CODE + "def naive_grad(x, mu):\n    return np.mean(x ** 2 * (x - mu))\n": "agrees",
    "def naive_grad(x, mu):\n    return (x ** 2 * (x - mu)).mean()\n": "agrees",
    "def naive_grad(x, mu):\n    return sum(t ** 2 * (t - mu) for t in x) / len(x)\n": "agrees",
    NUMPY_CODE + "def square(x):\n    return np.square(x)\ndef naive_grad(x, mu):\n"
    "    return float(sum(square(x) * (x - mu))) / len(x)\n": "agrees",
    NUMPY_CODE + "def reparam_grad(eps, mu):\n    return np.mean(2 * (eps + mu))\n": "agrees",
    NUMPY_CODE + "def reparam_grad(eps, mu):\n    return np.mean(2 * eps + mu)\n": "refuted",
    NUMPY_CODE + "def reparam_grad(eps, mu):\n    return 2 * np.mean(eps * mu)\n": "refuted",
    "def naive_grad(x, mu):\n    return None\n": "refuted",
}


@pytest.mark.parametrize(("code", "verdict"), ANSWERS.items(), ids=range(len(ANSWERS)))
def test_an_answer_in_numpy_or_without_drops_into_the_slots(code: str, verdict: str, tmp_path: Path) -> None:
    path = tmp_path / "answer.py"
    path.write_text(code)
    (name, function), *_ = [item for item in load_functions(str(path)).items() if item[0] in page().functions]
    claim = "naive_right" if name == "naive_grad" else "reparam_right"
    found = check(page(), {page().functions[name]: function}, only=[claim], timed=False)
    assert [c.verdict for c in found.claims] == [verdict], found.text()


# ---- the figure -----------------------------------------------------------------------------------------------------------


def test_the_figure_has_the_exact_curves_and_is_the_same_for_one_seed() -> None:
    first, again, other = (check(page(), seed=seed, only=["slope"], timed=False, figures=True).figures for seed in (1, 1, 2))
    assert first == again != other
    size = np.array(first["variance"]["score"]["size"])
    assert {10, 100, 500, 1000, 5000} <= set(size)
    assert first["variance"]["score"]["exact"] == pytest.approx(87 / size)
    assert first["variance"]["path"]["exact"] == pytest.approx(4 / size)
    assert first["ratio"]["exact"] == pytest.approx(np.full(size.shape, 87 / 4))
    curves = first["variance"]
    assert first["ratio"]["sampled"] == pytest.approx(np.divide(curves["score"]["sampled"], curves["path"]["sampled"]))
    assert not check(page(), only=["slope"], timed=False).figures


def test_the_band_is_as_wide_as_the_page_says() -> None:
    """Two standard errors: 42 % at 10 data by the score; 28 % by the path, at any number."""
    curves = check(page(), only=["slope"], timed=False, figures=True).figures["variance"]
    for name, at, percent in (("score", 0, 42), ("path", 0, 28.4), ("path", -1, 28.4)):
        assert 200 * math.sqrt(2 / curves[name]["freedom"][at]) == pytest.approx(percent, abs=0.05)
