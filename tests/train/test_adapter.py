from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from scvi.dataloaders import AnnDataLoader
from torch import nn

from scpareto.train._adapter import get_adapter


@pytest.fixture
def minibatch(model):
    return next(iter(AnnDataLoader(model.adata_manager, batch_size=50)))


def test_generative_loss_is_the_negative_elbo_of_each_cell(model, minibatch):
    adapter = get_adapter(model)
    model.module.eval()
    torch.manual_seed(0)
    encoded, per_cell = adapter.forward(minibatch)
    assert per_cell.shape == (50,)
    torch.manual_seed(0)
    _, _, loss = model.module(minibatch, loss_kwargs={"kl_weight": 1.0})
    torch.testing.assert_close(per_cell.mean(), loss.loss)
    torch.manual_seed(0)
    alone = adapter.encode(minibatch)
    for a, b in ((encoded.z, alone.z), (encoded.qz.loc, alone.qz.loc), (encoded.qz.scale, alone.qz.scale)):
        assert torch.equal(a, b)


def test_context_holds_the_batches(model, minibatch, adata):
    adapter = get_adapter(model)
    context = adapter.context(minibatch)
    levels = adapter.levels["batch"]
    assert [levels[code] for code in context.categorical["batch"]] == adata.obs["batch"][:50].tolist()
    assert context.continuous == {}
    assert adapter.nuisances == ["batch"]


def test_shared_parameters_are_the_encoders(model):
    adapter = get_adapter(model)
    assert adapter.n_latent == 3
    assert {id(p) for p in adapter.shared_parameters()} == {id(p) for p in model.module.z_encoder.parameters()}
    assert adapter.encoders() == [model.module.z_encoder, model.module.l_encoder]


def test_other_families_are_refused():
    with pytest.raises(TypeError, match="SimpleNamespace is not supported.*not Linear"):
        get_adapter(SimpleNamespace(module=nn.Linear(1, 1)))
