"""Objectives from names and options: targets, clusters and sizes are filled in from the registered data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scpareto._constants import BATCH
from scpareto.front._clusters import (
    AUTO,
    POPULATIONS,
    Clustering,
    population_clusters,
    populations_where_unlike,
    read_clustering,
)
from scpareto.objectives import get_objective, objective_class, objective_options
from scpareto.train import get_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scvi.data import AnnDataManager

    from scpareto._cells import Split
    from scpareto.front._composition import Composition
    from scpareto.objectives import Objective
    from scpareto.train import Recipe, VAEAdapter

_DERIVED_OPTIONS = ("n_latent", "n_categories", "n_ends")
"""Options of objectives that follow from the model and the data; users cannot set them."""


class Built(NamedTuple):
    """Objectives, ready to train, with their clusterings.

    Parameters
    ----------
    objectives
        Objectives with all options filled in.
    clusterings
        Clusters that objectives are conditioned on.
    composition
        Composition that decided about ``given="auto"``; None without it.
    """

    objectives: list[Objective]
    clusterings: list[Clustering]
    composition: Composition | None


def pair_options(names: str | Sequence[str], options: Any) -> list[tuple[str, dict[str, Any]]]:
    """Pair the name of each objective with its options.

    Raises
    ------
    ValueError
        If there is no name, or the numbers of names and options differ.
    """
    listed = [names] if isinstance(names, str) else list(names)
    if not listed:
        raise ValueError("objective is empty: give at least one name.")
    if options is None or isinstance(options, dict):
        if options and len(listed) > 1:
            raise ValueError(f"objective_kwargs must be a list of {len(listed)} dicts, one for each of {listed}.")
        options = [options or {}, *({} for _ in listed[1:])]
    if len(options) != len(listed):
        raise ValueError(f"objective_kwargs has {len(options)} entries for {len(listed)} objectives ({listed}).")
    return [(name, dict(kwargs or {})) for name, kwargs in zip(listed, options, strict=True)]


def build_objectives(
    pairs: list[tuple[str, dict[str, Any]]], adapter: VAEAdapter, manager: AnnDataManager, recipe: Recipe, n_train: int
) -> Built:
    """Build objectives with targets, numbers of levels and clusters filled in, and their clusterings.

    Parameters
    ----------
    pairs
        Name and options of each objective.
    adapter, manager
        The model and its registered data.
    recipe
        Defaults of options.
    n_train
        Number of training cells.

    Raises
    ------
    ValueError
        If a name, option, target or clustering is not valid, or two objectives would have the same columns.
    KeyError
        If a clustering does not exist.
    """
    objectives: list[Objective] = []
    clusterings: dict[str, Clustering] = {}
    composition: Composition | None = None
    for name, given_options in pairs:
        cls = objective_class(name)
        if cls.needs_density and not adapter.has_density:
            raise ValueError(f"objective={name!r} reads the density of codes, and codes of this model have no noise.")
        for option in _DERIVED_OPTIONS:
            if option in given_options:
                raise ValueError(f"objective_kwargs: {option!r} follows from the model and the data; leave it out.")
        options = recipe.objective_defaults.get(name, {}) | given_options
        sizes: dict[str, Any] = {"n_latent": adapter.n_latent, "n_cells": n_train}
        if cls.is_learned and (n_clusters := getattr(adapter.module, "n_clusters", None)) is not None:
            sizes["n_clusters"] = n_clusters
        if cls.needs_nuisance:
            options.setdefault("on", recipe.on)
            options["target"], sizes["n_categories"] = resolve_target(adapter, cls, options.get("target", "batch"))
        if options.get("given") == AUTO:
            # Several objectives may need different populations: the user has to name them.
            shared, composition = (
                populations_where_unlike(adapter, manager, options["target"]) if len(pairs) == 1 else (None, None)
            )
            options["given"] = None if shared is None else POPULATIONS
            clusterings |= {} if shared is None else {POPULATIONS: shared}
        if (given := options.get("given")) is not None:
            if given == POPULATIONS:
                same = [o.target for o in objectives if getattr(o, "given", None) == POPULATIONS]
                if any(target != options["target"] for target in same):
                    raise ValueError(f"given={POPULATIONS!r}: those of {same[0]!r} are not those of another target.")
                clustering = clusterings.get(given) or population_clusters(
                    adapter, manager, options["target"], options.get("n_clusters")
                )
            else:
                clustering = read_clustering(manager.adata, given, options.get("n_clusters"))
            if (before := clusterings.setdefault(given, clustering)).n_clusters != clustering.n_clusters:
                raise ValueError(
                    f"n_clusters={clustering.n_clusters}: another objective is given {before.n_clusters} clusters of "
                    f"given={given!r}. Use one number for both."
                )
            options["n_clusters"] = clustering.n_clusters
        accepted = objective_options(cls)
        if (n_clusters := options.get("n_clusters", 0)) > n_train:
            raise ValueError(f"n_clusters={n_clusters} of objective {name!r}: there are only {n_train} training cells.")
        objectives.append(get_objective(name, **{k: v for k, v in sizes.items() if k in accepted} | options))
    labels = [objective.label for objective in objectives]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"objective={label!r} is there twice. Leave one out, or give it another target.")
    return Built(objectives, list(clusterings.values()), composition)


def resolve_target(adapter: VAEAdapter, cls: type[Objective], target: Any) -> tuple[str, int | None]:
    """Return the name of a registered target, or product of targets, and its number of levels; None if continuous.

    Raises
    ------
    ValueError
        If the target is not registered, the objective does not support its kind, or it has only one level.
    """
    names = [target] if isinstance(target, str) else list(target)
    for name in names:
        if name not in adapter.nuisances:
            raise ValueError(f"target={name!r} is not registered. Choose from {', '.join(adapter.nuisances)}.")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"target={target!r}: name one nuisance, or several different ones.")
    kinds = {"categorical" if name in adapter.levels else "continuous" for name in names}
    if len(names) > 1 and kinds != {"categorical"}:
        raise ValueError(f"target={target!r}: only categorical nuisances have a product.")
    if not kinds <= cls.kinds:
        raise ValueError(
            f"target={target!r} is {kinds.pop()}; objective {cls.name!r} takes {', '.join(sorted(cls.kinds))} ones."
        )
    if kinds == {"continuous"}:
        return names[0], None
    name = names[0] if len(names) == 1 else adapter.add_product(names)
    n_levels = len(adapter.levels[name])
    if lacks_nuisance(adapter) and name == BATCH:
        return name, 2  # sizes of a critic that is never trained
    if n_levels < 2:
        raise ValueError(
            f"target={name!r} has one level only ({adapter.levels[name][0]}): there is nothing to correct. "
            "Register a batch_key or nuisance_keys with at least two levels."
        )
    return name, n_levels


def lacks_nuisance(adapter: VAEAdapter) -> bool:
    """Return whether neither a batch nor another nuisance was registered."""
    return not adapter.has_batch_key and adapter.nuisances == [BATCH]


def has_nothing_to_trade(objectives: list[Objective], adapter: VAEAdapter, manager: AnnDataManager) -> bool:
    """Return whether every traded nuisance has one value among all cells, even if the model has more levels.

    This happens for query cells of one batch and for cells without a batch key. Then only the generative loss is
    trained.
    """
    if not objectives or not all(objective.needs_nuisance for objective in objectives):
        return False
    context = get_context(adapter, manager)
    values = [context.categorical.get(objective.target) for objective in objectives]
    return all(value is not None and np.ptp(value.numpy()) == 0 for value in values)


def check_targets(objectives: list[Objective], adapter: VAEAdapter, manager: AnnDataManager, split: Split) -> None:
    """Refuse targets that do not vary among the training cells or among the test cells.

    Raises
    ------
    ValueError
        If a target has only one value in one of these parts.
    """
    context = get_context(adapter, manager)
    for target in {objective.target: None for objective in objectives if objective.needs_nuisance}:
        values = (context.categorical | context.continuous)[target].numpy()
        for name, part in (("training", split.train), ("test", split.test)):
            if not len(part):
                raise ValueError(
                    f"There are no {name} cells: batches of fewer than three cells are for training only. Register "
                    "batches of more cells, or give a split of the cells."
                )
            if np.ptp(values[part]) == 0:
                raise ValueError(
                    f"target={target!r} has one value only among the {name} cells: there is nothing to correct, or to "
                    "judge. Name another target, or give a split of the cells."
                )
