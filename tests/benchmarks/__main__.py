"""python -m tests.benchmarks [--slow] [--smoke] [start check derive evaluate sampling mdp grade]"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .timing import Options, Row

GROUPS = ("start", "check", "derive", "evaluate", "sampling", "mdp", "grade")


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, print a line for each thing measured, and return them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="What things take, beside peers and floor.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"any of {', '.join(GROUPS)}; all of them by default")
    parser.add_argument("--slow", action="store_true", help="also what takes minutes: slow gradcheck and simplify at every size")
    parser.add_argument("--smoke", action="store_true", help="everything once and small, to see that it runs")
    given = parser.parse_args(arguments)
    for name in given.groups:
        if name not in GROUPS:
            parser.error(f"there is no group {name!r}; there are {', '.join(GROUPS)}.")
    rows: list[Row] = []
    print(f"{'what':48} {'ours':>9} {'best peer':>33} {'floor':>39} {'ours/peer':>9} {'ours/floor':>10}")
    for name in given.groups or GROUPS:
        for row in import_module(f"{__package__}.{name}").rows(Options(given.smoke, given.slow)):
            rows.append(row)
            print(_line(row), flush=True)
    return rows


def _line(row: Row) -> str:
    peer = "-" if row.peer is None else f"{row.peer[0]} {_time(row.peer[1])}"
    ratio = "-" if row.peer is None else f"{row.ours / row.peer[1]:.2g}"
    floor = f"{row.floor[0]} {_time(row.floor[1])}"
    return f"{row.what:48} {_time(row.ours):>9} {peer:>33} {floor:>39} {ratio:>9} {row.ours / row.floor[1]:>10.2g}"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main(sys.argv[1:])
