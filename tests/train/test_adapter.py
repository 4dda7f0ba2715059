from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from scvi.dataloaders import AnnDataLoader
from torch import nn

from scpareto.train import VAEAdapter, _adapter, get_adapter, register_adapter


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


@pytest.fixture
def register(monkeypatch):
    """Leave the register as it was."""
    monkeypatch.setattr(_adapter, "_ADAPTERS", dict(_adapter._ADAPTERS))
    return register_adapter


class Base(nn.Module):
    pass


class Special(Base):
    pass


def adapter_of(module_class, model):
    other = SimpleNamespace(module=module_class(), adata_manager=model.adata_manager)
    return type(get_adapter(other))


def test_the_nearest_family_wins_and_the_later_of_two_for_the_same(register, model):
    @register
    class ForSpecial(VAEAdapter):
        family = Special

    # The adapter of the base comes later, and still only gets what is not special.
    @register
    class ForBase(VAEAdapter):
        family = Base

    assert adapter_of(Special, model) is ForSpecial
    assert adapter_of(Base, model) is ForBase
    assert type(get_adapter(model)) is VAEAdapter

    @register
    class Later(VAEAdapter):
        family = Base

    assert adapter_of(Base, model) is Later
    assert adapter_of(Special, model) is ForSpecial


def test_the_message_lists_what_is_registered(register):
    @register
    class ForBase(VAEAdapter):
        family = Base

    with pytest.raises(TypeError, match=r"one of VAE, PEAKVAE, TOTALVAE, MULTIVAE, .*Base, not Linear\. .*register_ad"):
        get_adapter(SimpleNamespace(module=nn.Linear(1, 1)))
    with pytest.raises(TypeError, match="Base'> is not a subclass of VAEAdapter"):
        register(Base)
