"""The settings of the algorithm in each back end.

Each batch is used twice: in the first pass every ratio is 1, and the loss limits nothing.
"""

from trainers.algorithms import TRL, Algorithm, Verl

MEDIAN_SPO = Algorithm(
    source="Simple policy optimization, arXiv 2401.16025; the advantages are an example of our own",
    trl=TRL({"epsilon": 0.2, "num_iterations": 2}, trainer="sql_env_spo.trl_trainer:SPOTrainer"),
    verl=Verl(
        {
            "algorithm.adv_estimator": "median",
            "actor_rollout_ref.actor.policy_loss.loss_mode": "spo",
            "actor_rollout_ref.actor.loss_agg_mode": "seq-mean-token-mean",
            "actor_rollout_ref.actor.clip_ratio": 0.2,
            "actor_rollout_ref.actor.ppo_epochs": 2,
        },
        modules=("sql_env_spo.verl_functions",),
    ),
)
