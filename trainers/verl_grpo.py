"""RL with verl: our configuration over its own, a benchmark as parquet, our scorer as its reward.

    python -m trainers.verl_grpo actor_rollout_ref.model.path=runs/sft sql.benchmark=demo

``sql.algorithm=dapo`` chooses an algorithm and ``setup=eight_gpus_7b`` a machine; all else on the
command line is Hydra's and verl's own (``--cfg job`` shows the configuration, ``--help`` this text).
Without an accelerator it runs on the processor, for tiny models: see `trainers.verl_adapter.cpu.platform`.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sql_env import Scorer
from sql_env.errors import SQLEnvError
from sql_env.prompts.prompt import PromptBudget
from sql_env.prompts.template import get_template
from trainers.algorithms import algorithm

log = logging.getLogger(__name__)

CONFIGS = Path(__file__).parent / "configs" / "verl"

CPU = {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "trainers.verl_adapter.cpu.platform"}
"""The environment in which every process of verl runs on the processor."""

QUIET = {"TQ_LOGGING_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore::UserWarning:verl.workers.engine"}
"""The environment in which they do not warn of engines and threads that a processor does not have."""


def compose(overrides: Sequence[str]) -> Any:
    """The whole configuration, ours and verl's, as Hydra composes it."""
    import hydra

    with hydra.initialize_config_dir(str(CONFIGS), version_base=None):
        return hydra.compose("grpo", overrides=list(overrides))


def implied(overrides: Sequence[str]) -> list[str]:
    """What a command line implies, to be put before it, so that whatever it says itself wins.

    Example:
        >>> implied(["setup=one_gpu_3b", "sql.algorithm=rloo"])
        ['algorithm.adv_estimator=rloo']

    Raises:
        PluginError: There is no such algorithm, or verl does not have it.
    """
    setup = [] if setup_of(overrides) else ["setup=cpu"] if not accelerator() else []
    name = compose([*setup, *overrides]).sql.algorithm
    keys = algorithm(name, "verl").overrides if name else {}
    return [*setup, *(f"{key}={'null' if value is None else value}" for key, value in keys.items())]


def setup_of(overrides: Sequence[str]) -> str:
    """The setup that a command line names, or nothing."""
    return next((text.partition("=")[2] for text in overrides if text.startswith("setup=")), "")


def accelerator() -> bool:
    """Whether this machine has a GPU or the like."""
    import torch

    return torch.accelerator.is_available()


def run(config: Any) -> None:
    """Prepare what the configuration asks for, and hand it to verl.

    Raises:
        SQLEnvError: The user can mend it; the message says how.
    """
    from verl.trainer import main_ppo

    if problem := trouble(config):
        sys.exit(f"error: {problem}")
    complete(config)
    if config.sql.benchmark:
        write_data(config)
    main_ppo.main(config)


def trouble(config: Any) -> str:
    """What keeps verl from running this, and how to mend it; nothing where all is well."""
    if not config.actor_rollout_ref.model.path:
        return "name a model: actor_rollout_ref.model.path=FOLDER, from trainers.sft or trainers.demo.tiny"
    if config.trainer.device == "cpu" and os.environ.get("VERL_PLATFORM") != "cpu":
        return f"trainer.device=cpu without setup=cpu needs the environment variables {CPU}"
    if config.sql.rollouts and config.sql.max_turns > 1:
        return "sql.rollouts keeps answers of a single turn: set sql.rollouts=0, or sql.max_turns=1"
    if conflict := trl_conflict():
        return conflict
    return ""


def trl_conflict() -> str:
    """Why verl's engines would fail beside the TRL that is installed, or nothing.

    verl 0.9.1 imports the value head of ``trl.experimental.ppo`` wherever TRL is installed, and
    TRL 1.13 dropped it.
    """
    if importlib.util.find_spec("trl") is None or importlib.util.find_spec("trl.experimental.ppo"):
        return ""
    from importlib.metadata import version

    return (
        f"verl {version('verl')} cannot run beside trl {version('trl')}, which lacks trl.experimental.ppo: "
        "pip install 'trl>=1.12,<1.13', or keep verl in an environment of its own without trl"
    )


def complete(config: Any) -> None:
    """Fill in what depends on the model and the algorithm, and tell verl's processes what to import."""
    from omegaconf import OmegaConf, open_dict

    from trainers.verl_adapter.parquet import chat_template

    model, sql = config.actor_rollout_ref.model, config.sql
    modules = [name for name in os.environ.get("VERL_USE_EXTERNAL_MODULES", "").split(",") if name]
    modules += algorithm(sql.algorithm, "verl").modules if sql.algorithm else ()
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
        sql.prompt = get_template(sql.prompt).id
        if not isinstance(sql.reward, str):
            sql.reward = json.dumps(OmegaConf.to_container(sql.reward))
        if model.custom_chat_template is None:
            model.custom_chat_template = chat_template(model.path)
        variables = config.ray_kwargs.ray_init.runtime_env.get("env_vars") or {}
        config.ray_kwargs.ray_init.runtime_env.env_vars = {**shared, **variables}


def budget(config: Any) -> PromptBudget | None:
    """How large a prompt may be, in the tokens of the model."""
    if not config.sql.prompt_budget:
        return None
    from transformers import AutoTokenizer

    from trainers.dataset import token_budget

    model = config.actor_rollout_ref.model
    tokenizer = AutoTokenizer.from_pretrained(model.path)
    tokenizer.chat_template = model.custom_chat_template or tokenizer.chat_template
    return token_budget(config.sql.prompt_budget, tokenizer)


def write_data(config: Any) -> None:
    """Write the tasks where ``data.train_files`` and ``data.val_files`` say."""
    from trainers.verl_adapter.parquet import prepare
    from trainers.verl_reward import checked

    sql = config.sql
    with Scorer(checked(sql.reward), workers=sql.workers) as scorer:
        files = Path(config.data.train_files), Path(config.data.val_files)
        counts = prepare(sql, scorer, *files, budget(config))
    log.warning("%s: %d tasks to train on, %d held out", sql.benchmark, *counts)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the training that the command line describes."""
    given = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(given):
        print(__doc__)
        return
    if importlib.util.find_spec("verl") is None:
        sys.exit("error: verl is not installed: pip install 'sql-env[verl]'")
    overrides = [text for text in given if not text.startswith("-") and ("=" in text or text[:1] == "~")]
    if (setup_of(overrides) or ("" if accelerator() else "cpu")) == "cpu":
        os.environ.update(CPU)
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        warnings.filterwarnings("ignore", category=UserWarning, module="verl.workers.engine")
        print("no accelerator is used: verl runs on the processor, with setup=cpu", file=sys.stderr)
    try:
        import hydra

        sys.argv = [sys.argv[0], *implied(overrides), *given]
        hydra.main(config_path=str(CONFIGS), config_name="grpo", version_base=None)(run)()
    except SQLEnvError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
