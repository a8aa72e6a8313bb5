"""Samples drawn elsewhere: the same report from any executor, in whatever order its tasks end, and whoever dies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_rl import check, shards
from gradcheck_rl.errors import InputError
from gradcheck_rl.evaluators import sampled
from gradcheck_rl.executors import Processes, executor, in_order
from gradcheck_rl.load import load, load_functions
from gradcheck_rl.problem import Problem
from gradcheck_rl.render import json
from gradcheck_rl.report import Report

from .test_executors import Shuffled

PAGE = '''"""A square of a normal number"""

from sympy import Rational

from gradcheck_rl import (
    Claim, Draw, Equal, Erratum, Gaussian, Gradient, Mean, Mistake, Parameter, Problem, Uniform, E, torch
)

mu = Parameter("mu", over=Uniform(-1, 1))
x = Draw("x", Gaussian(mu, Rational(1, 2)))
J = E(x**2)


def score(mu, x):
    return x.detach() ** 2 * -((x.detach() - mu) ** 2) / 0.5


def half(mu, x):
    return score(mu, x) / 2


slope = Claim("The score estimator is unbiased.", Equal(Mean(Gradient(score)), Gradient(J)), by="sampled", resolution=0.05)
other = Claim("It is, exactly.", Equal(Mean(Gradient(score)), 2 * mu))
problem = Problem(
    title="A square",
    points=2,
    claims=(slope, other),
    errata=(
        Erratum(
            "Half of it has this mean.",
            Equal(Mean(Gradient(half)), 2 * mu),
            by="sampled",
            resolution=0.05,
            instead=Claim("It has half of it.", Equal(Mean(Gradient(half)), mu), by="sampled", resolution=0.05),
        ),
    ),
    mistakes=(Mistake("halved", {score: half}, breaks=slope),),
)
'''

HEAD = "import os, signal, torch\nfrom multiprocessing import parent_process\nfrom pathlib import Path\n\n\ndef score(mu, x):\n"
RIGHT = "    return x.detach() ** 2 * -((x.detach() - mu) ** 2) / 0.5\n"
DIES = "    if parent_process() is not None:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
DIES_ONCE = "    if parent_process() is not None and not Path({!r}).exists():\n        Path({!r}).touch()\n        os._exit(1)\n"
ANSWERS = {
    "right": RIGHT,
    "off": RIGHT.replace("/ 0.5", "/ 0.5 + 0.4 * mu"),
    "other variance": RIGHT.replace("x.detach() ** 2", "(x.detach() ** 2 - 0.25 - mu.detach() ** 2)"),
    "prints": "    print('noise')\n" + RIGHT,
    "no number": RIGHT.replace("return", "return torch.where(x > 1, torch.nan, 1.0) *"),
    "cannot be mapped": "    if float(x) > 1:\n        raise ArithmeticError('too far')\n" + RIGHT,
}  # fmt: skip
SAMPLES, BLOCK = 512_000, 16_000  # looks at 8000, 32000, 128000 and 512000: one block is made here, then come 2, 6 and 24


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "square.py"
    path.write_text(PAGE)
    return path


@pytest.fixture(scope="module")
def problem(page: Path) -> Problem:
    return load(str(page))


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with executor(jobs=2) as found:
        assert found is not None
        yield found


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled, "BLOCK", BLOCK)


def answer(problem: Problem, folder: Path, code: str) -> dict[Any, Any]:
    path = folder / "mine.py"
    path.write_text(HEAD + code)
    return {problem.functions["score"]: load_functions(str(path))["score"]}


@cache
def drawn_here(problem: Problem, only: str) -> str:
    """The report without an executor."""
    return data(sampling(problem, None, only=only.split() or None))


def data(report: Report) -> str:
    return json.render([report])


def sampling(problem: Problem, each: Executor | None, given: Any = None, **options: Any) -> Report:
    return check(problem, given, timed=False, executor=each, **{"samples": SAMPLES, **options})


# ---- the same from all of them --------------------------------------------------------------------------------------------


def test_processes_change_no_byte(problem: Problem, processes: Executor) -> None:
    here = sampling(problem, None)
    assert [c.verdict for c in here.claims] == ["agrees", "agrees", "refuted"] and here.claims[2].ok and here.mistakes[0].caught
    assert data(sampling(problem, processes)) == data(here)
    with Processes(1) as one:
        assert data(sampling(problem, one)) == data(here)


def test_a_dask_cluster_changes_no_byte(problem: Problem) -> None:
    distributed = pytest.importorskip("distributed")
    anywhere = {"dashboard_address": "127.0.0.1:0", "silence_logs": "CRITICAL"}
    with (
        distributed.LocalCluster(2, threads_per_worker=2, processes=True, **anywhere) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert data(sampling(problem, client.get_executor())) == drawn_here(problem, "")


@settings(max_examples=8)
@given(seed=st.integers(0, 1000))
def test_the_order_in_which_tasks_end_changes_no_byte(seed: int, problem: Problem) -> None:
    with Shuffled(seed) as shuffled:
        assert data(sampling(problem, shuffled, only=["slope"])) == drawn_here(problem, "slope")


def test_threads_take_turns_and_leave_torch_as_it_was(problem: Problem) -> None:
    import torch

    before = torch.get_default_dtype(), sys.stdout
    with ThreadPoolExecutor(4) as threads:
        assert data(sampling(problem, threads)) == drawn_here(problem, "")
    assert (torch.get_default_dtype(), sys.stdout) == before


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_travel_as_files(name: str, problem: Problem, processes: Executor, tmp_path: Path) -> None:
    mine = answer(problem, tmp_path, ANSWERS[name])
    found = sampling(problem, processes, mine, only=["slope"])
    assert data(found) == data(sampling(problem, None, mine, only=["slope"]))
    verdicts = {"off": "refuted", "no number": "refuted", "cannot be mapped": "refuted"}
    assert found.claims[0].verdict == verdicts.get(name, "agrees")


# ---- planted: what would change a byte ------------------------------------------------------------------------------------


def backwards(each: Any, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
    yield from list(in_order(each, function, tasks))[::-1]


def one_stream(task: Any, made: Callable[[Any], Any] = shards.drawn) -> Any:
    return made(replace(task, block=replace(task.block, first=0)))


@pytest.mark.parametrize(("name", "planted"), [("in_order", backwards), ("drawn", one_stream)])
def test_an_order_or_a_seed_of_its_own_would_show(
    name: str, planted: Any, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the sums, to the last bit: what is printed of them may round it away."""
    interval, sums = sampled.interval, list[bytes]()

    def noted(tally: Any, *arguments: Any) -> Any:
        sums.append(tally.powers.tobytes())
        return interval(tally, *arguments)

    def summed() -> list[bytes]:
        sums.clear()
        sampling(problem, thread, only=["slope"])
        return sums[:]

    monkeypatch.setattr(sampled, "interval", noted)
    with ThreadPoolExecutor(1) as thread:
        here = summed()
        assert summed() == here
        monkeypatch.setattr(shards, name, planted)
        assert summed() != here


# ---- early decisions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "last"), [("right", 24), ("off", 2)])
def test_who_is_refuted_is_refuted_at_the_same_look(
    name: str, last: int, problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variance is 15/4 + 14 mu^2 + 4 mu^4 <= 22: the radius at 32,000 is below 0.2, and 0.4 is seven deviations outside."""
    looks: list[int] = []

    def counted(*arguments: Any) -> Iterator[Any]:
        found = list(given(*arguments))
        looks.append(len(found))
        yield from found

    given = shards.in_order
    monkeypatch.setattr(shards, "in_order", counted)
    mine = answer(problem, tmp_path, ANSWERS[name])
    found: list[list[int]] = []
    for seed in (0, 1):
        with Shuffled(seed) as shuffled:
            sampling(problem, shuffled, mine, only=["slope"])
        found.append(looks[:])
        looks.clear()
    assert max(found[0], default=last) == last and found[0] == found[1]


# ---- what cannot travel, and who dies -------------------------------------------------------------------------------------


def test_what_is_in_no_file_cannot_travel(problem: Problem) -> None:
    score = problem.functions["score"]
    with ThreadPoolExecutor(1) as thread:
        with pytest.raises(InputError, match=r"the answer for `score` was not read from one file .*`load_functions`"):
            sampling(problem, thread, {score: lambda mu, x: mu * x})
        with pytest.raises(InputError, match=r"'A square' was not read from a file, as other processes need"):
            sampling(replace(problem, path=""), thread)


def test_a_worker_that_dies_is_tried_again(problem: Problem, tmp_path: Path) -> None:
    died = str(tmp_path / "died")
    mine = answer(problem, tmp_path, DIES_ONCE.format(died, died) + RIGHT)
    with executor(jobs=2) as mortal:
        found = sampling(problem, mortal, mine, only=["slope"])
    assert Path(died).exists()
    assert data(found) == data(sampling(problem, None, mine, only=["slope"]))


def test_a_worker_that_dies_again_is_told(problem: Problem, tmp_path: Path) -> None:
    with Processes(1) as mortal:
        line = sampling(problem, mortal, answer(problem, tmp_path, DIES + RIGHT), only=["slope"]).claims[0]
    assert line.verdict == "undecided"
    assert line.reason == "the samples 8000 to 24000 could not be drawn: a worker died of them twice"


def test_a_worker_with_another_file_is_told(page: Path, processes: Executor, tmp_path: Path) -> None:
    path = tmp_path / "square.py"
    path.write_text(page.read_text())
    problem = load(str(path))
    stale = shards.Shards(problem, {}, {}, processes)
    path.write_text(page.read_text() + "\n# edited\n")
    assert stale.page != shards.File.of(str(path))
    for edit, sentence in ((path.touch, "a worker has another version of"), (path.unlink, "a worker cannot read")):
        edit()
        found: list[Any] = []
        here = sampled.Tally.empty([0.0], 1.0, 10)
        block = sampled.Block(("0", "mean"), 0, 10, here)
        place = shards.Place(stale.page, "slope", "", 0, shards.Replaced())
        found.append(shards.drawn(shards.Task(place, {}, False, 0, block)))
        assert sentence in found[0]


# ---- how many -------------------------------------------------------------------------------------------------------------


def test_more_samples_tell_what_fewer_cannot(problem: Problem, tmp_path: Path) -> None:
    """The sentence says how many to ask for."""
    mine = answer(problem, tmp_path, ANSWERS["right"])
    few = sampling(problem, None, mine, only=["slope"], samples=2000).claims[0]
    assert few.verdict == "undecided" and "wider than half the resolution 5e-02: it takes about" in few.reason
    asked = int(float(few.reason.split("about ")[1].split(" draws")[0]))
    many = sampling(problem, None, mine, only=["slope"], samples=asked).claims[0]
    assert many.verdict == "agrees" and f"{asked} samples at each point agree to" in many.remark


def test_without_a_number_the_resolution_says_how_many(problem: Problem) -> None:
    report = check(problem, timed=False, only=["slope"])
    assert report.claims[0].verdict == "agrees" and "samples" not in report.replay + report.claims[0].remark
    assert sampling(problem, None, only=["slope"]).replay.endswith(f"--samples {SAMPLES}")


def test_samples_are_counted_while_they_come(problem: Problem) -> None:
    told: list[str] = []
    sampling(problem, None, only=["slope"], progress=lambda done, total, says: told.append(f"{done}/{total} {says}"))
    point = ["8,000 of 8,000", "24,000 of 32,000", "32,000 of 32,000"]  # a look begins with what the one before it has
    assert told[:3] == [f"1/1 {row} samples" for row in point] and told[-2] == "1/1 512,000 of 512,000 samples"
    assert told[-1].startswith("1/1 agrees")


def test_samples_are_for_what_is_sampled(problem: Problem) -> None:
    with pytest.raises(InputError, match=r"512000 samples were asked for, and nothing chosen is sampled: here slope is"):
        sampling(problem, None, only=["other"])
    with pytest.raises(InputError, match="write a whole number from 1"):
        sampling(problem, None, samples=0)


# ---- the last bit ---------------------------------------------------------------------------------------------------------


def test_how_many_threads_a_process_has_changes_no_bit() -> None:
    """Dask gives its workers one thread for linear algebra; a process of one's own has as many as there are cores."""
    code = (
        "import numpy as np; from gradcheck_rl.catoni import Tally; u = np.random.default_rng(0).normal(size=(32768, 1))\n"
        "print(Tally.empty([0.0], 1.0, 10**6).add(u).powers.tobytes().hex())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            capture_output=True, text=True, check=True, timeout=120,
        ).stdout
        for threads in ("1", "4")
    }  # fmt: skip
    assert len(found) == 1


def test_the_command_line_draws_in_processes_and_keeps_its_output_clean(page: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + ANSWERS["prints"])
    typed = [str(page), "--answer", str(tmp_path / "mine.py"), "--only", "slope", "--samples", "1.5e6", "--jobs", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "gradcheck_rl", *typed], capture_output=True, text=True, check=False, timeout=280
    )
    [report] = json.read(done.stdout)
    assert done.returncode == 0 and "1500000 samples at each point" in report.claims[0].remark
    assert "noise" in done.stderr


def test_an_answer_that_takes_its_arguments_by_name_is_drawn_elsewhere_too(problem: Problem, tmp_path: Path) -> None:
    own = answer(problem, tmp_path, RIGHT)
    (tmp_path / "mine.py").write_text((HEAD + RIGHT).replace("(mu, x)", "(*, x, mu)"))
    named = {slot: load_functions(str(tmp_path / "mine.py"))["score"] for slot in own}
    each = Shuffled(0)
    there = sampling(problem, each, named, only=["slope"])
    assert each.begun and data(there) == data(sampling(problem, None, named, only=["slope"]))
