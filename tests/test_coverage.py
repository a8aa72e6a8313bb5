"""Which statements are decided: the file, a run, and each way in which they can disagree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gradcheck_rl import coverage as module
from gradcheck_rl import load
from gradcheck_rl.cli import main
from gradcheck_rl.errors import ProblemError

TINY = Path(__file__).parent / "pages" / "tiny.py"
ROOT = Path(__file__).parents[1]
DECIDED = "".join(f'["T-00{n}"]\nsays = "It is {n}."\nproblem = "problem1"\n' for n in (1, 2, 3, 4))
LEFT = '["T-009"]\nsays = "It is named so."\nleft = "A name."\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(TINY, tmp_path / "problem1_two_logits.py")
    for place in (load, module):
        monkeypatch.setattr(place, "HOMES", (tmp_path,))
    return tmp_path


def run(home: Path, text: str, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    (home / "statements.toml").write_text(text)
    code = main(["coverage", *options])
    return code, capsys.readouterr().out


def test_all_is_decided_or_left_with_a_reason(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(home, DECIDED + LEFT, capsys)
    assert code == 0 and "4 of 5 decided, 1 left with a reason, 0 with a gap." in out


def test_as_data_each_statement_has_its_verdict_and_what_decides_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(home, DECIDED + LEFT, capsys, "--json")
    data = json.loads(out)
    found = {s["id"]: (s["problem"], s["verdict"], s["by"], s["left"]) for s in data["statements"]}
    assert code == 0 and data["summary"] == {"decided": 4, "left": 1, "gaps": 0}
    assert found == {
        "T-001": ("problem1", "agrees", ["unbiased"], ""),
        "T-002": ("problem1", "agrees", ["unbiased"], ""),
        "T-003": ("problem1", "agrees", ["uniform"], ""),
        "T-004": ("problem1", "refuted", ["halved"], ""),
        "T-009": ("", "", [], "A name."),
    }


@pytest.mark.parametrize(
    "text",
    [
        DECIDED + '["T-005"]\nsays = "It is nowhere."\nproblem = "problem1"\n',
        DECIDED.replace('"problem1"', '"problem2"', 1),
        DECIDED.replace('problem = "problem1"', 'left = "A name."', 1),
    ],
)
def test_a_gap_is_told(home: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(home, text, capsys)
    assert code == 1 and "1 with a gap." in out and "✗" in out


def test_a_claim_that_fails_is_a_gap(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "problem1_two_logits.py"
    path.write_text(path.read_text().replace("Value(softmax(theta)) * K, 1)", "Value(softmax(theta)) * K, 2)"))
    code, out = run(home, DECIDED, capsys)
    assert code == 1 and "1 with a gap." in out


def test_the_page_of_statements_is_written(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "statements.md"
    assert run(home, DECIDED.replace("It is 1", "a | b"), capsys, "-o", str(path))[0] == 0
    assert r"| T-001 | a \| b. | problem1 | agrees | `unbiased` |" in path.read_text().splitlines()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('["T-001"]\nsays = "a"\n', "T-001 has says: write says, and problem or left."),
        ('["T-001"]\nsays = "a"\nproblem = "p"\nleft = "b"\n', "write says, and problem or left."),
        ("[T-001", "statements.toml"),
    ],
)
def test_a_file_that_is_wrong_is_told(home: Path, text: str, says: str) -> None:
    (home / "statements.toml").write_text(text)
    with pytest.raises(ProblemError, match=says):
        module.known()


def test_an_output_of_another_kind_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "-o", "statements.csv"]) == 2
    assert "neither .md nor .json" in capsys.readouterr().err


# ---- the file that is shipped ---------------------------------------------------------------------------------------------


def test_every_statement_is_spoken_of_where_the_file_says_and_no_page_speaks_of_another() -> None:
    spoken = {p.id: {id for source, _ in load.sources(p.path) for id in load.statements(source)} for p in load.shipped()}
    found = module.known()
    assert [s.id for s in found if s.problem and s.id not in spoken[s.problem]] == []
    assert set().union(*spoken.values()) == {s.id for s in found if s.problem}


def test_the_written_page_has_these_statements() -> None:
    rows = [line.split(" | ")[:3] for line in (ROOT / "docs" / "statements.md").read_text().splitlines() if line.startswith("| ")]
    assert [[a.removeprefix("| "), b, c] for a, b, c in rows[1:]] == [
        [s.id, s.says.replace("|", r"\|"), s.problem or "not decided"] for s in module.known()
    ]
