"""A report as a document. Every word of a page is written here, so that a format is one short file and a language one table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain, count, repeat
from typing import Any

from ..report import VERDICTS, Caught, Chain, Line, Report, Say, english, plain, printable
from .blocks import (
    BAD,
    GOOD,
    OPEN,
    Block,
    Code,
    Command,
    Document,
    Entry,
    Equation,
    Facts,
    Formula,
    Link,
    Pair,
    Paragraph,
    Part,
    Picture,
    Piece,
    Pieces,
    Section,
    Step,
    Steps,
    Summary,
    Table,
    Tally,
    Verdict,
)
from .formula import drawable
from .said import (
    BLIND,
    DIGITS,
    PATHS,
    Usual,
    about,
    below,
    duration,
    errata,
    errata_title,
    mistakes_title,
    number,
    reached,
    sides,
)

MOST_COMPONENTS = 12
MOST_ROWS = 12
# Of the formula of a claim, alone and beside another: how wide a line is, and beyond how many its sentence says more.
WIDEST_CLAIM, WIDEST_SIDE, MOST_LINES = 80, 50, 3

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.ASCII)
LONG_NUMBER = re.compile(r"-?\d+\.\d{8,}(?:e[-+]?\d{1,3})?", re.ASCII)

SHORT: Mapping[str, str] = {
    "answer": "Answer",
    "errata": "Errata",
    "mistakes": "Mistakes",
    "flow": "Flow",
    "blind_spots": "Blind spots",
    "replay": "Replay",
}


@dataclass(frozen=True)
class Setting:
    """The language; of each report its figures as they were drawn, by name; the page that lists this one beside others."""

    lang: str = "en"
    say: Say = english
    pictures: Sequence[Mapping[str, str]] = ()
    home: str = ""


def document(reports: Sequence[Report], setting: Setting | None = None) -> Document:
    """Everything there is to say of each report."""
    setting = setting or Setting()
    anchors = Anchors(several=len(reports) > 1)
    drawn = zip(reports, chain(setting.pictures, repeat(dict[str, str]())), strict=False)
    parts = tuple(_Page(clean(report), setting.say, pictures, anchors).part() for report, pictures in drawn)
    title = parts[0].title if len(parts) == 1 else setting.say("Report of {} problems", len(parts))
    home = Link(setting.say("Problems"), setting.home) if setting.home else None
    return Document(title, setting.lang, setting.say("Contents"), parts, home)


def index(reports: Sequence[Report], pages: Sequence[str], setting: Setting | None = None) -> Document:
    """A line for each report, with the address of its page."""
    setting = setting or Setting()
    say = setting.say
    rows: list[tuple[Pieces, ...]] = []
    told = [word for word in VERDICTS if any(report.summary[word] for report in reports)]
    for report, page in zip(map(clean, reports), pages, strict=True):
        counts = report.summary
        verdict = _overall(report, say)
        numbers = [str(counts[word]) for word in told]
        refuted = f"{sum(c.ok for c in errata(report))}/{counts['errata']}"
        caught = f"{sum(m.caught for m in report.mistakes)}/{len(report.mistakes)}"
        cells = [*numbers, refuted, caught]
        rows.append(((Link(say(report.title), page),), (Code(report.problem),), (verdict,), *((cell,) for cell in cells)))
    columns = ("problem", "name", "verdict", *told, "errata", "mistakes")
    table = Table(tuple(say(column) for column in columns), tuple(rows))
    note = say("Errata: how many printed lines are refuted. Mistakes: how many planted ones are caught.")
    title = say("Problems")
    part = Part(title, "", "problems", (table, Paragraph((note,))))
    return Document(title, setting.lang, say("Contents"), (part,))


def clean(report: Report) -> Report:
    """The report with every character that does not print written as its escape."""

    def walk(value: Any) -> Any:
        match value:
            case str():
                return printable(value)
            case dict():
                return {printable(name): walk(part) for name, part in value.items()}
            case list() | tuple():
                return [walk(part) for part in value]
            case _:
                return value

    return Report.from_dict(walk(report.to_dict()))


class Anchors:
    """Names for places: no two places of a document share one."""

    def __init__(self, several: bool) -> None:
        self.several = several
        self.used: set[str] = set()

    def fresh(self, *words: str) -> str:
        name = "-".join(re.sub(r"[^A-Za-z0-9_.-]", "_", word) for word in words if word) or "here"
        name = name if name[0].isalpha() else f"n{name}"
        unique = next(n for n in chain([name], (f"{name}-{i}" for i in count(2))) if n not in self.used)
        self.used.add(unique)
        return unique


class _Page:
    """The blocks of one report."""

    def __init__(self, report: Report, say: Say, pictures: Mapping[str, str], anchors: Anchors) -> None:
        self.report, self.say, self.pictures = report, say, {printable(name): drawn for name, drawn in pictures.items()}
        self.prefix = report.problem if anchors.several else ""
        self.anchors = anchors
        self.lines = {line.id: line for line in report.claims}
        self.anchor = anchors.fresh(report.problem if anchors.several else "top")
        self.places = {name: anchors.fresh(self.prefix, name) for name in self.lines}
        self.taken: set[str] = set()
        self.steps = {step for derivation in report.derivations for step in _steps(derivation)}

    def part(self) -> Part:
        report, say = self.report, self.say
        wrong = [line for line in report.claims if not line.ok]
        missed = [mistake for mistake in report.mistakes if not mistake.caught]
        claims = [line for line in report.claims if line.kind == "claim" or self._stray(line)]
        printed = errata(report)
        blocks: list[Block] = [self._summary()]
        blocks += self._section("Statement", "statement", [Paragraph((say(part),)) for part in about(report)])
        if report.answer:
            names = _separated(map(Code, report.answer))
            blocks += self._section("The answer that was checked", "answer", [Paragraph(names)])
        blocks += self._section("Not as it should be", "wrong", [*map(self._wrong, wrong), *map(self._missed, missed)])
        blocks += self._section("Derivations", "derivations", [self._chain(derivation) for derivation in report.derivations])
        usual = Usual.of(claims)
        said = Paragraph((usual.said(say),))
        blocks += self._section("Claims", "claims", [said, *(self._claim(line, usual) for line in claims)] if claims else [])
        blocks += self._section(errata_title(printed), "errata", [self._erratum(line) for line in printed])
        blocks += self._section(mistakes_title(report), "mistakes", [self._mistake(mistake) for mistake in report.mistakes])
        blocks += self._section("Figures", "figures", [self._picture(name, data) for name, data in report.figures.items()])
        blocks += self._section("What each function sends to each parameter", "flow", self._flow())
        blocks += self._section("Blind spots of the published data", "blind_spots", self._blind_spots())
        blocks += self._section("How to replay", "replay", self._replay())
        return Part(say(report.title), report.problem, self.anchor, tuple(blocks))

    def _section(self, title: str, name: str, blocks: Sequence[Block]) -> list[Block]:
        if not blocks:
            return []
        anchor = self.anchors.fresh(self.prefix, "section", name)
        return [Section(self.say(title), self.say(SHORT.get(name, title)), anchor, tuple(blocks))]

    def _stray(self, line: Line) -> bool:
        """A step of a derivation that this report does not show."""
        return line.kind == "step" and not (line.id in self.steps and self.lines[line.id] is line)

    def _place(self, name: str) -> str:
        """Where a line stands; a second one of that name gets a place of its own."""
        place = self.places[name]
        if place in self.taken:
            return self.anchors.fresh(self.prefix, name)
        self.taken.add(place)
        return place

    # ---- the whole --------------------------------------------------------------------------------------------------------

    def _summary(self) -> Summary:
        report, say = self.report, self.say
        counts = report.summary
        states = {"proved": GOOD, "agree": GOOD, "refuted": BAD, "undecided": OPEN}
        numbers = [counts[verdict] for verdict in VERDICTS]
        tallies = [Tally(str(n), say(word), state) for n, (word, state) in zip(numbers, states.items(), strict=True) if n]
        if printed := errata(report):
            tallies.append(_share([line.ok for line in printed], say("errata refuted")))
        if report.mistakes:
            tallies.append(_share([mistake.caught for mistake in report.mistakes], say("mistakes caught")))
        return Summary(_overall(report, say), tuple(tallies))

    def _replay(self) -> list[Block]:
        report, say = self.report, self.say
        rows: list[tuple[str, Pieces]] = [(say("seed"), (Code(str(report.seed)),))]
        rows += [(say("took"), (duration(report.elapsed_s),))] if report.elapsed_s else []
        rows += [(name, (Code(version),)) for name, version in report.versions.items()]
        same = say("The same seed, versions and platform give the same report, but for times.")
        return [Command(report.replay), Paragraph((same,)), Facts(tuple(rows))]

    # ---- lines ------------------------------------------------------------------------------------------------------------

    def _verdict(self, line: Line) -> Verdict:
        return Verdict(self.say(line.verdict), GOOD if line.ok else OPEN if line.verdict == "undecided" else BAD)

    def _claim(self, line: Line, usual: Usual) -> Entry:
        return self._entry(line, _equation(line.formula), self._evidence(line), usual)

    def _entry(self, line: Line, blocks: Sequence[Block], evidence: Sequence[Block], usual: Usual | None = None) -> Entry:
        say = self.say
        how = [say(route.route) for route in line.routes if route.verdict == line.verdict]
        notes = [_sourced(Link(line.id, self.places[line.id]), line.source)]
        notes += [(" · ".join([*how, *filter(None, [self._how_well(line)])]),)] if how else []
        notes += [(note,) for note in usual.unlike(line, say)] if usual else []
        notes += [(note,) for note in below(line, say)]
        return Entry(
            self._place(line.id),
            self._verdict(line),
            say(line.says),
            tuple(blocks),
            tuple(notes),
            tuple(evidence),
            say("evidence"),
        )

    def _how_well(self, line: Line) -> str:
        """How small an error the best route would have shown; of a refutation how far the sides are apart."""
        answering = [route for route in line.routes if route.verdict == line.verdict]
        if line.verdict == "refuted":
            gaps = [route.gap for route in answering if route.gap]
            return self._apart(max(gaps)) if gaps else ""
        slacks = [route.slack for route in answering if route.slack]
        exact = self.say(line.evidence) if line.evidence else ""
        return exact if line.evidence == "exact" or not slacks else self.say("known to {}", _small(min(slacks)))

    def _apart(self, gap: float) -> str:
        """Of an inequality the gap may be negative: so much room is left."""
        return (
            self.say("the sides differ by {}", _small(gap))
            if gap >= 0
            else self.say("the left side is lower by {}", _small(-gap))
        )

    def _evidence(self, line: Line) -> list[Block]:
        """How each route answered, and both sides at the point that is shown: the witness, or the one there is."""
        say = self.say
        rows: list[tuple[str, Pieces]] = []
        for route in line.routes:
            said = [self._apart(route.gap)] if route.gap is not None else []
            said += [say("known to {}", _small(route.slack))] if route.slack else []
            said += [say(_reason(route.note))] if route.note else []
            rows.append((say(route.route), (reduce(partial(say, "{}, {}"), [say(route.verdict), *said]),)))
        rows += self._why(line.reason, line.witness or (line.point if line.points == 1 else None))
        blocks: list[Block] = []
        if line.value is not None and (line.verdict == "refuted" or not line.ok):
            blocks.append(self._sides(line))
        elif line.value is not None:
            rows.append((say("left side"), (Code(_vector(line.value, line.labels)),)))
            rows += [(say("right side"), (Code(_vector(line.expected, line.labels)),))] if line.expected is not None else []
        rows += [(say("points"), (str(line.points),))] if line.points > 1 else []
        rows += [(say("took"), (duration(line.elapsed_s),))] if line.elapsed_s else []
        return [Facts(tuple(rows)), *blocks] if rows else blocks

    def _why(self, reason: str, point: Mapping[str, Any] | None) -> list[tuple[str, Pieces]]:
        rows: list[tuple[str, Pieces]] = [(self.say("reason"), (self.say(_reason(reason)),))] if reason else []
        values = _separated(Code(f"{name} = {plain(value, number)}") for name, value in (point or {}).items())
        return [*rows, (self.say("at"), values)] if values else rows

    def _sides(self, line: Line) -> Table:
        """The two sides, component by component; where there are many, those that differ first."""
        say = self.say
        rows, rest = sides(line, MOST_COMPONENTS, DIGITS)
        rows = rows if line.labels or len(rows) > 1 else [("", *row[1:]) for row in rows]
        cells = [tuple((Code(cell),) if cell else () for cell in row) for row in rows]
        cells += [((say("and {} more", rest),), (), ())] if rest > 0 else []
        return Table(("", say("left side"), say("right side")), tuple(cells))

    def _wrong(self, line: Line) -> Block:
        """Why the verdict is what it is, in a few lines; the whole is where the line stands."""
        rows = self._why(line.reason, line.witness)
        blocks: list[Block] = [Facts(tuple(rows))] if rows else []
        blocks += [self._sides(line)] if line.value is not None else []
        note = _sourced(Link(line.id, self.places[line.id]), line.source)
        place = self.anchors.fresh(self.prefix, "wrong", line.id)
        return Entry(place, self._verdict(line), self.say(line.says), tuple(blocks), (note,), (), "")

    def _missed(self, mistake: Caught) -> Block:
        place = self.anchors.fresh(self.prefix, "wrong", mistake.id)
        blocks = (Paragraph((self.say(_reason(mistake.reason)),)),) if mistake.reason else ()
        return Entry(place, self._caught(mistake), self.say(mistake.says), blocks, (), (), "")

    # ---- derivations ------------------------------------------------------------------------------------------------------

    def _chain(self, derivation: Chain) -> Section:
        steps: list[Step] = []
        ids = _steps(derivation)
        for n, form in enumerate(derivation.forms):
            line = self.lines.get(ids[n - 1]) if 1 <= n <= len(ids) else None
            formula, reason = Formula(drawable(form.math), form.text), self.say(form.reason) if form.reason else ""
            if line is None:
                steps.append(Step(formula, reason, None, ""))
                continue
            evidence = [] if line.ok else self._evidence(line)
            reason = " · ".join(filter(None, (reason, self.say(line.remark) if line.remark else "")))
            steps.append(Step(formula, reason, self._verdict(line), self._place(line.id), tuple(evidence)))
        shown = [line.ok for step in ids if (line := self.lines.get(step))]
        held = [self.say("{} of {} steps hold", sum(shown), len(shown))] if shown else []
        links = [Link(step, self.places[step]) for step in ids if step in self.lines]
        notes: list[Block] = [Paragraph(_separated([*held, *links], " · "))] if held else []
        anchor = self.anchors.fresh(self.prefix, "derivation", derivation.title)
        title = self.say(derivation.title)
        return Section(title, title, anchor, (Steps(tuple(steps)), *notes))

    # ---- errata and mistakes ----------------------------------------------------------------------------------------------

    def _erratum(self, line: Line) -> Block:
        say = self.say
        printed: list[Block] = [Paragraph((say(line.says),)), *_equation(line.formula, WIDEST_SIDE)]
        right: list[Block] = [
            Paragraph((say(line.correction) if line.correction else "—",)),
            *_equation(line.right_formula, WIDEST_SIDE),
        ]
        why: list[Block] = [Paragraph((say(_reason(line.reason)),))] if line.reason else []
        pair = Pair(say("as printed"), (*printed, *why), say("right"), tuple(right))
        return self._entry(replace(line, says=""), [pair], self._evidence(line))

    def _caught(self, mistake: Caught) -> Verdict:
        return Verdict(self.say("caught"), GOOD) if mistake.caught else Verdict(self.say("not caught"), BAD)

    def _mistake(self, mistake: Caught) -> Block:
        say = self.say
        blocks: list[Block] = []
        if mistake.signature is not None:
            blocks.append(Facts(((say("it computes"), (Code(_vector(mistake.signature, None)),)),)))
        claims = _separated(map(self._linked, mistake.by or [mistake.breaks]))
        caught: Pieces = (say("caught by") if mistake.caught else say("not caught by"), " ", *claims)
        rows = self._why(mistake.reason, mistake.witness)
        evidence = (Facts(tuple(rows)),) if rows else ()
        place = self.anchors.fresh(self.prefix, "mistake", mistake.id)
        verdict = self._caught(mistake)
        notes = (caught, _sourced(mistake.id, mistake.source))
        return Entry(place, verdict, say(mistake.says), tuple(blocks), notes, evidence, say("counterexample"))

    def _linked(self, name: str) -> Piece:
        return Link(name, self.places[name]) if name in self.places else Code(name)

    # ---- what stands beside -----------------------------------------------------------------------------------------------

    def _picture(self, name: str, data: Any) -> Block:
        """The figure as it was drawn, else the head of its data."""
        return Picture(name, self.say("figure {}", name), self.pictures.get(name, ""), _columns(data))

    def _flow(self) -> list[Block]:
        if not self.report.flow:
            return []
        columns = reached(report := self.report)
        rows = [((Code(flow.function),), *((self.say(flow.blocks.get(name, "")),) for name in columns)) for flow in report.flow]
        legend = Paragraph((self.say(PATHS),))
        return [Table((self.say("function"), *columns), tuple(rows)), legend]

    def _blind_spots(self) -> list[Block]:
        if not self.report.blind_spots:
            return []
        says = Paragraph((self.say(BLIND),))
        spots = self.report.blind_spots
        rows = tuple(((self.say(s.says), " ", self._linked(s.id)), _separated(map(Code, s.inputs))) for s in spots)
        return [says, Table((self.say("claim"), self.say("what may move")), rows)]


# ---- small words ----------------------------------------------------------------------------------------------------------


def _separated(pieces: Iterable[Piece], sign: str = ", ") -> Pieces:
    return tuple(part for piece in pieces for part in (sign, piece))[1:]


def _sourced(name: Piece, source: str) -> Pieces:
    return (name, " · ", source) if source else (name,)


def _steps(chain: Chain) -> tuple[str, ...]:
    """The ids of the equals signs that stand between two forms."""
    return chain.steps[: max(0, len(chain.forms) - 1)]


def _equation(tree: Any, widest: int = WIDEST_CLAIM) -> list[Block]:
    """What a claim says as a formula, where it can be read at a glance."""
    formula = Formula(drawable(tree), "", widest)
    return [Equation(formula)] if formula.tree and len(formula.lines) <= MOST_LINES and formula.width <= 1.4 * widest else []


def _overall(report: Report, say: Say) -> Verdict:
    if not report.claims and not report.mistakes:
        return Verdict(say("nothing was checked"), OPEN)
    return Verdict(say("all as it should be"), GOOD) if report.ok else Verdict(say("not all as it should be"), BAD)


def _share(kept: Sequence[bool], label: str) -> Tally:
    return Tally(f"{sum(kept)}/{len(kept)}", label, GOOD if all(kept) else BAD)


def _small(x: float) -> str:
    return f"{x:.1e}" if x else "0"


def _reason(sentence: str) -> str:
    """With its long numbers in few digits, if they still tell each other apart."""
    long = set(LONG_NUMBER.findall(sentence))
    short = {number: f"{float(number):.{DIGITS[0]}g}" for number in long}
    others = set(NUMBER.findall(sentence)) - long
    if len({*short.values(), *others}) < len(long | others):
        return sentence
    return LONG_NUMBER.sub(lambda found: short[found[0]], sentence)


def _vector(values: Sequence[Any], labels: Sequence[str] | None) -> str:
    """The first components, each under its name where each has one of its own."""
    numbers = [plain(value, number) for value in values[:MOST_COMPONENTS]]
    if len(values) > 1 and labels is not None and len(set(labels)) >= len(values):
        numbers = [_named(label, number) for label, number in zip(labels, numbers, strict=False)]
    dots = ["…"] if len(values) > MOST_COMPONENTS else []
    return numbers[0] if len(values) == 1 else f"({', '.join([*numbers, *dots])})"


def _named(label: str, number: str) -> str:
    """theta_0 = 1/2; of two names, as a covariance has them, (theta_0, theta_1) = 1/2; and x ≈ 0.5."""
    label = f"({label})" if ", " in label else label
    return f"{label} {number}" if number.startswith("≈") else f"{label} = {number}"


def _columns(data: Any) -> Table:
    """A figure's data: a column for each series, as far as a page has room."""
    series = data if isinstance(data, Mapping) else {"": data}
    names: list[str] = []
    columns: list[list[str]] = []
    for name, values in series.items():
        cells = [plain(value, number) for value in (values if isinstance(values, list) else [values])]
        names.append(str(name))
        columns.append(cells if len(cells) <= MOST_ROWS else [*cells[: MOST_ROWS - 1], "…"])
    height = max(map(len, columns), default=0)
    rows = [tuple((Code(column[n]),) if n < len(column) else () for column in columns) for n in range(height)]
    return Table(tuple(names), tuple(rows))
