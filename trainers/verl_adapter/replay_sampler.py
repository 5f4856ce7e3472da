"""What verl's trainer takes out of its replay buffer: the components as metrics, and no masked sample.

Chosen by ``trainer.v1.sampler.custom_sampler``, verl's own seam; the classes are named for the values
of ``trainer.v1.trainer_mode``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import transfer_queue as tq
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from trainers.verl_adapter.rollout_writer import VerlRolloutWriter
from trainers.verl_reward import STATS_KEY

POLL = 0.1
"""Seconds between two looks at the rollouts; verl's own 2 seconds would be most of a small model's step."""


class ScoringReplayBuffer(ReplayBuffer):
    """A replay buffer that reads what `trainers.verl_reward.compute_score` said of each sample."""

    def __init__(self, sampler_kwargs: Mapping[str, Any], **others: Any) -> None:
        super().__init__(sampler_kwargs=sampler_kwargs, **{**others, **make_buffer_settings(sampler_kwargs)})
        told = sampler_kwargs["rollouts"]
        self._rollouts = VerlRolloutWriter(told) if told["per_step"] else None

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[KVBatchMeta, dict]:
        """A batch without its masked samples, and the mean of each component beside verl's metrics."""
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        if partition_id == "val":
            return batch, metrics
        data = tq.kv_batch_get(keys=batch.keys, partition_id=partition_id, select_fields=["extra_fields"])
        fields = [getattr(value, "data", value) for value in data["extra_fields"]]
        said = [field.get("reward_extra_info") or {} for field in fields]
        if self._rollouts is not None:
            self._rollouts.add(batch.keys, partition_id, global_steps)
        dropped = find_dropped(batch.keys, said)
        if len(dropped) == len(batch.keys):
            raise RuntimeError("no sample of the batch could be scored: the log of the reward says why")
        if dropped:
            tq.kv_clear(keys=sorted(dropped), partition_id=partition_id)
        kept = [i for i, key in enumerate(batch.keys) if key not in dropped]
        rest = KVBatchMeta(
            partition_id=partition_id,
            keys=[batch.keys[i] for i in kept],
            tags=[batch.tags[i] for i in kept],
        )
        return rest, metrics | average_components(said) | sum_stats(said)


class sync(ScoringReplayBuffer):  # noqa: D101
    pass


class colocate_async(ScoringReplayBuffer, ReplayBufferAsync):  # noqa: D101
    pass


class separate_async(ScoringReplayBuffer, ReplayBufferAsync):  # noqa: D101
    pass


def make_buffer_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What verl tells its own replay buffer and withholds from one that it is given."""
    filters = given["filter_groups"]
    return {
        "poll_interval": POLL,
        "filter_groups_metric": str(filters["metric"]) if filters["enable"] else None,
        "train_batch_size": given["train_batch_size"],
        "gen_batch_size": 1 if filters["enable"] else given["gen_batch_size"] or given["train_batch_size"],
        "max_inflight_gen_batches": filters["max_inflight_gen_batches"],
    }


def find_dropped(keys: Sequence[str], said: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys of the samples that must not be learnt from.

    Those are the masked ones, and one that is left alone in its group: it has nothing to be compared
    with, and verl would take its whole reward for its advantage.

    Args:
        keys: ``{prompt}_{session}_{turn}``, as verl names samples.
        said: What `compute_score` returned for each.
    """
    groups = [key.split("_")[0] for key in keys]
    masked = {key for key, info in zip(keys, said, strict=True) if info.get("masked")}
    left = Counter(group for key, group in zip(keys, groups, strict=True) if key not in masked)
    whole = Counter(groups)
    return masked | {
        key for key, group in zip(keys, groups, strict=True) if left[group] == 1 and whole[group] > 1
    }


def average_components(said: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """``reward/<name>/mean`` over the samples that count, and the share of masked ones."""
    counted = [info for info in said if info and not info.get("masked")]
    names = [name for name in (counted[0] if counted else ()) if name not in ("masked", STATS_KEY)]
    found = {f"reward/{name}/mean": sum(info[name] for info in counted) / len(counted) for name in names}
    return {**found, "reward/masked/mean": 1 - len(counted) / max(1, len(said))}


def sum_stats(said: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """What all processes did to score the samples, masked ones too: the sum of each of their ``stats``."""
    told = [json.loads(info.get(STATS_KEY, "{}")) for info in said]
    names = dict.fromkeys(name for stats in told for name in stats)
    return {name: sum(stats.get(name, 0.0) for stats in told) for name in names}
