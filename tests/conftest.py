from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# torch reads this when it is imported, so no test has to import torch to ask for one thread; child processes inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

# A slow machine is no failure: nothing here depends on the clock.
settings.register_profile(
    "gradcheck_rl", derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gradcheck_rl")
