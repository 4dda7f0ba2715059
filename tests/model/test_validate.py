"""Bad input is found before any training, and the message names the thing and the remedy."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpareto.model import ParetoVI

FORMATS = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "dense": np.asarray,
}


def with_counts(adata, dense, make, layer):
    if layer is None:
        adata.X = make(dense)
    else:
        adata.layers[layer] = make(dense)
    return adata


def messages(adata, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ParetoVI.setup_anndata(adata, **kwargs)
    return [str(w.message) for w in caught if issubclass(w.category, UserWarning)], caught


@pytest.mark.parametrize("layer", [None, "counts"])
@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (np.nan, "not finite", "nan"),
        (np.inf, "not finite", "inf"),
        (-np.inf, "not finite", "-inf"),
        (-2.0, "negative", "-2.0"),
    ],
)
def test_a_bad_value_is_found_wherever_it_is(simulated, layer, make, value, kind, shown):
    dense = simulated.X.toarray().astype(np.float32)
    dense[-1, -1] = value  # the very last stored value, whatever the order of storage
    adata = with_counts(simulated, dense, make, layer)
    where = "adata.X" if layer is None else "adata.layers['counts']"
    with pytest.raises(ValueError, match=kind) as error:
        ParetoVI.setup_anndata(adata, batch_key="batch", layer=layer)
    message = str(error.value)
    assert message.startswith(f"{where} holds 1 values that are {kind}")
    assert f"the first is {shown} in cell 'cell_239', gene 'gene_59'" in message
    assert "Raw counts are needed" in message
    assert not any(column.startswith("_scvi") for column in adata.obs), "nothing was registered"


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_the_named_cell_and_gene_are_those_of_the_value(simulated, make):
    dense = simulated.X.toarray().astype(np.float32)
    dense[17, 23] = -1
    with pytest.raises(ValueError, match="-1.0 in cell 'cell_17', gene 'gene_23'"):
        ParetoVI.setup_anndata(with_counts(simulated, dense, make, None), batch_key="batch")


def test_other_counts_do_not_matter(simulated):
    """X may hold anything when a layer has the counts."""
    simulated.X = sparse.csr_matrix(np.full(simulated.shape, -np.inf, dtype=np.float32))
    ParetoVI.setup_anndata(simulated, batch_key="batch", layer="counts")


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_cells_without_counts_are_refused(simulated, make):
    dense = simulated.X.toarray()
    dense[[31, 239]] = 0
    with pytest.raises(ValueError, match=r"2 cells have no counts in adata.X; the first is 'cell_31'.*filter_cells"):
        ParetoVI.setup_anndata(with_counts(simulated, dense, make, None), batch_key="batch")


def test_missing_counts_are_refused(simulated):
    del simulated.X
    with pytest.raises(ValueError, match="adata.X is empty"):
        ParetoVI.setup_anndata(simulated, batch_key="batch")


@pytest.mark.parametrize("layer", [None, "counts"])
@pytest.mark.parametrize("array", [sparse.csr_array, sparse.csc_array])
def test_sparse_arrays_are_refused_with_the_conversion(simulated, array, layer):
    counts = simulated.X.copy()
    adata = with_counts(simulated, counts, array, layer)
    where = "adata.X" if layer is None else "adata.layers['counts']"
    with pytest.raises(ValueError, match=array.__name__) as error:
        ParetoVI.setup_anndata(adata, batch_key="batch", layer=layer)
    remedy = re.search(r"Convert it: (.*)\.$", str(error.value)).group(1)
    assert remedy.startswith(where)
    exec(remedy, {"adata": adata, "scipy": __import__("scipy.sparse")})  # the remedy as printed
    ParetoVI.setup_anndata(adata, batch_key="batch", layer=layer)


def test_views_are_refused(simulated):
    view = simulated[:200]
    with pytest.raises(ValueError, match=r"view.*adata\.copy\(\)"):
        ParetoVI.setup_anndata(view, batch_key="batch")
    ParetoVI.setup_anndata(view.copy(), batch_key="batch")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("batch_key", "sample"),
        ("labels_key", "sample"),
        ("size_factor_key", "sample"),
        ("categorical_covariate_keys", ["cell_type", "sample"]),
        ("continuous_covariate_keys", ["state", "sample"]),
        ("nuisance_keys", ["state", "sample"]),
        ("nuisance_keys", "sample"),
    ],
)
def test_a_wrong_key_lists_the_columns(simulated, argument, value):
    with pytest.raises(KeyError, match=f"{argument}='sample' is not in adata.obs") as error:
        ParetoVI.setup_anndata(simulated, **{"batch_key": "batch", argument: value})
    for column in simulated.obs:
        assert repr(column) in str(error.value.args[0])


def test_a_wrong_layer_lists_the_layers(simulated):
    with pytest.raises(KeyError, match="layer='raw' is not in adata.layers. Available: 'counts'"):
        ParetoVI.setup_anndata(simulated, batch_key="batch", layer="raw")
    del simulated.layers["counts"]
    with pytest.raises(KeyError, match="Available: none"):
        ParetoVI.setup_anndata(simulated, batch_key="batch", layer="raw")


@pytest.mark.parametrize(
    ("argument", "column"), [("batch_key", "batch"), ("labels_key", "cell_type"), ("nuisance_keys", "state")]
)
def test_missing_values_in_a_key_are_refused(simulated, argument, column):
    simulated.obs.loc[["cell_5", "cell_239"], column] = np.nan
    with pytest.raises(ValueError, match=rf"adata.obs\['{column}'\] has 2 missing values; the first is cell 'cell_5'"):
        ParetoVI.setup_anndata(simulated, **{"batch_key": "batch", argument: column})


def test_one_batch_is_refused_at_setup(simulated):
    simulated.obs["batch"] = "only"
    with pytest.raises(ValueError, match=r"adata.obs\['batch'\] has one batch only \('only'\)"):
        ParetoVI.setup_anndata(simulated, batch_key="batch")
    # An unused category is no batch.
    simulated.obs["batch"] = pd.Categorical(["only"] * 240, ["only", "unused"])
    with pytest.raises(ValueError, match="one batch only"):
        ParetoVI.setup_anndata(simulated, batch_key="batch")


def test_without_a_batch_key_the_model_is_trained_as_scvi_is_and_says_so(simulated):
    ParetoVI.setup_anndata(simulated)
    model = ParetoVI(simulated, n_hidden=8, seed=0)
    with pytest.warns(UserWarning, match="No batch_key was registered: there is nothing to correct"):
        model.train(3, progress=False)
    assert len(model.front) == 1
    assert len(model.history["elbo_train"]) == 3


def test_unregistered_data_are_refused(simulated):
    with pytest.raises(ValueError, match="setup_anndata"):
        ParetoVI(simulated)
    with pytest.raises(ValueError, match=r"ParetoVI.setup_anndata\(adata, batch_key"):
        ParetoVI()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"preferences": None, "n_points": 3}, ValueError, "n_points=3: .* at least 4"),
        ({"preferences": None, "n_points": 0}, ValueError, "n_points=0"),
        ({"preferences": None, "n_points": 4.5}, ValueError, "n_points=4.5"),
        ({"preferences": None, "n_points": True}, ValueError, "n_points=True"),
        ({"preferences": [0.5]}, ValueError, "at least two"),
        ({"preferences": [0.5, 1.5]}, ValueError, "non-negative and sum to 1"),
        ({"method": "pareto"}, ValueError, "'pareto'.*'pareto_mtl'.*'scalarization'"),
        ({"objective": "batch"}, ValueError, "objective='batch' is unknown.*mine"),
        ({"max_epochs": 0}, ValueError, "max_epochs=0"),
        ({"max_epochs_pretrain": -1}, ValueError, "max_epochs_pretrain=-1"),
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"plan_kwargs": {"learning_rate": 1}}, ValueError, "'learning_rate'.*lr"),
        ({"objective_kwargs": {"target": "donor"}}, ValueError, "target='donor' is not registered.*batch"),
        ({"precision": "16-mixed"}, ValueError, "precision=16.*bf16-mixed"),
    ],
)
def test_wrong_training_arguments_are_refused_before_training(simulated, training, arguments, error, message):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    model = ParetoVI(simulated)
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    with pytest.raises(error, match=message):
        model.train(**training | arguments)
    assert model.front is None
    assert not model.is_trained
    assert all(value.equal(before[key]) for key, value in model.module.state_dict().items()), "nothing was trained"


def test_unknown_preset_lists_the_presets(simulated):
    ParetoVI.setup_anndata(simulated, batch_key="batch")
    with pytest.raises(ValueError, match="preset='published' is unknown.*None, 'paper'"):
        ParetoVI(simulated, preset="published")


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("layer", [None, "counts"])
def test_fractional_values_are_a_warning(simulated, make, layer):
    dense = simulated.X.toarray().astype(np.float32)
    dense[-1, -1] = 0.5
    found, caught = messages(with_counts(simulated, dense, make, layer), batch_key="batch", layer=layer)
    assert [m for m in found if "fractional values" in m and "Ambient-corrected" in m]
    assert [w.filename for w in caught if "fractional" in str(w.message)] == [__file__], "points at the caller"


def test_a_small_batch_is_a_warning_that_names_it(simulated):
    simulated.obs["batch"] = pd.Categorical(["tiny"] * 9 + ["ten"] * 10 + ["rest"] * 221)
    found, _ = messages(simulated, batch_key="batch")
    [warning] = [m for m in found if "fewer than 10 cells" in m]
    assert "'tiny' (9)" in warning
    assert "'ten'" not in warning


def test_confounding_is_a_warning_and_only_then(simulated):
    simulated.obs["sorted"] = np.where(simulated.obs["batch"] == "batch_0", "a", "b")
    found, _ = messages(simulated.copy(), batch_key="batch", labels_key="sorted")
    [warning] = [m for m in found if "only: removing the batch removes the labels" in m]
    assert "'sorted'" in warning
    assert "'batch'" in warning
    # One cell of a label in the other batch is enough to tell them apart.
    simulated.obs.iloc[0, simulated.obs.columns.get_loc("sorted")] = (
        "b" if simulated.obs["batch"].iloc[0] == "batch_0" else "a"
    )
    found, _ = messages(simulated.copy(), batch_key="batch", labels_key="sorted")
    assert not [m for m in found if "removes the labels" in m]


def test_good_data_raise_no_warning_of_ours(simulated):
    simulated.obs["constant"] = "all"
    for labels_key in (None, "cell_type", "constant"):
        found, _ = messages(simulated.copy(), batch_key="batch", labels_key=labels_key)
        assert not [m for m in found if re.search("fractional|fewer than|removes the labels", m)]


@pytest.mark.parametrize("labels_key", [None, "cell_type"])
def test_setup_leaves_counts_and_columns_as_they_were(simulated, labels_key):
    before = simulated.copy()
    ParetoVI.setup_anndata(simulated, batch_key="batch", labels_key=labels_key)
    for name in ("data", "indices", "indptr"):
        assert getattr(simulated.X, name).tobytes() == getattr(before.X, name).tobytes()
        assert getattr(simulated.layers["counts"], name).tobytes() == getattr(before.X, name).tobytes()
    pd.testing.assert_frame_equal(simulated.obs[before.obs.columns], before.obs)
