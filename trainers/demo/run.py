"""From random weights to SQL in a few minutes on a laptop: ``python -m trainers.demo``, or ``make demo``.

A tiny model gets a cold start on data of which a stated share is mislabelled on purpose, then GRPO with
execution feedback. Supervised training learns the wrong labels too, execution feedback does not. The
record also has the accuracy after a cold start on clean labels: GRPO repairs bad labels here, it does not
beat good ones.

``--backend verl`` runs the RL in verl (``make demo-verl``), ``--algorithm`` chooses the algorithm, and
``--start`` takes the cold start of another run, so that algorithms start from the same weights.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task
from trainers.arguments import exit_on_error, require_trl, run_command
from trainers.dataset import Prompter
from trainers.demo.stages import Log, Stages, silence_libraries
from trainers.demo.tasks import DemoArguments, load_demo_tasks


class Demo:
    """One run: its tasks, and the stages with its settings."""

    def __init__(self, args: DemoArguments, scorer: Scorer, display: Any) -> None:
        self.args = args
        display.console.print(f"loading the demo benchmark under {args.contents} contents ...")
        self.tasks = load_demo_tasks(args)
        display.console.print(
            f"{len(self.tasks.train)} questions to train on, {self.tasks.wrong_share:.0%} mislabelled"
        )
        prompter = Prompter(scorer, "compact")
        answers = [prompter.make_completion(task, args.strategy) for task in self.tasks.mislabelled]
        self.stages = Stages(self.tasks.train, answers, prompter, display, out=args.out, seed=args.seed)

    def cold_start(self, tasks: list[Task], name: str) -> tuple[Any, Log]:
        """Train a new model on the labels of the tasks. Return the model and the log."""
        model, args = self.stages.make_model(), self.args
        log = self.stages.supervise(
            model, tasks, name, steps=args.sft_steps, rate=args.sft_rate, strategy=args.strategy
        )
        return model, log

    def improve(self, model: Any) -> tuple[Any, Log]:
        """Train the model by RL on the right results of the questions. Return the model and the log."""
        args = self.args
        if args.backend == "verl":
            from trainers.demo.verl_stage import reinforce_with_verl

            start = Path(args.start or Path(args.out, "cold_start"))
            return reinforce_with_verl(self.stages, start, self.tasks.train, args)
        return model, self.stages.reinforce(
            model,
            self.tasks.train,
            args.algorithm or "GRPO",
            steps=args.grpo_steps,
            rate=args.grpo_rate,
            algorithm=args.algorithm,
        )

    def measure(self, model: Any, name: str) -> dict[str, float]:
        """Measure greedy accuracy, mean@1, pass@8 and vote@8 on the held-out questions."""
        return self.stages.measure(model, self.tasks.held_out, name)


def run_demo(args: DemoArguments) -> None:
    """Run the whole demo. Write the record, the curves and the models to ``args.out``."""
    from sql_env.display.terminal import make_console
    from trainers.logs.curves import draw_curves
    from trainers.logs.progress import Display
    from trainers.logs.record import RunRecord, set_up_machine

    out, console = Path(args.out), make_console()
    out.mkdir(parents=True, exist_ok=True)
    console.print(
        "With the default settings this takes about 8 minutes on two idle cores, or 20 with verl. "
        "Nothing is downloaded.",
        highlight=False,
    )
    logs: dict[str, Log] = {}
    record = RunRecord(settings=asdict(args), machine=set_up_machine(args.threads, args.backend))
    with Scorer(args.reward) as scorer, Display(console) as display, record.time_stage("total"):
        demo = record.time_call("data", Demo, args, scorer, display)
        record.held_out_questions = len(demo.tasks.held_out)
        record.training_questions = len(demo.tasks.train)
        record.mislabelled_share = demo.tasks.wrong_share
        if args.start:
            model = record.time_call("cold start", demo.stages.load_model, args.start)
        else:
            name = "cold start, mislabelled data"
            model, logs["mislabelled data"] = record.time_call(
                "cold start", demo.cold_start, demo.tasks.mislabelled, name
            )
            demo.stages.save(model, "cold_start")
        record.parameters = model.num_parameters()
        record.before = record.time_call("measure before", demo.measure, model, "before")
        model, rl_log = record.time_call("grpo", demo.improve, model)
        demo.stages.save(model, "grpo")
        record.after = record.time_call("measure after", demo.measure, model, "after")
        if args.clean:
            stage, name = "cold start, clean labels", "for comparison: clean labels"
            model, logs["clean labels"] = record.time_call(stage, demo.cold_start, demo.tasks.train, name)
            record.clean_labels = record.time_call(
                "measure clean labels", demo.measure, model, "clean labels"
            )
    record.write(out / "record.json")
    draw_curves(out / "curves.png", logs, rl_log, record.figures())
    record.print_summary(console)
    written = f"{out / 'record.json'}, {out / 'curves.png'}; {record.seconds['total']:.0f} seconds"
    console.print(written, soft_wrap=True)  # a path stays on one line
    console.print("\nMeasure the trained model on the whole test set, and look at its answers:\n")
    for command in list_next_commands(args, demo.stages.max_tokens):
        console.print(f"  {shlex.join(command)}", soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"\nThe model has learnt the levels {args.levels}. On other levels it is almost never right.",
        highlight=False,
    )


def list_next_commands(args: DemoArguments, max_tokens: int) -> list[list[str]]:
    """Return the commands that evaluate the trained model and write a report about it.

    Args:
        args: The settings of the demo.
        max_tokens: Tokens of a completion at most.
    """
    python, run = Path(sys.executable), str(Path(args.out, "evaluation"))
    if python.is_relative_to(Path.cwd()):  # .venv/bin/python, which make uses, need not be activated
        python = python.relative_to(Path.cwd())
    evaluate = {"benchmark": "demo", "model": str(Path(args.out, "grpo")), "max-tokens": str(max_tokens)}
    if args.data_dir is not None:
        evaluate["data-dir"] = args.data_dir
    if args.reward != DemoArguments.reward:
        evaluate["reward"] = args.reward
    options = [word for name, value in evaluate.items() for word in (f"--{name}", value)]
    report = str(Path(args.out, "report.html"))
    return [
        [str(python), "-m", "benchmarks.evaluate", *options, "--out", run],
        [str(python), "-m", "sql_env.cli", "report", run, "--out", report],
    ]


def main() -> None:
    """Run the demo with the settings of the command line."""
    with exit_on_error():
        require_trl()
    silence_libraries()
    run_command(run_demo, DemoArguments)
