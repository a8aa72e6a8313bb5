"""The algorithms, by the problem whose losses they learn from."""

from __future__ import annotations

from . import coin, ddpg, reinforce, sac, td3
from .lesson import Lesson

LESSONS: dict[str, Lesson] = {
    lesson.problem: lesson for lesson in (reinforce.LESSON, coin.LESSON, ddpg.LESSON, td3.LESSON, sac.LESSON)
}
