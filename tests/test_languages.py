"""Every sentence of every page in Chinese too: one table, keyed by the English."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache

import pytest

from gradcheck_rl.cli import main
from gradcheck_rl.derivation import Derivation
from gradcheck_rl.languages import sentences, speaker
from gradcheck_rl.load import HOMES, load, shipped
from gradcheck_rl.problem import Problem


@cache
def page(name: str) -> Problem:
    return load(name)


def spoken(problem: Problem) -> Iterator[str]:
    """What a report shows of a page: its title, its statement, and the sentence of each claim, step and mistake."""
    yield problem.title
    yield from (" ".join(part.split()) for part in problem.about.split("\n\n"))
    for item in problem.names.values():
        if isinstance(item, Derivation):
            yield item.title
            yield from (why for _, why in item.steps)
        else:
            yield item.says


@pytest.mark.parametrize("name", [problem.id for problem in shipped()])
def test_every_sentence_of_a_page_has_its_chinese(name: str) -> None:
    table = sentences("zh")
    assert [said for said in spoken(page(name)) if said and said not in table] == []


def test_no_sentence_of_the_table_is_left_over() -> None:
    """Under a page's heading stands what that page says."""
    path = next(home / "zh.toml" for home in HOMES if (home / "zh.toml").is_file())
    for name, group in tomllib.loads(path.read_text(encoding="utf-8")).items():
        if name.startswith("problem"):
            assert set(group) - set(spoken(page(name))) == set()


def test_the_terminal_speaks_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    """But for names, numbers and the routes nothing English is left of a page."""
    assert main(["problem1", "--only", "A-003", "--only", "A-005", "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    assert "带动作掩码的 softmax 策略" in said and "命题" in said and "被否定" in said and "全部符合预期" in said
    known = " ".join(page("problem1").names) + " softmax listed autodiff symbolic logit python gradcheck_rl problem seed only"
    assert set(re.findall(r"[a-z]{4,}", said)) <= set(re.findall(r"[a-z]{4,}", known))


def test_a_derivation_at_numbers_keeps_the_numbers() -> None:
    say = speaker("zh")
    title = "The score by the logit"
    assert say(f"{title}, at done = 1, u = log(3)") == say(title) + "，取 done = 1, u = log(3)"
    assert say("at done = 1") == "取 done = 1" and say("at most by one episode.") == "至多多出一条轨迹。"
    assert say("Nobody, at home") == "Nobody, at home"
    assert [speaker("en")(text) for text in (f"{title}, at u = 1", "at u = 1")] == [f"{title}, at u = 1", "at u = 1"]


def test_a_sentence_without_its_chinese_is_said_in_english() -> None:
    assert speaker("zh")("Nobody has said {} yet.", "this") == "Nobody has said this yet."
    assert speaker("zh")("Claims") == "命题"
