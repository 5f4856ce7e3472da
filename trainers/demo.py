"""From random weights to SQL in some minutes on a laptop: ``python -m trainers.demo``, or ``make demo``.

A tiny model gets its cold start from data of which a stated share is mislabelled on purpose, then GRPO
with execution feedback. Supervised training inherits the wrong labels, execution feedback does not. The
record also says what a cold start on clean labels reaches, so that nobody takes the repair of bad
labels for more than it is.
"""

from __future__ import annotations

import logging
import os
import random
import re
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.demo import demo
from benchmarks.demo.mislabel import mislabel
from sql_env import Scorer, Task
from sql_env.errors import SQLEnvError
from trainers.arguments import STRATEGIES, option
from trainers.dataset import Prompter
from trainers.hardware import idle_cores, use_threads
from trainers.setup import drawn

LOGS = 25
"""How often a stage reports."""

TABLE = re.compile(r"\w+\(.*\)\n")
"""A table in a prompt: a token of its own, so that prompts are short. The ten schemas are learnt by heart."""


@dataclass
class DemoArguments:
    """The settings of the demo; all of them go into its record."""

    out: str = option("runs/demo", "Folder of the record, the curves and the models.")
    seed: int = option(0, "Seed of the weights, the wrong labels, and every draw.")
    levels: str = option("simple,moderate", "Levels of the demo benchmark, with commas between them.")
    contents: int = option(4, "Contents of the databases: the benchmark's seeds 0, 1, ... up to this many.")
    split: str = option("test", "Split of the held-out questions: dev to choose settings, test to measure.")
    questions: int = option(300, "Held-out questions, drawn with the seed.")
    mislabelled: float = option(0.7, "Share of the cold start's labels that are spoilt.")
    strategy: str = option("sql", "The cold start teaches reasoning and SQL, or SQL.", choices=STRATEGIES)
    reward: str = option("sql-r1", "Preset that GRPO is paid by.")
    sft_steps: int = option(2000, "Steps of the cold start, 16 examples each.")
    sft_rate: float = option(3e-3, "Learning rate of the cold start.")
    grpo_steps: int = option(60, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = option(7e-4, "Learning rate of GRPO.")
    threads: int = option(0, "Threads of torch; 0 for as many as the machine has idle cores.")
    data_dir: str | None = option(None, "Where the benchmark is kept, instead of the user's cache.")


@dataclass(frozen=True, slots=True)
class Data:
    """The tasks of a run.

    Attributes:
        train: Tasks with their right labels.
        spoilt: The same, a share of them with a wrong one.
        held_out: Tasks whose SQL, on databases of that schema, is not among the right labels.
    """

    train: list[Task]
    spoilt: list[Task]
    held_out: list[Task]

    @property
    def wrong(self) -> float:
        """The share of labels that were spoilt."""
        pairs = list(zip(self.train, self.spoilt, strict=True))
        return round(sum(right.gold_sql != label.gold_sql for right, label in pairs) / max(1, len(pairs)), 4)


def load(args: DemoArguments) -> Data:
    """Load the benchmark under several contents, and spoil labels."""
    held_out = _tasks(args, "test") + _tasks(args, "dev")
    secret = {(task.db_id, task.gold_sql) for task in held_out}
    train = [task for task in _tasks(args, "train") if (task.db_id, task.gold_sql) not in secret]
    rng = random.Random(args.seed)
    spoilt = [(mislabel(t, rng) or t) if rng.random() < args.mislabelled else t for t in train]
    return Data(train, spoilt, drawn(_tasks(args, args.split), args.questions, args.seed))


def _tasks(args: DemoArguments, split: str) -> list[Task]:
    levels = args.levels.split(",")
    contents = (demo(split=split, data_dir=args.data_dir, seed=seed) for seed in range(args.contents))
    return [task for content in contents for task in content.tasks if task.difficulty in levels]


class Demo:
    """One run: the parts that its stages share, and the stages."""

    def __init__(self, args: DemoArguments, scorer: Scorer, display: Any) -> None:
        from trainers import tiny

        self.args, self.display = args, display
        display.console.print(f"loading the demo benchmark under {args.contents} contents ...")
        self.data = load(args)
        display.console.print(
            f"{len(self.data.train)} questions to train on, {self.data.wrong:.0%} mislabelled"
        )
        self.prompter = Prompter(scorer, "compact")
        prompts = [str(self.prompter(task)) for task in self.data.train]
        answers = [self.prompter.answer(task, args.strategy) for task in self.data.spoilt]
        tables = sorted({line for prompt in prompts for line in prompt.splitlines(True) if TABLE.match(line)})
        self.tokenizer = tiny.tokenizer(prompts + answers, scorer.rubric.form, whole=tables)
        self.longest = 8 + max(len(ids) for ids in self.tokenizer(answers)["input_ids"])

    def cold_start(self, tasks: list[Task], name: str) -> tuple[Any, list[dict[str, Any]]]:
        """A new model, trained on the labels of the tasks; and its log."""
        from trl import SFTConfig

        from trainers import tiny
        from trainers.sft import sft_trainer

        model = tiny.model(self.tokenizer, seed=self.args.seed)
        steps = self.args.sft_steps
        config = SFTConfig(
            per_device_train_batch_size=16,
            learning_rate=self.args.sft_rate,
            weight_decay=0.05,
            adam_beta2=0.98,
            warmup_steps=min(20, steps // 2),
            max_length=None,
            **self._common(steps),
        )
        with self.display.stage(name, steps) as stage:
            how = {"strategy": self.args.strategy, "callbacks": [stage]}
            return model, trained(sft_trainer(model, self.tokenizer, tasks, self.prompter, config, **how))

    def improve(self, model: Any) -> list[dict[str, Any]]:
        """Train the model by GRPO on the right results of the questions; the log."""
        from trl import GRPOConfig

        from trainers.trl_grpo import grpo_trainer

        steps = self.args.grpo_steps
        config = GRPOConfig(
            per_device_train_batch_size=128,
            num_generations=8,
            learning_rate=self.args.grpo_rate,
            max_completion_length=self.longest,
            temperature=1.0,
            beta=0.0,
            scale_rewards="batch",
            weight_decay=0.0,
            adam_beta2=0.99,
            warmup_steps=min(10, steps // 2),
            **self._common(steps),
        )
        with self.display.stage("GRPO", steps) as stage:
            data = self.data.train
            return trained(
                grpo_trainer(model, self.tokenizer, data, self.prompter, config, callbacks=[stage])
            )

    def measure(self, model: Any, name: str) -> dict[str, float]:
        """Greedy accuracy, mean@1, pass@8 and vote@8 on the held-out questions."""
        from trainers.measure import measure

        with self.display.stage(f"measuring {name}", 2 * len(self.data.held_out)) as stage:
            how = {"max_new_tokens": self.longest, "seed": self.args.seed, "progress": stage.advance}
            figures = measure(model, self.tokenizer, self.data.held_out, self.prompter, **how)
            stage.say("  " + ", ".join(f"{key} {value:.3f}" for key, value in figures.items()))
            return figures

    def save(self, model: Any, name: str) -> None:
        """Keep the model with its tokenizer in the output folder."""
        for part in (model, self.tokenizer):
            part.save_pretrained(Path(self.args.out, name))

    def _common(self, steps: int) -> dict[str, Any]:
        return {
            "output_dir": self.args.out,
            "max_steps": steps,
            "lr_scheduler_type": "cosine",
            "max_grad_norm": 1.0,
            "logging_steps": max(1, steps // LOGS),
            "save_strategy": "no",
            "report_to": [],
            "disable_tqdm": True,
            "seed": self.args.seed,
            "use_cpu": True,
            "bf16": False,
            "gradient_checkpointing": False,
        }


def trained(trainer: Any) -> list[dict[str, Any]]:
    """Train, without the trainer's own printing; the log."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [dict(row) for row in trainer.state.log_history]


def run(args: DemoArguments) -> Any:
    """The whole demo; its record, which is written with the curves and the models to ``args.out``."""
    from rich.console import Console

    from trainers import curves
    from trainers.progress import Display
    from trainers.record import Record, machine

    threads = args.threads or idle_cores()
    use_threads(threads)
    out, console = Path(args.out), Console()
    out.mkdir(parents=True, exist_ok=True)
    record = Record(settings=asdict(args), machine=machine(threads))
    with Scorer(args.reward) as scorer, Display(console) as display, record.timed("total"):
        with record.timed("data"):
            lesson = Demo(args, scorer, display)
        record.held_out_questions = len(lesson.data.held_out)
        record.training_questions = len(lesson.data.train)
        record.mislabelled_share = lesson.data.wrong
        with record.timed("cold start"):
            model, cold = lesson.cold_start(lesson.data.spoilt, "cold start, mislabelled data")
        record.parameters = model.num_parameters()
        lesson.save(model, "cold_start")
        with record.timed("measure before"):
            record.before = lesson.measure(model, "before")
        with record.timed("grpo"):
            grpo = lesson.improve(model)
        lesson.save(model, "grpo")
        with record.timed("measure after"):
            record.after = lesson.measure(model, "after")
        with record.timed("cold start, clean labels"):
            model, clean = lesson.cold_start(lesson.data.train, "for comparison: clean labels")
        with record.timed("measure clean labels"):
            record.clean_labels = lesson.measure(model, "clean labels")
    record.write(out / "record.json")
    bars = {"before": record.before, "after GRPO": record.after, "clean labels": record.clean_labels}
    curves.draw(out / "curves.png", cold, clean, grpo, bars)
    console.print(record.table())
    console.print(record.caution())
    console.print(f"{out / 'record.json'}, {out / 'curves.png'}; {record.seconds['total']:.0f} seconds")
    return record


def main(argv: list[str] | None = None) -> None:
    """Run the demo that the command line describes."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR)
    print("loading torch, transformers and trl ...", flush=True)
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    (args,) = transformers.HfArgumentParser(DemoArguments).parse_args_into_dataclasses(argv)
    try:
        run(args)
    except SQLEnvError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
