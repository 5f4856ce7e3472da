"""Writes some of verl's samples to disk as items. They come from verl's replay buffer.

The processes of verl that run SQL do not know the step, and the replay buffer does not have the results.
So the few rollouts that are kept are scored again: the same input has the same score.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from sql_env.errors import SQLEnvError
from trainers.logs.rollouts import RolloutWriter
from trainers.verl_reward import decode_task, get_scorer

log = logging.getLogger(__name__)


class VerlRolloutWriter:
    """Keeps some rollouts of each step.

    Args:
        settings: ``per_step``, ``folder``, ``model`` (the folder or name of the tokenizer) and ``reward``, as
            in the configuration under ``trainer.v1.sampler.sampler_kwargs.rollouts``.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._writer = RolloutWriter(Path(settings["folder"]), settings["per_step"])

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._settings["model"])

    def add(self, keys: Sequence[str], partition_id: str, step: int) -> None:
        """Keep some of a batch.

        Args:
            keys: The batch's samples, as verl names them.
            partition_id: The partition of the replay buffer that has them.
            step: The step that learns from them.
        """
        import transfer_queue as tq

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


def _parse_key(key: str) -> tuple[str, int, int]:
    """Return a sample's prompt, its number in the group, and its turn."""
    prompt, session, turn = key.rsplit("_", 2)
    return prompt, int(session), int(turn)
