"""Every statement of the sources, where it is decided and how it came out: problems/statements.toml beside reports of a run."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from .errors import ProblemError
from .load import HOMES, statements
from .report import VERDICTS, Report

FILE = "statements.toml"
SCHEMA = "gradcheck_rl/coverage/1"
WORDS = (*VERDICTS, "caught", "missed")

HEAD = """\
# Statements

What the sources claim, one line each, where it is decided and how it came out. An erratum is refuted, as it should be; a mistake
is caught by its claim. Written by `python -m gradcheck_rl coverage -o docs/statements.md`.
"""


@dataclass(frozen=True)
class Statement:
    """One line of the file, and what became of it: the verdicts of all that speaks of it, and whether all is as it should be."""

    id: str
    says: str
    problem: str = ""
    left: str = ""
    verdict: str = ""
    by: tuple[str, ...] = ()
    ok: bool = True


def known() -> list[Statement]:
    """The file's statements, in its order."""
    path = next((home / FILE for home in HOMES if (home / FILE).is_file()), None)
    if path is None:
        raise ProblemError(f"{FILE} is missing: it belongs beside the problems.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return [_read(id, entry) for id, entry in table.items()]
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ProblemError(f"{path}: {error}") from error


def _read(id: str, entry: dict[str, str]) -> Statement:
    if not {"says"} < set(entry) <= {"says", "problem", "left"} or len(entry) != 2:
        raise TypeError(f"{id} has {', '.join(entry)}: write says, and problem or left.")
    return Statement(id, entry["says"], entry.get("problem", ""), entry.get("left", ""))


def covered(found: Iterable[Statement], reports: Sequence[Report]) -> list[Statement]:
    """Each statement with what the reports say of it. One that no line speaks of is a gap, unless the file says why."""
    by_id: dict[str, list[tuple[str, str, bool]]] = {}
    homes: dict[str, list[str]] = {}
    for report in reports:
        for id, line in _lines(report):
            by_id.setdefault(id, []).append(line)
            homes.setdefault(id, []).append(report.problem)
    out: list[Statement] = []
    for s in found:
        lines = by_id.get(s.id, [])
        verdicts = sorted({verdict for _, verdict, _ in lines}, key=WORDS.index)
        ok = bool(s.left) != bool(lines) and all(ok for *_, ok in lines) and (not s.problem or s.problem in homes.get(s.id, ()))
        names = tuple(dict.fromkeys(name for name, _, _ in lines))
        out.append(replace(s, verdict=", ".join(verdicts), by=names, ok=ok))
    return out


def _lines(report: Report) -> Iterator[tuple[str, tuple[str, str, bool]]]:
    for line in report.claims:
        for id in statements(line.source):
            yield id, (line.id, line.verdict, line.ok)
    for mistake in report.mistakes:
        for id in statements(mistake.source):
            yield id, (mistake.id, "caught" if mistake.caught else "missed", mistake.caught)


def gaps(found: Iterable[Statement]) -> list[Statement]:
    return [s for s in found if not s.ok]


def as_json(found: Sequence[Statement]) -> str:
    counts = {"decided": sum(bool(s.by) for s in found), "left": sum(bool(s.left) for s in found), "gaps": len(gaps(found))}
    return json.dumps({"schema": SCHEMA, "summary": counts, "statements": [asdict(s) for s in found]}, indent=2) + "\n"


def as_markdown(found: Sequence[Statement]) -> str:
    rows = [
        (
            s.id,
            s.says,
            s.problem or "not decided",
            ("" if s.ok else "✗ ") + (s.verdict or s.left),
            ", ".join(f"`{name}`" for name in s.by),
        )
        for s in found
    ]
    table = ["| id | statement | problem | verdict | by |", "|---|---|---|---|---|", *(_row(cells) for cells in rows)]
    return "\n".join([HEAD, *table]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
