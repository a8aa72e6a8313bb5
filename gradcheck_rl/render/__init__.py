"""Renderers: reports in, text out. Each stands alone and computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..report import Report
from . import json, text

RENDERERS: Mapping[str, Callable[[Sequence[Report]], str]] = {"text": text.render, "json": json.render}
