"""Every problem that comes with the package holds, also at other points, and its report is one and the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, find, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from gradcheck_rl import check
from gradcheck_rl.claims import Claim, Relation
from gradcheck_rl.judge import Judge
from gradcheck_rl.lint import linted
from gradcheck_rl.load import load, shipped
from gradcheck_rl.mutants import mutants
from gradcheck_rl.points import Points
from gradcheck_rl.problem import Problem
from gradcheck_rl.quantities import Covariance, Quantity
from gradcheck_rl.render.json import read, render
from gradcheck_rl.strategies import points
from gradcheck_rl.verdict import Verdict

from .reading import problem, report

SCHEMA = json.loads((Path(__file__).parents[1] / "gradcheck_rl" / "report.schema.json").read_text())
NAMES = [problem.id for problem in shipped()]
CLAIMS = 4
EXAMPLES = 5


# ---- what a page says holds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_page_holds(name: str) -> None:
    assert report(name, 0).require().exit_code == 0


@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def test_the_page_holds_at_another_seed(name: str) -> None:
    assert report(name, 1).require().exit_code == 0


def test_a_page_with_a_mistake_in_it_does_not_hold() -> None:
    page = problem(NAMES[0])
    mistake = page.mistakes[0]
    with pytest.raises(AssertionError, match="REFUTED"):
        check(page, mistake.answer, only=[page.given_names[mistake.breaks]]).require()


# ---- points of Hypothesis's choosing --------------------------------------------------------------------------------------


def about_code(page: Problem) -> list[Claim]:
    """The first few claims about code at every point that are cheap to evaluate."""
    found = [
        c
        for c in page.claims
        if c.at is None and isinstance(c.that, Relation) and not c.routes
        if c.code() and not any(map(is_dear, c.that.sides))
    ]
    return found[:CLAIMS]


def is_dear(q: Quantity) -> bool:
    return isinstance(q, Covariance) or any(is_dear(part) for part in q.parts if isinstance(part, Quantity))


def verdict(page: Problem, claim: Claim, point: Points, answer: Mapping[Any, Any] | None = None) -> Verdict:
    return Judge(page, 0, point).settle(claim, answer or {}, witness=False).best.verdict


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_claim_holds_wherever_it_is_tried(name: str, data: st.DataObject) -> None:
    page = problem(name)
    claim = data.draw(st.sampled_from(about_code(page)))
    said = verdict(page, claim, data.draw(points(page)))
    assume(said is not Verdict.UNDECIDED)  # a kink, or a point to which the claim does not apply
    assert said in (Verdict.AGREES, Verdict.PROVED)


def test_a_planted_mistake_is_found_and_made_simple() -> None:
    """A forgotten mask: two actions allowed, one not, suffices, and any weights do."""
    page = problem("problem1")
    mistake = next(m for m in page.mistakes if m.says == "mask forgotten")
    found = find(
        points(page),
        lambda point: verdict(page, mistake.breaks, point, mistake.answer) is Verdict.REFUTED,
        settings=settings(max_examples=50),
    )
    assert 0 in found.exact["allowed"] and found.exact["w"].tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "function", "bounded"),
    [
        ("problem11", "clip_action", lambda high: lambda a: torch.nn.functional.hardtanh(a, -2, high)),
        ("problem12", "clamped", lambda high: lambda log_sd: torch.nn.functional.hardtanh(log_sd, -20, high)),
    ],
)
def test_what_has_another_slope_at_a_bound_alone_is_right(name: str, function: str, bounded: Any) -> None:
    """torch's clamp has 1 there, its hardtanh 0."""
    page = problem(name)
    for high in (2, 1):
        assert check(page, {page.functions[function]: bounded(high)}).ok is (high == 2)


# ---- reports --------------------------------------------------------------------------------------------------------------

PRINT = """
import json, sys
from gradcheck_rl import check
from gradcheck_rl.load import load
json.dump(check(load("problem1"), seed=int(sys.argv[1]), timed=False).to_dict(), sys.stdout)
"""


def printed(seed: int, hashes: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONHASHSEED": str(hashes)}
    return subprocess.Popen([sys.executable, "-c", PRINT, str(seed)], env=environment, stdout=subprocess.PIPE, text=True)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """In a process that orders its sets otherwise than this one."""
    run = printed(0, 1 if os.environ.get("PYTHONHASHSEED") != "1" else 2)
    assert (run.communicate()[0], run.returncode) == (json.dumps(report("problem1", 0).to_dict()), 0)


def test_another_seed_gives_other_points() -> None:
    assert report("problem1", 0).to_dict()["claims"] != report("problem1", 1).to_dict()["claims"]


@pytest.mark.parametrize("name", NAMES)
def test_the_report_is_as_the_schema_says(name: str) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(report(name, 0).to_dict())))


@pytest.mark.parametrize(("key", "value"), [("schema", "gradcheck_rl/report/2"), ("claims", None), ("seed", "0")])
def test_a_report_of_another_shape_is_not(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(report("problem1", 0).to_dict() | {key: value})


def test_a_report_is_the_same_when_it_is_read_again() -> None:
    text = render([report("problem1", 0)])
    assert render(read(text)) == text


# ---- the examples of pages ------------------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[1] / "examples"
UNSEEN = {
    # The square of a gap is the same from either side.
    "kl_estimators.py": r"k2, arguments swapped: (k2|log_ratio)\(ref, theta, ",
    # Advantages that sum to 0 cancel the normaliser; what is left is as linear in the logits as in the rewards.
    "group_relative.py": r"of_the_group, forgotten function: theta for|of_the_others, arguments swapped: of_the_group\(reward, ",
}


@pytest.mark.parametrize("name", UNSEEN)
def test_an_example_holds(name: str) -> None:
    found = check(load(str(EXAMPLES / name)))
    assert found.ok and {line.kind for line in found.claims} == {"claim", "erratum"}
    assert linted(str(EXAMPLES / name))[0] == []


@pytest.mark.parametrize("name", UNSEEN)
def test_an_example_notices_every_change_that_is_one(name: str) -> None:
    survivors = [m.name for m in mutants(load(str(EXAMPLES / name))) if m.survives]
    assert all(re.search(UNSEEN[name], mutant) for mutant in survivors), survivors
