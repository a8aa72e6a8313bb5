"""Rows in the formats of the places where courses run. Each is a few lines of plain data; none computes."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as XML

from ..report import printable
from .result import Result, Row
from .session import clean

ANNOTATIONS = 9
CUT = 500
LINES, WIDTH = 20, 200
SUMMARY = 1000 * 1024
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
STATUS = {"PASS": "pass", "FAIL": "fail"}


def as_json(rows: Sequence[Row]) -> str:
    """Everything there is to say, without what a key could be guessed from."""
    told = [{k: v for k, v in row.to_dict().items() if k != "key"} for row in rows]
    return _json({"schema": "gradcheck_rl/grade/1", "rows": told})


def as_gradescope(rows: Sequence[Row]) -> str:
    """results.json of Gradescope, for one submission."""
    (row,) = rows
    tests = [
        {
            "name": part.id,
            "number": str(n),
            "score": part.points,
            "max_score": part.out_of,
            "status": "passed" if part.ok else "failed",
            "output": _said(part),
            "visibility": part.visibility,
            "extra_data": {"verdict": part.verdict, "kind": part.kind},
        }
        for n, part in enumerate(row.parts, start=1)
    ]
    extra = {"isolation": row.isolation, "digest": row.digest, "attempt": row.attempt}
    data: dict[str, Any] = {"execution_time": row.seconds, "visibility": "visible", "stdout_visibility": "hidden"}
    if row.note:
        data["output"] = row.note
    return _json(data | {"tests": tests, "extra_data": extra} | ({} if tests else {"score": 0.0}))


def as_classroom(rows: Sequence[Row]) -> str:
    """The `result` of a GitHub Classroom step: base64 of its JSON, on one line."""
    (row,) = rows
    words = [STATUS.get(part.verdict, "error") for part in row.parts]
    status = "error" if "error" in words else "fail" if "fail" in words else "pass"
    tests = [
        {
            "name": part.id,
            "status": word,
            "score": part.points,
            "message": _told(part)[:CUT],
            "test_code": part.kind,
            "filename": "",
            "line_no": 0,
            "duration": round(part.seconds * 1000),
            "output": part.verdict,
        }
        for part, word in zip(row.parts, words, strict=True)
    ]
    data = {"version": 3, "status": status, "max_score": row.out_of, "tests": tests}
    return base64.b64encode(json.dumps(data).encode()).decode() + "\n"


def as_github(rows: Sequence[Row]) -> str:
    """Annotations of a GitHub step: the first failures, and how many more."""
    wrong = [(row, part) for row in rows for part in row.parts if not part.ok]
    out = [_command("error", f"{row.name}: {part.id}", _worded(part)) for row, part in wrong[:ANNOTATIONS]]
    if len(wrong) > ANNOTATIONS:
        out.append(_command("error", "and more", f"{len(wrong) - ANNOTATIONS} more parts are not right."))
    score, out_of = sum(row.score for row in rows), sum(row.out_of for row in rows)
    out.append(_command("notice", "Points", f"{_points(score)} of {_points(out_of)}"))
    return "\n".join(out) + "\n"


def as_summary(rows: Sequence[Row]) -> str:
    """Markdown for a step summary; where it would be too long to be shown at all, its end is left out."""
    out = ["| submission | part | verdict | points | |", "|---|---|---|---|---|"]
    size = 0
    for row in rows:
        for part in row.parts:
            cells = (row.name, part.id, part.verdict, f"{_points(part.points)} / {_points(part.out_of)}", _told(part))
            out.append("| " + " | ".join(_markdown(c) for c in cells) + " |")
            size += len(out[-1].encode()) + 1
            if size > SUMMARY:
                return "\n".join([*out[:-1], "", "The rest is left out: a summary has 1 MiB."]) + "\n"
    return "\n".join(out) + "\n"


def as_junit(rows: Sequence[Row]) -> str:
    root = XML.Element("testsuites")
    for row in rows:
        counts = {"tests": len(row.parts), "failures": sum(p.verdict == "FAIL" for p in row.parts)}
        counts["errors"] = sum(not p.ok and p.verdict != "FAIL" for p in row.parts)
        suite = XML.SubElement(root, "testsuite", {"name": _xml(row.name), **{k: str(v) for k, v in counts.items()}})
        properties = XML.SubElement(suite, "properties")
        for name, value in {
            "problem": row.problem,
            "isolation": row.isolation,
            "score": _points(row.score),
            "out_of": _points(row.out_of),
            **({"note": row.note} if row.note else {}),
        }.items():
            XML.SubElement(properties, "property", {"name": name, "value": _xml(value)})
        for part in row.parts:
            case = XML.SubElement(
                suite,
                "testcase",
                {"classname": f"{row.problem}.{part.kind}", "name": _xml(part.id), "time": f"{part.seconds:.3f}"},
            )
            if not part.ok:
                kind = "failure" if part.verdict == "FAIL" else "error"
                told = XML.SubElement(case, kind, {"type": part.verdict, "message": _xml((part.says or ("",))[0])})
                told.text = _xml(_said(part))
    XML.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{XML.tostring(root, encoding="unicode")}\n'


def as_check50(rows: Sequence[Row]) -> str:
    (row,) = rows
    results: list[dict[str, Any]] = []
    for part in row.parts:
        passed = True if part.ok else False if part.verdict == "FAIL" else None
        cause = None if part.ok else {"rationale": part.verdict, "help": _told(part) or None}
        told = {"name": part.id, "description": f"{part.kind} {part.id}", "passed": passed, "log": [], "cause": cause}
        results.append({**told, "data": {"points": part.points}, "dependency": None})
    return _json({"slug": row.problem, "results": results})


def as_csv(rows: Sequence[Row]) -> str:
    """A class: one line for each submission, a column for each part. What a spreadsheet would run is quoted."""
    names = list(dict.fromkeys(part.id for row in rows for part in row.parts))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["submission", "score", "out of", *names, *(f"{n} verdict" for n in names), "attempt", "isolation", "note"])
    for row in rows:
        parts = {part.id: part for part in row.parts}
        points = [_points(parts[n].points) if n in parts else "" for n in names]
        words = [parts[n].verdict if n in parts else "" for n in names]
        cells = [
            _cell(row.name),
            _points(row.score),
            _points(row.out_of),
            *points,
            *words,
            row.attempt,
            _cell(row.isolation),
            _cell(row.note),
        ]
        writer.writerow(cells)
    return out.getvalue()


def as_text(rows: Sequence[Row]) -> str:
    out: list[str] = []
    for row in rows:
        out.append(f"{row.name}: {_points(row.score)} of {_points(row.out_of)}, kept apart by {row.isolation}")
        for part in row.parts:
            out.append(f"  {part.verdict:<12} {_points(part.points)} / {_points(part.out_of)}  {part.id}")
            out += [f"      {line}" for line in part.says]
        if row.note and not any(row.note in part.says for part in row.parts):
            out.append(f"  {row.note}")
        if row.output:
            out += ["  it printed:", *(f"      {line}" for line in _beginning(row.output))]
    return printable("\n".join(out)) + "\n"


def _beginning(text: str) -> list[str]:
    """The first lines of what was printed, each as far as it can be read."""
    lines = text.rstrip("\n").split("\n")
    left = [f"... and {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    return [*(line if len(line) <= WIDTH else f"{line[:WIDTH]}..." for line in lines[:LINES]), *left]


Write = Callable[[Sequence[Row]], str]


def _harmless(write: Write) -> Write:
    """A file's name may be anything; what is written of it is one line that prints."""

    def written(rows: Sequence[Row]) -> str:
        return write([replace(row, name=" ".join(clean(row.name).split())) for row in rows])

    return written


OUTPUTS: Mapping[str, Write] = {
    "text": _harmless(as_text),
    "json": _harmless(as_json),
    "gradescope": as_gradescope,
    "classroom": as_classroom,
    "github": _harmless(as_github),
    "summary": _harmless(as_summary),
    "junit": _harmless(as_junit),
    "check50": as_check50,
    "csv": _harmless(as_csv),
}
OF_ONE = ("gradescope", "classroom", "check50")


def _said(part: Result) -> str:
    return "\n".join(part.says)


def _told(part: Result) -> str:
    """What is said of a part, in formats that keep nothing back by themselves: nothing of one that is not visible."""
    return _said(part) if part.visibility == "visible" else ""


def _worded(part: Result) -> str:
    return f"{part.verdict}. {said}" if (said := _told(part)) else part.verdict


def _points(x: float) -> str:
    return f"{x:g}"


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _command(kind: str, title: str, message: str) -> str:
    """One workflow command, in which nothing of a submission can start another."""
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    named = title.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace(":", "%3A").replace(",", "%2C")
    return f"::{kind} title={named}::{escaped}"


MARKUP = {ord(c): f"&#{ord(c)};" for c in "&\\`*_{}[]<>()#+-!|~"} | {ord("\n"): "<br>"}


def _markdown(text: str) -> str:
    return text.translate(MARKUP)


def _xml(text: str) -> str:
    return "".join(c if c in "\n\t" or c.isprintable() else "?" for c in text)


def _cell(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line}" if text.startswith(FORMULA_STARTS) or line.startswith(FORMULA_STARTS) else line
