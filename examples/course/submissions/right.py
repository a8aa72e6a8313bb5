"""Everything is right, and nothing is written as the page has it."""

import torch


def log_pi(w, s0, allowed):
    logits = torch.where(allowed == 1, w * s0, -torch.inf)
    return logits - torch.logsumexp(logits, -1)


def reinforce(w, s0, allowed, reward, action):
    return reward[action] * log_pi(w, s0, allowed)[action]


# How much better an action is than each other one, weighted by both their chances.
slope = (
    "["
    "s0 allowed_0 exp(s0 w_0) (allowed_1 exp(s0 w_1) (reward_0 - reward_1) + allowed_2 exp(s0 w_2) (reward_0 - reward_2))"
    " / (allowed_0 exp(s0 w_0) + allowed_1 exp(s0 w_1) + allowed_2 exp(s0 w_2))^2, "
    "s0 allowed_1 exp(s0 w_1) (allowed_0 exp(s0 w_0) (reward_1 - reward_0) + allowed_2 exp(s0 w_2) (reward_1 - reward_2))"
    " / (allowed_0 exp(s0 w_0) + allowed_1 exp(s0 w_1) + allowed_2 exp(s0 w_2))^2, "
    "s0 allowed_2 exp(s0 w_2) (allowed_0 exp(s0 w_0) (reward_2 - reward_0) + allowed_1 exp(s0 w_1) (reward_2 - reward_1))"
    " / (allowed_0 exp(s0 w_0) + allowed_1 exp(s0 w_1) + allowed_2 exp(s0 w_2))^2 "
    "]"
)
second = "[-1/2, 0, 0.5]"
