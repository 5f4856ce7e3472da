"""RL algorithms by name: their settings in TRL and in verl, as data.

An algorithm is an entry point of the group ``sql_env.algorithms``, so another distribution can add
one without a change here. This file imports no back end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sql_env import plugins
from sql_env.errors import PluginError


@dataclass(frozen=True, slots=True)
class TRL:
    """The settings of an algorithm in TRL.

    Attributes:
        arguments: Fields of the trainer's configuration. The user's settings override them.
        trainer: The trainer's class, as ``package.module:Class``.
        config: The class of its configuration.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    trainer: str = "trl:GRPOTrainer"
    config: str = "trl:GRPOConfig"


@dataclass(frozen=True, slots=True)
class Verl:
    """The settings of an algorithm in verl.

    Attributes:
        overrides: Hydra keys and their values. The user's settings override them.
        modules: Modules that every process of verl imports first, to register an advantage
            estimator or a policy loss.
    """

    overrides: Mapping[str, Any]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An RL algorithm: its source, and its settings in each back end.

    Attributes:
        source: The paper.
        trl: None if TRL does not have it.
        verl: None if verl does not have it.
    """

    source: str
    trl: TRL | None = None
    verl: Verl | None = None


def get_algorithm(name: str, backend: str) -> Any:
    """Return the settings of an algorithm in a back end.

    Args:
        name: An installed algorithm's name, or ``package.module:object``.
        backend: ``trl`` or ``verl``.

    Returns:
        A `TRL` or a `Verl`.

    Raises:
        PluginError: No algorithm has this name, or this back end does not run it.

    Example:
        >>> get_algorithm("dr_grpo", "trl").arguments["scale_rewards"]
        'none'
    """
    found = plugins.load_typed(plugins.ALGORITHMS, name)
    if not isinstance(found, Algorithm):
        raise PluginError(f"algorithm {name!r} is a {type(found).__name__}, not an Algorithm")
    settings = getattr(found, backend)
    if settings is None:
        other = "verl" if backend == "trl" else "trl"
        raise PluginError(
            f"{backend} has no algorithm {name!r}, but {other} has. "
            f"{backend} runs {', '.join(list_algorithms(backend))}."
        )
    return settings


def list_algorithms(backend: str) -> list[str]:
    """Return the names of the installed algorithms that a back end runs, sorted."""
    names = plugins.list_names(plugins.ALGORITHMS)
    return [name for name in names if getattr(plugins.load(plugins.ALGORITHMS, name), backend) is not None]


_ADVANTAGE = "algorithm.adv_estimator"
_BY_STD = "algorithm.norm_adv_by_std_in_grpo"
_LOSS = "actor_rollout_ref.actor.policy_loss.loss_mode"
_SUM = "actor_rollout_ref.actor.loss_agg_mode"
_LOW, _HIGH = "actor_rollout_ref.actor.clip_ratio_low", "actor_rollout_ref.actor.clip_ratio_high"
_KL = "actor_rollout_ref.actor.use_kl_loss"

GRPO = Algorithm(
    "DeepSeekMath, arXiv 2402.03300",
    TRL({"loss_type": "grpo", "scale_rewards": "group"}),
    Verl({_ADVANTAGE: "grpo", _SUM: "seq-mean-token-mean"}),
)
DR_GRPO = Algorithm(
    "Understanding R1-Zero-like training, arXiv 2503.20783",
    TRL({"loss_type": "dr_grpo", "scale_rewards": "none", "beta": 0.0}),
    Verl({_ADVANTAGE: "grpo", _BY_STD: False, _SUM: "seq-mean-token-sum-norm", _KL: False}),
)
DAPO = Algorithm(
    "DAPO, arXiv 2503.14476",
    TRL({"loss_type": "dapo", "epsilon": 0.2, "epsilon_high": 0.28, "beta": 0.0}),
    Verl(
        {
            _ADVANTAGE: "grpo",
            _SUM: "token-mean",
            _LOW: 0.2,
            _HIGH: 0.28,
            _KL: False,
            "algorithm.filter_groups.enable": True,
            "algorithm.filter_groups.metric": "reward",
            "algorithm.filter_groups.max_num_gen_batches": 10,
        }
    ),
)
GSPO = Algorithm(
    "Group sequence policy optimization, arXiv 2507.18071",
    TRL(
        {
            "loss_type": "grpo",
            "importance_sampling_level": "sequence",
            "epsilon": 3e-4,
            "epsilon_high": 4e-4,
            "beta": 0.0,
        }
    ),
    Verl({_ADVANTAGE: "grpo", _LOSS: "gspo", _SUM: "seq-mean-token-mean", _LOW: 3e-4, _HIGH: 4e-4}),
)
CISPO = Algorithm(
    "MiniMax-M1, arXiv 2506.13585; the bound of 5 from ScaleRL, arXiv 2510.13786",
    TRL({"loss_type": "cispo", "epsilon_high": 5.0}),
    Verl({_ADVANTAGE: "grpo", _LOSS: "cispo", _SUM: "token-mean", _LOW: 1.0, _HIGH: 4.0}),
)
SAPO = Algorithm(
    "Soft adaptive policy optimization, arXiv 2511.20347",
    TRL({"loss_type": "sapo"}),
    Verl({_ADVANTAGE: "grpo", _LOSS: "sapo"}),
)
RLOO = Algorithm(
    "Back to basics, arXiv 2402.14740",
    TRL(trainer="trl:RLOOTrainer", config="trl:RLOOConfig"),
    Verl({_ADVANTAGE: "rloo"}),
)
REINFORCE_PLUS_PLUS = Algorithm(
    "REINFORCE++, arXiv 2501.03262", None, Verl({_ADVANTAGE: "reinforce_plus_plus"})
)
REINFORCE_PLUS_PLUS_BASELINE = Algorithm(
    "REINFORCE++ with a group's mean as its baseline, arXiv 2501.03262",
    TRL({"loss_type": "dapo", "scale_rewards": "batch"}),
    Verl({_ADVANTAGE: "reinforce_plus_plus_baseline"}),
)
BNPO = Algorithm("GRPO normalised over a local batch, TRL's documentation", TRL({"loss_type": "bnpo"}))
LUSPO = Algorithm(
    "Length-unbiased sequence policy optimization, arXiv 2602.05261",
    TRL({"loss_type": "luspo", "importance_sampling_level": "sequence"}),
)
VESPO = Algorithm("VESPO, arXiv 2602.10693", TRL({"loss_type": "vespo"}))
OPO = Algorithm("On-policy RL with optimal baseline, arXiv 2505.23585", None, Verl({_ADVANTAGE: "opo"}))
GPG = Algorithm("Group policy gradient, arXiv 2504.02546", None, Verl({_ADVANTAGE: "gpg", _LOSS: "gpg"}))
GEO_MEAN = Algorithm(
    "Geometric-mean policy optimization, arXiv 2507.20673",
    None,
    Verl({_ADVANTAGE: "grpo", _LOSS: "geo_mean", _SUM: "seq-mean-token-mean"}),
)
CLIP_COV = Algorithm(
    "The entropy mechanism of RL, arXiv 2505.22617", None, Verl({_ADVANTAGE: "grpo", _LOSS: "clip_cov"})
)
KL_COV = Algorithm(
    "The entropy mechanism of RL, arXiv 2505.22617", None, Verl({_ADVANTAGE: "grpo", _LOSS: "kl_cov"})
)
PPO = Algorithm("Proximal policy optimization, arXiv 1707.06347", None, Verl({_ADVANTAGE: "gae"}))
