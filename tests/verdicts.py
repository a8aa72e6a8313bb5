"""docs/verdicts.md: what is said of every pair of tests/formulas.py. `python -m tests.verdicts` writes it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

from gradcheck_rl.grading.equality import compare_formulas
from gradcheck_rl.verdict import Ruling, Verdict

from .formulas import Row, rows

PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"
PASSES = (Verdict.PROVED, Verdict.AGREES)
RIGHT = {"equal": PASSES, "different": (Verdict.REFUTED,), "open": (Verdict.UNDECIDED,)}

HEAD = """# Verdicts on formulas

What `gradcheck_rl.grading.equality.compare_formulas` says of every pair of `tests/formulas.py`. The truth of a pair is an
identity that is named, or a mistake; the verdict is the program's. Written by `python -m tests.verdicts`.

* *proved*: the difference is zero in a normal form.
* *agrees*: equal at 24 points to 60 digits, in certified balls (where a draw cannot happen, or a mean is an integral: to 6).
* *refuted*: at the point shown the two differ, certified; or the answer has no value there and the right formula has one.
* *undecided*: ball arithmetic does not tell. That is no pass and no fail.

A formula is compared where the expected one has a value. What is outside the space of a variable is not looked at.
"""


@cache
def rulings() -> tuple[tuple[Row, Ruling], ...]:
    return tuple((row, compare_formulas(*row.sides())) for row in rows())


def page() -> str:
    found = rulings()
    counts = Counter((row.truth, ruling.verdict.word) for row, ruling in found)
    false_passes = sum(r.verdict in PASSES for row, r in found if row.truth == "different")
    false_fails = sum(r.verdict is Verdict.REFUTED for row, r in found if row.truth == "equal")
    lines = [
        HEAD,
        f"{len(found)} pairs, {false_passes} false passes, {false_fails} false fails.\n",
        "| truth | verdict | pairs |",
    ]
    lines += ["|---|---|---|", *(f"| {truth} | {word} | {n} |" for (truth, word), n in sorted(counts.items()))]
    group = ""
    for row, ruling in found:
        if row.group != group:
            group = row.group
            lines += ["", f"## {group}", "", "| | answer | expected | verdict | counterexample |", "|---|---|---|---|---|"]
        lines.append(f"| {row.why} | {_code(row.left)} | {_code(row.right)} | {ruling.verdict.word} | {_witness(ruling)} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    shown = text.replace("|", "\\|")
    return text if text == "the page's" else f"`{shown}`"


def _witness(ruling: Ruling) -> str:
    if ruling.verdict is not Verdict.REFUTED:
        return ""
    found = ruling.points.witness(ruling.at, list(ruling.points.exact)) | ruling.drawn
    return ", ".join(f"{name} = {_plain(value)}" for name, value in found.items()) or "no variables"


def _plain(value: object) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_plain, value))})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
