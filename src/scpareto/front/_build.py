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

_OF_THE_MODEL = ("n_latent", "n_categories", "n_ends")
"""Options of objectives that follow from the model and the data."""


class Built(NamedTuple):
    """Objectives, ready to train, and what they rest on.

    Parameters
    ----------
    objectives
        Objectives with all options filled in.
    clusterings
        Clusters that they are conditioned on.
    composition
        What decided about ``given="auto"``; None where nothing had to be decided.
    """

    objectives: list[Objective]
    clusterings: list[Clustering]
    composition: Composition | None


def pair_options(names: str | Sequence[str], options: Any) -> list[tuple[str, dict[str, Any]]]:
    """Each objective's name with its options.

    Raises
    ------
    ValueError
        If there is no name, or the number of options does not fit.
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
    return [(name, dict(some or {})) for name, some in zip(listed, options, strict=True)]


def build_objectives(
    pairs: list[tuple[str, dict[str, Any]]], adapter: VAEAdapter, manager: AnnDataManager, recipe: Recipe, n_train: int
) -> Built:
    """Objectives with targets, numbers of levels and clusters filled in, and the clusterings they are conditioned on.

    Parameters
    ----------
    pairs
        Name and options of each objective.
    adapter, manager
        The model and its registered data.
    recipe
        Options that are not given.
    n_train
        Training cells.

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
        for option in _OF_THE_MODEL:
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
            # Several objectives need not share populations: of these each is named by the user.
            found, composition = (
                populations_where_unlike(adapter, manager, options["target"]) if len(pairs) == 1 else (None, None)
            )
            options["given"] = None if found is None else POPULATIONS
            clusterings |= {} if found is None else {POPULATIONS: found}
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
        known = objective_options(cls)
        if (n_clusters := options.get("n_clusters", 0)) > n_train:
            raise ValueError(f"n_clusters={n_clusters} of objective {name!r}: there are only {n_train} training cells.")
        objectives.append(get_objective(name, **{k: v for k, v in sizes.items() if k in known} | options))
    labels = [objective.label for objective in objectives]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"objective={label!r} is there twice. Leave one out, or give it another target.")
    return Built(objectives, list(clusterings.values()), composition)


def resolve_target(adapter: VAEAdapter, cls: type[Objective], target: Any) -> tuple[str, int | None]:
    """Name of a registered target, the product of several included, and its number of levels; None if continuous.

    Raises
    ------
    ValueError
        If the target is not registered, of a kind that the objective does not take, or has one level only.
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
    """Whether nothing was registered that could be traded: neither a batch nor another nuisance."""
    return not adapter.has_batch_key and adapter.nuisances == [BATCH]


def has_nothing_to_trade(objectives: list[Objective], adapter: VAEAdapter, manager: AnnDataManager) -> bool:
    """Whether every traded nuisance has one value among all cells, though the model knows more of them.

    So it is for query cells of one batch, and for cells that were set up without a batch: there is nothing to trade,
    and the generative loss is trained alone.
    """
    if not objectives or not all(objective.needs_nuisance for objective in objectives):
        return False
    context = get_context(adapter, manager)
    values = [context.categorical.get(objective.target) for objective in objectives]
    return all(value is not None and np.ptp(value.numpy()) == 0 for value in values)


def check_targets(objectives: list[Objective], adapter: VAEAdapter, manager: AnnDataManager, split: Split) -> None:
    """Refuse targets that do not vary among the cells that are trained on, or among those that are judged.

    Raises
    ------
    ValueError
        If a target has one value only in one of these parts.
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
