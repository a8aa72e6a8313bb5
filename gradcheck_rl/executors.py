"""Tasks on any `concurrent.futures.Executor`, the same results from each: here, in processes, on a Dask cluster."""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from .errors import InputError

T = TypeVar("T")
R = TypeVar("R")

LOCAL = "local"
MANY = 256
PRELOADED = [f"{__package__}.{part}" for part in ("shards", "grading.course", "backends.torch")]
ANSWER_S = 20


@dataclass(frozen=True)
class Lost:
    """What stands where no result came: the task raised `error`, or, where it `died`, its process ended twice."""

    error: Exception
    died: bool = False


class Processes(Executor):
    """Processes of this machine. Where one dies, `concurrent.futures` gives up all of them; here others take their place."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._pool = _pool(jobs)

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        with _undisturbed():
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenExecutor:
                self._pool.shutdown()
                self._pool = _pool(self.jobs)
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def executor(jobs: int = 1, dask: str | None = None) -> Generator[Executor | None]:
    """What `--jobs N` and `--dask ADDRESS|local` mean: None is this process."""
    if dask is not None:
        with _dask(jobs, dask) as found:
            yield found
    elif jobs == 1:
        yield None
    else:
        processes = Processes(jobs)
        try:
            yield processes
        finally:
            processes.shutdown(cancel_futures=True)


def as_they_come(executor: Executor | None, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[tuple[int, R | Lost]]:
    """The number of each task and its result. Tasks are taken when there is room for them, so there may be any number."""
    return _finished(executor, function, tasks, math.inf)


def in_order(executor: Executor | None, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R | Lost]:
    """The result of each task, in the order of the tasks. Who has seen enough closes it: what has not begun is cancelled."""
    early: dict[int, R | Lost] = {}
    following = 0
    finished = _finished(executor, function, tasks, 2 * _flight(executor))
    try:
        for n, result in finished:
            early[n] = result
            while following in early:
                yield early.pop(following)
                following += 1
    finally:
        finished.close()


def _finished(
    executor: Executor | None, function: Callable[[T], R], tasks: Iterable[T], ahead: float
) -> Generator[tuple[int, R | Lost]]:
    """`ahead`: how far beyond the first unfinished task another may begin."""
    if executor is None:
        for n, task in enumerate(tasks):
            yield n, _here(function, task)
        return
    flight, left = _flight(executor), enumerate(tasks)
    running: dict[Future[R], tuple[int, T]] = {}
    begun = 0
    try:
        while True:
            first = min((n for n, _ in running.values()), default=begun)
            for n, task in islice(left, int(min(flight - len(running), first + ahead - begun))):
                running[_submitted(executor, function, task, 0)] = n, task
                begun = n + 1
            if not running:
                return
            suspects: list[tuple[int, T]] = []
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    n, task = running.pop(future)
                    result = _result(future)
                    if isinstance(result, Lost) and result.died:
                        suspects.append((n, task))
                    else:
                        yield n, result
                if not suspects:
                    break
            for n, task in suspects:  # alone, so that nobody else's death is taken for its own
                yield n, _result(_submitted(executor, function, task, 1))
    finally:
        for future in running:
            future.cancel()


def _flight(executor: Executor | None) -> int:
    """How many tasks are handed over at a time: enough that no worker waits."""
    return 1 if executor is None else 2 * executor.jobs if isinstance(executor, Processes) else MANY


def _here(function: Callable[[T], R], task: T) -> R | Lost:
    try:
        return function(task)
    except Exception as error:
        return Lost(error)


def _submitted(executor: Executor, function: Callable[[T], R], task: T, attempt: int) -> Future[R]:
    try:
        return executor.submit(_called, function, task, attempt)
    except (RuntimeError, OSError) as error:  # an executor that was shut down, or cannot be mended
        future: Future[R] = Future()
        future.set_exception(error)
        return future


def _called(function: Callable[[T], R], task: T, attempt: int) -> R:
    """A second attempt is another call: Dask remembers the results of equal ones, and their failures."""
    del attempt
    if _over.is_set():
        sys.exit(130)
    return function(task)


def _result(future: Future[R]) -> R | Lost:
    try:
        return future.result()
    except SystemExit:  # Ctrl-C came there first
        raise KeyboardInterrupt from None
    except CancelledError as error:
        return Lost(RuntimeError(str(error) or "it was cancelled"), died=True)
    except Exception as error:
        return Lost(error, isinstance(error, BrokenExecutor) or _killed(error))


def _killed(error: Exception) -> bool:
    """Is it Dask's word for a worker that died?"""
    scheduler = sys.modules.get("distributed.scheduler")
    return scheduler is not None and isinstance(error, scheduler.KilledWorker)


# ---- processes and clusters -----------------------------------------------------------------------------------------------


def _pool(jobs: int) -> ProcessPoolExecutor:
    """On Linux the libraries are imported once, in a process that each of these is forked from."""
    context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(PRELOADED)
    return ProcessPoolExecutor(jobs, context, _quietly)


@contextmanager
def _undisturbed() -> Generator[None]:
    """Ctrl-C waits meanwhile, also in a process that is started here: it is not yet one that ends quietly."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_over = threading.Event()


def _quietly() -> None:
    """Ctrl-C reaches every process of a terminal; this one ends what it runs, says nothing of it, and begins nothing more."""

    def stop(*_: object) -> None:
        _over.set()
        sys.exit(130)

    signal.signal(signal.SIGINT, stop)
    if hasattr(signal, "pthread_sigmask"):
        if signal.SIGINT in signal.sigpending():
            os._exit(130)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _dask(jobs: int, address: str) -> Generator[Executor]:
    try:
        from dask import config
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("--dask needs the package distributed: pip install 'gradcheck_rl[dask]'.") from error
    if address != LOCAL:
        if jobs != 1:
            raise InputError(f"--jobs {jobs} is of this machine, and --dask {address} another's: leave one out.")
        try:
            client = Client(address, timeout=ANSWER_S)
        except (OSError, ValueError) as error:
            says = f"--dask {address}: no scheduler answers there. Write its address, as tcp://10.0.0.1:8786, or `local`."
            raise InputError(says) from error
        with client:
            yield client.get_executor()
        return
    options: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with config.set({"distributed.scheduler.allowed-failures": 0}):  # a second attempt is made above, alone
        with _undisturbed():
            cluster = LocalCluster(jobs, threads_per_worker=1, processes=True, **options)
        with cluster, Client(cluster) as client:
            yield client.get_executor()
