"""Plot which latent dimension represents which factor of variation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.metrics import as_numbers, check_factors, mutual_information_gap, spearman_gap
from scpareto.pl._finish import Finish
from scpareto.pl._palette import PALETTE
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, LABEL_SIZE, NOTE_SIZE, make_axes, tidy

if TYPE_CHECKING:
    import os

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

_RANK, _INFORMATION = PALETTE[0], PALETTE[1]


def disentanglement(
    codes: ArrayLike | AnnData,
    factors: pd.DataFrame | dict[str, Any] | Sequence[str],
    *,
    use_rep: str | None = None,
    scale: ArrayLike | str | None = None,
    seed: int = 0,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the dependence of each latent dimension on each known factor, with one small panel per factor.

    Bars on the left of a dimension are absolute rank correlations; bars on the right are mutual information divided by
    the entropy of the factor. A factor is disentangled if only one dimension has high bars. The title gives the two
    gaps, largest minus second largest value. A dimension with a rank correlation but no information is inactive: its
    mean varies very little, which ranks do not show.

    Parameters
    ----------
    codes
        Posterior means, shape `(n_cells, n_latent)`, at least two dimensions; or an AnnData that holds them.
    factors
        Known factors of variation, one column per factor; for an AnnData also names of columns of `obs`.
    use_rep
        Key of `obsm` with the means, if `codes` is an AnnData.
    scale
        Posterior standard deviations, shape `(n_cells, n_latent)`, or their key of `obsm`, such as
        `"X_betatcvae_scale"`; without them there is no mutual information.
    seed
        Seed of the posterior samples for the mutual information.
    axes
        Axes to draw on, one per factor; by default of a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"factors.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(n_factors,)`. Bars carry the ids `"spearman"` and `"information"`. A factor with more than two
    levels without an order has no rank correlation.

    Raises
    ------
    TypeError
        If keys are given without an AnnData.
    KeyError
        If a key or column does not exist.
    ValueError
        If `use_rep` is missing, `save` cannot be written, shapes disagree, a factor cannot be used, or `axes` are too
        few or too many.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto.pl as pl
    >>> rng = np.random.default_rng(0)
    >>> step = rng.integers(4, size=200)
    >>> axes = pl.disentanglement(np.column_stack([step, rng.normal(size=200)]), {"step": step})
    >>> axes.shape
    (1,)
    """
    finish = Finish(show, save, return_fig)
    means, columns, scale = _read_arrays(codes, factors, use_rep, scale)
    mean = np.asarray(means, dtype=float)
    factor_table = check_factors(columns, n_cells=len(mean))
    information = None if scale is None else mutual_information_gap(mean, factor_table, scale=scale, seed=seed)
    panels = _make_panels(factor_table.shape[1]) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != factor_table.shape[1]:
        raise ValueError(f"{factor_table.shape[1]} factors need as many axes, got {len(panels)}.")
    dimensions = np.arange(mean.shape[1])
    for ax, name in zip(panels, map(str, factor_table), strict=True):
        notes = []
        if _has_order(factor_table[name], name):
            gap = spearman_gap(mean, factor_table[[name]])
            _draw_bars(ax, dimensions - 0.2, gap.table.loc[name].to_numpy(), _RANK, "spearman", "rank correlation")
            notes.append(f"{gap.value:.2f}")
        if information is not None:
            values = information.table.loc[name].clip(lower=0).to_numpy()
            _draw_bars(ax, dimensions + 0.2, values, _INFORMATION, "information", "mutual information")
            notes.append(f"{information.gaps[name]:.2f}")
        ax.set_title(f"{name.replace('_', ' ')}   gaps {' and '.join(notes)}", fontsize=NOTE_SIZE, loc="left", pad=3)
        ax.set_ylim(0, 1)
        ax.set_xticks(dimensions)
    panels[-1].set_xlabel("dimension of the code", fontsize=LABEL_SIZE)
    if axes is None:
        figure = panels[0].get_figure(root=True)
        handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
        for ax in panels[1:]:
            handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False, fontsize=NOTE_SIZE
        )
    return finish(panels)


def _read_arrays(codes: Any, factors: Any, use_rep: str | None, scale: Any) -> tuple[Any, Any, Any]:
    """Look up names in an AnnData; arrays and tables are returned unchanged."""
    are_names = isinstance(factors, str) or (isinstance(factors, Sequence) and all(isinstance(f, str) for f in factors))
    if not is_cells(codes):
        if use_rep is not None or are_names or isinstance(scale, str):
            raise TypeError("use_rep, names of factors and a key as scale are of an AnnData: give one as codes.")
        return codes, factors, scale
    available = ", ".join(map(repr, codes.obsm)) or "none"
    if use_rep is None:
        raise ValueError(f"use_rep must name the codes of the AnnData; its keys of obsm: {available}.")
    for name, key in (("use_rep", use_rep), ("scale", scale)):
        if isinstance(key, str) and key not in codes.obsm:
            raise KeyError(f"{name}={key!r} is not in adata.obsm; there are {available}.")
    if are_names:
        names = [factors] if isinstance(factors, str) else list(factors)
        if missing := [name for name in names if name not in codes.obs]:
            raise KeyError(f"factors: {missing[0]!r} is not in adata.obs; its columns are {', '.join(codes.obs)}.")
        factors = codes.obs[names]
    return codes.obsm[use_rep], factors, codes.obsm[scale] if isinstance(scale, str) else scale


def _make_panels(n_factors: int) -> np.ndarray:
    _, grid = make_axes(n_factors, 1, figsize=(COLUMN_WIDTH, 0.75 * n_factors + 0.6), share=True)
    for ax in grid.flat:
        tidy(ax)
    return np.asarray(grid.ravel(), dtype=object)


def _has_order(values: pd.Series, name: str) -> bool:
    try:
        as_numbers(values, name)
    except ValueError:
        return False
    return True


def _draw_bars(ax: Axes, dimensions: np.ndarray, heights: np.ndarray, color: str, gid: str, label: str) -> None:
    for bar in ax.bar(dimensions, heights, 0.38, color=color, label=label):
        bar.set_gid(gid)
