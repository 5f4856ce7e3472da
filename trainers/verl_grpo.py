"""RL with verl: our configuration over verl's, a benchmark as parquet files, our scorer as verl's reward.

    python -m trainers.verl_grpo actor_rollout_ref.model.path=runs/sft sql.benchmark=demo

``sql.algorithm=dapo`` chooses an algorithm and ``setup=eight_gpus_7b`` a machine. Everything else on the
command line belongs to Hydra and verl (``--cfg job`` prints the configuration, ``--help`` this text).
Without an accelerator it runs on the processor, for tiny models: see `trainers.verl_adapter.cpu.platform`.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from sql_env import Scorer
from sql_env.errors import ArgumentError, DataError
from sql_env.plugins import require
from sql_env.prompts.template import load_template, record_template
from trainers.algorithms import get_algorithm
from trainers.arguments import exit_on_error
from trainers.dataset import count_prompt_tokens, load_tokenizer, make_token_budget
from trainers.hardware import has_accelerator
from trainers.logs.run_folder import TrainerFolder, resolve_path
from trainers.verl_adapter.parquet import get_chat_template, write_datasets
from trainers.verl_reward import load_checked_rubric

log = logging.getLogger(__name__)

CONFIGS = Path(__file__).parent / "configs" / "verl"

CPU_ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "VERL_USE_EXTERNAL_MODULES": "trainers.verl_adapter.cpu.platform",
}
"""The environment in which every process of verl runs on the processor."""

QUIET_ENVIRONMENT = {
    "TQ_LOGGING_LEVEL": "ERROR",
    "PYTHONWARNINGS": "ignore::UserWarning:verl.workers.engine",
}
"""The environment in which verl does not warn about engines and threads that a processor does not have."""


CHECKPOINT = "global_step_"
"""The beginning of the name of verl's checkpoints."""

COMPARED = {
    "algorithm": (),
    "actor_rollout_ref.actor": (
        "optim", "policy_loss", "clip_ratio", "clip_ratio_low", "clip_ratio_high", "clip_ratio_c",
        "loss_agg_mode", "entropy_coeff", "use_kl_loss", "kl_loss_coef", "kl_loss_type", "ppo_epochs",
        "ppo_mini_batch_size",
    ),
    "actor_rollout_ref.rollout": ("n", "temperature", "top_k", "top_p"),
    "data": ("train_batch_size", "gen_batch_size", "max_prompt_length", "max_response_length", "seed"),
}  # fmt: skip
"""Keys of verl that a resumed run may not change; all keys of a section if it names none."""

FREE = ("workers", "rollouts", "profile", "eval_split", "eval_tasks")
"""Keys under ``sql`` that a resumed run may change."""


def compose_config(overrides: Sequence[str]) -> Any:
    """Compose the whole configuration, ours and verl's, as Hydra does."""
    import hydra

    with hydra.initialize_config_dir(str(CONFIGS), version_base=None):
        return hydra.compose("grpo", overrides=list(overrides))


def implied_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that a command line implies. Put them before it: its own overrides win.

    Example:
        >>> implied_overrides(["setup=one_gpu_3b", "sql.algorithm=rloo"])
        ['algorithm.adv_estimator=rloo']

    Raises:
        PluginError: There is no such algorithm, or verl does not have it.
    """
    setup = [] if get_setup(overrides) or has_accelerator() else ["setup=cpu"]
    name = compose_config([*setup, *overrides]).sql.algorithm  # a setup may choose the algorithm too
    keys = get_algorithm(name, "verl").overrides if name else {}
    return [*setup, *(f"{key}={'null' if value is None else value}" for key, value in keys.items())]


def add_loader_arguments(overrides: Sequence[str]) -> list[str]:
    """Return a command line in which ``sql.params`` can get any key: Hydra adds a key only with ``++``.

    Example:
        >>> add_loader_arguments(["sql.params.path=a.jsonl", "sql.tasks=9"])
        ['++sql.params.path=a.jsonl', 'sql.tasks=9']
    """
    ours = ("sql.params.", "sql.params=")
    return [f"++{text}" if text.startswith(ours) else text for text in overrides]


def get_setup(overrides: Sequence[str]) -> str:
    """Return the setup that a command line names; empty if none."""
    return next((text.partition("=")[2] for text in overrides if text.startswith("setup=")), "")


def run_training(config: Any) -> None:
    """Check and complete the configuration, write the data, and start verl.

    Raises:
        SQLEnvError: The user can correct it; the message says how.
    """
    from verl.trainer import main_ppo

    if error := validation_error(config):
        sys.exit(f"error: {error}")
    fill_defaults(config)
    with exit_on_error(), claim_run_folder(config):  # Hydra would print a traceback
        if config.sql.benchmark:
            write_data(config)
        main_ppo.main(config)


def validation_error(config: Any) -> str:
    """Return why verl cannot run this configuration, and how to correct it; empty if it can."""
    if not config.actor_rollout_ref.model.path:
        return "name a model: actor_rollout_ref.model.path=FOLDER, from trainers.sft or trainers.demo.tiny"
    if config.trainer.device == "cpu" and os.environ.get("VERL_PLATFORM") != "cpu":
        return f"trainer.device=cpu without setup=cpu needs the environment variables {CPU_ENVIRONMENT}"
    if config.sql.rollouts and config.sql.max_turns > 1:
        return "sql.rollouts keeps answers of a single turn: set sql.rollouts=0, or sql.max_turns=1"
    # verl 0.9.1 imports the value head of trl.experimental.ppo if TRL is installed; TRL 1.13 dropped it.
    if importlib.util.find_spec("trl") and not importlib.util.find_spec("trl.experimental.ppo"):
        return (
            f"verl {version('verl')} cannot run beside trl {version('trl')}, which lacks "
            "trl.experimental.ppo: pip install 'trl>=1.12,<1.13', or install verl without trl in an "
            "environment of its own"
        )
    return ""


def fill_defaults(config: Any) -> None:
    """Set the keys that depend on the model and the algorithm, and the modules that verl imports."""
    from omegaconf import OmegaConf, open_dict

    model, sql = config.actor_rollout_ref.model, config.sql
    modules = [name for name in os.environ.get("VERL_USE_EXTERNAL_MODULES", "").split(",") if name]
    modules += get_algorithm(sql.algorithm, "verl").modules if sql.algorithm else ()
    shared = {"VERL_USE_EXTERNAL_MODULES": ",".join(dict.fromkeys(modules))}
    shared |= {name: os.environ[name] for name in ("VERL_PLATFORM",) if name in os.environ}
    os.environ.update(shared)
    agent = config.actor_rollout_ref.rollout.agent
    with open_dict(config):
        config.trainer.default_local_dir = str(Path(config.trainer.default_local_dir).resolve())
        if Path(model.path).exists():
            model.path = str(Path(model.path).resolve())
        if sql.max_turns > 1 and agent.agent_loop_config_path is None:
            agent.agent_loop_config_path = str(CONFIGS / "agent.yaml")
            agent.default_agent_loop = "sql_env"
        template = load_template(sql.prompt)
        sql.prompt = sql.prompt if ":" in sql.prompt else template.id
        if not isinstance(sql.reward, str):
            sql.reward = json.dumps(OmegaConf.to_container(sql.reward))
        if model.custom_chat_template is None:
            model.custom_chat_template = get_chat_template(model.path, model.trust_remote_code)
        environment = config.ray_kwargs.ray_init.runtime_env
        environment.env_vars = {**shared, **(environment.get("env_vars") or {})}


@contextmanager
def claim_run_folder(config: Any) -> Iterator[None]:
    """Lock ``trainer.default_local_dir`` for this training, and record its settings and its template.

    Raises:
        DataError: The folder has an earlier run that is not resumed, or there is no such checkpoint.
    """
    path, mode = Path(config.trainer.default_local_dir), config.trainer.resume_mode
    names = "trainer.default_local_dir", "trainer.resume_mode=auto"
    folder = TrainerFolder(path, *names, CHECKPOINT, "actor")
    checkpoint = None
    if mode == "resume_path":
        checkpoint = Path(config.trainer.resume_from_path or "")
        if not checkpoint.name.startswith(CHECKPOINT) or not checkpoint.is_dir():
            raise DataError(
                f"trainer.resume_from_path: {str(checkpoint)!r} is no checkpoint: name a folder {CHECKPOINT}N"
            )
    with folder.claim(describe_settings(config), checkpoint, automatic=mode == "auto"):
        if config.sql.benchmark:  # else the prompts are those of data.train_files
            record_template(path, load_template(config.sql.prompt), config.sql.prompt_budget or None)
        yield


def describe_settings(config: Any) -> dict[str, Any]:
    """Return the settings of a run that a resumed run may not change."""
    from omegaconf import OmegaConf

    sql = OmegaConf.to_container(config.sql, resolve=True)
    settings: dict[str, Any] = {"sql": {name: value for name, value in sql.items() if name not in FREE}}
    settings["sql"]["data_dir"] = resolve_path(sql["data_dir"])
    settings["actor_rollout_ref.model.path"] = config.actor_rollout_ref.model.path
    if not sql["benchmark"]:
        settings["data.train_files"] = str(config.data.train_files)
    for section, names in COMPARED.items():
        values = OmegaConf.to_container(OmegaConf.select(config, section), resolve=True)
        settings[section] = {name: values[name] for name in names or values if name in values}
    return settings


def load_model_tokenizer(config: Any) -> Any:
    """Load the model's tokenizer with the chat template that verl uses."""
    model = config.actor_rollout_ref.model
    tokenizer = load_tokenizer(model.path, trust_remote_code=model.trust_remote_code)
    tokenizer.chat_template = model.custom_chat_template or tokenizer.chat_template
    return tokenizer


def check_batch(data: Any, tokenizer: Any) -> None:
    """Check that the training tasks fill a batch. verl leaves out tasks with a prompt that is too long.

    Args:
        data: The ``data`` block of the configuration.
        tokenizer: The model's tokenizer.

    Raises:
        DataError: There are fewer tasks than in a batch. verl would fail with a division by zero.
    """
    from pyarrow import parquet

    prompts = parquet.read_table(str(data.train_files), columns=["prompt"]).column(0).to_pylist()
    limit, needed = data.max_prompt_length, data.train_batch_size
    short = (p for p in prompts if count_prompt_tokens(p, tokenizer) <= limit)
    fitting = len(list(islice(short if data.filter_overlong_prompts else prompts, needed)))
    if fitting < needed:
        raise DataError(
            f"{len(prompts)} tasks to train on, {fitting} of them with a prompt of at most "
            f"data.max_prompt_length={limit} tokens: too few for data.train_batch_size={needed}. "
            "Lower the batch size, raise the length, or shorten prompts by sql.prompt_budget or "
            "sql.prompt=compact"
        )


def write_data(config: Any) -> None:
    """Write the tasks to ``data.train_files`` and ``data.val_files``."""
    sql, tokenizer = config.sql, load_model_tokenizer(config)
    with Scorer(load_checked_rubric(sql.reward), workers=sql.workers) as scorer:
        files = Path(config.data.train_files), Path(config.data.val_files)
        budget = make_token_budget(sql.prompt_budget, tokenizer)
        counts = write_datasets(sql, scorer, *files, budget)
    check_batch(config.data, tokenizer)
    log.warning("%s: %d tasks to train on, %d held out", sql.benchmark, *counts)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the training with the settings of the command line."""
    given = add_loader_arguments(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(given):
        print(__doc__)
        return
    with exit_on_error():
        require("verl", "verl", "hydra", "torch", "transformers", purpose="training with verl")
        overrides = [text for text in given if not text.startswith("-") and ("=" in text or text[:1] == "~")]
        if (get_setup(overrides) or ("" if has_accelerator() else "cpu")) == "cpu":
            os.environ.update({**QUIET_ENVIRONMENT, **os.environ, **CPU_ENVIRONMENT})
            warnings.filterwarnings("ignore", category=UserWarning, module="verl.workers.engine")
            print("no accelerator is used: verl runs on the processor, with setup=cpu", file=sys.stderr)
        import hydra

        # Hydra's parser takes the overrides in one piece only: --cfg job between two of them is an error.
        options = [text for text in given if text not in overrides]
        sys.argv = [sys.argv[0], *_imply_checked(overrides), *overrides, *options]
        hydra.main(config_path=str(CONFIGS), config_name="grpo", version_base=None)(_run_checked)()


def _run_checked(config: Any) -> None:
    with exit_on_error():  # here, because Hydra prints a traceback for every error that reaches it
        run_training(config)


def _imply_checked(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that a command line implies; see `implied_overrides`.

    Raises:
        ArgumentError: An override names no key of the configuration, or its value is malformed.
        PluginError: There is no such algorithm, or verl does not have it.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        return implied_overrides(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        reasons = [str(error), *([str(error.__cause__)] if error.__cause__ else [])]
        raise ArgumentError(
            f"{' '.join(' '.join(reasons).split())} (--cfg job prints all keys; +KEY=VALUE adds a new one)"
        ) from None


if __name__ == "__main__":
    main()
