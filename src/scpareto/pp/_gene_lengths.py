"""Normalise counts of full-length protocols by gene length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from scipy import sparse

from scpareto.pp._check import check_choice, get_counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from numpy.typing import NDArray

Rounding = Literal["truncate", "nearest", "none"]
Missing = Literal["drop", "error"]

_ROUND: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    # Rounding errors may put a whole product slightly below the whole number.
    "truncate": lambda values: np.floor(values * (1 + 1e-12)),
    "nearest": np.rint,
    "none": lambda values: values,
}


def normalize_gene_lengths(
    adata: AnnData,
    lengths: pd.Series | Mapping[str, float] | str,
    *,
    layer: str | None = None,
    rounding: Rounding = "truncate",
    missing: Missing = "drop",
) -> AnnData:
    r"""Divide the counts of each gene by its length, in units of the mean length.

    In full-length protocols such as Smart-seq2 the number of reads grows with the length of a gene; in droplet
    protocols the number of molecules does not. Apply this to the full-length cells only, before joining the two.

    Parameters
    ----------
    adata
        Counts, sparse or dense; they are not changed.
    lengths
        Length of each gene by its name, or the name of a column of ``adata.var``. Lengths of other genes are ignored.
    layer
        Layer of the counts; None for ``adata.X``.
    rounding
        ``"truncate"`` drops the fractions, as published, so that the result can be modelled as counts; ``"nearest"``
        rounds; ``"none"`` keeps fractions.
    missing
        How to treat genes without a known length: ``"drop"``, or ``"error"``.

    Returns
    -------
    A new AnnData of the genes with a length, with the result in place of the counts; other layers keep their values.

    Raises
    ------
    KeyError
        If the layer or the column does not exist.
    ValueError
        If a length is not a positive number or given twice, no gene has a length, a gene has none and ``missing`` is
        ``"error"``, counts are negative or not finite, or an option is unknown.

    Notes
    -----
    For gene :math:`g` of length :math:`L_g` and the mean :math:`\bar L` over the genes that are kept,

    .. math:: x'_{ig} = \left\lfloor x_{ig} \, \bar L / L_g \right\rfloor .

    Truncation removes single reads of genes longer than the mean.

    References
    ----------
    As for the Smart-seq2 cells in :cite:p:`Li2022`.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scpareto as sp
    >>> adata = AnnData(np.array([[4.0, 4.0, 4.0]]))
    >>> adata.var_names = ["short", "long", "unknown"]
    >>> scaled = sp.pp.normalize_gene_lengths(adata, {"short": 1000, "long": 3000})
    >>> scaled.to_df().iloc[0].to_dict()  # 4 * 2000 / 1000, and 4 * 2000 / 3000 without its fraction
    {'short': 8.0, 'long': 2.0}
    """
    check_choice("rounding", rounding, get_args(Rounding))
    check_choice("missing", missing, get_args(Missing))
    counts = get_counts(adata, layer, empty_cells=True)
    length = _length_of_genes(adata, lengths)
    has_length = np.isfinite(length)
    if not has_length.any():
        raise ValueError(
            f"none of the {adata.n_vars} genes has a length. Names must agree, also in case; the first gene is "
            f"{adata.var_names[0]!r}."
        )
    if missing == "error" and not has_length.all():
        raise ValueError(
            f"{int((~has_length).sum())} genes have no length, the first is "
            f"{adata.var_names[int(np.argmin(has_length))]!r}; give their lengths, or missing='drop'."
        )
    scaled = adata[:, has_length].copy()
    values = _scale_counts(counts[:, has_length], length[has_length].mean() / length[has_length], rounding)
    if layer is None:
        scaled.X = values
    else:
        scaled.layers[layer] = values
    return scaled


def _length_of_genes(adata: AnnData, lengths: pd.Series | Mapping[str, float] | str) -> NDArray[np.float64]:
    """Return the length of each gene, NaN if unknown."""
    if isinstance(lengths, str):
        if lengths not in adata.var:
            available = ", ".join(map(repr, adata.var)) or "none"
            raise KeyError(f"lengths={lengths!r} is not in adata.var; available: {available}.")
        length = adata.var[lengths].to_numpy(dtype=np.float64)
    elif isinstance(lengths, pd.Series | Mapping):
        all_lengths = pd.Series(lengths, dtype=np.float64)
        own_lengths = all_lengths[all_lengths.index.isin(adata.var_names)]
        if own_lengths.index.has_duplicates:
            raise ValueError(f"lengths holds {own_lengths.index[own_lengths.index.duplicated()][0]!r} more than once.")
        length = own_lengths.reindex(adata.var_names).to_numpy()
    else:
        raise TypeError(f"lengths is a {type(lengths).__name__}; give a Series, a mapping or a column of adata.var.")
    bad = np.isinf(length) | (length <= 0)
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(f"the length of gene {adata.var_names[first]!r} is {length[first]:g}; lengths are positive.")
    return length


def _scale_counts(counts: Any, factor: NDArray[np.float64], rounding: Rounding) -> Any:
    """Multiply counts by the factor of each gene, in double precision; the result has the type of the counts."""
    dtype = counts.dtype if counts.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    if not sparse.issparse(counts):
        return _ROUND[rounding](np.asarray(counts, dtype=np.float64) * factor).astype(dtype)
    kind = counts.format if counts.format in ("csr", "csc") else "csr"
    product = (counts.astype(np.float64) @ sparse.diags(factor)).asformat(kind)
    product.data = _ROUND[rounding](product.data)
    product.eliminate_zeros()
    return product.astype(dtype)
