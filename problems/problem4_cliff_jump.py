"""Jump over the cliff.

A jumper sees the width d_0 and the height d_1 of a gap and draws an angle and a speed from a Gaussian whose mean is tanh of
a linear layer. Clearing the far edge pays 100 - v^2, falling short pays nothing. The reward jumps, so a gradient that
travels through it misses the part that matters; the score function does not. The exercise does not say what happens to an
angle beyond the vertical or a speed beyond 10. Four readings are defensible, and their gradients differ. Each expected
reward is one integral, known to twenty digits.
"""

from sympy import Integral, Rational, diff, pi, symbols

from gradcheck_rl import (
    AtMost, Claim, Covariance, Derivation, Differs, Draw, E, Equal, Erratum, Gaussian, Gradient, Mean, Mistake, NonFinite, Normal,
    Parameter, Point, Problem, Raises, Rows, Trace, Uniform, Value, Variable, Within, array, atan, cos, erfc, exp, frozen,
    log_prob, sin, sqrt, step, tan, tanh, torch,
)

# The setting: eight parameters and one observation.
W = Parameter("W", (2, 2), over=Normal(scale=0.5))
b = Parameter("b", 2, over=Normal(scale=0.3))
log_sigma = Parameter("log_sigma", 2, over=Uniform(-1.5, -0.5))
d = Variable("d", 2, over=Uniform(0.1, 0.6))
g = Rational(49, 5)

# The policy: angle and speed.
scale = array(pi / 2, 10)
x = tanh(W @ d + b)
mean = (x + 1) / 2 * scale
sigma = exp(log_sigma) * scale


# The flight. An angle of slope t clears the edge from the speed least(t) on; a speed v, between the slopes steeper and flatter.
far = sqrt(d[0] ** 2 + d[1] ** 2)
slowest = sqrt(g * (d[1] + far))


def least(t):
    return sqrt(g * d[0] ** 2 * (1 + t ** 2) / (2 * (d[0] * t - d[1])))


def slopes(v2):
    root = sqrt((v2 - slowest ** 2) * (v2 - slowest ** 2 + 2 * g * far))
    return (v2 - root) / (g * d[0]), (v2 + root) / (g * d[0])


# The action, and the lines where some reading of the reward jumps.
def jumps(angle, v):
    c = least(tan(angle))
    turns = [k * pi + edge for k in range(-3, 4) for edge in (atan(d[1] / d[0]), pi / 2)]
    return (0, *map(atan, slopes(100)), *turns), (-c, 0, c, 10)


jump = Draw("jump", Gaussian(mean, sigma), breaks=jumps)
angle, v = jump
height = d[0] * tan(angle) - g * d[0] ** 2 / (2 * v ** 2 * cos(angle) ** 2)
success = step(height - d[1])
ahead = step(angle) * step(pi / 2 - angle) * step(v)
price = 100 - v ** 2

# The objective, as coded: any angle, any speed, backwards too. Then jumps ahead only; then jumps inside the box only, which is
# also what clipping the action does; then the policy truncated to the box.
J = E(success * price)
J_ahead = E(success * ahead * price)
J_box = E(success * ahead * step(10 - v) * price)
tilt, speed = (Draw(name, Gaussian(m, s)) for name, m, s in zip(("tilt", "speed"), mean, sigma, strict=True))
inside = E(step(tilt) - step(tilt - pi / 2)) * E(step(speed) - step(speed - 10))
J_truncated = J_box / inside

# Each as one integral, in two ways. A reading is the highest speed, the half turns either way, and whether backwards counts.
coded, coded_wide, forward, box = (400, 3, 1), (400, 20, 1), (400, 0, 0), (10, 0, 0)
u, w = symbols("u w", real=True)


def by_angle(reading, payoff=lambda v: 100 - v ** 2, weight=lambda angle: 1):
    limit, turns, backwards = reading
    c = least(tan(u))
    cleared = step(speed - c) - step(speed - limit) + backwards * (step(speed + limit) - step(speed + c))
    lands = sum(exp(tilt.log_prob(u + k * pi)) * weight(u + k * pi) for k in range(-turns, turns + 1))
    return Integral(lands * E(cleared * payoff(speed)), (u, *map(atan, slopes(limit ** 2))))


def by_speed(reading, payoff=lambda v: 100 - v ** 2):
    limit, turns, backwards = reading
    v = sqrt(slowest ** 2 + w ** 2)
    root = w * sqrt(w ** 2 + 2 * g * far)
    low, high = (atan((v ** 2 + way * root) / (g * d[0])) for way in (-1, 1))
    lands = exp(speed.log_prob(v)) + backwards * exp(speed.log_prob(-v))
    cleared = sum(E(step(tilt - low - k * pi) - step(tilt - high - k * pi)) for k in range(-turns, turns + 1))
    return Integral(payoff(v) * lands * cleared * w / v, (w, 0, sqrt(limit ** 2 - slowest ** 2)))


def chance(v):
    return 1


# What a student writes.
def policy(W, b, log_sigma, d):
    unit = torch.tensor([torch.pi / 2, 10])
    return torch.distributions.Normal(((W @ d + b).tanh() + 1) / 2 * unit, log_sigma.exp() * unit)


def log_pi(W, b, log_sigma, d, jump, policy=policy):
    return policy(W, b, log_sigma, d).log_prob(jump).sum()


def succeeds(jump, d):
    angle, v = jump
    return d[0] * angle.tan() - 9.8 * d[0] ** 2 / (2 * v ** 2 * angle.cos() ** 2) >= d[1]


def reward(jump, d, succeeds=succeeds):
    return torch.where(succeeds(jump, d), 100 - jump[1] ** 2, 0)


def score(W, b, log_sigma, d, jump, log_pi=log_pi, reward=reward):
    return reward(jump, d) * log_pi(W, b, log_sigma, d, jump)


def with_baseline(W, b, log_sigma, d, jump, baseline, log_pi=log_pi, reward=reward):
    return (reward(jump, d) - baseline) * log_pi(W, b, log_sigma, d, jump)


def is_ahead(jump):
    return (jump[0] >= 0) & (jump[0] <= torch.pi / 2) & (jump[1] >= 0)


def reward_ahead(jump, d):
    return torch.where(is_ahead(jump), reward(jump, d), 0)


def reward_box(jump, d):
    return torch.where(is_ahead(jump) & (jump[1] <= 10), reward(jump, d), 0)


def clipped(jump):
    return torch.minimum(jump.clamp(min=0), torch.tensor([torch.pi / 2, 10]))


def reward_clipped(jump, d):
    return reward(clipped(jump), d)


def score_ahead(W, b, log_sigma, d, jump):
    return score(W, b, log_sigma, d, jump, reward=reward_ahead)


def score_box(W, b, log_sigma, d, jump):
    return score(W, b, log_sigma, d, jump, reward=reward_box)


def score_clipped(W, b, log_sigma, d, jump):
    return score(W, b, log_sigma, d, jump, reward=reward_clipped)


def score_truncated(W, b, log_sigma, d, jump):  # the truncated policy, at an action in the box
    law = policy(W, b, log_sigma, d)
    left = law.cdf(torch.tensor([torch.pi / 2, 10])) - law.cdf(torch.zeros(2))
    return reward_box(jump, d) * (law.log_prob(jump) - left.log()).sum()


def pathwise(W, b, log_sigma, d, jump, policy=policy, reward=reward):  # what rsample and backward() do
    law = policy(W, b, log_sigma, d)
    noise = ((jump - law.loc) / law.scale).detach()
    return reward(law.loc + law.scale * noise, d)


def pathwise_box(W, b, log_sigma, d, jump):
    return pathwise(W, b, log_sigma, d, jump, reward=reward_box)


moved=(b, log_sigma)
problem = Problem(title="Jump over the cliff", claims=(
  Claim("unbiased", Equal(Mean(Gradient(score, moved)), Gradient(by_angle(coded), moved))),
  Claim("unbiased a", Equal(Mean(Gradient(score_ahead, moved)), Gradient(by_angle(forward), moved))),
  Claim("unbiased b", Equal(Mean(Gradient(score_box, moved)), Gradient(by_angle(box), moved))),
  Claim("unbiased c", Equal(Mean(Gradient(score_clipped, moved)), Gradient(by_angle(box), moved))),
  Claim("unbiased t", Equal(Mean(Gradient(score_truncated, moved))/inside, Gradient(by_angle(box)/inside, moved))),
  Claim("def", Equal(J, by_angle(coded))),
  Claim("def a", Equal(J_ahead, by_angle(forward))),
  Claim("def b", Equal(J_box, by_angle(box))),
  Claim("d def", Equal(Gradient(J,(b,log_sigma)), Gradient(by_angle(coded),(b,log_sigma)))),
), points=3)
