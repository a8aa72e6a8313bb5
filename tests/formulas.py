"""Pairs of formulas, each with its truth from a book or by hand: what an honest student may write, and what comes close to it.

Nothing here was copied from what the program says. docs/verdicts.md is what it says of every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradcheck_rl import Categorical, Draw, LogRational, Masks, OneOf, Uniform, Variable, softmax
from gradcheck_rl.grading.formula import parse
from gradcheck_rl.grading.meaning import index
from gradcheck_rl.grading.tex import parse_tex

from . import reading


@cache
def names() -> Mapping[str, Any]:
    """x, y, z real; a, b, c, sigma positive; p, q in (0, 1); v negative; h with |h| < 1; vectors w, R, the mask m, a policy P."""
    w, R, m = Variable("w", 3, over=LogRational()), Variable("R", 3), Variable("m", 3, over=Masks())
    policy = softmax(w)
    return {
        **{k: Variable(k) for k in ("x", "y", "z", "mu")},
        **{k: Variable(k, over=Uniform(0.2, 3)) for k in ("a", "b", "c", "sigma")},
        **{k: Variable(k, over=Uniform(0.05, 0.95)) for k in ("p", "q", "gamma")},
        "v": Variable("v", over=Uniform(-3, -0.2)),
        "h": Variable("h", over=Uniform(-0.9, 0.9)),
        "n": Variable("n", over=OneOf(0, 1)),
        "w": w,
        "R": R,
        "m": m,
        "M": Variable("M", (2, 3)),
        "P": policy,
        "Pm": softmax(w, m),
        "i": index("i", 3),
        "act": Draw("act", Categorical(policy)),
    }


# Equal by the identity that is named, wherever the right side has a value.
EQUAL = (
    ("commuted", "x + y", "y + x"),
    ("binomial", "(x + y)^2", "x^2 + 2x y + y^2"),
    ("difference of squares", "(x - y)(x + y)", "x² − y²"),
    ("cube of a sum", "(x + y)^3", "x^3 + 3x^2 y + 3x y^2 + y^3"),
    ("sum of cubes", "x^3 + y^3", "(x + y)(x^2 - x y + y^2)"),
    ("Lagrange's identity", "(x^2 + y^2)(a^2 + b^2)", "(x*a + y*b)^2 + (x*b - y*a)^2"),
    ("distributed minus", "-(x - y)", "y - x"),
    ("factored out", "x*y + x*z", "x(y + z)"),
    ("fractions joined", "1/a + 1/b", "(a + b)/(a*b)"),
    ("fraction of a fraction", "1/(1/a)", "a"),
    ("partial fractions", "1/(a*(a + 1))", "1/a - 1/(a + 1)"),
    ("cancelled", "(x^2 - y^2)/(x - y)", "x + y"),
    ("negative exponent", "a^-2", "1/(a*a)"),
    ("decimal is a fraction", "0.25 x", "x/4"),
    ("decimal is a fraction", "0.1 + 0.2", "0.3"),
    ("scientific", "1E-3 x", "x/1000"),
    ("power of a power", "(a^2)^3", "a^6"),
    ("powers multiply", "a^x a^y", "a^(x + y)"),
    ("power of a product", "(a*b)^x", "a^x b^x"),
    ("power by exp", "a^x", "exp(x*log(a))"),
    ("double star", "x**2", "x^2"),
    ("superscript", "x² + x⁻¹", "(x^3 + 1)/x"),
    ("right associative", "2^3^2", "512"),
    ("minus binds less than power", "-x^2", "-(x^2)"),
    ("completing the square", "x^2 + 2x + 3", "(x + 1)^2 + 2"),
    ("exp of a sum", "exp(x + y)", "exp(x) exp(y)"),
    ("exp of a double", "exp(2x)", "exp(x)^2"),
    ("exp of a negative", "exp(-x)", "1/exp(x)"),
    ("e to the x", "e^x", "exp(x)"),
    ("exp undoes log", "exp(log(a))", "a"),
    ("log undoes exp", "log(exp(x))", "x"),
    ("exp of a multiple of log", "exp(3*log(a))", "a^3"),
    ("log of a product", "log(a*b)", "log(a) + log(b)"),
    ("log of a quotient", "log(a/b)", "log(a) - log(b)"),
    ("log of a power", "log(a^3)", "3*log(a)"),
    ("log of a root", "log(sqrt(a))", "log(a)/2"),
    ("log of an inverse", "log(1/a)", "-log(a)"),
    ("ln is log", "ln(a)", "log(a)"),
    ("log of a square, negative argument", "log(v^2)", "2*log(-v)"),
    ("root of a square, positive", "sqrt(a^2)", "a"),
    ("root of a square, negative", "sqrt(v^2)", "-v"),
    ("root of a square, real", "sqrt(x^2)", "|x|"),
    ("roots multiply", "sqrt(a) sqrt(b)", "sqrt(a*b)"),
    ("root as a power", "√a", "a^(1/2)"),
    ("rationalised", "1/(sqrt(a) + sqrt(b))", "(sqrt(a) - sqrt(b))/(a - b)"),
    ("rationalised number", "1/sqrt(2)", "sqrt(2)/2"),
    ("nested root", "sqrt(3 + 2*sqrt(2))", "1 + sqrt(2)"),
    ("golden ratio", "((1 + sqrt(5))/2)^2", "(3 + sqrt(5))/2"),
    ("Pythagoras", "sin(x)^2 + cos(x)^2", "1"),
    ("function squared", "sin^2(x)", "1 - cos^2 x"),
    ("sine of a double", "sin(2x)", "2*sin(x)*cos(x)"),
    ("cosine of a double", "cos(2x)", "1 - 2*sin(x)^2"),
    ("sine of a sum", "sin(x + y)", "sin x cos y + cos x sin y"),
    ("tangent", "tan(x)", "sin(x)/cos(x)"),
    ("secant squared", "1 + tan(x)^2", "1/cos(x)^2"),
    ("sine to cosine", "sin(x + pi/2)", "cos(x)"),
    ("odd sine", "sin(-x)", "-sin(x)"),
    ("arctangents", "arctan(a) + arctan(1/a)", "π/2"),
    ("arctangents of numbers", "arctan(1) + arctan(2) + arctan(3)", "pi"),
    ("Machin", "16*arctan(1/5) - 4*arctan(1/239)", "pi"),
    ("tanh by exp", "tanh(x)", "(exp(2x) - 1)/(exp(2x) + 1)"),
    ("tanh by exp, other way", "tanh(x)", "(exp(x) - exp(-x))/(exp(x) + exp(-x))"),
    ("tanh by sinh", "tanh(x)", "sinh(x)/cosh(x)"),
    ("tanh of a double", "tanh(2x)", "2*tanh(x)/(1 + tanh(x)^2)"),
    ("tanh of a sum", "tanh(x + y)", "(tanh(x) + tanh(y))/(1 + tanh(x)*tanh(y))"),
    ("odd tanh", "tanh(-x)", "-tanh(x)"),
    ("slope of tanh", "1 - tanh(x)^2", "1/cosh(x)^2"),
    ("slope of tanh, steady", "1 - tanh(x)^2", "4*exp(-2x)/(1 + exp(-2x))^2"),
    ("log of the slope of tanh", "log(1 - tanh(x)^2)", "2*(log(2) - x - softplus(-2x))"),
    ("hyperbolic Pythagoras", "cosh(x)^2 - sinh(x)^2", "1"),
    ("artanh", "artanh(h)", "log((1 + h)/(1 - h))/2"),
    ("tanh of artanh", "tanh(artanh(h))", "h"),
    ("sigmoid", "sigmoid(x)", "exp(x)/(1 + exp(x))"),
    ("sigmoid by tanh", "sigmoid(x)", "(1 + tanh(x/2))/2"),
    ("sigmoid of minus", "sigmoid(-x)", "1 - sigmoid(x)"),
    ("slope of sigmoid", "sigmoid(x)*(1 - sigmoid(x))", "exp(-x)/(1 + exp(-x))^2"),
    ("slope of sigmoid, even", "sigmoid(x)*sigmoid(-x)", "1/(2 + exp(x) + exp(-x))"),
    ("logit", "log(sigmoid(x)/(1 - sigmoid(x)))", "x"),
    ("sigmoid of a logit", "sigmoid(log(p/(1 - p)))", "p"),
    ("softplus", "softplus(x) - softplus(-x)", "x"),
    ("log sigmoid", "log(sigmoid(x))", "-softplus(-x)"),
    ("softplus by log", "softplus(x)", "x + log(1 + exp(-x))"),
    ("softplus of a logit", "softplus(log(p/(1 - p)))", "-log(1 - p)"),
    ("error function", "erf(x) + erfc(x)", "1"),
    ("odd error function", "erf(-x)", "-erf(x)"),
    ("absolute value of a product", "|x*y|", "|x||y|"),
    ("square of an absolute value", "|x|^2", "x^2"),
    ("absolute value of a difference", "|x - y|", "|y - x|"),
    ("absolute value by max", "|x|", "max(x, -x)"),
    ("sign times absolute value", "sign(x)*|x|", "x"),
    ("max by absolute value", "max(x, y)", "(x + y + |x - y|)/2"),
    ("min and max", "min(x, y) + max(x, y)", "x + y"),
    ("min and max multiplied", "min(x, y)*max(x, y)", "x*y"),
    ("min by max", "min(x, y)", "-max(-x, -y)"),
    ("max of three", "max(x, y, z)", "max(x, max(y, z))"),
    ("positive and negative part", "max(x, 0) + min(x, 0)", "x"),
    ("clip", "clip(x, -1, 1)", "max(-1, min(x, 1))"),
    ("clip by absolute values", "clip(x, -1, 1)", "(|x + 1| - |x - 1|)/2"),
    ("max scales", "max(a*x, a*y)", "a*max(x, y)"),
    ("geometric sum", "sum(gamma^k, k, 0, 4)", "(1 - gamma^5)/(1 - gamma)"),
    ("sum of numbers", "sum(k, k, 1, 10)", "55"),
    ("sum of squares", "sum(k^2, k, 1, 10)", "10*11*21/6"),
    ("telescoping sum", "sum(1/(k*(k + 1)), k, 1, 9)", "9/10"),
    ("empty index", "sum(x, k, 1, 3)", "3x"),
    ("nested sums", "sum(sum(R_k*w_j, k), j)", "sum(R)*sum(w)"),
    ("sum over an index", "sum_k P_k R_k", "sum(P*R)"),
    ("sum with its ends", "sum(w[k]*R[k], k, 0, 2)", "w_0 R_0 + w_1 R_1 + w_2 R_2"),
    ("a policy sums to one", "sum(P)", "1"),
    ("a masked policy sums to one", "sum(Pm)", "1"),
    ("the last of a policy", "P_2", "1 - P_0 - P_1"),
    ("softmax", "softmax(w)[i]", "exp(w_i)/sum(exp(w))"),
    ("softmax by differences", "P_i", "1/sum(exp(w - w_i))"),
    ("softmax is shifted", "softmax(w + x)[i]", "P_i"),
    ("log of softmax", "log(P_i)", "w_i - log(sum(exp(w)))"),
    ("ratio of a policy", "P_0/P_1", "exp(w_0 - w_1)"),
    ("policy as a function", "P(i)", "P[i]"),
    ("two actions: sigmoid", "P_0/(P_0 + P_1)", "sigmoid(w_0 - w_1)"),
    ("mean over a draw", "E(R[act])", "sum(P*R)"),
    ("mean of a constant", "E(x)", "x"),
    ("mean is linear", "E(x*R[act] + y)", "x*E(R[act]) + y"),
    ("mean of the score", "E(1 - P[act])", "1 - sum(P^2)"),
    ("variance", "E(R[act]^2) - E(R[act])^2", "E((R[act] - E(R[act]))^2)"),
    ("variance by pairs", "E(R[act]^2) - E(R[act])^2", "sum(sum(P_k*P_j*(R_k - R_j)^2, k), j)/2"),
    ("covariance of the score", "P_i*(R_i - E(R[act]))", "sum(P_i*P_k*(R_i - R_k), k)"),
    ("entropy", "-sum(P*log(P))", "log(sum(exp(w))) - sum(P*w)"),
    ("entropy as a mean", "-E(log(P[act]))", "-sum(P*log(P))"),
    ("log sum exp", "log(sum(exp(w)))", "w_0 + log(1 + exp(w_1 - w_0) + exp(w_2 - w_0))"),
    ("a mask is its square", "sum(m*m*R)", "sum(m*R)"),
    ("a choice of two", "n^2", "n"),
    ("a choice of two in an exponent", "2^n", "1 + n"),
    ("choosing by a bit", "exp(n*x)", "1 - n + n*exp(x)"),
    ("matrix entry", "M[1][2]", "M_12"),
    ("matrix times vector", "sum_k M_0k R_k", "M[0,0]*R[0] + M[0,1]*R[1] + M[0,2]*R[2]"),
    ("vectors", "[x + y, x - y]", "(y + x, -(y - x))"),
    ("vector of a table's row", "M[0]*x", "[x*M_00, x*M_01, x*M_02]"),
    ("scaled vector", "2[x, y]", "[2x, 2y]"),
    ("normal density", "exp(-(x - mu)^2/(2*sigma^2))/(sigma*sqrt(2*pi))", "exp(-((x - mu)/sigma)^2/2)/sqrt(2*pi*sigma^2)"),
    (
        "log of the normal density",
        "log(exp(-(x - mu)^2/(2*sigma^2))/(sigma*sqrt(2*pi)))",
        "-(x - mu)^2/(2*sigma^2) - log(sigma) - log(2*pi)/2",
    ),
    ("score of a normal", "(x - mu)/sigma^2", "((x - mu)/sigma)/sigma"),
    ("Bernoulli variance", "p - p^2", "p(1 - p)"),
    ("Bernoulli score", "1/p + 1/(1 - p)", "1/(p*(1 - p))"),
    ("discounted return", "x + gamma*(y + gamma*z)", "x + gamma*y + gamma^2*z"),
    ("temporal difference", "x + gamma*y - z", "-(z - (x + gamma y))"),
    ("infinite sum in closed form", "1/(1 - gamma)", "1 + gamma/(1 - gamma)"),
    ("infinity", "oo", "2*oo"),
    ("Euler's constant cancels", "e/e^2", "e^-1"),
    ("greek letters", "γ·σ", "gamma*sigma"),
    ("subscripts", "w₀ + w₁", "w_0 + w_1"),
)

# Equal, and typed in LaTeX on the left.
EQUAL_TEX = (
    ("fraction", r"\frac{x}{2}", "x/2"),
    ("short fraction", r"\frac12 x", "x/2"),
    ("fraction times letter", r"\frac{1}{a}x", "x/a"),
    ("nested fractions", r"\frac{1}{1+\frac{1}{a}}", "a/(1 + a)"),
    ("letters multiply", r"xy + 2ab", "x*y + 2*a*b"),
    ("brackets that grow", r"\left(x + \left[y - z\right]\right)^{2}", "(x + y - z)^2"),
    ("root", r"\sqrt{a^2 b}", "a*sqrt(b)"),
    ("cube root", r"\sqrt[3]{a}", "a^(1/3)"),
    ("exponent in braces", r"e^{-\frac{x^2}{2}}", "exp(-x*x/2)"),
    ("exp", r"\exp\left(-\frac{(x-\mu)^2}{2\sigma^2}\right)", "exp(-(x - mu)^2/(2*sigma^2))"),
    ("log of a policy", r"\log P(i)", "w_i - log(sum(exp(w)))"),
    ("powers of functions", r"\tanh^2 x + \frac{1}{\cosh^2 x}", "1"),
    ("sine and cosine", r"\sin x \cos y", "sin(x)*cos(y)"),
    ("sum with a range", r"\sum_{k=0}^{2} P_k R_k", "sum(P*R)"),
    ("sum without one", r"\sum_k P_k \left(R_k - x\right)", "sum(P*R) - x"),
    ("a sum ends at plus", r"\sum_{k} P_k + x", "1 + x"),
    ("sum in a fraction", r"\frac{e^{w_i}}{\sum_k e^{w_k}}", "P_i"),
    ("discounts", r"\sum_{k=0}^{4}\gamma^k", "(1 - gamma^5)/(1 - gamma)"),
    ("expectation", r"\mathbb{E}[R_{act}]", "sum(P*R)"),
    ("absolute value", r"\left|x\right| + \lvert y \rvert", "|x| + |y|"),
    ("maximum", r"\max(x, y) \cdot \min(x, y)", "x*y"),
    ("double index", r"M_{12} + M_{0,1}", "M[1,2] + M[0,1]"),
    ("row index", r"\sum_k M_{0k} R_k", "sum(M[0]*R)"),
    ("column vector", r"\begin{pmatrix} x + y \\ 2 \end{pmatrix}", "[y + x, 2]"),
    ("word", r"\operatorname{sigmoid}(x)\,\mathrm{softplus}(x)", "sigmoid(x)*log(1 + exp(x))"),
    ("pi is the number", r"\frac{1}{\sqrt{2\pi}}", "(2*pi)^(-1/2)"),
    ("times and dot", r"2 \times x \cdot y", "2x*y"),
)

# Not equal: the mistake that is named.
DIFFERENT = (
    ("sign", "x - y", "y - x"),
    ("square of a sum", "(x + y)^2", "x^2 + y^2"),
    ("middle term", "(x + y)^2", "x^2 + x*y + y^2"),
    ("sign of a square", "-x^2", "(-x)^2"),
    ("left associative", "2^3^2", "64"),
    ("inverse of a sum", "1/(a + b)", "1/a + 1/b"),
    ("root of a sum", "sqrt(a + b)", "sqrt(a) + sqrt(b)"),
    ("log of a sum", "log(a + b)", "log(a) + log(b)"),
    ("log of a product", "log(a*b)", "log(a)*log(b)"),
    ("power outside of log", "log(a)^2", "2*log(a)"),
    ("exp of a product", "exp(x*y)", "exp(x)*exp(y)"),
    ("exp of a square", "exp(x^2)", "exp(x)^2"),
    ("root of a square, real", "sqrt(x^2)", "x"),
    ("log without domain", "log(v)", "log(-v)"),
    ("root without domain", "sqrt(v)", "sqrt(-v)"),
    ("pole", "1/n", "1"),
    ("a choice of two, third value's power", "n^2", "2*n"),
    ("sine of a double", "sin(2x)", "2*sin(x)"),
    ("sine squared", "sin(x)^2", "sin(x^2)"),
    ("degrees", "sin(180)", "0"),
    ("22/7", "pi", "22/7"),
    ("355/113", "pi", "355/113"),
    ("3.14159265358979323846", "pi", "3.14159265358979323846"),
    ("Ramanujan's near integer", "exp(pi*sqrt(163))", "262537412640768744"),
    ("nearly pi", "log(640320^3 + 744)/sqrt(163)", "pi"),
    ("nearly one", "x*1.0000000000000000000000001", "x"),
    ("plus 10^-40", "tanh(x) + 10^-40", "(exp(2x) - 1)/(exp(2x) + 1)"),
    ("plus 10^-50 after a transcendental", "sin(x)^2 + cos(x)^2 + 10^-50", "1"),
    ("nearly equal roots", "sqrt(10^20 + 1)", "10^10"),
    ("tanh for sigmoid", "tanh(x)", "sigmoid(x)"),
    ("tanh of a half", "sigmoid(x)", "(1 + tanh(x))/2"),
    ("slope of tanh", "1 - tanh(x)", "1 - tanh(x)^2"),
    ("slope of sigmoid", "sigmoid(x)*(1 + sigmoid(x))", "sigmoid(x)*(1 - sigmoid(x))"),
    ("softplus for its slope", "softplus(x)", "sigmoid(x)"),
    ("relu for softplus", "max(x, 0)", "softplus(x)"),
    ("sign of log sigmoid", "log(sigmoid(x))", "-softplus(x)"),
    ("clip's ends swapped", "clip(x, 1, -1)", "clip(x, -1, 1)"),
    ("min for max", "min(x, y)", "max(x, y)"),
    ("absolute value lost", "|x*y|", "x*y"),
    ("absolute value of a sum", "|x + y|", "|x| + |y|"),
    ("clip one-sided", "clip(x, -1, 1)", "min(x, 1)"),
    ("one term more", "sum(gamma^k, k, 0, 5)", "(1 - gamma^5)/(1 - gamma)"),
    ("one term less", "sum(gamma^k, k, 0, 4)", "(1 - gamma^4)/(1 - gamma)"),
    ("from one", "sum(k, k, 1, 10)", "45"),
    ("product of sums", "sum(P*R)", "sum(P)*sum(R)"),
    ("mean for sum", "sum(R)/3", "sum(R)"),
    ("uniform weights", "E(R[act])", "sum(R)/3"),
    ("a policy not normalised", "exp(w_i)", "P_i"),
    ("mask forgotten", "P_i", "Pm[i]"),
    ("masked, not normalised", "m_i*P_i", "Pm[i]"),
    ("index transposed", "M_01", "M_10"),
    ("index off by one", "w_1", "w_0"),
    ("one entry wrong", "[x, y, z]", "[x, y, -z]"),
    ("entries swapped", "[x, y]", "[y, x]"),
    ("score without the policy", "R_i - E(R[act])", "P_i*(R_i - E(R[act]))"),
    ("baseline with the wrong weight", "P_i*(R_i - sum(R)/3)", "P_i*(R_i - E(R[act]))"),
    ("diagonal of the Jacobian only", "P_i*(1 - P_i)*R_i", "P_i*(R_i - E(R[act]))"),
    ("square of the mean", "E(R[act]^2)", "E(R[act])^2"),
    ("sign of the entropy", "sum(P*log(P))", "-sum(P*log(P))"),
    ("variance for deviation", "(x - mu)/sigma", "(x - mu)/sigma^2"),
    ("factor 2 in the density", "exp(-(x - mu)^2/sigma^2)", "exp(-(x - mu)^2/(2*sigma^2))"),
    ("log sigma lost", "-(x - mu)^2/(2*sigma^2) - log(2*pi)/2", "-(x - mu)^2/(2*sigma^2) - log(sigma) - log(2*pi)/2"),
    ("square outside", "-((x - mu)/(2*sigma))^2", "-(x - mu)^2/(2*sigma^2)"),
    ("sign of the score", "(mu - x)/sigma^2", "(x - mu)/sigma^2"),
    ("Bernoulli variance", "p + p^2", "p*(1 - p)"),
    ("discount squared", "x + gamma*y + gamma*z", "x + gamma*y + gamma^2*z"),
    ("discount on everything", "gamma*(x + y)", "x + gamma*y"),
    ("infinite for finite", "oo", "1/(1 - gamma)"),
    ("finite for infinite", "10^30", "oo"),
    ("a draw's value", "R[act]", "E(R[act])"),
    ("float constant", "0.6931471805599453*x", "log(2)*x"),
)

# Nobody can tell by these means: the answer's domain is a set of points on which ball arithmetic never decides.
OPEN = (("a root of exactly zero", "x + sqrt(arctan(a) + arctan(1/a) - pi/2)", "x"),)


@dataclass(frozen=True)
class Question:
    """A formula of a problem page, by the claim and the side of it that states it; and what people may answer.

    `entry`: the answer may use the index i, and is compared with that entry. `extra` adds names to those of the page.
    """

    problem: str
    claim: str
    right: tuple[str, ...]
    wrong: tuple[tuple[str, str], ...]
    side: int = 1
    entry: bool = False

    @property
    def expected(self) -> Any:
        whole = reading.problem(self.problem).names[self.claim].that.sides[self.side].of
        return np.asarray(whole).view(type(softmax([1, 2])))[page_names(self.problem)["i"]] if self.entry else whole


@cache
def page_names(problem: str) -> Mapping[str, Any]:
    """The names of a page, and those that its question adds."""
    page = reading.problem(problem)
    known: dict[str, Any] = {**page.bound.names, "i": index("i", 3)}
    if problem == "problem1":
        known |= {"pi": page.names["policy"].that.sides[1].of, "soft": page.names["leaning"].that.sides[1].of}
        known |= {"pi_all": softmax(known["w"] * known["s0"]), "one": np.eye(3, dtype=int)}
    if problem == "problem2":
        U, x, shift = known["U"], known["x"], known["theta_d"]
        multi = [U[j, j] * x[j] + shift[j] for j in range(3)]
        known |= {"pol": softmax(U @ x + shift), "multi": softmax(multi), "one": np.eye(3, dtype=int)}
    return known


def read(problem: str, text: str, tex: bool = False) -> Any:
    known = page_names(problem) if problem else names()
    return (parse_tex if tex or "\\" in text else parse)(text, known)


QUESTIONS = (
    Question(
        "problem1",
        "policy",
        (
            "allowed_i exp(w_i s0)/sum(allowed*exp(w*s0))",
            "allowed[i]*exp(s0*w[i])/sum(allowed[k]*exp(s0*w[k]), k)",
            "allowed_i/sum(allowed*exp((w - w_i)*s0))",
            "allowed_i*exp(w_i s0 - log(sum(allowed*exp(w*s0))))",
            r"\frac{allowed_i e^{w_i s_0}}{\sum_k allowed_k e^{w_k s_0}}",
            "1 - sum(pi) + pi_i",
        ),
        (("mask forgotten", "exp(w_i s0)/sum(exp(w*s0))"), ("not renormalised", "allowed_i*exp(w_i s0)/sum(exp(w*s0))")),
        entry=True,
    ),
    Question(
        "problem1",
        "slope",
        (
            "s0*pi_i*(reward_i - E(reward[action]))",
            "s0 pi_i (reward_i - sum(pi*reward))",
            "s0*sum(pi_i*pi_k*(reward_i - reward_k), k)",
            "s0*pi_i*reward_i*(1 - pi_i) - s0*pi_i*(sum(pi*reward) - pi_i*reward_i)",
            r"s_0\,\pi_i\left(reward_i-\sum_{k=0}^{2}\pi_k\,reward_k\right)",
            "-s0*pi(i)*(E[reward[action]] - reward(i))",
        ),
        (
            ("sign", "s0*pi_i*(sum(pi*reward) - reward_i)"),
            ("price forgotten", "pi_i*(reward_i - sum(pi*reward))"),
            ("mean reward by equal weights", "s0*pi_i*(reward_i - sum(reward)/3)"),
            ("diagonal only", "s0*pi_i*(1 - pi_i)*reward_i"),
            ("data in place of chances", "s0*(reward_i - pi_i*sum(reward))"),
        ),
        entry=True,
    ),
    Question(
        "problem1",
        "slope_all",
        (
            "s0*pi_all*(reward - sum(pi_all*reward))",
            "s0*(pi_all*reward - pi_all*sum(pi_all*reward))",
            "-pi_all*s0*(sum(pi_all*reward) - reward)",
            "s0*softmax(w*s0)*(reward - E(reward[any_action]))",
            "pi_all*[s0*(reward_0 - E(reward[any_action])), s0*(reward_1 - E(reward[any_action])), "
            "s0*(reward_2 - E(reward[any_action]))]",
        ),
        (
            ("masked baseline", "s0*pi_all*(reward - sum(pi*reward))"),
            ("softmax of w", "s0*softmax(w)*(reward - sum(pi_all*reward))"),
        ),
    ),
    Question(
        "problem1",
        "scores",
        (
            "s0*(one[action][i] - pi_i)",
            "s0 (one(i|action) - pi(i))",
            "-s0*(pi_i - one[i, action])",
            "s0*one[action, i] - s0*pi_i",
            r"s_0\left(one_{action,i}-\pi_i\right)",
            "s0*(one(action, i)*(1 - pi_i) - (1 - one(action, i))*pi_i)",
        ),
        (("sign", "s0*(pi_i - one[action, i])"), ("as if it were taken", "s0*(1 - pi_i)"), ("price", "one[action, i] - pi_i")),
        entry=True,
    ),
    Question(
        "problem1",
        "loud",
        (
            "s0^2*(1 - sum(pi^2))",
            "s0²(1 − sum(pi·pi))",
            "s0^2*sum(pi*(1 - pi))",
            "s0^2*E(1 - pi[action])",
            "s0^2*(sum(pi)^2 - sum(pi*pi))",
            r"s_0^2\left(1-\sum_k \pi_k^2\right)",
        ),
        (("price not squared", "s0*(1 - sum(pi^2))"), ("squared sum", "s0^2*(1 - sum(pi)^2)"), ("lost 1", "s0^2*sum(pi^2)")),
    ),
    Question(
        "problem1",
        "leaning",
        (
            "softmax(w*s0 - penalty*(1 - allowed))[i]",
            "exp(w_i s0 - penalty*(1 - allowed_i))/sum(exp(w*s0 - penalty*(1 - allowed)))",
            "exp(w_i s0 + penalty*allowed_i)/sum(exp(w*s0 + penalty*allowed))",
            "1/sum(exp((w - w_i)*s0 + penalty*(allowed - allowed_i)))",
            r"\frac{e^{w_i s_0 - penalty (1 - allowed_i)}}{\sum_k e^{w_k s_0 - penalty (1 - allowed_k)}}",
        ),
        (("sign of C", "softmax(w*s0 + penalty*(1 - allowed))[i]"), ("infinity for C", "pi_i")),
        entry=True,
    ),
    Question(
        "problem1",
        "residue",
        (
            "s0*(pi_i*reward_i - soft_i*sum(pi*reward))",
            "s0*pi_i*reward_i - s0*soft_i*E(reward[action])",
            "s0*sum(pi_k*reward_k*(one[k][i] - soft_i), k)",
            "E(s0*reward[action]*(one[action][i] - soft_i))",
            r"s_0\left(\pi_i reward_i - soft_i\sum_k \pi_k reward_k\right)",
        ),
        (
            ("the policy in both", "s0*pi_i*(reward_i - sum(pi*reward))"),
            ("soft in both", "s0*soft_i*(reward_i - sum(soft*reward))"),
        ),
        entry=True,
    ),
    Question(
        "problem1",
        "parabola",
        (
            "s0^2*(baseline^2*(1 - sum(pi^2)) - 2*baseline*sum(pi*reward*(1 - 2*pi + sum(pi^2))))",
            "s0²·baseline·(baseline·(1 − sum(pi²)) − 2·E(reward[action]·(1 − 2·pi[action] + sum(pi²))))",
            "baseline*(baseline - 2*E(reward[action]*(1 - 2*pi[action] + sum(pi^2)))/(1 - sum(pi^2)))*s0^2*(1 - sum(pi^2))",
            "E(s0^2*(1 - 2*pi[action] + sum(pi^2))*((reward[action] - baseline)^2 - reward[action]^2))",
            "sum(pi*(1 - 2*pi + sum(pi^2))*((reward - baseline)^2 - reward^2))*s0^2",
        ),
        (
            ("best is the mean reward", "baseline*(baseline - 2*E(reward[action]))*s0^2*(1 - sum(pi^2))"),
            ("factor 2", "s0^2*(baseline^2*(1 - sum(pi^2)) - baseline*sum(pi*reward*(1 - 2*pi + sum(pi^2))))"),
        ),
    ),
    Question(
        "problem1",
        "divergent",
        (
            "log(sum(allowed)) + sum(pi*log(pi))",
            "log(sum(allowed)) + sum(pi*w)*s0 - log(sum(allowed*exp(w*s0)))",
            "E(w[action])*s0 - log(sum(allowed*exp(w*s0))/sum(allowed))",
            "E(log(pi[action])) + log(sum(allowed))",
            "E(log(pi[action]*sum(allowed)))",
        ),
        (("the entropy", "-sum(pi*log(pi))"), ("three for n", "log(3) + sum(pi*w)*s0 - log(sum(allowed*exp(w*s0)))")),
    ),
    Question(
        "problem2",
        "regions",
        (
            "min(ratio*gain, clip(ratio, 1 - epsilon, 1 + epsilon)*gain)",
            "-max(-ratio*gain, -clip(ratio, 1 - epsilon, 1 + epsilon)*gain)",
            "max(gain, 0)*min(ratio, 1 + epsilon) + min(gain, 0)*max(ratio, 1 - epsilon)",
            "(gain + |gain|)/2*min(ratio, 1 + epsilon) + (gain - |gain|)/2*max(ratio, 1 - epsilon)",
            "min(gain*ratio, gain*max(1 - epsilon, min(1 + epsilon, ratio)))",
            r"\min\left(ratio\, gain,\ gain + \epsilon\left|gain\right|\right)",
        ),
        (
            ("clipped alone", "clip(ratio, 1 - epsilon, 1 + epsilon)*gain"),
            ("max", "max(ratio*gain, clip(ratio, 1 - epsilon, 1 + epsilon)*gain)"),
            ("one side", "min(ratio, 1 + epsilon)*gain"),
        ),
        side=0,
    ),
    Question(
        "problem2",
        "seen",
        (
            "[U[k][0], U[k][1], U[k][2]] - [sum_j pol_j U_j0, sum_j pol_j U_j1, sum_j pol_j U_j2]",
            "U[k] - [sum(pol_j*U_j0, j), sum(pol_j*U_j1, j), sum(pol_j*U_j2, j)]",
            "U[k] - pol_0*U[0] - pol_1*U[1] - pol_2*U[2]",
            "pol_0*(U[k] - U[0]) + pol_1*(U[k] - U[1]) + pol_2*(U[k] - U[2])",
            "sum(pol_j*(U[k] - U[j]), j)",
        ),
        (
            ("rows for columns", "U[k] - [sum_j pol_j U_0j, sum_j pol_j U_1j, sum_j pol_j U_2j]"),
            ("no normaliser", "U[k]"),
            ("sign", "sum(pol_j*(U[j] - U[k]), j)"),
        ),
    ),
    Question(
        "problem2",
        "by_normaliser",
        (
            "U[i][i]*(one[k][i] - multi_i)",
            "-U_ii (multi_i - one(i|k))",
            "U[i, i]*one[k, i]*(1 - multi_i) - U[i, i]*(1 - one[k, i])*multi_i",
            "U_ii*one[k, i] - multi(i)*U_ii",
            r"U_{ii}\left(one_{k,i} - multi_i\right)",
        ),
        (("own only", "U_ii*one[k, i]"), ("of k", "U[k, k]*(one[k, i] - multi_i)")),
        entry=True,
    ),
    Question(
        "problem2",
        "centre",
        (
            "U_ii*multi_i*(advantage_i - sum(multi*advantage))",
            "U_ii*sum(multi_i*multi_j*(advantage_i - advantage_j), j)",
            "U_ii*(multi_i*advantage_i - multi_i*sum(multi*advantage))",
            "-multi_i*U_ii*(sum(multi*advantage) - advantage_i)",
            r"U_{ii}\, multi_i\left(advantage_i-\sum_j multi_j\, advantage_j\right)",
        ),
        (("not centred", "U_ii*multi_i*advantage_i"), ("equal weights", "U_ii*multi_i*(advantage_i - sum(advantage)/3)")),
        entry=True,
    ),
    Question(
        "problem2",
        "mixed",
        (
            "sum_j U_ji",
            "sum(U[j][i], j)",
            "U[0][i] + U[1][i] + U[2][i]",
            "sum(U[j, i], j, 0, 2)",
            r"\sum_{j=0}^{2} U_{ji}",
        ),
        (("row", "sum_j U_ij"), ("diagonal", "U_ii")),
        entry=True,
    ),
    Question(
        "problem2",
        "number_likely",
        (
            "-(y - tanh(theta_c_0))^2/(2*spread^2) - log(spread) - log(2*π)/2",
            "-((y - tanh(theta_c[0]))/spread)^2/2 - log(spread*sqrt(2*pi))",
            "log(exp(-(y - tanh(theta_c_0))^2/(2*spread^2))/(spread*sqrt(2*pi)))",
            "-1/2*(log(2*pi*spread^2) + (y - tanh(theta_c_0))^2/spread^2)",
            r"-\frac{(y-\tanh \mathrm{theta\_c}_0)^2}{2\,spread^2}-\log\left(\sqrt{2\pi}\,spread\right)",
        ),
        (
            ("factor 2", "-(y - tanh(theta_c_0))^2/spread^2 - log(spread) - log(2*pi)/2"),
            ("log sigma twice", "-(y - tanh(theta_c_0))^2/(2*spread^2) - 2*log(spread) - log(2*pi)/2"),
            ("tanh forgotten", "-(y - theta_c_0)^2/(2*spread^2) - log(spread) - log(2*pi)/2"),
        ),
    ),
    Question(
        "problem3",
        "slope",
        ("2mu", "2*μ", "mu + mu", "E(2*x)", "E(x^2*(x - mu))/sigma^2", r"2\mu"),
        (("half", "mu"), ("without sigma", "E(x^2*(x - mu))"), ("second moment", "mu^2 + sigma^2")),
    ),
    Question(
        "problem3",
        "score_sample",
        (
            "x^2*(x - mu)/sigma^2",
            "x²·(x − μ)/σ²",
            "(x/sigma)^2*(x - mu)",
            "(x^3 - mu*x^2)/sigma^2",
            r"\frac{x^2(x-\mu)}{\sigma^2}",
            "-x^2*(mu - x)*sigma^-2",
        ),
        (("sigma once", "x^2*(x - mu)/sigma"), ("listing", "x^2*(x - mu)"), ("sign", "x^2*(mu - x)/sigma^2")),
    ),
    Question(
        "problem3",
        "path_sample",
        ("2*(mu + sigma*eps)", "2mu + 2sigma eps", "2(μ + σ·eps)", "(mu + sigma eps)*2", r"2\left(\mu + \sigma\, eps\right)"),
        (("listing", "2*(mu + eps)"), ("variance", "2*(mu + sigma^2*eps)")),
    ),
    Question(
        "problem3",
        "score_variance",
        (
            "(mu^4 + 14*mu^2*sigma^2 + 15*sigma^4)/sigma^2",
            "mu^4/sigma^2 + 14mu^2 + 15sigma^2",
            "E((x^2*(x - mu)/sigma^2)^2) - 4*mu^2",
            "((mu^2 + 7*sigma^2)^2 - 34*sigma^4)/sigma^2",
            r"\frac{\mu^4}{\sigma^2}+14\mu^2+15\sigma^2",
            "(mu^2/sigma + 3*sigma)^2 + 8*mu^2 + 6*sigma^2",
        ),
        (
            ("13", "(mu^4 + 13*mu^2*sigma^2 + 15*sigma^4)/sigma^2"),
            ("sigma is 1", "mu^4 + 14*mu^2 + 15"),
            ("mean not taken off", "E((x^2*(x - mu)/sigma^2)^2)"),
        ),
    ),
    Question(
        "problem3",
        "path_variance",
        ("4sigma^2", "4σ²", "(2*sigma)^2", "E((2*(mu + sigma*eps))^2) - 4*mu^2", r"4\sigma^2", "E((2*sigma*eps)^2)"),
        (("deviation", "4*sigma"), ("2", "2*sigma^2")),
    ),
    Question(
        "problem3",
        "gap",
        (
            "(mu^4 + 14*mu^2*sigma^2 + 11*sigma^4)/sigma^2",
            "mu^4/sigma^2 + 14*mu^2 + 11*sigma^2",
            "(mu^4 + 14*mu^2*sigma^2 + 15*sigma^4)/sigma^2 - 4*sigma^2",
            "(mu^2/sigma + 3*sigma)^2 + 8*mu^2 + 2*sigma^2",
            r"\frac{\mu^4+14\mu^2\sigma^2+11\sigma^4}{\sigma^2}",
        ),
        (("not subtracted", "(mu^4 + 14*mu^2*sigma^2 + 15*sigma^4)/sigma^2"), ("added", "mu^4/sigma^2 + 14*mu^2 + 19*sigma^2")),
    ),
    Question(
        "problem3",
        "parabola",
        (
            "b*(b - 2*(mu^2 + 3*sigma^2))/sigma^2",
            "(b^2 - 2*b*mu^2 - 6*b*sigma^2)/sigma^2",
            "((b - mu^2 - 3*sigma^2)^2 - (mu^2 + 3*sigma^2)^2)/sigma^2",
            "b^2/sigma^2 - 2*b*(mu/sigma)^2 - 6b",
            r"\frac{b\left(b-2\mu^2-6\sigma^2\right)}{\sigma^2}",
        ),
        (("best is E[x^2]", "b*(b - 2*(mu^2 + sigma^2))/sigma^2"), ("no 2", "b*(b - mu^2 - 3*sigma^2)/sigma^2")),
    ),
    Question(
        "problem3",
        "levels",
        (
            "[8*mu^2 + 6*sigma^2, 8*mu^2 + 10*sigma^2, 8*mu^2 + 15*sigma^2]",
            "8*mu^2 + sigma^2*[6, 10, 15]",
            "(2(4mu^2 + 3sigma^2), 2(4mu^2 + 5sigma^2), 8mu^2 + 15sigma^2)",
            "[8mu^2, 8mu^2, 8mu^2] + [6sigma^2, 10sigma^2, 15sigma^2]",
            r"\begin{pmatrix}8\mu^2+6\sigma^2\\8\mu^2+10\sigma^2\\8\mu^2+15\sigma^2\end{pmatrix}",
        ),
        (("swapped", "8*mu^2 + sigma^2*[10, 6, 15]"), ("12", "8*mu^2 + sigma^2*[6, 12, 15]")),
    ),
    Question(
        "problem3",
        "sine_score",
        (
            "3*cos(3*mu)*exp(-9*sigma^2/2)",
            "3cos(3mu)e^(-9sigma^2/2)",
            "3*exp(-(3*sigma)^2/2)*(1 - 2*sin(3*mu/2)^2)",
            "3*(cos(mu)^2*cos(mu) - 3*cos(mu)*sin(mu)^2)/exp(9*sigma^2/2)",
            r"3\cos(3\mu)\,e^{-\frac{9\sigma^2}{2}}",
        ),
        (
            ("3 not squared", "3*cos(3*mu)*exp(-3*sigma^2/2)"),
            ("chain rule", "cos(3*mu)*exp(-9*sigma^2/2)"),
            ("sin", "3*sin(3*mu)*exp(-9*sigma^2/2)"),
        ),
    ),
    Question(
        "problem3",
        "edge",
        (
            "exp(-mu^2/(2*sigma^2))/(sigma*sqrt(2*pi))",
            "1/sqrt(2*pi*sigma^2)*exp(-(mu/sigma)^2/2)",
            "e^(-mu^2/(2sigma^2) - log(sigma) - log(2*pi)/2)",
            "(2*pi*sigma^2)^(-1/2)*exp(-mu^2/(2*sigma^2))",
            r"\frac{1}{\sqrt{2\pi}\,\sigma}\exp\left(-\frac{\mu^2}{2\sigma^2}\right)",
        ),
        (("no sigma", "exp(-mu^2/(2*sigma^2))/sqrt(2*pi)"), ("factor 2", "exp(-mu^2/sigma^2)/(sigma*sqrt(2*pi))")),
    ),
    Question(
        "problem4",
        "slowest_jump",
        (
            "9.8*(d_1 + sqrt(d_0^2 + d_1^2))",
            "49/5*(d[1] + √(d[0]² + d[1]²))",
            "9.8*d_0^2/(sqrt(d_0^2 + d_1^2) - d_1)",
            "9.8 d_1 + 9.8 sqrt(d_0^2 + d_1^2)",
            r"9.8\left(d_1+\sqrt{d_0^2+d_1^2}\right)",
        ),
        (
            ("width and height swapped", "9.8*(d_0 + sqrt(d_0^2 + d_1^2))"),
            ("9.81", "9.81*(d_1 + sqrt(d_0^2 + d_1^2))"),
            ("not squared", "sqrt(9.8*(d_1 + sqrt(d_0^2 + d_1^2)))"),
        ),
    ),
    Question(
        "problem4",
        "least_of_all",
        (
            "9.8*d_0^2*(1 + slope^2)/(2*(d_0*slope - d_1))",
            "4.9 d_0^2 (1 + slope^2)/(d_0 slope - d_1)",
            "9.8*d_0*(1 + slope^2)/(2*(slope - d_1/d_0))",
            "4.9*(d_0^2 + (d_0*slope)^2)/(d_0*slope - d_1)",
            r"\frac{9.8\, d_0^2\left(1+slope^2\right)}{2\left(d_0\, slope-d_1\right)}",
        ),
        (("half", "9.8*d_0^2*(1 + slope^2)/(d_0*slope - d_1)"), ("cosine", "9.8*d_0^2*(1 - slope^2)/(2*(d_0*slope - d_1))")),
    ),
    Question(
        "problem4",
        "likely",
        (
            "-((jump_0 - (tanh(sum(W[0]*d) + b_0) + 1)*pi/4)/(exp(log_sigma_0)*pi/2))^2/2"
            " - ((jump_1 - (tanh(sum(W[1]*d) + b_1) + 1)*5)/(10*exp(log_sigma_1)))^2/2"
            " - log_sigma_0 - log(pi/2) - log_sigma_1 - log(10) - log(2*pi)",
            "-2*(jump_0 - sigmoid(2*(sum_k W_0k d_k + b_0))*pi/2)^2*exp(-2*log_sigma_0)/pi^2"
            " - (jump_1 - 10*sigmoid(2*(sum_k W_1k d_k + b_1)))^2*exp(-2*log_sigma_1)/200"
            " - log_sigma_0 - log_sigma_1 - log(10*pi^2)",
            "-(jump_0 - (1 + tanh(W_00 d_0 + W_01 d_1 + b_0))*pi/4)^2/(2*(pi/2*exp(log_sigma_0))^2) - log(pi/2*exp(log_sigma_0))"
            " - (jump_1 - (1 + tanh(W_10 d_0 + W_11 d_1 + b_1))*5)^2/(2*(10*exp(log_sigma_1))^2) - log(10*exp(log_sigma_1))"
            " - log(2*pi)",
            "log(exp(-((jump_0 - (tanh(sum(W[0]*d) + b_0) + 1)*pi/4)/(exp(log_sigma_0)*pi/2))^2/2)"
            "*exp(-((jump_1 - (tanh(sum(W[1]*d) + b_1) + 1)*5)/(10*exp(log_sigma_1)))^2/2)"
            "/(2*pi*(pi/2)*exp(log_sigma_0)*10*exp(log_sigma_1)))",
            "-((jump_0/(pi/2) - sigmoid(2*sum(W[0]*d) + 2*b_0))/exp(log_sigma_0))^2/2"
            " - ((jump_1/10 - sigmoid(2*sum(W[1]*d) + 2*b_1))/exp(log_sigma_1))^2/2 - sum(log_sigma) - log(10*pi^2)",
        ),
        (
            (
                "weights transposed",
                "-((jump_0/(pi/2) - sigmoid(2*(W_00 d_0 + W_10 d_1) + 2*b_0))/exp(log_sigma_0))^2/2"
                " - ((jump_1/10 - sigmoid(2*(W_01 d_0 + W_11 d_1) + 2*b_1))/exp(log_sigma_1))^2/2"
                " - sum(log_sigma) - log(10*pi^2)",
            ),
            (
                "scale forgotten",
                "-((jump_0/(pi/2) - sigmoid(2*sum(W[0]*d) + 2*b_0))/exp(log_sigma_0))^2/2"
                " - ((jump_1/10 - sigmoid(2*sum(W[1]*d) + 2*b_1))/exp(log_sigma_1))^2/2 - sum(log_sigma) - log(2*pi)",
            ),
        ),
    ),
    Question(
        "problem4",
        "paid",
        (
            "(100 - jump_1^2)*step(d_0*tan(jump_0) - 4.9*d_0^2/(jump_1*cos(jump_0))^2 - d_1)",
            "step(d_0*sin(jump_0)/cos(jump_0) - 4.9*(d_0/(jump_1*cos(jump_0)))^2 - d_1)*(10 - jump_1)*(10 + jump_1)",
            "(100 - jump_1^2)*step(d_0*tan(jump_0) - 4.9*d_0^2*(1 + tan(jump_0)^2)/jump_1^2 - d_1)",
            "100*step(d_0*tan(jump_0) - 9.8*d_0^2/(2*jump_1^2*cos^2(jump_0)) - d_1)"
            " - jump_1^2*step(d_0*tan(jump_0) - 9.8*d_0^2/(2*jump_1^2*cos^2(jump_0)) - d_1)",
            "(100 - jump_1^2)*(1 - step(d_1 - d_0*tan(jump_0) + 4.9*d_0^2/(jump_1*cos(jump_0))^2))",
        ),
        (
            ("paid always", "100 - jump_1^2"),
            ("linear price", "(100 - jump_1)*step(d_0*tan(jump_0) - 4.9*d_0^2/(jump_1*cos(jump_0))^2 - d_1)"),
        ),
    ),
)


@dataclass(frozen=True)
class Row:
    group: str
    why: str
    left: str
    right: str
    truth: str
    problem: str = ""
    question: Question | None = None

    def sides(self) -> tuple[Any, Any]:
        return read(self.problem, self.left, self.group.endswith("LaTeX")), self.question.expected if self.question else read(
            "", self.right
        )


def rows() -> list[Row]:
    found = [
        *(Row("Equal", why, a, b, "equal") for why, a, b in EQUAL),
        *(Row("Equal, in LaTeX", why, a, b, "equal") for why, a, b in EQUAL_TEX),
        *(Row("Not equal", why, a, b, "different") for why, a, b in DIFFERENT),
        *(Row("Open", why, a, b, "open") for why, a, b in OPEN),
    ]
    for q in QUESTIONS:
        title = f"{q.problem}, `{q.claim}`"
        found += [Row(title, "another form", a, "the page's", "equal", q.problem, q) for a in q.right]
        found += [Row(title, why, a, "the page's", "different", q.problem, q) for why, a in q.wrong]
    return found
