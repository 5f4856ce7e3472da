"""The formulas of the algorithm, which both back ends call."""

import torch

TINY = 1e-6
"""Avoids a division by 0 for a group in which all rewards are equal."""


def advantages(rewards: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Return each reward's distance from its group's median, in units of the group's mean deviation.

    One right answer among many wrong ones moves a mean, but not a median: the wrong ones get 0 here.

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
    """Return the loss of each token: a parabola with its minimum at ``1 ± epsilon``, PPO's clipping bounds.

    Args:
        log_ratio: The token's log-probability, less its log-probability at sampling time.
        advantages: The advantage of the token's answer.
        epsilon: The distance that the ratio should move.
    """
    ratio = log_ratio.clamp(-20, 20).exp()
    return advantages.abs() * (ratio - 1) ** 2 / (2 * epsilon) - advantages * ratio


def mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean over the answers of the mean over their tokens."""
    return ((values * mask).sum(-1) / mask.sum(-1).clamp(min=1)).mean()


def metrics(log_ratio: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the metrics: the size of the advantages, and the distance that the ratios moved.

    The mean advantage is the share of the groups in which rewards differ.
    """
    drift = (log_ratio.detach().clamp(-20, 20).exp() - 1).abs()
    return {"spo/advantage": mean(advantages.abs(), mask), "spo/drift": mean(drift, mask)}
