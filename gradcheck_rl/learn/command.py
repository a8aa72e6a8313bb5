"""What `learn` does when it is typed: its runs one after the other, told as they go."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from .learned import Learned
from .lesson import Lesson
from .session import Event, Progress, answered, learn, page

SEEDS = (0, 1, 2)

Tell = Callable[[str], None]


def runs(
    lesson: Lesson,
    environment: str,
    seeds: Sequence[int],
    epochs: int,
    steps: int,
    path: str | None,
    tell: Tell,
    shown: bool,
) -> list[Learned]:
    """A run for each seed; one that is stopped is the last. `shown`: with a progress bar."""
    problem = page(lesson)
    answer = answered(lesson, problem, path) if path else None
    found: list[Learned] = []
    for seed in seeds:
        with _bar((epochs or lesson.epochs) * (steps or lesson.steps), tell, shown) as progress:
            found.append(learn(lesson, problem, answer, environment, seed, epochs, steps, progress))
        tell(found[-1].text())
        if found[-1].interrupted:
            break
    return found


@contextmanager
def _bar(total: int, tell: Tell, shown: bool) -> Generator[Progress]:
    """Lines as they come, and under them, on a terminal, how far it is."""
    if not shown:
        yield lambda event: None if isinstance(event, int) else tell(str(event))
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("learning", total=total)

        def told(event: Event) -> None:
            if isinstance(event, int):
                bar.update(task, completed=event)
                return
            bar.stop()
            tell(str(event))
            bar.start()

        yield told
