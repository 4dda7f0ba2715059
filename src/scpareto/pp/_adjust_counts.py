"""Estimate multiplicative batch effects of genes by matching cells across batches, and remove them from counts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from scpareto._cells import parse_key, write_record
from scpareto._constants import ADJUST_COUNTS_KEY, BATCH_EFFECT_KEY
from scpareto.pp._check import check_choice, check_minimum, get_batches, get_counts
from scpareto.pp._donors import find_donors
from scpareto.pp._features import FEATURES, compute_features, rotate_to_principal_axes, scale_to_unit_length
from scpareto.pp._inputs import get_control_mask, get_representation, get_size_factors
from scpareto.pp._multiplicative_model import VARIANTS, center_effects
from scpareto.pp._overlap import compute_comparable_share, compute_donor_shares, find_linked_batches
from scpareto.pp._pseudobulk import compute_pseudobulk
from scpareto.pp._rescale import rescale_counts
from scpareto.pp._strata import STRATA, assign_strata
from scpareto.pp._support import DonorSupport
from scpareto.pp._weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_MIN_COMPARABLE = 0.5
_MIN_SUPPORT = 5


def adjust_counts(
    adata: AnnData,
    batch_key: str = "batch",
    *,
    layer: str | None = None,
    use_rep: str | None = None,
    n_neighbors: int = 5,
    variant: str = "tied",
    key_added: str = "adjusted",
    n_mutual: int | None = 10,
    n_rounds: int = 3,
    caliper: float | None = 2.0,
    weights: str = "softmax",
    discount: float = 1.0,
    features: str = "pca_centered",
    n_components: int | None = None,
    n_top_genes: int = 2000,
    strata: str = "sign_hash",
    n_strata: int | None = None,
    size_factors: str | None = "total",
    control_genes: str | Sequence[str] | None = None,
    prior: float | None = None,
    max_iter: int = 200,
    tol: float = 1e-8,
    approximate: bool | None = None,
    seed: int = 0,
) -> None:
    r"""Estimate the factor of each batch on each gene, and write counts without it to a new layer.

    Cells are compared with similar cells of other batches, their donors, within strata of similar cells. Raw counts
    do not change.

    Parameters
    ----------
    adata
        Raw counts, shape ``(n_cells, n_genes)``, sparse or dense.
    batch_key
        Column of ``adata.obs`` with the batches, two or more.
    layer
        Layer of the counts; None for ``adata.X``.
    use_rep
        Key of ``adata.obsm`` with coordinates to match cells in, instead of ``features``. They are only centred over
        all cells and scaled to unit length for each cell: batches should already be comparable in them.
    n_neighbors
        Largest number of donors of a cell in each other batch.
    variant
        ========================  ==========================================================================
        ``"tied"``                donors are observations of their batch in the stratum of the cell; default
        ``"two_way"``             no donors: a log-linear model of strata and batches
        ``"note_code"``           donors have a free factor in each stratum, as in the note's code; at convergence
                                  the same as ``"two_way"``, as that factor absorbs all information of donors
        ``"gamma_prior"``         the same with Gamma(1, 1) priors
        ========================  ==========================================================================
    key_added
        Layer of the adjusted counts, and first part of the columns of ``adata.obs``.
    n_mutual
        A donor is accepted only if the cell is among this number of the donor's nearest cells in turn; None accepts
        all. If a population has fewer cells than this in a batch, donors of another population may be accepted.
    n_rounds
        Number of rounds of matching if batches differ in composition, that is, if a batch shares less than half of the
        cells of both with any other. The first round subtracts the mean of each batch, which moves the types of a batch
        with mostly one type onto those of others. Later rounds match cells by the counts that the previous round has
        adjusted. There is only one round for other data, given coordinates, projections, and other variants.
    caliper
        From the second round on, and for given coordinates, the distance of a donor must not exceed this multiple of
        the distance within batches: that of the cell, or of the donor, to the ``n_neighbors``-th nearest cell of its
        own batch, whichever is smaller. Cells without a counterpart then have no donors. None accepts any distance.
    weights
        Weights of donors: ``"softmax"`` of the negative squared distance, or ``"entropy"``, whose sharpness depends on
        the number of donors.
    discount
        Weight of a donor relative to an observed cell in ``"tied"``, in (0, 1].
    features
        Coordinates to match cells in: ``"pca_centered"``, principal components of log expression less the mean of each
        batch; ``"rp_resid"``, random projections of counts less the mean of each batch, as in the note; ``"rp_cpm"``,
        random projections of relative counts, which do not align batches.
    n_components
        Number of coordinates; None for 20 principal components, or 5 projections.
    n_top_genes
        Number of variable genes for the principal components. Effects are estimated for all genes.
    strata
        ``"sign_hash"``, by the signs of the first coordinates, or ``"kmeans"``.
    n_strata
        Number of strata; None for 32 by signs, or one for each 30 cells (1,000 at most) by K-means.
    size_factors
        ``"total"``, the counts of a cell divided by their median; or a column of ``adata.obs``; or None for equal size
        factors, as in the note, so that depth becomes part of the effects.
    control_genes
        Genes without biological variation (names, or a boolean column of ``adata.var``): their components are
        regressed out of the coordinates.
    prior
        Shape and rate of the Gamma priors of all parameters; None for the default of the variant (1e-4, 0 or 1).
    max_iter, tol
        Largest number of iterations, and the relative change of the likelihood at which they stop.
    approximate
        Whether to search neighbours by nearest-neighbour descent; None does so above 20,000 cells. Exact neighbours do
        not depend on the order of cells.
    seed
        Seed of random projections, K-means and nearest-neighbour descent.

    Returns
    -------
    None. Writes to ``adata``:

    ===============================================  ===================================================================
    ``layers[key_added]``                            counts divided by the effects; sparse where the counts are
    ``varm["batch_effect"]``                         effects :math:`\delta`, frame of genes by batches; 1 is none
    ``obs[f"{key_added}_stratum"]``                  stratum of the cell
    ``obs[f"{key_added}_donors"]``                   share of the other batches in which the cell has accepted donors
    ``uns["scpareto"]["adjust_counts"]``             arguments, ``batches``, ``log_likelihood`` after each iteration,
                                                     ``converged``, ``donor_share`` (share of cells with accepted donors
                                                     by their batch and the donors'), ``donor_share_by_stratum``,
                                                     ``comparable_share`` (share of cells that have a cell of the other
                                                     batch as near as their 20th nearest at home), ``batch_group``
                                                     (contrasts are identified within a group), ``n_genes_absent``,
                                                     ``support``: for each batch how many of its cells are matched, and
                                                     how few carry half of what it lends to others
    ===============================================  ===================================================================

    Raises
    ------
    KeyError
        If a key, layer or gene does not exist.
    ValueError
        If counts are NaN, infinite or negative, cells are empty, batches are missing, there are fewer than two or one
        is smaller than ``n_neighbors``, the representation is not finite, or an option is out of range.

    Warns
    -----
    UserWarning
        If counts are fractional, a batch has hardly any cells comparable to those of others, batches share no
        strata, a gene is absent from some batches only (its effect there is 1), or the iterations did not converge.

    Notes
    -----
    In stratum :math:`s` and batch :math:`k`, with size factors :math:`\ell_j`,

    .. math:: Y_{gj} \sim \mathrm{Poisson}(\ell_j \, \mu_{g s(j)} \, \delta_{g b(j)}) .

    With :math:`Z^{(k)}_{gj}` the weighted mean of the donors of cell :math:`j` in batch :math:`k` and discount
    :math:`\omega`, ``"tied"`` maximises the likelihood of the sums

    .. math::
        T_{gsk} = \sum_{j \in s,\, b(j) = k} Y_{gj} + \omega \sum_{j \in s} Z^{(k)}_{gj} , \qquad
        \mu_{gs} = \frac{a + \sum_k T_{gsk}}{a + \sum_k \delta_{gk} N_{sk}} , \qquad
        \delta_{gk} = \frac{a + \sum_s T_{gsk}}{a + \sum_s \mu_{gs} N_{sk}} ,

    where :math:`N_{sk}` sums the size factors in the same way. Only contrasts are identified: :math:`\log \delta_{gk}`
    is centred over batches, weighted by their cells. A factor common to all genes of a batch is confounded with depth.
    Differences of composition *within* strata, such as a continuous shift, stay in the effects.

    References
    ----------
    The model is that of the note on batch correction in asapR (Park, causalpathlab/asapR), with the updates derived
    from its likelihood; mutual neighbours follow :cite:t:`Haghverdi2018`.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_multiplicative(400, 100, seed=0)
    >>> sp.pp.adjust_counts(adata)
    >>> adata.layers["adjusted"].shape, adata.varm["batch_effect"].shape
    ((400, 100), (100, 2))
    """
    _check_options(
        {"variant": variant, "weights": weights, "features": features, "strata": strata},
        {
            "n_neighbors": n_neighbors,
            "n_mutual": n_mutual,
            "n_components": n_components,
            "n_top_genes": n_top_genes,
            "n_strata": n_strata,
            "max_iter": max_iter,
            "n_rounds": n_rounds,
        },
        discount,
        prior,
    )
    check_minimum("tol", tol, 0, integer=False)
    if caliper is not None:
        check_minimum("caliper", caliper, 0, integer=False)
    batch_key = parse_key(batch_key, "batch_key") or ""
    batch, names = get_batches(adata, batch_key, n_neighbors=n_neighbors)
    counts = get_counts(adata, layer)
    representation = get_representation(adata, use_rep)
    control = get_control_mask(adata, control_genes)
    depth = get_size_factors(adata, size_factors, counts)

    by_cell = sparse.csr_matrix(counts)
    model_variant = VARIANTS[variant]
    repeats_matching = representation is None and FEATURES[features].is_refined and model_variant.learns_from_donors
    effect = np.ones((adata.n_vars, len(names)))
    for round_number in range(n_rounds):
        if representation is not None:
            scores = rotate_to_principal_axes(representation)
        else:
            scores = compute_features(
                by_cell if round_number == 0 else rescale_counts(by_cell, batch, 1 / effect),
                # Later rounds use adjusted counts, from which batch effects are already removed.
                batch if round_number == 0 else np.zeros_like(batch),
                features=features,
                n_components=n_components,
                n_top_genes=n_top_genes,
                control=control,
                seed=seed,
            )
        if round_number == 0:
            comparable = compute_comparable_share(scores, batch, seed)
        unit = scale_to_unit_length(scores)
        stratum = assign_strata(scores, unit, strata=strata, n_strata=n_strata, seed=seed)
        donors = find_donors(
            unit,
            batch,
            n_neighbors=n_neighbors,
            n_mutual=n_mutual,
            weights=weights,
            approximate=approximate,
            seed=seed,
            caliper=caliper if round_number > 0 or representation is not None else None,
        )
        support = DonorSupport(batch)
        data, has_donors = compute_pseudobulk(by_cell, depth, batch, stratum, support.record(donors))
        fit = model_variant.fit(data, discount, model_variant.prior if prior is None else prior, max_iter, tol)
        effect = np.exp(center_effects(fit.log_effect, data.by_batch, np.bincount(batch) / len(batch)))
        # If batches hold the same populations, their means are no confounders, and matching again would only add the
        # errors of the effects. The overlap must hold in both directions: all cells of a batch may resemble some cells
        # of another batch, whose mean is over more types.
        if not repeats_matching or (_largest_share(np.minimum(comparable, comparable.T)) >= _MIN_COMPARABLE).all():
            break
    del by_cell

    donor_share, by_stratum = compute_donor_shares(has_donors, batch, stratum)
    group = find_linked_batches(data.exposure + data.donated_exposure)
    absent = (data.by_batch == 0) & (data.by_batch > 0).any(axis=1, keepdims=True)
    support_table = support.table(names, has_donors)
    _warn(names, comparable, support_table, group, absent, adata, fit.converged, max_iter)

    adata.layers[key_added] = rescale_counts(counts, batch, 1 / effect)
    adata.varm[BATCH_EFFECT_KEY] = pd.DataFrame(effect, index=adata.var_names, columns=names)
    adata.obs[f"{key_added}_stratum"] = pd.Categorical(stratum.astype(str), np.arange(stratum.max() + 1).astype(str))
    adata.obs[f"{key_added}_donors"] = has_donors.sum(axis=1) / (len(names) - 1)
    write_record(
        adata,
        ADJUST_COUNTS_KEY,
        {
            "batch_key": batch_key,
            "key_added": key_added,
            "variant": variant,
            "n_rounds": round_number + 1,
            "n_neighbors": int(n_neighbors),
            **({} if layer is None else {"layer": layer}),
            **({"features": features} if use_rep is None else {"use_rep": use_rep}),
            "batches": np.array(names, dtype=object),
            "log_likelihood": fit.log_likelihood,
            "converged": bool(fit.converged),
            "donor_share": donor_share,
            "donor_share_by_stratum": by_stratum,
            "comparable_share": comparable,
            "batch_group": group,
            "n_genes_absent": absent.sum(axis=0),
            "support": support_table,
        },
    )


def _check_options(names: dict[str, str], numbers: dict[str, int | None], discount: float, prior: float | None) -> None:
    """Raise an error for options out of range."""
    registries: dict[str, Collection[str]] = {
        "variant": VARIANTS,
        "weights": WEIGHTS,
        "features": FEATURES,
        "strata": STRATA,
    }
    for name, value in names.items():
        check_choice(name, value, registries[name])
    for name, number in numbers.items():
        if number is not None:
            check_minimum(name, number, 1)
    if not 0 < discount <= 1:
        raise ValueError(f"discount={discount} is out of range; give a number above 0, at most 1.")
    if prior is not None:
        check_minimum("prior", prior, 0, integer=False)


def _largest_share(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest share of each batch with any other, from a table of batches by batches."""
    return np.where(np.eye(len(shares), dtype=bool), 0.0, shares).max(axis=1)


def _warn(
    names: list[str],
    comparable: NDArray[np.float64],
    support_table: pd.DataFrame,
    group: NDArray[np.int64],
    absent: NDArray[np.bool_],
    adata: AnnData,
    converged: bool,
    max_iter: int,
) -> None:
    """Warn of everything that makes estimates unreliable."""
    best = _largest_share(np.maximum(comparable, comparable.T))
    messages = []
    isolated = [f"{names[b]!r} ({best[b]:.0%})" for b in np.flatnonzero(best < _MIN_COMPARABLE)]
    if isolated:
        messages.append(
            f"Hardly any cells of other batches are comparable to those of {', '.join(isolated)}: composition or cell "
            "types differ, and effects may hold biology."
        )
    n_half, n_cells = support_table["n_half"].tolist(), support_table["n_cells"].tolist()
    with_few = [f"{names[b]!r} ({n_half[b]} of {n_cells[b]})" for b in range(len(names)) if n_half[b] < _MIN_SUPPORT]
    if with_few:
        messages.append(
            f"Few cells have a counterpart in other batches: half of what a batch lends to others rests on "
            f"very few in {', '.join(with_few)}. See "
            'adata.uns["scpareto"]["adjust_counts"]["support"].'
        )
    if group.max() > 0:
        messages.append(
            f"Batches fall into {group.max() + 1} groups that share no stratum; effects of different groups cannot be "
            "compared."
        )
    if absent.any():
        genes = absent.any(axis=1)
        first = int(np.argmax(genes))
        messages.append(
            f"{int(genes.sum())} genes have no counts in some batches; the first is {adata.var_names[first]!r} in "
            f"{names[int(np.argmax(absent[first]))]!r}. Their effect there is set to 1."
        )
    if not converged:
        messages.append(f"The likelihood still changed after max_iter={max_iter} iterations.")
    for message in messages:
        warnings.warn(message, UserWarning, stacklevel=3)
