"""Batches from verl's replay buffer: logged components, no masked samples, rollouts for the disk.

The configuration chooses it by ``trainer.v1.sampler.custom_sampler``, an extension point of verl. The names
of the classes are the values of ``trainer.v1.trainer_mode``.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import transfer_queue as tq
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from sql_env.errors import SQLEnvError
from trainers.dataset import load_tokenizer
from trainers.logs.learning import Answer, LearningWatch
from trainers.logs.rollouts import RolloutWriter
from trainers.verl_reward import STATS_KEY, decode_task, get_scorer

log = logging.getLogger(__name__)

POLL = 0.1
"""Seconds between two checks for finished rollouts. verl's 2 seconds are most of a small model's step."""


class VerlRolloutWriter:
    """Keeps some rollouts of each step as items on disk.

    The processes of verl that run SQL do not know the step, and the replay buffer does not have the results.
    So the few rollouts that are kept are scored again: the same input has the same score.

    Args:
        settings: ``per_step``, ``folder``, ``model`` (the folder or name of the tokenizer) and ``reward``, as
            in the configuration under ``trainer.v1.sampler.sampler_kwargs.rollouts``.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._writer = RolloutWriter(Path(settings["folder"]), settings["per_step"])

    @cached_property
    def _tokenizer(self) -> Any:
        return load_tokenizer(self._settings["model"])

    def add(self, keys: Sequence[str], partition_id: str, step: int) -> None:
        """Keep some of a batch.

        Args:
            keys: The batch's samples, as verl names them.
            partition_id: The partition of the replay buffer that has them.
            step: The step that learns from them.
        """
        chosen = sorted(keys, key=_parse_key)[: self._settings["per_step"]]
        fields = ["responses", "extra_info"]
        data = tq.kv_batch_get(keys=chosen, partition_id=partition_id, select_fields=fields)
        infos = [getattr(value, "data", value) for value in data["extra_info"]]
        padded = data["responses"].to_padded_tensor(padding=self._tokenizer.pad_token_id or 0)
        texts = [self._tokenizer.decode(ids, skip_special_tokens=True) for ids in padded]
        try:
            tasks = [decode_task(str(info["task"])) for info in infos]
            scores = get_scorer(self._settings["reward"]).score(texts, tasks, rows=True)
        except SQLEnvError as error:  # what cannot be scored is masked in training, which continues
            log.warning("no rollouts of step %d are kept: %s", step, error)
        else:
            self._writer.add(scores, step)


class ScoringReplayBuffer(ReplayBuffer):
    """A replay buffer that reads the result of `trainers.verl_reward.compute_score` for each sample."""

    def __init__(self, sampler_kwargs: Mapping[str, Any], **others: Any) -> None:
        super().__init__(sampler_kwargs=sampler_kwargs, **{**others, **make_buffer_settings(sampler_kwargs)})
        rollouts = sampler_kwargs["rollouts"]
        self._writer = VerlRolloutWriter(rollouts) if rollouts["per_step"] else None
        self._watch, self._sampled = LearningWatch(), time.monotonic()

    def sample(self, global_steps: int, partition_id: str, batch_size: int) -> tuple[KVBatchMeta, dict]:
        """Return a batch without its masked samples, and verl's metrics with the mean of each component."""
        batch, metrics = super().sample(global_steps, partition_id, batch_size)
        if partition_id == "val":
            return batch, metrics
        data = tq.kv_batch_get(keys=batch.keys, partition_id=partition_id, select_fields=["extra_fields"])
        fields = [getattr(value, "data", value) for value in data["extra_fields"]]
        infos = [field.get("reward_extra_info") or {} for field in fields]
        if self._writer is not None:
            self._writer.add(batch.keys, partition_id, global_steps)
        self._watch.add(list_answers(batch.keys, infos), global_steps)
        now, before = time.monotonic(), self._sampled
        self._sampled = now
        lengths = [tag["response_len"] for tag in batch.tags if "response_len" in tag]
        print(format_step(global_steps, infos, lengths, now - before), flush=True)
        dropped = find_dropped(batch.keys, infos)
        if len(dropped) == len(batch.keys):
            raise RuntimeError("no sample of the batch could be scored: read the log of the reward")
        if dropped:
            tq.kv_clear(keys=sorted(dropped), partition_id=partition_id)
        kept = [(key, tag) for key, tag in zip(batch.keys, batch.tags, strict=True) if key not in dropped]
        keys, tags = map(list, zip(*kept, strict=True))
        rest = KVBatchMeta(partition_id=partition_id, keys=keys, tags=tags)
        return rest, metrics | average_components(infos) | sum_stats(infos)


class sync(ScoringReplayBuffer):
    """The replay buffer of the trainer mode ``sync``."""


class colocate_async(ScoringReplayBuffer, ReplayBufferAsync):
    """The replay buffer of the trainer mode ``colocate_async``."""


class separate_async(ScoringReplayBuffer, ReplayBufferAsync):
    """The replay buffer of the trainer mode ``separate_async``."""


def make_buffer_settings(sampler_kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that verl gives to its own replay buffer, but not to a custom one."""
    filters, size = sampler_kwargs["filter_groups"], sampler_kwargs["train_batch_size"]
    return {
        "poll_interval": POLL,
        "filter_groups_metric": str(filters["metric"]) if filters["enable"] else None,
        "train_batch_size": size,
        "gen_batch_size": 1 if filters["enable"] else sampler_kwargs["gen_batch_size"] or size,
        "max_inflight_gen_batches": filters["max_inflight_gen_batches"],
    }


def find_dropped(keys: Sequence[str], infos: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the keys of the samples that training must leave out.

    These are the masked samples, and a sample whose group has no other left: verl would use its whole
    reward as its advantage.

    Args:
        keys: ``{prompt}_{session}_{turn}``, verl's names of the samples.
        infos: The result of `compute_score` for each.
    """
    groups = {key: key.split("_")[0] for key in keys}
    masked = {key for key, info in zip(keys, infos, strict=True) if info.get("masked")}
    left = Counter(group for key, group in groups.items() if key not in masked)
    whole = Counter(groups.values())
    return masked | {key for key, group in groups.items() if left[group] == 1 and whole[group] > 1}


def list_answers(keys: Sequence[str], infos: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """Return the samples as `LearningWatch` reads them, group by group."""
    answers = [
        Answer(
            key.split("_")[0],
            None if not info or info.get("masked") else float(info.get("score", 0.0)),
            bool(info.get("acc")),
        )
        for key, info in zip(keys, infos, strict=True)
    ]
    return sorted(answers, key=lambda answer: str(answer.group))


def format_step(step: int, infos: Sequence[Mapping[str, Any]], lengths: Sequence[int], seconds: float) -> str:
    """Format the most important figures of a step in one line.

    Args:
        step: The step.
        infos: The result of `compute_score` for each sample.
        lengths: The tokens of the answers; empty if unknown.
        seconds: The time since the samples of the step before.
    """
    means = average_components(infos)
    parts = [
        f"reward {means.get('reward/score/mean', 0.0):.3f}",
        f"correct {means.get('reward/acc/mean', 0.0):.1%}",
        f"masked {means['reward/masked/mean']:.1%}",
        *([f"length {sum(lengths) / len(lengths):.0f} tokens"] if lengths else []),
        f"{seconds:.1f} s",
    ]
    return f"step {step}: {', '.join(parts)}"


def average_components(infos: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return ``reward/<name>/mean`` over the samples that are not masked, and the share of masked ones."""
    counted = [info for info in infos if info and not info.get("masked")]
    names = [name for name in (counted[0] if counted else ()) if name not in ("masked", STATS_KEY)]
    means = {f"reward/{name}/mean": sum(info[name] for info in counted) / len(counted) for name in names}
    return {**means, "reward/masked/mean": 1 - len(counted) / max(1, len(infos))}


def sum_stats(infos: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the sum of the scorers' statistics over all samples, masked ones too."""
    total: Counter[str] = Counter()
    for info in infos:
        total.update(json.loads(info.get(STATS_KEY, "{}")))
    return dict(total)


def _parse_key(key: str) -> tuple[str, int, int]:
    """Return a sample's prompt, its number in the group, and its turn."""
    prompt, session, turn = key.rsplit("_", 2)
    return prompt, int(session), int(turn)
