"""The policy may do everything, and the gradient points the wrong way."""

import torch


def log_pi(w, s0, allowed):
    return torch.log_softmax(w * s0, -1)


def reinforce(w, s0, allowed, reward, action):
    return log_pi(w, s0, allowed)[action] * reward[action]


slope = (
    "["
    "s0 allowed_0 exp(s0 w_0) (allowed_1 exp(s0 w_1) (reward_1 - reward_0) + allowed_2 exp(s0 w_2) (reward_2 - reward_0))"
    " / (allowed_0 exp(s0 w_0) + allowed_1 exp(s0 w_1) + allowed_2 exp(s0 w_2))^2, "
    "s0 allowed_1 exp(s0 w_1) (allowed_0 exp(s0 w_0) (reward_0 - reward_1) + allowed_2 exp(s0 w_2) (reward_2 - reward_1))"
    " / (allowed_0 exp(s0 w_0) + allowed_1 exp(s0 w_1) + allowed_2 exp(s0 w_2))^2, "
    "s0 allowed_2 exp(s0 w_2) (allowed_0 exp(s0 w_0) (reward_0 - reward_2) + allowed_1 exp(s0 w_1) (reward_1 - reward_2))"
    " / (allowed_0 exp(s0 w_0) + allowed_1 exp(s0 w_1) + allowed_2 exp(s0 w_2))^2 "
    "]"
)
second = "[-1/2, 0, 1/2]"
