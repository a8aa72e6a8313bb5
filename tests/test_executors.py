"""The same results from any executor, however many work, in whatever order they finish, and whoever dies."""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck_rl.errors import InputError
from gradcheck_rl.executors import MANY, Lost, Processes, as_they_come, executor, in_order

ODD = st.lists(st.integers(-3, 3), max_size=30)


def inverse(n: int) -> float:
    return 1 / n


def shown(results: Iterator[Any]) -> list[Any]:
    return [repr(r.error) if isinstance(r, Lost) else r for r in results]


def expected(numbers: list[int]) -> list[Any]:
    return [1 / n if n else repr(ZeroDivisionError("division by zero")) for n in numbers]


class Shuffled(Executor):
    """Whoever was handed over is begun in an order that `seed` says."""

    def __init__(self, seed: int) -> None:
        self.begun: list[int] = []
        self._random, self._waiting, self._thread = random.Random(seed), list[Any](), ThreadPoolExecutor(1)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._waiting.append((future, fn, args))
        self._thread.submit(self._one)
        return future

    def _one(self) -> None:
        future, fn, args = self._waiting.pop(self._random.randrange(len(self._waiting)))
        self.begun.append(args[1])
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(fn(*args))
            except Exception as error:
                future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._thread.shutdown(wait)


@given(ODD, st.integers(0, 100))
def test_results_are_in_the_order_of_the_tasks(numbers: list[int], seed: int) -> None:
    with Shuffled(seed) as shuffled, ThreadPoolExecutor(3) as threads:
        for each in (None, shuffled, threads):
            assert shown(in_order(each, inverse, numbers)) == expected(numbers)
            found = dict(as_they_come(each, inverse, numbers))
            assert shown(found[n] for n in range(len(numbers))) == expected(numbers)


def test_the_shuffled_executor_shuffles() -> None:
    """The check of the check above."""
    with Shuffled(0) as shuffled:
        assert len(list(as_they_come(shuffled, inverse, range(1, 200)))) == 199
    assert sorted(shuffled.begun) == list(range(1, 200)) != shuffled.begun


@pytest.mark.parametrize("each", [None, ThreadPoolExecutor(2)])
@pytest.mark.parametrize("form", [in_order, as_they_come])
def test_there_may_be_any_number_of_tasks(each: Executor | None, form: Any) -> None:
    taken = itertools.count(1)
    results = form(each, inverse, taken)
    assert len(list(itertools.islice(results, 1000))) == 1000
    results.close()
    assert next(taken) <= 1000 + 3 * MANY


def test_who_waits_for_the_first_keeps_few_others() -> None:
    """A first task that never ends: the others go on, but not for ever."""
    begun: list[int] = []
    first: Future[int] = Future()

    class Stuck(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            begun.append(args[1])
            if len(begun) == 3 * MANY:
                raise AssertionError("too many were begun")
            if args[1] == 0:
                return first
            done: Future[Any] = Future()
            done.set_result(args[1])
            if args[1] == 2 * MANY - 1:
                first.set_result(0)
            return done

    results = in_order(Stuck(), int, itertools.count())
    assert [next(results) for _ in range(10)] == list(range(10))
    assert max(begun) == 2 * MANY - 1


# ---- processes that die ---------------------------------------------------------------------------------------------------

Mortal = tuple[int, str, bool]


def mortal(task: Mortal) -> int:
    """The task 3 kills its process: the first time, or every time."""
    n, folder, always = task
    mark = Path(folder) / "died"
    if n == 3 and (always or not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


@pytest.mark.parametrize("dask", [None, "local"])
@pytest.mark.parametrize("always", [False, True])
def test_a_killed_worker_is_replaced_and_nothing_is_lost(tmp_path: Path, dask: str | None, always: bool) -> None:
    tasks: list[Mortal] = [(n, str(tmp_path), always) for n in range(12)]
    with executor(2, dask) as two:
        found = list(in_order(two, mortal, tasks))
    third = found.pop(3)
    assert found == [n * n for n in range(12) if n != 3]
    assert isinstance(third, Lost) and third.died if always else third == 9


def test_the_processes_are_gone_afterwards(tmp_path: Path) -> None:
    with executor(2) as two:
        assert isinstance(two, Processes)
        pids = {pid for pid in in_order(two, which, range(8)) if isinstance(pid, int)}
    assert pids and os.getpid() not in pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def which(_: int) -> int:
    return os.getpid()


def test_an_executor_that_was_shut_down_is_told_for_each_task() -> None:
    with ThreadPoolExecutor(1) as gone:
        pass
    assert [isinstance(r, Lost) for r in in_order(gone, inverse, [1, 2])] == [True, True]


# ---- what is typed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "dask", "sentence"),
    [
        (2, "tcp://127.0.0.1:8786", "--jobs 2 is of this machine, and --dask tcp://127.0.0.1:8786 another's: leave one out."),
        (1, "nowhere://x", "--dask nowhere://x: no scheduler answers there."),
        (1, "", "--dask : no scheduler answers there."),
    ],
)
def test_a_cluster_that_is_not_there_is_told(jobs: int, dask: str, sentence: str) -> None:
    with pytest.raises(InputError, match="^" + sentence.replace(".", r"\.")), executor(jobs, dask):
        pass


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_rl.executors.ANSWER_S", 1)
    with pytest.raises(InputError, match="no scheduler answers there"), executor(1, "tcp://127.0.0.1:9"):
        pass


def test_without_distributed_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'gradcheck_rl\[dask\]'"), executor(1, "local"):
        pass
