"""Whatever a report holds, its JSON is strict and reads back equal, and its text is safe to print and hides nothing."""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import gradcheck_rl
import gradcheck_rl.console as console
from gradcheck_rl import (
    Categorical,
    Claim,
    Draw,
    Equal,
    Gradient,
    LogRational,
    Parameter,
    Point,
    Problem,
    Variable,
    array,
    check,
    log_softmax,
    softmax,
)
from gradcheck_rl.render import html, junit, latex, markdown, text, typst
from gradcheck_rl.render import json as json_renderer
from gradcheck_rl.render.document import Setting
from gradcheck_rl.render.said import told_apart
from gradcheck_rl.render.text import Screen
from gradcheck_rl.report import VERDICTS, BlindSpot, Caught, Chain, Flow, Form, Line, Report, Route

SCHEMA = json.loads((Path(gradcheck_rl.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

words = st.text("abcdefgh", min_size=1, max_size=8)
finite = st.floats(allow_nan=False, allow_infinity=False)


def reports(texts: st.SearchStrategy[str], floats: st.SearchStrategy[float]) -> st.SearchStrategy[Report]:
    """Reports whose sentences and floats are drawn from these."""

    def tuples(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
        return st.lists(of, max_size=3).map(tuple)

    some = st.lists(texts, max_size=3)
    numbers = st.none() | st.lists(finite | texts, max_size=12)
    points = st.none() | st.dictionaries(texts, finite | texts | some, max_size=3)
    verdicts = st.sampled_from(VERDICTS)
    routes = st.builds(Route, route=texts, verdict=verdicts, gap=st.none() | floats, slack=st.none() | floats, note=texts)
    lines = st.builds(
        Line,
        id=texts,
        says=texts,
        kind=st.sampled_from(["claim", "erratum", "step"]),
        source=texts,
        verdict=verdicts,
        ok=st.booleans(),
        routes=tuples(routes),
        value=numbers,
        radius=st.none() | st.lists(floats, max_size=3),
        expected=numbers,
        labels=st.none() | some,
        point=points,
        witness=points,
        reason=texts,
        remark=texts,
        resolution=floats,
        evidence=texts,
        correction=texts,
        points=st.integers(0, 99),
        removed=st.integers(0, 9),
        elapsed_s=floats,
        sizes=st.dictionaries(texts, verdicts, max_size=2),
    ).map(lambda line: replace(line, ok=line.ok and line.verdict in GOOD[line.kind]))
    mistakes = st.builds(
        Caught, id=texts, says=texts, breaks=texts, caught=st.booleans(), by=some, reason=texts, witness=points, signature=numbers
    )
    chains = st.builds(
        Chain, title=texts, forms=tuples(st.builds(Form, name=texts, text=texts, latex=texts, reason=texts)), steps=tuples(texts)
    )
    flows = st.builds(Flow, function=texts, blocks=st.dictionaries(texts, st.sampled_from(["none", "zero", "some"]), max_size=3))
    return st.builds(
        Report,
        problem=texts,
        title=texts,
        about=texts,
        seed=st.integers(0),
        versions=st.dictionaries(texts, texts, max_size=2),
        elapsed_s=floats,
        claims=tuples(lines),
        mistakes=tuples(mistakes),
        derivations=tuples(chains),
        flow=tuples(flows),
        blind_spots=tuples(st.builds(BlindSpot, id=texts, says=texts, inputs=some)),
        answer=some,
        replay=texts,
        figures=st.dictionaries(texts, st.lists(finite, max_size=3), max_size=2),
    )


GOOD = {"claim": ("proved", "agrees"), "step": ("proved", "agrees"), "erratum": ("refuted",)}

PLAIN = Report(
    "tiny",
    "Two logits",
    "Two logits.\n\nA softmax\nover two actions.\n\nMore.",
    0,
    {"torch": "2"},
    1.5,
    (
        Line("unbiased", "It is unbiased.", "claim", "T-001", "agrees", True, (Route("listed", "agrees", 0.0, 2e-15),)),
        Line(
            "halved",
            "It is half.",
            "erratum",
            "T-004",
            "refuted",
            True,
            (Route("listed", "refuted", 0.25, 0.0),),
            correction="It is whole.",
        ),
    ),
    (Caught("m", "sign lost", "unbiased", True, ["unbiased"]),),
    replay="python -m gradcheck_rl tiny --seed 0",
)


# ---- JSON -----------------------------------------------------------------------------------------------------------------


@given(st.lists(reports(st.text(max_size=8), finite | st.sampled_from([math.inf, -math.inf])), min_size=1, max_size=2))
def test_reports_read_back_equal(found: list[Report]) -> None:
    assert json_renderer.read(json_renderer.render(found)) == found


@given(reports(words, st.floats()))
def test_the_json_is_strict_whatever_the_floats(report: Report) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    written = json_renderer.render([report])
    json.loads(written, parse_constant=refuse)
    assert json_renderer.render(json_renderer.read(written)) == written


@given(st.lists(reports(st.text(max_size=8), st.floats()), max_size=2))
def test_the_json_fits_the_published_schema(found: list[Report]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(json_renderer.render(found)), SCHEMA, jsonschema.Draft202012Validator)


def paths(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [found for name, part in inner for found in [(*at, name), *paths(part, (*at, name))]]


FREE = {"versions", "figures", "witness", "sizes"}
FULL = json.loads(json_renderer.render([PLAIN]))


@pytest.mark.parametrize("path", [p for p in paths(FULL) if isinstance(p[-1], str) and not FREE & set(p[:-1])], ids=str)
@pytest.mark.parametrize("plant", ["removed", "of another type"])
def test_the_schema_refuses_a_planted_fault(path: tuple[Any, ...], plant: str) -> None:
    data = json.loads(json_renderer.render([PLAIN]))
    owner = data
    for name in path[:-1]:
        owner = owner[name]
    if plant == "removed":
        del owner[path[-1]]
    else:
        owner[path[-1]] = {1: 2}.keys()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("report", Report),
        ("line", Line),
        ("route", Route),
        ("mistake", Caught),
        ("blind_spot", BlindSpot),
        ("derivation", Chain),
        ("flow", Flow),
    ],
)
def test_the_schema_names_every_field(name: str, kind: type) -> None:
    expected = {field.name for field in fields(kind)} | ({"schema", "summary"} if kind is Report else set())
    assert set(SCHEMA["$defs"][name]["properties"]) == set(SCHEMA["$defs"][name]["required"]) == expected


def test_a_key_of_a_later_version_is_no_error() -> None:
    data = json.loads(json_renderer.render([PLAIN]))
    data["claims"][0]["later"] = data["later"] = 1
    assert json_renderer.read(json.dumps(data)) == [PLAIN]


# ---- text -----------------------------------------------------------------------------------------------------------------


@given(reports(st.text(max_size=12), st.floats()), st.integers(1, 140), st.sampled_from(["utf-8", "ascii", "cp1252"]))
def test_the_text_prints_on_any_screen_and_cannot_drive_it(report: Report, width: int, encoding: str) -> None:
    for written in (render([report], Screen(width, False, encoding)) for render in (text.render, text.overview)):
        written.encode(encoding)
        assert all(c.isprintable() for c in written.replace("\n", ""))


def test_an_escape_sequence_is_shown_not_sent() -> None:
    report = replace(PLAIN, title="A\x1b[31m\u202eb")
    assert "A\\x1b[31m\\u202eb" in text.render([report])


@given(reports(words, finite), st.integers(60, 140))
def test_no_line_is_wider_than_the_screen(report: Report, width: int) -> None:
    written = text.render([report], Screen(width)).split("\n")
    assert max(cell_len(line) for line in written if "; replay: " not in line) <= width


@given(reports(words, finite))
def test_colour_adds_nothing_but_colour(report: Report) -> None:
    coloured = text.render([report], Screen(colour=True))
    assert [line.rstrip() for line in COLOUR.sub("", coloured).split("\n")] == text.render([report]).split("\n")
    assert COLOUR.search(coloured)


@given(reports(words, finite))
def test_what_is_not_as_it_should_be_is_said(report: Report) -> None:
    written = text.render([report], Screen(140))
    section = written.partition("Not as it should be\n")[2]
    for line in report.claims:
        assert line.id in written and line.says in written and line.correction in written
        if not line.ok:
            assert line.reason in section and all(f"at {name} = " in section for name in line.witness or {})
    for mistake in report.mistakes:
        assert mistake.caught or f"NOT caught by {mistake.breaks}" in written
    assert ("Not as it should be" in written) == any(not line.ok for line in report.claims)
    assert ("All as it should be" in written) == report.ok
    assert report.replay in written


def test_a_report_as_it_should_be() -> None:
    written = text.render([PLAIN])
    for expected in (
        "Two logits  tiny\nA softmax over two actions.\n",
        "✓ agrees ",
        "It is unbiased.",
        "unbiased · T-001",
        "to 2.0e-15",
        "Errata: refuted, as they should be",
        "✓ refuted",
        "→ It is whole.",
        "listed refutes",
        "gap 2.5e-01",
        "Mistakes, and the claims that caught them",
        "✓  sign lost  unbiased",
        "All as it should be: 1 agree, 1 of 1 errata refuted, 1 of 1 mistakes caught.\n",
        "took 1.5 s; replay: python -m gradcheck_rl tiny --seed 0",
    ):
        assert expected in written


@pytest.mark.parametrize(
    "planted",
    [
        replace(PLAIN, claims=(replace(PLAIN.claims[0], verdict="refuted", ok=False), PLAIN.claims[1])),
        replace(PLAIN, claims=(PLAIN.claims[0], replace(PLAIN.claims[1], verdict="agrees", ok=False))),
        replace(PLAIN, mistakes=(replace(PLAIN.mistakes[0], caught=False),)),
    ],
)
def test_a_planted_failure_is_seen_in_the_last_line_and_in_a_mark(planted: Report) -> None:
    written = text.render([planted])
    assert "Not all as it should be" in written and "✗" in written
    assert "✗" not in text.render([PLAIN])


def test_where_only_ascii_can_be_written_the_marks_are_ascii() -> None:
    written = text.render([PLAIN], Screen(encoding="ascii"))
    assert "+ agrees" in written and "> It is whole." in written and "\\u" not in written


@given(st.integers(1, 300), st.integers(2, 4), st.integers(60, 120))
def test_a_formula_wider_than_the_screen_goes_on_below(length: int, height: int, width: int) -> None:
    rows = ["abcdefghij"[row] * length for row in range(height)]
    report = replace(PLAIN, derivations=(Chain("T", (Form("f", "\n".join(rows), ""),), ()),))
    written = text.render([report], Screen(width)).partition("Closed forms\n  T\n")[2].partition("\nClaims")[0].split()
    for row, whole in enumerate(rows):
        assert "".join(written[row::height]) == whole


@given(
    st.lists(st.sampled_from(["梯度", "的", "。", "，", "：", "）", " x度", "`name`", "12"]), min_size=40, max_size=60),
    st.integers(60, 90),
)
def test_no_line_begins_with_a_mark_that_closes(words: list[str], width: int) -> None:
    says = "".join(words).strip()
    said = text.table("梯度", ["", ""], [["a", f"起{says}"]], text.Screen(width=width)).split("\n")
    assert "".join(said).replace(" ", "") == f"梯度a起{says}".replace(" ", "")
    assert all(cell_len(line) <= width for line in said)
    runs = re.search("[。，：）]{30}|[ -~]{30}", says)  # what is nothing but marks, or one long name, is cut where it must
    assert runs or not any(line.lstrip()[:1] in set("。，：）") for line in said if line)


def test_of_many_components_those_that_differ_come_first() -> None:
    value = [0.0] * 20 + [1.0]
    labels = [f"w_{n}" for n in range(21)]
    line = replace(PLAIN.claims[0], ok=False, verdict="refuted", value=value, expected=[0.0] * 21, labels=labels)
    written = text.render([replace(PLAIN, claims=(line,))])
    assert "w_20" in written and "and 13 more: --json has them" in written


def test_the_two_sides_are_explained_at_their_point_and_outcome() -> None:
    """A reward times the score of a softmax: 1 - pi at what was drawn, -pi elsewhere. At the first point there is none."""
    theta, reward = Parameter("theta", 2, over=LogRational()), Variable("reward")
    action = Draw("action", Categorical(logits=theta))
    score = array(*(sp.KroneckerDelta(action[()], n) - softmax(theta)[n] for n in range(2)))
    claim = Claim("The score.", Equal(Gradient(reward * log_softmax(theta)[action[()]]), reward * score))
    report = check(Problem("P", claims=(claim,), corners=(Point(theta=(0, 0), reward=0),)))
    (line,) = report.claims
    assert line.ok and line.point is not None and line.labels == ["theta_0", "theta_1"]
    number = {name: [float(sp.sympify(x)) for x in np.ravel(value)] for name, value in line.point.items()}
    shares = np.exp(number["theta"])
    wanted = number["reward"] * ((np.arange(2) == number["action"]) - shares / shares.sum())
    for side in (line.value, line.expected):
        assert [float(sp.sympify(x)) for x in side or ()] == pytest.approx(wanted)
    assert number["reward"] != [0]
    written = text.explain(report)
    assert f"at action = {line.point['action']}\n" in written and "at theta = (" in written
    assert written.count("theta_0 ") == written.count("theta_1 ") == 1


def test_every_renderer_takes_reports_and_returns_text() -> None:
    for render in (kind.render for kind in (text, json_renderer, html, markdown, latex, typst, junit)):
        assert "Two logits" in render([PLAIN]) and render([PLAIN, PLAIN]).count("T-001") == 2


def test_a_page_counts_in_the_words_of_the_terminal() -> None:
    agreeing = tuple(replace(PLAIN.claims[0], id=name, verdict="agrees") for name in "ab")
    report = replace(PLAIN, claims=agreeing, mistakes=(), derivations=())
    for written in (text.render([report]), markdown.render([report], Setting()), str(typst.render([report], Setting()))):
        assert re.search(r"\b2 agree\b", written)


@given(st.integers(2, 6), st.integers(60, 120))
def test_a_closed_form_in_the_terminal_goes_on_at_its_signs(terms: int, width: int) -> None:
    numerator = "abcdefghijklmnopqrstuvwxyz"
    term: list[Any] = ["frac", ["id", numerator], ["id", "n"]]
    sum_of = ["row", term, *[part for _ in range(terms - 1) for part in (["op", "+"], term)]]
    report = replace(PLAIN, derivations=(Chain("T", (Form("f", "f", "", math=sum_of),), ()),))
    closed = text.render([report], Screen(width)).partition("Closed forms\n  T\n")[2].partition("\nClaims")[0]
    assert closed.count(numerator) == closed.count("─" * len(numerator)) == terms
    assert max(map(len, closed.split("\n"))) <= width


@given(st.fractions(), st.fractions())
def test_a_long_fraction_is_a_decimal_number_and_a_short_one_as_it_is(long: Fraction, short: Fraction) -> None:
    long = Fraction(2 * abs(long.numerator) * 3**50 + 1, 3**49)
    short = short.limit_denominator(99) % 10
    line = replace(PLAIN.claims[0], verdict="refuted", ok=False, value=[float(long), 0.0], expected=[str(long), str(short)])
    written = text.render([replace(PLAIN, claims=(line,))])
    assert str(long) not in written and f"≈ {float(long):.12g}\n" in written and f" {short}\n" in written


def test_a_number_is_named_so_that_no_comma_or_sign_is_doubled() -> None:
    shown = replace(PLAIN.claims[0], verdict="agrees", ok=True)
    sides = {"value": [0.5, 1.0], "expected": [f"{10**20 + 1}/{2 * 10**20}", "1"]}
    cases = {("x", "y"): "(x ≈ 0.5, y = 1)", ("x, x", "x, y"): "((x, x) ≈ 0.5, (x, y) = 1)"}
    for labels, said in cases.items():
        report = replace(PLAIN, claims=(replace(shown, labels=list(labels), **sides),))
        assert f"right side: `{said}`" in markdown.render([report], Setting())


def test_the_sides_at_given_data_stand_beside_it() -> None:
    line = replace(PLAIN.claims[0], verdict="agrees", ok=True, points=1, value=[1.0], point={"x": "1/7"}, witness=None)
    for points, shown in ((1, True), (12, False)):
        written = markdown.render([replace(PLAIN, claims=(replace(line, points=points),))], Setting())
        assert ("x = 1/7" in written) is shown


@given(words, st.integers(1, 140), st.integers(1, 40))
def test_the_line_that_replays_is_one_line_on_any_screen(word: str, width: int, count: int) -> None:
    typed = " ".join(["python -m gradcheck_rl page.py --seed 0", *[f"--only x{word}"] * count])
    assert f"; replay: {typed}\n" in text.render([replace(PLAIN, replay=typed)], Screen(width))


@pytest.mark.parametrize(("verdict", "ok", "said"), [("refuted", False, "2 (agrees), 4 (refuted)"), ("agrees", True, "2, 4")])
def test_of_a_line_that_fails_each_size_has_its_verdict(verdict: str, ok: bool, said: str) -> None:
    sizes = {"K = 2": "agrees", "K = 4": verdict}
    line = replace(PLAIN.claims[0], verdict=verdict, ok=ok, sizes=sizes)
    report = replace(PLAIN, claims=(line,))
    assert f"also at K = {said}" in markdown.render([report], Setting()).replace("\\", "")
    assert f"also at K = {said}" in text.render([report], Screen(140))


def test_a_resolution_that_no_line_names_is_that_of_the_sentence_below_the_claims() -> None:
    claim = replace(PLAIN.claims[0], kind="claim", resolution=1e-6)
    coarse = replace(claim, id="coarse", resolution=0.05)
    erratum = replace(coarse, id="wrong", kind="erratum", verdict="refuted", correction="It is 4.")
    for claims in ((claim, coarse), (coarse, claim)):
        report = replace(PLAIN, claims=(*claims, erratum))
        for written in (text.render([report], Screen(140)), markdown.render([report], Setting())):
            assert "An error of 1e-06 (relative, above 1) would be seen" in written
        assert text.render([report], Screen(140)).count("resolution 0.05") == 2


def test_a_number_of_points_that_no_line_names_is_that_of_the_sentence_below_the_claims() -> None:
    usual = replace(PLAIN.claims[0], kind="claim", verdict="agrees", points=16)
    more, given, proved = (replace(usual, id=name, points=n) for name, n in (("more", 128), ("given", 1), ("proved", 7)))
    lines = (usual, more, given, replace(proved, verdict="proved"), replace(usual, id="other"))
    for written in (
        text.render([replace(PLAIN, claims=lines)], Screen(200)),
        markdown.render([replace(PLAIN, claims=lines)], Setting()),
    ):
        assert "What is said of every point was tried at 16 of them" in written
        assert [n for n in (1, 7, 16, 128) if f"{n} points" in written] == [128]
    assert "of every point" not in text.render([replace(PLAIN, claims=(given,))], Screen(200))


@given(st.floats(0.1, 10), st.integers(17, 60))
def test_two_sides_that_differ_are_not_shown_alike(near: float, digits: int) -> None:
    """Floats beside each other, and fractions that are the same float."""
    big = 10**digits
    for left, right in ((near, math.nextafter(near, 11)), (f"{big}/3", f"{big + 1}/3")):
        line = replace(PLAIN.claims[0], ok=False, verdict="refuted", value=[left], expected=[right], labels=["w_0"])
        written = text.render([replace(PLAIN, claims=(line,))], Screen(160))
        shown = next(row for row in written.split("\n") if "w_0" in row)
        _, first, second = re.split(r"  +", shown.strip())
        assert first != second and told_apart(left, right)[0] != told_apart(left, right)[1]
    assert told_apart("0", 0.0) == ("0", "0") and told_apart(math.nan, math.nan) == ("nan", "nan")


def test_what_a_variable_of_any_name_was_reads_back_as_it_was() -> None:
    """Of a point "oo" is an exact number also where a variable is called radius; of a figure it is a float."""
    line = replace(PLAIN.claims[0], witness={"radius": "oo", "gap": ["-oo", "1/3"]}, point={"resolution": "oo"})
    figures = {"gap": {"x": [1.0, math.inf], "radius": [-math.inf, 2]}, "deep": [[math.inf, "a"]]}
    report = replace(PLAIN, claims=(line,), figures=figures)
    assert json_renderer.read(json_renderer.render([report])) == [report]


class Terminal(io.StringIO):
    """A terminal so wide, and only standard error writes to it."""

    def __init__(self, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        size = os.terminal_size((columns, 24))
        monkeypatch.setattr(os, "get_terminal_size", lambda fd=1: size if fd == 99 else self.fails())
        monkeypatch.setattr(sys, "stderr", self)
        monkeypatch.delenv("COLUMNS", raising=False)

    def fails(self) -> os.terminal_size:
        raise OSError("not a terminal")

    def fileno(self) -> int:
        return 99


@pytest.mark.parametrize("says", ["a" * 300, "策略" * 100, "短", "策a略" * 50])
@pytest.mark.parametrize("columns", [20, 21, 40, 200])
def test_progress_fills_a_line_of_its_terminal_and_no_more(columns: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal(columns, monkeypatch)
    console._step(1, 2, says)
    written = shown.getvalue()
    assert written.startswith("\r[1/2] ") and written.endswith("\r") and cell_len(written.strip("\r")) == columns - 1


def test_where_nobody_knows_how_wide_the_terminal_is_it_has_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal(0, monkeypatch)
    console._line("")
    assert shown.getvalue() == f"\r{' ' * 79}\r"
    monkeypatch.setenv("COLUMNS", "30")
    console._line("")
    assert shown.getvalue().endswith(f"\r{' ' * 29}\r")


@pytest.mark.parametrize("width", [60, 79])
def test_where_there_is_little_room_words_stay_whole(width: int) -> None:
    sentence = "Differentiating the log-probabilities gives a score."
    route = Route("symbolic + listed + differences", "agrees", 0.0, 2e-15)
    line = replace(PLAIN.claims[0], id="derivative_masked", says=sentence, routes=(route,), evidence="certified ball")
    written = text.render([replace(PLAIN, claims=(line,))], Screen(width)).split()
    assert {*sentence.split(), "derivative_masked", "differences", "certified", "ball", "2.0e-15"} <= {*written}
