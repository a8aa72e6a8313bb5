"""The report as JSON: a contract (report.schema.json), strict, and enough to render everything again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ..report import Report

EXPLAINED = "gradcheck_rl/explain/1"
WORDS = {"nan": math.nan, "oo": math.inf, "-oo": -math.inf}

# Only these are floats by declaration: elsewhere "oo" is an exact number and stays the word it is.
FLOATS = frozenset({"elapsed_s", "gap", "slack", "radius", "resolution"})
# Here names are those of a page's variables, and "oo" is exact.
POINTS = frozenset({"point", "witness"})


class Saved(Protocol):
    """A report, or a training run."""

    def to_dict(self) -> dict[str, Any]: ...


def render(reports: Sequence[Saved], error: str = "") -> str:
    """One report as itself, several as {"reports": [...]}. After an error: {"error": sentence}, and what was finished."""
    data = [_words(report.to_dict()) for report in reports]
    whole: dict[str, Any] = data[0] if len(data) == 1 and not error else {"reports": data} if data or not error else {}
    if error:
        whole["error"] = error
    return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def explained(known: Mapping[str, Any], reports: Sequence[Saved], error: str = "") -> str:
    """What is known of one statement, and the reports that decide it."""
    whole = {"schema": EXPLAINED, **known, "reports": [_words(report.to_dict()) for report in reports]}
    return json.dumps(whole | ({"error": error} if error else {}), indent=2, allow_nan=False) + "\n"


def read(text: str) -> list[Report]:
    """The reports that `render` wrote."""
    whole = json.loads(text)
    return [Report.from_dict(_floats(data)) for data in whole.get("reports", [whole])]


def _words(value: Any) -> Any:
    """Strict JSON has no NaN and no infinities: they are written as words."""
    match value:
        case dict():
            return {name: _words(part) for name, part in value.items()}
        case list() | tuple():
            return [_words(part) for part in value]
        case float() if not math.isfinite(value):
            return "nan" if math.isnan(value) else "oo" if value > 0 else "-oo"
        case _:
            return value


def _floats(value: Any, name: str = "", drawn: bool = False) -> Any:
    """What was saved as a word, where it is a float: of figures all of it."""
    match value:
        case dict() if drawn or name not in POINTS:
            return {inner: _floats(part, inner, drawn or name == "figures") for inner, part in value.items()}
        case list():
            return [_floats(part, name, drawn) for part in value]
        case str() if drawn or name in FLOATS:
            return WORDS.get(value, value)
        case _:
            return value
