"""Mutants: the table of edits on small functions, what becomes of them on pages, and a page too weak to notice."""

from __future__ import annotations

import ast
import json as plain_json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.cli import main
from gradcheck_rl.edits import EDITS, SHOWN, changes, loads
from gradcheck_rl.errors import InputError, ProblemError
from gradcheck_rl.judge import Judge
from gradcheck_rl.load import load, shipped
from gradcheck_rl.loop import check
from gradcheck_rl.mutants import Mutant
from gradcheck_rl.mutants import _executed as executed  # pyright: ignore[reportPrivateUsage]
from gradcheck_rl.mutants import mutants as each
from gradcheck_rl.problem import Problem
from gradcheck_rl.same_code import same_code

TINY = Path(__file__).parent / "pages" / "tiny.py"
SAMPLE = 8


def mutants(problem: Problem, **asked: Any) -> list[Mutant]:
    return list(each(problem, **asked))


def function(body: str, arguments: str = "w, x") -> ast.stmt:
    return ast.parse(f"def f({arguments}):\n    {body}").body[0]


def detached(e: ast.expr) -> ast.expr:
    return ast.Call(ast.Attribute(e, "detach", ast.Load()), [], [])


def edited(body: str) -> set[tuple[str, str]]:
    """The edits of the one line of a function in which a gradient flows through w."""
    target = function(body)
    out: set[tuple[str, str]] = set()
    for change in changes(target, live={"w"}, stop=detached):
        with change.made():
            out.add((change.edit, ast.unparse(target).splitlines()[1].strip()))
    return out


TABLE = (
    ("sign", "return w + x", "return w - x"),
    ("sign", "return w - x", "return w + x"),
    ("sign", "return -w", "return w"),
    ("sign", "return w * x", "return -(w * x)"),
    ("sign", "w += x", "w -= x"),
    ("factor 2", "return w * x", "return 2 * (w * x)"),
    ("factor 2", "return w + x", "return w + 2 * x"),
    ("factor 2", "return Categorical(logits=w)", "return Categorical(logits=2 * w)"),
    ("dropped term", "return w + x", "return w"),
    ("dropped term", "return w - x", "return -x"),
    ("p for 1 - p", "return w * (1 - x)", "return w * x"),
    ("p for 1 - p", "return w.sigmoid()", "return 1 - w.sigmoid()"),
    ("missing factor", "return w * x", "return x"),
    ("missing factor", "return w / x", "return w"),
    ("another power", "return x / sigma ** 2", "return x / sigma"),
    ("another power", "return x / sigma", "return x / sigma ** 2"),
    ("another index", "return w[x]", "return w[0]"),
    ("another index", "return w[0, x]", "return w[x, 0]"),
    ("off by one", "return w[1]", "return w[2]"),
    ("off by one", "return w.sum(-1)", "return w.sum(-2)"),
    ("another function", "return w.sum()", "return w.mean()"),
    ("another function", "return w.mean()", "return w.sum()"),
    ("another function", "return torch.minimum(w, x)", "return torch.maximum(w, x)"),
    ("another function", "return w.log_softmax(-1)", "return w.softmax(-1)"),
    ("forgotten function", "return w.exp()", "return w"),
    ("forgotten function", "return torch.log(w)", "return w"),
    ("forgotten function", "return w.masked_fill(x == 0, 1.5)", "return w"),
    ("comparison turned round", "return w * (x == 0)", "return w * (x != 0)"),
    ("comparison turned round", "return w * (x < 0)", "return w * (x >= 0)"),
    ("and for or", "return w or x", "return w and x"),
    ("and for or", "return w and x", "return w or x"),
    ("arguments swapped", "return torch.where(c, w, x)", "return torch.where(c, x, w)"),
    ("frozen where live", "return w * x", "return w.detach() * x"),
    ("frozen where live", "return w * x", "return (w * x).detach()"),
    ("live where frozen", "return w * x.detach()", "return w * x"),
    ("live where frozen", "return torch.no_grad()", "return torch.enable_grad()"),
)


@pytest.mark.parametrize(("edit", "before", "after"), TABLE)
def test_the_table_makes_this_edit(edit: str, before: str, after: str) -> None:
    assert (edit, after) in edited(before)


def test_every_row_of_the_table_is_tried_above() -> None:
    assert {edit for edit, _, _ in TABLE} >= EDITS.keys()


@pytest.mark.parametrize(
    ("body", "unwanted"),
    [
        ("return w.softmax(-1)", "return w.softmax(1)"),  # on a row the axes 1 and -1 are one
        ("return w * (1 - x)", "return w * (2 - x)"),  # the 1 of a complement
        ("return w * (1 - x)", "return w * -x"),
        ("return x * w.detach()", "return x * w.detach().detach()"),
        ("return x * (w * x).detach()", "return x * (w.detach() * x).detach()"),
        ("return w * (x == 0)", "return w * (x == 0).detach()"),
        (
            "with torch.no_grad():\n        y = w * x\n    return y",
            "with torch.no_grad():\n        y = (w * x).detach()\n    return y",
        ),
        ("return w + torch.where(x == 0, -torch.inf, 0.0)", "return w + 2 * torch.where(x == 0, -torch.inf, 0.0)"),
        ("return torch.zeros(2)", "return 2 * torch.zeros(2)"),
        ("return torch.zeros_like(w)", "return -torch.zeros_like(w)"),
        ("y = []\n    return y", "y = 2 * []\n    return y"),
        ("return w <= x", "return 2 * (w <= x)"),  # what is true or false
        ("return w or x", "return -(w or x)"),
        ("return not w", "return 2 * (not w)"),
        ("return torch.distributions.Categorical(w)", "return torch.distributions.Categorical(2 * w)"),  # chances over their sum
        ("return torch.maximum(w, x)", "return torch.maximum(x, w)"),
        ("return torch.equal(w, x)", "return torch.equal(x, w)"),
        ("return KroneckerDelta(w, x)", "return KroneckerDelta(x, w)"),
        ("return Draw('w', x)", "return Draw(x, 'w')"),
        ("return Gaussian(w, x, breaks=(0, 1))", "return Gaussian(w, x, breaks=(1, 1))"),  # where quadrature looks
        ("return torch.nn.Parameter(torch.zeros(2))", "return 2 * torch.nn.Parameter(torch.zeros(2))"),  # it is given another
        ("return torch.nn.Parameter(torch.zeros(2))", "return torch.nn.Parameter(torch.zeros(3))"),
    ],
)
def test_what_would_change_nothing_is_no_edit(body: str, unwanted: str) -> None:
    assert unwanted not in {after for _, after in edited(body)}


def test_what_only_quadrature_is_told_is_no_name_that_a_line_reads() -> None:
    (line,) = ast.parse("jump = Draw('jump', Gaussian(mean, 1), breaks=edges)").body
    assert loads(line) == {"Draw", "Gaussian", "mean"}


def test_signatures_are_left_alone() -> None:
    target = ast.parse("def f(w: 'a + b', n=1 + 1, g=h(w, x)) -> 'c * d':\n    return w").body[0]
    heads = {ast.unparse(target).splitlines()[0]}
    for change in changes(target):
        with change.made():
            heads.add(ast.unparse(target).splitlines()[0])
    assert heads == {"def f(w: 'a + b', n=1 + 1, g=h(w, x)) -> 'c * d':"}


LEAVES = st.sampled_from(["w", "x", "1", "2", "0.5", "w[x]", "x[0, 1]"])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "=="]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, st.sampled_from(["sum", "exp", "detach", "softmax"])).map(lambda p: f"({p[0]}).{p[1]}()"),
        st.tuples(inner, inner).map(lambda p: f"where({p[0]}, {p[1]})"),
        inner.map(lambda p: f"Normal(*{p})"),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_edits_are_undone_differ_and_compile(expression: str) -> None:
    target = function(f"return {expression}")
    before = ast.dump(target, include_attributes=True)
    texts = [ast.unparse(target)]
    for change in changes(target, live={"w"}, stop=detached):
        with change.made():
            texts.append(ast.unparse(target))
            compile(ast.Module([target], []), "f", "exec")
    assert ast.dump(target, include_attributes=True) == before
    assert len(set(texts)) == len(texts)


# ---- what is the same -----------------------------------------------------------------------------------------------------

CALLEES = {
    s.name: s
    for s in ast.parse("""
def product(a, b): return a * b
def difference(a, b): return a - b
def twice(a, b, product=product): return product(a, b) + product(b, a)
def itself(a, b): return itself(b, a)
def least(a, b):
    c = torch.min(a, b)
    return c - 1
def still(a, b, least=least):
    with torch.no_grad():
        c, d = both(a, b)
        return least(c, d)
def both(a, b): return b, a
def looped(a, b):
    for _ in range(3):
        a = a * b
    return a
""").body
    if isinstance(s, ast.FunctionDef)
}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("product(w, x)", "product(x, w)", True),
        ("product(w, x)", "x * w", True),
        ("twice(w, x)", "twice(x, w)", True),
        ("difference(w, x)", "difference(x, w)", False),
        ("difference(w, x)", "w - x", True),
        ("itself(w, x)", "itself(x, w)", False),
        ("unknown(w, x)", "unknown(x, w)", False),
        ("(-w) ** 2", "w ** 2", True),
        ("(-w) ** 3", "w ** 3", False),
        ("least(w, x)", "least(x, w)", True),
        ("w.detach()[x]", "w.detach()[x].detach()", True),
        ("w[x]", "w[x].detach()", False),
        ("(w.detach() + x)[0]", "(w.detach() + x)[0].detach()", False),
        ("2 * w.detach()[0] * x.detach()", "(2 * w.detach()[0] * x.detach()).detach()", True),
        ("w.detach() ** x", "(w.detach() ** x).detach()", False),
        ("least(w, x)", "least(b=w, a=x)", True),
        ("still(w, x)", "still(x, w)", True),
        ("still(w, x)", "still(w, x).detach()", True),
        ("still(w, x)", "least(w, x)", False),
        ("both(w, x)[0]", "x", True),
        ("both(w, x)[0]", "w", False),
        ("looped(w, x)", "looped(x, w)", False),
        ("w + (x + 1)", "(w + x) + 1", False),  # not so in floating point
    ],
)
def test_code_is_the_same_once_calls_are_written_out(one: str, other: str, same: bool) -> None:
    assert same_code(function(f"return {one}"), function(f"return {other}"), CALLEES) is same


def test_a_slot_is_the_function_in_it() -> None:
    one, other = (ast.parse(f"def f(w, x, product=difference): return product({a})").body[0] for a in ("w, x", "x, w"))
    assert not same_code(one, other, CALLEES)


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("def f(w, g=g): return g(w) + h", {"g", "h"}),
        ("def f(w):\n    g = w\n    return g + h", {"h"}),
        ("J = E(reward[action])", {"E", "reward", "action"}),
    ],
)
def test_the_names_that_a_statement_reads(statement: str, names: set[str]) -> None:
    assert loads(ast.parse(statement).body[0]) == names


# ---- pages ----------------------------------------------------------------------------------------------------------------


def page(folder: Path, changed: dict[str, str]) -> Path:
    text = TINY.read_text()
    for old, new in changed.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / "page.py"
    path.write_text(text)
    return path


def surviving(found: list[Mutant]) -> list[str]:
    return [m.name for m in found if m.survives]


@cache
def of_tiny() -> list[Mutant]:
    return mutants(load(str(TINY)))


def test_the_claims_of_a_good_page_refute_every_mutant() -> None:
    assert surviving(of_tiny()) == []
    assert {m.name.partition(",")[0] for m in of_tiny()} == {"action", "J", "log_pi", "reinforce"}
    assert {m.killed_by for m in of_tiny()} == {"unbiased"}
    lines = TINY.read_text().splitlines()
    assert all(lines[m.line - 1].strip().startswith(("action =", "J =", "return")) for m in of_tiny())


def test_a_weak_page_has_survivors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each row of scores has mean zero, also with factor 2, another sign, or no gradient at all."""
    path = page(
        tmp_path,
        {
            'unbiased = Claim("REINFORCE is unbiased.", Equal(Mean(Gradient(reinforce)), Gradient(J)), source="T-001, T-002")': (
                "def score(theta, action, log_pi=log_pi):\n    return log_pi(theta)[action]\n\n\n"
                'unbiased = Claim("The score has mean zero.", Equal(Mean(Gradient(score)), 0))'
            ),
            "    errata=(halved,),\n": "",
        },
    )
    found = mutants(load(str(path)), functions=["log_pi"])
    factor, sign, softmax = (
        next(m for m in found if f"log_pi, {edit}:" in m.name) for edit in ("factor 2", "sign", "another function")
    )
    assert not factor.killed_by and not sign.killed_by and softmax.killed_by == "unbiased"
    assert not factor.alike and not sign.alike
    assert main(["mistakes", str(path), "--mutants", "--no-color"]) == 1
    rows, _, last = capsys.readouterr().out.rstrip().rpartition("\n")
    assert "SURVIVES" in rows and "killed by" not in rows[rows.index("SURVIVES") :]  # those to be looked at stand last
    assert "surviving" in last


@pytest.mark.parametrize(
    ("arguments", "first", "proved"),
    [("", "", True), ("", "    torch.rand(1)\n", False), ("theta", "", False)],
    ids=["takes nothing", "draws", "takes something"],
)
def test_what_takes_nothing_is_its_one_value(tmp_path: Path, arguments: str, first: str, proved: bool) -> None:
    level = f"def top():\n    return 2\n\n\ndef levels({arguments}):\n{first}    return len({{0, 1, top()}})\n\n\n"
    claim = 'three = Claim("Three.", Equal(Value(levels), 3))\n'
    path = page(
        tmp_path,
        {
            "def log_pi(theta):": f"{level}def log_pi(theta):",
            'unbiased = Claim("': f'{claim}unbiased = Claim("',
            "from gradcheck_rl import (": "import torch\n\nfrom gradcheck_rl import (",
            "claims=(unbiased": "claims=(three, unbiased",
        },
    )
    found = mutants(load(str(path)), functions=["levels", "top"])
    assert {m.killed_by for m in found} == {"three", None}
    assert {(bool(m.equivalent), m.alike) for m in found if not m.killed_by} == {(proved, not proved)}


def test_of_a_survivor_that_changes_nothing_where_it_was_tried_that_is_said(tmp_path: Path) -> None:
    """A loop is not written out, so that of one round more nothing is proved."""
    loop = "def copied(y):\n    for _ in range(3):\n        y = y.clone()\n    return y\n\n\ndef log_pi(theta):"
    path = page(
        tmp_path, {"def log_pi(theta):": loop, "return log_pi(theta)[action] *": "return copied(log_pi(theta)[action]) *"}
    )
    found = mutants(load(str(path)), functions=["copied"])
    assert [(m.survives, m.alike) for m in found if "range(4)" in m.name] == [(True, True)]
    assert {m.fate for m in found if m.survives} == {"SURVIVES, the same at each of 24 points"}
    assert any(m.killed_by for m in found)


def test_a_line_of_which_only_values_are_claimed_may_be_frozen(tmp_path: Path) -> None:
    """Proved, not merely not refuted: the same edit where a derivative is taken is refuted."""
    path = page(
        tmp_path, {"uniform = Claim(": "chances = softmax(theta)\nuniform = Claim(", "Value(softmax(theta))": "Value(chances)"}
    )
    frozen = [m for m in mutants(load(str(path)), functions=["chances", "action"]) if "frozen" in m.name]
    assert {(m.name.partition(",")[0], m.killed_by, bool(m.equivalent)) for m in frozen} == {
        ("chances", None, True), ("action", "unbiased", False),
    }  # fmt: skip


def test_a_line_that_binds_several_names_is_tried_by_the_claims_of_each(tmp_path: Path) -> None:
    path = page(
        tmp_path,
        {
            "uniform = Claim(": "free, chances = E(reward[0]), softmax(theta)\nuniform = Claim(",
            "Value(softmax(theta))": "Value(chances)",
        },
    )
    found = mutants(load(str(path)), functions=["free"])
    assert "uniform" in {m.killed_by for m in found if "softmax" in m.name}


def test_a_draw_that_only_an_argument_names_is_tried_by_the_claims_of_the_function(tmp_path: Path) -> None:
    """The claim's formula says nothing of the draw: the function that it is about is given it."""
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                "other = Draw('other', Categorical(logits=2 * theta))\n\n\ndef weighed(theta, reward, other):\n"
                "    return (theta.log_softmax(-1) - (2 * theta).log_softmax(-1))[other].exp() * reward[other]\n\n\n"
                "weighing = Claim('Weights.', Equal(Mean(Value(weighed)), J))\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, weighing),",
        },
    )
    found = mutants(load(str(path)), functions=["other"])
    killed = {m.killed_by for m in found if "frozen" not in m.name}  # no claim takes a derivative through these weights
    assert "weighing" in killed and None not in killed


def test_what_only_raises_is_left_alone(tmp_path: Path) -> None:
    """Whatever its last line computes: it is not reached."""
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                "def broken(theta):\n    return theta.nothing() * 2\n\n\n"
                "raising = Claim('It raises.', Raises(broken, AttributeError))\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, raising),",
        },
    )
    path.write_text(path.read_text().replace("import (", "import (\n    Raises,", 1))
    assert mutants(load(str(path)), functions=["broken"]) == []


def test_a_step_of_generic_functions_that_is_proved_no_more_is_refuted(tmp_path: Path) -> None:
    """No number can be put into f: the step is proved, or nothing is known of it."""
    path = page(
        tmp_path,
        {
            "square = Derivation(": "t = Symbol('t', real=True)\nproduct = t * Function('f')(t)\nsquare = Derivation(",
            '"A square", (theta[0] + 1) ** 2, ((theta[0] ** 2 + 2 * theta[0] + 1, "expand"),)': (
                '"A slope", product.diff(t), ((Function("f")(t) + t * Function("f")(t).diff(t), "product rule"),)'
            ),
            "from gradcheck_rl import (": "from sympy import Function, Symbol\n\nfrom gradcheck_rl import (",
        },
    )
    found = mutants(load(str(path)), functions=["product"])
    assert found and {m.killed_by for m in found} == {"square.1"}


def test_the_command_counts_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mistakes", str(TINY), "--mutants", "--no-color"]) == 0
    out = capsys.readouterr().out
    stops = sum(m.stops for m in of_tiny())
    assert f"{len(of_tiny())} killed ({stops} of them stop or do not load), 0 equivalent, 0 surviving." in out
    assert "killed by unbiased" in out and "stops at unbiased" in out


def test_what_becomes_of_each_edit_is_told_as_it_is_known() -> None:
    """In the words of the table, before the next edit is tried."""
    heard: list[tuple[int, int, str]] = []
    found = mutants(load(str(TINY)), limit=5, progress=lambda *told: heard.append(told))
    assert heard == [(n, 5, f"{m.fate}  {m.name}") for n, m in enumerate(found, start=1)]
    assert {m.fate for m in found} == {"killed by unbiased"}


def test_mutants_that_stop_are_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row of logits has no axis -2. Two of a tuple of one are two, for one name, and it has no negative."""
    assert [(m.name, m.fate) for m in of_tiny() if m.stops] == [("log_pi, off by one: -2 for -1", "stops at unbiased")]
    path = page(tmp_path, {"J = E(reward[action])": "(J,) = (E(reward[action]),)[-1:]"})
    unloaded = {m.name.partition(":")[0] for m in mutants(load(str(path)), functions=["J"]) if m.fate == "does not load"}
    assert unloaded == {"J, factor 2", "J, sign"}
    assert main(["mistakes", str(TINY), "--mutants", "--json"]) == 0
    data = plain_json.loads(capsys.readouterr().out)
    assert data["summary"] == {"killed": len(of_tiny()), "stopped": 1, "equivalent": 0, "surviving": 0, "alike": 0}
    assert [(m["name"], m["line"], m["stops"]) for m in data["mutants"]] == [(m.name, m.line, m.stops) for m in of_tiny()]


def test_an_error_of_this_package_kills_no_mutant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the page's own code or formulas cannot give does."""
    settle = Judge.settle

    def breaks(judge: Judge, claim: Any, answer: Any, *rest: Any, **options: Any) -> Any:
        if answer:
            raise IndexError("a slip of the tool")
        return settle(judge, claim, answer, *rest, **options)

    monkeypatch.setattr(Judge, "settle", breaks)
    found = mutants(load(str(TINY)), functions=["log_pi"])
    assert found and all(m.survives for m in found)
    assert {m.fate for m in found} == {"SURVIVES an error that was not foreseen: IndexError: a slip of the tool"}


def test_a_sample_is_drawn_by_the_seed() -> None:
    problem = load(str(TINY))
    names = [[m.name for m in mutants(problem, seed=seed, limit=6)] for seed in (0, 0, 1)]
    everything = [m.name for m in of_tiny()]
    assert names[0] == names[1] != names[2]
    assert all(len(n) == 6 and n == [name for name in everything if name in n] for n in names)


def test_a_problem_without_a_file_is_refused() -> None:
    problem = load(str(TINY))
    with pytest.raises(InputError, match="'Two logits' was not read from a file"):
        mutants(Problem(problem.title, problem.claims))


def test_an_unknown_line_is_refused() -> None:
    with pytest.raises(InputError, match=r"`reinforced`.* Did you mean `reinforce`\?"):
        mutants(load(str(TINY)), functions=["reinforced"])


# ---- the problems that come with the package ------------------------------------------------------------------------------


@cache
def of_the_first() -> list[Mutant]:
    """All mutants of the functions of problem1."""
    problem = load("problem1")
    return mutants(problem, functions=problem.functions)


def test_every_function_of_the_first_problem_has_five_mutants_and_none_survives() -> None:
    found = of_the_first()
    counts = {name: sum(m.name.startswith(f"{name}, ") for m in found) for name in load("problem1").functions}
    assert counts.pop("removed_middle") == counts.pop("filled_in_half") == 0  # all that is claimed of them is that they raise
    assert min(counts.values()) >= 5, counts
    assert surviving(found) == []
    assert {m.equivalent for m in found if m.equivalent} == {"the same once its calls are written out"}


@pytest.mark.parametrize("name", ["problem2", "problem3", "problem12"])
def test_no_mutant_of_a_function_survives(name: str) -> None:
    problem = load(name)
    assert surviving(mutants(problem, limit=SAMPLE, functions=problem.functions)) == []


def test_no_mutant_of_a_line_of_the_first_problem_survives() -> None:
    assert surviving(mutants(load("problem1"), limit=3 * SAMPLE)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [problem.id for problem in shipped()])
def test_no_mutant_at_all_survives(name: str) -> None:
    assert surviving(mutants(load(name))) == []


# ---- what takes nothing but functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_to_another", [False, True])
def test_what_takes_functions_alone_is_its_one_value_unless_it_is_handed_on(tmp_path: Path, given_to_another: bool) -> None:
    """With a 4 for the 3 `levels` gives the same, and `others`, which has another top for it, does not."""
    other = "def others(levels=levels):\n    return levels(top=lambda: 3)\n\n\n" if given_to_another else ""
    few = "few = Claim('Few.', AtMost(Value(others), 5))\n" if given_to_another else ""
    level = f"def top():\n    return 2\n\n\ndef levels(top=top):\n    return len({{0, 3, top()}})\n\n\n{other}"
    path = page(
        tmp_path,
        {
            "def log_pi(theta):": f"{level}def log_pi(theta):",
            'unbiased = Claim("': f'three = Claim("Three.", Equal(Value(levels), 3))\n{few}unbiased = Claim("',
            "from gradcheck_rl import (": "from gradcheck_rl import (\n    AtMost,",
            "claims=(unbiased": f"claims=(three,{' few,' * given_to_another} unbiased",
        },
    )
    (four,) = (m for m in mutants(load(str(path)), functions=["levels"]) if "4" in m.name)
    assert (four.killed_by, bool(four.equivalent)) == (None, not given_to_another)


@pytest.mark.parametrize(("factor", "proved"), [("phi", True), ("theta[0]", False)])
def test_what_has_nothing_that_a_derivative_is_taken_by_may_be_frozen(tmp_path: Path, factor: str, proved: bool) -> None:
    """The draw in it depends on theta by its law alone, which no stop-gradient stops."""
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                f"phi = Parameter('phi')\nworth = E({factor} * reward[action])\n"
                "small = Claim('Small.', AtMost(Gradient(worth, theta)[0], 100))\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, small),",
            "from gradcheck_rl import (": "from gradcheck_rl import (\n    AtMost,",
        },
    )
    (inside,) = (m for m in mutants(load(str(path)), functions=["worth"]) if f"frozen({factor})" in m.name)
    assert (inside.killed_by, bool(inside.equivalent)) == (None, proved)


def test_the_chances_of_a_draw_may_be_frozen_where_no_derivative_is_taken(tmp_path: Path) -> None:
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                "chances = softmax(theta)\nother = Draw('other', Categorical([chances[k] * 1 for k in range(K)]))\n"
                "fair = Claim('Its mean.', Equal(E(reward[other]), J))\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, fair),",
        },
    )
    (frozen,) = (m for m in mutants(load(str(path)), functions=["other"]) if "frozen(chances[k])" in m.name)
    assert (frozen.killed_by, bool(frozen.equivalent)) == (None, True)


# Lines that are symmetric in a draw, take a number that is large enough, weigh by a past of mean zero, have more heads than
# some size asks for, or tell a cart that does not listen what to do.
PINNED = {
    "problem2": ("number_heads",),
    "problem5": (
        *("step_seen", "reward_seen", "arm", "off_squared", "values", "by_value", "by_advantage", "blind_baseline"),
        *("mean_estimate", "leave_one_out", "pulled_less_ten", "flipped", "centred", "normalised", "kept", "forgotten"),
    ),
    "problem6": ("density", "likelihood", "visit_ratios", "normal_weight"),
    "problem7": ("second",),
    "problem8": ("balanced", "collected"),
    "problem9": ("after_a_step", "cautious", "attached", "step_by_path", "xi"),
    "problem10": ("backup", "importance", "jitter_of", "slope_vanishes", "without_no_grad", "get_action"),
    "problem11": ("noisy", "next_action"),
    "problem12": ("soft_sum", "soft_action_values", "action_at_one", "smaller"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PINNED)
def test_claims_pin_what_expectations_do_not_see(name: str) -> None:
    found = mutants(load(name), functions=PINNED[name])
    assert surviving(found) == [] and {m.name.partition(",")[0] for m in found} == set(PINNED[name])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("product(w, x)", "product(x, w)", True),
        ("difference(w, x)", "difference(x, w)", False),
        ("[product(u, x) for u in w]", "[product(x, u) for u in w]", True),
        ("[product(u, x) for u in w]", "[product(u, x) for x in w]", False),
        ("given(w, x)", "given(x, w)", True),  # product
        ("y + product(w, x)", "product(x, w) + y", True),
        ("scaled(w)", "w * y", False),  # its own y is not the page's
        ("scaled(w)", "w * y2", False),
        ("(lambda product: product(w, x))(max)", "(lambda product: product(x, w))(max)", False),
        ("(lambda given: given(w, x))(max)", "(lambda given: given(x, w))(max)", False),
    ],
)
@pytest.mark.parametrize(
    "body", ["y = 0\n    for _ in w:\n        y += {}\n    return y", "y = w\n    ({}).backward()\n    return y"]
)
def test_lines_that_change_something_are_compared_one_by_one(body: str, one: str, other: str, same: bool) -> None:
    page = CALLEES | {"scaled": ast.parse("def scaled(a): return a * y").body[0]}
    lines = (function(body.format(code), "w, x, given=product") for code in (one, other))
    assert same_code(*lines, page) is same


@pytest.mark.parametrize("first", ["import product", "def product(a, b): return a", "y, product = w"])
def test_what_a_body_binds_is_not_the_pages(first: str) -> None:
    body = f"{first}\n    for _ in w:\n        y = product({{}})\n    return y"
    assert not same_code(function(body.format("w, x")), function(body.format("x, w")), CALLEES)


def test_an_edit_of_a_long_line_is_shown_where_it_is() -> None:
    long = " + ".join(f"term_{n}" for n in range(30))
    told = [change.says for change in changes(function(f"return first({long}) + second({long}) * 2"))]
    halves = [re.fullmatch(r"[\w ]+: (.*) for (.*)", said) for said in told]
    assert halves and all(found and found[1] != found[2] for found in halves)
    assert max(map(len, told)) < 150


def test_of_code_that_is_given_copies_nothing_is_said_from_one_draw(tmp_path: Path) -> None:
    """Among one answer nothing is spread, twice as far too."""
    path = page(
        tmp_path,
        {
            "from gradcheck_rl import (": "from gradcheck_rl import (\n    AtMost,\n    batch,",
            "unbiased = Claim(": (
                "def spread(theta, action, log_pi=log_pi):\n"
                "    found = log_pi(theta)[action]\n    return ((found - found.mean()) ** 2).sum()\n\n\n"
                'apart = Claim("It is not negative.", AtMost(0, Mean(Value(spread), over=batch(action, 2))))\n'
                "unbiased = Claim("
            ),
            "claims=(unbiased": "claims=(apart, unbiased",
        },
    )
    factor = next(m for m in mutants(load(str(path)), functions=["spread"]) if ", factor 2: 2 * ((found - " in m.name)
    assert factor.survives and not factor.alike


# ---- more of the syntax ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        ("dropped term", "w += x", "pass"),
        ("missing factor", "w *= x", "pass"),
        ("another function", "return w.std()", "return w.var()"),
        ("another function", "return torch.fmin(w, x)", "return torch.fmax(w, x)"),
        ("another index", "return w.T @ x", "return w @ x"),
        ("another index", "return w[x][y]", "return w[y][x]"),
        ("comparison turned round", "return 0 < w <= x", "return 0 >= w <= x"),
        ("comparison turned round", "return 0 < w <= x", "return 0 < w > x"),
        ("comparison turned round", "return w if done else x", "return x if done else w"),
        ("forgotten function", "return torch.nn.functional.softplus(w)", "return w"),
    ],
)
def test_the_table_makes_this_edit_too(edit: str, before: str, after: str) -> None:
    assert (edit, after) in edited(before)


def heads(code: str) -> set[str]:
    """The first lines of a definition, over its edits."""
    target = ast.parse(code).body[0]
    found: set[str] = set()
    for change in changes(target):
        with change.made():
            found.add(ast.unparse(target).splitlines()[0])
    return found


@pytest.mark.parametrize(
    ("code", "edited"),
    [
        ("def f(w, x, delay=2): return w if x % delay == 0 else x", "def f(w, x, delay=3):"),
        ("def f(w, *, x=0, delay=2): return w[x] ** delay", "def f(w, *, x=0, delay=3):"),
        ("def f(w, delay=2, /): return w ** delay", "def f(w, delay=3, /):"),
        ("def f(w, steps=300):\n    for _ in range(steps): w = w / 2\n    return w", ""),  # 301 are enough too
        ("def f(w, kept=0.5, slow=True, none=None): return w * kept", ""),
    ],
)
def test_a_count_in_a_signature_is_edited_unless_it_is_of_rounds(code: str, edited: str) -> None:
    found = heads(code)
    assert edited in found if edited else len(found) == 1


@pytest.mark.parametrize("signature", ["w, delay={}", "w, *, delay={}", "w, delay={}, /"])
@pytest.mark.parametrize("body", ["return w ** delay", "for u in w:\n        w = w ** delay\n    return w"])
def test_another_default_is_other_code(signature: str, body: str) -> None:
    two, three = (function(body, signature.format(n)) for n in (2, 3))
    assert not same_code(two, three, {})


def test_text_is_left_alone() -> None:
    assert edited("raise ValueError(f'{w + 1}')") == edited("Symbol(f'pi_{w[x]}')") == set()
    assert "return 2 * f'{w + 1}'" not in {after for _, after in edited("return f'{w + 1}'")}


def test_a_default_may_be_of_what_has_no_name_outside() -> None:
    one, other = (function(f"return product({a})", "w, x=2, /") for a in ("w, x", "x, w"))
    assert same_code(one, other, CALLEES)


@pytest.mark.parametrize(
    ("claim", "killed_by"),
    [("Equal(middle, theta[0] ** 2 + sum(theta[1:-1]))", "between"), ("AtMost(middle, 10 ** 9)", None)],
)
def test_a_line_is_tried_at_the_other_sizes_of_its_page_too(tmp_path: Path, claim: str, killed_by: str | None) -> None:
    """Of two logits none lies between the others: there every factor of theta[k] is 0, and of three it counts."""
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                "middle = theta[0] ** 2 + sum(k * (K - 1 - k) * theta[k] for k in range(K))\n"
                f"between = Claim('It counts.', {claim})\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, between),",
            "from gradcheck_rl import (": "from gradcheck_rl import (\n    AtMost,",
        },
    )
    found = mutants(load(str(path)), functions=["middle"])
    factors = {(m.killed_by, m.equivalent) for m in found if "missing factor: k * (K - 1 - k) for" in m.name}
    assert factors == {(killed_by, "")}
    frozen = {(m.killed_by, m.equivalent) for m in found if "frozen" in m.name}
    assert frozen == {(None, "the same formula, of which no claim takes a derivative")}


def test_a_loop_that_an_edit_leaves_without_an_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_rl.mutants.ROUNDS", 1000)
    loop = "def turned(y):\n    n = 2\n    while n > 0:\n        y, n = -y, n - 1\n    return y\n\n\ndef log_pi(theta):"
    path = page(
        tmp_path, {"def log_pi(theta):": loop, "return log_pi(theta)[action] *": "return turned(log_pi(theta)[action]) *"}
    )
    found = {m.name.partition(", ")[2]: m for m in mutants(load(str(path)), functions=["turned"])}
    for endless in ("sign: n + 1 for n - 1", "dropped term: n for n - 1", "factor 2: 2 * n - 1 for n - 1"):
        assert found[endless].fate == "stops at unbiased"
        assert path.read_text().splitlines()[found[endless].line - 1] == "        y, n = -y, n - 1"
    assert found["off by one: 3 for 2"].fate == "killed by unbiased"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("k = 0\n    return [w[k] for k in x]", "k = 0\n    return [w[0] for k in x]"),
        ("k = 0\n    return lambda k: w[k]", "k = 0\n    return lambda k: w[0]"),
        ("k = w\n    return x * k if (k := x) else k", "k = w\n    return x * k if (k := x) else w"),
        ("return chosen(w, 0)", "return lambda k: w[0]"),
        ("k = x + 1\n    return [times(w, k) for x in w]", "k = x + 1\n    return [times(w, x + 1) for x in w]"),
        ("return twofold(w, x)", "return twofold(x, w)"),
        ("return joined(w, x)", "return joined(x, w)"),
    ],
)
def test_names_and_orders_that_mean_something_else_are_kept(one: str, other: str) -> None:
    definitions = {
        s.name: s
        for s in ast.parse(
            "def chosen(a, k): return lambda k: a[k]\n"
            "def times(a, b): return a * b\n"
            "def twofold(a, b): return torch.add(a, b, alpha=2)\n"
            "def joined(a, b): return torch.cat([a] + [b])\n"
        ).body
        if isinstance(s, ast.FunctionDef)
    }
    assert same_code(function(one), function(one), definitions)
    assert not same_code(function(one), function(other), definitions)


def test_one_of_several_values_is_left_alone_too() -> None:
    parameter = "torch.nn.Parameter(torch.zeros(2))"
    assert all(after.startswith(f"w, y = ({parameter}, ") for _, after in edited(f"w, y = {parameter}, w * x"))


# ---- a part of a page, and what was found until Ctrl-C ----------------------------------------------------------------------


def told(capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, Any]:
    code = main(["mistakes", str(TINY), "--mutants", "--json", *typed])
    return code, plain_json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("lines", [["log_pi"], ["J"], ["log_pi", "J"], ["J", "J"]])
def test_only_these_lines_are_edited(lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, data = told(capsys, *(word for line in lines for word in ("--only", line)))
    assert code == 0 and "error" not in data
    assert [m["name"] for m in data["mutants"]] == [m.name for m in of_tiny() if m.name.partition(",")[0] in lines]


NOT_A_LINE = "no claim reaches a line `unbiased` that could be edited. It is a claim about reinforce, log_pi."


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("--mutants --only log_py", "no claim reaches a line `log_py` that could be edited. Did you mean `log_pi`?"),
        ("--mutants --only log_pi --only unbiased", NOT_A_LINE),
        ("--only reinforce", f"add --mutants, or type `run {TINY} --only reinforce`."),
    ],
)
def test_a_line_that_cannot_be_edited_is_refused(typed: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mistakes", str(TINY), *typed.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.endswith(f"{sentence}\n") and err.count("\n") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemError("returned a result with an exception set")])
def test_what_was_found_when_interrupted_is_told(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A compiled library makes an error of its own of Ctrl-C, which is none of the edit."""
    error.__context__ = KeyboardInterrupt()
    of_log_pi = [m.name for m in of_tiny() if m.name.startswith("log_pi,")]
    calls = iter([executed, executed])

    def some(*given: Any) -> Any:
        if (call := next(calls, None)) is None:
            raise error
        return call(*given)

    monkeypatch.setattr("gradcheck_rl.mutants._executed", some)
    assert main(["mistakes", str(TINY), "--mutants", "--only", "log_pi", "--json"]) == 130
    out, err = capsys.readouterr()
    data = plain_json.loads(out)
    assert [m["name"] for m in data["mutants"]] == of_log_pi[:2] and data["summary"]["killed"] == 2
    assert err == f"error: {data['error']}\n" == "error: interrupted; what was finished is reported.\n"


def test_of_a_quiet_run_only_survivors_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zero = "Equal(Mean(Gradient(reinforce)) * 0, 0)"
    path = page(tmp_path, {"Equal(Mean(Gradient(reinforce)), Gradient(J)), source": f"{zero}, source"})
    typed = ["mistakes", str(path), "--mutants", "--only", "log_pi", "--no-color"]
    assert main(typed) == main([*typed, "--quiet"]) == 1
    whole, quiet = (text.partition("what became of it")[2] for text in capsys.readouterr().out.split("Mutants of page")[1:])
    assert "log_pi, sign" in whole and "log_pi, off by one" in whole  # which stops
    assert "log_pi, sign" in quiet and "log_pi, off by one" not in quiet
    assert whole.splitlines()[-1] == quiet.splitlines()[-1]


def test_a_line_of_several_names_may_be_asked_for_by_any(tmp_path: Path) -> None:
    path = page(
        tmp_path,
        {
            "uniform = Claim(": "free, chances = E(reward[0]), softmax(theta)\nuniform = Claim(",
            "Value(softmax(theta))": "Value(chances)",
        },
    )
    found = [mutants(load(str(path)), functions=[name]) for name in ("free", "chances")]
    assert found[0] and found[0] == found[1]


# ---- names that differ by a word, and rows that are taken whole ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        ("another name", "return w * v(s2) - v(s)", "return w * v(s) - v(s)"),
        ("another name", "return w * v(s2) - v(s)", "return w * v(s2) - v(s2)"),
        ("another name", "return min(q(phi1), q(phi2))", "return min(q(phi1), q(phi1))"),
        ("another name", "return q(phi) - q(slow_phi)", "return q(phi) - q(phi)"),
        ("another name", "return rate(x, x_old)", "return rate(x, x)"),
        ("another index", "return w[t:].sum()", "return w.sum()"),
        ("forgotten function", "return w.cumprod(-1)", "return w"),
    ],
)
def test_the_table_makes_these_edits_of_names_and_rows(edit: str, before: str, after: str) -> None:
    assert (edit, after) in edited(before)


@pytest.mark.parametrize(
    "body", ["return w + x", "return v2(w) + v(w)", "return torch.zeros_like(s2) + torch.ones_like(s) + len(s2)"]
)
def test_what_calls_and_what_gives_its_shape_alone_keep_their_names(body: str) -> None:
    assert "another name" not in {edit for edit, _ in edited(body)}


def test_a_return_that_begins_too_early_is_refuted(tmp_path: Path) -> None:
    """All that was paid, for what was paid from here on."""
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                "def last(reward):\n    return reward[1:].sum()\n\n\nto_go = Claim('The rest.', Equal(Value(last), reward[1]),"
                " at=Point(reward=(1, 2)))\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, to_go),",
        },
    )
    whole = [m for m in mutants(load(str(path)), functions=["last"]) if "another index" in m.name]
    assert {m.killed_by for m in whole} == {"to_go"}


@pytest.mark.parametrize(
    ("takes", "claim", "killed_by"),
    [
        ("theta", "Equal(Value(grown), sum(theta) * 3 ** (K - 2))", "grows"),
        ("", "Equal(Value(grown), 5 * 3 ** (K - 2))", "grows"),
        ("theta", "AtMost(Value(grown), 10 ** 9)", None),
        ("", "AtMost(Value(grown), 10 ** 9)", None),
    ],
)
def test_a_function_is_tried_at_the_other_sizes_of_its_page_too(
    takes: str, claim: str, killed_by: str | None, tmp_path: Path
) -> None:
    """Of two logits the factor is 1: it may be left out there, and of three it may not."""
    base = "theta.sum()" if takes else "torch.tensor(5.0)"
    path = page(
        tmp_path,
        {
            "uniform = Claim(": (
                f"def grown({takes}):\n    return {base} * 3 ** (K - 2)\n\n\n"
                f"grows = Claim('It grows.', {claim})\nuniform = Claim("
            ),
            "claims=(unbiased, uniform),": "claims=(unbiased, uniform, grows),",
            "from gradcheck_rl import (": "import torch\n\nfrom gradcheck_rl import (\n    AtMost,",
        },
    )
    without = [m for m in mutants(load(str(path)), functions=["grown"]) if f"missing factor: {base} for" in m.name]
    assert [(m.killed_by, m.equivalent) for m in without] == [(killed_by, "")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("rows(w) + rows(x)", "rows(x) + rows(w)", False),  # which nothing says is a number
        ("after(w, x)", "after(x, w)", False),
        ("w.tolist() + x.tolist()", "x.tolist() + w.tolist()", False),
        ("rows(w) * 2 + rows(x)", "rows(x) + rows(w) * 2", False),
        ("'w' + 'x'", "'x' + 'w'", False),
        ("w.sum() + rows(x)", "rows(x) + w.sum()", True),
        ("-w + x", "x + -w", True),
        ("w * x + rows(y)", "rows(y) + w * x", True),
    ],
)
def test_only_what_is_a_number_may_change_places_in_a_sum(one: str, other: str, same: bool) -> None:
    page = CALLEES | {
        d.name: d
        for d in ast.parse("def rows(a):\n    for u in a: yield u\ndef after(a, b): return rows(a) + rows(b)").body
        if isinstance(d, ast.FunctionDef)
    }
    assert same_code(function(f"return {one}"), function(f"return {other}"), page) is same


def test_an_edit_of_one_of_several_names_says_which(tmp_path: Path) -> None:
    both = "free, chances = E(reward[0]), softmax(theta)\nuniform = Claim("
    path = page(tmp_path, {"uniform = Claim(": both, "Value(softmax(theta))": "Value(chances + free - free)"})
    found = mutants(load(str(path)), functions=["free"])
    assert {m.name.partition(",")[0] for m in found if "theta" in m.name} == {"chances"}
    assert {m.name.partition(",")[0] for m in found if "reward" in m.name} == {"free"}


@pytest.mark.parametrize("names", ["idle, chances", "chances, idle"])
def test_one_of_several_names_that_no_claim_reads_is_left_alone(tmp_path: Path, names: str) -> None:
    """As it is on a line of its own."""
    both = f"{names} = softmax(theta), softmax(theta)\nuniform = Claim("
    path = page(tmp_path, {"uniform = Claim(": both, "Value(softmax(theta))": "Value(chances)"})
    found = mutants(load(str(path)), functions=["chances"])
    assert {m.name.partition(",")[0] for m in found} == {"chances"}
    assert any(m.killed_by for m in found)
    alone = page(tmp_path, {"uniform = Claim(": "idle = softmax(theta)\nuniform = Claim("})
    with pytest.raises(InputError, match="`idle`"):
        mutants(load(str(alone)), functions=["idle"])


def test_what_is_quiet_has_no_table_where_nothing_survives(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mistakes", str(TINY), "--mutants", "--quiet"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("0 surviving.")


FAR = """
from gradcheck_rl import Claim, Equal, Parameter, Problem, Uniform, Value, exp, torch

x = Parameter("x", over=Uniform(0, 2000))
growth = exp(x)


def grown(x):
    return x.exp()


same = Claim("It grows.", Equal(Value(grown), growth))
problem = Problem(title="Far", claims=(same,))
"""


def test_what_a_few_points_leave_undecided_is_asked_at_more(tmp_path: Path) -> None:
    """Beyond 709 no float holds either side."""
    path, other = tmp_path / "far.py", tmp_path / "edited" / "far.py"  # of one name, which the points are drawn by
    other.parent.mkdir()
    path.write_text(FAR)
    other.write_text(FAR.replace("growth = exp(x)", "growth = 2 * exp(x)"))
    edited, first = load(str(other)), []
    for seed in range(8):
        fates = {m.name: m.fate for m in mutants(load(str(path)), seed=seed)}
        assert fates["growth, factor 2: 2 * exp(x) for exp(x)"] == "killed by same"
        assert fates["grown, factor 2: 2 * x.exp() for x.exp()"] == "killed by same"
        first.append(check(edited, seed=seed, points=3).claims[0].verdict)
    assert {*first} == {"undecided", "refuted"}


BALL = """
from sympy import pi

from gradcheck_rl import Claim, Draw, Equal, Gaussian, Mean, Problem, Value, erf, exp, sqrt, torch

x = Draw("x", Gaussian(0, 1))
y, z = Draw("y", Gaussian(0, 1)), Draw("z", Gaussian(0, 1))
chance = erf(1 / sqrt(2)) - sqrt(2 / pi) * exp(-1 / sqrt(4))


def inside(x, y, z):
    return (torch.stack((x, y, z)).norm(dim=0) < 1).to(x.dtype)


reward = Claim("A fifth.", Equal(Mean(Value(inside)), chance), by=("integrated", "sampled"), resolution=1 / 20)
problem = Problem(title="Ball", claims=(reward,))
"""


def test_samples_are_asked_of_what_no_exact_route_resolves(tmp_path: Path) -> None:
    path = tmp_path / "ball.py"
    path.write_text(BALL)
    fates = {m.name: m.fate for m in mutants(load(str(path)), functions=["inside"])}
    assert "inside, off by one: torch.stack((x, y, z)).norm(dim=0) < 2 for torch.stack((x, y, z)).norm(dim=0) < 1" in fates
    assert not any("SURVIVES" in fate for fate in fates.values())


def test_that_code_stays_as_it_is_says_nothing_of_the_draws_it_is_given(tmp_path: Path) -> None:
    """Noise in one coordinate that is twice as wide, or a little aside: the function is the same, and its mean is not."""
    path = tmp_path / "ball.py"
    path.write_text(BALL.replace(', by=("integrated", "sampled")', ""))
    fates = {m.name: m.fate for m in mutants(load(str(path)), functions=["x"])}
    assert fates
    assert not any("the same" in fate for fate in fates.values())


CALLED = """
from gradcheck_rl import *

old = Variable("old", 2, over=LogRational())
reward = Variable("reward", (2, 2), over=Uniform(-2, 2))
mu = softmax(old)
first = Draw("k", Categorical(logits=old))
half_of_it = Named("h", reward[0] / 2)
walk = episode((1, 0), [[[0, 1], [1, 0]], [[0, 1], [1, 0]]], reward, [mu, mu], 2)


def halved(h, k):
    return h[k]


def total(rewards):
    return rewards.sum()


def twice(h):
    return 2 * h[0]


half = Claim("Half the mean.", Equal(2 * Mean(Value(halved)), (mu * reward[0]).sum()))
second = mu[0] * reward[1] + mu[1] * reward[0]
mean = Claim("The mean return.", Equal(Mean(Value(total)), (mu * (reward[0] + second)).sum()))
forgotten = Claim("Not on the page.", Equal(Value(twice), reward[0, 0]))
problem = Problem(title="Called otherwise", claims=(half, mean))
"""


def test_what_code_is_given_by_a_name_that_is_not_its_line_s_is_edited_and_killed(tmp_path: Path) -> None:
    path = tmp_path / "called.py"
    path.write_text(CALLED)
    found = mutants(load(str(path)))
    fates = {m.name.split(",")[0]: m.fate for m in found}
    assert {fates[name] for name in ("first", "half_of_it")} == {"killed by half"}
    assert fates["walk"] == "killed by mean"
    assert not any(m.survives for m in found)


def test_code_of_a_claim_that_the_page_does_not_list_is_not_edited(tmp_path: Path) -> None:
    """It would be called the same whatever became of it."""
    path = tmp_path / "called.py"
    path.write_text(CALLED)
    assert not [m for m in mutants(load(str(path))) if m.name.startswith("twice")]


def test_a_claim_that_more_points_refute_without_an_edit_says_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "far.py"
    path.write_text(FAR.replace("return x.exp()", "return 3 * x.exp()"))
    for seed in range(8):
        with pytest.raises(ProblemError, match="`same` of 'Far' does not hold"):
            mutants(load(str(path)), seed=seed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a, b = g(x)\n return a", "a, b = g(x)\n return b"),
        ("a = b = 2 * x\n return b", "a = b = 3 * x\n return b"),
        ("with torch.no_grad():\n  return x, w", "return x, w"),
        ("return counted(x)", "return x"),
        ("return scaled(x, w, 3)", "return x * w"),
        ("return scaled()", "return a * 2"),
        ("return scaled(x, 3)", "return x * 2"),
        ("return scaled(x, k=3)", "return x * 2"),
        ("return scaled(x, **w)", "return x * 2"),
        ("return (x, w)[2]", "return (x, w)[3]"),
        ("return summed(k)", "return sum(k for k in rows)"),
    ],
)
def test_what_means_something_else_is_not_the_same(one: str, other: str) -> None:
    lines = (
        "@once\ndef counted(a): return a\n"
        "def scaled(a, k=2): return a * k\n"
        "def summed(a): return sum(a for k in rows)\n"
    )  # fmt: skip
    definitions = {s.name: s for s in ast.parse(lines).body if isinstance(s, ast.FunctionDef)}
    first, second = (ast.parse(f"def f(x, w):\n {body}").body[0] for body in (one, other))
    assert same_code(first, first, definitions)
    assert not same_code(first, second, definitions)


# ---- what only looks the same ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("return torch.detach(w) * x", "return torch.detach(x) * x"),
        ("return w[k]", "return w[0]"),  # a page may call it with another k
        ("for _ in x:\n  w = w[k]\n return w", "for _ in x:\n  w = w[0]\n return w"),
        ("return (*w, x)[1]", "return x"),
        ("a, b = (*w,)\n return a", "a, b = (*w,)\n return b"),
        ("a, *b = w\n return a", "a, *b = x\n return a"),
        ("return x", "if w: return x"),
        ("with torch.enable_grad():\n  return x", "with torch.no_grad():\n  return x"),
        ("return w @ x", "return x @ w"),
        ("return torch.sub(w, x)", "return torch.sub(x, w)"),
        ("return (rows(w) + rows(x)) * 2 + k", "return k + (rows(w) + rows(x)) * 2"),
        ("return [w] * 2 + x", "return x + [w] * 2"),
        ("return (w, x) * 2 + k", "return k + (w, x) * 2"),
        ("return [u for u in w] * 2 + x", "return x + [u for u in w] * 2"),
        *(
            (f"return w.{rows}(2) + x.{rows}(2)", f"return x.{rows}(2) + w.{rows}(2)")
            for rows in ("chunk", "copy", "split", "unbind")
        ),
        ("return several(w)", "return w * len(b)"),
        ("return by_name(w)", "return w * b"),
        ("return options(w)", "return w * len(b)"),
        ("return in_place(w)", "return a * w"),
    ],
)
def test_what_only_looks_the_same_is_not(one: str, other: str) -> None:
    lines = (
        "def several(a, *b): return a * len(b)\n"
        "def by_name(a, *, b=2): return a * b\n"
        "def options(a, **b): return a * len(b)\n"
        "def in_place(a, /, b=2): return a * b\n"
    )  # fmt: skip
    definitions = {s.name: s for s in ast.parse(lines).body if isinstance(s, ast.FunctionDef)}
    first, second = (ast.parse(f"def f(w, x, k=0):\n {body}").body[0] for body in (one, other))
    assert same_code(first, first, definitions)
    assert not same_code(first, second, definitions)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("both(w, x)[1]", "w", True),
        ("both(w, x)[1]", "x", False),
        ("(w.sum() + x) * 2 + y", "y + (w.sum() + x) * 2", True),
    ],
)
def test_each_part_and_each_sum_is_its_own(one: str, other: str, same: bool) -> None:
    assert same_code(function(f"return {one}"), function(f"return {other}"), CALLEES) is same


@pytest.mark.parametrize(
    "first",
    [
        "class product: pass",
        "async def product(a, b): return a",
        "from page import product",
        "try: pass\n    except OSError as product: pass",
        "match w:\n        case product: pass",
    ],
)
def test_what_a_body_binds_otherwise_is_not_the_pages(first: str) -> None:
    body = f"{first}\n    for _ in w:\n        y = product({{}})\n    return y"
    assert not same_code(function(body.format("w, x")), function(body.format("x, w")), CALLEES)


# ---- edits of rarer syntax --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "before", "after"),
    [
        ("factor 2", "w, y = w * x, w", "w, y = (2 * (w * x), w)"),
        *(("factor 2", f"return Law(w, {name}=x)", f"return Law(w, {name}=2 * x)") for name in ("mean", "sd", "covariance")),
        ("off by one", "return w * (2 - x)", "return w * (3 - x)"),
        ("dropped term", "return 2 - w", "return -w"),
        ("p for 1 - p", "return w * p", "return w * (1 - p)"),
        ("another index", "return w[x + 1]", "return w[0]"),
    ],
)
def test_the_table_makes_these_edits_of_rarer_syntax(edit: str, before: str, after: str) -> None:
    assert (edit, after) in edited(before)


@pytest.mark.parametrize(
    ("body", "unwanted"),
    [
        ("return 0", "return -0"),
        ("return -w", "return --w"),
        ("return w if x > 0 else y", "return y if x > 0 else w"),  # as where the comparison is turned round
        ("return f(*w, x)", "return f(x, *w)"),
        ("return f(x, 'w')", "return f('w', x)"),
        ("return (w * 2 < x) * x", "return (w.detach() * 2 < x) * x"),
        ("return lambda: w", "return 2 * (lambda: w)"),
        ("return (u for u in w)", "return 2 * (u for u in w)"),
        ("return [u for u in w]", "return 2 * [u for u in w]"),
        ("return [w, x]", "return 2 * [w, x]"),
        ("return laws.Normal(w)", "return (2 * laws.Normal)(w)"),
    ],
)
def test_what_means_nothing_is_no_edit(body: str, unwanted: str) -> None:
    found = {after for _, after in edited(body)}
    assert unwanted not in found
    for after in found:
        compile(f"def f(w, x):\n    {after}", "f", "exec")


def test_the_rows_of_a_return_may_be_unpacked() -> None:
    found = {after for _, after in edited("return (*w, x)")}
    assert found
    for after in found:
        compile(f"def f(w, x):\n    {after}", "f", "exec")


def frozen_in(body: str) -> set[str]:
    target = function(body)
    found: set[str] = set()
    for change in changes(target, live={"w"}, stop=detached):
        with change.made():
            if change.edit == "frozen where live":
                found.add(ast.unparse(target).rpartition("\n    ")[2])
    return found


def test_a_gradient_flows_through_what_is_computed_from_what_is_live() -> None:
    assert "return y.detach() * x" in frozen_in("y = x\n    y += w\n    return y * x")
    assert frozen_in("with torch.no_grad():\n        y = w * x\n    return y * x") == set()


def test_where_nothing_is_live_stop_gradients_are_left_alone() -> None:
    target = function("return w.detach() * x")
    assert "live where frozen" in {change.edit for change in changes(target, live={"w"}, stop=detached)}
    assert "live where frozen" not in {change.edit for change in changes(target)}


@pytest.mark.parametrize("statement", ["y, z = f(w), g(x)", "def f(w): return g(w)"])
def test_the_value_of_a_statement_as_such_may_be_left_alone(statement: str) -> None:
    (target,) = ast.parse(statement).body
    assert {"factor 2", "sign"} <= {change.edit for change in changes(target)}
    assert not {"factor 2", "sign"} & {change.edit for change in changes(target, whole=False)}


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("def f(*, w): return w + h", {"h"}),
        ("def f(w, /): return w + h", {"h"}),
        ("def f(*, w, g=g): return g(w)", {"g"}),
        ("@once\ndef f(w): return w", {"once"}),
    ],
)
def test_the_names_that_a_signature_gives_and_reads(statement: str, names: set[str]) -> None:
    assert loads(ast.parse(statement).body[0]) == names


@pytest.mark.parametrize("body", ["return x * (w > 0)", "return x[w]", "return x * len(w)"])
def test_no_gradient_flows_through_an_index_a_comparison_or_a_length(body: str) -> None:
    assert frozen_in(body) == set()


def test_a_line_is_told_whole_where_there_is_room() -> None:
    name = "w" * SHOWN
    assert "sign: w for -w" in {change.says for change in changes(function("return -w"))}
    assert f"factor 2: 2 * {name[4:]}... for {name}" in {change.says for change in changes(function(f"return {name}", name))}


QUARTERS = """
from gradcheck_rl import *
from sympy import Rational

x = Variable("x", over=Uniform(0, 1))
"""
QUARTERS += "".join(
    f"""
def doubled_{k}(x):
    return torch.where((4 * x).floor() == {k}, 2 * x, x)

quarter_{k} = Claim("Doubled in quarter {k}.", Equal(Value(doubled_{k}), x + x * step(4 * x - {k}) * (1 - step(4 * x - {k + 1}))))
"""
    for k in range(4)
)
QUARTERS += "problem = Problem('quarters', claims=[quarter_0, quarter_1, quarter_2, quarter_3])"


def test_what_the_page_itself_refutes_does_not_survive(tmp_path: Path) -> None:
    """Most edits show in one quarter alone: three points cannot be in all of them, those of the page are."""
    path = tmp_path / "quarters.py"
    path.write_text(QUARTERS)
    found = mutants(load(str(path)))
    assert len({m.name for m in found}) >= 20 and surviving(found) == []


def test_a_line_of_the_page_that_the_page_itself_refutes_does_not_survive(tmp_path: Path) -> None:
    text = QUARTERS
    for k in (1, 2):  # at the ends a step may be left out
        formula = f"x + x * step(4 * x - {k}) * (1 - step(4 * x - {k + 1}))"
        text = text.replace(formula, f"formula_{k}").replace(f"quarter_{k} = C", f"formula_{k} = {formula}\nquarter_{k} = C")
    path = tmp_path / "quarters.py"
    path.write_text(text)
    found = [m for m in mutants(load(str(path))) if m.name.startswith("formula")]
    assert len(found) >= 50 and surviving(found) == []
