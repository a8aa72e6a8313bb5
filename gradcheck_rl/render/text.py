"""The report for a person at a terminal. Readable without colour, at 80 columns, and where only ASCII can be written."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.containers import Lines
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..report import COUNTED, Caught, Chain, Form, Line, Report, Say, english, plain, printable
from ..typeset import broken
from ..typeset import text as drawn
from .formula import drawable
from .said import (
    BLIND,
    PATHS,
    Usual,
    about,
    below,
    duration,
    errata,
    errata_title,
    mistakes_title,
    reached,
    sides,
)

STYLE = {"proved": "green", "agrees": "green", "refuted": "red", "undecided": "yellow"}
PLAIN_MARKS = str.maketrans({"✓": "+", "✗": "x", "→": ">", "·": "-"})
MOST_COMPONENTS = 8
MOST_HOW = 18
DIGITS = (12, 17)
INDENT = 4
CLOSING = frozenset("。，、；：！？）」』》】”’")
# Narrower than this, columns hold a letter or two each: better that the terminal wraps.
LEAST_WIDTH = 60
NARROW = 80  # columns, below which how well a verdict is known stands under how


@dataclass(frozen=True)
class Screen:
    """What the text is written for."""

    width: int = 80
    colour: bool = False
    encoding: str = "utf-8"
    say: Say = english


def render(reports: Sequence[Report], screen: Screen | None = None) -> str:
    """Everything there is to say of each problem; of several, a table at the end."""
    page = _Page(screen)
    parts = [page.page(report) for report in reports]
    return _print([*parts, page.overview(reports)] if len(reports) > 1 else parts, screen)


def overview(reports: Sequence[Report], screen: Screen | None = None) -> str:
    """A line for each problem."""
    return _print([_Page(screen).overview(reports)], screen)


def explain(report: Report, screen: Screen | None = None) -> str:
    """Of each line all that is known, whether or not it is as it should be."""
    page = _Page(screen)
    return _print([Group(page.heading(report), "", *page.details(report.claims), *page.mistakes(report))], screen)


def mistakes(report: Report, screen: Screen | None = None) -> str:
    """The planted mistakes, each with the claims that caught it."""
    page = _Page(screen)
    none = [_text(page.say("No mistake is planted here."))]
    return _print([Group(page.heading(report), *(page.mistakes(report) or none))], screen)


def derivations(
    report: Report, screen: Screen | None = None, notes: Sequence[str] = (), others: Sequence[tuple[str, str]] = ()
) -> str:
    """Every line of every derivation: the formula, what became of its equals sign, and the reason.

    `others` are printed sentences whose formulas are not shown here, each beside the right one.
    """
    page = _Page(screen)
    lines = {line.id: line for line in report.claims}
    parts: list[RenderableType] = [page.heading(report)]
    for chain in report.derivations:
        title = _text(f"{page.say(chain.title)}{page.steps(chain, lines)}", "bold underline")
        parts += ["", title, Padding(Group(*page.chain(chain, lines)), (0, 0, 0, 2))]
    for line in errata(report):
        title = _text(page.say("{}: {}", page.say("as printed"), ""), "bold underline") + _text(page.say(line.says))
        parts += ["", title, Padding(Group(*page.printed(line)), (0, 0, 0, 2))]
    if others:
        whole = report.replay.partition(" --")[0].replace(" derive ", " ")
        parts += ["", _text(page.say("Other printed lines, beside the right ones; checked by {}", whole), "bold underline")]
        for printed, right in others:
            pair = _text(f"{page.say(printed)}\n"), _text(f"→ {page.say(right)}")
            parts.append(Padding(_Words.assemble(*pair), (0, 0, 0, 2)))
    return _print([Group(*parts, *(_text(note, "dim") for note in ("", *notes) if notes), "", page.last(report))], screen)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], screen: Screen | None = None) -> str:
    """Plain rows under a title."""
    grid = _grid(*columns)
    for row in rows:
        grid.add_row(*map(_text, row))
    return _print([Group(_text(title, "bold"), grid)], screen)


def _print(parts: Sequence[RenderableType], screen: Screen | None) -> str:
    screen = screen or Screen()
    console = Console(
        file=io.StringIO(),
        width=max(screen.width, LEAST_WIDTH),
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=screen.colour,
        no_color=not screen.colour,
        color_system="standard" if screen.colour else None,
    )
    with console.capture() as capture:
        for n, part in enumerate(parts):
            console.print(*["\n"] * min(n, 1), part, sep="\n", crop=False)
    text = "\n".join(line.rstrip() for line in capture.get().split("\n"))
    try:
        text.encode(screen.encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN_MARKS).encode(screen.encoding, "backslashreplace").decode(screen.encoding)
    return text


class _Page:
    """What is written, in one language."""

    def __init__(self, screen: Screen | None) -> None:
        screen = screen or Screen()
        self.say, self.narrow = screen.say, screen.width < NARROW

    def section(self, title: str, *parts: RenderableType) -> list[RenderableType]:
        return ["", _text(self.say(title), "bold underline"), Padding(Group(*parts), (0, 0, 0, 2))]

    def grid(self, *columns: str) -> Table:
        return _grid(*map(self.say, columns))

    def page(self, report: Report) -> RenderableType:
        parts: list[RenderableType] = [self.heading(report)]
        parts += [_text(self.say(part)) for part in about(report)[:1]]
        if report.answer:
            parts.append(_text(self.say("{}: {}", self.say("Answer"), ", ".join(report.answer))))
        parts += (
            self.forms(report)
            + self.claims(report)
            + self.errata(report)
            + self.mistakes(report)
            + self.flow(report)
            + self.blind_spots(report)
        )
        if wrong := [line for line in report.claims if not line.ok]:
            parts += self.section("Not as it should be", *self.details(wrong))
        return Group(*parts, "", self.last(report))

    def heading(self, report: Report) -> RenderableType:
        return _text(self.say(report.title), "bold") + _text(f"  {report.problem}", "dim")

    def forms(self, report: Report) -> list[RenderableType]:
        """Of each derivation where it starts and where it ends."""
        lines = {line.id: line for line in report.claims}
        parts: list[RenderableType] = []
        for chain in report.derivations:
            ends = [_closed(form) for form in (*chain.forms[:1], *chain.forms[1:][-1:])]
            drawings = [part for drawing in ends for part in ("=", drawing)][1:]
            parts += [_text(f"{self.say(chain.title)}{self.steps(chain, lines)}"), Padding(Group(*drawings), (0, 0, 0, 2))]
        return self.section("Closed forms", *parts) if parts else []

    def chain(self, chain: Chain, lines: dict[str, Line]) -> list[RenderableType]:
        parts: list[RenderableType] = []
        for form, step in zip(chain.forms, ("", *chain.steps), strict=False):
            line = lines.get(step)
            if line is not None:
                notes = "  ".join(filter(None, (line.id, self.say(line.remark) if line.ok else "")))
                parts.append(self.verdict(line) + _text(f"  {self.say(form.reason)}") + _text(f"  {notes}", "dim"))
            parts.append(_Formula(form.math or ["text", form.text], "=" if step else ""))
            if line is not None and not line.ok:
                parts.append(Padding(self.detail(line), (0, 0, 0, 2)))
        return parts

    def printed(self, line: Line) -> list[RenderableType]:
        """The printed line, and the right one under it."""
        parts: list[RenderableType] = [_Formula(line.formula, ""), self.verdict(line) + _text(f"  {line.id}", "dim")]
        if not line.ok:
            parts.append(self.detail(line))
        return [*parts, _text(f"→ {self.say(line.correction)}", "green"), _Formula(line.right_formula, "")]

    def steps(self, chain: Chain, lines: dict[str, Line]) -> str:
        steps = [lines[step] for step in chain.steps if step in lines]
        shown = sum(step.ok for step in steps)
        return f" ({self.say('{} of {} steps hold', shown, len(steps))})" if steps else ""

    def claims(self, report: Report) -> list[RenderableType]:
        claims = [line for line in report.claims if line.kind != "erratum"]
        if not claims:
            return []
        usual = Usual.of(claims)
        return self.section(
            "Claims",
            self.lines(sorted(claims, key=lambda line: line.kind == "step"), usual),
            _text(usual.said(self.say), "dim"),
        )

    def errata(self, report: Report) -> list[RenderableType]:
        printed = errata(report)
        if not printed:
            return []
        claims = [line for line in report.claims if line.kind != "erratum"]
        return self.section(errata_title(printed), self.lines(printed, Usual.of(claims or printed)))

    def lines(self, lines: Sequence[Line], usual: Usual) -> Table:
        grid = self.grid("verdict", "sentence", "how", *(() if self.narrow else ("how well", "time")))
        grid.columns[2].max_width = MOST_HOW
        for line in lines:
            how = self.how(line), _text(self.how_well(line, usual)), _text(duration(line.elapsed_s), "dim")
            grid.add_row(self.verdict(line), self.sentence(line), *([_text("\n").join(how)] if self.narrow else how))
        return grid

    def verdict(self, line: Line) -> Text:
        mark = "✓" if line.ok else "?" if line.verdict == "undecided" else "✗"
        return _text(f"{mark} {self.say(line.verdict)}", "green" if line.ok else STYLE.get(line.verdict, ""))

    def sentence(self, line: Line) -> Text:
        notes = [" · ".join(filter(None, (line.id, line.source))), *below(line, self.say)]
        says = _text(self.say(line.says))
        if line.correction:
            says += _text(f"\n→ {self.say(line.correction)}", "green")
        return says + _text("".join(f"\n{note}" for note in notes if note), "dim")

    def how(self, line: Line) -> Text:
        """The routes that answered; in parentheses those too wide to tell."""
        words = {"undecided": "({})", "refuted": "{} refutes"}
        return _text("\n".join(self.say(words.get(route.verdict, "{}"), self.say(route.route)) for route in line.routes))

    def how_well(self, line: Line, usual: Usual) -> str:
        said = [self.say(line.evidence)]
        answering = [route for route in line.routes if route.verdict == line.verdict]
        if line.verdict == "refuted":
            gaps = [route.gap for route in answering if route.gap is not None]
            said += [self.say("gap {}", f"{max(gaps):.1e}")] if gaps else []
        else:
            slacks = [route.slack for route in answering if route.slack]
            said += [self.say("to {}", f"{min(slacks):.1e}")] if slacks else []
        return "\n".join(filter(None, (*said, *usual.unlike(line, self.say))))

    def mistakes(self, report: Report) -> list[RenderableType]:
        if not report.mistakes:
            return []
        grid = self.grid("", "mistake", "caught by")
        for mistake in report.mistakes:
            grid.add_row(_mark(mistake.caught), _text(self.say(mistake.says)), self.caught(mistake))
        return self.section(mistakes_title(report), grid)

    def caught(self, mistake: Caught) -> Text:
        if mistake.caught:
            return _text(", ".join(mistake.by))
        others = self.say("It broke {}.", ", ".join(mistake.by)) if mistake.by else ""
        said = (self.say("NOT caught by {}.", mistake.breaks), others, self.say(mistake.reason))
        return _text(" ".join(filter(None, said)), "red")

    def flow(self, report: Report) -> list[RenderableType]:
        if not report.flow:
            return []
        blocks = reached(report)
        grid = self.grid("function", *blocks)
        for flow in report.flow:
            grid.add_row(_text(flow.function), *(_text(self.say(flow.blocks.get(block, ""))) for block in blocks))
        legend = _text(self.say(PATHS), "dim")
        return self.section("What each function sends to each parameter", grid, legend)

    def blind_spots(self, report: Report) -> list[RenderableType]:
        if not report.blind_spots:
            return []
        spots = [
            _text(self.say(spot.says)) + _text("".join(f"\n  {name}" for name in spot.inputs), "dim")
            for spot in report.blind_spots
        ]
        return self.section("Blind spots of the published data", _text(self.say(BLIND), "dim"), *spots)

    def details(self, lines: Iterable[Line]) -> list[RenderableType]:
        """Each with a blank line between it and the next."""
        blocks = [part for line in lines for part in ("", self.detail(line))]
        return blocks[1:]

    def detail(self, line: Line) -> RenderableType:
        """Why the verdict is what it is: the reason, the point, and the two sides there."""
        head = self.verdict(line) + _text(f"  {self.say(line.says)}", "bold") + _text(f"  {line.id}", "dim")
        said = (
            f"→ {self.say(line.correction)}" if line.correction else "",
            line.source and self.say("{}: {}", self.say("source"), line.source),
            self.say(line.reason),
            self.say(line.remark),
        )
        parts: list[RenderableType] = [_text(text) for text in said if text]
        parts += [
            _text(f"{self.say('at')} {name} = {plain(value)}") for name, value in (line.witness or line.point or {}).items()
        ]
        if line.value is not None:
            parts.append(self.sides(line))
        return Group(head, Padding(Group(*parts), (0, 0, 0, 4)))

    def sides(self, line: Line) -> RenderableType:
        """The two sides, component by component."""
        rows, rest = sides(line, MOST_COMPONENTS, DIGITS)
        grid = self.grid("", "left side", "right side")
        for row in rows:
            grid.add_row(*map(_text, row))
        return Group(grid, _text(self.say("and {} more: --json has them", rest), "dim")) if rest > 0 else grid

    def last(self, report: Report) -> RenderableType:
        """One line that says it all, and the line that runs it again."""
        say, counts, printed = self.say, report.summary, errata(report)
        said = [say(words, counts[verdict]) for verdict, words in COUNTED.items() if counts[verdict]]
        if printed:
            said.append(say("{} of {} errata refuted", sum(line.ok for line in printed), len(printed)))
        if report.mistakes:
            said.append(say("{} of {} mistakes caught", sum(m.caught for m in report.mistakes), len(report.mistakes)))
        state = "All as it should be: {}." if report.ok else "Not all as it should be: {}."
        says = say(state, reduce(partial(say, "{}, {}"), said)) if said else say("Nothing was checked.")
        replay = _text(say("took {}; replay: {}", duration(report.elapsed_s), report.replay), "dim")
        replay.no_wrap, replay.overflow = True, "ignore"  # a line that is copied is one line
        return Group(_text(says, "bold green" if report.ok else "bold red"), replay)

    def overview(self, reports: Sequence[Report]) -> RenderableType:
        grid = self.grid("", "problem", "proved", "agree", "refuted", "undecided", "errata", "mistakes", "time")
        for report in reports:
            counts = report.summary
            caught = f"{sum(m.caught for m in report.mistakes)}/{len(report.mistakes)}"
            numbers = [str(counts[name]) for name in ("proved", "agrees", "refuted", "undecided", "errata")]
            grid.add_row(_mark(report.ok), _text(report.problem), *map(_text, [*numbers, caught, duration(report.elapsed_s)]))
        return Group(*self.section("Together", grid))


class _Words(Text):
    """Words of any language: a mark that closes goes to the next line with what stands before it, and begins none."""

    def __add__(self, other: str | Text) -> Text:
        return _Words.assemble(self, other)

    def blank_copy(self, plain: str = "") -> Text:
        return _Words(plain)

    def wrap(self, console: Console, width: int, **options: Any) -> Lines:
        if CLOSING.isdisjoint(self.plain):
            return super().wrap(console, width, **options)
        lines = Lines()
        for line in self.split(allow_blank=True):
            cuts, plain = [0], line.plain
            while len(full := Text(plain[cuts[-1] :]).wrap(console, width)) > 1:
                cuts.append(_cut(plain, cuts[-1], cuts[-1] + max(1, len(full[0]))))
            for part in line.divide(cuts[1:]):
                lines.extend(part.wrap(console, width, **options))
        return lines


def _cut(plain: str, start: int, end: int) -> int:
    """Where a line ends that starts there and is full at `end`: before no closing mark, and in no name before one."""
    end += len(plain[end:]) - len(plain[end:].lstrip(" "))
    if plain[end : end + 1] not in CLOSING:
        return end
    ends = (n for n in range(end - 1, start, -1) if plain[n] not in {" ", *CLOSING})
    return next((n for n in ends if plain[n - 1] == " " or not plain[n - 1 : n + 1].isascii()), end)


class _Formula:
    """A formula, after an equals sign or not. A long sum goes on in the next line, from a plus or minus on."""

    def __init__(self, tree: list[Any], sign: str) -> None:
        self.tree, self.sign = tree, sign

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, *rest = broken(self.tree, options.max_width - INDENT)
        yield _Drawing(drawn(["row", ["op", f"{self.sign} " if self.sign else ""], first]))
        yield from (Padding(_Drawing(drawn(more)), (0, 0, 0, INDENT)) for more in rest)


class _Drawing:
    """A formula drawn over several lines. What is wider than the screen goes on below, in blocks: wrapped lines would mix."""

    def __init__(self, text: str) -> None:
        self.lines = printable(text).split("\n")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if len(self.lines) == 1:
            yield Text(self.lines[0], overflow="fold")
            return
        width = options.max_width
        for start in range(0, max(map(len, self.lines)), width):
            yield Text("\n".join(line[start : start + width] for line in self.lines), no_wrap=True, overflow="ignore")


def _closed(form: Form) -> RenderableType:
    return _Formula(tree, "") if (tree := drawable(form.math)) else _Drawing(form.text)


def _grid(*columns: str) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=any(columns), header_style="dim", pad_edge=False)
    for column in columns:
        grid.add_column(_text(column), overflow="fold")
    return grid


def _mark(ok: bool) -> Text:
    return _text("✓", "green") if ok else _text("✗", "red")


def _text(text: str, style: str = "") -> Text:
    # A style of the whole would spill over what is added to it.
    return _Words.assemble((printable(text), style))
