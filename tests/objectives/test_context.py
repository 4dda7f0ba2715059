from __future__ import annotations

import torch

from scpareto.objectives import Context


def context(start, n_cells):
    index = torch.arange(start, start + n_cells)
    return Context(
        categorical={"batch": index % 3},
        continuous={"depth": index / 7},
        clusters={"types": index[:, None] * torch.tensor([[1.0, 2.0]])},
    )


def test_concatenate_undoes_take():
    whole = context(0, 10)
    assert len(whole) == 10
    parts = [whole.take(torch.arange(3)), whole.take(torch.arange(3, 10))]
    assert [len(part) for part in parts] == [3, 7]
    joined = Context.concatenate(parts)
    torch.testing.assert_close(joined.categorical["batch"], whole.categorical["batch"])
    torch.testing.assert_close(joined.continuous["depth"], whole.continuous["depth"])
    torch.testing.assert_close(joined.clusters["types"], whole.clusters["types"])
    assert joined.shares is None


def test_shares_of_the_ends_go_with_the_cells():
    whole = Context({"batch": torch.arange(4)}, shares=torch.arange(8.0).view(4, 2))
    parts = [whole.take(torch.tensor([0, 1])), whole.take(torch.tensor([2, 3]))]
    assert Context.concatenate(parts).shares.tolist() == whole.shares.tolist()


def test_take_keeps_the_order_asked_for():
    taken = context(0, 10).take(torch.tensor([7, 1, 1]))
    assert taken.categorical["batch"].tolist() == [1, 1, 1]
    torch.testing.assert_close(taken.continuous["depth"], torch.tensor([7, 1, 1]) / 7)
    torch.testing.assert_close(taken.clusters["types"], torch.tensor([[7.0, 14.0], [1.0, 2.0], [1.0, 2.0]]))


def test_an_empty_context_has_no_cells():
    assert len(Context()) == 0
