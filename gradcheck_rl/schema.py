"""Is saved JSON what report.schema.json says? Keys may be missing, as in reports of before, and there may be more."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

Rule = Mapping[str, Any]

KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def damage(whole: Any) -> str:
    """What is no report, by its place: "claims[0].verdict is 'great'"; or nothing."""
    reports = whole.get("reports", [whole]) if isinstance(whole, dict) else [whole]
    if not isinstance(reports, list):
        return "reports is no list"
    return next(filter(None, (_wrong(report, {"$ref": "#/$defs/report"}, "") for report in reports)), "")


@cache
def _schema() -> Rule:
    return json.loads(Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8"))


def _wrong(value: Any, rule: Rule, at: str) -> str:
    if name := rule.get("$ref"):
        rule = _schema()["$defs"][name.rpartition("/")[2]]
    parts: list[tuple[Any, Rule, str]] = []
    if isinstance(value, dict):
        known, others = rule.get("properties", {}), rule.get("additionalProperties", {})
        parts = [(part, known.get(name, others), f"{at}.{name}".lstrip(".")) for name, part in value.items()]
    elif isinstance(value, list):
        parts = [(part, rule.get("items", {}), f"{at}[{n}]") for n, part in enumerate(value)]
    if inside := next(filter(None, (_wrong(*part) for part in parts if part[1])), ""):
        return inside
    kinds = [rule["type"]] if isinstance(rule.get("type"), str) else rule.get("type", KINDS)
    choices = rule.get("oneOf") or rule.get("anyOf") or ()
    if (
        not any(_is(value, kind) for kind in kinds)
        or value not in rule.get("enum", [value])
        or value != rule.get("const", value)
        or (_is(value, "number") and value < rule.get("minimum", -math.inf))
        or (choices and all(_wrong(value, choice, at) for choice in choices))
    ):
        shown = json.dumps(value, ensure_ascii=False)
        return f"{at or 'it'} is {shown if len(shown) < 60 else 'what it cannot be'}"
    return ""


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))
