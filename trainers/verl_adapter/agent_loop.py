"""Several turns in verl: an agent loop around `sql_env.Episode`.

Chosen where ``sql.max_turns`` is above 1. Only the tokens that the model wrote are learnt from; what
it is told has mask 0. Tokens are appended and never made again from text, so that what is learnt from
is what was sampled.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput
from verl.utils.profiler import simple_timer

from sql_env import Episode
from trainers.verl_reward import decode_task, flatten_score, get_scorer, get_stats, make_masked_scores

log = logging.getLogger(__name__)


@dataclass
class Tokens:
    """A conversation as tokens.

    Attributes:
        ids: The prompt and all that followed.
        mask: For each token after the prompt, 1 where the model wrote it.
        log_probs: For each of them, 0 where the model did not write it; None where nobody counts.
    """

    ids: list[int]
    mask: list[int] = field(default_factory=list)
    log_probs: list[float] | None = None


class SQLAgentLoop(AgentLoopBase):
    """One rollout: the model looks around, is told what it sees, and answers."""

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Play an episode on the task of a dataset row.

        ``data.max_response_length`` bounds all turns together, what the model is told included. Where
        no room is left for an answer the episode ends without one.
        """
        sql, room = self.config.sql, self.rollout_config.response_length
        scorer = get_scorer(sql.reward, sql.workers)
        turns = {"max_turns": sql.max_turns, "max_queries": sql.max_queries, "template": sql.prompt}
        episode = Episode(scorer, decode_task(row["extra_info"]["task"]), **turns)
        chat, request, metrics = list(row["raw_prompt"]), uuid4().hex, {}
        tokens, steps, said = Tokens(await self.ct_build_initial_tokens(chat)), [], 0
        while True:
            with simple_timer("generate_sequences", metrics):
                params = {**sampling_params, "max_tokens": room - len(tokens.mask)}
                output = await self.server_manager.generate(
                    request_id=request, prompt_ids=tokens.ids, sampling_params=params
                )
            steps.append(output.extra_fields.get("global_steps"))
            said += 1
            tokens = await self._say(tokens, output)
            text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
            with simple_timer("tool_calls", metrics):
                told, info = await self._step(episode, text, sql.reward)
            if info is not None:
                break
            chat.append({"role": "assistant", "content": text})
            longer = await self._tell(tokens, chat, told)
            if len(longer.mask) >= room:
                _, info = await self._step(episode, None, sql.reward)
                break
            tokens = longer
            chat.append({"role": "user", "content": told})
        if sql.profile:
            info = {**info, **get_stats(sql.reward, sql.workers)}
        start = len(tokens.ids) - len(tokens.mask)
        return AgentLoopOutput(
            prompt_ids=tokens.ids[:start],
            response_ids=tokens.ids[start:][:room],
            response_mask=tokens.mask[:room],
            response_logprobs=tokens.log_probs[:room] if tokens.log_probs else None,
            reward_score=info["score"],
            num_turns=2 * said,
            metrics=metrics,
            extra_fields={
                "reward_extra_info": info,
                "global_steps": steps[-1],
                "min_global_steps": steps[0],
                "max_global_steps": steps[-1],
                "turn_scores": [],
                "tool_rewards": [],
            },
        )

    async def _say(self, tokens: Tokens, output: Any) -> Tokens:
        """The conversation with what the model has just written."""
        known = tokens.log_probs
        if output.log_probs and not tokens.mask:
            known = []
        merged, mask, log_probs = await self.ct_merge_assistant_token(
            tokens.ids, output.token_ids, tokens.mask, known, assistant_logprobs=output.log_probs or None
        )
        return Tokens(merged.token_ids, mask, log_probs)

    async def _tell(self, tokens: Tokens, chat: list[dict[str, str]], told: str) -> Tokens:
        """The conversation with what the model is told, and the beginning of its next turn."""
        merged, mask, log_probs = await self.ct_merge_context_msg(
            chat, [*chat, {"role": "user", "content": told}], tokens.ids, tokens.mask, tokens.log_probs
        )
        return Tokens(merged.token_ids, mask, log_probs)

    async def _step(
        self, episode: Episode, text: str | None, reward: str
    ) -> tuple[str, dict[str, float] | None]:
        """What the model is told, or what the episode is paid; masked where it cannot be told.

        Args:
            episode: The episode.
            text: What the model says; None ends the episode without an answer.
            reward: The rubric, as `compute_score` is given it.
        """

        def step() -> tuple[str, dict[str, float] | None]:
            if text is None:
                return "", flatten_score(episode.answer(""))
            made = episode.step(text)
            return made.observation, flatten_score(made.score) if made.score is not None else None

        try:
            return await self.loop.run_in_executor(None, step)
        except Exception as error:  # noqa: BLE001
            log.error("an episode could not be scored: %s: %s", type(error).__name__, error)
            return "", make_masked_scores(reward)
