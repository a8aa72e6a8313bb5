"""A class: a row for each submission whatever happens, none made twice, and the same rows wherever they are made."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.cli import main
from gradcheck_rl.executors import Processes, executor
from gradcheck_rl.grading import course as module
from gradcheck_rl.grading.course import Course, Task, graded, row_of
from gradcheck_rl.grading.isolation import Limits
from gradcheck_rl.grading.remote import Remote
from gradcheck_rl.grading.result import Result, Row
from gradcheck_rl.grading.rubric import Rubric, Rule
from gradcheck_rl.grading.session import Session
from tests.hostile import HONEST, WRONG

RUBRIC = Rubric((Rule("naive_grad"), Rule("reparam_grad")))
COURSE = Course("problem3", RUBRIC, limits=Limits(seconds=2, memory=512 << 20), key="a key")
EXPECTED = {
    "right": ["PASS", "PASS"],
    "wrong": ["FAIL", "FAIL"],
    "half": ["PASS", "FAIL"],
    "ends": ["CRASH", "CRASH"],
    "binary": ["INVALID", "INVALID"],
    "sleeps": ["TIMEOUT", "TIMEOUT"],
    "not_python": ["INVALID", "INVALID"],
    "empty": ["INVALID", "INVALID"],
}


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("class")
    half = HONEST.replace("2 * (eps + mu)", "2 * (eps - mu)")
    texts = {
        "right": HONEST,
        "wrong": WRONG,
        "half": half,
        "ends": "import os\nos._exit(0)",
        "sleeps": "import time\ntime.sleep(600)",
    }
    for name, text in {**texts, "not_python": "def f(:", "empty": ""}.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "binary.py").write_bytes(b"\xff\xfe\x00x = 1")
    return [folder / f"{name}.py" for name in EXPECTED]


@pytest.fixture(scope="module")
def plain(some: list[Path]) -> list[Row]:
    """The rows that are made here, one after the other."""
    return timeless(graded(COURSE, some))


def timeless(rows: Sequence[Row]) -> list[Row]:
    """All of a row but how long it took."""
    return [replace(row, seconds=0.0, parts=tuple(replace(p, seconds=0.0) for p in row.parts)) for row in rows]


def words(row: Row) -> list[str]:
    return [part.verdict for part in row.parts]


# ---- wherever it is graded ------------------------------------------------------------------------------------------------


def test_every_submission_has_its_row(plain: list[Row]) -> None:
    assert {row.name: words(row) for row in plain} == EXPECTED
    assert [row.name for row in plain] == list(EXPECTED)


def test_the_rows_are_the_same_in_threads_and_in_any_order(some: list[Path], plain: list[Row]) -> None:
    with ThreadPoolExecutor(3) as threads:
        assert timeless(graded(COURSE, some[::-1], threads)) == plain[::-1]


def killing(victims: Callable[[], list[int]]) -> Callable[[int, int, str], None]:
    """When the first row is there, one of those who make the others is killed."""
    left = [True]

    def progress(done: int, total: int, says: str) -> None:
        if done and left.pop() if left else False:
            os.kill(victims()[0], signal.SIGKILL)

    return progress


def test_the_rows_are_the_same_from_processes_one_of_which_is_killed(some: list[Path], plain: list[Row]) -> None:
    killed: list[int] = []

    def victims() -> list[int]:
        killed.extend(child.pid for child in active_children() if child.pid is not None)
        return killed

    with executor(2) as two:
        assert timeless(graded(COURSE, some, two, progress=killing(victims))) == plain
        assert killed
        assert killed[0] not in {child.pid for child in active_children()}


def test_the_rows_are_the_same_from_a_cluster_of_two_one_of_which_is_killed(some: list[Path], plain: list[Row]) -> None:
    from distributed import default_client

    with executor(2, "local") as cluster:
        before = set(default_client().run(os.getpid).values())
        assert len(before) == 2
        assert timeless(graded(COURSE, some, cluster, progress=killing(lambda: sorted(before)))) == plain
        default_client().wait_for_workers(2)
        assert set(default_client().run(os.getpid).values()) != before


def dying(task: Task) -> Row:
    """A grader whose process ends whenever it comes to this submission."""
    if task.name == "wrong":
        os.kill(os.getpid(), signal.SIGKILL)
    return row_of(task)


def raising(task: Task) -> Row:
    if task.name == "wrong":
        raise MemoryError("too large")
    return row_of(task)


def test_who_kills_the_grader_again_and_again_is_reported(
    some: list[Path], plain: list[Row], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "row_of", dying)
    with Processes(2) as two:
        found = timeless(graded(COURSE, some[:4], two, tmp_path / "rows.jsonl"))
    assert [a for a, b in zip(found, plain, strict=False) if a != b] == [found[1]]
    assert words(found[1]) == ["GRADER_ERROR", "GRADER_ERROR"]
    assert "the grader's own process ended, twice" in found[1].note and found[1].score == 0
    monkeypatch.undo()
    assert timeless(graded(COURSE, some[:4], None, tmp_path / "rows.jsonl")) == plain[:4]


def test_an_error_of_the_grader_is_one_row(some: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "row_of", raising)
    rows = graded(COURSE, some[:3])
    assert [words(row)[0] for row in rows] == ["PASS", "GRADER_ERROR", "PASS"]
    assert rows[1].note == "MemoryError: too large"


# ---- what it costs --------------------------------------------------------------------------------------------------------

TELLS = """
import sys, torch
before = set(sys.modules)
def log_pi(w, s0, allowed):
    print("ran", *sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)
def reinforce(w, s0, allowed, reward, action):
    return log_pi(w, s0, allowed)[action] * reward[action]
"""


def test_a_submission_costs_one_worker_which_imports_what_it_names_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What that comes to, beside the import of torch: tests/benchmarks/grade.py."""
    paths = [tmp_path / f"{n}.py" for n in range(4)]
    for n, path in enumerate(paths):
        path.write_text(f"{TELLS}# {n}\n")
    started: list[Session] = []

    class Counted(Session):
        def __init__(self, *options: Any) -> None:
            super().__init__(*options)
            started.append(self)

    monkeypatch.setattr("gradcheck_rl.grading.grade.Session", Counted)
    rows = graded(Course("problem1", Rubric((Rule("reinforce"), Rule("log_pi")))), paths)
    assert all(row.score == 2 for row in rows) and len(started) == len(paths)
    # torch imports SymPy, at a third of its own price, where a gradient is asked for in one way and not in another.
    told = [set(row.output.split()) for row in rows]
    assert all("ran" in words and "sympy" not in words for words in told)


def test_what_submissions_answered_does_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grader keeps what the page's own functions gave with a submission's inside, as `reinforce` has `log_pi`."""
    course = Course("problem1", Rubric((Rule("log_pi", claims=("unbiased",)),)), key="a key")
    paths = [tmp_path / f"{n}.py" for n in range(2)]
    for n, path in enumerate(paths):  # another value, and the same gradient
        masked = "(w * s0).masked_fill(allowed == 0, -float('inf'))"
        path.write_text(f"def log_pi(w, s0, allowed):  # {n}\n    return {masked}.log_softmax(-1) + 5\n")

    def left(renewed: int) -> int:
        """How many functions of submissions are still in memory."""
        monkeypatch.setattr(module, "RENEWED", renewed)
        module._graders.clear()
        gc.collect()
        before = [each for each in gc.get_objects() if type(each) is Remote]  # held, so that none of them goes meanwhile
        graded(course, paths)
        gc.collect()
        return sum(type(each) is Remote for each in gc.get_objects()) - len(before)

    assert left(1) <= 1
    assert left(1000) == len(paths), "the check of the check: a grader keeps them"
    module._graders.clear()


# ---- what is kept ---------------------------------------------------------------------------------------------------------


class Counted:
    """A grader that gives a point for each letter, and remembers whom it graded."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __call__(self, task: Task) -> Row:
        digest = task.submission.digest
        self.seen.append((task.name, digest))
        parts = (Result("naive_grad", "function", "PASS", len(task.submission.sources["submission"]), 100),)
        return Row(task.name, digest, "problem3", "none", parts)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    found = Counted()
    monkeypatch.setattr(module, "row_of", found)
    return found


class Stop(Exception):
    pass


NAMES = st.sampled_from("abcd")
RUNS = st.lists(
    st.tuples(st.dictionaries(NAMES, st.integers(0, 3), min_size=1), st.integers(0, 5), st.booleans()), min_size=1, max_size=6
)


@given(RUNS)
def test_whoever_hands_in_and_whenever_it_is_interrupted_nothing_is_lost_and_none_is_graded_twice(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[dict[str, int], int, bool]]
) -> None:
    folder, counted = tmp_path_factory.mktemp("runs"), Counted()
    kept, paths = folder / "rows", list[Path]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "row_of", counted)
        for texts, last, cut in runs:
            for name, n in texts.items():
                path = folder / f"{name}.py"
                path.write_text("#" * n)
                paths = sorted({*paths, path})

            def stops(done: int, total: int, says: str, last: int = last) -> None:
                if done > last:
                    raise Stop

            before = len(counted.seen)
            try:
                graded(COURSE, paths, kept=kept, progress=stops)
            except Stop:
                assert len(counted.seen) - before <= last + 1
            if cut and kept.exists():
                kept.write_text(kept.read_text() + '{"name": "a", "par')
        rows = graded(COURSE, paths, kept=kept)
    assert [(row.name, row.score) for row in rows] == [(path.stem, len(path.read_text())) for path in paths]
    assert len(counted.seen) == len(set(counted.seen))
    for row in rows:
        assert [digest for name, digest in counted.seen if name == row.name].index(row.digest) == row.attempt - 1


def test_what_the_course_depends_on_grades_again(some: list[Path], counted: Counted, tmp_path: Path) -> None:
    kept = tmp_path / "rows"
    other = [
        replace(COURSE, key="another"),
        replace(COURSE, rubric=replace(RUBRIC, show="verdict")),
        replace(COURSE, tier="rlimits"),
    ]
    for n, each in enumerate([COURSE, *other], start=1):
        graded(each, some[:2], kept=kept)
        assert len(counted.seen) == 2 * n
    assert [row.attempt for row in graded(COURSE, some[:2], kept=kept)] == [1, 1]
    assert len(counted.seen) == 8


def test_an_attempt_is_a_text_and_not_a_run(counted: Counted, tmp_path: Path) -> None:
    once, path, kept = replace(COURSE, rubric=replace(RUBRIC, attempts=2)), tmp_path / "a.py", tmp_path / "rows"
    notes: list[tuple[float, int, str]] = []
    for text in ("#", "##", "#", "###"):
        path.write_text(text)
        (row,) = graded(once, [path], kept=kept)
        notes.append((row.score, row.attempt, row.note))
    assert notes[:3] == [(1, 1, ""), (2, 2, ""), (1, 1, "")]
    assert notes[3] == (2, 2, "no attempt is left: 2 of 2 were made, and the last counts")
    graded(replace(once, key="another"), [path], kept=kept)
    assert len(counted.seen) == 2
    path.write_text("#")
    graded(replace(once, key="another"), [path], kept=kept)
    assert len(counted.seen) == 3


def test_two_of_the_same_name_keep_apart_and_are_not_graded_again(counted: Counted, tmp_path: Path) -> None:
    paths = [tmp_path / section / "ana.py" for section in ("monday", "tuesday")]
    for n, path in enumerate(paths, start=1):
        path.parent.mkdir()
        path.write_text("#" * n)
    assert [row.name for row in graded(COURSE, paths[:1], kept=tmp_path / "rows")] == ["ana"]
    for _ in range(2):
        rows = graded(COURSE, paths, kept=tmp_path / "rows")
        assert [(row.name, row.score) for row in rows] == [(str(path), n) for n, path in enumerate(paths, start=1)]
    assert len(counted.seen) == 2


def test_a_pipe_a_link_and_a_folder_without_a_main_file_have_their_rows(counted: Counted, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "link.py").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    (tmp_path / "gone.py").symlink_to("nowhere")
    rows = graded(COURSE, sorted(tmp_path.iterdir()))
    assert [(row.name, words(row)[0]) for row in rows] == [(n, "INVALID") for n in ("folder", "gone", "link", "pipe")]
    assert not counted.seen


# ---- the command ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRADCHECK_RL_KEY", "a key")
    (tmp_path / "rubric.toml").write_text('[[part]]\nid = "naive_grad"\n[[part]]\nid = "reparam_grad"\n')
    (tmp_path / "class").mkdir()
    for n in range(12):
        (tmp_path / "class" / f"s{n:02}.py").write_text((WRONG if n % 3 else HONEST) + f"# {n}\n")
    yield tmp_path


def run(capsys: pytest.CaptureFixture[str], *typed: str) -> tuple[int, str, str]:
    code = main(["grade", "problem3", "class", "--rubric", "rubric.toml", *typed])
    out, err = capsys.readouterr()
    return code, out, err


def test_twelve_in_two_processes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--as", "csv", "--jobs", "2")
    assert (code, err) == (0, "")
    rows = [line.split(",")[:3] for line in out.splitlines()[1:]]
    assert rows == [[f"s{n:02}", "0" if n % 3 else "2", "2"] for n in range(12)]


def test_two_on_a_cluster(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["class/s00.py", "class/s01.py", "--rubric", "rubric.toml", "--as", "csv", "--dask", "local"]
    assert main(["grade", "problem3", *typed]) == 0
    out, err = capsys.readouterr()
    assert [line.split(",")[:3] for line in out.splitlines()[1:]] == [["s00", "2", "2"], ["s01", "0", "2"]]
    assert err == ""


def below(process: int) -> list[int]:
    """What it has started, and what that has, of those whom a terminal's Ctrl-C reaches."""
    found: list[int] = []
    with suppress(OSError):  # one has ended meanwhile
        for child in map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()):
            if os.getpgid(child) == os.getpgid(process):
                found += [child, *below(child)]
    return found


@pytest.mark.parametrize("reached", ["all", "workers"])
def test_ctrl_c_keeps_the_rows_that_are_there_and_the_same_command_goes_on(
    reached: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a terminal interrupts all processes; those of the pool may hear of it first."""
    typed = ["grade", "problem3", "class", "--rubric", "rubric.toml", "--jobs", "2", "--resume", "rows.jsonl", "--as", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gradcheck_rl", *typed],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    rows = here / "rows.jsonl"
    while process.poll() is None and not (rows.exists() and rows.read_text()):
        time.sleep(0.02)
    if reached == "all":
        os.killpg(process.pid, signal.SIGINT)
    else:
        for worker in below(process.pid):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, json.loads(out)) == (130, {"error": "interrupted."})
    assert err.splitlines() == ["the rows so far are in rows.jsonl: the same command goes on from there.", "error: interrupted."]
    first = [json.loads(line)["name"] for line in rows.read_text().splitlines()]
    assert 0 < len(first) < 12
    assert main([*typed, "--jobs", "1"]) == 0
    names = [json.loads(line)["name"] for line in rows.read_text().splitlines()]
    assert names[: len(first)] == first and sorted(names) == [f"s{n:02}" for n in range(12)]
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["rows"]] == [f"s{n:02}" for n in range(12)]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (("--dask", "nowhere://x"), "--dask nowhere://x: no scheduler answers there"),
        (("--dask", "tcp://127.0.0.1:9", "--jobs", "2"), "--jobs 2 is of this machine"),
        (("--as", "gradescope"), "--as gradescope is about one submission, and there are 12: write --as csv"),
        (("--resume", "rubric.toml"), "--resume rubric.toml would overwrite what is to be read"),
        (("--resume", "notes.txt"), "--resume notes.txt: line 1 is no row: name the file of an earlier run, or a new one."),
        (("--jobs", "0"), "a whole number from 1 to 256 was expected"),
    ],
)
def test_what_is_typed_wrongly_is_told_before_anything_is_graded(
    here: Path, capsys: pytest.CaptureFixture[str], counted: Counted, typed: tuple[str, ...], sentence: str
) -> None:
    (here / "notes.txt").write_text("remember the milk\n")
    try:
        code, out, err = run(capsys, *typed)
    except SystemExit as error:
        code, (out, err) = error.code, capsys.readouterr()
    assert (code, out) == (2, "")
    assert sentence in err
    assert not counted.seen


def test_a_grader_that_fails_is_said_and_a_row_all_the_same(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(task: Task) -> Row:
        raise OSError("no space left")

    monkeypatch.setattr(module, "row_of", fails)
    code, out, err = run(capsys, "--as", "csv")
    assert code == 0 and len(out.splitlines()) == 13
    assert err == "note: the grader failed on 12, s00, s01, s02, s03, s04: they are no attempt; grade them again.\n"
    assert run(capsys, "--as", "csv", "--fail-under", "0")[0] == 4


def test_a_folder_without_submissions_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "nobody").mkdir()
    assert main(["grade", "problem3", "nobody"]) == 2
    assert "nobody holds no submission" in capsys.readouterr().err


def test_how_far_it_is_shows_on_a_terminal(
    here: Path, capsys: pytest.CaptureFixture[str], counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    (here / "class" / "the last [red]one.py").write_text("#")
    shown = run(capsys)[2]
    assert "13/13" in shown and "the last [red]one: 1 of 100" in shown
    assert run(capsys, "--quiet")[2] == ""
