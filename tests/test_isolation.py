"""What a submission cannot do, in every tier that works here, tried from inside; and what is said where a tier does not work."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gradcheck_rl.cli import main
from gradcheck_rl.errors import InputError
from gradcheck_rl.grading import confine, isolation
from gradcheck_rl.grading.isolation import BUBBLEWRAP, LANDLOCK, RLIMITS, Limits, Tier, available, chosen
from gradcheck_rl.grading.session import Ended, GraderFault, Session, clean, closed

REPOSITORY = Path(__file__).parents[1]

# Each returns 1 where it could do what it tries.
PROBES = """
import os
import sys
def tried(f):
    try: f()
    except BaseException: return 0.0
    return 1.0
def forks(x):
    def f():
        if os.fork() == 0: os._exit(0)
    return tried(f)
def runs(x):
    import subprocess
    return tried(lambda: subprocess.run(["true"]))
def connects(x):
    import socket
    return tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
def sends(x):
    import socket
    return tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)))
def abstract(x):
    import socket
    return tried(lambda: socket.socket(socket.AF_UNIX).bind("\\0x"))
def put(path):
    with open(path, "w") as file: file.write("x")
def got(path):
    with open(path) as file: file.read()
def writes(x): return tried(lambda: put("/tmp/probe"))
def writes_here(x): return tried(lambda: put("probe"))
def makes(x): return tried(lambda: os.mkdir("folder"))
def signals(x): return tried(lambda: os.kill(os.getppid(), 0))
def signals_by_a_pipe(x):
    import fcntl
    return tried(lambda: fcntl.fcntl(os.pipe()[0], fcntl.F_SETOWN, os.getpid()))
def slows(x): return tried(lambda: os.sched_setaffinity(0, {0}))
def leads(x): return tried(lambda: os.setpgid(0, 0))
def limits(x):
    import resource
    return tried(lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU))
def allocates(x): return tried(lambda: bytearray(1 << 30))
def traces(x):
    import ctypes
    return 0.0 if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) != 0 else 1.0
def reads_page(x): return tried(lambda: got(PAGE))
def reads_passwd(x): return tried(lambda: got("/etc/hostname"))
def reads_others(x):
    here = os.getpid()
    near = {os.getppid(), *range(max(2, here - 20), here + 20)} - {here}  # 1 is bubblewrap, which knows nothing
    return max(tried(lambda: open(f"/proc/{p}/{what}", "rb").read(1)) for p in near for what in ("environ", "mem", "fd/0"))
def open_files(x): return float(sum(tried(lambda: os.fstat(n)) for n in range(100)))
def reads_parent(x): return tried(lambda: got(f"/proc/{PARENT}/environ"))
def imports_page(x):
    import sys
    sys.path.append(ROOT)
    return tried(lambda: __import__("gradcheck_rl"))
def knows_key(x): return float(any("KEY" in k or "TOKEN" in k or "HOME" == k for k in os.environ))
def honest(x): return 2 * x
def finds(x):
    from ctypes.util import find_library
    find_library("dl")
    return 1.0
def starts_threads(x):
    import threading
    t = threading.Thread(target=lambda: None)
    t.start()
    t.join()
    return 1.0
"""
NOWHERE = (
    "forks", "runs", "connects", "sends", "abstract", "writes", "writes_here", "makes", "signals", "limits", "allocates",
    "traces", "knows_key", "signals_by_a_pipe", "slows", "leads",
)  # fmt: skip
STRONG = ("reads_page", "reads_passwd", "reads_parent", "imports_page", "reads_others")


def started(tier: Tier, source: str, functions: tuple[str, ...]) -> Session:
    config = {
        "sources": {"submission": source},
        "modules": ["submission"],
        "functions": {n: n for n in functions},
        "libraries": ["numpy"],
    }
    return Session(tier, Limits(seconds=10, memory=256 << 20), config)


@pytest.fixture(scope="module", params=available(), ids=lambda t: t.name)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    os.environ["GRADCHECK_RL_KEY"] = "secret"
    page = REPOSITORY / "problems" / "problem3_reparameterisation.py"
    source = f"PAGE, PARENT, ROOT = {str(page)!r}, {os.getpid()}, {str(REPOSITORY)!r}\n" + PROBES
    beside = started(request.param, "x = 1\n", ())
    found = started(request.param, source, (*NOWHERE, *STRONG, "honest", "finds", "starts_threads", "open_files"))
    assert beside.ready
    yield found
    for each in (found, beside):
        each.close()
    del os.environ["GRADCHECK_RL_KEY"]


def value(session: Session, name: str) -> float:
    assert name in session.functions
    _, numbers = session.ask("values", name, [("x", None)], {"x": np.array([3.0])}, {}, "float64", "numpy")
    return float(numbers[0])


def test_a_strong_tier_works_here() -> None:
    assert BUBBLEWRAP in available() or LANDLOCK in available(), "install bubblewrap, as .ci/run does"


def test_an_honest_function_runs(session: Session) -> None:
    assert value(session, "honest") == 6
    assert value(session, "starts_threads") == 1


def test_a_worker_has_its_pipes_and_nothing_of_where_it_comes_from(session: Session) -> None:
    assert value(session, "open_files") == 5  # nothing to read, twice where it prints, and the two pipes


FRESH = """
import numpy as np
np.mine = getattr(np, "mine", 0) + 1
drawn = np.random.standard_normal()
def f(x): return np.mine
def chance(x): return drawn
"""


@pytest.mark.parametrize("tier", available(), ids=lambda t: t.name)
def test_what_one_worker_does_no_other_sees(tier: Tier) -> None:
    """All are forked from one process, which each finds as the first did; what chance gives them differs."""
    one, two = (started(tier, FRESH, ("f", "chance")) for _ in range(2))
    assert one._starter is two._starter
    assert [value(s, "f") for s in (one, two, one)] == [1, 1, 1]
    assert value(one, "chance") != value(two, "chance")
    one.close()
    assert value(two, "f") == 1
    three = started(tier, FRESH, ("f",))
    assert three._starter is two._starter and value(three, "f") == 1
    for each in (two, three):
        each.close()


def test_where_workers_are_forked_nothing_else_runs() -> None:
    """One thread, with torch imported: a process with several does not stand a fork."""
    config = {"sources": {"submission": ""}, "modules": ["submission"], "functions": {}, "libraries": ["numpy", "torch"]}
    session = Session(RLIMITS, Limits(), config)
    assert session.ready
    assert len(os.listdir(f"/proc/{session._starter._process.pid}/task")) == 1
    session.close()


@pytest.mark.parametrize("tier", available(), ids=lambda t: t.name)
def test_where_what_they_are_forked_from_is_gone_it_is_started_again(tier: Tier) -> None:
    first = started(tier, "x = 1\n", ())
    assert first.functions == {}
    first._starter._channel.shutdown(socket.SHUT_RDWR)
    first._starter._process.wait(10)
    second = started(tier, "x = 1\n", ())
    assert second.functions == {} and second._starter is not first._starter
    for each in (first, second):
        each.close()


@pytest.mark.parametrize("tier", available(), ids=lambda t: t.name)
def test_a_worker_ends_with_what_it_was_forked_from_and_nobody_is_blamed(tier: Tier) -> None:
    session = started(tier, PROBES, ("honest",))
    assert value(session, "honest") == 6
    if tier is BUBBLEWRAP:
        session._starter._channel.shutdown(socket.SHUT_RDWR)
    else:
        session._starter._process.kill()
    session._starter._process.wait(10)
    with pytest.raises(Ended, match="what its worker was forked from is gone") as error:
        value(session, "honest")
    assert error.value.word == "GRADER_ERROR" and session.end is error.value
    session.close()


def test_what_does_not_start_is_the_graders_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_rl.grading.session.command", lambda *_: [sys.executable, "-c", "print('no room')"])
    for _ in range(2):
        with pytest.raises(GraderFault, match=r"the worker did not start: .*no room"):
            assert started(RLIMITS, "x = 1\n", ()).ready
    monkeypatch.setattr("gradcheck_rl.grading.session.command", lambda *_: ["/nowhere/python"])
    with pytest.raises(GraderFault, match="cannot be started: No such file"):
        started(RLIMITS, "x = 1\n", ())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12, where there are threads
def test_who_was_forked_from_the_grader_ends_no_worker() -> None:
    session = started(RLIMITS, PROBES, ("honest",))
    assert value(session, "honest") == 6
    if (child := os.fork()) == 0:
        try:
            closed()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert value(session, "honest") == 6
    session.close()


def test_a_library_may_ask_where_another_lies(session: Session) -> None:
    """As torch with CUDA does when it is imported: where a compiler is found, the search writes a file."""
    assert value(session, "finds") == 1


@pytest.mark.parametrize("name", NOWHERE)
def test_what_no_submission_can_do(session: Session, name: str) -> None:
    assert session.ready["seccomp"] is True
    assert value(session, name) == 0
    assert not Path("/tmp/probe").exists()


@pytest.mark.parametrize("name", STRONG)
def test_what_no_submission_can_read_in_a_strong_tier(session: Session, name: str) -> None:
    if session.tier.strong:
        assert value(session, name) == 0
    elif name == "reads_page":
        assert value(session, name) == 1 and "can read" in session.tier.leaves_open  # and the report says so


def test_the_probes_can_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a worker the same probes do what they try: they are no checks that cannot fail."""
    monkeypatch.chdir(tmp_path)
    page = REPOSITORY / "problems" / "problem3_reparameterisation.py"
    names: dict[str, object] = {"PAGE": str(page), "PARENT": os.getpid(), "ROOT": str(REPOSITORY)}
    exec(PROBES, names)  # noqa: S102  they are written above
    for name in ("runs", "writes_here", "makes", "allocates", "reads_page", "reads_passwd", "signals_by_a_pipe"):
        probe = names[name]
        assert callable(probe) and probe(3.0) == 1, name


# ---- the choice -----------------------------------------------------------------------------------------------------------


def test_require_fails_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(isolation, "available", lambda: (RLIMITS,))
    with pytest.raises(InputError, match="so nothing was run"):
        chosen("require")
    assert chosen("auto") is RLIMITS
    with pytest.raises(InputError, match="does not work here"):
        chosen("bubblewrap")
    path = tmp_path / "them.py"
    path.write_text("x = 1\n")
    assert main(["grade", "problem3", str(path), "--isolation", "require"]) == 2
    assert "nothing was run" in capsys.readouterr().err


def test_landlock_that_does_not_hold_is_a_fault_of_the_grader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_rl.grading.session.readable", lambda tier: None)
    broken = started(LANDLOCK, "x = 1\n", ())
    with pytest.raises(GraderFault, match="Landlock does not hold"):
        assert broken.ready
    broken.close()


@pytest.mark.parametrize("tier", available(), ids=lambda t: t.name)
def test_time_is_counted_from_when_the_libraries_are_there(tier: Tier) -> None:
    config = {"sources": {"submission": "while True: pass"}, "modules": ["submission"], "functions": {}, "libraries": ["numpy"]}
    slow = Session(tier, Limits(seconds=1), config)
    assert slow.ready and slow.left == 1
    with pytest.raises(Ended) as error:
        assert slow.functions
    assert error.value.word == "TIMEOUT"
    slow.close()


def test_a_folder_of_its_own_is_gone_afterwards() -> None:
    found = started(RLIMITS, "x = 1\n", ())
    folder = Path(found._folder.name)
    assert folder.is_dir() and folder.stat().st_mode & 0o077 == 0
    assert found.functions == {}
    found.close()
    assert not folder.exists()


def test_what_is_printed_is_harmless() -> None:
    found = clean("\x1b[2J::error::x\u202e\x00##[group]" + "y" * 10**6)
    assert "::" not in found and "##[" not in found and found.isprintable() and len(found) < 1000


def test_the_table_of_refused_calls_names_each_once() -> None:
    names = [name for name, _, _ in confine.REFUSED]
    assert len(names) == len(set(names))
    for column in (1, 2):
        numbers = [row[column] for row in confine.REFUSED if row[column] is not None]
        assert len(numbers) == len(set(numbers))


PREFIXES = sorted({"/usr", "/usr/local", sys.prefix, sys.base_prefix})


@pytest.mark.parametrize("inside", ["src/course", "course", "."])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_course_beside_the_libraries_is_not_read(prefix: str, inside: str) -> None:
    page = Path(prefix, inside, "page.py")
    words = isolation.command(BUBBLEWRAP, ["numpy"])
    bound = [words[n + 1] for n, word in enumerate(words) if word == "--ro-bind"]
    beneath = [path for path, all_of_it in (isolation.readable(LANDLOCK) or {}).items() if all_of_it]
    for open_ in (bound, beneath):
        assert not [path for path in open_ if page.is_relative_to(path)]


@pytest.mark.parametrize("root", ["/usr/lib", f"{sys.base_prefix}/lib"])
def test_the_package_is_hidden_wherever_libraries_lie(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = next(path for path in Path(root).iterdir() if path.is_dir())
    monkeypatch.setattr(isolation, "PACKAGE", package)
    assert str(package) in isolation.hidden()
    assert not (isolation.readable(LANDLOCK) or {}).get(str(package))


@pytest.mark.parametrize("word", ["auto", "require", "rlimits"])
def test_without_limits_nothing_is_graded(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows, where all else runs."""
    monkeypatch.setitem(sys.modules, "resource", None)
    path = tmp_path / "them.py"
    path.write_text("x = 1\n")
    assert main(["grade", "problem3", str(path), "--isolation", word]) == 2
    told = "error: submissions are limited in time and memory by Python's `resource`, which is not here: grade on Linux"
    said = capsys.readouterr()
    assert said.err.startswith(told) and said.err.count("\n") == 1 and not said.out
    assert main(["template", "problem3"]) == 0 == main(["list"])
