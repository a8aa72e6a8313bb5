"""The verdict on two formulas: right on every pair of the table, certified where it refutes, and never a pass by accident."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_rl import (
    Gaussian,
    InputError,
    ProblemError,
    Simplex,
    Uniform,
    Variable,
    erf,
    erfinv,
    log,
    maximum,
    minimum,
    softmax,
    sqrt,
    step,
    tanh,
)
from gradcheck_rl.evaluators import proof
from gradcheck_rl.expectation import E
from gradcheck_rl.expressions import values
from gradcheck_rl.grading import equality
from gradcheck_rl.grading.equality import compare_formulas
from gradcheck_rl.grading.formula import parse
from gradcheck_rl.grading.meaning import index
from gradcheck_rl.grading.tex import parse_tex
from gradcheck_rl.laws import Draw
from gradcheck_rl.notation import notation
from gradcheck_rl.typeset import latex
from gradcheck_rl.verdict import Ruling, Verdict

from .formulas import DIFFERENT, EQUAL, QUESTIONS, Row, names, rows
from .test_formula import Trees
from .verdicts import PAGE, PASSES, RIGHT, page, rulings

X, Y, P = Variable("x"), Variable("y"), Variable("p", over=Uniform(0.1, 0.9))
x, y, p = X[()], Y[()], P[()]


# ---- the table ------------------------------------------------------------------------------------------------------------


def rows_of(truth: str) -> list[tuple[Row, Ruling]]:
    return [(row, ruling) for row, ruling in rulings() if row.truth == truth]


def test_the_table_is_large_and_no_pair_stands_in_it_twice() -> None:
    assert len(rows()) >= 200
    twice = [k for k, n in Counter((r.group, r.left, r.right) for r in rows()).items() if n > 1]
    assert twice == []


def test_there_are_five_forms_of_every_question_and_a_wrong_one() -> None:
    assert all(len(q.right) >= 5 and q.wrong for q in QUESTIONS)
    assert {q.problem for q in QUESTIONS} == {"problem1", "problem2", "problem3", "problem4"}


def test_no_pair_passes_or_fails_falsely() -> None:
    wrong = [(row, ruling.verdict) for row, ruling in rulings() if ruling.verdict not in RIGHT[row.truth]]
    assert wrong == []


def test_most_identities_are_proved() -> None:
    found = Counter(ruling.verdict for row, ruling in rulings() if row.truth == "equal")
    assert found[Verdict.PROVED] > 4 * found[Verdict.AGREES]


def test_the_published_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.verdicts`"


def test_a_refutation_holds_at_its_witness() -> None:
    """The two sides evaluated again there, at the witness alone."""
    checked = 0
    for row, ruling in rulings():
        if ruling.verdict is Verdict.REFUTED and not ruling.drawn and not row.problem:
            a, b = (np.ravel(np.asarray(side, dtype=object)) for side in row.sides())
            there = ruling.points.rows[ruling.at]
            apart = values([sp.sympify(u) - sp.sympify(v) for u, v in zip(a, b, strict=True)], [there]).exact
            assert apart is not None
            assert not all(t == 0 or (hasattr(t, "contains") and t.is_finite() and t.contains(0)) for t in apart.ravel()), row
            checked += 1
    assert checked > 60


def decided(pairs: tuple[tuple[str, str, str], ...]) -> dict[str, Verdict]:
    return {why: compare_formulas(parse(a, names()), parse(b, names())).verdict for why, a, b in pairs}


def test_a_proof_overrules_no_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: everything is proved."""
    monkeypatch.setattr(proof, "proves", lambda *_: True)
    assert set(decided(DIFFERENT).values()) == {Verdict.REFUTED}


def test_the_table_notices_that_domains_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: no value is ever missing for certain."""
    monkeypatch.setattr(equality, "_guards", lambda _: [])
    found = decided(tuple(d for d in DIFFERENT if d[0] in ("log without domain", "root without domain", "pole")))
    assert [v for v in found.values() if v is not Verdict.REFUTED]


def test_the_table_notices_that_bits_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: 64 bits, which are 19 digits."""
    monkeypatch.setattr(equality, "BITS", (64, 64))
    monkeypatch.setattr(proof, "proves", lambda *_: False)
    assert Verdict.UNDECIDED in decided(tuple(e for e in EQUAL if "tanh" in e[0])).values()


def test_an_index_is_missed_where_its_values_are_left_to_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the cases are not listed, and four points drawn. Some seed then never meets the one wrong entry of sixteen."""
    monkeypatch.setattr(equality, "_cases", lambda _: [])
    monkeypatch.setattr(equality, "POINTS", 4)
    with pytest.raises(AssertionError):
        test_every_value_of_an_index_is_tried()


# ---- how it is decided ----------------------------------------------------------------------------------------------------


def verdict(a: Any, b: Any) -> Verdict:
    return compare_formulas(a, b).verdict


def test_a_proof_is_said_of_a_proof_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(tanh(2 * x), 2 * tanh(x) / (1 + tanh(x) ** 2)) is Verdict.PROVED
    monkeypatch.setattr(proof, "proves", lambda *_: False)
    ruling = compare_formulas(tanh(2 * x), 2 * tanh(x) / (1 + tanh(x) ** 2))
    assert (ruling.verdict, ruling.remark) == (Verdict.AGREES, "equal at 24 points to 60 digits")


@given(st.integers(1, 55), st.integers(-3, 3).filter(bool))
def test_a_difference_is_seen_however_small(digits: int, times: int) -> None:
    assert verdict(tanh(x) + sp.Rational(times, 10**digits), 1 - 2 / (sp.exp(2 * x) + 1)) is Verdict.REFUTED


def test_what_cancels_is_computed_with_more_bits() -> None:
    """tanh cancels to 80 digits; at 256 bits, 77 digits, nothing of the rest is left."""
    small = sp.Rational(1, 10**80)
    gone = (sp.tanh(x) + small * sp.exp(x) - (1 - 2 / (sp.exp(2 * x) + 1))) / small
    assert verdict(gone, sp.exp(x)) in PASSES
    assert verdict(gone, 2 * sp.exp(x)) is Verdict.REFUTED


@settings(max_examples=40)
@given(st.recursive(Trees.leaves, Trees.grown, max_leaves=6))
def test_a_formula_equals_itself_expanded(made: tuple[str, Any]) -> None:
    assert verdict(made[1], sp.expand(made[1])) in PASSES


@settings(max_examples=40)
@given(st.recursive(Trees.leaves, Trees.grown, max_leaves=6), st.sampled_from([1, -1, sp.Rational(1, 10**9)]))
def test_a_formula_is_not_itself_and_more(made: tuple[str, Any], more: Any) -> None:
    assert verdict(made[1] + more, made[1]) is Verdict.REFUTED


@settings(max_examples=40)
@given(st.recursive(Trees.leaves, Trees.grown, max_leaves=6), st.integers(0, 3))
def test_the_verdict_does_not_depend_on_the_seed_or_the_side(made: tuple[str, Any], seed: int) -> None:
    a, b = made[1], sp.expand(made[1]) + (seed % 2)
    assert (compare_formulas(a, b, seed).verdict in PASSES) == (compare_formulas(b, a).verdict in PASSES) == (seed % 2 == 0)


def test_the_spaces_of_the_variables_decide_a_root() -> None:
    assert verdict(sqrt(x**2), x) is Verdict.REFUTED
    assert verdict(sqrt(p**2), p) is Verdict.PROVED


# ---- where a side has no value --------------------------------------------------------------------------------------------


def test_an_answer_without_value_where_there_is_one_is_wrong() -> None:
    ruling = compare_formulas(log(x**3) / 3, log(abs(x)))
    assert ruling.verdict is Verdict.REFUTED and "no value here" in ruling.note
    assert ruling.points.witness(ruling.at, ["x"]) == {"x": "-1"}


def test_where_the_expected_formula_has_no_value_nothing_is_asked() -> None:
    assert verdict(log(x**2), 2 * log(x)) in PASSES


def test_an_expected_formula_without_value_is_the_pages_fault() -> None:
    with pytest.raises(ProblemError, match="no value at any point"):
        compare_formulas(p, log(-p))


def test_nought_times_its_logarithm_is_left_out_and_counted() -> None:
    known = names()
    ruling = compare_formulas(parse("-sum(Pm*log(Pm))", known), parse("-sum(Pm*log(Pm + 1 - m))", known))
    assert ruling.verdict in PASSES and ruling.removed > 0


def test_what_cannot_be_told_is_undecided() -> None:
    hidden = sqrt(sp.atan(p) + sp.atan(1 / p) - sp.pi / 2)
    ruling = compare_formulas(x + hidden, x)
    assert ruling.verdict is Verdict.UNDECIDED and "cannot be told" in ruling.note


# ---- vectors, indices, draws ----------------------------------------------------------------------------------------------


def test_the_entry_that_differs_is_named() -> None:
    ruling = compare_formulas([x, y, x + y], [x, y, x - y])
    assert ruling.note.startswith("entry 2: ")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (x, "has one entry, and a vector of 3 was asked for: write a vector"),
        ([x, y], "entry 2 is missing"),
        ([x, y, x, y], "leave out"),
    ],
)
def test_a_wrong_number_of_entries_is_no_wrong_answer(answer: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        compare_formulas(answer, [x, y, 1])


def test_every_value_of_an_index_is_tried() -> None:
    """A formula that is wrong for one entry of sixteen; nothing is left to the draw of points."""
    vector, i = Variable("v", 16), index("i", 16)
    table = vector.array.copy()
    table[11] = table[11] + 1
    for seed in range(5):
        ruling = compare_formulas(table[i], vector[i], seed)
        assert ruling.verdict is Verdict.REFUTED and ruling.points.witness(0, ["i"]) == {"i": "11"}


def test_a_mean_by_quadrature_is_known_to_six_digits() -> None:
    u = Draw("u", Gaussian(x, 1))
    ruling = compare_formulas(E(tanh(u)), E(tanh(u[()])) + sp.Rational(1, 10**20) * x)
    assert (ruling.verdict, ruling.remark) == (Verdict.AGREES, "equal at 24 points to 6 digits")
    assert verdict(E(tanh(u)), E(tanh(u)) + x / 1000) is Verdict.REFUTED


def test_a_closed_mean_is_exact() -> None:
    u = Draw("u", Gaussian(x, 1))
    assert verdict(E(u[()] ** 2), x**2 + 1) is Verdict.PROVED


def test_a_draw_stands_for_each_of_its_outcomes() -> None:
    known = names()
    assert verdict(parse("R[act]", known), parse("E(R[act])", known)) is Verdict.REFUTED
    assert verdict(parse("log(P[act])", known), parse("w[act] - log(sum(exp(w)))", known)) in PASSES


# ---- shrinking, infinity, size --------------------------------------------------------------------------------------------


def test_the_witness_is_simple() -> None:
    ruling = compare_formulas((x + y) ** 2, x**2 + y**2)
    assert ruling.points.witness(ruling.at, ["x", "y"]) == {"x": "1", "y": "1"}


def test_infinity() -> None:
    assert verdict(sp.oo, sp.oo) in PASSES
    assert verdict(sp.oo, x) is verdict(x, sp.oo) is verdict(sp.oo, -sp.oo) is Verdict.REFUTED
    assert verdict(10**400 * x, 10**400 * x) in PASSES
    assert verdict(10**400 + p, 10**400 + 2 * p) is Verdict.REFUTED


@pytest.mark.parametrize("n", [4, 12])
def test_squares_within_squares(n: int) -> None:
    tower = x
    for _ in range(n):
        tower = tower**2 + 1
    assert verdict(tower, tower + 1) is Verdict.REFUTED
    assert verdict(tower, (tower - 1) + 1) is Verdict.PROVED


def test_a_ruling_tells_what_a_report_needs() -> None:
    assert all(r.route in ("proof", "points") and (r.note == "") == (r.verdict in PASSES) for _, r in rulings())
    assert all(r.remark.startswith("equal at ") for _, r in rows_of("equal") if r.verdict is Verdict.AGREES)


def test_an_error_function_and_a_softmax() -> None:
    w = Variable("w", 3)
    assert verdict(erf(x), -erf(-x)) is Verdict.PROVED
    assert verdict(softmax(w)[0], softmax(w)[1]) is Verdict.REFUTED


# ---- beyond the points that are drawn -------------------------------------------------------------------------------------

FAR = st.integers(40, 10**30).flatmap(lambda n: st.sampled_from([n, -n, sp.Rational(n, 7)]))
SWITCHED: dict[str, Any] = {
    "step": lambda at: step(x - at) - step(-at),
    "window": lambda at: step(x - at) * step(at + sp.Rational(1, 10**9) - x),
    "abs": lambda at: abs(x - at) + sp.sign(at) * (x - at),
    "sign": lambda at: sp.sign(x - at) + sp.sign(at),
    "max": lambda at: maximum(x, at) - (at if at > 0 else x),
    "within": lambda at: maximum(0, minimum(x - abs(at), 1)),
    "with another variable": lambda at: step(x - y - at) - step(-at),
    "smooth": lambda at: tanh(10**9 * (x - at)) + sp.sign(at),
    "bump": lambda at: sp.exp(-((x - at) ** 2)),
    "root": lambda at: sqrt((x - at) ** 2 + sp.Rational(1, 10**150)) + sp.sign(at) * (x - at),
}


@settings(max_examples=60)
@given(st.sampled_from(sorted(SWITCHED)), FAR)
def test_no_switch_is_too_far_out(kind: str, at: Any) -> None:
    ruling = compare_formulas(2 * x + SWITCHED[kind](sp.sympify(at)), 2 * x)
    assert ruling.verdict is Verdict.REFUTED
    there = ruling.points.rows[ruling.at]
    assert abs(there[x]) <= 2 * (abs(at) + 60), "within sight of the switch"


@given(st.sampled_from([sp.Rational(1, 10), sp.Rational(9, 10)]), st.integers(4, 12))
def test_a_switch_at_the_very_end_of_a_space_is_found_and_one_outside_is_none(end: Any, digits: int) -> None:
    inside = sp.Rational(1, 2) - end
    edge, outside = (end + sign * sp.sign(inside) * sp.Rational(1, 10**digits) for sign in (1, -1))
    turned = -1 if inside > 0 else 1
    assert verdict(p + step(turned * (p - edge)), p) is Verdict.REFUTED
    assert verdict(p + step(turned * (p - outside)), p) in PASSES


@given(FAR)
def test_switches_that_say_the_same_pass(at: Any) -> None:
    assert verdict(maximum(x, at) + minimum(x, at), x + at) in PASSES
    assert verdict(step(x - at) * (x - at), maximum(x - at, 0)) in PASSES


def test_the_far_switch_is_missed_where_only_drawn_points_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: nothing is asked beside the switches."""
    monkeypatch.setattr(equality, "BASES", 0)
    assert verdict(2 * x + step(x - 10**6), 2 * x) in PASSES


@settings(max_examples=40)
@given(st.integers(2, 5), st.data())
def test_a_switch_anywhere_inside_a_simplex_is_seen(n: int, data: st.DataObject) -> None:
    """Along any direction, as near to its end as one likes; beyond the end there is nothing to see."""
    chances = Variable("chances", (2, n), over=Simplex())
    rise = data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n).filter(lambda r: len(set(r)) > 1))
    row, digits = data.draw(st.integers(0, 1)), data.draw(st.integers(0, 12))
    beyond = sp.Rational(max(rise) - min(rise), 10**digits) / 2
    inner, along = chances.array[row, 0], sum(r * q for r, q in zip(rise, chances.array[row], strict=True))
    wrong = compare_formulas(inner + step(along - max(rise) + beyond), inner)
    assert wrong.verdict is Verdict.REFUTED and all(sum(q) == 1 for q in wrong.points.exact["chances"][wrong.at])
    assert verdict(inner + step(along - max(rise) - beyond), inner) in PASSES


def test_a_switch_that_is_reached_with_the_other_probabilities_fixed_is_seen() -> None:
    """It is linear in one of them, and in no way that changes all."""
    q = Variable("q", 4, over=Simplex()).array
    assert verdict(q[0] + step(q[0] * q[1] - q[2] / 10**6), q[0] + 1) is Verdict.REFUTED


@pytest.mark.parametrize("far", [30, 10**6, 10**12])
def test_a_switch_beside_a_mean_in_floats_is_seen(far: int) -> None:
    u, noise = Draw("u", Gaussian(x, 1)), Draw("noise", Gaussian(0, 1))
    mean, same = E(tanh(u)), E(tanh(noise + x))
    assert verdict(mean + step(x - far), same) is Verdict.REFUTED
    for right in (mean + step(x - far), mean * maximum(x, far), E(sp.exp(u[()]) * tanh(u)) * step(far - x)):
        assert verdict(right.xreplace({mean: same}), right) in PASSES


def test_a_switch_in_a_sum_of_very_many_terms_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equality, "NODES", 100)
    many = Variable("many", 50)
    total = sum(tanh(m) ** 2 for m in many.array)
    assert verdict(total + step(x - 10**6), total) is Verdict.REFUTED


NOTHING = sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1  # 0, which no ball tells
HIDING = {
    "a root": sqrt(maximum(-x, 0) * NOTHING),
    "a logarithm": maximum(x, 0) * log(maximum(x, 0)) - maximum(x, 0) * log(2 * maximum(x, 0)) + maximum(x, 0) * sp.log(2),
}


@pytest.mark.parametrize("how", HIDING)
@given(slope=st.integers(1, 9))
def test_what_is_wrong_does_not_hide_where_no_value_can_be_told(how: str, slope: int) -> None:
    """Right where x is positive; elsewhere the term is 0, and the rest is wrong."""
    assert verdict(slope * x + HIDING[how], slope * maximum(x, 0)) not in PASSES
    assert verdict(slope * maximum(x, 0) + HIDING[how], slope * maximum(x, 0)) is not Verdict.REFUTED


def test_nought_times_its_logarithm_is_nought() -> None:
    right = maximum(x, 0) * log(maximum(x, 0) + 1 - step(x))
    assert verdict(maximum(x, 0) * log(maximum(x, 0)), right) is Verdict.AGREES
    assert verdict(maximum(x, 0) * log(maximum(x, 0)) + minimum(x, 0), right) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("answer", "expected", "verdict_"),
    [
        ("sqrt(2) erfinv(2p - 1)", "-sqrt(2) erfinv(1 - 2p)", Verdict.PROVED),
        ("erf(2 erfinv(h)/2)", "h", Verdict.PROVED),
        ("erfc(-erfinv(2p - 1))/2", "p", Verdict.PROVED),
        ("erfinv(h)^2", "erfinv(-h)^2", Verdict.PROVED),
        ("erfinv(2p)", "erfinv(2p - 1)", Verdict.REFUTED),
        ("erfinv(h)", "erfinv(h) + 10^-20", Verdict.REFUTED),
        ("sqrt(erfinv(h)^2)", "erfinv(h)", Verdict.REFUTED),
        ("a + erfinv(a) - erfinv(a/1.1)", "a", Verdict.REFUTED),
    ],
)
def test_the_inverse_of_erf_in_an_answer(answer: str, expected: str, verdict_: Verdict) -> None:
    assert compare_formulas(parse(answer, names()), parse(expected, names())).verdict is verdict_


@given(st.integers(11, 90))
def test_the_inverse_of_erf_beyond_its_end_is_no_answer(tenths: int) -> None:
    far = Variable("far", over=Uniform(tenths / 10, 10))
    ruling = compare_formulas(erfinv(far) ** 2, far)
    assert ruling.verdict is Verdict.REFUTED and ruling.note.endswith("or erfinv beyond 1")
    assert "erfinv" not in compare_formulas(log(-far), far).note


def test_the_inverse_of_erf_in_latex() -> None:
    for tex in (r"\operatorname{erfinv}(2 p - 1)", r"\mathrm{erfinv}\left(2p-1\right)"):
        assert parse_tex(tex, names()) == parse("erfinv(2p - 1)", names())
    for e in (erfinv(2 * x - 1), erfinv(x / 3) ** 2, 1 / erfinv(x)):
        assert parse_tex(latex(notation(e)), {"x": x}) == sp.sympify(e)
