"""Query cells: the genes of the reference, its frozen weights, and a front of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scvi.nn import FCLayers

from scpareto.model import ParetoVI

QUICK = {"max_epochs": 5, "max_epochs_pretrain": 2}


@pytest.fixture
def query(make_adata):
    """Return cells of which half are of a batch that the reference has not seen."""
    adata = make_adata()
    adata.obs["batch"] = np.where(np.arange(240) % 2, "batch_0", "new")
    return adata


def frozen(module):
    """Return, for every tensor of a mapped module, which entries scvi-tools freezes."""
    masks = {name: torch.full_like(p, not p.requires_grad, dtype=torch.bool) for name, p in module.named_parameters()}
    for prefix, layers in module.named_modules():
        if isinstance(layers, FCLayers):
            for i, layer in enumerate(layers.fc_layers):
                name = f"{prefix}.fc_layers.Layer {i}.0"
                known = layer[0].in_features - (sum(layers.n_cat_list) if layers.inject_into_layer(i) else 0)
                if not prefix.startswith("l_encoder"):
                    masks[f"{name}.weight"][:, :known] = True
                    masks[f"{name}.bias"][:] = True
    for name, values in module.named_buffers():
        if name.startswith("z_encoder") and "running" in name:
            masks[name] = torch.ones_like(values, dtype=torch.bool)
    return masks


@pytest.mark.parametrize("method", ["conditional", "scalarization"])
def test_frozen_weights_stay_bit_for_bit_and_the_rest_learns(conditional, query, training, method):
    model = ParetoVI.load_query_data(query, conditional)
    assert conditional.front.method == "conditional"
    assert (model.front, model.selected, model.preference) == (None, None, None)
    with pytest.raises(RuntimeError, match="no front yet"):
        model.select(preference=0.37)
    masks, before = frozen(model.module), {k: v.clone() for k, v in model.module.state_dict().items()}
    reference = conditional.module.state_dict()
    assert before["z_encoder.mean_encoder.weight"].equal(reference["z_encoder.mean_encoder.weight"])
    given = {} if method == "conditional" else {"method": method}
    options = {key: value for key, value in training.items() if key not in ("method", "objective")}
    model.train(**options | QUICK | given)
    assert model.front.method == method
    codes = {}
    for which in (0, 0.37, 0.5, len(model.front) - 1):
        model.select(**{"preference" if isinstance(which, float) else "which": which})
        state = model.module.state_dict()
        for name, mask in masks.items():
            assert state[name][mask].equal(before[name][mask]), (which, name)
        codes[which] = model.get_latent_representation()
        assert codes[which].shape == (240, 10)
    free = "decoder.px_decoder.fc_layers.Layer 0.0.weight"
    assert not state[free][:, -3:].equal(before[free][:, -3:]), "the new batch has weights of its own"
    # The encoder sees no batch and is frozen: every point has the codes of the reference.
    for found in codes.values():
        np.testing.assert_array_equal(found, conditional.get_latent_representation())


def test_unfrozen_queries_learn_everything(conditional, query, training):
    model = ParetoVI.load_query_data(query, conditional, unfrozen=True)
    before = model.module.z_encoder.mean_encoder.weight.detach().clone()
    model.train(**training | QUICK | {"objective": "classifier"})
    assert not model.module.z_encoder.mean_encoder.weight.equal(before)


@pytest.mark.parametrize("as_text", [True, False])
def test_query_data_get_the_genes_of_the_reference(saved, query, as_text):
    folder = str(saved) if as_text else saved
    names = ParetoVI.prepare_query_anndata(query, folder, return_reference_var_names=True)
    shuffled = query[:, ::-1][:, 5:].copy()
    shuffled.varm.clear()
    padded = ParetoVI.prepare_query_anndata(shuffled, folder, inplace=False)
    assert padded.var_names.tolist() == names.tolist() == query.var_names.tolist()
    np.testing.assert_array_equal(padded.X[:, :55].toarray(), query.X[:, :55].toarray())
    assert padded.X[:, 55:].sum() == 0
    model = ParetoVI.load_query_data(padded, folder)
    assert model.summary_stats.n_batch == 3


@pytest.fixture
def of_one_batch(make_adata):
    """Return cells of one batch, which the reference has not seen."""
    adata = make_adata()[:100].copy()
    adata.obs["batch"] = "new"
    return adata


@pytest.mark.parametrize("method", [None, "scalarization"])
def test_cells_of_one_new_batch_have_a_front_of_one_point(conditional, of_one_batch, training, method, tmp_path):
    model = ParetoVI.load_query_data(of_one_batch, conditional)
    masks, before = frozen(model.module), {k: v.clone() for k, v in model.module.state_dict().items()}
    options = {key: value for key, value in training.items() if key not in ("method", "objective", "preferences")}
    model.train(**options | QUICK, method=method, checkpoint_dir=tmp_path / "parts")
    assert (len(model.front), model.front.missing, model.selected, model.front.recommended) == (1, [], 0, 0)
    assert "is the only one: the cells are of one batch" in model.front.explain()
    table = model.front.to_dataframe()
    assert table["generative_loss_test"].notna().all()
    assert table[["preference_generative_loss", "preference_classifier"]].to_numpy().tolist() == [[1.0, 0.0]]
    for name, mask in masks.items():
        assert model.module.state_dict()[name][mask].equal(before[name][mask]), name
    codes = model.get_latent_representation()
    assert np.isfinite(model.get_normalized_expression().to_numpy()).all()
    np.testing.assert_allclose(model.to_scvi().get_latent_representation(), codes, atol=1e-5)
    with pytest.raises(ValueError, match="one point, for cells of one batch"):
        model.refine(0, max_epochs=1, progress=False)
    model.save(tmp_path / "query")
    again = ParetoVI.load(tmp_path / "query", of_one_batch.copy())
    np.testing.assert_array_equal(again.get_latent_representation(), codes)
    model.train(**options | QUICK, method=method, checkpoint_dir=tmp_path / "parts")
    np.testing.assert_array_equal(model.get_latent_representation(), codes)


def test_a_query_of_several_batches_is_handed_to_scvi(conditional, query):
    plain = ParetoVI.load_query_data(query, conditional).to_scvi()
    assert not plain.is_trained_
    assert plain.summary_stats.n_batch == 3


@pytest.mark.parametrize("inplace", [True, False])
def test_deep_arrays_of_genes_are_put_in_order(conditional, make_adata, inplace):
    query = make_adata()[:, ::-1][:, 5:].copy()
    query.varm["effects"] = np.arange(55 * 6, dtype=float).reshape(55, 2, 3)
    before = dict(zip(query.var_names, query.varm["effects"], strict=True))
    found = ParetoVI.prepare_query_anndata(query, conditional, inplace=inplace)
    found = query if inplace else found
    for gene, values in zip(found.var_names, found.varm["effects"], strict=True):
        np.testing.assert_array_equal(values, before.get(gene, np.full((2, 3), np.nan)))


@pytest.mark.parametrize(("n_genes", "share"), [(6, "10%"), (15, "25%")])
def test_few_genes_of_the_reference_are_refused_unless_told_otherwise(conditional, make_adata, n_genes, share):
    query = make_adata()[:, :n_genes].copy()
    query.varm.clear()
    with pytest.raises(ValueError, match=rf"Only {n_genes} of the 60 genes of the reference \({share}\)"):
        ParetoVI.prepare_query_anndata(query, conditional, inplace=False)
    with pytest.warns(UserWarning, match=rf"{share}.*the codes are doubtful"):
        found = ParetoVI.prepare_query_anndata(query, conditional, inplace=False, least_shared=0.05)
    assert found.n_vars == 60
