"""Algorithms by name: data that each back end understands."""

from dataclasses import fields

import pytest

from sql_env.errors import PluginError
from sql_env.plugins import ALGORITHMS, load_object, names
from trainers.algorithms import Algorithm, algorithm, algorithms

ASKED_FOR = {"grpo", "dr_grpo", "dapo", "gspo", "rloo"}


def test_both_back_ends_run_what_is_asked_for():
    assert set(algorithms("trl")) >= ASKED_FOR | {"cispo", "sapo"}
    assert set(algorithms("verl")) >= ASKED_FOR | {"reinforce_plus_plus", "ppo", "cispo", "sapo"}
    assert set(algorithms("trl")) | set(algorithms("verl")) == set(names(ALGORITHMS))


@pytest.mark.parametrize("name", algorithms("trl"))
def test_trl_knows_every_argument(name):
    settings = algorithm(name, "trl")
    load_object(settings.trainer)
    assert set(settings.arguments) <= {field.name for field in fields(load_object(settings.config))}


@pytest.mark.parametrize("name", names(ALGORITHMS))
def test_every_algorithm_names_its_source(name):
    settings = [algorithm(name, backend) for backend in ("trl", "verl") if name in algorithms(backend)]
    assert settings
    source = load_object(f"trainers.algorithms:{name.upper()}").source
    assert "arXiv" in source or "documentation" in source


def test_a_back_end_that_cannot_says_which_can():
    with pytest.raises(PluginError, match=r"trl has no algorithm 'ppo', but verl has. trl runs bnpo, cispo"):
        algorithm("ppo", "trl")
    with pytest.raises(PluginError, match="verl has no algorithm 'luspo', but trl has"):
        algorithm("luspo", "verl")


@pytest.mark.parametrize(
    ("name", "message"), [("dr-grpo", "Did you mean 'dr_grpo'"), ("math:pi", "not an Algorithm")]
)
def test_a_mistake_says_how_to_mend_it(name, message):
    with pytest.raises(PluginError, match=message):
        algorithm(name, "trl")


def test_an_algorithm_of_ones_own_needs_no_registration():
    assert isinstance(load_object("trainers.algorithms:GRPO"), Algorithm)
    assert algorithm("trainers.algorithms:GRPO", "trl") is algorithm("grpo", "trl")
