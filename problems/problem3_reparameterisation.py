"""Two estimators of one gradient: by the score, and by the path.

A number x is drawn from a Gaussian with mean mu and standard deviation sigma, and mu is to make E[x^2] small. The score
estimator averages x^2 (x - mu) / sigma^2. The pathwise one writes x = mu + sigma eps and averages 2 x. Both have the mean
2 mu; at mu = 2 and sigma = 1 their variances are 87 and 4, divided by the number of data. The listing's functions leave
sigma out, and are right where it is 1. The path is not always the better way: for sin 3x it is the noisier of the two, and
for a step it is wrong.
"""

import ast

import numpy as np
from sympy import Derivative, Function, IndexedBase, Integral, KroneckerDelta, Rational, Sum, diff, oo, pi, symbols

from gradcheck_rl import (
    AtMost, Claim, Covariance, Derivation, Differs, Draw, E, Equal, Erratum, Gaussian, Gradient, Mean, Mistake, Normal, Parameter, Point, Problem,
    Raises, Size, Uniform, Value, Variable, Within, array, batch, cos, exp, sin, sqrt, step, torch,
)

# The setting.
N = Size("N", 3, also=(2,))
mu = Parameter("mu", over=Normal(1.5))
sigma = Variable("sigma", over=Uniform(0.4, 2))
b = Variable("b", over=Uniform(-2, 6))
c = Variable("c", 5)
x = Draw("x", Gaussian(mu, sigma))
eps = Draw("eps", Gaussian(0, 1))
data, noise = batch(x, N), batch(eps, N)
listed = batch(Draw("x", Gaussian(mu, 1)), N)  # the listing's own data: sigma is 1

# The objective, and one term of each estimator of its gradient.
J = E(x ** 2)
z = (x - mu) / sigma
made = mu + sigma * eps
by_score, by_path = x ** 2 * z / sigma, 2 * made


def variance(term):
    return E(term ** 2) - E(term) ** 2


spread_score, spread_path, spread_baseline = variance(by_score), variance(by_path), variance((x ** 2 - b) * z / sigma)
excess = E((by_score - E(by_score)) ** 4) / spread_score ** 2 - 3

# Other objectives: a polynomial, a wave, a step.
powers = array(*(x ** k for k in range(5)))
slopes = array(*(k * made ** max(k - 1, 0) for k in range(5)))
J_polynomial = E((c * powers).sum())
landing = Draw("landing", Gaussian(mu, sigma), breaks=lambda at: ((0,),))
J_step = E(step(landing))


# What a student writes, in numpy: the listing's two functions, right where sigma is 1, and the same for any sigma.
def naive_grad(x, mu):
    return np.mean(x ** 2 * (x - mu))


def reparam_grad(eps, mu):
    return np.mean(2 * (eps + mu))


def score_grad(x, mu, sigma):
    return np.mean(x ** 2 * (x - mu)) / sigma ** 2


def path_grad(eps, mu, sigma):
    return np.mean(2 * (mu + sigma * eps))


def numpy_variance(x, mu):  # over the terms, as the listing does over its repetitions
    return np.var(x ** 2 * (x - mu))


def sample_variance(x, mu):
    return np.var(x ** 2 * (x - mu), ddof=1)


# And in torch: losses, whose gradients are the estimators.
def log_density(mu, sigma, x):
    return torch.distributions.Normal(mu, sigma).log_prob(x)


def move(mu, sigma, eps):
    return mu + sigma * eps


def score(mu, sigma, x, log_density=log_density):
    return x ** 2 * log_density(mu, sigma, x)


def pathwise(mu, sigma, eps, move=move):
    return move(mu, sigma, eps) ** 2


def with_baseline(mu, sigma, b, x, log_density=log_density):
    return (x ** 2 - b) * log_density(mu, sigma, x)


def batch_mean(mu, sigma, x, log_density=log_density):
    return ((x ** 2 - (x ** 2).mean()) * log_density(mu, sigma, x)).mean()


def leave_one_out(mu, sigma, x, log_density=log_density):
    others = ((x ** 2).sum() - x ** 2) / (len(x) - 1)
    return ((x ** 2 - others) * log_density(mu, sigma, x)).mean()


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


def printed_listing():
    return len(ast.parse(PRINTED).body)


# mu and sigma on the page, and another sigma.
published, elsewhere = Point(mu=2, sigma=1), Point(mu=2, sigma=Rational(1, 2))

# The means.
tied = Claim("By the score: the gradient is E[x^2 (x - mu)] / sigma^2.", Equal(Value(E(by_score)), Gradient(J)), source="A-039")
made_of_noise = Claim("By the path: it is E[2 (mu + sigma eps)].", Equal(Value(E(by_path)), Gradient(J)), source="A-040")
slope = Claim("Both are 2 mu.", Equal(Gradient(J), 2 * mu), source="A-039, A-040")
score_right = Claim("The score estimator is unbiased,", Equal(Mean(Gradient(score)), Gradient(J)), source="A-039")
path_right = Claim("and so is the pathwise one.", Equal(Mean(Gradient(pathwise)), Gradient(J)), source="A-040")
score_drawn, path_drawn = (
    Claim(
        f"Samples say so too, {way}.", Equal(Mean(Gradient(f)), Gradient(J)), at=elsewhere, by=("integrated", "sampled"), resolution=0.05,
        source=source,
    ) for way, f, source in (("of the score", score, "A-039"), ("of the path", pathwise, "A-040"))
)
score_mean = Claim("A mean of N score terms has that mean, for any sigma and N.", Equal(Mean(Value(score_grad), over=data), 2 * mu), source="A-042")
path_mean = Claim("A mean of N pathwise terms has it too.", Equal(Mean(Value(path_grad), over=noise), 2 * mu), source="A-043")
bottom = Claim("E[x^2] = mu^2 + sigma^2,", Equal(Value(J), mu ** 2 + sigma ** 2), source="A-041")
least = Claim("which is least at mu = 0.", AtMost(sigma ** 2, Value(J)), source="A-041")
flat = Claim("The gradient is zero there,", Equal(Gradient(J), 0), where=Equal(mu, 0), source="A-041")
restless = Claim(
    "and the noise is not: its variance is 15 sigma^2 by the score, 4 sigma^2 by the path.", where=Equal(mu, 0), source="A-041",
    that=Equal(Value(array(spread_score, spread_path)), sigma ** 2 * array(15, 4)),
)

# The variances.
score_noise = (mu ** 4 + 14 * mu ** 2 * sigma ** 2 + 15 * sigma ** 4) / sigma ** 2
score_variance = Claim("One score term has variance (mu^4 + 14 mu^2 sigma^2 + 15 sigma^4) / sigma^2.", Equal(Value(spread_score), score_noise), source="A-042")
path_variance = Claim("One pathwise term has variance 4 sigma^2, wherever mu is.", Equal(Value(spread_path), 4 * sigma ** 2), source="A-043")
score_scatter = Claim("The gradients of the score loss scatter so,", Equal(Covariance(Gradient(score)), score_noise), source="A-042")
path_scatter = Claim("and those of the pathwise loss.", Equal(Covariance(Gradient(pathwise)), 4 * sigma ** 2), source="A-043")
score_over_n = Claim(
    "The mean of N score terms has that variance over N,", Equal(Covariance(Value(score_grad), over=data), score_noise / N), source="A-042, A-045",
)
path_over_n = Claim(
    "and the mean of N pathwise terms 4 sigma^2 / N.", Equal(Covariance(Value(path_grad), over=noise), 4 * sigma ** 2 / N), source="A-043, A-045",
)
gap = Claim(
    "The score is the noisier by (mu^4 + 14 mu^2 sigma^2 + 11 sigma^4) / sigma^2.", source="A-044",
    that=Equal(Value(spread_score - spread_path), (mu ** 4 + 14 * mu ** 2 * sigma ** 2 + 11 * sigma ** 4) / sigma ** 2),
)
better = Claim("So for x^2 the path has the lower variance at every mu and sigma.", AtMost(spread_path, spread_score), source="A-044")

# The listing, at sigma = 1 and elsewhere.
naive_right = Claim("At sigma = 1 the listing's score estimator is unbiased,", Equal(Mean(Value(naive_grad), over=listed), Gradient(J)), source="A-039")
reparam_right = Claim("and its pathwise estimator.", Equal(Mean(Value(reparam_grad), over=noise), Gradient(J)), source="A-040")
naive_noise = Claim(
    "There its variance is (mu^4 + 14 mu^2 + 15) / N,", source="A-042",
    that=Equal(Covariance(Value(naive_grad), over=listed), (mu ** 4 + 14 * mu ** 2 + 15) / N),
)
reparam_noise = Claim("and that of the pathwise one 4 / N.", Equal(Covariance(Value(reparam_grad), over=noise), Rational(4, N)), source="A-043")
naive_elsewhere = Claim(
    "At another sigma it is off by the factor sigma^2: its mean is 2 mu sigma^2.", source="A-047",
    that=Equal(Mean(Value(naive_grad), over=data), 2 * mu * sigma ** 2),
)
numpy_expects = Claim(
    "np.var over N repetitions has the mean (1 - 1/N) times the variance,", source="A-046",
    that=Equal(Mean(Value(numpy_variance), over=listed), (mu ** 4 + 14 * mu ** 2 + 15) * Rational(N - 1, N)),
)
unbiased_variance = Claim(
    "and with ddof=1 the variance itself.", Equal(Mean(Value(sample_variance), over=listed), mu ** 4 + 14 * mu ** 2 + 15), source="A-046",
)
fourth = Claim(
    "The fourth central moment of a score term.", source="A-046",
    that=Equal(Value((excess + 3) * spread_score ** 2), 3 * (
        mu ** 8 + 100 * mu ** 6 * sigma ** 2 + 1778 * mu ** 4 * sigma ** 4 + 7260 * mu ** 2 * sigma ** 6 + 3465 * sigma ** 8) / sigma ** 4),
)
off = Value(score_grad) - 2 * mu
calming = Claim(
    "A mean of N terms has the N-th part of the excess kurtosis.", source="A-046", at=elsewhere,
    that=Equal(Mean(off * off * off * off, over=data) * N ** 2 / score_noise ** 2, 3 + excess / N),
)
wobble = Claim(
    "The sample variance of R numbers has the squared relative error 2 / (R - 1) + excess / R.", source="A-046", where=Equal(sigma, 1),
    that=Equal(Covariance(Value(sample_variance), over=listed) / score_noise ** 2, Rational(2, N - 1) + excess / N),
)

# On the page: mu = 2, sigma = 1; 100 repetitions of 10, 100, 500, 1000 and 5000 data.
eighty_seven = Claim("At mu = 2 the variances are 87 / N", Equal(Covariance(Value(naive_grad), over=listed) * N, 87), at=published, source="A-042")
four = Claim("and 4 / N.", Equal(Covariance(Value(reparam_grad), over=noise) * N, 4), at=published, source="A-043")
ratio = Claim(
    "Their ratio is 87/4, for every N.", at=published, source="A-044",
    that=Equal(Covariance(Value(score_grad), over=data) / Covariance(Value(path_grad), over=noise), Rational(87, 4)),
)
both_four = Claim("The mean of the pathwise estimator is 4, whatever sigma is.", Equal(Mean(Value(path_grad), over=noise), 4), at=published, source="A-043")
heavy = Claim("A score term has kurtosis 67609 / 2523, a pathwise one 3.", at=published, source="A-046", that=Equal(
    Value(array(excess + 3, E((by_path - 4) ** 4) / spread_path ** 2)), (Rational(67609, 2523), 3)))


def relative_error(excess, size):  # of the sample variance of 100 means of so many terms
    return sqrt(Rational(2, 99) + excess * Rational(1, 100 * size))


wide = Claim(
    "Two standard errors of the listing's score variance are 42 % at 10 data,", at=published, source="A-045, A-046",
    that=Within(Value(2 * relative_error(excess, 10)), (Rational(415, 1000), Rational(425, 1000))),
)
narrow = Claim(
    "and 28 to 29 % from 500 on, as they are by the path for any number.", at=published, source="A-045, A-046",
    that=Within(Value(array(*(2 * relative_error(excess, n) for n in (500, 1000, 5000)), 2 * relative_error(0, 10))), (Rational(284, 1000), Rational(288, 1000))),
)
unreadable = Claim("The listing as printed is no Python: its indentation is lost.", Raises(printed_listing, IndentationError), source="A-052")

# Baselines.
best = mu ** 2 + 3 * sigma ** 2
harmless = Claim("A constant baseline leaves the mean alone.", Equal(Mean(Gradient(with_baseline)), Gradient(J)), source="A-049")
parabola = Claim(
    "With it the variance is (b^2 - 2 b (mu^2 + 3 sigma^2)) / sigma^2 more.", source="A-049",
    that=Equal(Value(spread_baseline - spread_score), b * (b - 2 * best) / sigma ** 2),
)
parabola_drawn = Claim(
    "The gradients of the loss scatter so.", source="A-049",
    that=Equal(Covariance(Gradient(with_baseline)), score_noise + b * (b - 2 * best) / sigma ** 2),
)


def with_constant(level):
    return variance((x ** 2 - level) * z / sigma)


optimum = Claim("It is least at b = mu^2 + 3 sigma^2.", AtMost(with_constant(best), spread_baseline), source="A-049")
levels = Claim(
    "At that b it is 8 mu^2 + 6 sigma^2; at b = E[x^2] 8 mu^2 + 10 sigma^2; at b = mu^2 8 mu^2 + 15 sigma^2.", source="A-049",
    that=Equal(Value(array(*map(with_constant, (best, mu ** 2 + sigma ** 2, mu ** 2)))), 8 * mu ** 2 + sigma ** 2 * array(6, 10, 15)),
)
never = Claim("So no constant baseline reaches the path.", AtMost(4 * sigma ** 2, spread_baseline), source="A-049")
figures_of_b = Claim(
    "At mu = 2, sigma = 1 the baselines 0, 4, 5, 7 leave the variance 87, 47, 42, 38.", at=published, source="A-049",
    that=Equal(Value(array(*map(with_constant, (0, 4, 5, 7)))), (87, 47, 42, 38)),
)
hermite = array(z, z ** 2 - 1, z ** 3 - 3 * z)
weights = array(mu ** 2 / sigma + 3 * sigma, 2 * mu, sigma)
decomposed = Claim(
    "A score term is 2 mu + (mu^2 / sigma + 3 sigma) z + 2 mu (z^2 - 1) + sigma (z^3 - 3 z), in every sample.", source="A-050",
    that=Equal(Value(by_score), 2 * mu + (weights * hermite).sum()),
)
apart = Claim("The parts are uncorrelated: their variances 1, 2 and 6 times the weights squared add up.", source="A-050", that=Equal(
    Covariance(Value(weights * hermite)), [weights[i] ** 2 * (1, 2, 6)[i] if i == j else 0 for i in range(3) for j in range(3)]))
best_is_linear = Claim(
    "The optimal baseline takes away the part in z, and no more.", source="A-050",
    that=Equal(Value(by_score - best * z / sigma), 2 * mu + (weights[1:] * hermite[1:]).sum()),
)
cubic_part = Claim(
    "Without the part in z^2 - 1 too, 6 sigma^2 is left.", source="A-050",
    that=Equal(Value(variance(by_score - (weights[:2] * hermite[:2]).sum())), 6 * sigma ** 2),
)
no_part = Claim("Without all three, nothing is left.", Equal(Value(variance(by_score - (weights * hermite).sum())), 0), source="A-050")
path_part = Claim("A pathwise term is 2 mu + 2 sigma eps: it has a part in eps alone.", Equal(Value(by_path), 2 * mu + 2 * sigma * eps), source="A-050")
own_mean = Claim(
    "The mean of the batch as its baseline takes the share 1/N of the gradient away.", source="A-051",
    that=Equal(Mean(Gradient(batch_mean), over=data), Gradient(J) * Rational(N - 1, N)),
)
others_mean = Claim("The mean of the others takes nothing.", Equal(Mean(Gradient(leave_one_out), over=data), Gradient(J)), source="A-051")

# Beyond x^2.
score_any = Claim("For any polynomial the score is unbiased,", Equal(Mean(Gradient(score_of_polynomial)), Gradient(J_polynomial)), source="A-044")
path_any = Claim("and so is the path.", Equal(Mean(Gradient(path_of_polynomial)), Gradient(J_polynomial)), source="A-044")
score_any_proved = Claim("E[f z / sigma] is the gradient,", Equal(Value(E((c * powers).sum() * z / sigma)), Gradient(J_polynomial)), source="A-044")
path_any_proved = Claim("and E[f'].", Equal(Value(E((c * slopes).sum())), Gradient(J_polynomial)), source="A-044")


def of_degree(n):  # what the path and the score scatter by, for a polynomial
    return variance((c * slopes)[: n + 1].sum()), variance((c * powers)[: n + 1].sum() * z / sigma)


up_to_three = Claim("Up to degree three the path has the lower variance.", AtMost(*of_degree(3)), source="A-044")
quartic = published.but(mu=0, c=(15, 0, -10, 0, 1))
from_four = Claim(
    "For x^4 - 10 x^2 + 15 at mu = 0, sigma = 1 it has the higher: 160 against 120.", at=quartic, source="A-044",
    that=Equal(Value(array(*of_degree(4))), (160, 120)),
)
wave, fade = 3 * cos(3 * mu) * exp(-9 * sigma ** 2 / 2), cos(6 * mu) * exp(-18 * sigma ** 2)
sine_slope = Claim("For sin 3x the gradient is 3 cos(3 mu) exp(-9 sigma^2 / 2), by the score", Equal(Mean(Gradient(score_of_sine)), wave), source="A-044")
sine_path = Claim("and by the path.", Equal(Mean(Gradient(path_of_sine)), wave), source="A-044")
sine_score_noise = (1 - (1 - 36 * sigma ** 2) * fade) / (2 * sigma ** 2) - wave ** 2
sine_path_noise = Rational(9, 2) * (1 + fade) - wave ** 2
sine_noise = Claim(
    "There a score term has variance (1 - (1 - 36 sigma^2) cos(6 mu) exp(-18 sigma^2)) / (2 sigma^2) less the squared mean,", source="A-044",
    that=Equal(Covariance(Gradient(score_of_sine)), sine_score_noise),
)
sine_path_noisy = Claim(
    "and a pathwise one 9/2 (1 + cos(6 mu) exp(-18 sigma^2)) less the squared mean.", source="A-044",
    that=Equal(Covariance(Gradient(path_of_sine)), sine_path_noise),
)
nine = Claim(
    "At mu = 0, sigma = 1 the path is nine times as noisy, to a few parts in a thousand.", at=published.but(mu=0), source="A-044",
    that=Within(Covariance(Gradient(path_of_sine)) / Covariance(Gradient(score_of_sine)), (9, Rational(91, 10))),
)
edge = Claim("For a step the gradient is the density at the edge,", Equal(Gradient(J_step), exp(-mu ** 2 / (2 * sigma ** 2)) / (sigma * sqrt(2 * pi))), source="A-044")
edge_score = Claim("and the score estimates it.", Equal(Mean(Gradient(score_of_step)), Gradient(J_step)), source="A-044")
edge_path = Claim("Through a step no path leads: every pathwise sample is zero.", Equal(Gradient(path_of_step), 0), source="A-044")

# What is printed and wrong, or often said.
no_sigma = Erratum("E[x^2 (x - mu)] is the gradient, whatever sigma is.", Equal(Value(E(x ** 2 * (x - mu))), Gradient(J)), source="A-039", instead=tied)
naive_any = Erratum(
    "The listing's naive_grad gives the gradient for its variable sigma.", at=elsewhere, source="A-047",
    that=Equal(Mean(Value(naive_grad), over=data), Gradient(J)), instead=naive_elsewhere,
)
reparam_any = Erratum(
    "The listing's reparam_grad is the pathwise estimator for its variable sigma.", at=elsewhere, source="A-048",
    that=Equal(Covariance(Value(reparam_grad), over=noise), 4 * sigma ** 2 / N), instead=reparam_noise,
)
always = Erratum("Reparameterisation lowers the variance.", AtMost(Covariance(Gradient(path_of_sine)), Covariance(Gradient(score_of_sine))),
                 at=published.but(mu=0), source="A-044", instead=better)
smooth = Erratum("It lowers it for every polynomial.", AtMost(*of_degree(4)), at=quartic, source="A-044", instead=up_to_three)
through = Erratum("The path estimates the gradient of a step.", Equal(Mean(Gradient(path_of_step)), Gradient(J_step)), source="A-044", instead=edge_score)
biased = Erratum(
    "np.var over the repetitions is an unbiased estimate.", at=published, source="A-046",
    that=Equal(Mean(Value(numpy_variance), over=listed), mu ** 4 + 14 * mu ** 2 + 15), instead=numpy_expects,
)
mean_is_best = Erratum("The best baseline is the mean reward.", AtMost(with_constant(J), spread_baseline), at=published.but(b=7), source="A-049", instead=optimum)
unharmed = Erratum("The mean of the batch is a harmless baseline.", Equal(Mean(Gradient(batch_mean), over=data), Gradient(J)), source="A-051", instead=own_mean)
vanishes = Erratum("At the optimum the noise vanishes.", Equal(Value(spread_path), 0), where=Equal(mu, 0), source="A-041", instead=restless)


# Why.
by_the_score = Derivation("The gradient, by the score", J.diff(mu[()]), (
    (E(x ** 2 * diff(x.log_prob(), mu[()])), "the density carries mu, and its derivative is the density times that of its logarithm"),
    (E(x ** 2 * (x - mu)) / sigma ** 2, "the logarithm is -(x - mu)^2 / (2 sigma^2) and what does not see mu"),
    (E(x ** 3 - mu * x ** 2) / sigma ** 2, "multiplied out"),
    (2 * mu, "the moments are mu^3 + 3 mu sigma^2 and mu^2 + sigma^2"),
), source="A-039")
by_the_path = Derivation("The gradient, by the path", J.diff(mu[()]), (
    (E(made ** 2).diff(mu[()]), "x = mu + sigma eps, and the law of eps does not see mu"),
    (E(diff(made ** 2, mu[()])), "so the derivative may go inside"),
    (E(2 * made), "of the square"),
    (2 * mu, "eps has mean zero"),
), source="A-040")
scattered = Derivation("The variance of a score term", variance(by_score), (
    (E((weights * hermite).sum() ** 2), "a score term less its mean, in parts of degree one, two and three in z"),
    ((weights ** 2 * array(1, 2, 6)).sum(), "the parts are uncorrelated, with variances 1, 2 and 6"),
    (score_noise, "added up"),
), source="A-042, A-050")
i, j, n = symbols("i j n", integer=True, positive=True)
v = symbols("v", positive=True)
averaged = Derivation("The variance of a mean of n independent terms", Sum(Sum(v * KroneckerDelta(i, j), (j, 1, n)), (i, 1, n)) / n ** 2, (
    (Sum(v, (i, 1, n)) / n ** 2, "only a term and itself go together"),
    (v / n, "there are n of them"),
), sizes={n: (2, 3, 10)}, source="A-045")


# What people get wrong, and the claim that must catch it.
def pulled_away(x, mu):
    return np.mean(x ** 2 * (mu - x))


def unsquared(x, mu):
    return np.mean(x * (x - mu))


def unweighted(x, mu):
    return np.mean(x ** 2)


def summed(x, mu):
    return np.sum(x ** 2 * (x - mu))


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
    return np.mean(2 * (mu + sigma ** 2 * eps))


def variance_for_deviation(mu, sigma, x):
    return torch.distributions.Normal(mu, sigma ** 2).log_prob(x)


def density(mu, sigma, x):
    return log_density(mu, sigma, x).exp()


def sampled_without_gradient(mu, sigma, eps):
    return (mu + sigma * eps).detach()


def baseline_of_the_sample(mu, sigma, b, x):
    return (x ** 2 - b * x) * log_density(mu, sigma, x)


problem = Problem(
    title="Reparameterisation",
    claims=(
        tied, made_of_noise, slope, score_right, path_right, score_drawn, path_drawn, score_mean, path_mean, bottom, least, flat, restless,
        score_variance, path_variance, score_scatter, path_scatter, score_over_n, path_over_n, gap, better,
        naive_right, reparam_right, naive_noise, reparam_noise, naive_elsewhere, numpy_expects, unbiased_variance, fourth, calming, wobble,
        eighty_seven, four, ratio, both_four, heavy, wide, narrow, unreadable,
        harmless, parabola, parabola_drawn, optimum, levels, never, figures_of_b, decomposed, apart, best_is_linear, cubic_part, no_part, path_part,
        own_mean, others_mean, score_any, path_any, score_any_proved, path_any_proved, up_to_three, from_four,
        sine_slope, sine_path, sine_noise, sine_path_noisy, nine, edge, edge_score, edge_path,
    ),
    errata=(no_sigma, naive_any, reparam_any, always, smooth, through, biased, mean_is_best, unharmed, vanishes),
    derivations=(by_the_score, by_the_path, scattered, averaged),
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
    corners=(published, elsewhere, Point(mu=0, sigma=2)),
    points=3,
)
