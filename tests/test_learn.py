"""Training runs: real batches are checked, a wrong loss is stopped at once, and what is learned by is the ordinary gradient."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_rl.backends import networks
from gradcheck_rl.cli import main
from gradcheck_rl.errors import InputError
from gradcheck_rl.learn import environment as environments
from gradcheck_rl.learn import pairs
from gradcheck_rl.learn.environment import Environment
from gradcheck_rl.learn.learned import Epoch, Learned, curves, typical
from gradcheck_rl.learn.lesson import Lesson
from gradcheck_rl.learn.lessons import LESSONS
from gradcheck_rl.learn.practice import Episodes, Replay
from gradcheck_rl.learn.session import answered, learn, lesson_of, page
from gradcheck_rl.load import load_at
from gradcheck_rl.loop import check
from gradcheck_rl.points import Points
from gradcheck_rl.problem import Problem

from .reading import problem

NAMES = sorted(LESSONS)
CONTINUOUS = ("problem10", "problem11", "problem12")

Answer = Mapping[Callable[..., Any], Callable[..., Any]]


def small(name: str) -> Lesson:
    """The lesson with batches that take no time."""
    if name in CONTINUOUS:
        return replace(LESSONS[name], practice=partial(Replay, random_steps=20, size=16))
    return replace(LESSONS[name], practice=lambda agent, env, _, rng: Episodes(agent, env, rng, more_than=30, episodes=2))


@cache
def page_of(name: str) -> Problem:
    return page(LESSONS[name])


def run(name: str, answer: Answer | None = None, **options: Any) -> Learned:
    return learn(small(name), page_of(name), answer, timed=False, **({"epochs": 1, "steps": 22} | options))


def claims_of(name: str) -> list[str]:
    return [claim for claims in LESSONS[name].losses.values() for claim in claims]


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_of_each_agree_with_the_model(name: str) -> None:
    learned = run(name, epochs=2)
    assert [[line.id for line in c.claims] for c in learned.checkpoints] == [claims_of(name)] * 3
    assert all(line.verdict == "agrees" for c in learned.checkpoints for line in c.claims)
    assert [epoch.number for epoch in learned.epochs] == [1, 2]
    assert learned.exit_code == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_curve(name: str) -> None:
    first, again, other = run(name), run(name), run(name, seed=1)
    assert json.dumps(first.to_dict()) == json.dumps(again.to_dict())
    assert first.epochs != other.epochs


# Of each page a few, among them what shows only between samples; the slow test has all.
FEW = {
    "problem8": ("log forgotten on CartPole", "weights as a column"),
    "problem9": ("sign", "sides swapped"),
    "problem10": ("descent", "(N,) minus (N, 1)", "1 - done forgotten"),
    "problem11": ("max instead of min", "one noise for the batch"),
    "problem12": ("max instead of min", "log-determinant forgotten"),
}


def undetected(name: str, few: bool) -> tuple[int, list[str]]:
    """How many mistakes of the page a checkpoint can meet, and those that the first one lets pass."""
    slots, met, passed = page_of(name).functions, 0, list[str]()
    for mistake in problem(name).mistakes:
        answer = {slots[f.__name__]: wrong for f, wrong in mistake.answer.items() if f.__name__ in slots}
        meets = any(page_of(name).names[claim].reaches(answer) for claim in claims_of(name))
        if meets and (not few or mistake.says in FEW[name]):
            met += 1
            learned = run(name, answer)
            if len(learned.checkpoints) != 1 or learned.epochs or learned.exit_code != 1:
                passed.append(mistake.says)
    return met, passed


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_of_the_page_is_refuted_before_anything_is_learned(name: str) -> None:
    assert undetected(name, few=True) == (len(FEW[name]), [])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_mistake_that_a_checkpoint_can_meet_is(name: str) -> None:
    met, passed = undetected(name, few=False)
    assert met > 4 and passed == []


# ---- what is learned by ---------------------------------------------------------------------------------------------------


def agent_of(name: str) -> tuple[Any, dict[str, Any]]:
    """An agent that has made a few updates, so that the slow copies are others, and a batch with every kind of row."""
    from gradcheck_rl.learn import session

    with networks.precision("float32"):
        made = session._Run(small(name), page_of(name), {}, "Pendulum-v1", 0, [], lambda _: None)
        made.practice.epoch(25, lambda _: None)
    rng = np.random.default_rng(0)
    batch = {name: rng.normal(size=(16, 3)) for name in ("obs", "obs2")}
    batch |= {name: rng.normal(size=16) for name in ("a", "r", "noise", "noise2")} | {"done": np.arange(16) % 2}
    return made.agent, batch


def ordinary(name: str, agent: Any, batch: dict[str, Any], loss: str) -> Any:
    """The loss as it is written anywhere, on the networks and the whole batch."""
    x = {k: torch.tensor(v, dtype=torch.float32) for k, v in batch.items()}
    obs, obs2, keep = x["obs"], x["obs2"], 0.99 * (1 - x["done"])

    def q(net: Any, obs: Any, a: Any) -> Any:
        return net(torch.cat([obs, a[:, None]], 1))[:, 0]

    def sampled(obs: Any, noise: Any) -> tuple[Any, Any]:
        mean, log_sd = agent.actor(obs).T
        law = torch.distributions.Normal(mean, log_sd.exp())
        u = mean + log_sd.exp() * noise
        return 2 * u.tanh(), law.log_prob(u) - torch.log(1 - u.tanh() ** 2)

    def target() -> Any:
        if name == "problem12":
            a2, log_prob = sampled(obs2, x["noise2"])
            return x["r"] + keep * (torch.min(*(q(net, obs2, a2) for net in agent.slow_critics)) - 0.2 * log_prob)
        a2 = 2 * agent.slow_actor(obs2)[:, 0].tanh()
        if name == "problem10":
            return x["r"] + keep * q(agent.slow_critic, obs2, a2)
        a2 = (a2 + (0.6 * x["noise"]).clamp(-0.5, 0.5)).clamp(-2, 2)
        return x["r"] + keep * torch.min(*(q(net, obs2, a2) for net in agent.slow_critics))

    if loss == "critic_loss":
        critics = [agent.critic] if name == "problem10" else agent.critics
        return sum(((q(net, obs, x["a"]) - target().detach()) ** 2).mean() for net in critics)
    if name == "problem12":
        a, log_prob = sampled(obs, x["noise"])
        return -(torch.min(*(q(net, obs, a) for net in agent.critics)) - 0.2 * log_prob).mean()
    return -q(agent.critic if name == "problem10" else agent.critics[0], obs, 2 * agent.actor(obs)[:, 0].tanh()).mean()


@pytest.mark.parametrize("loss", ["critic_loss", "actor_loss"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_pairs_have_the_ordinary_gradient(name: str, loss: str) -> None:
    agent, batch = agent_of(name)
    learning = (
        agent.actor if loss == "actor_loss" else agent.critic if name == "problem10" else torch.nn.ModuleList(agent.critics)
    )
    parameters = list(learning.parameters())
    ours = torch.autograd.grad(networks.mapped(agent.losses[loss], agent.rows(batch)[loss]).mean(), parameters)
    theirs = torch.autograd.grad(ordinary(name, agent, batch, loss), parameters)
    largest = max(float(g.abs().max()) for g in theirs)
    # float32: a few thousand roundings of 6e-8 at most, where a wrong factor, row or sign is of the size of the gradient.
    assert largest > 1e-3
    assert max(float((g - h).abs().max()) for g, h in zip(ours, theirs, strict=True)) < 1e-4 * largest


@given(st.integers(0, 2**32 - 1), st.sampled_from([pairs.NOW, pairs.NEXT]))
@settings(max_examples=10)
def test_a_touching_line_has_the_value_and_the_slope_of_the_critic(seed: int, at: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    critic = networks.network((3, 8, 1), "Tanh", rng)
    obs, a = networks.tensor(rng.normal(size=(6, 2))), networks.tensor(rng.normal(size=6))
    phi = pairs.touching(critic, obs, a, at)
    state, action = networks.tensor([at] * 3).flatten(), a.clone().requires_grad_()
    c = phi.repeat_interleave(2, 0).T
    line = c[0] + c[1] * state + c[2] * action + c[3] * state * action + c[4] * action**2
    true_action = a.clone().requires_grad_()
    true = critic(torch.cat((obs, true_action[:, None]), 1))[:, 0]
    assert torch.allclose(line, true, atol=1e-5)
    slopes = (torch.autograd.grad(y.sum(), x)[0] for y, x in ((line, action), (true, true_action)))
    assert torch.allclose(*slopes, atol=1e-5)


def test_slow_copies_follow() -> None:
    net = networks.network((2, 3, 1), "ReLU", np.random.default_rng(0))
    copy = networks.slow(net)
    before = [p.clone() for p in copy.parameters()]
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1)
    networks.follow([copy], [net], 0.75)
    # 3/4 x + 1/4 (x + 1) = x + 1/4
    assert all(torch.allclose(p, b + 0.25) for p, b in zip(copy.parameters(), before, strict=True))
    assert not any(p.requires_grad for p in copy.parameters())


# ---- the network of problem 8 on real steps -------------------------------------------------------------------------------


def cartpole(hidden: int) -> dict[str, Any]:
    """A network 4-hidden-2, and 13 steps of CartPole that it played."""
    rng = np.random.default_rng(0)
    net = networks.network((4, hidden, 2), "Tanh", rng)
    env, seen, done, weights = Environment("CartPole-v1", rng), list[Any](), list[int](), list[float]()
    while len(seen) < 13:
        now, over, start = env.reset(), False, len(seen)
        while not over:
            seen.append(now)
            done.append(int(net(networks.tensor(now)).argmax()))
            now, _, _, over = env.step(done[-1])
        weights += [float(len(seen) - start)] * (len(seen) - start)
    W1, b1, W2, b2 = (networks.floats(p)[None] for p in net.parameters())
    steps = {k: np.array([v[:13]], dtype=float) for k, v in (("obs", seen), ("act", done), ("weights", weights))}
    return {"W1": W1, "b1": b1, "W2": W2, "b2": b2} | steps


def no_tanh(W1: Any, b1: Any, W2: Any, b2: Any, obs: Any) -> Any:
    return (obs @ W1.T + b1) @ W2.T + b2


def checked_on_cartpole(hidden: int) -> None:
    larger = load_at("problem8", {"H": hidden})
    points = Points.of(larger.bound.variables, cartpole(hidden))
    report = check(larger, points=points, only=["backpropagated", "entropic"])
    assert [line.verdict for line in report.claims] == ["agrees"] * 2
    wrong = check(larger, {larger.functions["logits"]: no_tanh}, points=points, only=["backpropagated"])
    assert wrong.claims[0].verdict == "refuted"


def test_a_small_network_is_checked_on_real_steps_of_cartpole() -> None:
    checked_on_cartpole(2)


@pytest.mark.slow
def test_the_network_of_the_post_is_checked_on_real_steps_of_cartpole() -> None:
    checked_on_cartpole(32)


def test_the_page_s_cart_has_the_interface_of_the_real_one() -> None:
    import gymnasium

    stub = problem("problem8").functions["balanced"].__globals__["Cart"](falls=500)
    real = gymnasium.make("CartPole-v1")
    for env in (stub, real):
        seen, info = env.reset()
        assert seen.shape == (4,) and info == {}
        seen, reward, terminated, truncated, info = env.step(1)
        assert seen.shape == (4,) and reward == 1 and not terminated and not truncated and info == {}
    assert real.spec is not None and real.spec.max_episode_steps == 500


# ---- environments ---------------------------------------------------------------------------------------------------------


def test_time_that_runs_out_is_over_and_not_done() -> None:
    env = Environment("Pendulum-v1", np.random.default_rng(0))
    env.reset()
    ends = [env.step(0.0)[2:] for _ in range(200)]
    assert ends == [(False, False)] * 199 + [(False, True)]


def test_actions_are_scaled_to_the_limits_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    env, asked = Environment("MountainCarContinuous-v0", np.random.default_rng(0)), list[float]()  # its limit is 1
    env.reset()
    step = env._env.step
    monkeypatch.setattr(env._env, "step", lambda action: (asked.append(float(action[0])), step(action))[1])
    env.step(2.0)
    env.step(-1.0)
    assert asked == [1.0, -0.5]


@pytest.mark.parametrize(
    ("name", "environment", "sentence"),
    [
        ("problem8", "CartPol-v1", "there is no environment 'CartPol-v1'. Did you mean `CartPole-v1`?"),
        ("problem8", "Pendulum-v1", "problem8 needs two actions, as CartPole-v1 has; Pendulum-v1 has Box"),
        ("problem9", "Acrobot-v1", "problem9 needs two actions, as CartPole-v1 has; Acrobot-v1 has Discrete(3)."),
        ("problem12", "CartPole-v1", "problem12 needs one number between -x and x as action, as Pendulum-v1 has; CartPole-v1"),
        ("problem10", "FrozenLake-v1", "learn needs observations that are a row of numbers; FrozenLake-v1 has Discrete"),
    ],
)
def test_an_environment_that_does_not_fit_is_a_sentence(name: str, environment: str, sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        run(name, environment=environment)
    assert str(raised.value).startswith(sentence)


def test_without_gymnasium_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"learn needs gymnasium, which is not installed: type pip install 'gradcheck_rl\[gym\]'\."
    ):
        Environment("CartPole-v1", np.random.default_rng(0))


# ---- sessions -------------------------------------------------------------------------------------------------------------


def test_what_was_learned_before_an_interrupt_is_kept() -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, Epoch) and event.number == 2:
            raise KeyboardInterrupt

    learned = run("problem9", epochs=5, progress=interrupt)
    assert [epoch.number for epoch in learned.epochs] == [1, 2]
    assert learned.interrupted and learned.exit_code == 130
    assert "interrupted, return" in learned.text()


def test_a_problem_without_a_lesson_and_a_file_without_its_functions_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is nothing to learn in 'problem1'.*learn takes problem8, problem9, problem10"):
        lesson_of("problem1")
    with pytest.raises(InputError, match=r"mine\.py defines none of the functions that problem9 learns by: .*reinforce"):
        answered(LESSONS["problem9"], page_of("problem9"), _file(tmp_path, "def other(): pass\n"))
    with pytest.raises(InputError, match=r"the answer for `reinforce` is int, not a function: write `def reinforce\("):
        answered(LESSONS["problem9"], page_of("problem9"), _file(tmp_path, "reinforce = 3\n"))


def _file(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def test_an_answer_that_only_one_sample_at_a_time_can_be_given_is_told_so() -> None:
    def one_by_one(theta: Any, s: Any, reward: Any, action: Any) -> Any:
        sign = 1 if action.item() else -1
        return -torch.nn.functional.logsigmoid(sign * (theta @ s)) * reward[action]

    with pytest.raises(InputError, match=r"`one_by_one` raised .* on a batch: write it so that torch\.func\.vmap can map it"):
        run("problem9", {page_of("problem9").functions["reinforce"]: one_by_one})


def test_the_median_is_compared_with_the_goal() -> None:
    runs = [
        replace(run("problem9"), seed=n, goal=195.0, epochs=(Epoch(1, 9, mean, 1),))
        for n, mean in enumerate((10.0, 300.0, 200.0))
    ]
    assert typical(runs) == "The median of seeds 0, 1, 2 is 200.0: it passes 195."
    assert typical(runs[:1]) == "The median of seeds 0 is 10.0: it does not pass 195."
    assert [r["mean"] for r in curves(runs)["runs"]] == [[10.0], [300.0], [200.0]]


SIGN = "def reinforce(theta, s, reward, action):\n    return (theta @ s) * (2 * action - 1) * reward[action]\n"


def test_the_command_tells_draws_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, drawn = tmp_path / "run.json", tmp_path / "curve.svg"
    words = ["learn", "problem9", "--epochs", "2", "--steps", "50", "--plot", str(drawn), "-o", str(saved)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "epoch   2" in out and "agrees    sample" in out and "replay: python -m gradcheck_rl learn problem9" in out
    data = json.loads(saved.read_text())
    assert data["ok"] and len(data["epochs"]) == 2
    assert drawn.read_text().count("seed 0") >= 1


def test_the_command_stops_at_a_wrong_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(SIGN)
    assert main(["learn", "problem9", "--answer", str(file), "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["epochs"] == [] and data["answer"] == ["reinforce"]
    assert [line["verdict"] for line in data["checkpoints"][0]["claims"]] == ["refuted"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_median_of_three_seeds_passes_the_goal(name: str) -> None:
    runs = [learn(LESSONS[name], page_of(name), seed=seed) for seed in (0, 1, 2)]
    assert all(run.exit_code == 0 for run in runs)
    assert median(run.epochs[-1].mean for run in runs) >= LESSONS[name].goal


def test_the_line_that_replays_has_the_same_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "my answer.py"
    file.write_text(SIGN)
    words = ["learn", "problem9", "--answer", str(file), "--seed", "3"]
    seen: list[Any] = []
    for _ in range(2):
        assert main([*words, "--json"]) == 1
        seen.append(json.loads(capsys.readouterr().out))
        words = shlex.split(seen[-1]["replay"])[3:]
    first, second = (data["checkpoints"][0]["claims"] for data in seen)
    assert [line["value"] for line in first] == [line["value"] for line in second]
    assert seen[0]["replay"] == seen[1]["replay"]


def test_an_answer_for_thirteen_steps_alone_is_told_so() -> None:
    """A checkpoint asks about so many steps; the loss is given the whole batch."""

    def of_thirteen(W1: Any, b1: Any, W2: Any, b2: Any, obs: Any, act: Any, weights: Any) -> Any:
        scores = (torch.tanh(obs @ W1.T + b1) @ W2.T + b2).log_softmax(-1)
        return -(scores[torch.arange(13), act.long()] * weights).mean()

    own = page_of("problem8").functions["compute_loss"]
    sentence = r"`of_thirteen` raised IndexError: .* on a batch of \d+ steps: write it for any number\."
    with pytest.raises(InputError, match=sentence):
        run("problem8", {own: of_thirteen})


def test_a_run_that_comes_to_no_batch_says_so() -> None:
    found = run("problem10", steps=10)
    assert found.exit_code == 5 and "nothing was checked, since no batch was learned from" in found.text()
    assert "nothing was checked" not in run("problem10").text()


def test_a_run_that_was_cut_short_has_no_part_in_a_median() -> None:
    whole = run("problem10")
    assert "The median of seeds 0, 0 is" in typical([whole, whole])
    assert typical([whole, replace(whole, interrupted=True)]) == "Not every run came to its end: their median says nothing."


# ---- small networks ---------------------------------------------------------------------------------------------------------


def test_a_network_starts_as_wide_as_torch_starts_it() -> None:
    """Uniform, as far as one over the square root of what goes in."""
    net = networks.network((4, 400, 100), "ReLU", np.random.default_rng(0))
    for layer, reach in ((net[0], 0.5), (net[2], 0.05)):
        for p in layer.parameters():
            assert 0.9 * reach < p.abs().max() <= reach


@pytest.mark.parametrize(("make", "first"), [
    (lambda net: networks.adam(net, rate=0.01), 0.01),  # m / sqrt(v), which are g and g^2 after one step
    (lambda net: networks.rmsprop(net, 0.01), 0.1),  # g / sqrt(g^2 / 100)
])  # fmt: skip
def test_the_first_step_of_an_optimiser_is_its_own_and_gradients_do_not_add_up(make: Any, first: float) -> None:
    net = torch.nn.Linear(2, 1)
    before, optimiser = net.weight.detach().clone(), make(net)
    x = torch.tensor([1.0, -3.0])
    networks.descend(optimiser, net(x).sum())
    assert torch.allclose(net.weight.detach(), before - first * x.sign())
    networks.descend(optimiser, net(x).sum())
    assert net.weight.grad is not None and torch.equal(net.weight.grad[0], x)


def test_the_slope_of_a_critic_leaves_what_it_is_given() -> None:
    def critic(x: Any) -> Any:
        return (x[:, :1] * x[:, 1:] ** 2 * scale).sum(-1, keepdim=True)

    scale = torch.tensor(3.0, requires_grad=True)
    seen, actions = torch.tensor([[1.0], [2.0]]), torch.tensor([4.0, 5.0])
    with torch.no_grad():
        values, slopes = networks.slope(critic, seen, actions)
    assert values.tolist() == [48, 150] and slopes.tolist() == [24, 60]
    assert not (actions.requires_grad or values.requires_grad or slopes.requires_grad)


def test_what_a_function_says_of_its_input_is_not_blamed_on_the_batch() -> None:
    def code(x: Any) -> Any:
        raise InputError("write it otherwise.")

    with pytest.raises(InputError, match=r"^write it otherwise\.$"):
        networks.mapped(code, {"x": torch.ones(3)})
