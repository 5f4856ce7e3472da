"""Several turns in verl: an agent loop around `sql_env.Episode`.

The configuration chooses it if ``sql.max_turns`` is above 1. The model learns from the tokens that it wrote
only: observations have mask 0. Tokens are appended and never made again from text, so training uses
exactly the tokens that were sampled.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from verl.experimental.agent_loop.agent_loop import AgentLoopBase, AgentLoopOutput
from verl.utils.profiler import simple_timer

from sql_env import Episode
from sql_env.prompts.template import load_template
from trainers.verl_reward import decode_task, flatten_score, get_scorer, get_stats, make_masked_scores

log = logging.getLogger(__name__)


@dataclass
class Tokens:
    """A conversation as tokens.

    Attributes:
        ids: The prompt and all tokens after it.
        mask: For each token after the prompt, 1 if the model wrote it.
        log_probs: For each of them, its log-probability, 0 if the model did not write it; None if verl does
            not collect them.
    """

    ids: list[int]
    mask: list[int] = field(default_factory=list)
    log_probs: list[float] | None = None


class SQLAgentLoop(AgentLoopBase):
    """One rollout: the model explores the database, reads observations, and answers."""

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Run an episode on the task of a dataset row.

        ``data.max_response_length`` limits all turns together, observations included. If no room is left
        for an answer, the episode ends without one.
        """
        sql, room = self.config.sql, self.rollout_config.response_length
        scorer = get_scorer(sql.reward, sql.workers)
        template = load_template(sql.prompt)
        turns = {"max_turns": sql.max_turns, "max_queries": sql.max_queries, "template": template}
        episode = Episode(scorer, decode_task(row["extra_info"]["task"]), **turns)
        chat, request, metrics = list(row["raw_prompt"]), uuid4().hex, {}
        tokens, steps = Tokens(await self.ct_build_initial_tokens(chat)), []
        while True:
            with simple_timer("generate_sequences", metrics):
                params = {**sampling_params, "max_tokens": room - len(tokens.mask)}
                output = await self.server_manager.generate(
                    request_id=request, prompt_ids=tokens.ids, sampling_params=params
                )
            steps.append(output.extra_fields.get("global_steps"))
            tokens = await self._append_completion(tokens, output)
            text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
            with simple_timer("tool_calls", metrics):
                observation, info = await self._step(episode, text, sql.reward)
            if info is not None:
                break
            chat.append({"role": "assistant", "content": text})
            longer = await self._append_observation(tokens, chat, observation)
            if len(longer.mask) >= room:
                _, info = await self._step(episode, None, sql.reward)
                break
            tokens = longer
            chat.append({"role": "user", "content": observation})
        if sql.profile:
            info = {**info, **get_stats(sql.reward, sql.workers)}
        start = len(tokens.ids) - len(tokens.mask)
        return AgentLoopOutput(
            prompt_ids=tokens.ids[:start],
            response_ids=tokens.ids[start:][:room],
            response_mask=tokens.mask[:room],
            response_logprobs=tokens.log_probs[:room] if tokens.log_probs else None,
            reward_score=info["score"],
            num_turns=2 * len(steps),
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

    async def _append_completion(self, tokens: Tokens, output: Any) -> Tokens:
        """Return the conversation with the completion that the model has just written."""
        known = [] if output.log_probs and not tokens.mask else tokens.log_probs
        merged, mask, log_probs = await self.ct_merge_assistant_token(
            tokens.ids, output.token_ids, tokens.mask, known, assistant_logprobs=output.log_probs or None
        )
        return Tokens(merged.token_ids, mask, log_probs)

    async def _append_observation(
        self, tokens: Tokens, chat: list[dict[str, str]], observation: str
    ) -> Tokens:
        """Return the conversation with an observation and the beginning of the model's next turn."""
        longer = [*chat, {"role": "user", "content": observation}]
        merged, mask, log_probs = await self.ct_merge_context_msg(
            chat, longer, tokens.ids, tokens.mask, tokens.log_probs
        )
        return Tokens(merged.token_ids, mask, log_probs)

    async def _step(
        self, episode: Episode, text: str | None, reward: str
    ) -> tuple[str, dict[str, float] | None]:
        """Return the observation, and the scores if the episode is over; masked if it cannot be scored.

        Args:
            episode: The episode.
            text: The completion; None ends the episode without an answer.
            reward: The argument ``reward`` of `compute_score`.
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
