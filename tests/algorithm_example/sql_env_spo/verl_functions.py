"""The algorithm in verl: two functions, registered with the names that the configuration uses.

Every process of verl imports this module first.
"""

import numpy as np
import torch
from verl.trainer.ppo.core_algos import agg_loss, register_adv_est, register_policy_loss

from sql_env_spo import formulas


@register_adv_est("median")
def median(token_level_rewards, response_mask, index, config=None, **others):
    """Return the advantages. An answer's reward is the sum over its tokens; ``index`` names its question."""
    groups = torch.from_numpy(np.unique(index, return_inverse=True)[1])
    found = formulas.advantages(token_level_rewards.sum(-1), groups.to(token_level_rewards.device))
    spread = found[:, None] * response_mask
    return spread, spread


@register_policy_loss("spo")
def spo(
    old_log_prob,
    log_prob,
    advantages,
    response_mask,
    loss_agg_mode="seq-mean-token-mean",
    config=None,
    rollout_is_weights=None,
):
    """Return the loss of a batch, and its metrics."""
    log_ratio = log_prob - old_log_prob
    tokens = formulas.loss(log_ratio, advantages, config.clip_ratio)
    if rollout_is_weights is not None:
        tokens = tokens * rollout_is_weights
    logged = formulas.metrics(log_ratio, advantages, response_mask)
    return (
        agg_loss(tokens, response_mask, loss_agg_mode, **config.global_batch_info),
        {f"actor/{name}": value.item() for name, value in logged.items()},
    )
