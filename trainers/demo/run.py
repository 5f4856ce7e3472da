"""From random weights to SQL in some minutes on a laptop: ``python -m trainers.demo``, or ``make demo``.

A tiny model gets its cold start from data of which a stated share is mislabelled on purpose, then GRPO
with execution feedback. Supervised training inherits the wrong labels, execution feedback does not. The
record also says what a cold start on clean labels reaches, so that nobody takes the repair of bad
labels for more than it is.

``--backend verl`` lets verl do the RL (``make demo-verl``), ``--algorithm`` chooses how, and ``--start``
takes the cold start of another run, so that algorithms are compared from the same weights.
"""

from __future__ import annotations

import random
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.demo import demo
from benchmarks.demo.wrong_labels import mislabel
from sql_env import Scorer, Task
from sql_env.errors import DataError, SQLEnvError
from trainers.dataset import Prompter
from trainers.demo.arguments import DemoArguments
from trainers.demo.stages import Log, Stages, load, quiet
from trainers.hardware import idle_cores, use_threads
from trainers.training import drawn

TABLE = re.compile(r"\w+\(.*\)\n")
"""A table in a prompt: a token of its own, so that prompts are short. The ten schemas are learnt by heart."""


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


def data(args: DemoArguments) -> Data:
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
    """One run: its data, and the stages as it sets them."""

    def __init__(self, args: DemoArguments, scorer: Scorer, display: Any) -> None:
        self.args, self.display = args, display
        display.console.print(f"loading the demo benchmark under {args.contents} contents ...")
        self.data = data(args)
        display.console.print(
            f"{len(self.data.train)} questions to train on, {self.data.wrong:.0%} mislabelled"
        )
        prompter = Prompter(scorer, "compact")
        answers = [prompter.answer(task, args.strategy) for task in self.data.spoilt]
        tokenizer = vocabulary(self.data.train, answers, prompter)
        longest = 8 + max(len(ids) for ids in tokenizer(answers)["input_ids"])
        common = {"out": args.out, "seed": args.seed, "longest": longest}
        self.stages = Stages(tokenizer, prompter, display, **common)

    def cold_start(self, tasks: list[Task], name: str) -> tuple[Any, Log]:
        """A new model, trained on the labels of the tasks; and its log."""
        model, args = self.stages.model(), self.args
        how = {"steps": args.sft_steps, "rate": args.sft_rate, "strategy": args.strategy}
        return model, self.stages.supervise(model, tasks, name, **how)

    def started(self) -> Any:
        """The model of ``args.start``.

        Raises:
            DataError: It is not a model of this seed and these settings: its words are others.
        """
        from transformers import AutoTokenizer

        words = AutoTokenizer.from_pretrained(self.args.start)
        if words.get_vocab() != self.stages.tokenizer.get_vocab():
            raise DataError(
                f"{self.args.start} has another vocabulary: give the seed, levels, contents and "
                "mislabelled share that it was made with (they are in its record.json)"
            )
        return load(self.args.start)

    def improve(self, model: Any) -> tuple[Any, Log]:
        """The model after RL on the right results of the questions, and the log."""
        args = self.args
        if args.backend == "verl":
            from trainers.demo.verl_stage import reinforce

            start = Path(args.start or Path(args.out, "cold_start"))
            return reinforce(self.stages, start, self.data.train, args)
        how = {"steps": args.grpo_steps, "rate": args.grpo_rate, "algorithm_name": args.algorithm}
        return model, self.stages.reinforce(model, self.data.train, args.algorithm or "GRPO", **how)

    def measure(self, model: Any, name: str) -> dict[str, float]:
        """Greedy accuracy, mean@1, pass@8 and vote@8 on the held-out questions."""
        return self.stages.measure(model, self.data.held_out, name)


def vocabulary(tasks: list[Task], answers: list[str], prompter: Prompter) -> Any:
    """A tokenizer for the tasks and their answers, in which every table is one token."""
    from trainers.demo import tiny

    prompts = [str(prompter(task)) for task in tasks]
    tables = sorted({line for prompt in prompts for line in prompt.splitlines(True) if TABLE.match(line)})
    return tiny.tokenizer(prompts + answers, prompter.scorer.rubric.form, whole=tables)


def run(args: DemoArguments) -> Any:
    """The whole demo; its record, which is written with the curves and the models to ``args.out``."""
    from rich.console import Console

    from trainers.logs import curves
    from trainers.logs.progress import Display
    from trainers.logs.record import Record, machine

    threads = args.threads or idle_cores()
    use_threads(threads)
    out, console = Path(args.out), Console()
    out.mkdir(parents=True, exist_ok=True)
    cold: Log = []
    clean: Log = []
    record = Record(settings=asdict(args), machine=machine(threads, args.backend))
    with Scorer(args.reward) as scorer, Display(console) as display, record.timed("total"):
        with record.timed("data"):
            lesson = Demo(args, scorer, display)
        record.held_out_questions = len(lesson.data.held_out)
        record.training_questions = len(lesson.data.train)
        record.mislabelled_share = lesson.data.wrong
        with record.timed("cold start"):
            if args.start:
                model = lesson.started()
            else:
                model, cold = lesson.cold_start(lesson.data.spoilt, "cold start, mislabelled data")
                lesson.stages.save(model, "cold_start")
        record.parameters = model.num_parameters()
        with record.timed("measure before"):
            record.before = lesson.measure(model, "before")
        with record.timed("grpo"):
            model, grpo = lesson.improve(model)
        lesson.stages.save(model, "grpo")
        with record.timed("measure after"):
            record.after = lesson.measure(model, "after")
        if args.clean:
            with record.timed("cold start, clean labels"):
                model, clean = lesson.cold_start(lesson.data.train, "for comparison: clean labels")
            with record.timed("measure clean labels"):
                record.clean_labels = lesson.measure(model, "clean labels")
    record.write(out / "record.json")
    bars = {
        "before": record.before,
        f"after {record.algorithm}": record.after,
        "clean labels": record.clean_labels,
    }
    shown = {name: figures for name, figures in bars.items() if figures}
    curves.draw(out / "curves.png", {"mislabelled data": cold, "clean labels": clean}, grpo, shown)
    console.print(record.table())
    if args.clean:
        console.print(record.caution())
    console.print(f"{out / 'record.json'}, {out / 'curves.png'}; {record.seconds['total']:.0f} seconds")
    return record


def main(argv: list[str] | None = None) -> None:
    """Run the demo that the command line describes."""
    quiet()
    from transformers import HfArgumentParser

    (args,) = HfArgumentParser(DemoArguments).parse_args_into_dataclasses(argv)
    try:
        run(args)
    except (SQLEnvError, ChildProcessError) as error:
        sys.exit(f"error: {error}")
