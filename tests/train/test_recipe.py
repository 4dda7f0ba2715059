from __future__ import annotations

import dataclasses

import pytest

from scpareto.objectives import CriticSchedule
from scpareto.pareto import Safeguards
from scpareto.train import PRACTICAL, PUBLISHED, Recipe


def test_options_change_a_copy():
    changed = PRACTICAL.with_options({"lr": 0.5, "n_critic": "epoch"})
    assert (changed.lr, changed.n_critic) == (0.5, "epoch")
    assert dataclasses.replace(changed, lr=PRACTICAL.lr, n_critic=PRACTICAL.n_critic) == PRACTICAL
    assert PRACTICAL == Recipe()
    assert PRACTICAL.with_options(None) == PRACTICAL.with_options({}) == PRACTICAL


def test_unknown_option_lists_the_fields():
    with pytest.raises(ValueError, match="no 'learning_rate'.*lr, .*eps, weight_decay.*n_bootstrap"):
        PRACTICAL.with_options({"lr": 1, "learning_rate": 0.1})
    with pytest.raises(ValueError, match="'de_novo'.*no 'epochs'.*max_epochs, lr, batch_size"):
        PRACTICAL.with_options({"de_novo": {"epochs": 1}})
    with pytest.raises(ValueError, match="running_mean"):
        PRACTICAL.with_options({"safeguards": {"running_mean": 2}})


@pytest.mark.parametrize("recipe", [PRACTICAL, PUBLISHED])
def test_a_dict_changes_some_fields_of_a_group(recipe):
    changed = recipe.with_options({"safeguards": {"gradient_clip": 3.0}, "de_novo": {"max_epochs": 7}})
    assert changed.safeguards == dataclasses.replace(recipe.safeguards, gradient_clip=3.0)
    assert changed.de_novo == dataclasses.replace(recipe.de_novo, max_epochs=7)
    assert changed.critic_warmup == recipe.critic_warmup
    assert recipe.with_options({"de_novo": CriticSchedule(lr=3.0)}).de_novo == CriticSchedule(lr=3.0)


def test_published_numbers():
    assert PUBLISHED.safeguards == Safeguards.published()
    assert (PUBLISHED.lr, PUBLISHED.eps, PUBLISHED.weight_decay, PUBLISHED.critic_lr) == (1e-3, 0.01, 0.0, 5e-5)
    assert (PUBLISHED.n_critic, PUBLISHED.redraw, PUBLISHED.early_stopping) == ("epoch", True, False)
    assert (PUBLISHED.gramian, PUBLISHED.scaler) == ("all", "trajectory")
    assert PUBLISHED.critic_warmup == PUBLISHED.de_novo == CriticSchedule(400, 5e-5, patience=None, max_steps=None)
    assert PUBLISHED.objective_defaults["mine"] == {
        "on": "sample",
        "n_hidden": 128,
        "n_layers": 10,
        "init": "normal",
        "standardize": False,
        "ema_rate": 0.001,
    }
    assert PRACTICAL.eps <= 1e-5, "standardised losses have tiny gradients"


def test_plain_is_plain():
    def plain(value):
        if isinstance(value, dict):
            return all(isinstance(k, str) and plain(v) for k, v in value.items())
        return value is None or isinstance(value, str | int | float | bool)

    for recipe in (PRACTICAL, PUBLISHED):
        assert plain(recipe.to_plain())
        assert recipe.to_plain()["safeguards"] == dataclasses.asdict(recipe.safeguards)
