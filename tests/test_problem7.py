"""The page on Gaussian policies: it holds, and its numbers are those of two-by-two matrices in fractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from gradcheck_rl import check

from .reading import read

page, report, line = read("problem7")


def numbers(side: Any) -> list[float]:
    return [float(F(str(x))) for x in side or ()]


# ---- which routes must answer ---------------------------------------------------------------------------------------------

ROUTES: dict[tuple[str, ...], str] = {
    ("symbolic + autodiff",): "density law product mean_score mean_score_below mean_score_each linear_score network_score "
    "free_score symmetric_score factor_score log_score deviation_score log_variance_score softplus_score batched batched_slope "
    "law_score "
    "disorder disorder_each more disorder_full more_full positive shorter density_there mean_score_there free_score_there "
    "symmetric_score_there",
    ("autodiff",): "sampled by_factor no_correlation no_correlation_slope chained constant_in_the_mean",
    (
        "proof",
        "symbolic",
    ): "differentiated centred centred_factor moments information information_each worth "
    "worth_by_logarithm logged normal_too one uncorrelated too_heavy",
    ("symbolic",): "mode",
    ("proof", "exact"): "in_every_sample",
    ("symbolic + integrated + autodiff",): "slope slope_sigma truncated truncated_sigma leaning scatter",
    ("symbolic + integrated + autodiff", "symbolic + sampled + autodiff"): "drawn",
    ("called",): "negative",
}


def test_no_evaluator_silently_stops_applying() -> None:
    wanted = {name: routes for routes, names in ROUTES.items() for name in names.split()}
    found = {c.id: tuple(r.route for r in c.routes) for c in report().claims if c.kind == "claim"}
    assert found == wanted


def test_what_is_said_of_every_dimension_is_checked_from_one_to_four() -> None:
    for name in ("density", "mean_score", "free_score", "symmetric_score", "factor_score", "log_score", "disorder_full"):
        assert line(name).sizes == {f"d = {n}": "agrees" for n in (1, 3, 4)}, name


def test_every_step_of_the_derivations_is_proved() -> None:
    steps = [c for c in report().claims if c.kind == "step"]
    assert len(steps) == 10 and {c.verdict for c in steps} == {"proved"}


def test_every_statement_is_decided() -> None:
    ids = {s.strip() for c in report().claims for s in c.source.split(",")}
    assert {f"C-{n:03}" for n in range(25, 30)} <= ids


# ---- the point of the notes, by fractions ---------------------------------------------------------------------------------

OFF = (F(1, 2), F(-7, 3))  # a - mu = (1 - 1/2, -2 - 1/3)
S = ((F(2), F(1, 2)), (F(1, 2), F(1)))
DET = S[0][0] * S[1][1] - S[0][1] * S[1][0]
P = ((S[1][1] / DET, -S[0][1] / DET), (-S[1][0] / DET, S[0][0] / DET))
SCORE = [sum(p * o for p, o in zip(row, OFF, strict=True)) for row in P]
OUTER = [x * y / 2 for x in SCORE for y in SCORE]
FREE = [x - p / 2 for x, p in zip(OUTER, (P[0] + P[1]), strict=True)]


def test_the_density() -> None:
    distance = sum(s * o for s, o in zip(SCORE, OFF, strict=True))
    assert (DET, distance) == (F(7, 4), F(443, 63))
    wanted = -float(distance) / 2 - math.log(2 * math.pi) - math.log(DET) / 2
    assert wanted == pytest.approx(-5.6335579762500726997, rel=1e-15)
    assert [*numbers(line("density_there").value), *numbers(line("density_there").expected)] == pytest.approx([wanted] * 2)


def test_the_score_of_the_mean_and_its_spurious_half() -> None:
    assert [F(20, 21), F(-59, 21)] == SCORE
    found = line("mean_score_there")
    for side in (found.value, found.expected):
        assert numbers(side) == pytest.approx([float(x) for x in SCORE])
    printed = [x / 2 for x in SCORE]
    assert printed == [F(10, 21), F(-59, 42)]
    functions = page().functions

    def halved(mu: Any, S: Any, a: Any) -> Any:
        return functions["correlated"](mu, S, a) / 2

    answered = check(page(), {functions["correlated"]: halved}, only=["mean_score_there"], timed=False).claims[0]
    assert answered.verdict == "refuted" and numbers(answered.value) == pytest.approx([float(x) for x in printed])


def test_the_score_of_the_covariance() -> None:
    assert [F(74, 441), F(-527, 441), F(-527, 441), F(2977, 882)] == FREE
    free, below = line("free_score_there"), line("symmetric_score_there")
    for side in (free.value, free.expected):
        assert numbers(side) == pytest.approx([float(x) for x in FREE])
    symmetric = [FREE[0], F(0), 2 * FREE[1], FREE[3]]
    assert symmetric[2] == F(-1054, 441)
    for side in (below.value, below.expected):
        assert numbers(side) == pytest.approx([float(x) for x in symmetric])


def test_the_quadratic_form_alone_leaves_its_signature() -> None:
    assert [F(200, 441), F(-590, 441), F(-590, 441), F(3481, 882)] == OUTER
    functions = page().functions
    answer = {functions["correlated"]: functions["quadratic"]}
    found = check(page(), answer, only=["free_score_there", "mean_score_there"], timed=False).claims
    by_id = {c.id: c for c in found}
    assert by_id["mean_score_there"].verdict == "agrees" and by_id["free_score_there"].verdict == "refuted"
    assert numbers(by_id["free_score_there"].value) == pytest.approx([float(x) for x in OUTER])


# ---- one coordinate, by another quadrature --------------------------------------------------------------------------------


def mean(f: Callable[[Any], Any]) -> float:
    """Over a standard normal number, by Gauss-Hermite: exact for polynomials of this degree."""
    z, w = np.polynomial.hermite_e.hermegauss(20)
    return float(w @ f(z) / math.sqrt(2 * math.pi))


def test_one_coordinate() -> None:
    m, c, sigma = 1.0, 0.0, 0.5

    def by_mean(z: Any) -> Any:
        return z / sigma * -((m + sigma * z - c) ** 2)

    def by_sigma(z: Any) -> Any:
        return (z * z - 1) / sigma * -((m + sigma * z - c) ** 2)

    assert mean(by_mean) == pytest.approx(-2 * (m - c)) and mean(by_sigma) == pytest.approx(-2 * sigma)
    assert mean(lambda z: by_mean(z) ** 2) - mean(by_mean) ** 2 == pytest.approx(87 / 4)
    quadratic = mean(lambda z: z * z / sigma * -((m + sigma * z - c) ** 2))
    assert quadratic == pytest.approx(-((m - c) ** 2 + 3 * sigma**2) / sigma)
    found = line("drawn")  # at this very point
    assert numbers(found.expected) == pytest.approx([-2 * sigma])


SIGNATURES = {
    "the spurious one half": lambda right: [x / 2 for x in right],
    "variance for the deviation": None,
    "sample not detached": lambda right: [0 * x for x in right],
}


def test_mistakes_leave_their_signatures() -> None:
    found = {m.says: m for m in report().mistakes}
    assert all(m.caught for m in found.values()) and len(found) >= 20
    for says, made in SIGNATURES.items():
        m = found[says]
        assert m.witness is not None and m.breaks == "mean_score_each"
        off = np.subtract(*([float(F(str(x))) for x in m.witness[name]] for name in ("a", "mu")))
        sd = np.exp([float(F(str(x))) for x in m.witness["log_sd"]])
        right = off / sd**2
        wanted = made(list(right)) if made else list(off / sd**4)
        assert m.signature == pytest.approx(wanted, abs=1e-12), says
