"""Jump over the cliff.

A jumper sees the width d_0 and the height d_1 of a gap and draws an angle and a speed from a Gaussian whose mean is tanh of
a linear layer. Clearing the far edge pays 100 - v^2, falling short pays nothing. The reward jumps, so a gradient that
travels through it misses the part that matters; the score function does not. The exercise does not say what happens to an
angle beyond the vertical or a speed beyond 10. Four readings are defensible, and their gradients differ. Each expected
reward is one integral, known to twenty digits.
"""

from functools import cache

import numpy as np
from sympy import Integral, Rational, log, pi, symbols

from gradcheck_rl import (
    AtMost,
    Claim,
    Covariance,
    Derivation,
    Differs,
    Draw,
    E,
    Equal,
    Erratum,
    Figure,
    Gaussian,
    Gradient,
    Mean,
    Mistake,
    Normal,
    Parameter,
    Point,
    Problem,
    Raises,
    Rows,
    Trace,
    Uniform,
    Value,
    Variable,
    Within,
    along,
    array,
    atan,
    cos,
    diff,
    erfc,
    exp,
    frozen,
    log_prob,
    sin,
    sqrt,
    step,
    tan,
    tanh,
    torch,
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
    return d[0] * tan(angle) - g * d[0] ** 2 / (2 * v**2 * cos(angle) ** 2)


far = sqrt(d[0] ** 2 + d[1] ** 2)
slowest_squared = g * (d[1] + far)


def least(t):
    return sqrt(g * d[0] ** 2 * (1 + t**2) / (2 * (d[0] * t - d[1])))


def slopes(v2):
    high = v2 + sqrt(v2 - slowest_squared) * sqrt(v2 - slowest_squared + 2 * g * far)
    return (g * d[0] ** 2 + 2 * v2 * d[1]) / (d[0] * high), high / (g * d[0])


# The action, and the lines where some reading of the reward jumps. Beyond these half turns the angle is nowhere.
half_turns = range(-2, 3)


def jumps(angle, v):
    c = least(tan(angle))
    turns = [k * pi + edge for k in half_turns for edge in (atan(d[1] / d[0]), pi / 2)]
    return (0, *map(atan, slopes(100)), *turns), (-c, 0, c, 10)


jump = Draw("jump", Gaussian(mean, sigma), breaks=jumps)
angle, v = jump
success = step(height(angle, v, d) - d[1])
ahead = step(angle) * step(pi / 2 - angle) * step(v)

# The objective, as coded: any angle, any speed, backwards too. Then jumps ahead only; then jumps inside the box only, which is
# also what clipping the action does; then the policy truncated to the box.
J = E(success * (100 - v**2))
J_ahead = E(success * ahead * (100 - v**2))
J_box = E(success * ahead * step(10 - v) * (100 - v**2))
tilt, speed = (Draw(name, Gaussian(m, s)) for name, m, s in zip(("tilt", "speed"), mean, sigma, strict=True))
inside = E(step(tilt) - step(tilt - pi / 2)) * E(step(speed) - step(speed - 10))
J_truncated = J_box / inside


# Each as one integral, in two ways. A reading is the highest speed, the cumulative probability of the angle's direction, and
# whether backwards counts. Directions repeat after half a turn. Over all turns a wide Gaussian is flat but for waves.
def once(angle):
    return E(step(angle - tilt))


def turned(angle):
    return sum(once(angle + k * pi) for k in half_turns)


def waves(angle):
    return (angle + exp(-2 * sigma[0] ** 2) * sin(2 * (angle - mean[0]))) / pi


coded, coded_wide, forward, box = (400, turned, 1), (400, waves, 1), (400, once, 0), (10, once, 0)
moved = (b, log_sigma)
u, w = symbols("u w", positive=True)


def by_angle(reading, payoff=lambda v: 100 - v**2):
    limit, chance, backwards = reading
    c = least(tan(u))
    cleared = step(speed - c) - step(speed - limit) + backwards * step(-c - speed)
    return Integral(diff(chance(u), u) * E(cleared * payoff(speed)), (u, *map(atan, slopes(limit**2))))


def by_speed(reading, payoff=lambda v: 100 - v**2):
    limit, chance, backwards = reading
    v = sqrt(slowest_squared + w**2)
    flat, steep = map(atan, slopes(slowest_squared + w**2))
    lands = exp(speed.log_prob(v)) + backwards * exp(speed.log_prob(-v))
    return Integral(payoff(v) * lands * (chance(steep) - chance(flat)) * w / v, (w, 0, sqrt(limit**2 - slowest_squared)))


def certain(v):
    return 1


# The score of an action.
def scores(angle, v):
    z = (array(angle, v) - mean) / sigma
    by_b = z * (1 - tanh(W @ d + b) ** 2) / (2 * exp(log_sigma))
    return array(*(by_b[i] * d[j] for i in range(2) for j in range(2)), *by_b, *(z**2 - 1))


# What a student writes.
def policy(W, b, log_sigma, d):
    unit = torch.tensor([torch.pi / 2, 10])
    return torch.distributions.Normal(((W @ d + b).tanh() + 1) / 2 * unit, log_sigma.exp() * unit)


def log_pi(W, b, log_sigma, d, jump, policy=policy):
    return policy(W, b, log_sigma, d).log_prob(jump).sum()


def succeeds(jump, d):
    angle, v = jump
    return d[0] * angle.tan() - 9.8 * d[0] ** 2 / (2 * v**2 * angle.cos() ** 2) >= d[1]


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
    return torch.where(in_box(jump), reward(jump, d), 0)


def clipped(jump):
    return torch.minimum(jump.clamp(min=0), torch.tensor([torch.pi / 2, 10]))


def reward_clipped(jump, d):
    return reward(clipped(jump), d)


def succeeds_clipped(jump, d):
    return succeeds(clipped(jump), d)


def in_box(jump):
    return is_ahead(jump) & (jump[1] <= 10)


def clipped_in_box(jump):
    return in_box(clipped(jump))


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
surrogate = (
    sum(
        frozen(step(height(a, s, e) - e[1]) * (100 - s**2)) * log_prob(array(a, s), Gaussian(centre(e), sigma))
        for a, s, e in zip(angles, speeds, ds, strict=True)
    )
    / 3
)


def reward_of_each(angles, speeds, ds):
    return reward(torch.stack([angles, speeds]), ds.T)


def batch_score(W, b, log_sigma, ds, angles, speeds, reward_of_each=reward_of_each):
    unit = torch.tensor([torch.pi / 2, 10])
    law = torch.distributions.Normal((torch.nn.functional.linear(ds, W, b).tanh() + 1) / 2 * unit, log_sigma.exp() * unit)
    return (reward_of_each(angles, speeds, ds) * law.log_prob(torch.stack([angles, speeds], -1)).sum(-1)).mean()


# Over any gap, none included.
gap = Variable("gap", 2, over=Uniform(0, 1))


def gets_over(jump, gap):
    return succeeds(jump, gap)


def gets_clipped(jump, gap):
    return reward_clipped(jump, gap)


def gets_box(jump, gap):
    return reward_box(jump, gap)


# The listing's own slips.
def listing(W, b, log_sigma, d, jump):
    paid = recompute_rewardward(jump, d) if succeeds(jump, d) else 0.0  # noqa: F821
    return paid * log_pi(W, b, log_sigma, d, jump)


def cleared(W, b, log_sigma, d, listing=listing):
    return listing(W, b, log_sigma, d, torch.tensor([1.2, 5.0]))


def fell_short(W, b, log_sigma, d, listing=listing):
    listing(W, b, log_sigma, d, torch.tensor([0.2, 5.0]))
    raise EOFError("the end of the run")


def concatenated(W, b, ds):  # widths and heights are joined along the first dimension
    return torch.nn.functional.linear(torch.cat([ds[:, 0], ds[:, 1]]), W, b)


# What must be true of the flight.
theta, pace = symbols("theta pace", positive=True)
airborne = d[0] / (pace * cos(theta))
kinematics = Derivation(
    "The height over the edge",
    pace * sin(theta) * airborne - g * airborne**2 / 2 - d[1],
    (
        (height(theta, pace, d) - d[1], "the edge is reached after d_0 / (v cos(angle))"),
        ((d[0] * tan(theta) - d[1]) * (1 - least(tan(theta)) ** 2 / pace**2), "it is cleared from the least speed on"),
    ),
    at={"d": (3, 1), "theta": pi / 4, "pace": 10},
    source="A-053, A-058",
)
slope = Variable("slope", over=Uniform(7, 9))
best, rise = (d[1] + far) / d[0], d[0] * slope - d[1]
slowest_jump = Claim(
    "The slowest jump that clears has v^2 = g (d_1 + sqrt(d_0^2 + d_1^2)).",
    Equal(least(best) ** 2, slowest_squared),
    source="A-054",
)
flat = Claim(
    "Its slope (d_1 + sqrt(d_0^2 + d_1^2)) / d_0 makes the least speed stationary.",
    source="A-054",
    that=Equal(diff(least(slope) ** 2, slope[()]).subs(slope[()], best), 0),
)
least_of_all = Claim(
    "Every other slope t that reaches the edge adds g (y - l)^2 / (2 y) to v^2: y = d_0 t - d_1, l = sqrt(d_0^2 + d_1^2).",
    source="A-054",
    that=Equal(slowest_squared + g * (rise - far) ** 2 / (2 * rise), least(slope) ** 2),
)

# What must be true of the code, in every sample.
likely = Claim("The code's policy is the model's.", Equal(Value(log_pi), log_prob(jump)), source="A-055")
scored = Claim(
    "The score is z (1 - x^2) / (2 e^l) for the bias, d_j times that for the weights, z^2 - 1 for log sigma.",
    source="A-057",
    that=Equal(Gradient(log_pi), scores(angle, v)),
)
paid = Claim(
    "The code pays 100 - v^2 for a jump that clears the edge.", Equal(Value(reward), success * (100 - v**2)), source="A-053"
)
columns = tuple(
    Claim(
        f"In every sample the gradient of W_i{j} is d_{j} times that of b_i.",
        source="A-056",
        that=Equal(Gradient(score, W)[j::2], d[j] * Gradient(score, b)),
    )
    for j in range(2)
)
clamped = Claim("A clipped action lies in the box.", Equal(Value(clipped_in_box), 1), source="A-059, A-073")
faces = Claim(
    "Clipping the action pays as much as paying nothing outside the box.",
    Equal(Value(reward_clipped), Value(reward_box)),
    source="A-059",
)
generous = Claim("In the box success pays at least as much as failing.", AtMost(0, Value(reward_box)), source="A-074")
batched = Claim("A batch gives the mean of its rows.", Equal(Gradient(batch_score), Gradient(surrogate)), source="A-079")

# The expected reward as one integral.
slope_coded, slope_ahead, slope_box = (Gradient(by_angle(reading), moved) for reading in (coded, forward, box))
one_integral = tuple(
    Claim(f"Integrating the speed by hand leaves one integral: {name}.", Equal(double, by_angle(reading)), source="A-058")
    for name, double, reading in (("as coded", J, coded), ("ahead", J_ahead, forward), ("in the box", J_box, box))
)
one_slope = Claim("Its derivative is that of the double integral.", Equal(Gradient(J_box, moved), slope_box), source="A-058")
rows_of_W = Claim(
    "The derivative by W_ij is d_j times that by b_i.",
    source="A-056",
    that=Equal(Gradient(by_angle(box), W), array(*(d[j] * diff(by_angle(box), b[i]) for i in range(2) for j in range(2)))),
)
c, m, s = Variable("c", over=Uniform(1, 12)), mean[1], sigma[1]
beyond, at = erfc((c - m) / (s * sqrt(2))) / 2, exp(speed.log_prob(c)) * s
above = E(step(speed - c) * (100 - speed**2))
first, second = m * beyond + s * at, (m**2 + s**2) * beyond + s * (m + c) * at
truncated_moment = Claim(
    "The speeds beyond c pay (100 - m^2 - s^2) Q - s (m + c) phi.",
    source="A-058",
    that=Equal(above, (100 - m**2 - s**2) * beyond - s * (m + c) * at),
)
by_mean = Claim(
    "By m they grow by the path's -2 (m Q + s phi) and the boundary's (100 - c^2) phi / s.",
    source="A-058",
    that=Equal(Gradient(above, b)[1], diff(m, b[1]) * (-2 * first + (100 - c**2) * at / s)),
)
by_spread = Claim(
    "By log s they grow by -2 (M_2 - m M_1) and (100 - c^2) (c - m) phi / s.",
    source="A-058",
    that=Equal(Gradient(above, log_sigma)[1], -2 * (second - m * first) + (100 - c**2) * (c - m) * at / s),
)

# The score estimator is right in every reading.
unbiased = Claim(
    "The score estimator is unbiased.", source="A-080, A-063, A-066, A-069", that=Equal(Mean(Gradient(score, moved)), slope_coded)
)
unbiased_ahead = Claim(
    "So it is where only jumps ahead count,",
    source="A-065, A-068, A-071",
    that=Equal(Mean(Gradient(score_ahead, moved)), slope_ahead),
)
unbiased_box = Claim("where nothing is paid outside the box,", Equal(Mean(Gradient(score_box, moved)), slope_box), source="A-059")
unbiased_clipped = Claim(
    "and where the action is clipped.",
    source="A-059, A-064, A-067, A-070",
    that=Equal(Mean(Gradient(score_clipped, moved)), slope_box),
)
renormalised = Claim(
    "The policy truncated to the box has the log-probability of the policy, less that of the box.",
    source="A-075",
    that=Equal(Value(score_truncated), success * ahead * step(10 - v) * (100 - v**2) * (log_prob(jump) - log(inside))),
)
truncated = Gradient(by_angle(box) / inside, moved)
unbiased_truncated = Claim(
    "It has its own score, unbiased for its own objective.",
    source="A-075",
    that=Equal(Mean(Gradient(score_truncated, moved)) / inside, truncated),
)
third_model = Claim("Truncating is not clipping.", Differs(truncated, slope_box), source="A-075")
chance_clipped = by_angle(box, certain) + E(step(speed - 10)) * (once(atan(slopes(100)[1])) - once(atan(slopes(100)[0])))
luckier = Claim(
    "Clipping does change how often a jump clears: a speed above 10 becomes 10.",
    source="A-059",
    that=Equal(Mean(Value(succeeds_clipped)), chance_clipped),
)

# The gradient through the reward misses the boundary.
path, path_box = Mean(Gradient(pathwise, moved)), Mean(Gradient(pathwise_box, moved))
rewarded = Claim(
    "The path through the reward has its value in every sample.", Equal(Value(pathwise), Value(reward)), source="A-076"
)
blunt = Claim("The gradient through the reward says nothing about the angle.", Equal(path[::2], 0), source="A-076, A-063")
through = Claim(
    "For the speed it is the mean of -2 v, or 0 where a jump falls short,",
    source="A-076",
    that=Equal(path[1], diff(m, b[1]) * by_angle(coded, lambda v: -2 * v)),
)
through_spread = Claim(
    "for its log sigma that of -2 v (v - m).", source="A-076", that=Equal(path[3], by_angle(coded, lambda v: -2 * v * (v - m)))
)
just = least(tan(u))
edge = Integral(exp(tilt.log_prob(u) + speed.log_prob(just)) * (100 - just**2), (u, *map(atan, slopes(100))))
boundary = Claim(
    "What is missing is what the jumps that just clear are paid.",
    source="A-076",
    that=Equal(slope_box[1] - path_box[1], diff(m, b[1]) * edge),
)

# Baselines.
g2 = sum(y**2 for y in scores(angle, v)[4:6])
best_baseline = E(success * (100 - v**2) * g2) / E(g2)
spread, spread_baseline = Trace(Covariance(Gradient(score, b))), Trace(Covariance(Gradient(with_baseline, b)))
harmless = Claim(
    "A constant baseline leaves the mean alone.", Equal(Mean(Gradient(with_baseline, moved)), slope_coded), source="A-080"
)
parabola = Claim(
    "To the variance by the bias a baseline B adds (B^2 - 2 B B*) E|h|^2, where h is its score and B* = E[|h|^2 r] / E|h|^2.",
    Equal(spread_baseline - spread, (baseline**2 - 2 * baseline * best_baseline) * E(g2)),
    source="A-080",
)
between = Claim(
    "Strictly between 0 and 2 B* it lowers the variance.",
    AtMost(spread_baseline, spread),
    source="A-080",
    where=AtMost(baseline * (baseline - 2 * best_baseline), 0),
)

# The data on the page: log sigma starts at 1. Elsewhere less noise, or another gap.
stated = Point(W=((0.1, -0.2), (0.3, 0.4)), b=(0.05, -0.1), log_sigma=(-1, -1), d=(0.2, 0.2))
initial, sharp, other = stated.but(log_sigma=(1, 1)), stated.but(log_sigma=(-2, -2)), stated.but(d=(0.5, 0.3))
readings = (("as coded", coded, coded_wide), ("clipped", box, box), ("ahead", forward, forward))
decided = (("A-060", "A-061", "A-062"), ("A-063", "A-064", "A-065"))
places = (("At the start", initial), ("With less noise", stated))
both = {r: (by_angle(r), by_speed(r)) for r in (coded, coded_wide, box, forward)}
both_chances = {r: (by_angle(r, certain), by_speed(r, certain)) for r in both}
both_slopes = {r: tuple(Gradient(reward, moved) for reward in pair) for r, pair in both.items()}
cases = [
    (f"{where}, {name}", point, wide if point is initial else near, decided[i][j])
    for i, (where, point) in enumerate(places)
    for j, (name, near, wide) in enumerate(readings)
]
twenty_digits = tuple(
    Claim(
        f"{case}: the angle first or the speed first, the same gradient to twenty digits.",
        Equal(*both_slopes[reading]),
        at=point,
        source=source,
        resolution=1e-20,
    )
    for case, point, reading, source in cases
)
twenty_digits_reward = tuple(
    Claim(
        f"{case}: so are the reward and the chance to clear.",
        at=point,
        source=source,
        resolution=1e-20,
        that=Equal(*(array(reward, chance) for reward, chance in zip(both[reading], both_chances[reading], strict=True))),
    )
    for case, point, reading, source in cases
)

# What the exercise asks for: one sample's gradient where log sigma starts.
tried = Rational(6, 5), 5
one = Rows(jump=(tried,))
asked = tuple(
    Claim(
        f"{where} a jump of 1.2 and 5 moves the parameters by 75 times its score.",
        at=point,
        source="A-057",
        that=Equal(Mean(Gradient(score), over=one), 75 * scores(*tried)),
    )
    for where, point in places
)
asked_value = tuple(
    Claim(
        f"{where} its surrogate is 75 times its log-probability.",
        at=point,
        source="A-057",
        that=Equal(Mean(Value(score), over=one), 75 * jump.log_prob(tried)),
    )
    for where, point in places
)
differenced = Claim(
    "Differences of the surrogate say so too.",
    Equal(Mean(Gradient(score), over=one), 75 * scores(*tried)),
    at=stated,
    by="differences",
    source="A-057",
)
fallen = Claim(
    "A failed jump moves nothing.",
    Equal(Mean(Gradient(score), over=Rows(jump=((Rational(1, 5), 5),))), 0),
    at=stated,
    source="A-078",
)


def mean_square(reading, i):  # of the score of b_i times the reward: E[z^2 f] is E[f] and its derivative by log sigma
    square = by_angle(reading, lambda v: (100 - v**2) ** 2)
    return (square + diff(square, log_sigma[i])) * diff(mean[i], b[i]) ** 2 / sigma[i] ** 2


noise = Claim(
    "The gradient of the angle's bias is less than 1e-15 of one sample's deviation: the number asked for is noise.",
    at=initial,
    source="A-072, A-060",
    that=AtMost(both_slopes[coded_wide][0][0] * both_slopes[coded_wide][0][0], mean_square(coded_wide, 0) / 10**30),
)
squared = Claim(
    "A sample's mean square, of score times reward, is one integral too.",
    at=stated,
    source="A-072",
    that=Equal(
        array(*(E(success * (100 - v**2) ** 2 * diff(log_prob(jump), b[i]) ** 2) for i in (0, 1))),
        array(*(mean_square(coded, i) for i in (0, 1))),
    ),
)
around = Variable("around", over=Uniform(0, 3))
uniform = Claim(
    "Over all its turns the angle is uniform but for a wave of height 2 exp(-2 sigma^2): at the start 3e-16.",
    source="A-072",
    at=initial.but(around=half),
    that=AtMost(
        abs(sum(exp(tilt.log_prob(around + k * pi)) for k in range(-40, 41)) - diff(waves(u), u).subs(u, around[()])),
        Rational(1, 10**60),
    ),
)
left_out = Claim(
    "Speeds beyond 400 matter less than 1e-40.",
    AtMost(E(step(speed - 400) * speed**2), Rational(1, 10**40)),
    at=initial,
    source="A-060",
)
worse = Claim(
    "At the start the expected reward is below -168: worse than never jumping.",
    AtMost(by_angle(coded_wide), -168),
    at=initial,
    source="A-060, A-074",
)
boxed = Claim("How often an action lies in the box.", Equal(Mean(Value(in_box)), inside), source="A-073")
onward = Claim("And how often it goes ahead.", Equal(Mean(Value(is_ahead)), E(ahead)), source="A-073")
illegal = Claim(
    "At the start 98 of 100 actions lie outside the box.",
    Within(inside, (Rational(21, 1000), Rational(22, 1000))),
    at=initial,
    source="A-073",
)
smoke = Claim(
    "At the start 226 jumps of 1000 clear: the listing's misspelt line is not reached in 77 of 100 runs.",
    at=initial,
    source="A-077, A-060",
    that=Within(by_angle(coded_wide, certain), (Rational(2258, 10000), Rational(2259, 10000))),
)
misspelt = Claim("It is reached when a jump clears,", Raises(cleared, NameError), at=stated, source="A-077")
unreached = Claim(
    "and not when it falls short: the run comes to its end.", Raises(fell_short, EOFError), at=stated, source="A-077"
)
joined = Claim(
    "The listing joins widths and heights along the first dimension, which three observations do not survive.",
    Raises(concatenated, RuntimeError),
    at=stated.but(ds=array(*[[Rational(1, 5)] * 2] * 3)),
    source="A-079",
)
opposite = Claim(
    "In the box the gradient through the reward has the wrong sign.",
    AtMost(slope_box[1] * path_box[1], 0),
    at=stated,
    source="A-076, A-064",
)
sampled = Claim(
    "Samples say so too, of the angle's slope",
    Equal(Mean(Gradient(score_box, b)[0]), slope_box[0]),
    at=stated,
    by=("integrated", "sampled"),
    resolution=0.05,
    source="A-064",
)
sampled_reward = Claim(
    "and of the reward.",
    Equal(Mean(Value(reward_box)), by_angle(box)),
    at=stated,
    by=("integrated", "sampled"),
    resolution=0.05,
    source="A-064",
)
eighth = Claim("At d = (0.2, 0.2) the best slope is tan(3 pi / 8)", Equal(best, tan(3 * pi / 8)), at=stated, source="A-054")
prize = Claim(
    "and pays 100 - 1.96 (1 + sqrt(2)).",
    Equal(100 - slowest_squared, 100 - Rational(49, 25) * (1 + sqrt(2))),
    at=stated,
    source="A-054",
)
edges = tuple(
    Claim(
        f"A jump {how} {'clears' if clears else 'fails'}.",
        source="A-074, A-059",
        at=Point(gap=width),
        that=Equal(Mean(Value(gets_over), over=Rows(jump=(action,))), clears),
    )
    for width, how, action, clears in (
        (Rational(1, 5), "without speed", (1, 0), 0),
        (Rational(1, 5), "without angle", (0, 5), 0),
        (Rational(1, 5), "straight up", (pi / 2, 10), 0),
        (Rational(1, 5), "half a turn on", (pi + Rational(6, 5), 5), 1),
        (Rational(1, 5), "backwards", (Rational(6, 5), -5), 1),
        (0, "over nothing", (1, 5), 1),
        (0, "over nothing without speed", (1, 0), 0),
    )
)


def swapped(W, b, log_sigma, d):
    return policy(W, b, log_sigma, d.flip(0))


def log_pi_swapped(W, b, log_sigma, d, jump):
    return log_pi(W, b, log_sigma, d, jump, policy=swapped)


hidden = Claim(
    "At d = (0.2, 0.2) nobody sees width and height confused.",
    at=stated,
    source="A-056",
    that=Equal(Mean(Gradient(log_pi_swapped), over=one), Mean(Gradient(log_pi), over=one)),
)
shown = Claim(
    "At d = (0.5, 0.3) it shows.",
    at=other,
    source="A-056",
    that=Differs(Mean(Gradient(log_pi_swapped), over=one), Mean(Gradient(log_pi), over=one)),
)

# What is printed and wrong.
rsample = Erratum("rsample could replace the score estimator here.", Equal(path, slope_coded), instead=unbiased, source="A-076")
informative = Erratum(
    "At the start the gradient of the angle's bias is a number worth asking for: 1e-12 at least.",
    source="A-072",
    that=AtMost(1, both_slopes[coded_wide][0][0] * both_slopes[coded_wide][0][0] * 10**24),
    at=initial,
    instead=noise,
)
legal = Erratum(
    "The angle stays in [0, pi/2] and the speed in [0, 10].", Equal(inside, 1), at=initial, instead=illegal, source="A-073"
)
always = Erratum(
    "Success always pays at least as much as failing.",
    AtMost(0, Mean(Value(reward), over=Rows(jump=((Rational(6, 5), 12),)))),
    at=stated,
    instead=generous,
    source="A-074",
)
no_gap = Erratum(
    "Clipping pays what the box pays over no gap too.",
    at=Point(gap=0),
    instead=faces,
    source="A-059",
    that=Equal(*(Mean(Value(f), over=Rows(jump=((-1, 5),))) for f in (gets_clipped, gets_box))),
)
same_model = Erratum(
    "Truncating the policy to the box is clipping its actions.", Equal(truncated, slope_box), instead=third_model, source="A-075"
)


# The figures. Which jumps clear, and those that the policy tries.
def tries(problem, seed):
    steep = [1 + Rational(5, 4) ** n for n in range(-20, 30)]
    middle = along(problem, {"angle": mean[0], "speed": mean[1], "sd_angle": sigma[0], "sd_speed": sigma[1]}, [stated])
    rng = np.random.default_rng([seed, 4])
    angles = rng.normal(middle["angle"], middle["sd_angle"], 250)
    speeds = rng.normal(middle["speed"], middle["sd_speed"], 250)
    t = np.tan(angles)
    with np.errstate(all="ignore"):
        clears = 0.2 * t - 9.8 * 0.04 * (1 + t**2) / (2 * speeds**2) >= 0.2
    return {
        "angle": np.arctan([float(t) for t in steep]).tolist(),
        "least": along(problem, {"least": least(slope)}, [stated.but(slope=t) for t in steep])["least"],
        "tried": [list(pair) for pair in zip(angles.tolist(), speeds.tolist(), clears.tolist(), strict=True)],
    }


def draw_tries(data, ax):
    ax.fill_between(data["angle"], data["least"], 13, color="#14315f", alpha=0.15, linewidth=0, label="clears the edge")
    ax.plot(data["angle"], data["least"], color="#14315f", label="the least speed that clears")
    for cleared, mark, face, label in ((True, "o", "#14315f", "tried, cleared"), (False, "s", "white", "tried, fell")):
        xy = [(a, v) for a, v, c in data["tried"] if c == cleared]
        ax.plot(*zip(*xy, strict=True), mark, color="#555555", markerfacecolor=face, markersize=3.5, label=label)
    ax.axvline(np.pi / 2, color="#999999", linestyle=":", linewidth=1)
    ax.axhline(10, color="#999999", linestyle=":", linewidth=1)
    ax.set(xlim=(-0.5, 3.4), ylim=(-3, 13), xlabel="angle", ylabel="speed", title="250 jumps at log sigma = -1, d = (0.2, 0.2)")
    ax.legend(frameon=False, loc="lower right", fontsize=8)


# The reward, its gradient and what one sample knows of it, by log sigma: where nothing is paid outside the box.
@cache
def by_noise(problem, seed):
    levels = [Rational(n, 4) for n in range(-12, 5)]
    found = {"reward": by_angle(box)}
    for i, name in enumerate(("angle", "speed")):
        found[name] = diff(by_angle(box), b[i])
        found[f"square {name}"] = mean_square(box, i)
    curves = along(problem, found, [stated.but(log_sigma=(level, level)) for level in levels])
    return {"level": [float(level) for level in levels], **curves}


STYLES = (("angle", "--", "#c8742a"), ("speed", ":", "#555555"))


def draw_by_noise(data, ax):
    ax.plot(data["level"], data["reward"], color="#14315f", label="expected reward")
    for name, line, colour in STYLES:
        ax.plot(data["level"], data[name], line, color=colour, label=f"its gradient by the {name}'s bias")
    ax.axhline(0, color="#999999", linewidth=0.8)
    ax.set(xlabel="log sigma", ylabel="reward, gradient", title="The reward and its gradient")
    ax.legend(frameon=False, loc="upper right")


def draw_signal(data, ax):
    for name, line, colour in STYLES:
        slope, square = np.array(data[name]), np.array(data[f"square {name}"])
        ax.plot(data["level"], np.abs(slope) / np.sqrt(square - slope**2), line, color=colour, label=f"the {name}'s bias")
    ax.set(yscale="log", xlabel="log sigma", ylabel="|gradient| / deviation of one sample")
    ax.set(title="What one sample knows of the gradient (nothing where it is 0)")
    ax.legend(frameon=False)


# What people get wrong, and the claim that must catch it.
def variance_as_scale(W, b, log_sigma, d):
    law = policy(W, b, log_sigma, d)
    return torch.distributions.Normal(law.loc, law.scale**2)


def transposed(W, b, log_sigma, d):
    return policy(W.T, b, log_sigma, d)


def exp_forgotten(W, b, log_sigma, d):
    return torch.distributions.Normal(policy(W, b, log_sigma, d).loc, log_sigma.abs() * torch.tensor([torch.pi / 2, 10]))


def tanh_forgotten(W, b, log_sigma, d):
    unit = torch.tensor([torch.pi / 2, 10])
    return torch.distributions.Normal((W @ d + b + 1) / 2 * unit, log_sigma.exp() * unit)


def scale_forgotten(W, b, log_sigma, d):
    return torch.distributions.Normal(policy(W, b, log_sigma, d).loc, log_sigma.exp())


def sigma_detached(W, b, log_sigma, d):
    return policy(W, b, log_sigma.detach(), d)


def averaged(W, b, log_sigma, d, jump):
    return policy(W, b, log_sigma, d).log_prob(jump).mean()


def path_in_the_score(W, b, log_sigma, d, jump):  # the action was drawn by rsample and not detached
    law = policy(W, b, log_sigma, d)
    return law.log_prob(law.loc + law.scale * ((jump - law.loc) / law.scale).detach()).sum()


def likelihood(W, b, log_sigma, d, jump):
    return log_pi(W, b, log_sigma, d, jump).exp()


def for_a_minimiser(W, b, log_sigma, d, jump):
    return -score(W, b, log_sigma, d, jump)


def linear_price(jump, d):
    return torch.where(succeeds(jump, d), 100 - jump[1], 0)


def cosine_once(jump, d):
    angle, v = jump
    return d[0] * angle.tan() - 9.8 * d[0] ** 2 / (2 * v**2 * angle.cos()) >= d[1]


def half_forgotten(jump, d):
    angle, v = jump
    return d[0] * angle.tan() - 9.8 * d[0] ** 2 / (v**2 * angle.cos() ** 2) >= d[1]


def degrees(jump, d):
    return succeeds(torch.stack([torch.deg2rad(jump[0]), jump[1]]), d)


def broadcast(angles, speeds, ds):  # a column of rewards against a row of log-probabilities
    return reward_of_each(angles, speeds, ds)[:, None]


problem = Problem(
    title="Jump over the cliff",
    claims=(
        slowest_jump,
        flat,
        least_of_all,
        eighth,
        prize,
        likely,
        scored,
        paid,
        *columns,
        clamped,
        faces,
        generous,
        batched,
        *one_integral,
        one_slope,
        rows_of_W,
        truncated_moment,
        by_mean,
        by_spread,
        unbiased,
        unbiased_ahead,
        unbiased_box,
        unbiased_clipped,
        renormalised,
        unbiased_truncated,
        third_model,
        luckier,
        sampled,
        sampled_reward,
        rewarded,
        blunt,
        through,
        through_spread,
        boundary,
        opposite,
        harmless,
        parabola,
        between,
        *twenty_digits,
        *twenty_digits_reward,
        left_out,
        uniform,
        *asked,
        *asked_value,
        differenced,
        noise,
        squared,
        worse,
        boxed,
        onward,
        illegal,
        fallen,
        smoke,
        misspelt,
        unreached,
        joined,
        hidden,
        shown,
        *edges,
    ),
    errata=(rsample, informative, legal, always, no_gap, same_model),
    figures=(
        Figure("tries", tries, draw_tries),
        Figure("by_noise", by_noise, draw_by_noise),
        Figure("signal", by_noise, draw_signal),
    ),
    derivations=(kinematics,),
    corners=(stated, sharp, other),
    points=2,
    mistakes=(
        Mistake("gradient through the reward", {score: pathwise}, breaks=unbiased),
        Mistake("sign flipped for a minimiser", {score: for_a_minimiser}, breaks=unbiased),
        Mistake("an action that was not detached in the score", {log_pi: path_in_the_score}, breaks=scored),
        Mistake("probability instead of its logarithm", {log_pi: likelihood}, breaks=scored),
        Mistake("log-probabilities averaged over the coordinates", {log_pi: averaged}, breaks=scored),
        Mistake("variance passed as scale", {policy: variance_as_scale}, breaks=scored),
        Mistake("weights transposed", {policy: transposed}, breaks=scored),
        Mistake("width and height swapped", {policy: swapped}, breaks=scored),
        Mistake("exp of log sigma forgotten", {policy: exp_forgotten}, breaks=scored),
        Mistake("tanh forgotten", {policy: tanh_forgotten}, breaks=scored),
        Mistake("sigma not scaled", {policy: scale_forgotten}, breaks=scored),
        Mistake("log sigma detached", {policy: sigma_detached}, breaks=scored),
        Mistake("100 - v instead of 100 - v^2", {reward: linear_price}, breaks=paid),
        Mistake("nothing paid outside the box", {reward: reward_box}, breaks=unbiased),
        Mistake("cosine not squared", {succeeds: cosine_once}, breaks=unbiased),
        Mistake("factor 1/2 forgotten in the fall", {succeeds: half_forgotten}, breaks=unbiased),
        Mistake("degrees", {succeeds: degrees}, breaks=paid),
        Mistake("rewards broadcast against log-probabilities", {reward_of_each: broadcast}, breaks=batched),
    ),
)
