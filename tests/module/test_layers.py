"""Stacks of layers whose widths differ."""

from __future__ import annotations

import pytest
import torch

from scpareto.module import Stack


def test_every_layer_has_its_width_and_sees_the_covariates():
    stack = Stack(5, [7, 3], n_cat_list=[2])
    assert [layer.fc_layers[0][0].in_features for layer in stack.layers] == [5 + 2, 7 + 2]
    assert stack(torch.randn(4, 5), torch.tensor([[0], [1], [0], [1]])).shape == (4, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_hidden": []}, "n_hidden is empty"), ({"n_hidden": [4], "norm": "group"}, "norm='group' is unknown")],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Stack(3, **options)
