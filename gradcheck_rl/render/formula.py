"""Is this a formula's tree? A saved report is anybody's: none of its text may be set as a command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..typeset import OPERATORS, SPACED

LEAVES: Mapping[str, re.Pattern[str]] = {
    "num": re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII),
    "id": re.compile(r".+"),
    "text": re.compile(r".+"),
    "fn": re.compile(r".+"),
    "op": re.compile("|".join(map(re.escape, {*OPERATORS, *SPACED, ",", "/", "!", "d"}))),
}
SHAPES: Mapping[str, tuple[str, ...]] = {
    "sub": ("tree", "tree"),
    "sup": ("tree", "tree"),
    "frac": ("tree", "tree"),
    "binom": ("tree", "tree"),
    "root": ("tree",),
    "accent": ("hat bar tilde", "tree"),
    "fence": ("( [ |", ") ] |", "tree"),
    "big": ("sum product integral", "tree", "tree"),
}
DEEPEST = 60


def drawable(tree: Any) -> list[Any]:
    """The tree if it is one, so that no text of a saved report is set as a command; else nothing."""
    return tree if tree and _drawable(tree, DEEPEST) else []


def _drawable(tree: Any, depth: int) -> bool:
    if not isinstance(tree, list) or not tree or not isinstance(tree[0], str) or depth < 0:
        return False
    kind, *parts = tree
    if kind in LEAVES:
        return len(parts) == 1 and isinstance(parts[0], str) and LEAVES[kind].fullmatch(parts[0]) is not None
    if kind == "row":
        return all(_drawable(part, depth - 1) for part in parts)
    if kind in ("cases", "matrix"):
        rows = [row for row in parts if isinstance(row, list) and row and (kind == "matrix" or len(row) == 2)]
        even = len({len(row) for row in rows}) == 1
        return len(rows) == len(parts) and even and all(_drawable(cell, depth - 1) for row in rows for cell in row)
    shape = SHAPES.get(kind, ())
    return len(shape) == len(parts) > 0 and all(
        _drawable(part, depth - 1) if wanted == "tree" else part in wanted.split()
        for part, wanted in zip(parts, shape, strict=True)
    )
