"""Figures: data that JSON can hold, a picture on request, and a sentence where there can be none."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gradcheck_rl.figures as drawing
from gradcheck_rl import (
    Claim,
    Equal,
    Figure,
    InputError,
    Point,
    Problem,
    ProblemError,
    Value,
    Variable,
    along,
    check,
)
from gradcheck_rl.cli import main
from gradcheck_rl.figures import FORMATS, picture, plot
from gradcheck_rl.render import json as json_renderer
from gradcheck_rl.report import Report

PAGE = """
from gradcheck_rl import Claim, Equal, Figure, Problem, Value, Variable

x = Variable("x")
same = Claim("x is x.", Equal(Value(x), x))


def line(problem, seed):
    print("noise")
    return {"x": [1, 2, 4], "y": [seed, 2 * seed, 4 * seed]}


def draw(data, ax):
    ax.plot(data["x"], data["y"])


problem = Problem(title="A line", claims=(same,), figures=(Figure("line", line, draw), Figure("again", line, draw)))
"""
BARE = PAGE.replace(', figures=(Figure("line", line, draw), Figure("again", line, draw))', "")

Shown = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "line.py").write_text(PAGE)
    (tmp_path / "bare.py").write_text(BARE)
    return tmp_path


@pytest.mark.parametrize("kind", FORMATS)
def test_the_picture_is_written_and_is_the_same_for_one_seed(kind: str, home: Path, capsys: Shown) -> None:
    pytest.importorskip("matplotlib")
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert main(["line.py", "--quiet", "--seed", str(seed), "--plot", f"{name}{kind}"]) == 0
    assert "noise" not in capsys.readouterr().out
    a, b, c = ((home / f"{name}{kind}").read_bytes() for name in "abc")
    assert a == b != c
    assert a.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[kind])


def test_a_saved_report_holds_the_data_of_its_figures(home: Path, capsys: Shown) -> None:
    pytest.importorskip("matplotlib")
    assert main(["line.py", "--json", "--seed", "2", "--plot", "a.png"]) == 0
    wanted = {"x": [1, 2, 4], "y": [2, 4, 8]}
    saved = json.loads(capsys.readouterr().out)
    assert saved["figures"] == {"line": wanted, "again": wanted}
    assert Report.from_dict(saved).figures == saved["figures"]
    assert main(["line.py", "--json", "--seed", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"] == saved["figures"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("line.py --plot a.gif", "--plot a.gif names no kind of picture: end it in .png, .svg, .pdf."),
        ("line.py --plot a", "--plot a names no kind of picture"),
        ("line.py --plot absent/a.png", "--plot absent/a.png cannot be written: No such file or directory."),
        ("line.py -o a.png --plot a.png", "--plot a.png would overwrite"),
        ("line.py bare.py --plot a.png", "--plot goes with one problem; 2 were named."),
        ("line.py --answer bare.py --plot a.png", "leave --plot or --answer out."),
        ("bare.py --plot a.png", "bare has no figure: leave --plot out."),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_computed(typed: str, sentence: str, home: Path, capsys: Shown) -> None:
    assert main(typed.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and sentence in err and err.count("\n") == 1
    assert not (home / "a.png").exists()


def test_without_matplotlib_the_sentence_says_what_to_type(monkeypatch: pytest.MonkeyPatch, capsys: Shown) -> None:
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    assert main(["line.py", "--plot", "a.png"]) == 2
    assert capsys.readouterr().err == (
        "error: --plot needs matplotlib, which is not installed: type pip install 'gradcheck_rl[plot]'.\n"
    )


def raises(*_: Any) -> Any:
    raise KeyError("x")


def array(*_: Any) -> Any:
    return {"x": object()}


def points(*_: Any) -> Any:
    return {"x": [1]}


@pytest.mark.parametrize(
    ("data", "sentence"), [(raises, "raised KeyError: 'x'"), (array, "raised TypeError: Object of type object")]
)
def test_data_that_cannot_be_had_or_kept_is_an_error_of_the_page(data: Any, sentence: str) -> None:
    page = Problem(title="P", claims=(), figures=(Figure("f", data, points),))
    with pytest.raises(ProblemError, match="the figure `f` ") as caught:
        check(page, figures=True)
    assert sentence in str(caught.value)


def test_a_drawing_that_fails_is_an_error_of_the_page(home: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ProblemError, match="the figure `f` raised KeyError: 'x'"):
        plot((Figure("f", points, raises),), {"f": {"x": [1]}}, "a.png")


def test_only_figures_are_figures() -> None:
    with pytest.raises(ProblemError, match="holds str: only Figure belongs there"):
        Problem(title="P", claims=(), figures=("f",))  # pyright: ignore[reportArgumentType]


def test_drawing_opens_no_window_and_asks_for_no_display(home: Path) -> None:
    pytest.importorskip("matplotlib")
    before = "matplotlib.pyplot" in sys.modules
    plot((Figure("f", points, lambda data, ax: ax.plot(data["x"])),), {"f": {"x": [1]}}, "a.png")
    assert ("matplotlib.pyplot" in sys.modules) is before


def test_a_name_that_cannot_be_written_is_the_callers_error() -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match=r"--plot absent/a\.png cannot be written: No such file"):
        plot((Figure("f", points, lambda data, ax: ax.plot(data["x"])),), {"f": {"x": [1]}}, "absent/a.png")


# ---- a quantity along points ------------------------------------------------------------------------------------------------


def test_along_gives_each_quantity_at_each_point() -> None:
    x = Variable("x", 2)
    page = Problem(title="P", claims=(Claim("So.", Equal(Value(x[0]), x[0])),), world=(x,))
    points = [Point(x=(n, n + 1)) for n in range(3)]
    assert along(page, {"product": x[0] * x[1], "one": 1}, points) == {"product": [0, 2, 6], "one": [1, 1, 1]}


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf"])
def test_a_picture_that_cannot_be_finished_leaves_the_file_as_it_was(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    program = (
        "import resource; from gradcheck_rl.figures import Figure, plot; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        f"plot([Figure('f', dict, lambda data, ax: ax.plot(data['x']))], {{'f': {{'x': [1, 2]}}}}, {name!r})"
    )
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path, env=env)
    assert done.stderr.endswith(f"InputError: --plot {name} cannot be written: File too large.\n")
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("gap", [math.nan, math.inf, -math.inf])
def test_a_gap_in_a_curve_is_drawn_from_json_as_it_was(gap: float) -> None:
    """Read as a word it would be the name of a category, and the curve another one."""
    figure = Figure("f", points, lambda data, ax: (ax.plot(data["x"]), None)[1])
    report = Report("p", "t", "", 0, {}, 0.0, (), figures={"f": {"x": [1.0, gap, 2.0]}})
    saved = json_renderer.read(json_renderer.render([report]))[0].figures["f"]
    assert picture(figure, saved, ".svg") == picture(figure, report.figures["f"], ".svg")
    assert picture(figure, saved, ".svg") != picture(figure, {"x": [1.0, str(gap), 2.0]}, ".svg")
