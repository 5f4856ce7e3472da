"""The algorithm itself, which both back ends call."""

import torch

TINY = 1e-6
"""Keeps a group without any spread from dividing by 0."""


def advantages(rewards: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """How far each reward is from its group's median, in units of the group's mean deviation.

    One lucky answer among many wrong ones moves a mean, not a median: the wrong ones get 0 here.

    Args:
        rewards: One for each answer; NaN for one that cannot be scored, which gets 0.
        groups: For each answer the number of its question.
    """
    found = torch.zeros_like(rewards)
    for group in groups.unique():
        members = groups == group
        off = rewards[members] - rewards[members].nanquantile(0.5)
        found[members] = off / (off.abs().nanmean() + TINY)
    return found.nan_to_num(0.0)


def loss(log_ratio: torch.Tensor, advantages: torch.Tensor, epsilon: float) -> torch.Tensor:
    """A token's loss: where PPO clips the ratio, a parabola whose lowest point is at ``1 ± epsilon``.

    Args:
        log_ratio: The token's log-probability, less what it was when it was sampled.
        advantages: Of the token's answer.
        epsilon: How far the ratio should go.
    """
    ratio = log_ratio.clamp(-20, 20).exp()
    return advantages.abs() * (ratio - 1) ** 2 / (2 * epsilon) - advantages * ratio


def mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the answers of each one's mean over its tokens."""
    return ((values * mask).sum(-1) / mask.sum(-1).clamp(min=1)).mean()


def metrics(log_ratio: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is logged: how large advantages are, and how far ratios went.

    The mean advantage is the share of the groups in which rewards differ.
    """
    drift = (log_ratio.detach().clamp(-20, 20).exp() - 1).abs()
    return {"spo/advantage": mean(advantages.abs(), mask), "spo/drift": mean(drift, mask)}
