"""The action for courses on GitHub, its lines run in a shell as a runner runs them; and the example course."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hostile import HONEST, WRONG

REPOSITORY = Path(__file__).parents[1]
COURSE = REPOSITORY / "examples" / "course"
ACTION: dict[str, Any] = yaml.safe_load((REPOSITORY / "action.yml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"] if "name" in step}


def test_what_is_typed_is_never_part_of_a_script() -> None:
    for step in STEPS.values():
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_inputs_and_outputs_are_those_that_are_named() -> None:
    text = (REPOSITORY / "action.yml").read_text()
    assert set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", text)) == set(ACTION["inputs"])
    written = set(re.findall(r'echo "([\w-]+)=', STEPS["Grade"]["run"]))
    assert {f"${{{{ steps.grade.outputs.{name} }}}}" for name in written} == {o["value"] for o in ACTION["outputs"].values()}
    workflow = yaml.safe_load((COURSE / "workflow.yml").read_text())
    steps = workflow["jobs"]["grade"]["steps"]
    given = next(step["with"] for step in steps if step["uses"] == "./")
    assert set(given) <= set(ACTION["inputs"])
    assert all((REPOSITORY / given[name]).exists() for name in ("rubric", "submissions"))
    assert workflow["permissions"] == {"contents": "read"}


class Runner:
    """A folder with what a step finds on a runner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        python = folder / "temp" / "gradcheck_rl" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)

    def run(self, name: str, given: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
        inputs = {key: value.get("default", "") for key, value in ACTION["inputs"].items()} | dict(given)
        values = {f"${{{{ inputs.{key} }}}}": value for key, value in inputs.items()}
        values["${{ github.action_path }}"] = str(REPOSITORY)
        env = {key: values[value] for key, value in STEPS[name].get("env", {}).items()}
        here = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "RUNNER_TEMP": str(self.folder / "temp")}
        files = {"GITHUB_OUTPUT": str(self.folder / "output"), "GITHUB_STEP_SUMMARY": str(self.folder / "summary")}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[name]["run"]],
            cwd=self.folder,
            env={"OMP_NUM_THREADS": "1", **here, **files, **env, **more},
            capture_output=True,
            text=True,
            timeout=300,
        )

    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.folder / "output").read_text().splitlines())


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    (tmp_path / "rubric of the course.toml").write_text(
        '[[part]]\nid = "naive_grad"\npoints = 3\n[[part]]\nid = "reparam_grad"\n'
    )
    (tmp_path / "ana maria.py").write_text(HONEST)
    (tmp_path / "bob.py").write_text(WRONG)
    return Runner(tmp_path)


GIVEN = {"problem": "problem3", "rubric": "rubric of the course.toml", "isolation": "auto", "key": "a key"}


def test_a_class_is_graded_annotated_and_summed_up(runner: Runner) -> None:
    done = runner.run("Grade", {**GIVEN, "submissions": "ana maria.py\n\nbob.py\n", "fail-under": "50"})
    assert (done.returncode, done.stderr) == (1, "")
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == ["::error", "::error", "::notice"]
    found = runner.outputs()
    assert (found["score"], found["out-of"], set(found)) == ("4", "8", {"score", "out-of", "json", "file"})
    assert [row["score"] for row in json.loads(Path(found["json"]).read_text())["rows"]] == [4, 0]
    assert [line.split(",")[:3] for line in Path(found["file"]).read_text().splitlines()[1:]] == [
        ["ana maria", "4", "4"],
        ["bob", "0", "4"],
    ]
    assert [line.split(" | ")[0] for line in (runner.folder / "summary").read_text().splitlines()[2:]] == 2 * [
        "| ana maria"
    ] + 2 * ["| bob"]


def test_one_submission_has_a_result_for_classroom(runner: Runner) -> None:
    done = runner.run("Grade", {**GIVEN, "submissions": "ana maria.py", "format": "gradescope", "fail-under": "100"})
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(base64.b64decode(runner.outputs()["result"]))
    assert (result["status"], result["max_score"]) == ("pass", 4)
    assert len(json.loads(Path(runner.outputs()["file"]).read_text())["tests"]) == 2


ODD = '$(touch pwned) `touch pwned` "; touch pwned; "'


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, ODD) for name in ("problem", "submissions", "rubric", "fail-under", "format", "isolation", "jobs")]
    + [(name, "--resume=pwned") for name in ("problem", "submissions")],
)
def test_what_is_typed_is_data(runner: Runner, name: str, text: str) -> None:
    done = runner.run("Grade", {**GIVEN, "submissions": "bob.py", name: text})
    assert done.returncode == 2
    assert not (runner.folder / "pwned").exists()


def test_a_script_with_an_input_in_its_text_would_be_caught(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the check above."""
    monkeypatch.setitem(STEPS["Grade"], "run", f'echo "{ODD}"')
    runner.run("Grade", {**GIVEN, "submissions": "bob.py"})
    assert (runner.folder / "pwned").exists()


def test_it_is_installed_with_the_versions_that_are_pinned(runner: Runner, tmp_path: Path) -> None:
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    (stubs / "pip").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > installed\n')
    (stubs / "python").write_text(f'#!/bin/sh\nmkdir -p "$3/bin" && cp "{stubs}/pip" "$3/bin/pip"\n')
    for stub in stubs.iterdir():
        stub.chmod(0o755)
    done = runner.run("Install", {}, PATH=f"{stubs}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    installed = (tmp_path / "installed").read_text().splitlines()
    assert installed == ["install", "--quiet", "-c", str(REPOSITORY / "constraints.txt"), str(REPOSITORY)]


# ---- the example course ---------------------------------------------------------------------------------------------------


def test_the_example_course(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gradcheck_rl.cli import main

    monkeypatch.setenv("GRADCHECK_RL_KEY", "a key")
    monkeypatch.chdir(tmp_path)
    typed = [str(COURSE / "submissions"), "--rubric", str(COURSE / "rubric.toml"), "--as", "json"]
    assert main(["grade", "problem1", *typed]) == 0
    out = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(out)["rows"]}
    words = {name: [part["verdict"] for part in row["parts"]] for name, row in rows.items()}
    assert words == {
        "right": ["PASS", "PASS", "PASS", "PASS"],
        "forgotten_mask": ["FAIL", "FAIL", "FAIL", "PASS"],
        "hostile": ["FAIL", "FAIL", "INVALID", "INVALID"],
    }
    assert {name: row["score"] for name, row in rows.items()} == {"right": 10, "forgotten_mask": 1, "hostile": 0}
    says = {part["id"]: " ".join(part["says"]) for part in rows["forgotten_mask"]["parts"]}
    assert "the mistake: mask forgotten" in says["log_pi"] and "the mistake: the sign" in says["slope"]
    assert "::" not in out
    assert not list(tmp_path.iterdir())


def test_the_readme_of_the_example_course_says_what_is_there() -> None:
    text = (COURSE / "README.md").read_text()
    for name in re.findall(r"`([\w.]+\.(?:py|yml|toml))`", text):
        assert any((folder / name).exists() for folder in (COURSE, COURSE / "submissions", REPOSITORY)), name
