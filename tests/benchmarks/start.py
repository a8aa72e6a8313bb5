"""From the shell to the first answer."""

from __future__ import annotations

from collections.abc import Iterator

from .timing import Options, Row, processes

MODEL, ALL = "import sympy, numpy", "import torch, sympy, numpy"
FIRST = """
import os, sys
from gradcheck_rl import cli, console
console._step = lambda *_: os._exit(0)
sys.stderr.isatty = lambda: True
cli.main(["problem1"])
"""


def rows(options: Options) -> Iterator[Row]:
    light = processes(
        {
            "--help": ("-m", "gradcheck_rl", "--help"),
            "list": ("-m", "gradcheck_rl", "list"),
            "argparse": ("-c", "import argparse"),
        },
        options.repeats,
    )
    floor = ("import argparse", light["argparse"])
    yield Row("start: --help", light["--help"], None, floor)
    yield Row("start: list", light["list"], None, floor)
    if options.smoke:
        return
    model = processes(
        {"first": ("-c", FIRST), "derive": ("-m", "gradcheck_rl", "derive", "problem1"), MODEL: ("-c", MODEL)}, options.repeats
    )
    whole = processes({"problem1": ("-m", "gradcheck_rl", "problem1", "--quiet"), ALL: ("-c", ALL)}, options.repeats)
    yield Row("start: problem1, whole", whole["problem1"], None, (ALL, whole[ALL]))
    yield Row("start: problem1, first verdict", model["first"], None, (MODEL, model[MODEL]))
    yield Row("start: derive problem1", model["derive"], None, (MODEL, model[MODEL]))
