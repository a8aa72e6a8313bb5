from __future__ import annotations

import gc
import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# torch reads this when it is imported, so no test has to import torch to ask for one thread; child processes inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

gc.set_threshold(1_000_000)  # as the command line does

# A slow machine is no failure: nothing here depends on the clock.
settings.register_profile(
    "gradcheck_rl", derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("many", settings.get_profile("gradcheck_rl"), derandomize=False, max_examples=1000)
settings.load_profile("gradcheck_rl")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """The tests of one page go to one process, which runs the page once for all of them."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPage(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            page = re.search(r"problem\d+", nodeid)
            return page[0] if page else nodeid

    return ByPage(config, log)
