"""Which dimension of a code knows which factor of variation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.metrics import as_numbers, check_factors, mutual_information_gap, spearman_gap
from scpareto.pl._finish import Finish
from scpareto.pl._palette import PALETTE
from scpareto.pl._sources import is_cells
from scpareto.pl._style import COLUMN_WIDTH, LABEL_SIZE, NOTE_SIZE, new_axes, tidy

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
    """Draw how strongly each dimension of the codes goes with each known factor, one small panel per factor.

    Bars to the left of a dimension are absolute rank correlations, bars to the right mutual information divided by the
    entropy of the factor. A factor is disentangled where one pair of bars stands alone; the two gaps, largest minus
    second largest, are in the title. A dimension with a rank correlation and no information is inactive: its mean
    hardly moves, which ranks do not tell.

    Parameters
    ----------
    codes
        Posterior means, shape `(n_cells, n_latent)`, at least two dimensions; or an AnnData that holds them.
    factors
        Known factors of variation, one column per factor; of an AnnData also names of columns of `obs`.
    use_rep
        Of an AnnData, the key of `obsm` with the means.
    scale
        Posterior standard deviations, shape `(n_cells, n_latent)`, or of an AnnData their key of `obsm`, such as
        `"X_betatcvae_scale"`; without them there is no mutual information.
    seed
        Seed of the posterior samples that information is measured with.
    axes
        Axes to draw in, one per factor; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"factors.pdf"`; its folder is made.
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
    means, columns, scale = _arrays(codes, factors, use_rep, scale)
    mean = np.asarray(means, dtype=float)
    known = check_factors(columns, n_cells=len(mean))
    information = None if scale is None else mutual_information_gap(mean, known, scale=scale, seed=seed)
    panels = _new_panels(known.shape[1]) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != known.shape[1]:
        raise ValueError(f"{known.shape[1]} factors need as many axes, got {len(panels)}.")
    places = np.arange(mean.shape[1])
    for ax, name in zip(panels, map(str, known), strict=True):
        notes = []
        if _has_order(known[name], name):
            found = spearman_gap(mean, known[[name]])
            _bars(ax, places - 0.2, found.table.loc[name].to_numpy(), _RANK, "spearman", "rank correlation")
            notes.append(f"{found.value:.2f}")
        if information is not None:
            values = information.table.loc[name].clip(lower=0).to_numpy()
            _bars(ax, places + 0.2, values, _INFORMATION, "information", "mutual information")
            notes.append(f"{information.gaps[name]:.2f}")
        ax.set_title(f"{name.replace('_', ' ')}   gaps {' and '.join(notes)}", fontsize=NOTE_SIZE, loc="left", pad=3)
        ax.set_ylim(0, 1)
        ax.set_xticks(places)
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


def _arrays(codes: Any, factors: Any, use_rep: str | None, scale: Any) -> tuple[Any, Any, Any]:
    """Look up what is named in an AnnData; arrays and tables stay as they are."""
    named = isinstance(factors, str) or (isinstance(factors, Sequence) and all(isinstance(f, str) for f in factors))
    if not is_cells(codes):
        if use_rep is not None or named or isinstance(scale, str):
            raise TypeError("use_rep, names of factors and a key as scale are of an AnnData: give one as codes.")
        return codes, factors, scale
    held = ", ".join(map(repr, codes.obsm)) or "none"
    if use_rep is None:
        raise ValueError(f"use_rep must name the codes of the AnnData; its keys of obsm: {held}.")
    for name, key in (("use_rep", use_rep), ("scale", scale)):
        if isinstance(key, str) and key not in codes.obsm:
            raise KeyError(f"{name}={key!r} is not in adata.obsm; there are {held}.")
    if named:
        names = [factors] if isinstance(factors, str) else list(factors)
        if missing := [name for name in names if name not in codes.obs]:
            raise KeyError(f"factors: {missing[0]!r} is not in adata.obs; its columns are {', '.join(codes.obs)}.")
        factors = codes.obs[names]
    return codes.obsm[use_rep], factors, codes.obsm[scale] if isinstance(scale, str) else scale


def _new_panels(n_factors: int) -> np.ndarray:
    _, grid = new_axes(n_factors, 1, figsize=(COLUMN_WIDTH, 0.75 * n_factors + 0.6), share=True)
    for ax in grid.flat:
        tidy(ax)
    return np.asarray(grid.ravel(), dtype=object)


def _has_order(values: pd.Series, name: str) -> bool:
    try:
        as_numbers(values, name)
    except ValueError:
        return False
    return True


def _bars(ax: Axes, places: np.ndarray, heights: np.ndarray, color: str, gid: str, label: str) -> None:
    for bar in ax.bar(places, heights, 0.38, color=color, label=label):
        bar.set_gid(gid)
