from __future__ import annotations

import pytest
import torch

from scpareto._runtime._seeding import child_seed, seeded


def test_children_do_not_depend_on_order_or_number():
    forwards = [child_seed(7, i) for i in range(30)]
    assert [child_seed(7, i) for i in reversed(range(30))] == forwards[::-1]
    assert child_seed(7, 12) == forwards[12]


def test_children_differ():
    seeds = {child_seed(seed, index) for seed in range(30) for index in range(30)}
    assert len(seeds) == 900
    assert child_seed(0, 1) != child_seed(1, 0)


def test_children_are_the_same_everywhere():
    """Fronts of other machines and versions: these numbers must never change."""
    assert (child_seed(0, 0), child_seed(1, 2), child_seed(0, 20_000)) == (3757552657, 2749604155, 1692841302)


def test_the_callers_generator_is_as_before():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with seeded(5):
        inside = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(5):
        assert torch.equal(torch.rand(4), inside)
    with seeded(6):
        assert not torch.equal(torch.rand(4), inside)


def test_also_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), seeded(5):
        torch.rand(4).reshape(5)
    assert torch.equal(torch.get_rng_state(), before)
