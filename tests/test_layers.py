"""Imports point one way, torch stays behind one door, and what needs neither torch nor SymPy loads neither."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .hostile import HONEST

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "gradcheck_rl"

# A file or folder may import from its own row and from the rows above it.
LAYERS = (
    (
        "calculus",
        "chance",
        "errors",
        "executors",
        "files",
        "rings",
        "estimate",
        "spaces",
        "own",
        "catoni",
        "mdp",
        "typeset",
        "nodes",
        "stray",
    ),
    ("symbols", "laws", "expectation", "bundles", "expressions", "corners", "tangents", "normal_form", "sums", "points"),
    ("backends",),
    ("quantities",),
    ("evaluators",),
    ("verdict", "claims", "derivation", "notation", "rules", "stable", "graph", "generate", "figures"),
    (
        "problem",
        "measured",
        "places",
        "rounding",
        "declared",
        "judge",
        "exhibits",
        "answers",
        "loop",
        "replay",
        "report",
        "same_code",
        "edits",
        "variances",
        "derive",
        "load",
        "schema",
        "shards",
    ),
    ("render", "mutants", "compare", "slopes", "coverage", "strategies", "languages", "lint", "publish", "learn", "grading"),
    ("cli", "console", "options", "pytest_plugin"),
    ("__init__", "__main__", "extend"),
)
# What every renderer may use; they are no renderers, and otherwise renderers stand alone.
SHARED = {"blocks", "document", "formula", "said"}
# The worker is a program of its own, alone in its process.
PROGRAMS = ("gradcheck_rl.grading.worker",)
# A notebook asks the report itself to show itself; the import stands in that one method.
ALLOWED = {("gradcheck_rl.report", "gradcheck_rl.render.html")}
LAYER = {part: layer for layer, parts in enumerate(LAYERS) for part in parts}


def imports(tree: ast.Module, package: str) -> Iterator[str]:
    """The dotted name of all that a module of the package imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                source = resolve_name("." * level + (module or ""), package)
                yield from (f"{source}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield resolve_name(name, package)
            case _:
                pass


def part(name: str) -> str:
    """The file or folder of gradcheck_rl that a dotted name leads to."""
    second = name.split(".")[1:2]
    return second[0] if second and second[0] in LAYER else "__init__"


def read(package: Path) -> dict[str, set[str]]:
    """What each module imports, by dotted names."""
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        folder = ".".join(path.parent.relative_to(package.parent).parts)
        module = folder if path.stem == "__init__" else f"{folder}.{path.stem}"
        names = imports(ast.parse(path.read_text(), str(path)), folder)
        found[module] = {name for name in names if (module, name) not in ALLOWED}
    return found


def offences(package: Path) -> list[str]:
    """What breaks the rules, a sentence each."""
    modules = read(package)
    said = [f"{name} has no layer: name it in LAYERS." for name in modules if name != "gradcheck_rl" and part(name) == "__init__"]
    for module, names in modules.items():
        for name in sorted(names):
            ours = name.split(".")[0] == "gradcheck_rl"
            if ours and LAYER[part(name)] > LAYER[part(module)]:
                said.append(f"{module} imports {name} from a higher layer.")
            if ours and module.startswith("gradcheck_rl.render.") and part(name) == "render" and name.split(".")[2] not in SHARED:
                said.append(f"{module} imports {name}: renderers stand alone.")
            if name.split(".")[0] == "torch" and part(module) != "backends" and module not in PROGRAMS:
                said.append(f"{module} imports {name}: only backends may.")
    return said + circles(modules)


def circles(modules: Mapping[str, set[str]]) -> list[str]:
    def module(name: str) -> str:
        return name if name in modules or "." not in name else module(name.rpartition(".")[0])

    try:
        TopologicalSorter({name: {module(other) for other in others} for name, others in modules.items()}).prepare()
    except CycleError as error:
        return [" is imported by ".join(error.args[1]) + ": a circle."]
    return []


def test_imports_point_one_way() -> None:
    assert offences(PACKAGE) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(PACKAGE, tmp_path / "gradcheck_rl", ignore=shutil.ignore_patterns("__pycache__"))


def plant(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(f"\n{line}\n")


@pytest.mark.parametrize(
    ("file", "line", "offence"),
    [
        ("errors.py", "from gradcheck_rl.cli import main", "errors imports gradcheck_rl.cli.main from a higher layer."),
        ("errors.py", "from gradcheck_rl import Claim", "errors imports gradcheck_rl.Claim from a higher layer."),
        ("evaluators/new.py", "from ..loop import f", "evaluators.new imports gradcheck_rl.loop.f from a higher layer."),
        ("render/new.py", "from .text import f", "render.new imports gradcheck_rl.render.text.f: renderers stand alone."),
        ("check.py", "import torch", "check imports torch: only backends may."),
        ("check.py", "from torch import nn", "check imports torch.nn: only backends may."),
        ("check.py", "import importlib; importlib.import_module('torch')", "check imports torch: only backends may."),
        ("new.py", "", "new has no layer: name it in LAYERS."),
    ],
)
def test_a_planted_import_is_found(copy: Path, file: str, line: str, offence: str) -> None:
    sentence = f"gradcheck_rl.{offence}"
    assert sentence not in offences(copy)
    plant(copy / file, line)
    assert sentence in offences(copy)


def test_a_planted_circle_is_found(copy: Path) -> None:
    plant(copy / "points.py", "from gradcheck_rl.flow import f")
    plant(copy / "flow.py", "from .points import f")
    assert [offence for offence in offences(copy) if offence.endswith("a circle.")]


WRITINGS = (
    "import gradcheck_rl.{0}",
    "import gradcheck_rl.{0} as other",
    "from gradcheck_rl.{0} import thing",
    "from gradcheck_rl import {0}",
    "from .{0} import thing",
    "from . import {0}",
    "def late():\n    from gradcheck_rl.{0} import thing",
    "if TYPE_CHECKING:\n    from gradcheck_rl.{0} import thing",
    "importlib.import_module('gradcheck_rl.{0}')",
    "importlib.import_module('.{0}', __package__)",
)


@given(st.sampled_from(sorted(LAYER.keys() - {"__init__"})), st.sampled_from(WRITINGS))
def test_an_import_is_seen_however_it_is_written(other: str, writing: str) -> None:
    assert {part(name) for name in imports(ast.parse(writing.format(other)), "gradcheck_rl")} == {other}


def loaded(*arguments: str) -> set[str]:
    """The top-level packages that a fresh interpreter imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    rows = [line.rsplit("|", 1)[1] for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {row.strip().split(".")[0] for row in rows}


LIGHT = (("-c", "import gradcheck_rl.cli"), ("-m", "gradcheck_rl", "--help"), ("-m", "gradcheck_rl", "list", "--json"))


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_what_needs_neither_torch_nor_sympy_loads_neither(arguments: tuple[str, ...]) -> None:
    packages = loaded(*arguments)
    assert "gradcheck_rl" in packages
    assert packages.isdisjoint({"torch", "sympy", "flint", "numpy", "scipy", "hypothesis", "matplotlib"})


def test_a_submission_of_numpy_code_alone_is_graded_without_torch(tmp_path: Path) -> None:
    submission, rubric = tmp_path / "mine.py", tmp_path / "rubric.toml"
    submission.write_text(HONEST)
    rubric.write_text('[[part]]\nid = "naive_grad"\n')
    packages = loaded("-m", "gradcheck_rl", "grade", "problem3", str(submission), "--rubric", str(rubric))
    assert "sympy" in packages and "torch" not in packages


def test_a_late_import_is_seen_as_loaded() -> None:
    assert "numpy" in loaded("-c", "def late():\n    import numpy\nlate()")


def test_the_page_of_the_house_shows_the_same_layers() -> None:
    rows = re.findall(r"^\| \d+ \| ([^|]+) \|", (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [{name.rstrip("/") for name in re.findall(r"`([^`]+)`", row)} for row in rows] == [set(layer) for layer in LAYERS]
