"""Jump over the cliff.

A jumper sees the width d_0 and the height d_1 of a gap and draws an angle and a speed from a Gaussian whose mean is tanh of
a linear layer. Clearing the far edge pays 100 - v^2, falling short pays nothing. The reward jumps, so a gradient that
travels through it misses the part that matters; the score function does not. The exercise does not say what happens to an
angle beyond the vertical or a speed beyond 10. Four readings are defensible, and their gradients differ. Each expected
reward is one integral, known to twenty digits.
"""

from sympy import Integral, Rational, diff, pi, symbols

from gradcheck_rl import (
    AtMost, Claim, Covariance, Derivation, Differs, Draw, E, Equal, Erratum, Gaussian, Gradient, Mean, Mistake, Normal, Parameter,
    Point, Problem, Raises, Rows, Trace, Uniform, Value, Variable, Within, array, atan, cos, erfc, exp, frozen, log_prob, sin,
    sqrt, step, tan, tanh, torch,
)

# The setting: eight parameters and one observation.
W = Parameter("W", (2, 2), over=Normal(scale=0.5))
b = Parameter("b", 2, over=Normal(scale=0.3))
log_sigma = Parameter("log_sigma", 2, over=Uniform(-1.5, -0.5))
d = Variable("d", 2, over=Uniform(0.1, 0.6))
baseline = Variable("baseline", over=Uniform(-40, 80))
g, half = Rational(49, 5), Rational(1, 2)

# The policy: angle and speed.
scale = array(pi / 2, 10)


def centre(d):
    return (tanh(W @ d + b) + 1) / 2 * scale


mean, sigma = centre(d), exp(log_sigma) * scale


# The flight. A jump of slope t clears the edge from the speed least(t) on; one of speed v, between the two slopes(v^2).
def height(angle, v, d):
    return d[0] * tan(angle) - g * d[0] ** 2 / (2 * v ** 2 * cos(angle) ** 2)


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
success = step(height(angle, v, d) - d[1])
ahead = step(angle) * step(pi / 2 - angle) * step(v)

# The objective, as coded: any angle, any speed, backwards too. Then jumps ahead only; then jumps inside the box only, which is
# also what clipping the action does; then the policy truncated to the box.
J = E(success * (100 - v ** 2))
J_ahead = E(success * ahead * (100 - v ** 2))
J_box = E(success * ahead * step(10 - v) * (100 - v ** 2))
tilt, speed = (Draw(name, Gaussian(m, s)) for name, m, s in zip(("tilt", "speed"), mean, sigma, strict=True))
inside = E(step(tilt) - step(tilt - pi / 2)) * E(step(speed) - step(speed - 10))
J_truncated = J_box / inside

# Each as one integral, in two ways. A reading is the highest speed, the half turns either way, and whether backwards counts.
coded, coded_wide, forward, box = (400, 3, 1), (400, 20, 1), (400, 0, 0), (10, 0, 0)
moved = (b, log_sigma)
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


def certain(v):
    return 1


def digits(order, reading):  # the expected reward, the chance of success, and the gradient
    reward = order(reading)
    return array(reward, order(reading, certain), *(diff(reward, y) for block in moved for y in block))


# The score of an action.
def scores(angle, v):
    z = (array(angle, v) - mean) / sigma
    by_b = z * (1 - tanh(W @ d + b) ** 2) / (2 * exp(log_sigma))
    return array(*(by_b[i] * d[j] for i in range(2) for j in range(2)), *by_b, *(z ** 2 - 1))


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


def pathwise_ahead(W, b, log_sigma, d, jump):
    return pathwise(W, b, log_sigma, d, jump, reward=reward_ahead)


def pathwise_box(W, b, log_sigma, d, jump):
    return pathwise(W, b, log_sigma, d, jump, reward=reward_box)


# Three observations at once, and what was tried at each.
ds = Variable("ds", (3, 2), over=Uniform(0.1, 0.6))
angles, speeds = Variable("angles", 3, over=Uniform(0.4, 1.4)), Variable("speeds", 3, over=Uniform(2, 9))
surrogate = sum(
    frozen(step(height(a, s, e) - e[1]) * (100 - s ** 2)) * log_prob(array(a, s), Gaussian(centre(e), sigma)) for a, s, e in zip(angles, speeds, ds, strict=True)
) / 3


def reward_of_each(angles, speeds, ds):
    return reward(torch.stack([angles, speeds]), ds.T)


def batch_score(W, b, log_sigma, ds, angles, speeds, reward_of_each=reward_of_each):
    unit = torch.tensor([torch.pi / 2, 10])
    law = torch.distributions.Normal((torch.nn.functional.linear(ds, W, b).tanh() + 1) / 2 * unit, log_sigma.exp() * unit)
    return (reward_of_each(angles, speeds, ds) * law.log_prob(torch.stack([angles, speeds], -1)).sum(-1)).mean()


# The listing's own slips.
def listing(W, b, log_sigma, d):
    jump = torch.tensor([1.2, 5.0])
    return recompute_rewardward(jump, d) * log_pi(W, b, log_sigma, d, jump)  # noqa: F821


def concatenated(W, b, ds):  # widths and heights are joined along the first dimension
    return torch.nn.functional.linear(torch.cat([ds[:, 0], ds[:, 1]]), W, b)


# What must be true of the flight.
theta, pace = symbols("theta pace", positive=True)
airborne = d[0] / (pace * cos(theta))
kinematics = Derivation("The height over the edge", pace * sin(theta) * airborne - g * airborne ** 2 / 2 - d[1], (
    (height(theta, pace, d) - d[1], "the edge is reached after d_0 / (v cos(angle))"),
    ((d[0] * tan(theta) - d[1]) * (1 - least(tan(theta)) ** 2 / pace ** 2), "it is cleared from the least speed on"),
), source="A-053, A-058")
slope = Variable("slope", over=Uniform(7, 9))
best = (d[1] + far) / d[0]
slowest_jump = Claim("The slowest jump that clears has v^2 = g (d_1 + sqrt(d_0^2 + d_1^2)).", Equal(least(best) ** 2, slowest ** 2), source="A-054")
flat = Claim("Its slope (d_1 + sqrt(d_0^2 + d_1^2)) / d_0 makes the least speed stationary.", source="A-054",
             that=Equal(diff(least(slope) ** 2, slope[()]).subs(slope[()], best), 0))
least_of_all = Claim("Every other slope needs more speed.", AtMost(slowest ** 2, least(slope) ** 2), source="A-054")

# What must be true of the code, in every sample.
likely = Claim("The code's policy is the model's.", Equal(Value(log_pi), log_prob(jump)), source="A-055")
scored = Claim(
    "The score is z (1 - x^2) / (2 e^l) for the bias, d_j times that for the weights, z^2 - 1 for log sigma.", source="A-057",
    that=Equal(Gradient(log_pi), scores(angle, v)),
)
paid = Claim("The code pays 100 - v^2 for a jump that clears the edge.", Equal(Value(reward), success * (100 - v ** 2)), source="A-053")
columns = tuple(
    Claim(f"In every sample the gradient of W_i{j} is d_{j} times that of b_i.", source="A-056",
          that=Equal(Gradient(score, W)[j::2], d[j] * Gradient(score, b)))
    for j in range(2)
)
faces = Claim("Clipping the action pays as much as paying nothing outside the box.", Equal(Value(reward_clipped), Value(reward_box)), source="A-059")
generous = Claim("In the box success pays at least as much as failing.", AtMost(0, Value(reward_box)), source="A-074")
batched = Claim("A batch gives the mean of its rows.", Equal(Gradient(batch_score), Gradient(surrogate)), source="A-079")

# The expected reward as one integral.
slope_coded, slope_ahead, slope_box = (Gradient(by_angle(reading), moved) for reading in (coded, forward, box))
one_integral = tuple(
    Claim(f"Integrating the speed by hand leaves one integral: {name}.", Equal(double, by_angle(reading)), source="A-058")
    for name, double, reading in (("as coded", J, coded), ("ahead", J_ahead, forward), ("in the box", J_box, box))
)
one_slope = Claim("Its derivative is that of the double integral.", Equal(Gradient(J_box, moved), slope_box), source="A-058")
c, m, s = Variable("c", over=Uniform(1, 12)), mean[1], sigma[1]
beyond, at = erfc((c - m) / (s * sqrt(2))) / 2, exp(speed.log_prob(c)) * s
above = E(step(speed - c) * (100 - speed ** 2))
truncated_moment = Claim("A speed beyond c pays (100 - m^2 - s^2) Q - s (m + c) phi on average.", source="A-058",
                         that=Equal(above, (100 - m ** 2 - s ** 2) * beyond - s * (m + c) * at))
by_mean = Claim("Its derivative by m is the path's and the boundary's: -2 (m Q + s phi) + (100 - c^2) phi / s.", source="A-058", that=Equal(
    Gradient(above, b)[1], diff(m, b[1]) * (-2 * (m * beyond + s * at) + (100 - c ** 2) * at / s)))
m1, m2 = m * beyond + s * at, (m ** 2 + s ** 2) * beyond + s * (m + c) * at
by_spread = Claim("By log s it is -2 (M_2 - m M_1) + (100 - c^2) (c - m) phi / s.", source="A-058", that=Equal(
    Gradient(above, log_sigma)[1], -2 * (m2 - m * m1) + (100 - c ** 2) * (c - m) * at / s))

# The score estimator is right in every reading.
unbiased = Claim("The score estimator is unbiased.", Equal(Mean(Gradient(score, moved)), slope_coded), source="A-080")
unbiased_ahead = Claim("So it is where only jumps ahead count,", Equal(Mean(Gradient(score_ahead, moved)), slope_ahead), source="A-062")
unbiased_box = Claim("where nothing is paid outside the box,", Equal(Mean(Gradient(score_box, moved)), slope_box), source="A-059")
unbiased_clipped = Claim("and where the action is clipped.", Equal(Mean(Gradient(score_clipped, moved)), slope_box), source="A-059, A-061")
unbiased_truncated = Claim(
    "The policy truncated to the box has its own score, unbiased for its own objective.", source="A-075",
    that=Equal(Mean(Gradient(score_truncated, moved)) / inside, Gradient(by_angle(box) / inside, moved)),
)
third_model = Claim("Truncating is not clipping.", Differs(Gradient(by_angle(box) / inside, moved), slope_box), source="A-075")

# The gradient through the reward misses the boundary.
path, path_box = Mean(Gradient(pathwise, moved)), Mean(Gradient(pathwise_box, moved))
blunt = Claim("The gradient through the reward says nothing about the angle.", Equal(path[::2], 0), source="A-076")
smooth_part = Claim("It is the mean of -2 v over the jumps that clear, for the speed.", source="A-076", that=Equal(
    path_box[1], diff(m, b[1]) * by_angle(box, lambda v: -2 * v)))
edge = by_angle(box, lambda v: 1) and Integral(
    exp(tilt.log_prob(u) + speed.log_prob(least(tan(u)))) * (100 - least(tan(u)) ** 2), (u, *map(atan, slopes(100))))
boundary = Claim("What is missing is what the jumps that just clear would pay.", source="A-076", that=Equal(
    slope_box[1] - path_box[1], diff(m, b[1]) * edge))

# The data on the page, and what is known there.
stated = Point(W=((0.1, -0.2), (0.3, 0.4)), b=(0.05, -0.1), log_sigma=(-1, -1), d=(0.2, 0.2))
printed, sharp, other = stated.but(log_sigma=(1, 1)), stated.but(log_sigma=(-2, -2)), stated.but(d=(0.5, 0.3))
places = (("log sigma = 1", printed), ("log sigma = -1", stated), ("log sigma = -2", sharp), ("d = (0.5, 0.3)", other))
certified = tuple(
    Claim(
        f"Integrating the angle first or the speed first gives the same twenty digits: {name}, {where}.", at=point, resolution=1e-20,
        that=Equal(digits(by_angle, wide if point is printed else reading), digits(by_speed, wide if point is printed else reading)),
        source=f"A-{60 + 3 * i + j:03}",
    )
    for i, (where, point) in enumerate(places)
    for j, (name, reading, wide) in enumerate((("as coded", coded, coded_wide), ("clipped", box, box), ("ahead", forward, forward)))
)
problem = Problem(title="Jump over the cliff", claims=(slowest_jump, flat, least_of_all, likely, scored, paid, *columns, faces, generous, batched, *one_integral, one_slope, truncated_moment, by_mean, by_spread, unbiased, unbiased_ahead, unbiased_box, unbiased_clipped, unbiased_truncated, third_model, blunt, smooth_part, boundary,*certified),
derivations=(kinematics,), corners=(stated,), points=2)
