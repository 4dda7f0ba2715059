from __future__ import annotations

import pytest

from scpareto.objectives import (
    Mine,
    Objective,
    get_objective,
    objective_class,
    objective_names,
    register_objective,
)


def test_names_lead_to_classes():
    assert "mine" in objective_names()
    assert objective_names() == sorted(objective_names())
    for name in objective_names():
        assert objective_class(name).name == name
    assert isinstance(get_objective("mine", n_latent=2, n_categories=2), Mine)


def test_options_reach_the_objective():
    mine = get_objective("mine", n_latent=2, n_categories=5, target="donor", on="mean", ema_rate=0.3)
    assert (mine.n_latent, mine.n_categories, mine.target, mine.on, mine.ema_rate) == (2, 5, "donor", "mean", 0.3)


def test_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match="objective='nime'.*mine"):
        get_objective("nime", n_latent=2)
    with pytest.raises(ValueError, match="objective='nime'.*mine"):
        objective_class("nime")


def test_unknown_option_lists_the_options():
    with pytest.raises(
        ValueError, match="'mine' has no option 'lr'.*n_latent, n_categories, ema_rate, target, on.*standardize"
    ):
        get_objective("mine", n_latent=2, n_categories=2, lr=1)


def test_a_new_objective_needs_one_class_and_one_line(monkeypatch):
    monkeypatch.setattr("scpareto.objectives._registry._OBJECTIVES", {})

    @register_objective
    class Spread(Objective):
        name = "spread"

        def forward(self, z, qz, context):
            return self.codes(z, qz).var()

    assert objective_names() == ["spread"]
    assert get_objective("spread", n_latent=2, on="mean").on == "mean"
    with pytest.raises(ValueError, match="'mine'.*spread"):
        objective_class("mine")
