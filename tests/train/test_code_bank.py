from __future__ import annotations

import torch
from torch.distributions import Normal

from scpareto.objectives import Context
from scpareto.train._code_bank import CodeBank


def push(bank, first, n_cells):
    """Cells whose code, standard deviation and batch all say which cell they are."""
    index = torch.arange(first, first + n_cells)
    loc = index[:, None].float().requires_grad_()
    bank.push(Normal(loc, 1e-6 * (1 + index[:, None])), Context(categorical={"batch": index}))


def test_the_oldest_minibatch_leaves():
    bank = CodeBank(2)
    for i in range(3):
        push(bank, 10 * i, 10)
    _, _, context = bank.draw(100)
    assert sorted(context.categorical["batch"].tolist()) == list(range(10, 30))


def test_codes_and_context_stay_together_and_carry_no_graph():
    bank = CodeBank(3)
    push(bank, 0, 10)
    push(bank, 10, 7)
    z, qz, context = bank.draw(12)
    cells = context.categorical["batch"]
    assert len(set(cells.tolist())) == 12, "drawn without replacement"
    assert not z.requires_grad
    assert not qz.loc.requires_grad
    torch.testing.assert_close(qz.loc[:, 0], cells.float())
    torch.testing.assert_close(qz.scale[:, 0], 1e-6 * (1 + cells))
    torch.testing.assert_close(z[:, 0], cells.float(), rtol=0, atol=1e-3)


def test_codes_are_sampled_anew():
    bank = CodeBank(1)
    bank.push(Normal(torch.zeros(1, 1), torch.ones(1, 1)), Context(categorical={"batch": torch.zeros(1)}))
    draws = torch.cat([bank.draw(1)[0] for _ in range(500)])
    assert abs(float(draws.mean())) < 0.2
    assert abs(float(draws.std()) - 1) < 0.15
