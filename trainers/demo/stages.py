"""The training stages of a tiny model on the processor: cold start, RL, measurement."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sql_env import Rollout, Task
from sql_env.errors import DataError
from sql_env.prompts.template import get_template, record_template
from trainers.algorithms import TRL, get_algorithm
from trainers.dataset import Prompter, load_tokenizer
from trainers.demo import tiny
from trainers.generation.accuracy import generate_rollouts, measure_accuracy

REPORTS = 25
"""The number of reports of a stage."""

GROUPS, GROUP_SIZE = 16, 8
"""An RL step: this many questions, with this many completions each."""

TABLE = re.compile(r"\w+\(.*\)\n")
"""A table in a prompt. It is one token, so that prompts are short; the model memorizes the ten schemas."""

Log = list[dict[str, Any]]
"""A trainer's log: a row for each report."""


class Stages:
    """The training stages of one run. Each shows a progress bar.

    Args:
        tasks: Tasks whose prompts make the vocabulary.
        answers: Completions that make the vocabulary.
        prompter: Makes the prompts; its scorer scores the completions.
        display: `trainers.logs.progress.Display`.
        out: Folder of the models.
        seed: Seed of the weights and of every random choice.
        max_tokens: Tokens of a completion at most; 0 for 8 more than the longest of ``answers``.

    Attributes:
        tokenizer: The tokenizer of all models of the run.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        answers: Sequence[str],
        prompter: Prompter,
        display: Any,
        *,
        out: str,
        seed: int,
        max_tokens: int = 0,
    ) -> None:
        self.prompter, self.display, self.out, self.seed = prompter, display, out, seed
        prompts = [str(prompter(task)) for task in tasks]
        tables = {line for prompt in prompts for line in prompt.splitlines(True) if TABLE.match(line)}
        form = prompter.scorer.rubric.form
        self.tokenizer = tiny.train_tokenizer([*prompts, *answers], form, whole=sorted(tables))
        self.max_tokens = max_tokens or 8 + max(map(len, self.tokenizer(list(answers))["input_ids"]))

    def make_model(self) -> Any:
        """Make a model with random weights."""
        return tiny.make_model(self.tokenizer, seed=self.seed)

    def load_model(self, folder: str | Path) -> Any:
        """Load a model of an earlier run, to train it further.

        Raises:
            DataError: The model has another vocabulary, so it has another seed or other settings.
        """
        from transformers import AutoModelForCausalLM

        if load_tokenizer(str(folder)).get_vocab() != self.tokenizer.get_vocab():
            raise DataError(
                f"{folder} has another vocabulary: give the seed and the settings that it was made with "
                "(they are in its record.json)"
            )
        return AutoModelForCausalLM.from_pretrained(folder, dtype="float32", trust_remote_code=False)

    def supervise(
        self, model: Any, tasks: Sequence[Task], name: str, *, steps: int, rate: float, strategy: str = "sql"
    ) -> Log:
        """Train the model in place on the labels of the tasks, 16 in each step."""
        from trl import SFTConfig

        from trainers.sft import make_sft_trainer

        config = SFTConfig(
            per_device_train_batch_size=16,
            learning_rate=rate,
            weight_decay=0.05,
            adam_beta2=0.98,
            warmup_steps=min(20, steps // 2),
            max_length=None,
            **self._common_arguments(steps),
        )
        trainer = make_sft_trainer(model, self.tokenizer, tasks, self.prompter, config, strategy=strategy)
        return self._train(trainer, name, steps)

    def reinforce(
        self,
        model: Any,
        tasks: Sequence[Task],
        name: str,
        *,
        steps: int,
        rate: float,
        temperature: float = 1.0,
        algorithm: str = "",
    ) -> Log:
        """Train the model in place by RL on the results of its queries.

        Args:
            model: The model.
            tasks: The questions.
            name: The name of the stage.
            steps: Steps of the optimizer. Each samples new completions.
            rate: Learning rate.
            temperature: Temperature of the sampling.
            algorithm: An algorithm that TRL runs, with its settings; where empty, TRL's own GRPO with
                rewards scaled by the standard deviation of the batch.
        """
        from sql_env.plugins import load_object
        from trainers.trl_grpo import make_grpo_trainer

        chosen: TRL = get_algorithm(algorithm, "trl") if algorithm else TRL({"scale_rewards": "batch"})
        settings = {
            "per_device_train_batch_size": GROUPS * GROUP_SIZE,
            "num_generations": GROUP_SIZE,
            "learning_rate": rate,
            "max_completion_length": self.max_tokens,
            "temperature": temperature,
            "beta": 0.0,
            "weight_decay": 0.0,
            "adam_beta2": 0.99,
            "warmup_steps": get_warmup(steps),
            **self._common_arguments(steps),
            **chosen.arguments,
        }
        config: Any = load_object(chosen.config)
        trainer = make_grpo_trainer(
            model, self.tokenizer, tasks, self.prompter, config(**settings), trainer=chosen.trainer
        )
        return self._train(trainer, name, steps)

    def generate(
        self, model: Any, tasks: Sequence[Task], name: str, *, samples: int, temperature: float, seed: int
    ) -> list[list[Rollout]]:
        """Sample and judge rollouts, ``samples`` for each task."""
        with self.display.start_stage(name, len(tasks)) as stage:
            return generate_rollouts(
                model,
                self.tokenizer,
                tasks,
                self.prompter,
                samples=samples,
                temperature=temperature,
                max_new_tokens=self.max_tokens,
                seed=seed,
                progress=stage.advance,
            )

    def measure(self, model: Any, tasks: Sequence[Task], name: str) -> dict[str, float]:
        """Measure greedy accuracy, mean@1, pass@8 and vote@8 on the tasks."""
        with self.display.start_stage(f"measuring {name}", 2 * len(tasks)) as stage:
            generation = {"max_new_tokens": self.max_tokens, "seed": self.seed, "progress": stage.advance}
            figures = measure_accuracy(model, self.tokenizer, tasks, self.prompter, **generation)
            stage.print_line("  " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
            return figures

    def save(self, model: Any, name: str) -> None:
        """Save the model, its tokenizer and the name of its prompt template in the folder ``name``."""
        folder, budget = Path(self.out, name), self.prompter.budget
        for part in (model, self.tokenizer):
            part.save_pretrained(folder)
        record_template(folder, get_template(self.prompter.template), budget and budget.max_size)

    def _train(self, trainer: Any, name: str, steps: int) -> Log:
        from transformers import PrinterCallback

        trainer.remove_callback(PrinterCallback)  # the stage prints the log
        with self.display.start_stage(name, steps) as stage:
            trainer.add_callback(stage)
            trainer.train()
        return [dict(row) for row in trainer.state.log_history]

    def _common_arguments(self, steps: int) -> dict[str, Any]:
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


def get_warmup(steps: int) -> int:
    """Return the steps in which the learning rate of RL rises."""
    return min(10, steps // 2)


def silence_libraries() -> None:
    """Import torch, transformers and trl, which takes a while, and show only their errors."""
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
