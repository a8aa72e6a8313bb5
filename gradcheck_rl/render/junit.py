"""The report for what reads test results: a test case for each claim, erratum, step and mistake. Strict XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as XML

from ..report import Caught, Line, Report, plain
from .document import clean


def render(reports: Sequence[Report]) -> str:
    root = XML.Element("testsuites")
    for report in map(clean, reports):
        _suite(root, report)
    XML.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{XML.tostring(root, encoding="unicode")}\n'


def _suite(root: XML.Element, report: Report) -> None:
    failed = sum(not c.ok for c in report.claims) + sum(not m.caught for m in report.mistakes)
    tests = len(report.claims) + len(report.mistakes)
    counts = {"tests": str(tests), "failures": str(failed), "errors": "0", "time": f"{report.elapsed_s:.4f}"}
    suite = XML.SubElement(root, "testsuite", {"name": report.problem, **counts})
    properties = XML.SubElement(suite, "properties")
    said = [("problem", report.problem), ("title", report.title), ("seed", str(report.seed)), ("replay", report.replay)]
    said += report.versions.items()
    said += ((f"blind spot {spot.id}", f"{spot.says} {', '.join(spot.inputs)}") for spot in report.blind_spots)
    for name, value in said:
        XML.SubElement(properties, "property", {"name": name, "value": value})
    for line in report.claims:
        _line(suite, report, line)
    for mistake in report.mistakes:
        _mistake(suite, report, mistake)


def _line(suite: XML.Element, report: Report, line: Line) -> None:
    name = {"classname": f"{report.problem}.{line.kind}", "name": f"{line.id}: {line.says}", "time": f"{line.elapsed_s:.4f}"}
    case = XML.SubElement(suite, "testcase", name)
    if not line.ok:
        sides = {"left side": line.value, "right side": line.expected} if line.value is not None else {}
        _failure(case, line.verdict, line.reason, line.witness, sides)
    routes = [f"{route.route}: {route.verdict}" for route in line.routes]
    said = [line.verdict, *([f"right: {line.correction}"] if line.correction else []), *routes]
    XML.SubElement(case, "system-out").text = "\n".join(filter(None, [*said, line.source, line.remark]))


def _mistake(suite: XML.Element, report: Report, mistake: Caught) -> None:
    case = XML.SubElement(
        suite, "testcase", {"classname": f"{report.problem}.mistake", "name": f"{mistake.id}: {mistake.says}", "time": "0.0000"}
    )
    if not mistake.caught:
        _failure(case, f"not caught by {mistake.breaks}", mistake.reason, mistake.witness, {"it computes": mistake.signature})
    XML.SubElement(case, "system-out").text = f"caught by {', '.join(mistake.by)}" if mistake.caught else "not caught"


def _failure(case: XML.Element, kind: str, reason: str, witness: Mapping[str, Any] | None, sides: Mapping[str, Any]) -> None:
    failure = XML.SubElement(case, "failure", {"type": kind, "message": reason})
    rows = [reason, *(f"at {name} = {plain(value)}" for name, value in (witness or {}).items())]
    rows += [f"{name}: {plain(values)}" for name, values in sides.items() if values is not None]
    failure.text = "\n".join(rows)
