"""Renderers: reports in, text out. Each stands alone and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..report import Report
from . import html, json, junit, latex, markdown, text, typst

RENDERERS: Mapping[str, Callable[[Sequence[Report]], str]] = {
    "text": text.render,
    "json": json.render,
    "html": html.render,
    "markdown": markdown.render,
    "latex": latex.render,
    "typst": typst.render,
    "junit": junit.render,
}
