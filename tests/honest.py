"""What people hand in in good faith: right in another form, wrong in the ways that have a name, or as the page has it."""

from __future__ import annotations

import ast
import dis
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck_rl.expectation import closed
from gradcheck_rl.grading.parts import FUNCTION, Part
from gradcheck_rl.symbols import bare, thaw

# ---- as the page has it ---------------------------------------------------------------------------------------------------


def written_out(e: Any) -> str:
    """A formula of the page as someone would type it."""
    return str(bare(thaw(closed(thaw(e)))))


def filled(parts: Sequence[Part]) -> str:
    """A submission made of the page's own functions, and of what they call."""
    out: dict[str, str] = {}
    for part in parts:
        if part.slot is not None:
            _take(part.slot.__name__, part.slot, out)
    texts = [f"{p.id} = {'[' + ', '.join(map(written_out, p.expected)) + ']'!r}" for p in parts if p.kind != FUNCTION]
    return "\n\n\n".join([*out.values(), *texts]) + "\n"


def _take(name: str, value: Any, out: dict[str, str]) -> None:
    if name in out:
        return
    if isinstance(value, types.FunctionType):
        code: Any = inspect.unwrap(value)
        for inner, found in _called(code):
            _take(inner, found, out)
        out[name] = _source(code)
    elif name == "torch":
        out[name] = "import torch"
    elif isinstance(value, types.ModuleType):
        out[name] = f"import {value.__name__} as {name}"
    elif isinstance(value, types.BuiltinFunctionType):
        out[name] = f"from {value.__module__} import {value.__name__} as {name}"
    elif isinstance(value, np.ufunc):
        out[name] = f"from numpy import {value.__name__} as {name}"
    elif isinstance(value, np.ndarray):
        out[name] = f"import numpy\n{name} = numpy.array({np.asarray(value, float).tolist()})"
    else:
        out[name] = f"{name} = {value!r}"


def _called(function: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    names = function.__globals__
    found = [function.__code__]
    for code in found:
        found += [c for c in code.co_consts if isinstance(c, types.CodeType)]
        yield from (
            (i.argval, names[i.argval]) for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL" and i.argval in names
        )
    yield from ((f.__name__, f) for f in function.__defaults__ or () if isinstance(f, types.FunctionType))


def _source(function: Callable[..., Any]) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.unparse(tree)


# ---- right in another form ------------------------------------------------------------------------------------------------

# A page's functions with gaps, and five ways to fill each gap: every function that is asked for comes in five forms.
PAGES: Mapping[str, tuple[str, Mapping[str, Sequence[str]]]] = {
    "problem1": (
        """
import torch
def log_pi(w, s0, allowed):
    z = (w * s0).masked_fill(allowed == 0, -torch.inf)
    {log_pi}
def log_prob(w, s0, allowed, action):
    z = (w * s0).masked_fill(allowed == 0, -torch.inf)
    {log_prob}
def reinforce(w, s0, allowed, reward, action):
    lp = log_prob(w, s0, allowed, action)
    {reinforce}
def with_baseline(w, s0, allowed, reward, baseline, action):
    lp = log_prob(w, s0, allowed, action)
    {with_baseline}
def entropy(w, s0, allowed):
    z = (w * s0).masked_fill(allowed == 0, -torch.inf)
    {entropy}
def finite_mask(w, s0, allowed, penalty, reward, action):
    z = w * s0 - penalty * (1 - allowed)
    {finite_mask}
""",
        {
            "log_pi": (
                "return z - torch.logsumexp(z, -1)",
                "return torch.stack([x - torch.logsumexp(z, 0) for x in z])",
                "return torch.where(allowed == 1, w * s0, -1e30).log_softmax(-1).masked_fill(allowed == 0, -torch.inf)",
                "return torch.distributions.Categorical(logits=z).logits",
                "y = z - z.max().detach(); return y - y.exp().sum().log()",
            ),
            "log_prob": (
                "return z[action] - torch.logsumexp(z, -1)",
                "return z.log_softmax(-1).gather(-1, action[None]).squeeze(-1)",
                "return -torch.nn.functional.cross_entropy(z, action)",
                "return torch.distributions.Categorical(logits=z).log_prob(action)",
                "k = allowed.nonzero().squeeze(-1); return (w * s0)[k].log_softmax(-1)[(k == action).nonzero().squeeze()]",
            ),
            "reinforce": (
                "return reward[action] * lp",
                "return (torch.nn.functional.one_hot(action, len(w)) * reward).sum() * lp",
                "return -(-lp * reward.gather(-1, action[None]).squeeze(-1))",
                "return torch.exp(lp - lp.detach()) * reward[action]",
                "return torch.einsum(',->', lp, reward[action])",
            ),
            "with_baseline": (
                "return reward[action] * lp - baseline * lp",
                "advantage = reward - baseline; return advantage[action] * lp",
                "return -lp * (baseline - reward[action])",
                "return lp * torch.sub(reward[action], baseline).detach()",
                "return torch.exp(lp - lp.detach()) * (reward[action] - baseline)",
            ),
            "entropy": (
                "return torch.logsumexp(z, -1) - (z.softmax(-1) * w * s0).sum()",
                "lp = z.log_softmax(-1); return -(lp.exp() * torch.where(allowed == 1, lp, 0.0)).sum()",
                "k = allowed.nonzero().squeeze(-1); q = (w * s0)[k].log_softmax(-1); return -(q.exp() * q).sum()",
                "return torch.distributions.Categorical(logits=z.log_softmax(-1)).entropy()",
                "lp = z.log_softmax(-1).clamp(min=-1e9); return -(z.softmax(-1) * lp).sum()",
            ),
            "finite_mask": (
                "return (z[action] - torch.logsumexp(z, -1)) * reward[action]",
                "return -torch.nn.functional.cross_entropy(z, action) * reward[action]",
                "return torch.distributions.Categorical(logits=z).log_prob(action) * reward[action]",
                "return (z.log_softmax(-1) * reward)[action]",
                "y = z + penalty; return (y[action] - y.logsumexp(-1)) * reward[action]",
            ),
        },
    ),
    "problem2": (
        """
import math
import torch
def clipped(ratio, gain, epsilon):
    {clip}
def line(x, U, theta_d):
    {line}
logits = line
def choice(z, k):
    {choice}
def log_prob(x, U, theta_d, k):
    return choice(line(x, U, theta_d), k)
def over(log_new, log_old):
    {over}
def objective(x, U, theta_d, old, advantage, epsilon, k):
    return clipped(over(log_prob(x, U, theta_d, k), choice(old, k)), advantage[k], epsilon)
def numbers(theta_c, theta_d):
    a, b = theta_c
    return torch.stack([a.tanh(), (a + b).sin(), a * b])[:len(theta_d)]
def surrogate(theta_c, U, theta_d, old, advantage, epsilon, k):
    return objective(numbers(theta_c, theta_d), U, theta_d, old, advantage, epsilon, k)
def normal(x, m, s):
    {normal}
def number_objective(x, x_old, spread, taken, advantage, epsilon, k):
    return clipped(over(normal(taken, x, spread)[k], normal(taken, x_old, spread)[k]), advantage[k], epsilon)
def passes(x, U, theta_d):
    {passes}
def sampled(theta_c, U, theta_d, spread, noise, old, advantage, epsilon, k):
    {sampled}
def reparameterised(theta_c, U, theta_d, spread, noise, old, advantage, epsilon, k):
    return objective(spread * noise + numbers(theta_c, theta_d), U, theta_d, old, advantage, epsilon, k)
def joint_ratio(theta_c, theta_d, U, old, mean_old, spread, advantage, y, m):
    now = choice(U[:, 0] * y + theta_d, m) + normal(y, theta_c[0].tanh(), spread)
    return advantage[m] * over(now, choice(U[:, 0] * y + old, m) + normal(y, mean_old, spread))
def pathwise(theta_c, theta_d, U, spread, advantage, z):
    z = theta_d + (theta_c[0].tanh() + spread * z) * U.T[0]
    {pathwise}
""",
        {
            "clip": (
                "return -torch.max(-ratio * gain, -ratio.clamp(1 - epsilon, 1 + epsilon) * gain)",
                "return torch.stack([gain * ratio, gain * ratio.clamp(1 - epsilon, 1 + epsilon)]).amin(0)",
                "up, down = 1 + epsilon, 1 - epsilon; flat = ((gain > 0) & (ratio > up)) | ((gain < 0) & (ratio < down))\n"
                "    return torch.where(flat, gain * ratio.clamp(down, up), gain * ratio)",
                "return torch.minimum(gain * ratio, gain * torch.clip(ratio, 1 - epsilon, 1 + epsilon))",
                "a, b = ratio * gain, ratio.clamp(1 - epsilon, 1 + epsilon) * gain; return torch.where(a <= b, a, b)",
            ),
            "line": (
                "return U @ x + theta_d",
                "return x @ U.T + theta_d",
                "return (U * x).sum(-1) + theta_d",
                "return torch.einsum('ki,i->k', U, x) + theta_d",
                "return torch.nn.functional.linear(x[None], U, theta_d)[0]",
            ),
            "choice": (
                "return z.log_softmax(-1)[k]",
                "return z[k] - torch.logsumexp(z, -1)",
                "return torch.distributions.Categorical(logits=z).log_prob(k)",
                "return -torch.nn.functional.cross_entropy(z, k)",
                "return z.log_softmax(-1).gather(-1, k[None]).squeeze(-1)",
            ),
            "over": (
                "return (log_new - log_old).exp()",
                "return log_new.exp() / log_old.exp()",
                "return log_new.exp() * (-log_old).exp()",
                "return 1 / (log_old - log_new).exp()",
                "return torch.pow(torch.e, log_new - log_old)",
            ),
            "normal": (
                "return -(x - m) ** 2 / (2 * s**2) - s.log() - math.log(2 * math.pi) / 2",
                "return torch.distributions.Normal(m, s).log_prob(x)",
                "z = (x - m) / s; return -0.5 * z * z - 0.5 * (2 * torch.pi * s**2).log()",
                "return -torch.nn.functional.gaussian_nll_loss(m, x, s.expand_as(x)**2, full=True, reduction='none')",
                "return -0.5 * ((x - m) / s).square() - torch.log(s * math.sqrt(2 * math.pi))",
            ),
            "passes": (
                "return U.diagonal() * x + theta_d",
                "return torch.diag(U) * x + theta_d",
                "return torch.stack([x[j] * U[j, j] + theta_d[j] for j in range(len(x))])",
                "return (U @ torch.diag(x) + theta_d[:, None]).diagonal()",
                "return torch.einsum('kk,k->k', U, x) + theta_d",
            ),
            "sampled": (
                "return objective((numbers(theta_c, theta_d) + spread * noise).detach(), U, theta_d, old, advantage, epsilon, k)",
                "drawn = numbers(theta_c.detach(), theta_d) + spread.detach() * noise\n"
                "    return objective(drawn.detach(), U, theta_d, old, advantage, epsilon, k)",
                "with torch.no_grad():\n        drawn = torch.addcmul(numbers(theta_c, theta_d), spread, noise)\n"
                "    return objective(drawn, U, theta_d, old, advantage, epsilon, k)",
                "with torch.no_grad():\n        drawn = spread * noise + numbers(theta_c, theta_d)\n"
                "    return objective(drawn, U, theta_d, old, advantage, epsilon, k)",
                "drawn = (numbers(theta_c, theta_d) + noise * spread).data\n"
                "    return objective(drawn, U, theta_d, old, advantage, epsilon, k)",
            ),
            "pathwise": (
                "return z.softmax(-1) @ advantage",
                "return (z.softmax(-1) * advantage).sum()",
                "return (advantage * (z - z.logsumexp(-1)).exp()).sum()",
                "p = (z - z.max()).exp(); return (p * advantage).sum() / p.sum()",
                "return torch.dot(torch.distributions.Categorical(logits=z).probs, advantage)",
            ),
        },
    ),
    "problem3": (
        """
import math
import numpy as np
import torch
def log_density(mu, sigma, x):
    {density}
def move(mu, sigma, eps):
    {move}
def score_grad(x, mu, sigma):
    {score}
def path_grad(eps, mu, sigma):
    {path}
def naive_grad(x, mu):
    {naive}
def reparam_grad(eps, mu):
    {reparam}
def sample_variance(x, mu):
    y = x**2 * (x - mu)
    {variance}
def with_baseline(mu, sigma, b, x):
    {baseline}
def leave_one_out(mu, sigma, x):
    {out}
""",
        {
            "density": (
                "return -(x - mu) ** 2 / (2 * sigma**2) - torch.log(sigma) - math.log(2 * math.pi) / 2",
                "return -0.5 * ((x - mu) / sigma) ** 2 - torch.log(sigma * math.sqrt(2 * math.pi))",
                "return torch.distributions.Normal(loc=mu, scale=sigma).log_prob(x)",
                "return -torch.nn.functional.gaussian_nll_loss(mu, x, sigma**2, full=True, reduction='none')",
                "return torch.distributions.Normal(0.0, 1.0).log_prob((x - mu) / sigma) - sigma.log()",
            ),
            "move": (
                "return torch.add(mu, sigma * eps)",
                "return eps * sigma + mu",
                "return torch.addcmul(mu, sigma, eps)",
                "return sigma * (eps + mu / sigma)",
                "return mu - sigma * -eps",
            ),
            "score": (
                "return np.mean(((x - mu) / sigma**2) * x**2)",
                "return sum(a * a * (a - mu) for a in x) / (len(x) * sigma**2)",
                "return (np.mean(x**3) - mu * np.mean(x**2)) / sigma**2",
                "z = (x - mu) / sigma; return np.average(x**2 * z) / sigma",
                "return float(np.dot(np.square(x), x - mu)) / x.size / sigma / sigma",
            ),
            "path": (
                "return 2 * (mu + sigma * np.mean(eps))",
                "return np.mean(2 * mu + 2 * sigma * eps)",
                "return sum(2 * (mu + sigma * e) for e in eps) / len(eps)",
                "x = mu + sigma * eps; return (x + x).mean()",
                "return 2 * mu + 2 * sigma * eps.sum() / eps.size",
            ),
            "naive": (
                "return (x**3).mean() - mu * (x**2).mean()",
                "return sum(a * a * (a - mu) for a in x) / len(x)",
                "return float(np.dot(x**2, x - mu) / x.size)",
                "return np.float64(np.average(x**2 * (x - mu)))",
                "return [np.mean(np.square(x) * (x - mu))]",
            ),
            "reparam": (
                "return 2 * mu + 2 * eps.mean()",
                "return 2 * np.average(eps + mu)",
                "return sum(2 * (e + mu) for e in eps) / len(eps)",
                "return (eps + mu + eps + mu).mean()",
                "return float(2 * np.sum(mu + eps) / np.size(eps))",
            ),
            "variance": (
                "return ((y - y.mean()) ** 2).sum() / (len(y) - 1)",
                "return np.cov(y)",
                "return np.std(y, ddof=1) ** 2",
                "return np.var(y) * len(y) / (len(y) - 1)",
                "return np.sum(np.subtract.outer(y, y) ** 2) / (2 * len(y) * (len(y) - 1))",
            ),
            "baseline": (
                "return log_density(mu, sigma, x) * x**2 - b * log_density(mu, sigma, x)",
                "return -(b - x * x) * log_density(mu, sigma, x)",
                "return (x**2 - b).detach() * log_density(mu, sigma, x)",
                "lp = log_density(mu, sigma, x); return torch.exp(lp - lp.detach()) * (x**2 - b)",
                "return (x.square() - b) * torch.distributions.Normal(mu, sigma).log_prob(x)",
            ),
            "out": (
                "n = len(x); r = x**2; return n / (n - 1) * ((r - r.mean()) * log_density(mu, sigma, x)).mean()",
                "n = len(x); r = x**2; a = [r[i] - (r.sum() - r[i]) / (n - 1) for i in range(n)]\n"
                "    return sum(a[i] * log_density(mu, sigma, x[i]) for i in range(n)) / n",
                "r = x**2; a = r - (r.sum() - r) / (len(x) - 1); return a.detach() @ log_density(mu, sigma, x) / len(x)",
                "r = x**2; n = len(x); m = (torch.ones(n, n) - torch.eye(n)) / (n - 1)\n"
                "    return ((r - m @ r) * log_density(mu, sigma, x)).sum() / n",
                "r = x * x; n = len(x); return torch.cov(torch.stack([r, log_density(mu, sigma, x)]))[0, 1]",
            ),
        },
    ),
    "problem4": (
        """
import math
import torch
def ahead(W, b, d):
    {ahead}
def log_pi(W, b, log_sigma, d, jump):
    unit = torch.tensor([math.pi / 2, 10.0])
    m, s = (torch.tanh(ahead(W, b, d)) + 1) / 2 * unit, log_sigma.exp() * unit
    {density}
def succeeds(jump, d):
    a, v = jump
    {succeeds}
def reward(jump, d):
    {reward}
def score(W, b, log_sigma, d, jump):
    {score}
def reward_of_each(angles, speeds, ds):
    {each}
""",
        {
            "ahead": (
                "return W @ d + b",
                "return d @ W.T + b",
                "return torch.einsum('ij,j->i', W, d) + b",
                "return (W * d).sum(-1) + b",
                "return torch.nn.functional.linear(d, W, b)",
            ),
            "density": (
                "return torch.distributions.Normal(m, s).log_prob(jump).sum()",
                "return torch.distributions.Independent(torch.distributions.Normal(m, s), 1).log_prob(jump)",
                "return (-((jump - m) ** 2) / (2 * s**2) - s.log() - math.log(2 * math.pi) / 2).sum(-1)",
                "return -0.5 * (((jump - m) / s) ** 2).sum() - s.log().sum() - math.log(2 * math.pi)",
                "return torch.distributions.MultivariateNormal(m, scale_tril=torch.diag(s)).log_prob(jump)",
            ),
            "succeeds": (
                "return d[0] * a.tan() - 4.9 * d[0] ** 2 / (v * a.cos()) ** 2 >= d[1]",
                "return d[1] <= d[0] * torch.tan(a) - 9.8 * d[0] ** 2 / (2 * v**2 * torch.cos(a) ** 2)",
                "t = d[0] / (v * a.cos()); return d[0] * a.tan() - 9.8 * t**2 / 2 >= d[1]",
                "return d[0] * a.tan() - 9.8 * d[0] ** 2 * (1 + a.tan() ** 2) / (2 * v**2) - d[1] >= 0",
                "return ~(d[0] * a.sin() / a.cos() - 9.8 * d[0] ** 2 / (2 * v**2 * a.cos() ** 2) < d[1])",
            ),
            "reward": (
                "return torch.where(succeeds(jump, d), 100 - jump[1] ** 2, 0.0)",
                "return (100 - jump[1] ** 2) * succeeds(jump, d)",
                "return succeeds(jump, d).double() * (100 - jump[1] * jump[1])",
                "return torch.where(~succeeds(jump, d), torch.zeros(()), (10 - jump[1]) * (10 + jump[1]))",
                "return (100 - jump[1].square()).masked_fill(~succeeds(jump, d), 0.0)",
            ),
            "score": (
                "return log_pi(W, b, log_sigma, d, jump) * reward(jump, d)",
                "return reward(jump, d).detach() * log_pi(W, b, log_sigma, d, jump)",
                "lp = log_pi(W, b, log_sigma, d, jump); return torch.exp(lp - lp.detach()) * reward(jump, d)",
                "return -(-log_pi(W, b, log_sigma, d, jump) * reward(jump, d))",
                "return torch.mul(reward(jump, d), log_pi(W, b, log_sigma, d, jump))",
            ),
            "each": (
                "return torch.stack([reward(torch.stack([a, v]), d) for a, v, d in zip(angles, speeds, ds)])",
                "return reward(torch.stack([angles, speeds]), ds.T)",
                "return torch.vmap(lambda a, v, d: reward(torch.stack([a, v]), d))(angles, speeds, ds)",
                "x, y = ds.unbind(-1); return reward(torch.stack([angles, speeds]), torch.stack([x, y]))",
                "return torch.cat([reward(torch.stack([angles[i], speeds[i]]), ds[i])[None] for i in range(len(ds))])",
            ),
        },
    ),
}


# ---- wrong, with a name ---------------------------------------------------------------------------------------------------

# By submission, page and function: what a student writes, and what the mistake is called.
MISTAKES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "problem5": {
        "total_return": (
            """
def total_return(theta, states, actions, rewards):
    return -theta.log_softmax(-1)[states, actions].sum() * rewards.sum()
""",
            "the sign: its gradient is minus",
        ),
        "reward_to_go": (
            """
def reward_to_go(theta, states, actions, rewards):
    g = rewards.flip(0).cumsum(0).flip(0)
    return (theta.log_softmax(-1)[states, actions] * g).mean()
""",
            "mean over steps",
        ),
        "discounted": (
            """
def discounted(theta, states, actions, rewards):
    g = rewards.clone()
    out = []
    acc = 0
    for t in reversed(range(len(rewards))):
        acc = rewards[t] + 0.9 * acc
        out.insert(0, acc)
    return (theta.log_softmax(-1)[states, actions] * torch.stack(out)).sum()
""",
            "gamma^t dropped",
        ),
    },
    "problem7": {
        "loss": (
            """
def loss(mu, log_sd, acts, advantage):
    lp = torch.distributions.Normal(mu, log_sd.exp()).log_prob(acts).sum(-1)
    return -(lp * advantage).sum()
""",
            "sum over the batch",
        ),
        "independent": (
            """
def independent(mu, log_sd, a):
    sd = log_sd.exp()
    return (-0.5 * (a - mu)**2 / sd - log_sd - 0.5 * math.log(2 * math.pi)).sum(-1)
""",
            "as sigma for sigma squared",
        ),
        "entropy": (
            """
def entropy(log_sd):
    return (0.5 * math.log(2 * math.pi * math.e) + log_sd.exp()).sum(-1)
""",
            "the exponential of `log_sd` stands where `log_sd` should",
        ),
        "sample": (
            """
def sample(mu, L, noise):
    return mu + noise @ L.tril()
""",
            "noise by K^T",
        ),
    },
    "problem3": {
        "with_baseline": (
            """
def with_baseline(mu, sigma, b, x):
    return x**2 * torch.distributions.Normal(mu, sigma).log_prob(x)
""",
            "a term with `b` is missing",
        ),
        "score_grad": (
            """
def score_grad(x, mu, sigma):
    return np.mean(x**2 * (x - mu)) / sigma
""",
            "1 / sigma for 1 / sigma^2",
        ),
        "path_grad": (
            """
def path_grad(eps, mu, sigma):
    x = mu + sigma * eps
    return np.mean(x**2 * (x - mu)) / sigma**2
""",
            "unbiased, but this is the estimator of `score_grad`, not that of `path_grad`",
        ),
        "leave_one_out": (
            """
def leave_one_out(mu, sigma, x):
    r = x**2
    others = (r.sum() - r) / (len(x) - 1)
    return ((r - others) * torch.distributions.Normal(mu.detach(), sigma).log_prob(x)).mean()
""",
            "no gradient reaches `mu`: is it detached, or a constant?",
        ),
        "log_density": (
            """
def log_density(mu, sigma, x):
    return 3 * torch.distributions.Normal(mu, sigma).log_prob(x)
""",
            "a factor: ",
        ),
    },
    "problem1": {
        "entropy": (
            """
def entropy(w, s0, allowed):
    return torch.distributions.Categorical(logits=w * s0).entropy()
""",
            "the mask is ignored",
        ),
        "log_prob": (
            """
def log_prob(w, s0, allowed, action):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)[action - 1]
""",
            "off by one: `action` - 1 stands where `action` should",
        ),
        "with_baseline": (
            """
def with_baseline(w, s0, allowed, reward, baseline, action):
    return (w * s0).masked_fill(allowed == 0, -torch.inf).log_softmax(-1)[action] * reward[action]
""",
            "a term with `baseline` is missing",
        ),
    },
    "problem2": {
        "logits": (
            """
def logits(x, U, theta_d):
    return x @ U + theta_d
""",
            "weights transposed",
        ),
        "sampled": (
            """
def sampled(theta_c, U, theta_d, spread, noise, old, advantage, epsilon, k):
    return objective(numbers(theta_c) + spread * noise, U, theta_d, old, advantage, epsilon, k)
""",
            "stored numbers that still move",
        ),
    },
    "problem4": {
        "log_pi": (
            """
def log_pi(W, b, log_sigma, d, jump):
    unit = torch.tensor([torch.pi / 2, 10.0])
    mean = ((W @ d + b).tanh() + 1) / 2 * unit
    return torch.distributions.Normal(mean, log_sigma * unit, validate_args=False).log_prob(jump).sum()
""",
            "`log_sigma` stands where its exponential should, as log sigma for sigma",
        ),
    },
    "problem12": {
        "critic_loss": (
            """
def critic_loss(phi1, phi2, slow1, slow2, theta, s, a, r, s2, done, noise2):
    a2, lp = sample(theta, s2, noise2)
    y = r + 0.99 * (1 - done) * (torch.min(q_net(slow1, s2, a2), q_net(slow2, s2, a2)) - 0.2 * lp)
    return ((q_net(phi1, s, a) - y) ** 2 + (q_net(phi2, s, a) - y) ** 2).mean()
""",
            "target not detached",
        ),
        "actor_loss": (
            """
def actor_loss(phi1, phi2, theta, s, noise):
    a, lp = sample(theta, s, noise)
    a = a.detach()
    return (0.2 * lp - torch.min(q_net(phi1.detach(), s, a), q_net(phi2.detach(), s, a))).mean()
""",
            "action detached before the critic",
        ),
    },
    "problem12/sample": {
        "sample": (
            """
def sample(theta, s, noise):
    mean, log_sd = theta[0] + theta[1] * s, theta[2] + theta[3] * s
    u = mean + log_sd.exp() * noise
    return 2 * u.tanh(), torch.distributions.Normal(mean, log_sd.exp()).log_prob(u)
""",
            "log-determinant forgotten",
        ),
    },
    "problem10": {
        "critic_loss": (
            """
def critic_loss(phi, slow_phi, slow_theta, s, a, r, s2, done):
    y = bootstrap(slow_phi, slow_theta, r, s2, done)
    q = (torch.stack([torch.ones_like(s), s, a, s * a, a * a], -1) @ phi)[:, None]
    return ((q - y) ** 2).mean()
""",
            "(N,) minus (N, 1)",
        ),
    },
}
