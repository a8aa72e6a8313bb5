"""The report as a page: all of it is there in every format, no text is markup, and a saved report renders the same again."""

from __future__ import annotations

import html as entities
import json as plain_json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as XML

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcheck_rl.load as loading
import gradcheck_rl.publish as publish
from gradcheck_rl import Derivation, Problem, check
from gradcheck_rl.cli import main
from gradcheck_rl.errors import InputError
from gradcheck_rl.languages import sentences, speaker
from gradcheck_rl.load import load
from gradcheck_rl.render import html, json, junit, latex, markdown, typst
from gradcheck_rl.render import text as terminal
from gradcheck_rl.render.blocks import Formula, Section
from gradcheck_rl.render.document import Setting, document, english, index
from gradcheck_rl.render.formula import drawable
from gradcheck_rl.report import BlindSpot, Caught, Chain, Flow, Form, Line, Report, printable

from .test_render import PLAIN, reports, words

TINY = Path(__file__).parent / "pages" / "tiny.py"
REPOSITORY = Path(__file__).parents[1]
PAGES = {"html": html.render, "markdown": markdown.render, "latex": latex.render, "typst": typst.render, "junit": junit.render}

# What means something in one format or another, beside letters that do not and signs that drive a terminal.
MARKUP = "\\`*_{}[]()<>#+-.!|~$&@:;^%\"'=/? 0ab\n\t\x00\x1b\x7f\u202e\ud800中é→"
texts = st.text(st.sampled_from(MARKUP), max_size=10)
NASTY = (
    "<script>alert(1)</script>",
    "</style><b>",
    "\\input{secret} $x$ \\end{document} % ^^41 ~ # & {",
    '#read("secret") $ */ // @x <a>',
    "[a](javascript:b) ![c](d) `e` ``f`` *g* _h_ | i | ~~j~~ http://k.example <!-- l",
    "1. a",
    "- a",
    "# a",
    "--- ''' ``` ,, << >> ?` !`",
    "]]> &amp; &#65; \x00\x1b[31m\u202e",
    "≈ · × → ≤ ≥ ≠ ± ∞ √ ∂ − … — “”",
)

tex = pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed (texlive-latex-base)")
browser = pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
compiler = pytest.mark.skipif(find_spec("typst") is None, reason="typst is not installed: the extra `pdf`")
poppler = pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not installed (poppler-utils)")
drawing = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed: the extra `plot`")

Shown = pytest.CaptureFixture[str]


# ---- what a reader sees ---------------------------------------------------------------------------------------------------


def squeezed(text: str) -> str:
    return " ".join(text.split())


def visible(text: str) -> str:
    """How a text of a report is to be seen: what does not print as its escape, however many spaces as one."""
    return squeezed(printable(text))


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += ["\n"] if tag in ("p", "li", "td", "th", "h1", "h2", "h3", "h4", "br", "summary", "pre") else []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def read_html(page: str) -> str:
    return squeezed("".join(XML.fromstring(page).itertext()))


def read_markdown(page: str) -> str:
    from markdown_it import MarkdownIt

    reader = Words()
    reader.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(page))
    reader.close()
    return squeezed("".join(reader.found))


def read_junit(page: str) -> str:
    found = [part for e in XML.fromstring(page.encode()).iter() for part in (*e.attrib.values(), e.text or "")]
    return squeezed("\n".join(found))


READERS: dict[str, Callable[[str], str]] = {"html": read_html, "markdown": read_markdown, "junit": read_junit}


def said(report: Report) -> list[str]:
    """Every claim, erratum, mistake and blind spot."""
    lines = [text for line in report.claims for text in (line.says, line.correction * (line.kind == "erratum"))]
    return [*lines, *(m.says for m in report.mistakes), *(s.says for s in report.blind_spots)]


def with_text(text: str) -> Report:
    """This text wherever a report has one."""
    line = replace(PLAIN.claims[0], id=text, says=text, source=text, reason=text, remark=text, labels=[text], value=[text])
    line = replace(
        line, expected=[text], witness={text: [text]}, ok=False, verdict="refuted", sizes={text: "agrees"}, evidence=text
    )
    return Report(
        text,
        text,
        text,
        0,
        {text: text},
        0.0,
        (line, replace(line, kind="erratum", correction=text), replace(line, kind="step", id=f"{text}.1")),
        (Caught(text, text, text, False, [text], text, {text: text}, [text]),),
        (BlindSpot(text, text, [text]),),
        (Chain(text, (Form(text, text, text), Form(text, text, text, text)), (f"{text}.1",)),),
        figures={text: {text: [text]}},
        answer=[text],
        replay=text,
    )


@pytest.mark.parametrize("kind", READERS)
@given(text=st.sampled_from(NASTY) | texts)
def test_any_text_is_shown_as_it_is_written(kind: str, text: str) -> None:
    seen = READERS[kind](PAGES[kind]([with_text(text)]))
    assert visible(text) in seen
    # A text that were markup would be seen less often than one of letters.
    if (word := visible(text)) and not re.fullmatch(r"[\w\s.]*", word):
        assert seen.count(word) >= READERS[kind](PAGES[kind]([with_text("qzq")])).count("qzq")


def tags(page: str) -> list[str]:
    reader = Words()
    reader.feed(page)
    reader.close()
    return reader.tags


@given(text=st.sampled_from(NASTY) | texts)
def test_no_text_becomes_an_element(text: str) -> None:
    from markdown_it import MarkdownIt

    def elements(words: str) -> list[list[str]]:
        report = [with_text(words)]
        page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown.render(report))
        return [tags(html.render(report)), tags(page)]

    if visible(text):
        assert elements(text) == elements("a\nb" if "\n" in text else "a")


def test_a_planted_markup_is_seen_as_an_element() -> None:
    page = html.render([PLAIN])
    assert tags(page.replace("It is unbiased.", "It is <b>un</b>biased.")) != tags(page)


@pytest.mark.parametrize("kind", READERS)
@given(report=reports(words, st.floats()))
def test_all_of_the_report_is_in_every_format(kind: str, report: Report) -> None:
    seen = READERS[kind](PAGES[kind]([report]))
    for text in said(report):
        assert visible(text) in seen


@pytest.mark.parametrize("kind", ["latex", "typst"])
@given(report=reports(words, st.floats()))
def test_all_of_the_report_is_in_what_is_typeset(kind: str, report: Report) -> None:
    written = PAGES[kind]([report])
    assert all(text in written for text in said(report))


def test_two_blind_spots_of_one_name_are_both_told() -> None:
    twice = replace(PLAIN, blind_spots=(BlindSpot("so", "aa", []), BlindSpot("so", "a", ["w"])))
    seen = read_junit(junit.render([twice]))
    assert "blind spot so aa" in seen and "blind spot so a w" in seen


@pytest.mark.parametrize("kind", PAGES)
def test_a_claim_that_is_left_out_would_be_noticed(kind: str) -> None:
    page = PAGES[kind]([replace(PLAIN, claims=PLAIN.claims[1:])])
    assert "It is unbiased." in PAGES[kind]([PLAIN]) and "It is unbiased." not in page


@tex
@pytest.mark.parametrize("text", ["all", "letters"])
def test_the_latex_compiles(text: str, tmp_path: Path) -> None:
    """Every nasty text, and each sign of MARKUP by itself and twice, wherever a text may stand."""
    found = [*NASTY, *MARKUP, *(2 * c for c in MARKUP)] if text == "all" else ["letters"]
    trees = tuple(Form("f", "", "", "", ["row", ["id", word], ["text", word], ["fn", word]]) for word in found if word)
    page = latex.render([*(with_text(word) for word in found), replace(PLAIN, derivations=(Chain("T", trees, ()),))])
    (tmp_path / "a.tex").write_text(page, encoding="utf-8")
    done = typeset(tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


@tex
def test_latex_that_does_not_compile_is_noticed(tmp_path: Path) -> None:
    page = latex.render([PLAIN]).replace("It is unbiased.", "It is \\unbiased.")
    (tmp_path / "a.tex").write_text(page, encoding="utf-8")
    assert typeset(tmp_path).returncode != 0


def typeset(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "a.tex"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=300)


@compiler
@settings(max_examples=8)
@given(report=reports(texts, st.floats()))
def test_the_typst_compiles_whatever_the_texts(report: Report) -> None:
    assert typst.pdf(typst.render([report])).startswith(b"%PDF")


@compiler
def test_the_typst_shows_any_text() -> None:
    import typst as outside

    for text in NASTY:
        page = typst.render([with_text(text)])
        assert typst.pdf(page) == typst.pdf(page)
        titles = plain_json.loads(outside.query(page.encode(), "heading"))
        assert titles and any("text" in str(title["body"]) for title in titles)


# ---- on paper -------------------------------------------------------------------------------------------------------------

MARGIN = 20 * 72 / 25.4  # 20 mm in points


@dataclass(frozen=True)
class Sheet:
    """A page of a PDF as it is read back: its size, its words and where they stand, in points."""

    width: float
    height: float
    words: list[tuple[str, float, float, float, float]]

    @property
    def outside(self) -> list[str]:
        """The words that do not stand between the margins, but for the room of their descenders; the page number stands below."""
        right, bottom = self.width - MARGIN + 0.5, self.height - MARGIN + 5
        body = [w for w in self.words if not (w[2] > bottom and w[0].isdigit())]
        return [w for w, x0, y0, x1, y1 in body if x0 < MARGIN - 0.5 or x1 > right or y0 < MARGIN - 5 or y1 > bottom]


def sheets(pdf: bytes, folder: Path) -> list[Sheet]:
    (folder / "a.pdf").write_bytes(pdf)
    subprocess.run(["pdftotext", "-bbox", "a.pdf", "a.xml"], cwd=folder, check=True, timeout=120)
    # Poppler writes the signs of some fonts as characters that XML cannot hold.
    found = re.sub("[^\n\t -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", (folder / "a.xml").read_text(encoding="utf-8"))
    pages = [e for e in XML.fromstring(found).iter() if e.tag.endswith("}page")]

    def numbers(e: Any, *names: str) -> tuple[float, ...]:
        return tuple(float(e.get(name)) for name in names)

    return [
        Sheet(*numbers(page, "width", "height"), [(str(w.text), *numbers(w, "xMin", "yMin", "xMax", "yMax")) for w in page])
        for page in pages
    ]


def inked(folder: Path) -> list[Any]:
    """Where each page of a.pdf is not white, a pixel for each point."""
    subprocess.run(["pdftoppm", "-r", "72", "-gray", "a.pdf", "ink"], cwd=folder, check=True, timeout=120)
    found: list[Any] = []
    for path in sorted(folder.glob("ink-*.pgm")):
        magic, size, _, pixels = path.read_bytes().split(b"\n", 3)
        width, height = map(int, size.split())
        assert magic == b"P5"
        found.append(np.frombuffer(pixels, dtype=np.uint8).reshape(height, width) < 250)
    return found


@pytest.fixture(scope="module")
def first_problem() -> Report:
    return check(load("problem1"), points=2, figures=True, formulas=True)


def on_paper(report: Report, folder: Path) -> bytes:
    return publish.Target(folder / "a.pdf", False, "en").write([report], {}).read_bytes()


@compiler
@poppler
def test_a_problem_on_paper(first_problem: Report, tmp_path: Path) -> None:
    found = sheets(on_paper(first_problem, tmp_path), tmp_path)
    # As many pages as hold some twenty entries each: a page per entry, or all on one, would be noticed.
    entries = len(first_problem.claims) + len(first_problem.mistakes)
    assert entries / 20 < len(found) < entries / 2
    assert {(round(sheet.width), round(sheet.height)) for sheet in found} == {(595, 842)}  # A4
    assert [word for sheet in found for word in sheet.outside] == []
    lowest = [max(sheet.words, key=lambda word: word[2])[0] for sheet in found]
    assert lowest == [str(n) for n in range(1, len(found) + 1)]
    text = " ".join(word for sheet in found for word, *_ in sheet.words)
    titles = [section.title for section in document([first_problem]).parts[0].blocks if isinstance(section, Section)]
    places = [text.find(title) for title in titles]
    assert len(titles) >= 9 and -1 not in places and places == sorted(places)


@compiler
@poppler
def test_nothing_is_drawn_in_the_margins(first_problem: Report, tmp_path: Path) -> None:
    for report in (first_problem, wide_report()):
        on_paper(report, tmp_path)
        side = int(MARGIN) - 1
        for page in inked(tmp_path):
            assert page.any() and not page[:, :side].any() and not page[:, -side:].any() and not page[: side - 5].any()


@compiler
@poppler
def test_what_is_drawn_in_the_margins_is_noticed(tmp_path: Path) -> None:
    page = typst.render([PLAIN]).replace("margin: 20mm", "margin: 12mm")
    (sheet, *_) = sheets(typst.pdf(page), tmp_path)
    assert sheet.outside and inked(tmp_path)[0][:, : int(MARGIN) - 1].any()


# ---- formulas -------------------------------------------------------------------------------------------------------------

GOOD_TREES = (
    ["num", "3"],
    ["row", ["id", "naïve_σ"], ["op", "="], ["id", "a<b$&\\{"], ["fn", "中`#"]],
    ["row", ["id", "w"], ["op", "<="], ["frac", ["num", "1"], ["num", "2"]]],
    ["fence", "(", ")", ["matrix", [["num", "1"], ["id", "x"]]]],
    ["cases", [["num", "1"], ["text", "otherwise"]]],
    ["row", ["big", "sum", ["row", ["id", "i"], ["op", "="], ["num", "0"]], ["id", "n"]], ["sub", ["id", "x"], ["id", "i"]]],
)
WRONG_TREES = (
    ["num", "\\input{a}"],
    ["op", "\\input"],
    ["fence", "\\left", ")", ["num", "1"]],
    ["accent", "dagger", ["num", "1"]],
    ["frac", ["num", "1"]],
    ["row", "x"],
    ["cases", [["num", "1"]]],
    ["matrix", [["num", "1"]], [["num", "1"], ["num", "2"]]],
    ["unheard", "x"],
    [["num", "1"]],
    "x",
    {"num": "1"},
)


@pytest.mark.parametrize("tree", GOOD_TREES, ids=str)
def test_a_formula_is_drawn_in_every_format(tree: Any) -> None:
    report = replace(PLAIN, derivations=(Chain("T", (Form("f", "inletters", "x", "", tree),), ()),))
    assert drawable(tree) == tree
    for render in (html.render, markdown.render, latex.render, typst.render):
        assert "inletters" not in render([report])
    assert "<math" in html.render([report])


@pytest.mark.parametrize("tree", WRONG_TREES, ids=str)
def test_what_is_no_formula_is_never_set_as_one(tree: Any) -> None:
    report = replace(PLAIN, derivations=(Chain("T", (Form("f", "inletters", "\\input{a}", "", tree),), ()),))
    assert drawable(tree) == []
    for render in (html.render, markdown.render, latex.render, typst.render):
        assert "inletters" in render([report]) and "\\input" not in render([report])


def test_a_tree_that_is_too_deep_is_no_formula() -> None:
    tree: Any = ["num", "1"]
    for _ in range(5000):
        tree = ["root", tree]
    assert drawable(tree) == []


# ---- again from JSON ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [html, json, junit, latex, markdown, terminal, typst])
@given(report=reports(texts.filter(lambda text: "\ud800" not in text), st.floats()))
def test_a_saved_report_renders_to_the_same_bytes(kind: Any, report: Report) -> None:
    saved = json.read(json.render([report]))
    assert kind.render(json.read(json.render(saved))) == kind.render(saved)


@given(report=reports(texts, st.floats()))
def test_a_notebook_shows_the_same_page(report: Report) -> None:
    shown = report._repr_html_()
    assert tags(shown) == ["iframe"] and 'sandbox=""' in shown
    (frame,) = [dict(e.attrib) for e in XML.fromstring(f"<p>{shown}</p>")]
    assert frame["srcdoc"].split() == html.render([report]).split()


@given(reports(words, st.floats()))
def test_in_a_shell_a_report_is_its_text(report: Report) -> None:
    assert repr(report) == str(report) == report.text()


def test_a_notebook_s_formulas_are_derivations_that_hold() -> None:
    """x^2 = x^3 does not, and is not shown; where nothing is left a notebook shows the page."""
    x = sp.symbols("x")
    right = Derivation("Products", x * (x + 1), ((x**2 + x, "multiplied out"), (x + x * x, "the same")))
    wrong, bare = Derivation("Powers", x**2, ((x**3, "a slip"),)), Derivation("Alone", x)
    shown = check(Problem("P", derivations=(right, wrong, bare)))._repr_latex_()
    assert shown == r"$\displaystyle \begin{aligned} x(x+1) &= x^{2}+x \end{aligned}$"
    for chains in ((wrong,), (bare,), (wrong, bare)):
        assert check(Problem("P", derivations=chains))._repr_latex_() is None
    assert replace(PLAIN, derivations=())._repr_latex_() is None


@given(st.lists(reports(texts, st.floats()), max_size=2))
def test_no_two_places_share_a_name(found: list[Report]) -> None:
    names = [e.get("id") for e in XML.fromstring(html.render(found)).iter() if e.get("id")]
    assert len(names) == len(set(names))


@given(reports(words, st.floats()))
def test_every_link_leads_somewhere(report: Report) -> None:
    page = XML.fromstring(html.render([report]))
    names = {e.get("id") for e in page.iter()}
    links = [str(e.get("href")) for e in page.iter() if e.get("href")]
    assert all(link.startswith("#") and link[1:] in names for link in links)


def test_a_mistake_shows_what_it_computes_and_what_caught_it() -> None:
    mistake = Caught("m", "sign lost", "unbiased", True, ["unbiased"], "0.5 is not -0.5", {"w": ["1", "2"]}, [0.5, -0.25])
    seen = read_html(html.render([replace(PLAIN, mistakes=(mistake,))]))
    for word in ("sign lost", "(0.5, -0.25)", "caught by unbiased", "0.5 is not -0.5", "w = (1, 2)"):
        assert word in seen


def test_junit_counts_and_tells_what_failed() -> None:
    wrong = replace(PLAIN.claims[0], ok=False, verdict="refuted", reason="1 is not 2", witness={"w": ["1/3"]})
    missed = Caught("m", "sign lost", "unbiased", False, [], "it holds")
    suite = XML.fromstring(junit.render([replace(PLAIN, claims=(wrong, PLAIN.claims[1]), mistakes=(missed,))]).encode())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    failures = suite.findall("testcase/failure")
    assert (
        "1 is not 2" in str(failures[0].text)
        and "w = (1/3)" in str(failures[0].text)
        and failures[1].get("message") == "it holds"
    )
    assert {p.get("name") for p in suite.findall("properties/property")} >= {"problem", "seed", "torch", "replay"}


# ---- Chinese --------------------------------------------------------------------------------------------------------------


def spoken(report: Report) -> set[str]:
    """The sentences of the tool itself that a page of this report says: its own words are letters from a to h."""
    found: set[str] = set()

    def say(sentence: str, *parts: object) -> str:
        found.add(sentence)
        return english(sentence, *parts)

    document([report, report], Setting(say=say))
    return {sentence for sentence in found if not re.fullmatch("[a-h]*", sentence)}


@given(reports(words, st.floats()))
def test_every_sentence_of_the_tool_has_its_chinese(report: Report) -> None:
    assert spoken(report) - sentences("zh").keys() == set()


def test_a_sentence_that_is_missing_would_be_noticed() -> None:
    assert {"Claims", "agrees", "as printed", "How to replay"} <= spoken(PLAIN) & sentences("zh").keys()


def test_a_sentence_and_its_chinese_have_the_same_gaps() -> None:
    for spoken_one, chinese in sentences("zh").items():
        assert spoken_one.count("{}") == chinese.count("{}") and chinese.strip(), spoken_one


def test_what_has_no_chinese_is_shown_in_english() -> None:
    say = speaker("zh")
    assert say("No such sentence {}") == "No such sentence {}" and say("Claims") == "命题"
    page = html.render([PLAIN], Setting("zh", say))
    assert 'lang="zh"' in page and "命题" in page and "It is unbiased." in page


# ---- the command ----------------------------------------------------------------------------------------------------------

FIGURED = """
from gradcheck_rl import Claim, Equal, Figure, Problem, Value, Variable

x = Variable("x")
same = Claim("x is x.", Equal(Value(x), x))


def line(problem, seed):
    return {"x": (1, 2, 4), "y": [seed, 2 * seed, 4 * seed]}


def draw(data, ax):
    ax.plot(data["x"], data["y"])
    ax.fill_between(data["x"], data["y"], hatch="/")
    ax.set(title="a < b & id=", xlim=(1, 3))


problem = Problem(title="A line", claims=(same,), figures=(Figure("line", line, draw), Figure("again", line, draw)))
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and two shipped problems."""
    folder = tmp_path / "problems"
    folder.mkdir()
    (folder / "problem1_two_logits.py").write_text(TINY.read_text())
    (folder / "problem2_line.py").write_text(FIGURED)
    (folder / "zh.toml").write_text((REPOSITORY / "problems" / "zh.toml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(loading, "HOMES", (folder,))
    monkeypatch.setattr(import_module("gradcheck_rl.languages"), "HOMES", (folder,))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", publish.FORMATS)
def test_a_report_and_its_saved_copy_are_written_alike(suffix: str, home: Path) -> None:
    if suffix == ".pdf":
        pytest.importorskip("typst")
    assert main(["report", "problem2", "-o", "a.json", "--seed", "3"]) == 0
    # Times differ from run to run: the saved copy of one run is compared with that copy's copy.
    first = json.read(Path("a.json").read_text())
    target = publish.target(f"fresh/a{suffix}" if (home / "fresh").mkdir() is None else "", "en", ())
    target.write(first, {"problem2": load("problem2")})
    (home / "saved").mkdir()
    assert main(["report", "a.json", "-o", f"saved/a{suffix}"]) == 0

    def files(folder: str) -> dict[str, bytes]:
        return {str(p.relative_to(home / folder)): p.read_bytes() for p in (home / folder).rglob("*") if p.is_file()}

    assert files("fresh") == files("saved")
    drawn = find_spec("matplotlib") is not None and suffix in (".md", ".tex")
    assert len(files("saved")) == (3 if drawn else 1)


@pytest.mark.parametrize("page", ["problem1", "problem2"])
@pytest.mark.parametrize("save", ["--json", "--quiet"])
def test_the_report_that_a_run_saves_is_the_whole_page(page: str, save: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times aside, which stand still here."""
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    assert main(["report", page, "-o", "computed.html"]) == 0
    assert main(["run", page, save, "-o", "saved.json"]) == 0
    assert main(["report", "saved.json", "-o", "saved.html"]) == 0
    computed = Path("computed.html").read_text(encoding="utf-8")
    assert Path("saved.html").read_text(encoding="utf-8") == computed
    assert "<math" in computed and ("<svg" in computed or page == "problem1" or find_spec("matplotlib") is None)


def test_of_some_claims_or_an_answer_no_figure_is_saved(home: Path) -> None:
    assert main(["run", "problem2", "--only", "same", "-o", "some.json"]) == 0
    assert json.read(Path("some.json").read_text())[0].figures == {}


@drawing
def test_figures_stand_in_the_page_and_share_no_names(home: Path) -> None:
    assert main(["report", "problem2", "problem1", "-o", "a.html", "--quiet"]) == 0
    page = XML.fromstring(Path("a.html").read_text(encoding="utf-8"))
    pictures = [e for e in page.iter() if e.tag == f"{{{publish.SVG}}}svg"]
    names = [e.get("id") for e in page.iter() if e.get("id")]
    assert len(pictures) == 2 and len(names) == len(set(names))
    for picture in pictures:
        inside = {e.get("id") for e in picture.iter()}
        values = [v for e in picture.iter() for v in e.attrib.values()]
        asked = [name for value in values for name in re.findall(r"url\(#([^)]*)\)", value)]
        asked += [value[1:] for e in picture.iter() for name, value in e.attrib.items() if name.endswith("href")]
        assert asked and set(asked) <= inside
        assert "a < b & id=" in " ".join(picture.itertext())


@drawing
def test_where_matplotlib_is_missing_figures_are_tables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(name: str) -> Any:
        return None if name == "matplotlib" else find_spec(name)

    monkeypatch.setattr(publish, "find_spec", spec)
    assert main(["report", "problem2", "-o", "a.html", "--seed", "5"]) == 0
    seen = read_html(Path("a.html").read_text(encoding="utf-8"))
    assert "figure line" in seen and "20" in seen and "<svg" not in Path("a.html").read_text(encoding="utf-8")


def test_a_saved_report_never_names_a_file_to_run(home: Path) -> None:
    (home / "evil.py").write_text("open('ran', 'w')\n")
    for name in ("evil.py", "./evil.py", str(home / "evil.py")):
        report = replace(PLAIN, problem=name, figures={"f": {"x": [1]}})
        Path("a.json").write_text(json.render([report]))
        assert main(["report", "a.json", "-o", "a.html"]) == 0
    assert not (home / "ran").exists()


def test_a_folder_has_an_index_and_a_page_for_each(home: Path, capsys: Shown) -> None:
    assert main(["report", "all", "-o", "site/"]) == 0
    assert sorted(p.name for p in Path("site").iterdir()) == [
        "index.html",
        "problem1.html",
        "problem1.json",
        "problem2.html",
        "problem2.json",
    ]
    index = XML.fromstring(Path("site/index.html").read_text(encoding="utf-8"))
    assert [e.get("href") for e in index.iter() if e.get("href")] == ["problem1.html", "problem2.html"]
    page = XML.fromstring(Path("site/problem2.html").read_text(encoding="utf-8"))
    assert [e.get("href") for e in page.iter() if str(e.get("href")).endswith(".html")] == ["index.html"]
    assert "site/index.html is written." in capsys.readouterr().out


def test_names_of_saved_reports_stay_in_the_folder(home: Path) -> None:
    Path("a.json").write_text(json.render([replace(PLAIN, problem=name) for name in ("../../x", "index", "", "a b", "a/b")]))
    assert main(["report", "a.json", "-o", "site/"]) == 0
    written = {p.name for p in Path("site").iterdir()}
    assert written == {f"{n}{s}" for n in ("x", "index_page", "report", "a_b", "a_b_2") for s in (".html", ".json")} | {
        "index.html"
    } or all(re.fullmatch(r"[A-Za-z0-9_-]+\.(html|json)", name) for name in written)
    assert not (home.parent / "x.html").exists() and len(written) == 11


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("problem1", "name the file to write: -o report.html (or .md, .tex, .pdf, .json, .xml), or a folder: -o site/."),
        (
            "problem1 -o a.doc",
            "-o a.doc names no kind of report: end it in .html, .md, .tex, .pdf, .json, .xml, or in / for a folder",
        ),
        ("problem1 -o a", "-o a names no kind of report"),
        ("problem1 -o absent/a.html", "-o absent/a.html cannot be written: No such file or directory."),
        ("problem1 -o bad.json/site/", "is not a folder that can be written to."),
        ("problem1 -o a.pdf --lang zh", "--lang zh is for .html, .md and folders: leave it out for -o a.pdf."),
        ("problem3 -o a.html", "unknown problem 'problem3'."),
        ("absent.json -o a.html", "absent.json cannot be read: No such file or directory."),
        ("bad.json -o a.html", "bad.json is not JSON"),
        ("other.json -o a.html", "other.json is JSON, but not a report"),
        ("list.json -o a.html", "list.json is JSON, but not a report"),
        ("other.json -o other.json", "-o other.json would overwrite what is to be read: choose another file."),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_computed(
    typed: str, sentence: str, home: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    def computing(*_: Any, **__: Any) -> None:
        raise AssertionError("something was computed")

    monkeypatch.setattr(import_module("gradcheck_rl.loop"), "check", computing)
    Path("bad.json").write_text("{")
    Path("other.json").write_text('{"a": 1}')
    Path("list.json").write_text("[1]")
    assert main(["report", *typed.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and sentence in err and err.count("\n") == 1
    assert not list(home.glob("a.*"))


def test_without_typst_the_sentence_says_what_to_type(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown) -> None:
    monkeypatch.setattr(publish, "find_spec", lambda name: None)
    assert main(["report", "problem1", "-o", "a.pdf"]) == 2
    assert (
        capsys.readouterr().err
        == "error: -o FILE.pdf needs typst, which is not installed: type pip install 'gradcheck_rl[pdf]'.\n"
    )


def test_a_file_is_whole_or_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.html").write_text("before")
    Path("a.json").write_text(json.render([PLAIN]))

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish.os, "replace", fails)
    assert main(["report", "a.json", "-o", "a.html"]) == 2
    assert Path("a.html").read_text() == "before"
    assert {p.name for p in home.iterdir()} == {"a.html", "a.json", "problems"}


def test_the_exit_code_is_that_of_the_reports(home: Path) -> None:
    wrong = replace(PLAIN, claims=(replace(PLAIN.claims[0], ok=False, verdict="refuted"),))
    Path("a.json").write_text(json.render([PLAIN, wrong]))
    assert main(["report", "a.json", "-o", "a.html"]) == 1


# ---- in a browser ---------------------------------------------------------------------------------------------------------

PROBE = """<!DOCTYPE html><html><body>{frames}<pre id="out"></pre><script>
const seen = frame => {{
  const page = frame.contentDocument.documentElement, wide = [], over = [];
  const named = e => e.tagName + "." + e.className;
  for (const e of page.querySelectorAll("body *")) {{
    const inside = e.parentElement.closest(".scroll, .formula, pre");
    if (!inside && e.getBoundingClientRect().right > page.clientWidth + 1) wide.push(named(e));
  }}
  const blocks = "h1, h2, h3, h4, p, pre, nav, li, dt, dd, article, section, figure, table, summary, .formula, .why, .pair > div";
  const all = [...page.querySelectorAll(blocks)];
  for (const e of all) if (e.clientHeight && e.scrollHeight > e.clientHeight + 2) over.push(named(e) + " is too low");
  const found = all.map(e => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.width * r.height);
  found.sort(([a, r], [b, s]) => r.top - s.top);
  found.forEach(([a, r], n) => {{
    for (let m = n + 1; m < found.length && found[m][1].top < r.bottom - 1; m++) {{
      const [b, s] = found[m];
      const beside = s.left > r.right - 1 || r.left > s.right - 1;
      if (!beside && !a.contains(b) && !b.contains(a)) over.push(named(a) + " " + named(b));
    }}
  }});
  const columns = [...page.querySelectorAll(".pair, .entry")].map(e => getComputedStyle(e).gridTemplateColumns.split(" ").length);
  const kinds = [...new Set(columns)];
  const lines = [...page.querySelectorAll("td .verdict")].map(e => e.getClientRects().length);
  const cut = [...page.querySelectorAll(".formula math")].filter(
    e => e.getBoundingClientRect().right > e.closest(".formula").getBoundingClientRect().right + 1).length;
  const [says, dd] = [".says", "dd"].map(e => page.querySelector(e)).map(e => e && parseFloat(getComputedStyle(e).fontSize));
  return {{scroll: page.scrollWidth, client: page.clientWidth, wide, over, kinds, lines, cut, says, dd}};
}};
onload = () => out.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(seen));
</script></body></html>"""


FRAME = '<iframe width="{}" height="900" style="border:0" srcdoc="{}"></iframe>'


def probed(folder: Path, width: int, *pages: str) -> list[dict[str, Any]]:
    """Each page in a frame of this width: is anything wider?"""
    frames = "".join(FRAME.format(width, entities.escape(page.replace("<details>", '<details open="open">'))) for page in pages)
    (folder / "probe.html").write_text(PROBE.format(frames=frames), encoding="utf-8")
    written = chromium(folder, f"--window-size={width + 200},1000", "--dump-dom", (folder / "probe.html").as_uri())
    found = re.search(r'<pre id="out">(\[.*?\])</pre>', written, re.DOTALL)
    assert found, written[-2000:]
    return plain_json.loads(entities.unescape(found[1]))


def chromium(folder: Path, *words: str) -> str:
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command = ["chromium", *flags, "--virtual-time-budget=20000", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def wide_report() -> Report:
    """Long words, many columns, a long formula, a refuted line: what might not fit."""
    long = "a" * 300
    sides = [0.123456789] * 12
    line = replace(PLAIN.claims[0], ok=False, verdict="refuted", reason=long, witness={long: [long]}, value=sides, expected=sides)
    sum_of = ["row", *[part for n in range(40) for part in (["op", "+"], ["frac", ["id", f"weight{n}"], ["id", "total"]])][1:]]
    chain = Chain(long, (Form("f", long, "", long, sum_of), Form("g", "a\n" + long, "")), ())
    flow = check(load(str(TINY))).flow
    return replace(
        PLAIN,
        title=long,
        claims=(*PLAIN.claims, line, replace(line, kind="erratum", says=long, correction=long, formula=sum_of)),
        derivations=(chain,),
        figures={"f": {long + str(n): sides for n in range(9)}},
        flow=flow,
        replay=long,
    )


@browser
@pytest.mark.parametrize("width", [380, 1280])
def test_nothing_is_wider_than_the_screen_and_no_two_blocks_share_a_place(
    width: int, first_problem: Report, tmp_path: Path
) -> None:
    """On a telephone what stands beside something else stands below it."""
    home = html.write(index([first_problem] * 3, ["a.html", "b.html", "c.html"]))
    for found in probed(tmp_path, width, html.render([first_problem]), html.render([wide_report()]), home):
        assert found["over"] == [] and found["wide"] == []
        assert found["scroll"] <= found["client"] <= width < found["client"] + 20  # a scrollbar
        assert found["kinds"] in ([], [1] if width == 380 else [2])


PLANTED = (".says { margin-bottom: -1.5rem }", ".why { position: relative; top: -3rem }", "h3 { height: 0.2rem }", "")


@browser
def test_blocks_that_share_a_place_are_noticed(first_problem: Report, tmp_path: Path) -> None:
    page = html.render([first_problem])
    pages = [page.replace("</style>", f"{planted}</style>") for planted in PLANTED]
    for planted, found in zip(PLANTED, probed(tmp_path, 1280, *pages), strict=True):
        assert bool(found["over"]) is bool(planted), planted


def pictured(page: str, width: int, folder: Path, dark: bool = False) -> Any:
    """How the top of the page looks at this width: rows of pixels."""
    from matplotlib.image import imread

    frame = f'<iframe width="{width}" height="1600" style="border:0;display:block" srcdoc="{entities.escape(page)}"></iframe>'
    head = '<meta charset="utf-8"><meta name="color-scheme" content="light dark">'
    (folder / "frame.html").write_text(f'<!DOCTYPE html>{head}<body style="margin:0">{frame}', encoding="utf-8")
    flags = ["--hide-scrollbars", f"--window-size={max(width, 600)},1600", f"--screenshot={folder / 'a.png'}"]
    chromium(folder, *flags, *(["--blink-settings=preferredColorScheme=0"] if dark else []), (folder / "frame.html").as_uri())
    return imread(folder / "a.png")[:, :width, :3]


def bands(picture: Any) -> list[tuple[int, int]]:
    """From where to where something stands in each line of pixels that is not all paper; the places of words differ by font."""
    paper = picture[2, 2]
    marks = np.abs(picture - paper).max(axis=2) > 0.05
    return [(int(row.argmax()), int(len(row) - row[::-1].argmax())) for row in marks if row.any()]


@browser
@drawing
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [380, 1280])
def test_the_page_as_it_is_seen(width: int, dark: bool, first_problem: Report, tmp_path: Path) -> None:
    """The text stands in one column, 52rem at most, centred, with the same room at both sides, and on dark paper where asked."""
    picture = pictured(html.render([first_problem]), width, tmp_path, dark)
    room = 16 if width == 380 else (width - 52 * 16) // 2 + 20
    found = bands(picture)
    assert len(found) > 400
    assert min(left for left, _ in found) == room and max(right for _, right in found) == width - room
    assert (float(picture[2, 2].mean()) < 0.2) is dark
    # Light text on dark paper, and the other way round: the strongest mark is far from the paper.
    assert float(np.abs(picture - picture[2, 2]).max()) > 0.75


@browser
@drawing
def test_a_column_that_is_not_centred_is_noticed(first_problem: Report, tmp_path: Path) -> None:
    page = html.render([first_problem]).replace("</style>", "main { margin: 0 }</style>")
    found = bands(pictured(page, 1280, tmp_path))
    assert min(left for left, _ in found) != 1280 - max(right for _, right in found)


@browser
def test_what_is_wider_than_the_screen_is_noticed(tmp_path: Path) -> None:
    page = html.render([PLAIN]).replace("<main>", '<main><div style="width: 500px">wide</div>')
    (found,) = probed(tmp_path, 380, page)
    assert found["wide"]


@given(reports(texts, st.floats()))
@settings(max_examples=10)
def test_the_page_stands_alone(report: Report) -> None:
    page = html.render([report])
    assert {"script", "link", "img", "iframe"}.isdisjoint(tags(page))
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style


def test_a_claim_says_its_verdict_without_colour() -> None:
    wrong = Line("w", "It is wrong.", "claim", "", "refuted", False)
    seen = read_html(html.render([replace(PLAIN, claims=(*PLAIN.claims, wrong))]))
    assert "✓ agrees" in seen and "✗ refuted" in seen


def test_a_notebook_sets_no_command_of_a_saved_report() -> None:
    """What a report calls its LaTeX is not looked at: its tree is, if it is one."""
    evil = Form("f", "x", r"\href{javascript:alert(1)}{x}", "", ["id", "x"])
    line = replace(PLAIN.claims[0], id="f.1", kind="step")
    shown = replace(PLAIN, claims=(line,), derivations=(Chain("C", (evil, replace(evil, math=["num", "1"])), ("f.1",)),))
    assert shown._repr_latex_() == r"$\displaystyle \begin{aligned} x &= 1 \end{aligned}$"
    wrong = replace(evil, math=["op", r"\href{javascript:alert(1)}{x}"])
    assert replace(shown, derivations=(Chain("C", (evil, wrong), ("f.1",)),))._repr_latex_() is None
    for forms, steps in (((), ("f.1",)), ((evil,), ("f.1",)), ((evil, evil), ()), ((evil, evil, evil), ("f.1",))):
        assert replace(shown, derivations=(Chain("C", forms, steps),))._repr_latex_() is None


def test_chinese_sentences_are_joined_by_chinese_commas() -> None:
    say = speaker("zh")
    counts = "0 条已证明，1 条一致，0 条被否定，0 条未定"
    assert counts in replace(PLAIN, title="T").text(say) and "1 条一致，勘误已否定 1 / 1，错误已发现 1 / 1。" in terminal.render(
        [PLAIN], terminal.Screen(say=say)
    )
    assert "一致，两边相差 0，精确到 2.0e-15" in read_html(html.render([PLAIN], Setting("zh", say)))
    assert "0 proved, 1 agree, 0 refuted, 0 undecided" in PLAIN.text()


@browser
def test_a_chinese_verdict_in_a_narrow_table_is_not_a_column_of_letters(tmp_path: Path) -> None:
    """The mark may stand above the words: two lines."""
    page = html.write(index([PLAIN], ["tiny.html"], Setting("zh", speaker("zh"))))
    right, wrong = (found["lines"] for found in probed(tmp_path, 380, page, page.replace("word-break: keep-all", "")))
    assert right and max(right) <= 2
    assert max(wrong) > 2


@pytest.mark.parametrize("depth", [400, 3000])
def test_what_is_nested_too_deeply_is_json_but_no_report(depth: int, home: Path, capsys: Shown) -> None:
    point = f"{'[' * depth}1{']' * depth}"
    text = json.render([PLAIN]).replace('"witness": null', f'"witness": {{"x": {point}}}')
    (home / "deep.json").write_text(text)
    assert main(["report", "deep.json", "-o", "deep.html"]) == 2
    assert capsys.readouterr().err.startswith("error: deep.json is JSON, but not a report")


@browser
def test_on_paper_no_formula_is_cut_and_no_evidence_is_larger_than_its_sentence(first_problem: Report, tmp_path: Path) -> None:
    """A4 between its margins is 178 mm wide: nobody can scroll there."""
    page = html.render([first_problem]).replace("@media print", "@media all")
    wide, mixed = page.replace("--narrow: 2.1", "--narrow: 1"), page.replace("html { font-size: 10pt", ".says { font-size: 10pt")
    right, cut, large = probed(tmp_path, 673, page, wide, mixed)
    assert right["cut"] == 0 and right["dd"] < right["says"]
    assert cut["cut"] > 0
    assert large["dd"] > large["says"]


@drawing
def test_a_picture_has_a_name_for_who_does_not_see_it_and_paper_of_its_own_in_a_file(home: Path) -> None:
    """A code host shows the file on a dark page too; the page around it has its own paper."""
    assert main(["report", "problem2", "-o", "a.html", "--quiet"]) == main(["report", "problem2", "-o", "a.md", "--quiet"]) == 0
    page = XML.fromstring(Path("a.html").read_text(encoding="utf-8"))
    named = [e for e in page.iter() if e.get("role") == "img"]
    assert [e.get("aria-label") for e in named] == ["figure line", "figure again"]
    assert all(e.find(f"{{{publish.SVG}}}svg") is not None for e in named)
    white = "fill: #ffffff"
    assert white not in Path("a.html").read_text(encoding="utf-8")
    assert all(white in Path(f"a_files/{name}.svg").read_text() for name in ("problem2_line", "problem2_again"))


@tex
def test_on_latex_s_paper_no_name_runs_into_the_next_column(tmp_path: Path) -> None:
    """A long name goes on below, in its column; and a tick is no root."""
    flow = tuple(Flow(f"{'long_' * 6}name{n}", dict.fromkeys("abcdefg", "none")) for n in range(3))
    page = latex.render([replace(PLAIN, flow=flow)])

    def too_wide(page: str) -> int:
        (tmp_path / "a.tex").write_text(page, encoding="utf-8")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:]
        return done.stdout.count(b"Overfull")

    assert too_wide(page) == 0 < too_wide(page.replace(r"\allowbreak{}", ""))
    assert r"\surd" not in page


@tex
@poppler
def test_on_latex_s_paper_lines_of_fractions_stand_apart(tmp_path: Path) -> None:
    fence = ["fence", "(", ")", ["frac", ["num", "1"], ["num", "8"]]]
    bands: list[int] = []
    for count in (1, 30):
        tree = ["row", fence, *(part for _ in range(count - 1) for part in (["op", "+"], fence))]
        page = latex.render([replace(PLAIN, derivations=(Chain("T", (Form("f", "", "", "", tree),), ()),))])
        (tmp_path / "a.tex").write_text(page, encoding="utf-8")
        assert typeset(tmp_path).returncode == 0
        rows = inked(tmp_path)[0].any(axis=1)
        bands.append(int((rows[1:] & ~rows[:-1]).sum()))
    lines = len(Formula(tree, "").lines)
    assert bands[1] - bands[0] == lines - 1 > 1


def test_chinese_has_its_own_colon_and_what_a_route_adds_its_numbers_in_few_digits() -> None:
    line = PLAIN.claims[0]
    noted = replace(line, ok=False, source="A-1", routes=(replace(line.routes[0], note="w_1: 0.3333333333333333 is not 0"),))
    report = replace(PLAIN, answer=["f"], claims=(noted,))
    said = terminal.render([report], terminal.Screen(say=speaker("zh")))
    assert "解答：f" in said and "出处：A-1" in said
    assert "Answer: f" in terminal.render([report])
    shown = read_html(html.render([report]))
    assert "w_1: 0.333333 is not 0" in shown and "0.3333333333333333" not in shown


@given(reports(texts, st.just(0.0)))
def test_a_report_is_no_truth_value(report: Report) -> None:
    """`assert check(...)` would pass whatever was found."""
    with pytest.raises(TypeError, match=r"write report\.ok, or report\.require\(\)"):
        assert report


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)))
def test_what_is_no_report_is_told_in_one_sentence(data: Any) -> None:
    with pytest.raises(InputError, match=r"^this is no saved report: .* reads what report\.to_dict\(\) gave\.$"):
        Report.from_dict(data)


@given(reports(texts, st.just(0.0)), st.data())
def test_a_report_that_lacks_a_key_is_told_in_one_sentence(report: Report, data: st.DataObject) -> None:
    saved = report.to_dict()
    assert Report.from_dict(saved) == report
    missing = data.draw(st.sampled_from(["title", "seed", "claims", "mistakes"]))
    with pytest.raises(InputError, match=r"^this is no saved report"):
        Report.from_dict({key: part for key, part in saved.items() if key != missing})
