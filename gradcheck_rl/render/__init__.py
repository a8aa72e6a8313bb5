"""Renderers: reports in, text out. Each stands alone and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module

from ..report import Report

NAMES = ("text", "json", "html", "markdown", "latex", "typst", "junit")


def renderer(name: str) -> Callable[[Sequence[Report]], str]:
    """Imported when it is asked for: nobody waits for the formats that he does not want."""
    return import_module(f"{__name__}.{name}").render
