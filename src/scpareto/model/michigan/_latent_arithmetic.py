"""Codes of an unseen combination of two factors, by latent arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


def shifted_codes(
    codes: ArrayLike,
    obs: pd.DataFrame,
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    *,
    n_cells: int | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    r"""Predict the codes of a combination of two factors by latent arithmetic.

    Parameters
    ----------
    codes
        Codes of known cells, shape ``(n_known, n_latent)``.
    obs
        Their annotation.
    source, target
        Levels of the same two columns of ``obs``, which differ in exactly one of them, for example
        ``{"cell_type": "B", "drug": "none"}`` and ``{"cell_type": "B", "drug": "x"}``. Codes of source cells are
        shifted.
    n_cells
        Codes to return; None for as many as the source has cells. Source cells are drawn without replacement if there
        are enough, with replacement otherwise.
    seed
        Seed of the draw.

    Returns
    -------
    The codes, shape ``(n_cells, n_latent)``, and the rows of their source cells.

    Raises
    ------
    KeyError
        If a column does not exist.
    ValueError
        If source and target do not differ in exactly one of two columns, the source has no cells, or no level of the
        common column has cells of both levels of the other one.

    Notes
    -----
    Where the target is level :math:`a'` of one column in the context :math:`b` (level of the other), and the source
    level :math:`a` in the same context,

    .. math::
        \hat z = z(a, b) + \frac{1}{|\Omega|} \sum_{\omega \in \Omega} \left(\bar z(a', \omega) - \bar z(a, \omega)
        \right)

    over all other contexts :math:`\omega` that hold cells of both levels. Cells of the target are never used. Each
    context has the same weight, which is what resampling contexts to equal size does on average.

    References
    ----------
    :cite:p:`YuWelch2021`.

    Examples
    --------
    The drug shifts T cells by 2, so that treated B cells are expected at 5 + 2 = 7:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from scpareto.model import shifted_codes
    >>> obs = pd.DataFrame({"cell_type": ["T", "T", "B"], "drug": ["none", "x", "none"]})
    >>> codes, rows = shifted_codes(
    ...     np.array([[0.0], [2.0], [5.0]]),
    ...     obs,
    ...     source={"cell_type": "B", "drug": "none"},
    ...     target={"cell_type": "B", "drug": "x"},
    ... )
    >>> codes.tolist(), rows.tolist()
    ([[7.0]], [2])
    """
    z = np.asarray(codes, dtype=np.float64)
    for name in (*source, *target):
        if name not in obs:
            raise KeyError(f"{name!r} is not in adata.obs; its columns are {', '.join(map(str, obs.columns))}.")
    changed = [name for name in target if name in source and str(source[name]) != str(target[name])]
    if set(source) != set(target) or len(target) != 2 or len(changed) != 1:
        raise ValueError(
            f"source={dict(source)} and target={dict(target)} must name the same two columns and differ in one of them."
        )
    factor = changed[0]
    context = next(name for name in target if name != factor)
    levels, contexts = obs[factor].astype(str).to_numpy(), obs[context].astype(str).to_numpy()
    is_source = (levels == str(source[factor])) & (contexts == str(source[context]))
    if not is_source.any():
        raise ValueError(f"source={dict(source)} has no cells.")
    shifts = []
    for other in np.unique(contexts[contexts != str(target[context])]):
        pair = [(levels == str(which[factor])) & (contexts == other) for which in (target, source)]
        if all(cells.any() for cells in pair):
            shifts.append(z[pair[0]].mean(axis=0) - z[pair[1]].mean(axis=0))
    if not shifts:
        raise ValueError(
            f"no other level of {context!r} has cells of both {factor}={target[factor]!r} and "
            f"{factor}={source[factor]!r}: the effect of the change cannot be estimated."
        )
    rows = np.flatnonzero(is_source)
    if n_cells is not None:
        rows = np.random.default_rng(seed).choice(rows, n_cells, replace=n_cells > len(rows))
    return z[rows] + np.mean(shifts, axis=0), rows
