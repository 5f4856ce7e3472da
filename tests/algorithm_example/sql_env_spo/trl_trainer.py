"""The algorithm in TRL: a trainer with other advantages and another loss."""

import torch
from trl import GRPOTrainer

from sql_env.errors import PluginError
from sql_env_spo import formulas


class SPOTrainer(GRPOTrainer):
    """TRL's trainer, whose sampling, rewards, logging and checkpoints stay."""

    def __init__(self, *arguments, args, **others):
        if args.beta or args.use_liger_kernel:
            raise PluginError("SPO has neither a KL term nor a Liger kernel: --beta 0, no --use_liger_kernel")
        super().__init__(*arguments, args=args, **others)

    def _calculate_rewards(self, *batch):
        self._components = super()._calculate_rewards(*batch)
        return self._components

    def _generate_and_score_completions(self, inputs):
        batch = super()._generate_and_score_completions(inputs)
        rewards = (self._components * self.reward_weights.to(self._components)).nansum(1)
        rewards[self._components.isnan().all(1)] = torch.nan
        size = self.num_generations if self.model.training else self.num_generations_eval
        groups = torch.arange(len(rewards), device=rewards.device) // size
        everywhere = formulas.advantages(rewards, groups).chunk(self.accelerator.num_processes)
        return batch | {"advantages": everywhere[self.accelerator.process_index]}

    def _compute_loss(self, model, inputs):
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        length = inputs["completion_ids"].size(1)
        now, *_ = self._get_per_token_logps_and_entropies(model, ids, attention, length)
        mask = inputs["completion_mask"] * inputs.get("tool_mask", 1)
        log_ratio = now - inputs.get("old_per_token_logps", now.detach())
        advantages = inputs["advantages"][:, None].expand_as(now)
        tokens = formulas.loss(log_ratio, advantages, self.epsilon_low)
        tokens = tokens * inputs.get("importance_sampling_ratio", 1)
        mode = "train" if self.model.training else "eval"
        for name, value in formulas.metrics(log_ratio, advantages, mask).items():
            self._metrics[mode][name].append(self.accelerator.gather(value).mean().item())
        parts = self.current_gradient_accumulation_steps if self.model.training else 1
        return formulas.mean(tokens, mask) / parts
