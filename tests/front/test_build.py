from __future__ import annotations

import numpy as np
import pytest
from scvi.dataloaders import AnnDataLoader

from scpareto.front import Split, stratified_split
from scpareto.front._build import build_objectives, check_targets, pair_options, resolve_target
from scpareto.objectives import Classifier, Mine, objective_class, objective_names
from scpareto.train import PRACTICAL, PUBLISHED
from scpareto.train._adapter import get_adapter

N_TRAIN = 140


@pytest.fixture
def model(nuisances, untrained_paretovi):
    return untrained_paretovi(nuisances)


@pytest.fixture
def adapter(model):
    return get_adapter(model)


@pytest.fixture
def build(adapter, model):
    """Build objectives: ``build(names, options=None, recipe=PRACTICAL)`` gives them and their clusterings."""
    return lambda names, options=None, recipe=PRACTICAL: build_objectives(
        pair_options(names, options), adapter, model.adata_manager, recipe, N_TRAIN
    )[:2]


def test_names_and_options_are_paired():
    assert pair_options("mine", None) == [("mine", {})]
    assert pair_options("mine", {"on": "mean"}) == [("mine", {"on": "mean"})]
    assert pair_options(["mine"], {"on": "mean"}) == [("mine", {"on": "mean"})]
    assert pair_options(("mine", "hsic"), None) == pair_options(["mine", "hsic"], {}) == [("mine", {}), ("hsic", {})]
    options = [{"on": "mean"}, None]
    assert pair_options(["mine", "hsic"], options) == [("mine", {"on": "mean"}), ("hsic", {})]
    pair_options("mine", options[:1])[0][1]["on"] = "both"
    assert options == [{"on": "mean"}, None], "the caller's own"


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], None, "objective is empty"),
        (["mine", "hsic"], {"on": "mean"}, "list of 2 dicts.*mine.*hsic"),
        (["mine", "hsic"], [{}], "1 entries for 2 objectives"),
        ("mine", [{}, {}], "2 entries for 1 objectives"),
    ],
)
def test_options_of_the_wrong_length_are_refused(names, options, message):
    with pytest.raises(ValueError, match=message):
        pair_options(names, options)


@pytest.mark.parametrize("name", objective_names())
def test_every_objective_is_built_from_its_name(build, name):
    (objective,), clusterings = build(name, {"given": None} if name == "classifier" else None)
    assert objective.label == objective.name == name
    assert objective.n_latent == 3
    assert clusterings == []
    if objective.needs_nuisance:
        assert (objective.target, objective.n_categories, objective.on) == ("batch", 2, "mean")
    assert getattr(objective, "n_cells", N_TRAIN) == N_TRAIN


def test_the_recipe_holds_where_the_user_says_nothing(build):
    (published,), _ = build("mine", recipe=PUBLISHED)
    assert (published.on, published.options["n_layers"], published.options["standardize"]) == ("sample", 10, False)
    (own,), _ = build("mine", {"n_layers": 2, "on": "both"}, PUBLISHED)
    assert (own.on, own.options["n_layers"], own.options["standardize"]) == ("both", 2, False)


def test_several_objectives_on_targets_of_several_kinds(build):
    names = ["classifier", "mine", "hsic", "total_correlation"]
    objectives, _ = build(names, [{"target": "donor"}, {"target": "quality"}, {"target": "quality"}, {}])
    assert [o.label for o in objectives] == ["classifier_donor", "mine_quality", "hsic_quality", "total_correlation"]
    assert [getattr(o, "n_categories", 0) for o in objectives] == [3, None, None, 0]


def test_a_product_has_a_level_for_each_combination(build, adapter, nuisances, untrained_paretovi):
    (objective,), _ = build("classifier", {"target": ["batch", "donor"]})
    assert (objective.target, objective.n_categories) == ("batch:donor", 6)
    assert objective.label == "classifier_batch:donor"
    levels = adapter.levels["batch:donor"]
    assert levels == [f"{batch}, {donor}" for batch in ("batch_0", "batch_1") for donor in ("ada", "ben", "cem")]
    batch = next(iter(AnnDataLoader(untrained_paretovi(nuisances).adata_manager, batch_size=200)))
    found = adapter.context(batch).categorical["batch:donor"]
    rows = zip(nuisances.obs["batch"], nuisances.obs["donor"], strict=True)
    assert [levels[code] for code in found] == [f"{one}, {other}" for one, other in rows]
    assert len(found.unique()) == 6


def test_a_list_of_one_is_that_one(adapter):
    assert (
        resolve_target(adapter, Classifier, ["donor"]) == resolve_target(adapter, Classifier, "donor") == ("donor", 3)
    )
    assert resolve_target(adapter, Mine, ["quality"]) == ("quality", None)


@pytest.mark.parametrize("name", [n for n in objective_names() if "continuous" not in objective_class(n).kinds])
def test_kinds_of_targets_are_checked(build, name):
    message = "is continuous; objective .* takes categorical ones" if objective_class(name).needs_nuisance else "option"
    with pytest.raises(ValueError, match=message):
        build(name, {"target": "quality"})


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("nime", None, "'nime' is unknown.*classifier.*mine"),
        (["mine", "nime"], None, "'nime' is unknown"),
        ("mine", {"layers": 3}, "'mine' has no option 'layers'.*n_layers"),
        ("deep_clustering", {"n_clusters": 500}, "n_clusters=500 .*only 140 training cells"),
        ("deep_clustering", {"n_clusters": 1}, "n_clusters=1: give at least 2"),
        ("hsic", {"given": "niche"}, "'hsic' has no option 'given'.*estimator"),
        ("total_correlation", {"target": "donor"}, "no option 'target'"),
        ("mine", {"n_categories": 5}, "'n_categories' follows from"),
        ("hsic", {"n_latent": 5}, "'n_latent' follows from"),
        (["mine", "mine"], None, "'mine' is there twice"),
        (["mine", "classifier", "mine"], [{"target": "donor"}, {}, {"target": "donor"}], "'mine_donor' is there twice"),
        (["prior_divergence", "prior_divergence"], [{}, {"divergence": "stein"}], "'prior_divergence' is there twice"),
        ("mine", {"target": "plate"}, "'plate' is not registered. Choose from batch, donor, quality"),
        ("mine", {"target": ["batch", "plate"]}, "'plate' is not registered"),
        ("mine", {"target": ["batch", "quality"]}, "only categorical nuisances have a product"),
        ("mine", {"target": ["donor", "donor"]}, "several different ones"),
        ("mine", {"target": []}, "name one nuisance"),
        ("mine", {"given": "gap"}, "'gap'.*missing values"),
        ("mine", {"given": "raw"}, "'raw'.*memberships"),
        ("mine", {"given": "quality"}, "'quality'.*numbers, not clusters"),
        ("mine", {"given": ["niche"]}, "name of one clustering"),
        (
            ["mine", "classifier"],
            [{"given": "pca", "n_clusters": 3}, {"given": "pca", "n_clusters": 4}],
            "n_clusters=4: another objective is given 3 clusters of given='pca'",
        ),
    ],
)
def test_bad_objectives_are_refused(build, names, options, message):
    with pytest.raises(ValueError, match=message):
        build(names, options)


def test_an_unknown_clustering_is_refused_with_the_known_ones(build):
    with pytest.raises(KeyError, match="'clusters' is neither.*'corrected', 'pca'.*'niche'.*'soft'"):
        build("mine", {"given": "clusters"})


def test_populations_that_batches_share_are_found_and_the_rest_is_left_alone(nuisances, build, model):
    """Cells without a counterpart make up a cluster of each batch, which nothing asks to mix."""
    given = {"given": "populations", "n_clusters": 4}
    (one, other), (clustering,) = build(["classifier", "mine"], [given, given])
    assert one.n_clusters == other.n_clusters == clustering.n_clusters == clustering.memberships.shape[1]
    table = clustering.memberships.numpy()
    assert set(np.unique(table)) == {0, 1}
    assert (table.sum(axis=1) == 1).all()
    batch = nuisances.obs["batch"].cat.codes.to_numpy()
    for number in range(2):
        assert not table[batch != number, clustering.n_clusters - 2 + number].any()
    with pytest.raises(ValueError, match="'quality' is continuous; only categories share populations"):
        build("mine", {"given": "populations", "target": "quality"})
    with pytest.raises(ValueError, match="those of 'batch' are not those of another target"):
        build(["mine", "classifier"], [given, given | {"target": "donor"}])


def test_clusterings_are_shared_and_their_number_is_filled_in(build):
    names = ["mine", "classifier", "mine_exact", "smile"]
    given = [{"given": "niche"}, {"given": "pca", "n_clusters": 4}, {"given": "niche", "n_clusters": 2}, {}]
    objectives, clusterings = build(names, given)
    assert [o.n_clusters for o in objectives] == [2, 4, 2, 1]
    assert [(c.name, c.n_clusters) for c in clusterings] == [("niche", 2), ("pca", 4)]
    assert [c.memberships is None for c in clusterings] == [False, True]


def refuses(message, objectives, model, *parts):
    with pytest.raises(ValueError, match=message):
        check_targets(objectives, get_adapter(model), model.adata_manager, Split(*parts))


def test_targets_must_vary_where_they_are_learnt_and_where_they_are_judged(
    nuisances, simulate_nuisances, untrained_paretovi
):
    model = untrained_paretovi(nuisances)
    adapter, manager = get_adapter(model), model.adata_manager
    pairs = pair_options(["classifier", "mine", "prior_divergence"], [{}, {"target": "quality"}, {}])
    objectives, _, _ = build_objectives(pairs, adapter, manager, PRACTICAL, N_TRAIN)
    check_targets(objectives, adapter, manager, stratified_split(nuisances.obs["batch"]))
    first, second = (np.flatnonzero(nuisances.obs["batch"] == f"batch_{i}") for i in range(2))
    both = np.concatenate([first[:5], second[:5]])
    refuses("'batch' has one value only among the test cells", objectives, model, both, both, first[50:])
    refuses("'batch' has one value only among the training cells", objectives, model, second[50:], both, both)
    check_targets(objectives[1:], adapter, manager, Split(second[50:], both, first[50:]))
    model = untrained_paretovi(simulate_nuisances(quality=0.5))
    refuses("'quality' has one value only among the training cells", objectives, model, both, both, both)
