"""The benchmarks run. What they measure is nobody's test: machines differ, and are busy."""

from __future__ import annotations

import pytest

from tests.benchmarks.__main__ import GROUPS, main


@pytest.mark.parametrize("group", GROUPS)
def test_every_benchmark_runs(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = main(["--smoke", group])
    assert rows
    assert all(row.what.startswith(f"{group}: ") for row in rows)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)


def test_a_misspelt_group_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["stats"])
    assert "there is no group 'stats'" in capsys.readouterr().err
