"""Gaussian policies: one deviation for each coordinate, or a full covariance.

The log-probability of an action is a quadratic form, a log-determinant and a constant. Both factors of the square carry the
mean, so its score has no one half. The log-determinant may be left out only while the covariance is no parameter. Of a
symmetric covariance the entries beside the diagonal stand for two, and what autograd returns depends on who holds them.
"""

from sympy import Derivative, IndexedBase, KroneckerDelta, Matrix, Rational, Sum, pi, symbols

from gradcheck_rl import (
    AtMost,
    Bernoulli,
    Claim,
    Covariance,
    Derivation,
    Draw,
    E,
    Equal,
    Erratum,
    Gaussian,
    Gradient,
    Mean,
    Mistake,
    Named,
    Normal,
    OneOf,
    Parameter,
    Point,
    Problem,
    Raises,
    Size,
    Uniform,
    Value,
    Variable,
    array,
    diff,
    exp,
    log,
    log_prob,
    sigmoid,
    softplus,
    tanh,
    torch,
)

# The setting: an action of d coordinates, its mean, and how it spreads.
d = Size("d", 2, also=(1, 3, 4))
half, third = Rational(1, 2), Rational(1, 3)
mu = Parameter("mu", d, over=Normal())
log_sd = Parameter("log_sd", d, over=Uniform(-1, 1))
rho = Variable("rho", d, over=Uniform(-1, 1))
a = Variable("a", d, over=Normal(2))


def matrix(entry):
    return array(*([entry(i, j) for j in range(d)] for i in range(d)))


# Full covariances that differ in size and in the sign of the correlations, and a triangular factor of one.
S = Variable(
    "S",
    (d, d),
    over=OneOf(
        matrix(lambda i, j: 2 + min(i, j)),
        matrix(lambda i, j: (i + 1) * (j + 1) * Rational(-1, 2) ** abs(i - j)),
        matrix(lambda i, j: third ** abs(i - j) + int(i == j) * Rational(i + 1, 2)),
    ),
)
L = Variable("L", (d, d), over=Uniform(0.5, 2))  # only its lower triangle counts

# The model, by the laws and by hand.
identity = matrix(lambda i, j: int(i == j))
lower = matrix(lambda i, j: int(i >= j))
off = a - mu
sd = exp(log_sd)
diagonal = log_prob(a, Gaussian(mu, sd))
full = log_prob(a, Gaussian(mu, covariance=matrix(lambda i, j: S[max(i, j), min(i, j)])))

P = array(*Matrix(S.array).inv(method="ADJ").tolist())  # the precision
log_det = log(Matrix(S.array).det())
distance = off @ P @ off
by_hand = -(d * log(2 * pi) + log_det + distance) / 2
score_of_S = ((P @ off)[:, None] * (P @ off) - P) / 2  # by each of its entries, as if they were free

# An action made from noise, mu + K noise, where K is the lower triangle of L; then K^-1 (a - mu), and its like for K^T.
K = lower * L
inverse = array(*Matrix(K).inv(method="LU").tolist())
noise = Draw("noise", Gaussian((0,) * d, 1))
made = mu + K @ noise
z = inverse @ off
score_of_L = lower * ((inverse.T @ z)[:, None] * z) - identity / L

# The same action with one deviation for each coordinate.
act = Draw("act", Gaussian(mu, sd))
standard = (act - mu) / sd

width = Variable("width", d, over=Uniform(0.3, 2))

# Three actions, each with its advantage.
acts = Variable("acts", (3, d), over=Normal(2))
advantage = Variable("advantage", 3, over=Normal())
weighted = sum(advantage[n] * log_prob(acts[n], Gaussian(mu, sd)) for n in range(3)) / 3

# A linear mean, and one behind a tanh.
s = Variable("s", 3, over=Normal())
W = Variable("W", (d, 3), over=Normal())
bias = Variable("bias", d, over=Normal(0.5))
B = Variable("B", (d, d), over=Normal(0.5))
f = tanh(B @ bias)
slopes = array(*([diff(y, x) for x in bias] for y in f))  # row by row: of which coordinate, by which parameter

# One coordinate, and a reward that is best at c.
m = Variable("m", over=Normal())
sigma = Variable("sigma", over=Uniform(0.3, 2))
c = Variable("c", over=Normal())
rate = Variable("rate", over=OneOf(Rational(1, 4), Rational(1, 10)))
x = Draw("x", Gaussian(m, sigma))
reward = -((x - c) ** 2)
J = E(reward)
y = Variable("y", over=Uniform(-1, 1))
J_by_logarithm = E(-((Draw("x_wide", Gaussian(m, exp(y))) - c) ** 2))

# A normal number, and the same with a sign that is tossed for.
first = Draw("first", Gaussian(0, 1))
toss = Draw("toss", Bernoulli(half))
second = (2 * toss - 1) * first
t = Variable("t", over=Uniform(-2, 2))


# What a student writes, in torch.
def spread(log_sd):
    return log_sd.exp()


def independent(mu, log_sd, a, spread=spread):
    return torch.distributions.Normal(mu, spread(log_sd)).log_prob(a).sum(-1)


def correlated(mu, S, a):
    return torch.distributions.MultivariateNormal(mu, covariance_matrix=S).log_prob(a)


def correlated_below(mu, S, a):  # who holds the lower triangle alone
    below = S.tril()
    return correlated(mu, below + below.tril(-1).mT, a)


def triangular(mu, L, a):
    return torch.distributions.MultivariateNormal(mu, scale_tril=L.tril()).log_prob(a)


def of_covariance(mu, L, a):
    return correlated(mu, L.tril() @ L.tril().mT, a)


def from_deviations(mu, log_sd, a):
    return correlated(mu, torch.diag(log_sd.exp() ** 2), a)


def by_deviation(mu, width, a):
    return torch.distributions.Normal(mu, width).log_prob(a).sum(-1)


def by_softplus(mu, rho, a):
    return torch.distributions.Normal(mu, torch.nn.functional.softplus(rho)).log_prob(a).sum(-1)


def by_log_variance(mu, log_sd, a):
    return torch.distributions.Normal(mu, (log_sd / 2).exp()).log_prob(a).sum(-1)


def sample(mu, L, noise):
    return mu + L.tril() @ noise


def loss(mu, log_sd, acts, advantage, independent=independent):
    return -(independent(mu, log_sd, acts) * advantage).mean()


def linear(W, s, S, a, correlated=correlated):
    return correlated(W @ s, S, a)


def behind_tanh(bias, B, S, a, correlated=correlated):
    return correlated((B @ bias).tanh(), S, a)


def entropy(log_sd):
    return torch.distributions.Normal(0.0, log_sd.exp()).entropy().sum(-1)


def entropy_correlated(mu, L):
    return torch.distributions.MultivariateNormal(mu, scale_tril=L.tril()).entropy()


def quadratic(mu, S, a):  # as printed: the rest counts as a constant
    return -0.5 * (mu - a) @ torch.linalg.solve(S, mu - a)


def reinforce(m, sigma, c, x):
    return torch.distributions.Normal(m, sigma).log_prob(x) * -((x - c) ** 2)


def reinforce_quadratic(m, sigma, c, x):
    return -0.5 * ((x - m) / sigma) ** 2 * -((x - c) ** 2)


def quadratic_alone(m, sigma, x):
    return -0.5 * ((x - m) / sigma) ** 2


def after_a_step(sigma, rate):  # along dJ/dsigma = -2 sigma
    return torch.distributions.Normal(0.0, sigma - 2 * rate * sigma, validate_args=True).scale


def after_a_step_of_the_logarithm(sigma, rate):  # along dJ/dlog(sigma) = -2 sigma^2
    return torch.distributions.Normal(0.0, (sigma.log() - 2 * rate * sigma**2).exp()).scale


# What must be true of the log-probability.
density = Claim(
    "A full covariance: -(d log(2 pi) + log det S + (a - mu)^T S^-1 (a - mu)) / 2.",
    Equal(Value(correlated), by_hand),
    source="C-025",
)
law = Claim("The law's own is the same.", Equal(Value(correlated), full), source="C-025")
by_factor = Claim("So is that of its factor K, with S = K K^T.", Equal(Value(triangular), Value(of_covariance)), source="C-025")
product = Claim(
    "Independent coordinates: their log-probabilities are added.", Equal(Value(independent), diagonal), source="C-025"
)
no_correlation = Claim(
    "That is the full one with the squares of the deviations on the diagonal,",
    source="C-025",
    that=Equal(Value(from_deviations), Value(independent)),
)
no_correlation_slope = Claim("and has its gradient.", Equal(Gradient(from_deviations), Gradient(independent)), source="C-025")
mode = Claim("No action is more probable than the mean.", AtMost(full, -(d * log(2 * pi) + log_det) / 2), source="C-029")

# What must be true of the score of the mean.
differentiated = Claim(
    "The formula by hand, differentiated, has the score S^-1 (a - mu).", Equal(Gradient(by_hand, mu), P @ off), source="C-026"
)
mean_score = Claim(
    "The score of the mean is S^-1 (a - mu), without a half.", Equal(Gradient(correlated, mu), P @ off), source="C-026"
)
mean_score_below = Claim(
    "Of a triangular factor: K^-T K^-1 (a - mu).", Equal(Gradient(triangular, mu), inverse.T @ z), source="C-026"
)
mean_score_each = Claim(
    "Of independent coordinates: (a - mu) / sigma^2.", Equal(Gradient(independent, mu), off / sd**2), source="C-026"
)
linear_score = Claim(
    "A linear mean W s: S^-1 (a - W s) s^T.",
    source="C-026",
    that=Equal(Gradient(linear, W), (P @ (a - W @ s))[:, None] * s[None, :]),
)
network_score = Claim(
    "A mean f: (df/dtheta)^T S^-1 (a - f), the Jacobian transposed and on the left.",
    source="C-026",
    that=Equal(Gradient(behind_tanh, bias), slopes.T @ P @ (a - f)),
)

# What must be true of the score of the spread.
free_score = Claim(
    "Entries of S that are free: (S^-1 (a - mu) (a - mu)^T S^-1 - S^-1) / 2.",
    source="C-028",
    that=Equal(Gradient(correlated, S), score_of_S),
)
symmetric_score = Claim(
    "Who holds the lower triangle alone has twice that beside the diagonal.",
    source="C-028",
    that=Equal(Gradient(correlated_below, S), lower * (2 - identity) * score_of_S),
)
law_score = Claim("So has the law.", Equal(Gradient(full, S), Gradient(correlated_below, S)), source="C-028")
factor_score = Claim(
    "The factor K: the lower triangle of K^-T z z^T, less 1 / K_ii on the diagonal, where z = K^-1 (a - mu).",
    source="C-028",
    that=Equal(Gradient(triangular, L), score_of_L),
)
chained = Claim(
    "It is the score of S by the chain rule: twice that times K, below the diagonal.",
    source="C-028",
    that=Equal(Gradient(of_covariance, L), Gradient(triangular, L)),
)
log_score = Claim(
    "The logarithm of a deviation: ((a - mu) / sigma)^2 - 1.",
    Equal(Gradient(independent, log_sd), (off / sd) ** 2 - 1),
    source="C-027",
)
deviation_score = Claim(
    "The deviation itself: ((a - mu)^2 - sigma^2) / sigma^3.",
    source="C-027",
    that=Equal(Gradient(by_deviation, width), (off**2 - width**2) / width**3),
)
log_variance_score = Claim(
    "The logarithm of a variance, by the chain rule: half of that.",
    source="C-027",
    that=Equal(Gradient(by_log_variance, log_sd), (off**2 / sd - 1) / 2),
)
softplus_score = Claim(
    "A deviation softplus(rho): ((a - mu)^2 - sigma^2) / sigma^3 times sigmoid(rho).",
    source="C-027",
    that=Equal(Gradient(by_softplus, rho), (off**2 - softplus(rho) ** 2) / softplus(rho) ** 3 * sigmoid(rho)),
)
batched = Claim(
    "The loss of a batch is minus the mean of weighted log-probabilities.", Equal(Value(loss), -weighted), source="C-025"
)
batched_slope = Claim("Its gradient is that of the formula.", Equal(Gradient(loss), Gradient(-weighted)), source="C-025, C-026")

# Their means.
in_every_sample = Claim(
    "In the law's own draws: the standardised action over sigma, and its square less 1.",
    source="C-026, C-027",
    that=Equal(Gradient(act.log_prob(), (mu, log_sd)), array(*(standard / sd), *(standard**2 - 1))),
)
centred = Claim(
    "Every score has mean zero: of the mean and the logarithms of the deviations,",
    source="C-027",
    that=Equal(E(array(*(standard / sd), *(standard**2 - 1))), 0),
)
centred_factor = Claim(
    "of the factor K.",
    source="C-028",
    that=Equal(E(lower * ((inverse.T @ noise)[:, None] * noise) - identity / L), 0),
)
sampled = Claim("Code makes an action as mu + K noise.", Equal(Value(sample), made), source="C-025")
moments = Claim(
    "An action mu + K noise has the covariance K K^T.", Equal(E((made - mu)[:, None] * (made - mu)), K @ K.T), source="C-028"
)
information = Claim(
    "The covariance of the mean's score is S^-1,",
    source="C-026",
    that=Equal(E((inverse.T @ noise)[:, None] * (inverse.T @ noise)), inverse.T @ inverse),
)
information_each = Claim(
    "that of a logarithm's is 2, whatever the deviation.",
    source="C-027",
    that=Equal(E((standard**2 - 1)[:, None] * (standard**2 - 1)), 2 * identity),
)

# Entropy.
disorder = Claim("The entropy is minus the mean log-probability.", Equal(Value(entropy), -E(act.log_prob())), source="C-025")
disorder_each = Claim(
    "It is the sum of log(sigma) + (1 + log(2 pi)) / 2,",
    Equal(Value(entropy), (log_sd + (1 + log(2 * pi)) / 2).sum()),
    source="C-025",
)
more = Claim(
    "so its gradient is 1 by each logarithm and 0 by the mean.",
    Equal(Gradient(entropy), array(*[0] * d, *[1] * d)),
    source="C-025",
)
disorder_full = Claim(
    "With a full covariance it is log det K + d (1 + log(2 pi)) / 2.",
    source="C-025",
    that=Equal(Value(entropy_correlated), sum(log(K[i, i]) for i in range(d)) + d * (1 + log(2 * pi)) / 2),
)
more_full = Claim(
    "What K has below its diagonal does not move it.", Equal(Gradient(entropy_correlated, L), identity / L), source="C-025"
)

# One coordinate, and a reward -(x - c)^2.
worth = Claim("J = -(m - c)^2 - sigma^2.", Equal(J, -((m - c) ** 2) - sigma**2), source="C-027")
slope = Claim("REINFORCE is unbiased for the mean", Equal(Mean(Gradient(reinforce, m)), Gradient(J, m)), source="C-026")
slope_sigma = Claim("and for sigma.", Equal(Mean(Gradient(reinforce, sigma)), Gradient(J, sigma)), source="C-027")
drawn = Claim(
    "Samples say so too.",
    by=("integrated", "sampled"),
    resolution=0.05,
    at=Point(m=1, c=0, sigma=half),
    source="C-027",
    that=Equal(Mean(Gradient(reinforce, sigma)), Gradient(J, sigma)),
)
truncated = Claim(
    "Without the log-determinant the mean's gradient is the same,",
    source="C-027",
    that=Equal(Mean(Gradient(reinforce_quadratic, m)), Gradient(J, m)),
)
truncated_sigma = Claim(
    "that of sigma is off by J / sigma: -((m - c)^2 + 3 sigma^2) / sigma.",
    source="C-027",
    that=Equal(Mean(Gradient(reinforce_quadratic, sigma)), -((m - c) ** 2 + 3 * sigma**2) / sigma),
)
leaning = Claim(
    "What shows it: what is left of the score has mean 1 / sigma, not 0.",
    source="C-027",
    that=Equal(Mean(Gradient(quadratic_alone, sigma)), 1 / sigma),
)
scatter = Claim(
    "The estimate by the mean has variance ((m - c)^4 + 14 (m - c)^2 sigma^2 + 15 sigma^4) / sigma^2.",
    source="C-029",
    that=Equal(Covariance(Gradient(reinforce, m)), ((m - c) ** 4 + 14 * (m - c) ** 2 * sigma**2 + 15 * sigma**4) / sigma**2),
)
worth_by_logarithm = Claim(
    "With sigma = exp(y) it is -(m - c)^2 - exp(2 y).", Equal(J_by_logarithm, -((m - c) ** 2) - exp(2 * y)), source="C-027"
)
logged = Claim(
    "By log(sigma) the gradient of J is -2 sigma^2: sigma times that by sigma.",
    source="C-027",
    that=Equal(Gradient(J_by_logarithm, y), -2 * exp(2 * y)),
)
positive = Claim(
    "A step of the logarithm leaves a deviation positive: sigma exp(-2 rate sigma^2).",
    source="C-027",
    that=Equal(Value(after_a_step_of_the_logarithm), sigma * exp(-2 * rate * sigma**2)),
)
shorter = Claim("A short step of sigma itself does too,", Equal(Value(after_a_step), (1 - 2 * rate) * sigma), source="C-027")
negative = Claim("a long one does not.", Raises(after_a_step, ValueError), at=Point(sigma=1, rate=1), source="C-027")
constant_in_the_mean = Claim(
    "To the mean all but the quadratic form is a constant.",
    Equal(Gradient(correlated, mu), Gradient(quadratic, mu)),
    source="C-025, C-027",
)

# The point of the notes.
notes = Point(a=(1, -2), mu=(half, third), S=((2, half), (half, 1)))
density_there = Claim(
    "At the point of the notes: -443/126 - log(pi) - log(7)/2, where det S = 7/4 and the square of the distance is 443/63.",
    at=notes,
    source="C-025",
    that=Equal(Value(correlated), -Rational(443, 126) - log(2 * pi) - log(Rational(7, 4)) / 2),
)
mean_score_there = Claim("The score of the mean,", Equal(Gradient(correlated, mu), P @ off), at=notes, source="C-026")
free_score_there = Claim("of the covariance,", Equal(Gradient(correlated, S), score_of_S), at=notes, source="C-028")
symmetric_score_there = Claim(
    "and of its lower triangle.",
    Equal(Gradient(correlated_below, S), lower * (2 - identity) * score_of_S),
    at=notes,
    source="C-028",
)

# Two normal numbers need not be normal together.
normal_too = Claim(
    "A normal number times a fair sign is normal: its moment generating function is exp(t^2 / 2).",
    source="C-029",
    that=Equal(E(exp(t * second)), exp(t**2 / 2)),
)
one = Claim("Where the toss is 1 they are one number.", Equal(E(toss * (second - first) ** 2), 0), source="C-029")
uncorrelated = Claim(
    "They are uncorrelated, and their squares are equal.",
    source="C-029",
    that=Equal(array(E(first * second), E((first**2 - second**2) ** 2)), 0),
)
too_heavy = Claim(
    "Their sum has variance 2 and fourth moment 24, twice the 3 * 2^2 of a normal number.",
    source="C-029",
    that=Equal(array(E((first + second) ** 2), E((first + second) ** 4)), array(2, 2 * 3 * 2**2)),
)

# What is printed and wrong.
halved = Erratum(
    "The score of the mean is -S^-1 (f - a) / 2.",
    source="C-026",
    instead=mean_score,
    that=Equal(Gradient(correlated, mu), -(P @ (mu - a)) / 2),
)
wrong_order = Erratum(
    "The Jacobian of the mean stands as it is.",
    source="C-026",
    instead=network_score,
    that=Equal(Gradient(behind_tanh, bias), slopes @ P @ (a - f)),
)
wrong_norm = Erratum(
    "The norm of f - a is (f - a)^T S (f - a).",
    source="C-025",
    instead=density,
    that=Equal(Value(correlated), -(d * log(2 * pi) + log_det + off @ S @ off) / 2),
)
constant = Erratum(
    "All but the quadratic form is a constant.",
    source="C-025, C-027",
    instead=free_score,
    that=Equal(Gradient(correlated, S), Gradient(quadratic, S)),
)
learned = Erratum(
    "It may be left out when the deviation is learned.",
    source="C-027",
    instead=slope_sigma,
    that=Equal(Mean(Gradient(reinforce_quadratic, sigma)), Gradient(J, sigma)),
)
single_entries = Erratum(
    "The gradient by the lower triangle of a covariance is that by free entries.",
    source="C-028",
    instead=symmetric_score,
    that=Equal(Gradient(correlated_below, S), lower * score_of_S),
)
same_step = Erratum(
    "The gradient by log(sigma) is that by sigma.",
    source="C-027",
    instead=logged,
    that=Equal(Gradient(J_by_logarithm, y), -2 * exp(y)),
)
definition = Erratum(
    "Coordinates that are normal, and their covariance, make them normal together.",
    source="C-029",
    instead=too_heavy,
    that=Equal(E((first + second) ** 4), 3 * E((first + second) ** 2) ** 2),
)
independent_then = Erratum(
    "Normal numbers without correlation are independent.",
    source="C-029",
    instead=uncorrelated,
    that=Equal(E(first**2 * second**2), E(first**2) * E(second**2)),
)
best_action = Erratum(
    "The mean is the policy's best action.", AtMost(-((t - c) ** 2), -((m - c) ** 2)), source="C-029", instead=mode
)


# Why, for any number of coordinates n: the precision is U U^T, U lower triangular, and e the action less the mean.
h, i, j, k, n = symbols("h i j k n", integer=True)
A, M, U, V, ell = (IndexedBase(name, real=True) for name in ("a", "mu", "U", "Lambda", "ell"))


def e(index):
    return A[index] - M[index]


def total(term, index):
    return Sum(term, (index, 0, n - 1))


no_half = Derivation(
    "The score of the mean",
    Derivative(-total(total(V[i, j] * e(i) * e(j), j), i) / 2, M[k]),
    (
        (total(V[k, j] * e(j), j) / 2 + total(V[i, k] * e(i), i) / 2, "each of the two factors carries the mean"),
        (total((V[k, j] + V[j, k]) / 2 * e(j), j), "the mean of the precision and its transpose, which is the precision"),
    ),
    sizes={n: (1, 2, 3, 4), k: (0,)},
    source="C-026",
)
by_root = Derivation(
    "The score of the mean by a root of the precision",
    Derivative(-total(total(U[i, k] * e(i), i) ** 2, k) / 2, M[j]),
    (
        (total(U[j, k] * total(U[i, k] * e(i), i), k), "the square gives a 2"),
        (total(total(U[j, k] * U[i, k], k) * e(i), i), "where the inner sum is the precision"),
    ),
    sizes={n: (1, 2, 3, 4), j: (0,)},
    source="C-026",
)
each_alone = Derivation(
    "The score of the logarithm of a deviation",
    Derivative(-total(ell[i] + e(i) ** 2 * exp(-2 * ell[i]) / 2, i), ell[k]),
    (
        (-1 + e(k) ** 2 * exp(-2 * ell[k]), "only its own coordinate sees it"),
        (Named("z_k", e(k) / exp(ell[k]))[()] ** 2 - 1, "the square of the standardised action, less 1"),
    ),
    sizes={n: (1, 2, 4), k: (0,)},
    source="C-027",
)
of_a_root = Derivation(
    "The score of a root of the precision",
    Derivative(total(log(U[i, i]), i) - total(total(U[i, k] * e(i), i) ** 2, k) / 2, U[j, h]),
    (
        (
            KroneckerDelta(j, h) / U[j, j] - e(j) * total(U[i, h] * e(i), i),
            "the log-determinant sees the diagonal, the square a column",
        ),
    ),
    sizes={n: (2, 3, 4), j: (0, 1), h: (0, 1)},
    source="C-028",
)
free_entries = array(*S.array.ravel())


# For two coordinates: l is the log-density, D = log det S, Q the squared distance, P the inverse of S, and v = P (a - mu).
log_density, det_D, distance_Q = (Named(name, x)[()] for name, x in (("l", by_hand), ("D", log_det), ("Q", distance)))
precision_P, pulled = Named("P", P), Named("v", P @ off)


def slopes_of(formula):
    return array(*(Derivative(formula, entry) for entry in free_entries))


of_covariance_itself = Derivation(
    "The score of the covariance",
    slopes_of(log_density),
    (
        (-slopes_of(det_D) / 2 - slopes_of(distance_Q) / 2, "l is -(D + Q) / 2 and a constant, which has none"),
        (-precision_P.array.ravel() / 2 - slopes_of(distance_Q) / 2, "Jacobi: the derivative of log det S is S^-1"),
        (-precision_P.array.ravel() / 2 + (pulled[:, None] * pulled).ravel() / 2, "the derivative of S^-1 is -S^-1 dS S^-1"),
    ),
    at={"a": (1, 2), "mu": (0, 0), "S": ((2, 1), (1, 1))},
    source="C-028",
)


# What people get wrong, and the claim that must catch it.
def variance(log_sd):
    return (2 * log_sd).exp()


def half_deviation(log_sd):
    return (log_sd / 2).exp()


def not_exponentiated(log_sd):
    return torch.nn.functional.softplus(log_sd)


def detached_spread(log_sd):
    return log_sd.exp().detach()


def mean_over_coordinates(mu, log_sd, a):
    return torch.distributions.Normal(mu, log_sd.exp()).log_prob(a).mean(-1)


def summed_over_everything(mu, log_sd, a):  # one number for a batch
    return torch.distributions.Normal(mu, log_sd.exp()).log_prob(a).sum()


def half_in_the_score(mu, log_sd, a):
    return (torch.distributions.Normal(mu, log_sd.exp()).log_prob(a)).sum(-1) / 2


def probability(mu, log_sd, a):
    return torch.distributions.Normal(mu, log_sd.exp()).log_prob(a).exp().sum(-1)


def shared_deviation(mu, log_sd, a):
    return torch.distributions.Normal(mu, log_sd.mean().exp()).log_prob(a).sum(-1)


def deviation_cubed(mu, log_sd, a):  # the log-determinant is counted twice
    return independent(mu, log_sd, a) - log_sd.sum()


def no_log_determinant(mu, log_sd, a):
    return -0.5 * (((a - mu) / log_sd.exp()) ** 2).sum(-1)


def drawn_by_the_policy(mu, log_sd, a):  # the action moves with the mean
    moved = mu + (a - mu).detach()
    return independent(mu, log_sd, moved)


def column(mu, log_sd, acts, advantage):  # (N,) times (N, 1) is (N, N)
    return -(independent(mu, log_sd, acts) * advantage[:, None]).mean()


def sum_of_the_batch(mu, log_sd, acts, advantage):
    return -(independent(mu, log_sd, acts) * advantage).sum()


def ascent(mu, log_sd, acts, advantage):
    return (independent(mu, log_sd, acts) * advantage).mean()


def covariance_as_precision(mu, S, a):
    return torch.distributions.MultivariateNormal(mu, precision_matrix=S).log_prob(a)


def covariance_as_factor(mu, S, a):
    return torch.distributions.MultivariateNormal(mu, scale_tril=S.tril()).log_prob(a)


def diagonal_only(mu, S, a):
    return torch.distributions.Normal(mu, S.diagonal().sqrt()).log_prob(a).sum(-1)


def lower_only(mu, S, a):  # the upper triangle is a constant
    return correlated(mu, S.tril() + S.triu(1).detach(), a)


def factor_as_covariance(mu, L, a):
    below = L.tril()
    return correlated(mu, below + below.tril(-1).mT + 4 * torch.eye(len(mu)), a)


def factor_transposed(mu, L, a):
    return correlated(mu, L.tril().mT @ L.tril(), a)


def sample_by_the_transpose(mu, L, noise):
    return mu + L.tril().mT @ noise


def nats_of_the_mean(log_sd):
    return torch.distributions.Normal(0.0, log_sd.exp()).entropy().mean(-1)


def entropy_without_the_half(log_sd):
    return (log_sd + 0.5 * torch.log(torch.tensor(2 * torch.pi))).sum(-1)


def log_det_of_the_covariance(mu, L):
    return L.tril().diagonal().log().sum() * 2 + len(mu) * (1 + torch.log(torch.tensor(2 * torch.pi))) / 2


def reward_seen(m, sigma, c, x):  # the reward of the mean
    return torch.distributions.Normal(m, sigma).log_prob(x) * -((m.detach() - c) ** 2)


problem = Problem(
    title="Gaussian policies",
    claims=(
        density,
        law,
        by_factor,
        product,
        no_correlation,
        no_correlation_slope,
        mode,
        differentiated,
        mean_score,
        mean_score_below,
        mean_score_each,
        linear_score,
        network_score,
        free_score,
        symmetric_score,
        law_score,
        factor_score,
        chained,
        log_score,
        deviation_score,
        log_variance_score,
        softplus_score,
        batched,
        batched_slope,
        in_every_sample,
        centred,
        centred_factor,
        sampled,
        moments,
        information,
        information_each,
        disorder,
        disorder_each,
        more,
        disorder_full,
        more_full,
        worth,
        slope,
        slope_sigma,
        drawn,
        truncated,
        truncated_sigma,
        leaning,
        scatter,
        worth_by_logarithm,
        logged,
        positive,
        shorter,
        negative,
        constant_in_the_mean,
        density_there,
        mean_score_there,
        free_score_there,
        symmetric_score_there,
        normal_too,
        one,
        uncorrelated,
        too_heavy,
    ),
    errata=(
        halved,
        wrong_order,
        wrong_norm,
        constant,
        learned,
        single_entries,
        same_step,
        definition,
        independent_then,
        best_action,
    ),
    derivations=(no_half, by_root, each_alone, of_a_root, of_covariance_itself),
    corners=(notes,),
    points=4,
    mistakes=(
        Mistake("variance for the deviation", {spread: variance}, breaks=mean_score_each),
        Mistake("half the logarithm", {spread: half_deviation}, breaks=log_score),
        Mistake("softplus where exp was meant", {spread: not_exponentiated}, breaks=product),
        Mistake("deviation detached", {spread: detached_spread}, breaks=log_score, source="C-027"),
        Mistake("mean over the coordinates", {independent: mean_over_coordinates}, breaks=product),
        Mistake("sum over the batch too", {independent: summed_over_everything}, breaks=batched),
        Mistake("the spurious one half", {independent: half_in_the_score}, breaks=mean_score_each, source="C-026"),
        Mistake("probability for its logarithm", {independent: probability}, breaks=mean_score_each),
        Mistake("one deviation for all", {independent: shared_deviation}, breaks=product),
        Mistake("log-determinant twice", {independent: deviation_cubed}, breaks=log_score),
        Mistake("log-determinant dropped", {independent: no_log_determinant}, breaks=log_score, source="C-027"),
        Mistake("sample not detached", {independent: drawn_by_the_policy}, breaks=mean_score_each),
        Mistake("(N,) times (N, 1)", {loss: column}, breaks=batched_slope),
        Mistake("sum over the batch", {loss: sum_of_the_batch}, breaks=batched_slope),
        Mistake("ascent", {loss: ascent}, breaks=batched_slope),
        Mistake("covariance as the precision", {correlated: covariance_as_precision}, breaks=mean_score),
        Mistake("covariance as its factor", {correlated: covariance_as_factor}, breaks=density),
        Mistake("correlations dropped", {correlated: diagonal_only}, breaks=mean_score),
        Mistake("half of the entries detached", {correlated: lower_only}, breaks=free_score, source="C-028"),
        Mistake("the quadratic form alone", {correlated: quadratic}, breaks=free_score, source="C-027"),
        Mistake(
            "the whole matrix for its lower triangle", {correlated_below: correlated}, breaks=symmetric_score, source="C-028"
        ),
        Mistake("K^T K for K K^T", {triangular: factor_transposed}, breaks=mean_score_below),
        Mistake("factor as a covariance", {triangular: factor_as_covariance}, breaks=factor_score),
        Mistake("noise by K^T", {sample: sample_by_the_transpose}, breaks=sampled),
        Mistake("mean entropy of the coordinates", {entropy: nats_of_the_mean}, breaks=disorder),
        Mistake("1/2 lost in the entropy", {entropy: entropy_without_the_half}, breaks=disorder),
        Mistake("log det S for log det K", {entropy_correlated: log_det_of_the_covariance}, breaks=disorder_full),
        Mistake("reward of the mean", {reinforce: reward_seen}, breaks=slope),
    ),
)
