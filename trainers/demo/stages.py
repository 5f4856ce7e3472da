"""The stages that a tiny model goes through, on the processor: cold start, RL, measurement."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sql_env import Task
from trainers.algorithms import TRL, algorithm
from trainers.dataset import Prompter

REPORTS = 25
"""How often a stage reports."""

Log = list[dict[str, Any]]
"""What a trainer logged, a row for each report."""


class Stages:
    """A model's way: each stage shows a bar, and takes the model that the one before has left.

    Args:
        tokenizer: The tokenizer of every model that goes this way.
        prompter: How tasks are asked, and what scores the answers.
        display: `trainers.logs.progress.Display`.
        out: Folder of the models.
        seed: Seed of the weights and of every draw.
        longest: Tokens of the longest answer.
    """

    def __init__(
        self, tokenizer: Any, prompter: Prompter, display: Any, *, out: str, seed: int, longest: int
    ) -> None:
        self.tokenizer, self.prompter, self.display = tokenizer, prompter, display
        self.out, self.seed, self.longest = out, seed, longest

    def model(self) -> Any:
        """A model with random weights."""
        from trainers.demo import tiny

        return tiny.model(self.tokenizer, seed=self.seed)

    def supervise(
        self, model: Any, tasks: Sequence[Task], name: str, *, steps: int, rate: float, strategy: str = "sql"
    ) -> Log:
        """Train the model on the labels of the tasks, 16 a step."""
        from trl import SFTConfig

        from trainers.sft import sft_trainer

        config = SFTConfig(
            per_device_train_batch_size=16,
            learning_rate=rate,
            weight_decay=0.05,
            adam_beta2=0.98,
            warmup_steps=min(20, steps // 2),
            max_length=None,
            **self._common(steps),
        )
        with self.display.stage(name, steps) as stage:
            how = {"strategy": strategy, "callbacks": [stage]}
            return _trained(sft_trainer(model, self.tokenizer, tasks, self.prompter, config, **how))

    def reinforce(
        self,
        model: Any,
        tasks: Sequence[Task],
        name: str,
        *,
        steps: int,
        rate: float,
        temperature: float = 1.0,
        algorithm_name: str = "",
    ) -> Log:
        """Train the model by RL on the results of the tasks' queries, 16 tasks of 8 answers a step.

        Args:
            model: Is changed in place.
            tasks: What is asked.
            name: What the stage is called.
            steps: Steps of the optimizer; each is on answers of the newest model.
            rate: Learning rate.
            temperature: Of the sampling.
            algorithm_name: An algorithm that TRL runs, with what it sets; where empty, TRL's own
                GRPO with rewards scaled by the standard deviation of the batch.
        """
        from sql_env.plugins import load_object
        from trainers.trl_grpo import grpo_trainer

        own = TRL({"scale_rewards": "batch"})
        chosen: TRL = algorithm(algorithm_name, "trl") if algorithm_name else own
        settings = {
            "per_device_train_batch_size": 128,
            "num_generations": 8,
            "learning_rate": rate,
            "max_completion_length": self.longest,
            "temperature": temperature,
            "beta": 0.0,
            "weight_decay": 0.0,
            "adam_beta2": 0.99,
            "warmup_steps": min(10, steps // 2),
            **self._common(steps),
            **chosen.arguments,
        }
        made: Any = load_object(chosen.config)
        with self.display.stage(name, steps) as stage:
            how = {"trainer": chosen.trainer, "callbacks": [stage]}
            config = made(**settings)
            return _trained(grpo_trainer(model, self.tokenizer, tasks, self.prompter, config, **how))

    def measure(self, model: Any, tasks: Sequence[Task], name: str) -> dict[str, float]:
        """Greedy accuracy, mean@1, pass@8 and vote@8 on the tasks."""
        from trainers.generation.measure import measure

        with self.display.stage(f"measuring {name}", 2 * len(tasks)) as stage:
            how = {"max_new_tokens": self.longest, "seed": self.seed, "progress": stage.advance}
            figures = measure(model, self.tokenizer, tasks, self.prompter, **how)
            stage.say("  " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
            return figures

    def save(self, model: Any, name: str) -> Path:
        """Keep the model with its tokenizer in a folder of that name."""
        folder = Path(self.out, name)
        for part in (model, self.tokenizer):
            part.save_pretrained(folder)
        return folder

    def _common(self, steps: int) -> dict[str, Any]:
        return {
            "output_dir": self.out,
            "max_steps": steps,
            "lr_scheduler_type": "cosine",
            "max_grad_norm": 1.0,
            "logging_steps": max(1, steps // REPORTS),
            "save_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
            "seed": self.seed,
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": False,
        }


def load(folder: str | Path) -> Any:
    """A model from disk, to train it further."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32")


def quiet() -> None:
    """Import what takes long, and keep what it says beside the stages' own lines to errors."""
    import logging

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR)
    print("loading torch, transformers and trl ...", flush=True)
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _trained(trainer: Any) -> Log:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # the stage shows the log
    trainer.train()
    return [dict(row) for row in trainer.state.log_history]
