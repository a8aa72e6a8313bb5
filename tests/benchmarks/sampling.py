"""A verdict on a bias of 1 % of the score estimator x^2 (x - mu) of d E[x^2] / d mu, both error rates one in a million."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck_rl.catoni import LOOKS, Tally, draws_needed, interval, looks_at

from .timing import Options, Row, least

MEAN = 2.0  # with x = 1 + z: z + 2 z^2 + z^3 has mean 2
VARIANCE = 30.0  # 1 + 4 * 3 + 15 + 2 * 3 - 2^2, from the moments 1, 3, 15 of z
MARGIN = 0.01  # half the bias that must be seen
ALPHA = 1e-6
CHUNK = 1 << 16


def rows(options: Options) -> Iterator[Row]:
    np.empty(31 << 17)  # freed at once: from here on the C library keeps what is freed, and no work pays for its pages anew
    looks = looks_at(draws_needed(VARIANCE, MARGIN * (40 if options.smoke else 1), ALPHA / LOOKS), ALPHA)
    draws = looks[-1].draws

    def verdict() -> float:
        rng = np.random.Generator(np.random.SFC64(0))
        tally = Tally.empty([MEAN], [VARIANCE], draws)
        while tally.draws < draws:
            tally = tally.add(estimate(rng.standard_normal(min(CHUNK, draws - tally.draws)))[:, None])
        middle, radius = interval(tally, [VARIANCE], looks[-1].alpha)
        assert abs(middle[0] - MEAN) <= radius[0]
        return float(radius[0])

    def at_once() -> float:
        x = estimate(np.random.Generator(np.random.SFC64(0)).standard_normal(draws))
        return float(x.mean() + x.std())

    def numbers() -> None:
        rng = np.random.Generator(np.random.SFC64(0))
        for _ in range(0, draws, CHUNK):
            rng.standard_normal(CHUNK)

    times = least({"ours": verdict, "numpy": at_once, "numbers": numbers}, min(options.repeats, 3))
    what = f"sampling: a bias of 1 %, {draws / 1e6:.1f} M draws"
    yield Row(what, times["ours"], ("numpy mean and std", times["numpy"]), ("the random numbers", times["numbers"]))


def estimate(z: np.ndarray) -> np.ndarray:
    x = 1 + z
    return x * x * z
