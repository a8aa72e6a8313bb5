"""Two estimators of one gradient: by the score, and by the path.

A number x is drawn from a Gaussian with mean mu and standard deviation sigma, and mu is to make E[x^2] small. The score
estimator averages x^2 (x - mu) / sigma^2. The pathwise one writes x = mu + sigma eps and averages 2 x. Both have the mean
2 mu; at mu = 2 and sigma = 1 their variances are 87 and 4, divided by the number of data. The listing's functions leave
sigma out, and are right where it is 1. The path is not always the better way: for sin 3x it is the noisier of the two, and
for a step it is wrong.
"""

import ast

import numpy as np
from sympy import Derivative, KroneckerDelta, Rational, Sum, pi, symbols

from gradcheck_rl import (
    AtMost,
    Claim,
    Covariance,
    Derivation,
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
    Size,
    Uniform,
    Value,
    Variable,
    Within,
    array,
    batch,
    cos,
    diff,
    exp,
    ratio_of_variances,
    sqrt,
    step,
    torch,
    variance_of_means,
)

# The setting.
N = Size("N", 3, also=(2,))
mu = Parameter("mu", over=Normal(1.5))
sigma = Variable("sigma", over=Uniform(0.4, 2))
x = Draw("x", Gaussian(mu, sigma))
eps = Draw("eps", Gaussian(0, 1))
data, noise = batch(x, N), batch(eps, N)
listed = batch(Draw("x", Gaussian(mu, 1)), N)  # the listing's own data: sigma is 1
published, elsewhere, lowest = Point(mu=2, sigma=1), Point(mu=2, sigma=Rational(1, 2)), Point(mu=0, sigma=2)

# The objective, and one term of each estimator of its gradient.
J = E(x**2)
z = (x - mu) / sigma
made = mu + sigma * eps
by_score, by_path = x**2 * z / sigma, 2 * made


def variance(term):
    return E(term**2) - E(term) ** 2


spread_score, spread_path = variance(by_score), variance(by_path)
fourth_moment = E((by_score - E(by_score)) ** 4)
excess = fourth_moment / spread_score**2 - 3

# A constant baseline, and three other objectives: a polynomial, a wave, a step.
b = Variable("b", over=Uniform(-2, 6))
c = Variable("c", 5)
powers = array(*(x**k for k in range(5)))
slopes = array(*(k * made ** max(k - 1, 0) for k in range(5)))
J_polynomial = E((c * powers).sum())
wave, fade = 3 * cos(3 * mu) * exp(-9 * sigma**2 / 2), cos(6 * mu) * exp(-18 * sigma**2)
landing = Draw("landing", Gaussian(mu, sigma), breaks=lambda at: ((0,),))
J_step = E(step(landing))


def with_constant(level):  # the variance of a score term less a baseline
    return variance((x**2 - level) * z / sigma)


def up_to_degree(n):  # the variances of a polynomial's terms: by the path, by the score
    return variance((c * slopes)[: n + 1].sum()), variance((c * powers)[: n + 1].sum() * z / sigma)


# What a student writes, in numpy: the listing's two functions, right where sigma is 1, and the same for any sigma.
def naive_grad(x, mu):
    return np.mean(x**2 * (x - mu))


def reparam_grad(eps, mu):
    return np.mean(2 * (eps + mu))


def score_grad(x, mu, sigma):
    return np.mean(x**2 * (x - mu)) / sigma**2


def path_grad(eps, mu, sigma):
    return np.mean(2 * (mu + sigma * eps))


def numpy_variance(x, mu):  # over the terms, as the listing does over its repetitions
    return np.var(x**2 * (x - mu))


def sample_variance(x, mu):
    return np.var(x**2 * (x - mu), ddof=1)


# And in torch: losses, whose gradients are the estimators.
def log_density(mu, sigma, x):
    return torch.distributions.Normal(mu, sigma).log_prob(x)


def move(mu, sigma, eps):
    return mu + sigma * eps


def score(mu, sigma, x, log_density=log_density):
    return x**2 * log_density(mu, sigma, x)


def pathwise(mu, sigma, eps, move=move):
    return move(mu, sigma, eps) ** 2


def with_baseline(mu, sigma, b, x, log_density=log_density):
    return (x**2 - b) * log_density(mu, sigma, x)


def batch_mean(mu, sigma, x, log_density=log_density):
    return ((x**2 - (x**2).mean()) * log_density(mu, sigma, x)).mean()


def leave_one_out(mu, sigma, x, log_density=log_density):
    others = ((x**2).sum() - x**2) / (len(x) - 1)
    return ((x**2 - others) * log_density(mu, sigma, x)).mean()


def polynomial(c, x):
    return (c * x ** torch.arange(5)).sum()


def score_of_polynomial(c, mu, sigma, x, polynomial=polynomial, log_density=log_density):
    return polynomial(c, x) * log_density(mu, sigma, x)


def path_of_polynomial(c, mu, sigma, eps, polynomial=polynomial, move=move):
    return polynomial(c, move(mu, sigma, eps))


def score_of_sine(mu, sigma, x, log_density=log_density):
    return (3 * x).sin() * log_density(mu, sigma, x)


def path_of_sine(mu, sigma, eps, move=move):
    return (3 * move(mu, sigma, eps)).sin()


def score_of_step(mu, sigma, landing, log_density=log_density):
    return torch.where(landing >= 0, 1.0, 0.0) * log_density(mu, sigma, landing)


def path_of_step(mu, sigma, eps, move=move):
    return torch.where(move(mu, sigma, eps) >= 0, 1.0, 0.0)


# The start of the listing as the text copy has it: the indentation is lost.
PRINTED = "def naive_grad(x, mu):\ngrad = np.mean(x ** 2 * (x - mu))\nreturn grad\n"


def read_listing():
    ast.parse(PRINTED)


def readable():
    try:
        read_listing()
    except SyntaxError:
        return 0.0
    return 1.0


# The means.
score_identity = Claim(
    "By the score: the gradient is E[x^2 (x - mu)] / sigma^2.",
    Equal(Value(E(by_score)), Gradient(J)),
    source="A-039",
)
path_identity = Claim("By the path: it is E[2 (mu + sigma eps)].", Equal(Value(E(by_path)), Gradient(J)), source="A-040")
slope = Claim("Both are 2 mu.", Equal(Gradient(J), 2 * mu), source="A-039, A-040")
score_right = Claim("The score estimator is unbiased,", Equal(Mean(Gradient(score)), Gradient(J)), source="A-039")
path_right = Claim("and so is the pathwise one.", Equal(Mean(Gradient(pathwise)), Gradient(J)), source="A-040")
score_sample = Claim(
    "In every sample the score loss has the gradient x^2 (x - mu) / sigma^2,",
    Equal(Gradient(score), by_score),
    source="A-039",
)
path_sample = Claim("and the pathwise loss 2 (mu + sigma eps).", Equal(Gradient(pathwise), by_path), source="A-040")
score_drawn = Claim(
    "Samples of the score say so too,",
    Equal(Mean(Gradient(score)), Gradient(J)),
    at=elsewhere,
    source="A-039",
    by=("integrated", "sampled"),
    resolution=0.05,
)
path_drawn = Claim(
    "and samples of the path.",
    Equal(Mean(Gradient(pathwise)), Gradient(J)),
    at=elsewhere,
    source="A-040",
    by=("integrated", "sampled"),
    resolution=0.05,
)
score_mean = Claim(
    "A mean of N score terms has the mean 2 mu, for any sigma,",
    source="A-042",
    that=Equal(Mean(Value(score_grad), over=data), 2 * mu),
)
path_mean = Claim("and so has a mean of N pathwise terms.", Equal(Mean(Value(path_grad), over=noise), 2 * mu), source="A-043")
bottom = Claim("E[x^2] = mu^2 + sigma^2,", Equal(Value(J), mu**2 + sigma**2), source="A-041")
least = Claim("which is least at mu = 0.", AtMost(sigma**2, Value(J)), source="A-041")
flat = Claim("The gradient is zero there,", Equal(Gradient(J), 0), at=lowest, source="A-041")
restless = Claim(
    "and the noise is not: its variance is 15 sigma^2 by the score, 4 sigma^2 by the path.",
    at=lowest,
    source="A-041",
    that=Equal(Value(array(spread_score, spread_path)), sigma**2 * array(15, 4)),
)

# The variances.
score_noise = (mu**4 + 14 * mu**2 * sigma**2 + 15 * sigma**4) / sigma**2
path_noise = 4 * sigma**2
score_variance = Claim(
    "One score term has the variance (mu^4 + 14 mu^2 sigma^2 + 15 sigma^4) / sigma^2,",
    source="A-042",
    that=Equal(Value(spread_score), score_noise),
)
path_variance = Claim(
    "and one pathwise term 4 sigma^2, wherever mu is.",
    Equal(Value(spread_path), path_noise),
    source="A-043",
)
score_scatter = Claim("Gradients of the score loss scatter so", Equal(Covariance(Gradient(score)), score_noise), source="A-042")
path_scatter = Claim("and so do those of the pathwise loss.", Equal(Covariance(Gradient(pathwise)), path_noise), source="A-043")
score_over_n = Claim(
    "A mean of N score terms has that variance over N,",
    source="A-042, A-045",
    that=Equal(Covariance(Value(score_grad), over=data), score_noise / N),
)
path_over_n = Claim(
    "and a mean of N pathwise terms 4 sigma^2 / N.",
    source="A-043, A-045",
    that=Equal(Covariance(Value(path_grad), over=noise), path_noise / N),
)
gap = Claim(
    "The score is the noisier, by (mu^4 + 14 mu^2 sigma^2 + 11 sigma^4) / sigma^2.",
    source="A-044",
    that=Equal(Value(spread_score - spread_path), (mu**4 + 14 * mu**2 * sigma**2 + 11 * sigma**4) / sigma**2),
)
better = Claim(
    "So for x^2 the path has the lower variance at every mu and sigma.",
    AtMost(spread_path, spread_score),
    source="A-044",
)

# The listing, at sigma = 1 and elsewhere. Its figure is made of np.var over 100 repetitions.
listed_noise = mu**4 + 14 * mu**2 + 15
naive_right = Claim(
    "At sigma = 1 the listing's score estimator is unbiased,",
    source="A-039",
    that=Equal(Mean(Value(naive_grad), over=listed), Gradient(J)),
)
reparam_right = Claim("and its pathwise estimator.", Equal(Mean(Value(reparam_grad), over=noise), Gradient(J)), source="A-040")
naive_noise = Claim(
    "There the variance of the one is (mu^4 + 14 mu^2 + 15) / N,",
    source="A-042",
    that=Equal(Covariance(Value(naive_grad), over=listed), listed_noise / N),
)
reparam_noise = Claim(
    "that of the other 4 / N.",
    Equal(Covariance(Value(reparam_grad), over=noise), Rational(4, N)),
    source="A-043",
)
naive_elsewhere = Claim(
    "At another sigma naive_grad has the mean 2 mu sigma^2.",
    source="A-047",
    that=Equal(Mean(Value(naive_grad), over=data), 2 * mu * sigma**2),
)
numpy_expects = Claim(
    "np.var over N numbers has the mean (1 - 1/N) times the variance,",
    source="A-046",
    that=Equal(Mean(Value(numpy_variance), over=listed), listed_noise * Rational(N - 1, N)),
)
unbiased_variance = Claim(
    "and with ddof=1 the variance itself.",
    Equal(Mean(Value(sample_variance), over=listed), listed_noise),
    source="A-046",
)
fourth = Claim(
    "A score term has this fourth central moment.",
    source="A-046",
    that=Equal(
        Value(fourth_moment),
        3 / sigma**4 * (mu**8 + 100 * mu**6 * sigma**2 + 1778 * mu**4 * sigma**4 + 7260 * mu**2 * sigma**6 + 3465 * sigma**8),
    ),
)


def fourth_power(q):
    return q * q * q * q


calming = Claim(
    "A mean of N terms has an N-th of the excess kurtosis.",
    at=elsewhere,
    source="A-046",
    that=Equal(Mean(fourth_power(Value(score_grad) - 2 * mu), over=data) * N**2 / score_noise**2, 3 + excess / N),
)


def squared_error(count, excess):  # of a sample variance of so many numbers, relative
    return Rational(2, count - 1) + excess * Rational(1, count)


def two_errors(excess, size):  # over 100 means of so many terms, whose excess kurtosis is an N-th
    return 2 * sqrt(squared_error(100, excess * Rational(1, size)))


wobble = Claim(
    "A sample variance of R numbers has the squared relative error 2 / (R - 1) + excess / R.",
    at=published,
    source="A-046",
    that=Equal(Covariance(Value(sample_variance), over=listed) / listed_noise**2, squared_error(N, excess)),
)


wide = Claim(
    "So at 10 data two standard errors of the listing's score variance are 42 %,",
    at=published,
    source="A-045, A-046",
    that=Within(Value(two_errors(excess, 10)), (Rational(415, 1000), Rational(425, 1000))),
)
narrow = Claim(
    "from 500 data on 28 to 29 %, as by the path for any number.",
    at=published,
    source="A-045, A-046",
    that=Within(
        Value(array(*(two_errors(excess, n) for n in (500, 1000, 5000)), two_errors(0, 10))),
        (Rational(284, 1000), Rational(288, 1000)),
    ),
)
eighty_seven = Claim(
    "At mu = 2 and sigma = 1 the variances are 87 / N",
    Equal(Covariance(Value(naive_grad), over=listed) * N, 87),
    at=published,
    source="A-042",
)
four = Claim("and 4 / N.", Equal(Covariance(Value(reparam_grad), over=noise) * N, 4), at=published, source="A-043")
ratio = Claim(
    "Their ratio is 87/4, for every N.",
    at=published,
    source="A-044",
    that=Equal(Covariance(Value(score_grad), over=data) / Covariance(Value(path_grad), over=noise), Rational(87, 4)),
)
heavy = Claim(
    "A score term has the kurtosis 67609 / 2523, a pathwise one 3.",
    at=published,
    source="A-046",
    that=Equal(Value(array(excess + 3, E((by_path - 4) ** 4) / spread_path**2)), (Rational(67609, 2523), 3)),
)
score_is_four = Claim(
    "Both means are 4: by the score,",
    Equal(Mean(Value(score_grad), over=data), 4),
    at=published,
    source="A-042",
)
path_is_four = Claim("and by the path.", Equal(Mean(Value(path_grad), over=noise), 4), at=published, source="A-043")
row = Rows(x=((1, 2, 4),), eps=((-1, 0, 2),))
on_data = Claim(
    "The data 1, 2, 4 give 31/3 by the score,",
    Equal(Mean(Value(naive_grad), over=row), Rational(31, 3)),
    at=published,
    source="A-039",
)
on_noise = Claim(
    "the noise -1, 0, 2 gives 14/3 by the path.",
    Equal(Mean(Value(reparam_grad), over=row), Rational(14, 3)),
    at=published,
    source="A-040",
)
on_data_elsewhere = Claim(
    "At sigma = 1/2 they give 124/3",
    Equal(Mean(Value(score_grad), over=row), Rational(124, 3)),
    at=elsewhere,
    source="A-047",
)
on_noise_elsewhere = Claim("and 13/3.", Equal(Mean(Value(path_grad), over=row), Rational(13, 3)), at=elsewhere, source="A-048")
unreadable = Claim(
    "The listing as printed is no Python: its indentation is lost.",
    Raises(read_listing, IndentationError),
    source="A-052",
)

# Baselines.
best = mu**2 + 3 * sigma**2
harmless = Claim("A constant baseline leaves the mean alone.", Equal(Mean(Gradient(with_baseline)), Gradient(J)), source="A-049")
parabola = Claim(
    "It adds b (b - 2 (mu^2 + 3 sigma^2)) / sigma^2 to the variance.",
    source="A-049",
    that=Equal(Value(with_constant(b) - spread_score), b * (b - 2 * best) / sigma**2),
)
parabola_scatter = Claim(
    "The gradients of the loss scatter so.",
    source="A-049",
    that=Equal(Covariance(Gradient(with_baseline)), score_noise + b * (b - 2 * best) / sigma**2),
)
optimum = Claim("The best is b = mu^2 + 3 sigma^2.", AtMost(with_constant(best), with_constant(b)), source="A-049")
three_levels = (best, mu**2 + sigma**2, mu**2)
levels = Claim(
    "It leaves 8 mu^2 + 6 sigma^2; E[x^2] leaves 8 mu^2 + 10 sigma^2, and mu^2 leaves 8 mu^2 + 15 sigma^2.",
    source="A-049",
    that=Equal(Value(array(*map(with_constant, three_levels))), 8 * mu**2 + sigma**2 * array(6, 10, 15)),
)
never = Claim("So no constant baseline reaches the path.", AtMost(path_noise, with_constant(b)), source="A-049")
four_levels = Claim(
    "At mu = 2, sigma = 1 the baselines 0, 4, 5, 7 leave 87, 47, 42, 38.",
    at=published,
    source="A-049",
    that=Equal(Value(array(*map(with_constant, (0, 4, 5, 7)))), (87, 47, 42, 38)),
)
hermite, sizes_of_parts = array(z, z**2 - 1, z**3 - 3 * z), (1, 2, 6)
weights = array(mu**2 / sigma + 3 * sigma, 2 * mu, sigma)
decomposed = Claim(
    "A score term is 2 mu + (mu^2 / sigma + 3 sigma) z + 2 mu (z^2 - 1) + sigma (z^3 - 3 z), in every sample.",
    source="A-050",
    that=Equal(Value(by_score), 2 * mu + (weights * hermite).sum()),
)
apart = Claim(
    "The three parts do not correlate: their variances are 1, 2 and 6 times the weights squared.",
    source="A-050",
    that=Equal(
        Covariance(Value(weights * hermite)),
        [weights[i] ** 2 * sizes_of_parts[i] if i == j else 0 for i in range(3) for j in range(3)],
    ),
)
best_is_linear = Claim(
    "The best baseline takes away the part in z, and nothing else.",
    source="A-050",
    that=Equal(Value(by_score - best * z / sigma), 2 * mu + (weights[1:] * hermite[1:]).sum()),
)
cubic_part = Claim(
    "Without the part in z^2 - 1 too, 6 sigma^2 is left.",
    source="A-050",
    that=Equal(Value(variance(by_score - (weights[:2] * hermite[:2]).sum())), 6 * sigma**2),
)
no_part = Claim(
    "Without all three, nothing is left.",
    Equal(Value(variance(by_score - (weights * hermite).sum())), 0),
    source="A-050",
)
path_part = Claim("A pathwise term has the part in eps alone.", Equal(Value(by_path), 2 * mu + 2 * sigma * eps), source="A-050")
own_mean = Claim(
    "The mean of the batch as a baseline takes an N-th of the gradient away.",
    source="A-051",
    that=Equal(Mean(Gradient(batch_mean), over=data), Gradient(J) * Rational(N - 1, N)),
)
others_mean = Claim(
    "The mean of the others takes nothing.",
    Equal(Mean(Gradient(leave_one_out), over=data), Gradient(J)),
    source="A-051",
)
others_noise = (8 * mu**2 + 10 * sigma**2) / N + (8 * mu**2 + 2 * sigma**2) / (N * (N - 1))
others_scatter = Claim(
    "It leaves what E[x^2] would, over N, and (8 mu^2 + 2 sigma^2) / (N (N - 1)) for not knowing it.",
    source="A-049, A-051",
    that=Equal(Covariance(Gradient(leave_one_out), over=data), others_noise),
)

# Beyond x^2.
score_any = Claim(
    "For any polynomial f the score is unbiased,",
    source="A-044",
    that=Equal(Mean(Gradient(score_of_polynomial)), Gradient(J_polynomial)),
)
path_any = Claim("and so is the path.", Equal(Mean(Gradient(path_of_polynomial)), Gradient(J_polynomial)), source="A-044")
score_any_identity = Claim(
    "E[f z / sigma] is the gradient,",
    Equal(Value(E((c * powers).sum() * z / sigma)), Gradient(J_polynomial)),
    source="A-044",
)
path_any_identity = Claim("and E[f'] is.", Equal(Value(E((c * slopes).sum())), Gradient(J_polynomial)), source="A-044")
straight = Claim(
    "For c_0 + c_1 x a pathwise term does not vary, and a score term by 2 c_1^2 + (c_0 + c_1 mu)^2 / sigma^2.",
    source="A-044",
    that=Equal(Value(array(*up_to_degree(1))), (0, 2 * c[1] ** 2 + (c[0] + c[1] * mu) ** 2 / sigma**2)),
)
up_to_three = Claim("Up to degree three the path has the lower variance.", AtMost(*up_to_degree(3)), source="A-044")
quartic = published.but(mu=0, c=(15, 0, -10, 0, 1))
from_four = Claim(
    "For x^4 - 10 x^2 + 15 at mu = 0, sigma = 1 it has the higher: 160 against 120.",
    at=quartic,
    source="A-044",
    that=Equal(Value(array(*up_to_degree(4))), (160, 120)),
)
sine_score = Claim(
    "For sin 3x the gradient is 3 cos(3 mu) exp(-9 sigma^2 / 2): by the score",
    source="A-044",
    that=Equal(Mean(Gradient(score_of_sine)), wave),
)
sine_path = Claim("and by the path.", Equal(Mean(Gradient(path_of_sine)), wave), source="A-044")
sine_score_noise = Claim(
    "A score term has the variance (1 - (1 - 36 sigma^2) cos(6 mu) exp(-18 sigma^2)) / (2 sigma^2) less the squared mean,",
    Equal(Covariance(Gradient(score_of_sine)), (1 - (1 - 36 * sigma**2) * fade) / (2 * sigma**2) - wave**2),
    source="A-044",
)
sine_path_noise = Claim(
    "a pathwise one 9/2 (1 + cos(6 mu) exp(-18 sigma^2)) less the squared mean.",
    source="A-044",
    that=Equal(Covariance(Gradient(path_of_sine)), Rational(9, 2) * (1 + fade) - wave**2),
)
nine = Claim(
    "At mu = 0, sigma = 1 the path is nine times as noisy.",
    at=published.but(mu=0),
    source="A-044",
    that=Within(Covariance(Gradient(path_of_sine)) / Covariance(Gradient(score_of_sine)), (9, Rational(91, 10))),
)
edge = Claim(
    "For a step the gradient is the density at the edge,",
    source="A-044",
    that=Equal(Gradient(J_step), exp(-(mu**2) / (2 * sigma**2)) / (sigma * sqrt(2 * pi))),
)
edge_score = Claim("and the score estimates it.", Equal(Mean(Gradient(score_of_step)), Gradient(J_step)), source="A-044")
edge_path = Claim(
    "Over a step no path leads: every pathwise sample is zero,",
    Equal(Gradient(path_of_step), 0),
    source="A-044",
)
edge_value = Claim("though each has the value of the step.", Equal(Value(path_of_step), step(made)), source="A-044")

# What is printed and wrong, or often said.
no_sigma = Erratum(
    "E[x^2 (x - mu)] is the gradient, whatever sigma is.",
    source="A-039",
    that=Equal(Value(E(x**2 * (x - mu))), Gradient(J)),
    instead=score_identity,
)
vanishes = Erratum(
    "At the optimum the noise vanishes.",
    Equal(Value(spread_path), 0),
    at=lowest,
    source="A-041",
    instead=restless,
)
always = Erratum(
    "Reparameterisation lowers the variance.",
    at=published.but(mu=0),
    source="A-044",
    that=AtMost(Covariance(Gradient(path_of_sine)), Covariance(Gradient(score_of_sine))),
    instead=better,
)
smooth = Erratum("It does for every polynomial.", AtMost(*up_to_degree(4)), at=quartic, source="A-044", instead=up_to_three)
through = Erratum(
    "The path estimates the gradient of a step.",
    at=published.but(mu=Rational(1, 2)),
    source="A-044",
    that=Equal(Mean(Gradient(path_of_step)), Gradient(J_step)),
    instead=edge_score,
)
biased = Erratum(
    "np.var over the repetitions estimates the variance without bias.",
    at=published,
    source="A-046",
    that=Equal(Mean(Value(numpy_variance), over=listed), listed_noise),
    instead=numpy_expects,
)
naive_any = Erratum(
    "naive_grad returns the gradient for the listing's variable sigma.",
    at=elsewhere,
    source="A-047",
    that=Equal(Mean(Value(naive_grad), over=data), Gradient(J)),
    instead=naive_elsewhere,
)
reparam_any = Erratum(
    "reparam_grad is the pathwise estimator for the listing's variable sigma.",
    at=elsewhere,
    source="A-048",
    that=Equal(Covariance(Value(reparam_grad), over=noise), path_noise / N),
    instead=reparam_noise,
)
mean_is_best = Erratum(
    "The best baseline is the mean reward.",
    at=published.but(b=7),
    source="A-049",
    that=AtMost(with_constant(J), with_constant(b)),
    instead=optimum,
)
unharmed = Erratum(
    "The mean of the batch is a harmless baseline.",
    source="A-051",
    that=Equal(Mean(Gradient(batch_mean), over=data), Gradient(J)),
    instead=own_mean,
)
runs = Erratum("The listing runs as printed.", Equal(Value(readable), 1), at=published, source="A-052", instead=unreadable)


# Why.
by_the_score = Derivation(
    "The gradient, by the score",
    J.diff(mu[()]),
    (
        (E(x**2 * diff(x.log_prob(), mu[()])), "mu is in the density alone, whose slope is itself times its logarithm's"),
        (E(x**2 * (x - mu)) / sigma**2, "of the logarithm, -(x - mu)^2 / (2 sigma^2) alone sees mu"),
        (E(x**3 - mu * x**2) / sigma**2, "multiply out"),
        (2 * mu, "the moments are mu^3 + 3 mu sigma^2 and mu^2 + sigma^2"),
    ),
    at={"mu": 1},
    source="A-039",
)
by_the_path = Derivation(
    "The gradient, by the path",
    J.diff(mu[()]),
    (
        (E(made**2).diff(mu[()]), "x = mu + sigma eps"),
        (E(Derivative(made**2, mu[()])), "the law of eps does not see mu: the derivative may go inside"),
        (E(2 * made), "differentiate the square"),
        (2 * mu, "eps has mean zero"),
    ),
    source="A-040",
)
scattered = Derivation(
    "The variance of a score term",
    spread_score,
    (
        (E((weights * hermite).sum() ** 2), "a term less its mean is a sum of three parts"),
        ((weights**2 * array(*sizes_of_parts)).sum(), "they do not correlate"),
        (score_noise, "multiply out"),
    ),
    at={"mu": 1, "sigma": 1},
    source="A-042, A-050",
)
i, j, n = symbols("i j n", integer=True, positive=True)
v, m = symbols("v m", positive=True)
averaged = Derivation(
    "The variance of the mean of n independent terms",
    Sum(Sum(v * KroneckerDelta(i, j), (j, 1, n)), (i, 1, n)) / n**2,
    (
        (Sum(v, (i, 1, n)) / n**2, "a term correlates with itself alone"),
        (v / n, "there are n of them"),
    ),
    sizes={n: (2, 3, 10)},
    source="A-045",
)
divided = Derivation(
    "What np.var expects of n terms with mean m and variance v",
    v + m**2 - (v / n + m**2),
    ((v * (1 - 1 / n), "it is the mean of the squares less the square of the mean, whose own variance is v / n"),),
    source="A-046",
)


# The figure: the variance over 100 repetitions against the number of data, sampled and exact.
def study(problem, seed):
    sizes = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    return variance_of_means(problem, seed, {"score": by_score, "path": by_path}, at=published, sizes=sizes, runs=100)


def ratios(problem, seed):
    return ratio_of_variances(*study(problem, seed).values())


def draw_curve(curve, ax, colour, line, mark, exact, sampled, band):
    ax.fill_between(curve["size"], curve["low"], curve["high"], color=colour, alpha=0.2, linewidth=0, label=band)
    ax.plot(curve["size"], curve["exact"], line, color=colour, label=exact)
    ax.plot(curve["size"], curve["sampled"], mark, color=colour, markerfacecolor="white", label=sampled)
    ax.set(xscale="log", yscale="log", xlabel="number of data N")


def draw_variances(curves, ax):
    draw_curve(curves["score"], ax, "#14315f", "-", "o", "by the score, exact: 87 / N", "sampled, 100 repetitions", None)
    draw_curve(curves["path"], ax, "#c8742a", "--", "s", "by the path, exact: 4 / N", "sampled, 100 repetitions", None)
    ax.set(ylabel="variance of the estimate", title="Two estimates of one gradient, mu = 2, sigma = 1")
    ax.legend(frameon=False)


def draw_ratio(curve, ax):
    draw_curve(curve, ax, "#333333", "-", "o", "exact: 87 / 4", "sampled, 100 repetitions", "95 of 100 samples lie here")
    ax.set_yticks([10, 15, 20, 30, 40], labels=["10", "15", "20", "30", "40"])
    ax.set_yticks([], minor=True)
    ax.set(ylim=(10, 50), ylabel="variance by the score / by the path", title="The ratio of their variances")
    ax.legend(frameon=False, loc="upper right", ncols=2)


# What people get wrong, and the claim that must catch it.
def pulled_away(x, mu):
    return np.mean(x**2 * (mu - x))


def unsquared(x, mu):
    return np.mean(x * (x - mu))


def unweighted(x, mu):
    return np.mean(x**2)


def summed(x, mu):
    return np.sum(x**2 * (x - mu))


def mean_forgotten(eps, mu):
    return np.mean(2 * eps)


def two_forgotten(eps, mu):
    return np.mean(eps + mu)


def not_differentiated(eps, mu):
    return np.mean((eps + mu) ** 2)


def gradient_by_sigma(eps, mu):
    return np.mean(2 * eps * (eps + mu))


def one_noise_for_all(eps, mu):
    return np.mean(2 * (eps[0] + mu) + 0 * eps)


def sigma_forgotten(x, mu, sigma):
    return naive_grad(x, mu)


def sigma_not_squared(x, mu, sigma):
    return naive_grad(x, mu) / sigma


def noise_not_scaled(eps, mu, sigma):
    return reparam_grad(eps, mu)


def noise_scaled_by_variance(eps, mu, sigma):
    return np.mean(2 * (mu + sigma**2 * eps))


def variance_for_deviation(mu, sigma, x):
    return torch.distributions.Normal(mu, sigma**2).log_prob(x)


def density(mu, sigma, x):
    return log_density(mu, sigma, x).exp()


def sampled_without_gradient(mu, sigma, eps):
    return (mu + sigma * eps).detach()


def baseline_of_the_sample(mu, sigma, b, x):
    return (x**2 - b * x) * log_density(mu, sigma, x)


problem = Problem(
    title="Reparameterisation",
    claims=(
        score_identity,
        path_identity,
        slope,
        score_right,
        path_right,
        score_sample,
        path_sample,
        score_drawn,
        path_drawn,
        score_mean,
        path_mean,
        bottom,
        least,
        flat,
        restless,
        score_variance,
        path_variance,
        score_scatter,
        path_scatter,
        score_over_n,
        path_over_n,
        gap,
        better,
        naive_right,
        reparam_right,
        naive_noise,
        reparam_noise,
        naive_elsewhere,
        numpy_expects,
        unbiased_variance,
        fourth,
        calming,
        wobble,
        wide,
        narrow,
        eighty_seven,
        four,
        ratio,
        heavy,
        score_is_four,
        path_is_four,
        on_data,
        on_noise,
        on_data_elsewhere,
        on_noise_elsewhere,
        unreadable,
        harmless,
        parabola,
        parabola_scatter,
        optimum,
        levels,
        never,
        four_levels,
        decomposed,
        apart,
        best_is_linear,
        cubic_part,
        no_part,
        path_part,
        own_mean,
        others_mean,
        others_scatter,
        score_any,
        path_any,
        score_any_identity,
        path_any_identity,
        straight,
        up_to_three,
        from_four,
        sine_score,
        sine_path,
        sine_score_noise,
        sine_path_noise,
        nine,
        edge,
        edge_score,
        edge_path,
        edge_value,
    ),
    errata=(
        no_sigma,
        vanishes,
        always,
        smooth,
        through,
        biased,
        naive_any,
        reparam_any,
        mean_is_best,
        unharmed,
        runs,
    ),
    derivations=(by_the_score, by_the_path, scattered, averaged, divided),
    figures=(Figure("variance", study, draw_variances), Figure("ratio", ratios, draw_ratio)),
    mistakes=(
        Mistake("sign of the score", {naive_grad: pulled_away}, breaks=naive_right, source="A-039"),
        Mistake("x for x^2", {naive_grad: unsquared}, breaks=naive_right, source="A-039"),
        Mistake("the score forgotten", {naive_grad: unweighted}, breaks=naive_right, source="A-039"),
        Mistake("sum instead of mean", {naive_grad: summed}, breaks=naive_right, source="A-039"),
        Mistake("mu forgotten", {reparam_grad: mean_forgotten}, breaks=reparam_right, source="A-040"),
        Mistake("factor 2 forgotten", {reparam_grad: two_forgotten}, breaks=reparam_right, source="A-040"),
        Mistake("the square itself", {reparam_grad: not_differentiated}, breaks=reparam_right, source="A-040"),
        Mistake("the gradient by sigma", {reparam_grad: gradient_by_sigma}, breaks=reparam_right, source="A-040"),
        Mistake("one noise for the whole batch", {reparam_grad: one_noise_for_all}, breaks=reparam_noise, source="A-043"),
        Mistake("1 / sigma^2 forgotten, as in the listing", {score_grad: sigma_forgotten}, breaks=score_mean, source="A-047"),
        Mistake("1 / sigma for 1 / sigma^2", {score_grad: sigma_not_squared}, breaks=score_mean, source="A-047"),
        Mistake("noise not scaled, as in the listing", {path_grad: noise_not_scaled}, breaks=path_over_n, source="A-048"),
        Mistake("noise scaled by the variance", {path_grad: noise_scaled_by_variance}, breaks=path_over_n, source="A-048"),
        Mistake("ddof forgotten", {sample_variance: numpy_variance}, breaks=unbiased_variance, source="A-046"),
        Mistake("variance for standard deviation", {log_density: variance_for_deviation}, breaks=score_right, source="A-039"),
        Mistake("density for its logarithm", {log_density: density}, breaks=score_right, source="A-039"),
        Mistake("sampled without gradient", {move: sampled_without_gradient}, breaks=path_right, source="A-040"),
        Mistake("baseline sees the sample", {with_baseline: baseline_of_the_sample}, breaks=harmless, source="A-049"),
        Mistake("the sample in its own baseline", {leave_one_out: batch_mean}, breaks=others_mean, source="A-051"),
    ),
    corners=(published, elsewhere, lowest),
    points=3,
)
