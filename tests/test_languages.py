"""Every sentence of every page in Chinese too: one table, keyed by the English."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradcheck_rl import check, languages
from gradcheck_rl.cli import main
from gradcheck_rl.derivation import Derivation
from gradcheck_rl.languages import sentences, speaker
from gradcheck_rl.load import HOMES, shipped
from gradcheck_rl.problem import Problem

from .reading import problem as page


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
    """But for names and numbers nothing English is left of a page."""
    assert main(["problem1", "--only", "A-003", "--only", "A-005", "--lang", "zh"]) == 0
    said = capsys.readouterr().out
    assert "带动作掩码的 softmax 策略" in said and "命题" in said and "被否定" in said and "全部符合预期" in said
    known = " ".join(page("problem1").names) + " softmax logit python gradcheck_rl problem seed only"
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


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        ("w_2: -0.5 is not 0", "w_2：-0.5 不等于 0"),
        ("nan is not 1/2", "nan 不等于 1/2"),
        ("(w_0, w_1): 2 is larger than log(2)", "(w_0, w_1)：2 大于 log(2)"),
        ("accurate only to 2e-03 here", "此处仅精确到 2e-03"),
        ("checked at K = 2, 3; i = 0, 1; accurate only to 2e-03 here", "检查于 K = 2, 3; i = 0, 1；此处仅精确到 2e-03"),
        (
            "0.0 is not 4.6; no gradient flows from `path` to place, width: was it detached?",
            "0.0 不等于 4.6；没有梯度从 `path` 传到 place, width：是否被 detach 了？",
        ),
        ("it was to be refuted, and is not. w_0: 0.5 is not 2", "它本应被否定，却没有。w_0：0.5 不等于 2"),
        ("it holds here, and is undecided at K = 4: 1 equals 1", "它在此成立，却未定于 K = 4：1 等于 1"),
        ("With it unbiased: agrees.", "植入后 unbiased：一致。"),
        ("With it exact: agrees.", "植入后 exact：一致。"),
    ],
)
def test_a_reason_keeps_its_names_and_numbers(reason: str, chinese: str) -> None:
    assert speaker("zh")(reason) == chinese and speaker("en")(reason) == reason


@pytest.mark.parametrize(
    "said", ["The loss is not right", "loss is not right", "Loss: the gradient", "at_2: nobody says that. 1: 2"]
)
def test_what_only_looks_like_a_reason_is_said_in_english(said: str) -> None:
    """Of a sentence that is not known as a whole no word is changed, and a long one takes no time."""
    assert speaker("zh")(said) == said
    long = "a: b. " * 400 + said
    assert speaker("zh")(long) == long


def test_no_reason_of_a_page_is_left_in_english() -> None:
    report = check(page("problem1"), only=["A-005", "A-010"])
    reasons = [line.reason for line in report.claims if line.reason]
    assert reasons and not any(re.search(r"\b(is|equals|than)\b", speaker("zh")(reason)) for reason in reasons)


def test_a_table_is_read_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck_rl.languages.HOMES", (tmp_path,))
    table = tmp_path / "zh.toml"
    for turn, said in enumerate(("断言", "命题")):
        table.write_text(f'[words]\n"Claims" = "{said}"\n', encoding="utf-8")
        os.utime(table, ns=(turn, turn))
        assert speaker("zh")("Claims") == said
        assert languages._groups("zh") is languages._groups("zh")


@pytest.mark.parametrize(
    ("reason", "chinese"),
    [
        (
            "With it a stops, which anyone notices: `a` gives 1 coordinate with this answer, and 2 with the page's own function.",
            "植入后 a 中断，任何人都会注意到：`a` 用此答案时给出 1 个分量，用本页自己的函数时给出 2 个。",
        ),
        (
            "With it so: undecided; known only to 1e-03, wider than the resolution 1e-06: its tails are heavy: narrow the space",
            "植入后 so：未定；只精确到 1e-03，宽于分辨率 1e-06：其尾部很重：请缩小取值空间",
        ),
        ("by='listed' does not apply here: leave it out", "by='listed' 在此不适用：请删去"),
        (
            "by='sampled' does not apply here: leave it out, or sample code, as in Mean(Value(f))",
            "by='sampled' 在此不适用：请删去，或对代码抽样，如 Mean(Value(f))",
        ),
        (
            "known only to 1e-03, wider than half the resolution 1e-02: narrow the space, or write it in another form",
            "只精确到 1e-03，宽于分辨率 1e-02 的一半：请缩小取值空间，或换一种写法",
        ),
    ],
)
def test_what_a_mistake_becomes_and_what_helps_are_said_in_chinese(reason: str, chinese: str) -> None:
    assert speaker("zh")(reason) == chinese


@pytest.mark.parametrize("names", ["w_1, w_1", "(theta, w)", "w_1"])
def test_a_reason_of_a_covariance_names_both_and_is_said_in_chinese(names: str) -> None:
    assert speaker("zh")(f"{names}: 0.5 is not 0") == f"{names}：0.5 不等于 0"
    assert speaker("zh")(f"{names}, : 0.5 is not 0") == f"{names}, : 0.5 is not 0"
