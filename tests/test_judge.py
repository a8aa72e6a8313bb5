"""What is said of a claim besides its verdict: another estimator, routes that do not count, data without a number."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Rational

import gradcheck_rl
from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Categorical,
    Claim,
    Covariance,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Gaussian,
    Gradient,
    Hull,
    Integers,
    LogRational,
    Masks,
    Mean,
    Mistake,
    Named,
    NonFinite,
    Normal,
    OneOf,
    Parameter,
    Point,
    Problem,
    ProblemError,
    Raises,
    Rows,
    Simplex,
    Uniform,
    Value,
    Variable,
    Within,
    check,
    declared,
    erfc,
    frozen,
    log,
    log_softmax,
    maximum,
    minimum,
    softmax,
    sqrt,
    step,
)
from gradcheck_rl.cli import main
from gradcheck_rl.estimate import Estimate
from gradcheck_rl.evaluators import Outcomes, proof
from gradcheck_rl.judge import Judge
from gradcheck_rl.measured import Measured
from gradcheck_rl.points import Points
from gradcheck_rl.render import json as json_renderer
from gradcheck_rl.verdict import Ruling, Verdict

x = Parameter("x", over=Uniform(1, 2))
y = Parameter("y", over=Uniform(1, 2))
u = Draw("u", Gaussian(0, 1))
w = Draw("w", Gaussian(0, 1))
arm = Draw("arm", Categorical([Rational(1, 3)] * 3))


# ---- the mean is right: is it the declared estimator? --------------------------------------------------------------------------


def test_a_mean_without_end_has_no_variance_that_could_tell() -> None:
    def surprise(arm: Any) -> Any:
        return torch.stack(((arm * 0).log(), arm * 1.0))

    page = page_of(Equal(Mean(Value(surprise)), (-sp.oo, 1)))
    assert [remark(page, {surprise: f}) for f in (lambda arm: surprise(arm) + 0, lambda arm: surprise(arm * 0 + 1))] == [
        "",
        "the mean is right, but this is another estimator: its variance is 0, the declared one's 0.6667",
    ]


def remark(page: Problem, answer: Any) -> str:
    line = check(page, answer).claims[0]
    assert line.verdict == "agrees"
    return line.remark


def square(x: Any, u: Any) -> Any:
    return x * u**2


def turned(x: Any, u: Any) -> Any:
    return x * (-u) ** 2


def mirrored(x: Any, u: Any) -> Any:
    """Its mean is x and its variance 2 x^2, as the page's are. E[u^6] = 15, so E[(2 - u^2)^3] = 8 - 12 + 18 - 15 = -1."""
    return x * (2 - u**2)


def noisier(x: Any, u: Any) -> Any:
    return x * u**2 + u


def heavy(x: Any, u: Any) -> Any:
    """The square of u exp(u^2/3) has the mean of u^2 exp(2 u^2/3), which is infinite."""
    return x * u**2 + x * u * torch.exp(u**2 / 3)


squares = Problem(title="Squares", claims=(Claim("So.", Equal(Mean(Value(square)), x)),))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (mirrored, "this is another estimator: its third moment is -"),
        (noisier, "this is another estimator: its variance is "),
        (heavy, "this is another estimator: its variance is not known to be finite, the declared one's is "),
    ],
)
def test_another_law_with_the_right_mean_is_told(answer: Any, says: str) -> None:
    assert says in remark(squares, {square: answer})


def test_the_same_law_drawn_otherwise_is_the_declared_estimator() -> None:
    assert remark(squares, {square: turned}) == ""


def slopes(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 + u) + y * (1 + 2 * w)


def swapped(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 + 2 * u) + y * (1 + w)


def tied(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 + u) + y * (1 + 2 * u) + 0 * w


def reversed_(x: Any, y: Any, u: Any, w: Any) -> Any:
    return x * (1 - u) + y * (1 + 2 * w)


def test_the_whole_covariance_is_compared() -> None:
    page = Problem(title="Slopes", claims=(Claim("So.", Equal(Mean(Gradient(slopes)), (1, 1))),))
    assert "its variance is 4 by x, the declared one's 1" in remark(page, {slopes: swapped})
    assert "its covariance is 2 by x and y, the declared one's 0" in remark(page, {slopes: tied})
    assert remark(page, {slopes: reversed_}) == ""


tables = st.lists(st.integers(-4, 4), min_size=3, max_size=3)


@given(tables, tables)
def test_three_moments_tell_three_values_apart(ours: list[int], theirs: list[int]) -> None:
    """Three equally likely values are those of another table, in some order, where three moments are the same."""
    theirs[2] = sum(ours) - theirs[0] - theirs[1]

    def declared(x: Any, arm: Any) -> Any:
        return x * torch.tensor(ours, dtype=torch.float64)[arm]

    def answer(x: Any, arm: Any) -> Any:
        return x * torch.tensor(theirs, dtype=torch.float64)[arm]

    page = Problem(title="Tables", claims=(Claim("So.", Equal(Mean(Value(declared)), x * Rational(sum(ours), 3))),))
    assert ("another estimator" in remark(page, {declared: answer})) == (sorted(ours) != sorted(theirs))


# ---- what a page gives is a number there ----------------------------------------------------------------------------

z = Parameter("z", over=Normal())


def inverse(z: Any) -> Any:
    return 1 / z


def again(z: Any) -> Any:
    return z**-1


def page_of(that: Any, **options: Any) -> Problem:
    return Problem(title="A page", claims=(Claim("So.", that, **options),))


UNDEFINED = [
    (Equal(Value(1 / z), 3), 0, "'So.': `1/z` is no number at z = 0: give a point where it is one"),
    (Equal(Value(inverse), 1 / z), 0, "`1/z` is no number at z = 0"),
    (Equal(Gradient(inverse), Gradient(1 / z)), 0, "`-1/z**2` is no number at z = 0"),
    (Equal(Value(inverse) - Value(1 / z), 0), 0, "`1/z` is no number at z = 0"),
    (AtMost(sp.sqrt(z.array[()]), Value(inverse)), -2, "`sqrt(z)` is no number at z = -2"),
    (Differs(sp.log(z.array[()]), 0), -1, "`log(z)` is no number at z = -1"),
]


@pytest.mark.parametrize(("that", "at", "says"), UNDEFINED)
def test_a_formula_without_a_number_at_given_data_is_the_mistake_of_the_page(that: Any, at: int, says: str) -> None:
    problem = page_of(that, at=Point(z=at))
    for answer in (None, {inverse: again}) if that.left.code() else (None,):
        with pytest.raises(ProblemError) as told:
            check(problem, answer)
        assert says in str(told.value)


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_only_where_it_is_none(pole: int, at: int) -> None:
    def shifted(z: Any) -> Any:
        return 1 / (z - pole)

    problem = page_of(Equal(Value(shifted), 1 / (z - pole)), at=Point(z=at))
    if at == pole:
        with pytest.raises(ProblemError, match="is no number at z = "):
            check(problem)
    else:
        assert check(problem).exit_code == 0


def test_at_given_data_an_infinity_may_be_meant_and_so_may_no_number() -> None:
    logarithm = sp.log(z.array[()])
    for that in (Equal(logarithm, -sp.oo), Equal(NonFinite(Value(1 / z)), 1), Equal(NonFinite(Value(inverse)), 1)):
        assert check(page_of(that, at=Point(z=0))).exit_code == 0


def test_what_is_printed_elsewhere_and_has_no_number_is_not_refuted_by_that() -> None:
    wrong = Erratum("Printed.", Equal(Value(1 / z), 3), instead=Claim("So.", Equal(Value(z), 0), at=Point(z=0)), at=Point(z=0))
    line = check(Problem(title="Errata", claims=(), errata=(wrong,))).claims[0]
    assert not line.ok and "it was to be refuted, and is not" in line.reason


def test_drawn_points_stay_as_they_are() -> None:
    drawn = Parameter("drawn", over=OneOf(0, 1))
    line = check(page_of(Equal(Value(1 / drawn), 1 / drawn + sp.Rational(0)), by="symbolic")).claims[0]
    assert (line.verdict, line.witness) == ("undecided", {"drawn": "0"})


def test_a_formula_that_cancels_is_a_number() -> None:
    """log(1 - tanh(u)^2) = 2 log 2 - 2u up to exp(-2u): at u = 100 ten times the digits of a float are lost."""
    far = sp.log(1 - sp.tanh(z.array[()]) ** 2)

    def stable(z: Any) -> Any:
        return 2 * (torch.log(torch.tensor(2.0, dtype=torch.float64)) - z - torch.nn.functional.softplus(-2 * z))

    def off(z: Any) -> Any:
        return stable(z) + 1e-3

    claims = tuple(Claim(f"{code.__name__}.", Equal(Value(code), far), at=Point(z=100)) for code in (stable, off))
    assert [line.verdict for line in check(Problem(title="Far", claims=claims)).claims] == ["agrees", "refuted"]


PAGE = """
from gradcheck_rl import Claim, Equal, Normal, Parameter, Point, Problem, Value

x = Parameter("x", over=Normal())


def inverse(x):
    return 1 / x


at_zero = Claim("At zero.", Equal(Value({left}), 1 / x), at=Point(x={at}))
problem = Problem(title="Inverse", claims=(at_zero,))
"""


@pytest.mark.parametrize("answer", [False, True])
def test_on_the_command_line_it_is_code_4(answer: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "page.py").write_text(PAGE.format(left="inverse", at=0))
    (tmp_path / "mine.py").write_text("def inverse(x):\n    return x**-1\n")
    typed = [str(tmp_path / "page.py"), *(["--answer", str(tmp_path / "mine.py")] if answer else [])]
    assert main(typed) == 4
    assert "'At zero.': `1/x` is no number at x = 0" in capsys.readouterr().err
    (tmp_path / "page.py").write_text(PAGE.format(left="inverse", at=2))
    assert main(typed) == 0


# ---- a report of anything but health is what the schema says -------------------------------------------------------------------

SCHEMA = json.loads((Path(gradcheck_rl.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))


def corner(z: Any) -> Any:
    return 3 * torch.relu(z)


def refuses(z: Any) -> Any:
    raise ValueError("no")


def nothing(z: Any) -> Any:
    return z * torch.nan


def detached(z: Any) -> Any:
    return z.detach() ** 2


def squared(z: Any) -> Any:
    return z**2


ZERO = Point(z=0)
SICK = {
    "kinked": Claim("Kinked.", Equal(Gradient(corner), 3), by="differences", at=ZERO),
    "refuted": Claim("Refuted.", Equal(Gradient(squared), z)),
    "infinite": Claim("Infinite.", Equal(Value(inverse), 3), at=ZERO),
    "meant": Claim("Meant.", Equal(Value(inverse), sp.oo), at=ZERO),
    "exactly infinite": Claim("Exactly.", Equal(sp.log(z.array[()]), 1), at=ZERO),
    "no number": Claim("No number.", Equal(Value(nothing), 1)),
    "of no slope": Claim("Of no slope.", Equal(Gradient(detached), 2 * z)),
    "nowhere": Claim("Nowhere.", Equal(sp.sqrt(-1 - z**2), sp.log(-1 - z**2))),
    "undecided": Claim("Samples.", Equal(Mean(Value(square)), x), by="sampled"),
    "heavy": Claim("Heavy.", Equal(Mean(Value(heavy)), x)),
    "raised": Claim("Raised.", Raises(refuses, ValueError)),
    "not raised": Claim("Not raised.", Raises(squared, ValueError)),
    "close": Claim("Close.", Equal(Value(squared), z**2 + Rational(1, 10**9)), by="differences"),
}


def valid(*reports: Any) -> Any:
    data = json.loads(json_renderer.render(reports))
    jsonschema.validate(data, SCHEMA, jsonschema.Draft202012Validator)
    assert json_renderer.render(json_renderer.read(json.dumps(data))) == json_renderer.render(reports)
    return data


@pytest.mark.parametrize("name", SICK)
def test_the_json_of_what_is_not_well_is_as_the_schema_says(name: str) -> None:
    valid(check(Problem(title="Sick", claims=(SICK[name],)), samples=100 if name == "undecided" else None))


def test_a_radius_that_is_not_finite_has_a_word() -> None:
    (kinked,) = valid(check(Problem(title="Sick", claims=(SICK["kinked"],))))["claims"]
    (none,) = valid(check(Problem(title="Sick", claims=(SICK["no number"],))))["claims"]
    assert (kinked["radius"], none["value"]) == (["oo"], ["nan"])


def test_the_json_of_answers_and_mistakes_that_have_no_number_is_as_the_schema_says() -> None:
    claim = Claim("Squares.", Equal(Gradient(squared), 2 * z))
    answers = (nothing, refuses, detached, corner, inverse)
    mistakes = tuple(Mistake(f.__name__, {squared: f}, breaks=claim) for f in answers)
    problem = Problem(title="Sick", claims=(claim,), mistakes=mistakes)
    data = valid(check(problem), *(check(problem, {squared: f}) for f in answers))
    assert {c["verdict"] for report in data["reports"][1:] for c in report["claims"]} == {"refuted"}


# ---- routes that are named and do not tell -------------------------------------------------------------------------------------


def paid(x: Any, arm: Any) -> Any:
    return x * arm


def routes_of(*by: str, wanted: Any = 1, samples: int | None = None) -> Any:
    claim = Claim("So.", Equal(Mean(Gradient(paid)), wanted), by=by, resolution=0.05)
    return check(Problem(title="Routes", claims=(claim,)), samples=samples).claims[0]


def test_of_the_routes_that_are_named_the_one_that_is_too_wide_is_told() -> None:
    few, enough = routes_of("listed", "sampled", samples=5), routes_of("listed", "sampled")
    assert (few.verdict, [r.route for r in few.routes if r.verdict == "undecided"]) == ("agrees", ["sampled"])
    assert "sampled was not counted: " in few.remark and "draws (--samples), or a coarser resolution=" in few.remark
    assert (enough.verdict, enough.remark, {r.verdict for r in enough.routes}) == ("agrees", "", {"agrees"})


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (("listed", "integrated"), "integrated was not counted: nothing continuous is drawn that could be integrated"),
        (("listed", "differences", "proof"), "proof was not counted: no proof was "),
        (("sampled", "proof", "differences"), "proof was not counted: no proof was "),
    ],
)
def test_a_route_that_does_not_apply_is_told(by: tuple[str, ...], says: str) -> None:
    line = routes_of(*by)
    assert line.verdict == "agrees" and says in line.remark
    assert routes_of(*by, wanted=2).verdict == "refuted"


def test_what_cannot_be_integrated_says_why() -> None:
    many = Draw("many", Gaussian([0] * 4, 1))

    def added(x: Any, many: Any) -> Any:
        return x * many.sum()

    finite = routes_of("integrated")
    claim = Claim("So.", Equal(Mean(Value(added)), 0), by="integrated")
    wide = check(Problem(title="Wide", claims=(claim,), world=(x, many))).claims[0]
    assert (finite.verdict, wide.verdict) == ("undecided", "undecided")
    assert finite.reason == "nothing continuous is drawn that could be integrated: write by='listed' on the claim"
    assert wide.reason.startswith("more than 3 continuous coordinates")


def test_a_route_that_leaves_the_work_to_others_is_told() -> None:
    line = check(page_of(Equal(Value(z), z), by=("symbolic", "autodiff"))).claims[0]
    assert (line.verdict, line.remark) == ("agrees", "autodiff was not counted: it does not apply: symbolic answers here")


@given(st.integers(-40, 0), st.sampled_from([0, -1, 2, 1.001]), st.booleans())
def test_a_gradient_is_judged_at_its_size(power: int, factor: float, drawn: bool) -> None:
    """Of a loss that is as small as 1e-12, as of any other."""
    x = Parameter("x", 2, over=Normal())
    a = Draw("a", Categorical(logits=x))
    small = 2.0**power

    def loss(x: Any, a: Any, factor: float = 1) -> Any:
        return small * factor * x.tanh().sum() * (1 + a * 0) if drawn else small * factor * x.tanh().sum()

    def wrong(x: Any, a: Any) -> Any:
        return loss(x, a, factor)

    truth = Rational(small) * (sp.tanh(x[0]) + sp.tanh(x[1]))
    claim = Claim("It is its gradient.", Equal(Mean(Gradient(loss), a) if drawn else Gradient(loss), Gradient(truth)))
    page = Problem("small", (claim,), world=(x, a))
    assert check(page).claims[0].verdict == "agrees"
    line = check(page, {loss: wrong}).claims[0]
    assert line.verdict == "refuted" and line.witness and line.witness["x"] == ["0", "0"]
    assert "digits agree" not in line.reason


def test_what_single_precision_leaves_of_a_small_number_agrees_and_is_said() -> None:
    x = Parameter("x", 3, over=Normal())

    def single(x: Any) -> Any:
        return 1e-4 * (1 - x.float().tanh() ** 2).sum().double()

    def nought(x: Any) -> Any:
        return x.float().softmax(-1).sum().double()

    truth = sum(1 - sp.tanh(e) ** 2 for e in x) / 10000
    for code, formula in ((single, truth), (nought, 0 * x[0])):
        line = check(Problem("single", (Claim("It is right.", Equal(Gradient(code), Gradient(formula))),), world=(x,))).claims[0]
        assert line.verdict == "agrees" and line.remark.startswith("accurate only to")


def test_a_long_fraction_beside_a_float_is_written_as_its_float() -> None:
    x = Parameter("x", over=Normal())
    long = Rational(12345678901234567891, 33333333333333333331)
    page = Problem("long", (Claim("It is more.", Equal(Value(long), long + 1)), Claim("It is other.", Equal(x * 0 + 2, 3))))
    assert [line.reason for line in check(page).claims] == [f"{float(long)} is not {float(long + 1)}", "2 is not 3"]


def test_what_rounding_leaves_of_a_fraction_is_written_as_its_float() -> None:
    tiny = Rational(1, 3 * 2**53)  # 19 characters
    claim = Claim("One.", Equal(theta[0] * 0 + tiny, Rational(1, 2)))
    assert check(Problem(title="Rounded", claims=(claim,))).claims[0].reason == f"{float(tiny)} is not 1/2"


def test_an_answer_that_differs_from_a_page_by_single_precision_is_told_so() -> None:
    x = Parameter("x", 2, over=Normal())

    def slope(x: Any) -> Any:
        return x[0] / (3 * x[1])

    def single(x: Any) -> Any:
        return slope(x.float())

    def rounded(x: Any) -> Any:
        return 0.33333 * x[0] / x[1]

    claim = Claim("It is a third.", Equal(Gradient(slope), (Rational(1, 3), -Rational(1, 3))), at=Point(x=(1, 1)))
    page = Problem("third", (claim,), world=(x,))
    few, wrong = (check(page, {slope: f}).claims[0] for f in (single, rounded))
    assert few.verdict == wrong.verdict == "refuted"
    assert (
        few.reason.endswith("six digits agree, and float32 has no more: was it computed in float32?")
        and "float32" not in wrong.reason
    )


def test_a_function_that_raises_at_simple_points_is_refuted_at_others() -> None:
    """An inverse has no value at zero, to which a witness would be made simpler."""

    def inverse(matrix: Any) -> Any:
        return torch.linalg.inv(matrix).sum()

    def twice(matrix: Any) -> Any:
        return 2 * torch.linalg.inv(matrix).sum()

    matrix = Parameter("matrix", (2, 2), over=Normal())
    (a, b), (c, d) = matrix.array
    model = (a + d - b - c) / (a * d - b * c)
    right, wrong = (Claim("So.", Equal(Gradient(f), Gradient(model))) for f in (inverse, twice))
    page = Problem("Inverses", (right,), world=(matrix,))
    assert check(page).claims[0].verdict == "agrees"
    for report in (check(Problem("Inverses", (wrong,), world=(matrix,))), check(page, {inverse: twice})):
        (line,) = report.claims
        assert line.verdict == "refuted" and line.witness


def test_moments_are_integrated_only_of_an_answer_that_draws_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    mu = Parameter("mu", over=Normal())
    noise = Draw("noise", Gaussian(0, 1))

    def path(mu: Any, noise: Any) -> Any:
        return (mu + noise) ** 3

    def alike(mu: Any, noise: Any) -> Any:
        return (mu + noise) * (mu + noise) ** 2

    def odd(mu: Any, noise: Any) -> Any:  # as right in the mean, where the noise is twice as far
        return path(mu, noise) + mu * noise

    def near(mu: Any, noise: Any) -> Any:  # within the claim's resolution, and not the same
        return path(mu, noise) + 0.02 * mu * noise

    page = Problem("p", (Claim("Its mean.", Equal(Mean(Gradient(path)), 3 * mu**2 + 3), resolution=0.05),), world=(mu, noise))
    asked: list[str] = []
    told = declared._other_moment  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(declared, "_other_moment", lambda *args: asked.append("moments") or told(*args))
    assert check(page, {path: alike}).ok and not asked
    (line,) = check(page, {path: odd}).claims
    assert asked and line.remark.startswith("the mean is right, but this is another estimator: its variance")
    asked.clear()
    assert check(page, {path: near}).ok and asked


def test_gradients_by_other_parameters_are_not_compared() -> None:
    """One number stands for many, but not the gradient by one parameter for that by two."""

    def product(x: Any, y: Any) -> Any:
        return x * y

    both = Problem("p", (Claim("By both.", Equal(Gradient(product), Gradient(x * y, y))),))
    with pytest.raises(
        ProblemError, match=r"2 coordinates \(by x, y\), the right side 1 coordinate \(by y\): they must be as many;"
    ):
        check(both)
    assert check(Problem("p", (Claim("By one.", Equal(Gradient(product, y), Gradient(x * y, y))),))).ok
    assert check(Problem("p", (Claim("Above.", AtMost(1, Gradient(product))),))).ok


def test_a_point_that_lacks_a_number_is_told_with_its_claim() -> None:
    lacking = Problem("p", (Claim("Their product.", Equal(Value(x * y), y * x), at=Point(x=1)),))
    with pytest.raises(ProblemError, match=r"'Their product.': the point has x: write y=... in it too"):
        check(lacking)


@given(st.fractions(-9, 9, max_denominator=1000).filter(lambda q: q.denominator & (q.denominator - 1)))
def test_a_rounded_fraction_is_told_as_the_fraction(q: Any) -> None:
    rounded = Problem("p", (Claim("Rounded.", Equal(x + float(q), x)),))
    with pytest.raises(ProblemError, match=rf"write Rational\({q.numerator}, {q.denominator}\)"):
        check(rounded)


def test_the_width_of_a_set_is_no_doubt() -> None:
    z = Parameter("z", over=Uniform(-1, 1))

    def relu(z: Any) -> Any:
        return z.clamp(min=0)

    inside = Claim("In the hull.", Within(Gradient(relu), Hull(Gradient(maximum(z, 0)))), at=Point(z=0))
    (line,) = check(Problem("p", (inside,))).claims
    (route,) = line.routes
    assert line.ok and route.slack is not None and route.slack < 1e-12


@given(st.integers(9, 11))
def test_a_constant_of_too_few_digits_is_not_taken_for_float32(digits: int) -> None:
    def scaled(x: Any) -> Any:
        return round(math.pi, digits) * x

    claim = Claim("Pi.", Equal(Gradient(scaled), sp.pi), at=Point(x=1))
    (line,) = check(Problem("p", (claim,))).claims
    assert line.verdict == "refuted" and "float32" not in line.reason


def test_raises_is_about_every_point_that_fulfils_its_condition() -> None:
    size = Variable("size", over=Uniform(-1, 1))

    def positive(size: Any) -> Any:
        if size > 0:
            raise ValueError("positive")
        return size

    def negative(size: Any) -> Any:
        if size <= 0:
            raise ValueError("negative")
        return size

    def line(function: Any, where: Any = None) -> Any:
        claim = Claim("It is refused.", Raises(function, ValueError), where=where)
        return check(Problem(title="Refused", claims=(claim,), world=(size,))).claims[0]

    above, below = AtMost(Rational(1, 1000), size), AtMost(size, 0)
    assert [line(f).verdict for f in (positive, negative)] == ["refuted"] * 2
    assert [line(f, where).verdict for f in (positive, negative) for where in (above, below)] == [
        "agrees",
        "refuted",
        "refuted",
        "agrees",
    ]
    assert float(line(negative).witness["size"]) > 0 >= float(line(positive).witness["size"])
    assert "none fulfils the condition" in line(negative, AtMost(2, size)).reason


def test_a_formula_is_read_on_rows_that_have_a_variables_name_as_code_is() -> None:
    a, b = Parameter("a", over=Normal()), Variable("b", 2, over=Normal())
    rows = Rows(a=(1, 2, 6), b=((1, 0), (0, 1), (1, 1)))

    def code(a: Any, b: Any) -> Any:
        return a**2 * b[1]

    def verdict(f: Any, value: Any) -> str:
        return check(Problem(title="Rows", claims=(Claim("So.", Equal(Mean(Value(f), over=rows), value)),))).claims[0].verdict

    formula = a**2 * b[1]
    assert [verdict(code, Rational(40, 3)), verdict(formula, Rational(40, 3))] == ["agrees", "proved"]
    assert [verdict(f, 13) for f in (code, formula)] == ["refuted"] * 2
    assert verdict(code, Mean(Value(formula), over=rows)) == "agrees"
    by_rows = Claim("So.", Equal(Mean(Gradient(code, a), over=rows), 0))
    with pytest.raises(ProblemError, match="a gradient by `a` is asked for, which the rows give"):
        check(Problem(title="By rows", claims=(by_rows,)))


def test_a_row_of_an_index_is_no_fraction() -> None:
    score = Parameter("score", 3, over=Normal())
    action = Draw("action", Categorical(logits=score))

    def chosen(score: Any, action: Any) -> Any:
        return score[action]

    def line(*actions: Any) -> Any:
        claim = Claim("So.", Equal(Mean(Value(chosen), over=Rows(action=actions)), (score[0] + score[2]) / 2))
        return check(Problem(title="Index", claims=(claim,), world=(action,))).claims[0].verdict

    assert [line(0, 2), line(1, 2)] == ["agrees", "refuted"]
    with pytest.raises(ProblemError, match=r"`action` is an index, and the rows give it 0.5"):
        line(Rational(1, 2), 2)


@given(st.sampled_from((1, -2)), st.sampled_from(("code - formula", "formula + code", "mean", "sum")))
def test_a_kink_of_a_formula_beside_code_is_left_out_too(scale: int, form: str) -> None:
    z = Parameter("z", over=Normal())
    coin = Draw("coin", Bernoulli(Rational(1, 2)))
    model = Gradient(scale * maximum(z, 0) * (1 + coin), z)

    def line(slope: int) -> Any:
        def code(z: Any, coin: Any) -> Any:
            return slope * torch.relu(z) * (1 + coin)

        found = Gradient(code, z)
        gap = {"code - formula": found - model, "formula + code": -model + found}.get(form)
        gap = Mean(found - model) if form == "mean" else (found - model).sum() if form == "sum" else gap
        return check(Problem(title="Kink", claims=(Claim("So.", Equal(gap, 0)),), corners=(Point(z=0),))).claims[0]

    assert line(scale).verdict == "agrees"
    assert line(scale).removed == 1
    assert line(scale + 1).verdict == "refuted"


def test_a_counterexample_names_its_outcome_and_what_its_condition_is_about() -> None:
    a, b = Parameter("a", over=Integers(1, 3)), Variable("b", over=Integers(1, 3))
    die = Draw("die", Categorical([Rational(1, 3)] * 3))
    apart = check(Problem(title="Apart", claims=(Claim("So.", Differs(die, a)),))).claims[0]
    assert apart.verdict == "refuted"
    assert apart.witness["die"] == int(apart.witness["a"])
    line = check(Problem(title="Where", claims=(Claim("So.", AtMost(a, 2), where=Equal(a, b)),))).claims[0]
    assert line.witness == {"a": "3", "b": "3"}


def test_a_condition_holds_at_given_data_too() -> None:
    a, b = Parameter("a", over=Normal()), Variable("b", over=Normal())

    def line(**data: int) -> Any:
        claim = Claim("So.", Equal(abs(a), a), where=AtMost(b, a), at=Point(**data))
        return check(Problem(title="Given", claims=(claim,))).claims[0]

    assert [line(a=n, b=b).verdict for n, b in ((1, 0), (-1, -2), (-1, 0))] == ["agrees", "refuted", "undecided"]
    assert "none fulfils the condition" in line(a=-1, b=0).reason
    with pytest.raises(ProblemError, match=r"write b=\.\.\. in it too"):
        line(a=-1)


@pytest.mark.parametrize("factor", [-1, 2, 1, 0])
def test_what_rounding_hides_of_numbers_that_are_tiny_is_told(factor: int) -> None:
    x = Parameter("x", over=Uniform(-1e-8, 1e-8))

    def cube(x: Any) -> Any:
        return factor * x**3

    slope = Claim("The slope is three squares.", Equal(Gradient(cube), 3 * x**2))
    (line,) = check(Problem(title="Page", claims=(slope,))).claims
    assert ("where rounding hides even a wrong sign" in line.remark) is (factor in (-1, 2))
    scaled = Claim("And so it is in full.", Equal(Gradient(cube) * 10**16, 3 * x**2 * 10**16))
    (line,) = check(Problem(title="Page", claims=(scaled,))).claims
    assert "rounding hides" not in line.remark


# ---- near the limits of floats -------------------------------------------------------------------------------------------------


def second_difference(far: Any) -> Any:
    return np.power(far + 1, 2) - far**2 - 2 * far


def in_torch(far: Any) -> Any:
    """float32 subtracts to 1 as float64 does, whatever the number is."""
    return second_difference(far) if far.dtype == torch.float64 else 1 + 0 * far


@pytest.mark.parametrize("code", [second_difference, in_torch])
@pytest.mark.parametrize("wrong", [1.01, -1.0])
def test_code_that_cancels_is_not_refuted_by_its_rounding_and_a_mistake_in_it_is(code: Any, wrong: float) -> None:
    far = Parameter("far", over=Uniform(999_000, 1_001_000))

    def scaled(far: Any, code: Any = code) -> Any:
        return wrong * code(far)

    right, other = (Claim("It is 1.", Equal(Value(f), 1)) for f in (code, scaled))
    assert check(Problem("Cancels", (right,), world=(far,))).claims[0].verdict == "undecided"
    assert check(Problem("Cancels", (other,), world=(far,))).claims[0].verdict == "refuted"


@given(st.sampled_from((1e-3, 1.0, 1e3)), st.booleans())
def test_a_mistake_at_one_number_or_beside_a_jump_is_no_rounding(size: float, jumps: bool) -> None:
    z = Parameter("z", over=Normal())

    def code(z: Any) -> Any:
        return z + size * ((z >= 1) & (z < 2) if jumps else z == 1)

    claim = Claim("It is z.", Equal(Value(code), z))
    line = check(Problem("Here", (claim,), corners=(Point(z=1),), points=1)).claims[0]
    assert (line.verdict, line.witness) == ("refuted", {"z": "1"})


@given(st.sampled_from((Rational(1, 1000), 1, 1000)))
def test_what_autograd_takes_for_the_slope_at_a_kink_is_no_rounding(size: float) -> None:
    z = Parameter("z", over=Normal())

    def code(z: Any) -> Any:
        return float(size) * torch.maximum(z, -z)

    claim = Claim("It is that on the right.", Equal(Gradient(code), size), at=Point(z=0))
    assert check(Problem("Kink", (claim,), world=(z,))).claims[0].verdict == "refuted"


@given(st.sampled_from((torch, np)), st.sampled_from((1, -1)), st.integers(309, 5000))
def test_what_overflows_is_not_known_to_be_a_number_that_no_float_holds(library: Any, sign: int, digits: int) -> None:
    def code(x: Any) -> Any:
        return sign * library.exp(1000 * x)

    def verdict(that: Any) -> Any:
        return check(Problem("Far", (Claim("So.", that),))).claims[0]

    for relation in (Equal, AtMost):
        line = verdict(relation(Value(code), x * sign * 10**digits))
        assert line.verdict == "undecided" and "too large for floats" in line.reason
    assert verdict(Equal(Value(code), sign * sp.oo)).verdict == "agrees"
    assert verdict(Equal(Value(code), -x * sign * 10**digits)).verdict == "refuted"
    assert verdict(Equal(Value(code), 5)).verdict == "refuted"


def test_float32_is_thought_of_where_0_is_expected() -> None:
    def single(x: Any) -> Any:
        return torch.sin(x.float()).double()

    def wrong(x: Any) -> Any:
        return 1.001 * torch.sin(x)

    few, other = (
        check(Problem("Nought", (Claim("So.", Equal(Value(f) - sp.sin(x), 0)),))).claims[0].reason for f in (single, wrong)
    )
    assert few.endswith("was it computed in float32?") and "float32" not in other


@given(st.integers(61, 300), st.sampled_from((sp.exp, sp.sin, sp.tanh)))
def test_formulas_that_differ_by_less_than_a_ball_s_width_do_not_agree(digits: int, function: Any) -> None:
    apart = Rational(1, 10**digits)

    def line(that: Any) -> Any:
        return check(Problem("Near", (Claim("So.", that),))).claims[0]

    for wrong in (Equal(Gradient(function(x)), sp.diff(function(x), x) + apart), AtMost(function(x) + apart, function(x))):
        found = line(wrong)
        assert found.verdict == "refuted"
        assert "differ beyond their digits" in found.reason
    assert line(AtMost(function(x), function(x) + apart)).verdict == "agrees"
    assert line(Equal(1 - sp.tanh(digits * x), 0)).verdict == "refuted"
    assert line(Equal(sp.sqrt(2) * sp.sqrt(3) * function(x), sp.sqrt(6) * function(x))).verdict in ("agrees", "proved")


# ---- what helps where a claim is known too badly --------------------------------------------------------------------------

KINKS = "name its kinks and jumps, Draw(..., breaks=(...)), or write "


def too_wide(that: Any, by: Any = None, resolution: float = 1e-6, at: Point | None = None, samples: int | None = None) -> Any:
    found = check(Problem("Wide", (Claim("So.", that, by=by, at=at, resolution=resolution),)), samples=samples).claims[0]
    assert found.verdict == "undecided", found
    return found


def jumps(x: Any, u: Any) -> Any:
    return torch.where(torch.exp(u) >= x, 1.0, 0.0)


def tails(u: Any, x: Any) -> Any:
    return x * torch.exp(3 * u * u / 8)


def nested(x: Any) -> Any:
    """The chance that exp(u) is above x, whose jump no rule finds."""
    return E(step(sp.exp(u) - x))


def known_chance(x: Any) -> Any:
    return erfc(log(x) / sqrt(2)) / 2


@pytest.mark.parametrize("samples", [None, 10**5])
def test_draws_are_not_asked_for_where_the_other_side_is_too_wide(samples: int | None) -> None:
    found = too_wide(Equal(Mean(Value(jumps)), nested(x)), "sampled", 0.005, samples=samples)
    assert found.reason.endswith(f": {KINKS}it in another form")


def test_a_written_integral_that_bends_is_told_to_be_split() -> None:
    t = sp.Symbol("t", real=True)
    found = too_wide(Equal(sp.Integral(maximum(sp.exp(t) - 2, 0), (t, 0, 1)), sp.E - 4 + 2 * sp.log(2)))
    assert found.reason.endswith(": write an Integral for each side of its kinks and jumps")


def test_formulas_that_are_too_wide_are_told_what_helps() -> None:
    for by in (None, "sampled", ("sampled", "integrated")):
        found = too_wide(Equal(nested(x), known_chance(x)), by)
        assert found.reason.endswith(f": {KINKS}it in another form")
        assert "sampled" not in {route.route for route in found.routes}
    narrow = too_wide(Equal(E(1 / (1 + (10**4 * (u - x)) ** 2)), 0))
    assert narrow.reason.endswith(": narrow the space, or write it in another form")


@pytest.mark.parametrize(("by", "wanted"), [("listed", x), ("autodiff", x)])
def test_a_route_that_has_nothing_to_do_is_to_be_left_out(by: str, wanted: Any) -> None:
    found = too_wide(Equal(Value(x), wanted), by)
    assert (found.reason, [r.route for r in found.routes]) == (f"by='{by}' does not apply here: leave it out", [by])


def test_code_of_heavy_tails_is_not_told_of_kinks_and_samples() -> None:
    mean = Equal(Mean(Value(tails)), 2 * x)
    assert too_wide(mean).reason.endswith(": its tails are heavy: narrow the space")
    assert too_wide(mean, at=Point(x=1)).reason.endswith(": its tails are heavy: give another point")
    assert too_wide(Equal(Mean(Value(jumps)), known_chance(x))).reason.endswith(f": {KINKS}by='sampled' on the claim")
    spread = Equal(Covariance(Value(jumps)), known_chance(x) * (1 - known_chance(x)))
    assert too_wide(spread).reason.endswith(f": {KINKS}it in another form")


# ---- what decides -------------------------------------------------------------------------------------------------------------

kinds = st.sampled_from([(0, 0), (0, 1), (0, 9), (1, 0), (1, 2), (3, 1), (5, 9), (9, 2), (9, 9)])
counts = st.lists(kinds, min_size=8, max_size=8)
weights = st.lists(st.sampled_from((0, 1, 1)), min_size=2, max_size=2).filter(any)


@given(counts, st.tuples(weights, weights))
@example([(1, 0), (0, 0), *[(9, 2)] * 6], ([1, 1], [1, 1]))
def test_sides_differ_if_at_every_point_and_outcome_some_coordinate_is_apart(cells: Any, chances: Any) -> None:
    """Two points, two outcomes, two coordinates: each a gap and what is not known of it, where 2 is the resolution."""
    gap, slack = (np.array(x, dtype=float).reshape(2, 4) / 100 for x in zip(*cells, strict=True))
    none = np.zeros((2, 4))
    outcomes = Outcomes({}, Estimate(np.array(chances, dtype=float), np.zeros((2, 2))), {})
    m = Measured(gap, Estimate(gap, slack), Estimate(none, none), slack, slack, outcomes, 2)
    found = m.apart(0.02, Ruling("listed", Verdict.UNDECIDED))
    words = {}
    for n in range(4):
        two = cells[2 * n : 2 * n + 2]
        if any(far > max(known, 2) for far, known in two):
            words[n] = "agrees"
        else:
            words[n] = "refuted" if all(far <= known <= 2 for far, known in two) else "undecided"
    can = {n: kind for n, kind in words.items() if chances[n // 2][n % 2]}
    assert found.verdict.word == next(kind for kind in ("refuted", "undecided", "agrees") if kind in can.values())
    assert can[2 * found.at + found.coordinate // 2] == found.verdict.word


@given(st.tuples(*[st.sampled_from((math.nan, 0.0, 1.0))] * 4))
def test_what_is_not_a_number_is_apart_from_nothing(numbers: Any) -> None:
    left: Any = np.array(numbers).reshape(2, 2)
    none = np.zeros((2, 2))
    m = Measured(abs(left), Estimate(left, none), Estimate(none - 1, none), none, none, None, 2)
    found = m.apart(0.02, Ruling("called", Verdict.UNDECIDED))
    assert (found.verdict is Verdict.REFUTED) == (any(map(math.isnan, numbers)) or 0.0 in {max(numbers[:2]), max(numbers[2:])})


@given(counts, st.sampled_from((Equal, AtMost, Differs)))
def test_a_condition_holds_where_it_does_in_every_coordinate(cells: Any, kind: Any) -> None:
    """Its sides differ where one coordinate does, by more than is not known of it."""
    gap, slack = (np.array(x, dtype=float).reshape(2, 4) for x in zip(*cells, strict=True))
    m = Measured(gap, Estimate(gap, slack), Estimate(0 * gap, 0 * gap), slack, slack, None, 2)
    twos = [cells[n : n + 2] for n in range(0, 8, 2)]
    near = [all(far <= known for far, known in two) for two in twos]
    wanted = [not x for x in near] if kind is Differs else near
    found = m.holds(kind(x, y))
    assert found.ravel().tolist() == wanted


@pytest.mark.parametrize("seed", range(4))
def test_where_kinks_take_nearly_all_points_more_are_drawn(seed: int) -> None:
    """At 18 of 24 whole numbers there is a kink: the slopes are compared at four others."""
    n = Parameter("n", over=Integers(0, 23))
    bent = sp.prod([sp.Abs(n - k) for k in range(18)])
    right = Claim("It is its own slope.", Equal(Gradient(bent), Gradient(bent)), by="symbolic")
    wrong = Claim("It is twice that.", Equal(Gradient(bent), 2 * Gradient(bent)))
    lines = check(Problem("p", (right, wrong), world=(n,)), points=4, seed=seed).claims
    assert [(line.verdict, line.points) for line in lines] == [("agrees", 4), ("refuted", 4)]
    assert all(line.removed for line in lines)
    at_kinks = Points.of({"n": n}, {"n": np.array([3.0, 5.0, 20.0])})
    assert [line.points for line in check(Problem("p", (right,), world=(n,)), points=at_kinks).claims] == [1]  # as was asked for


def test_a_jump_that_is_met_names_the_claim() -> None:
    """It is met where kinks are looked for, before any route is asked."""
    v, q = Parameter("v"), Parameter("q")
    bent = abs(Rational(1, 3) - step(v - q)) * (q - v) ** 2
    page = Problem("p", (Claim("It has no slope.", Equal(Gradient(bent, v), 0)),), world=(v, q))
    with pytest.raises(ProblemError, match=r"^'It has no slope.': the derivative by v meets the jump"):
        check(page)


def test_of_an_erratum_that_a_point_refutes_no_proof_is_sought(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    told = proof.failure
    monkeypatch.setattr(proof, "failure", lambda left, *rest: asked.append(left) or told(left, *rest))
    right = Claim("A square.", Equal((x + 1) ** 2, x**2 + 2 * x + 1))
    wrong = Erratum("Without its middle.", Equal((x + 1) ** 2, x**2 + 1), right)
    assert check(Problem("p", (right,), errata=(wrong,), world=(x,))).ok
    assert len(asked) == 1
    holds = Erratum("It holds.", right.that, right)
    assert not check(Problem("p", (right,), errata=(holds,), world=(x,))).ok


@pytest.mark.parametrize("that", [Equal(Value(x), x), Equal(E(u), 0), Equal(Mean(Value(u - x)), -x)])
def test_formulas_are_not_sampled(that: Any) -> None:
    found = too_wide(that, "sampled")
    wanted = "by='sampled' does not apply here: leave it out, or sample code, as in Mean(Value(f))"
    assert (found.reason, [r.route for r in found.routes]) == (wanted, ["sampled"])


# ---- a condition that says what a variable is -----------------------------------------------------------------------------

theta, old = Parameter("theta", 2, over=LogRational()), Variable("old", 2, over=LogRational())
pays, share = Variable("pays", 2, over=Uniform(-1, 1)), Variable("share", over=Uniform(0, 1))
chosen = Draw("chosen", Categorical(logits=old))
total = E(pays[Draw("act", Categorical(logits=theta))])


def weighted(theta: Any, pays: Any, chosen: Any) -> Any:
    return theta.log_softmax(-1)[chosen] * pays[chosen]


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("on_policy", [Equal(old, theta), Equal(theta, old)])
def test_on_policy_is_a_condition_like_others(factor: int, on_policy: Any) -> None:
    """Two continuous variables are never equal by chance. What is true of equal ones alone is proved, or agrees; what is false is
    refuted where they are equal, at a simple point."""
    likely = log_softmax(theta)[chosen] * pays[chosen]
    formula = Equal(factor * Gradient(E(likely), theta), Gradient(total, theta))
    code = Equal(factor * Mean(Gradient(weighted)), Gradient(total))
    claims = (Claim("So.", formula, where=on_policy), Claim("So in code.", code, where=on_policy), Claim("Anywhere.", code))
    *lines, anywhere = check(Problem("On policy", claims)).claims
    assert [line.verdict for line in lines] == (["refuted", "refuted"] if factor == 2 else ["proved", "agrees"])
    assert anywhere.verdict == "refuted"
    if factor == 2:
        assert all(line.witness["theta"] == line.witness["old"] == ["0", "0"] for line in lines)


def test_a_slope_is_taken_before_a_condition_is_put_in() -> None:
    x, y = Parameter("x", over=Normal()), Variable("y", over=Normal())
    alone = Claim("Of x alone.", Equal(Gradient(x * y, x), y), where=Equal(y, x))
    both = Claim("Of both.", Equal(Gradient(x * y, x), 2 * x), where=Equal(y, x))
    assert [line.verdict for line in check(Problem("Slopes", (alone, both))).claims] == ["proved", "refuted"]


CONDITIONS: list[tuple[Any, Any, str]] = [
    (share, 1, "proved"),
    (1, share, "proved"),
    ((share, pays[1]), (1, share), "proved"),
    ((share, pays[1]), (1, pays[0] / 4), "proved"),
    (share, 2, "undecided"),  # which its space does not hold
    (share**2, 1, "undecided"),
    (share, share**2, "undecided"),
    ((share, share), (pays[0] / 4, 1), "undecided"),
    (share, chosen, "agrees"),  # which is 0 or 1
    (chosen, 1, "refuted"),
    (frozen(share), 1, "proved"),
    (Named("part", share), 1, "proved"),
    ((share, pays[0]), (1, pays[0]), "proved"),
    (pays, 1, "refuted"),
    (1, pays, "refuted"),
]


@pytest.mark.parametrize(("left", "right", "verdict"), CONDITIONS)
def test_what_a_condition_says_of_a_variable_is_put_in(left: Any, right: Any, verdict: str) -> None:
    """So a claim of numbers between which nothing is said can be proved; a corner is one also outside of the space."""
    claim = Claim("So.", Equal(share**3 + pays[0], share**2 + pays[0]), where=Equal(left, right))
    (line,) = check(Problem("Conditions", (claim,))).claims
    assert line.verdict == verdict


def test_where_what_a_condition_says_is_no_number_it_is_not_put_in() -> None:
    x, y = Parameter("x", over=Normal()), Variable("y", over=Normal())
    claim = Claim("So.", Equal(x * y, 1), where=Equal(y, 1 / x))
    (line,) = check(Problem("Inverse", (claim,), corners=(Point(x=0),))).claims
    assert line.verdict == "proved"


def test_a_corner_outside_of_its_space_fulfils_a_condition() -> None:
    claim = Claim("So.", Equal(share**2, 4 + 0 * pays[0]), where=Equal(share, 2))
    (line,) = check(Problem("Corner", (claim,), corners=(Point(share=2),))).claims
    assert (line.verdict, line.points) == ("proved", 1)


@given(st.permutations("abc"), st.permutations((1, 2, 3)))
def test_the_parameters_of_a_page_are_in_the_order_in_which_they_are_written(names: list[str], factors: list[int]) -> None:
    """Whatever they are called, and whichever claim has which first."""
    written = [Parameter(name) for name in names]
    objective = sum(factor * v for factor, v in zip(factors, written, strict=True))
    other = Claim("Of the last alone.", Equal(Value(written[-1]), written[-1]))
    right, wrong = (Claim("By each.", Equal(Gradient(objective), tuple(row))) for row in (factors, factors[::-1]))
    _, found, refuted = check(Problem("p", (other, right, wrong))).claims
    assert (found.verdict, refuted.verdict) == (Verdict.PROVED, Verdict.REFUTED)


def test_of_a_point_all_numbers_that_it_lacks_are_told() -> None:
    lacking = Problem("p", (Claim("A sum.", Equal(x + y + Variable("z"), 0), at=Point(x=1)),))
    with pytest.raises(ProblemError, match=r"the point has x: write y=\.\.\., z=\.\.\. in it too"):
        check(lacking)


@pytest.mark.parametrize(("share", "verdict"), [(Rational(1, 2), Verdict.PROVED), (1, Verdict.REFUTED)])
def test_what_an_interval_for_each_coordinate_does_not_see_their_sum_does(share: Any, verdict: Verdict) -> None:
    """Of a tied maximum, the whole slope to each is in the box of the slopes, and not among their mixtures."""
    a, b = Parameter("a"), Parameter("b")
    given_to_both = share * (a + b)
    tied = Point(a=1, b=1)
    box = Claim("In the box.", Within(Gradient(given_to_both), Hull(Gradient(maximum(a, b)))), at=tied)
    whole = Claim("One in all.", Equal(Gradient(given_to_both).sum(), 1))
    found = check(Problem("p", (box, whole))).claims
    assert [c.verdict for c in found] == [Verdict.AGREES, verdict]


shares, others = Variable("shares", 3, over=Simplex()), Variable("others", 3, over=Simplex())
logits = Parameter("logits", 3, over=LogRational())
worth = Variable("worth", 3, over=Normal())
taken = Draw("taken", Categorical(shares))


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize(
    "law", [others, softmax(logits), softmax(worth), Rational(1, 3), share, (Rational(1, 2), 0, Rational(1, 2))]
)
def test_probabilities_are_what_a_condition_says(factor: int, law: Any) -> None:
    """The last of them is 1 minus the others, and no variable of its own."""
    claim = Claim("So.", Equal(E(worth[taken]), factor * (np.broadcast_to(law, 3) * worth).sum()), where=Equal(shares, law))
    (line,) = check(Problem("Laws", (claim,))).claims
    assert (line.verdict, line.points) == ("proved" if factor == 1 else "refuted", 12)


@pytest.mark.parametrize("law", [(1, 1, 1), (2, 0, -1)])
def test_what_are_no_probabilities_is_not_put_in(law: Any) -> None:
    (line,) = check(Problem("No law", (Claim("So.", Equal(shares.sum(), 1), where=Equal(shares, law)),))).claims
    assert (line.verdict, line.points) == ("undecided", 0)


@pytest.mark.parametrize("factor", [1, 2])
def test_a_condition_may_say_what_a_variable_is_and_choose_outcomes(factor: int) -> None:
    ratio = softmax(theta)[chosen] / softmax(old)[chosen] * (1 + chosen)
    there = Claim("Of one action.", Equal(ratio, factor), where=Equal((old, chosen), (theta, 0)))
    anywhere = Claim("Of each.", Equal(ratio, 1), where=Equal(old, theta))
    lines = check(Problem("On policy", (there, anywhere))).claims
    assert [line.verdict for line in lines] == ["agrees" if factor == 1 else "refuted", "refuted"]


@given(st.permutations(range(3)), st.permutations(range(3)), st.booleans())
def test_what_a_condition_says_of_one_variable_by_another_holds_on(among: list[int], order: list[int], turned: bool) -> None:
    """x = y and y = z, in any order, and one of them 1."""
    three = Variable("three", 3, over=Normal())
    x, y, z = (three[n] for n in among)
    said = [[(x, y), (z, y) if turned else (y, z), (1, x) if turned else (y, 1)][n] for n in order]
    claims = [Claim("So.", Equal(three.sum(), sides), where=Equal(*zip(*said, strict=True))) for sides in (3, 2)]
    claims += [Claim("So.", Equal(x * z, x**n), where=Equal((x, y), (y, z))) for n in (2, 3)]
    found = [line.verdict for line in check(Problem("Chained", claims)).claims]
    assert found == ["proved", "refuted"] * 2


@settings(max_examples=15)
@given(st.lists(st.tuples(*[st.integers(-2, 2)] * 4), min_size=1, max_size=3))
def test_a_condition_of_lines_is_solved(rows: list[tuple[int, ...]]) -> None:
    """As SymPy solves it: what follows from it is proved, what does not is refuted, and of what has no solution there is no
    point."""
    three = Variable("three", 3, over=Normal())
    x = sp.symbols("x:3")
    solved = sp.linsolve([sum(a * v for a, v in zip(row, x, strict=False)) - row[3] for row in rows], *x)
    said = Equal(tuple(sum(a * v for a, v in zip(row, three, strict=False)) for row in rows), tuple(row[3] for row in rows))
    for n, value in enumerate(next(iter(solved), x)):
        follows = value.xreplace(dict(zip(x, three, strict=True)))
        claims = [Claim("So.", Equal(three[n], follows + off), where=said) for off in (0, 1)]
        found = [line.verdict for line in check(Problem("Lines", claims)).claims]
        assert found == (["proved", "refuted"] if solved else ["undecided"] * 2)


@pytest.mark.parametrize("least", [0, Rational(1, 4)])
def test_a_condition_may_say_what_the_last_chance_is(least: Any) -> None:
    claims = [Claim("So.", Equal(shares[0] + shares[1], 1 - off), where=Equal(shares[2], least)) for off in (least, 1)]
    assert [line.verdict for line in check(Problem("Last", claims)).claims] == ["proved", "refuted"]


def test_a_number_of_a_few_is_what_is_given_and_the_other_what_is_left() -> None:
    few, any_ = Variable("few", over=Integers(0, 5)), Variable("any", over=Normal())
    claims = [Claim("So.", Equal(any_, off - few), where=Equal(few + any_, 1)) for off in (1, 2)]
    found = check(Problem("Few", claims)).claims
    assert [(line.verdict, line.points) for line in found] == [("proved", 12), ("refuted", 12)]


def test_what_a_condition_says_by_an_expectation_is_proved() -> None:
    bound = Variable("bound", over=Normal())
    short = [Claim("So.", Equal(bound - factor * total, 0), where=Equal(bound, total)) for factor in (1, 2)]
    assert [line.verdict for line in check(Problem("Tight", short)).claims] == ["proved", "refuted"]


def test_where_a_space_seldom_holds_what_a_condition_says_points_are_drawn() -> None:
    """Three numbers of which each lies in its space one time in six: one time in 216 all do."""
    wide, narrow = Variable("wide", 3, over=Uniform(-3, 3)), Variable("narrow", 3, over=Uniform(0, 1))
    claims = [Claim("So.", Equal(wide.sum(), factor * narrow.sum()), where=Equal(narrow, wide)) for factor in (1, 2)]
    found = check(Problem("Narrow", claims), points=100).claims
    assert [line.verdict for line in found] == ["proved", "refuted"]


def test_a_condition_whose_sides_are_not_as_many_is_told() -> None:
    claim = Claim("On policy.", Equal(share, share), where=Equal((theta, old), (old, 0)))
    with pytest.raises(ProblemError, match=r"'On policy\.': the condition: the left side has 4 coordinates, the right side 3"):
        check(Problem("Sizes", (claim,)))


def test_the_point_that_puts_all_others_in_doubt_is_named() -> None:
    """Of a weight exp(u^2 / 2 (1 - 1 / wide^2)) / wide the variance is infinite from the root of 2 on, and its mean is 1."""
    wide = Variable("wide", over=Uniform(0.5, 2))

    def weight(wide: Any, u: Any) -> Any:
        return (u**2 / 2 * (1 - 1 / wide**2)).exp() / wide

    (found,) = check(Problem("Weights", (Claim("So.", Equal(Mean(Value(weight)), 1)),), world=(wide,))).claims
    assert found.verdict == "undecided"
    assert found.reason.endswith(": its tails are heavy: narrow the space")
    assert float(found.witness["wide"]) ** 2 >= 2
    (off,) = check(Problem("Weights", (Claim("So.", Equal(Mean(Value(weight)), Rational(11, 10))),), world=(wide,))).claims
    assert off.verdict == "refuted"


def test_of_a_jump_that_few_points_see_the_others_are_told() -> None:
    place = Variable("place", over=OneOf(0.123, 50))

    def beyond(place: Any, u: Any) -> Any:
        return torch.heaviside(u - place, torch.ones_like(u))

    (found,) = check(Problem("Jump", (Claim("So.", Equal(Mean(Value(beyond)), erfc(place / sqrt(2)) / 2)),))).claims
    assert found.reason.endswith(f": other points are known by themselves: narrow the space, or {KINKS}by='sampled' on the claim")
    assert found.witness == {"place": "0.123"}


def test_probabilities_that_a_condition_leaves_open_are_not_zero() -> None:
    """As none is that is drawn: 0 log 0 is no number. Of those that the first two leave some would be."""
    apart = (shares * log(shares / others)).sum()
    claims = [Claim("So.", AtMost(least, apart), where=Equal(shares[0], 1 - others[1])) for least in (0, 1)]
    found = check(Problem("Open", claims), points=100).claims
    assert [line.verdict for line in found] == ["agrees", "refuted"]
    certain = Claim("So.", Equal(E(worth[taken]), worth[1]), where=Equal((shares[0], shares[1]), (0, 1)))
    assert check(Problem("Certain", (certain,))).claims[0].verdict == "proved"


def test_a_condition_is_put_into_a_law_after_its_slope_is_taken() -> None:
    x, y = Parameter("x", over=Uniform(0, 1)), Variable("y", over=Uniform(0, 1))
    mean = E(x * Draw("coin", Bernoulli(y)) * Draw("noise", Gaussian(y, 1)))
    alone = Claim("Of x alone.", Equal(Gradient(mean, x), x**2), where=Equal(y, x))
    both = Claim("Of both.", Equal(Gradient(mean, x), 3 * x**2), where=Equal(y, x))
    assert [line.verdict for line in check(Problem("Laws", (alone, both))).claims] == ["proved", "refuted"]


@given(st.integers(0, 2**32))
def test_every_mask_is_tried_under_a_condition_that_holds_for_most_numbers(seed: int) -> None:
    x, mask = Variable("x", over=Uniform(-1, 1)), Variable("mask", 3, over=Masks())
    most = AtMost(x, Rational(9, 10))
    rows = [row for row in itertools.product((0, 1), repeat=3) if any(row)]
    only = (math.prod(m if bit else 1 - m for m, bit in zip(mask, row, strict=True)) for row in rows)
    claims = [Claim(f"Never {row}.", Equal(here, 0), where=most) for row, here in zip(rows, only, strict=True)]
    assert {line.verdict for line in check(Problem("Masks", claims), seed=seed).claims} == {"refuted"}


def test_conditions_that_say_the_same_have_the_same_points_and_others_have_others() -> None:
    x, half = Variable("x", over=Uniform(-1, 1)), Rational(1, 2)
    bounds = [(AtMost(0, x), 0, 1), (AtMost(x, 0), -1, 0), (AtMost(0, x), 0, 1), (Within(x, (0, half)), 0, half)]
    claims = [Claim(f"{n}.", Within(x, tuple(pair)), where=where) for n, (where, *pair) in enumerate(bounds)]
    assert [line.verdict for line in check(Problem("Halves", claims)).claims] == ["agrees"] * 4


FIFTH = 0.2  # of the space: twelve points miss it one time in fifteen, 96 never


def cut(part: Any) -> Any:
    return part.clamp(max=1 - FIFTH)


def itself(part: Any) -> Any:
    return part


def divided(part: Any) -> Any:
    return part / (part < 1 - FIFTH)


def raised(part: Any) -> Any:
    if part > 1 - FIFTH:
        raise ValueError("too much")
    return part


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_what_is_false_in_a_fifth_of_the_space_is_found(seed: int) -> None:
    part, most = Parameter("part", over=Uniform(0, 1)), Rational(4, 5)
    coin = Draw("coin", Bernoulli(part))

    def flipped(part: Any, coin: Any) -> Any:
        return cut(part) * coin

    false = (
        AtMost(part, most),
        Within(part, (0, most)),
        AtMost(Value(itself), most),
        Equal(minimum(part, most), part),
        Equal(Value(cut), part),
        Equal(Gradient(cut), 1),
        Equal(Value(divided), part),
        Equal(Mean(Value(flipped)), part * E(coin)),
        Equal(Value(flipped), part * coin),
    )
    claims = [Claim(f"{i}.", that) for i, that in enumerate(false)]
    true = [
        Claim("It is.", Equal(Value(cut), minimum(part, most))),
        Claim("There.", Equal(Value(cut), part), where=AtMost(part, most)),
    ]
    *found, one, other = check(Problem("Rare", [*claims, *true]), seed=seed).claims
    assert [line.verdict for line in found] == ["refuted"] * len(false)
    assert all(Rational((line.witness or {})["part"]) > most for line in found)
    assert [line.verdict for line in (one, other)] == ["agrees"] * 2


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_an_answer_that_raises_in_a_fifth_of_the_space_is_refuted_by_its_error(seed: int) -> None:
    page = Problem("Rare", [Claim("It is.", Equal(Value(itself), Variable("part", over=Uniform(0, 1))))])
    (line,) = check(page, {itself: raised}, seed=seed).claims
    assert (line.verdict, "too much" in line.reason) == ("refuted", True)


def test_a_kink_that_many_points_meet_refutes_nothing() -> None:
    """torch's slope of relu is 0 there, and the formula's a half."""
    x = Parameter("x", over=OneOf(-1, 0, 1))
    slope = Claim("So.", Equal(Gradient(lambda x: x.relu()), Gradient(maximum(x[()], 0))))
    (line,) = check(Problem("Kinked", [slope])).claims
    assert line.verdict == "agrees" and line.removed


def test_points_that_cost_much_or_are_given_are_not_made_more() -> None:
    part, noise = Variable("part", over=Uniform(1, 2)), Draw("noise", Gaussian(0, 1))
    dear = AtMost(E(sp.tanh(part * noise)), 1), AtMost(Mean(Value(lambda part, noise: part * noise)), 1)
    claims = [Claim("Data.", AtMost(part, 1), at=Point(part=1)), *(Claim(f"{i}.", that) for i, that in enumerate(dear))]
    page = Problem("Dear", [*claims, Claim("Twice.", AtMost(part, 2)), Claim("Smooth.", Equal(part, 2 * part / 2))])
    more = [Judge(page, 0, 30).places.others(claim) for claim in page.claims]
    assert [points and len(points) for points in more] == [None, None, None, 210, None]
