"""ParetoVI: a whole front of points, from uncorrected to strongest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scpareto.bench._registry import Points, register_method
from scpareto.model import ParetoVI
from scpareto.pareto import check_which

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells
    from scpareto.pareto import Which


@register_method(
    "paretovi",
    title="ParetoVI",
    family="front",
    library="scpareto",
    reference="Li et al. 2022",
    returns="front",
    inductive=True,
    least_per_batch=3,
)
def paretovi(
    cells: Cells,
    *,
    n_latent: int = 10,
    n_layers: int = 2,
    gene_likelihood: Literal["zinb", "nb", "poisson", "normal"] = "zinb",
    select: Which = "auto",
    **training: Any,
) -> Points:
    """Learn a front and return the posterior means of every point.

    Parameters
    ----------
    cells
        The cells.
    n_latent, n_layers, gene_likelihood
        Architecture.
    select
        The point that :func:`scpareto.bench.integrate` writes: its number, a rule, or limits on columns, see
        :meth:`scpareto.pareto.Front.find`. ``"auto"`` is the recommended point, even if the front could not be judged.
    **training
        Arguments of :meth:`scpareto.model.ParetoVI.train`.

    Returns
    -------
    Codes of every point, shape ``(n_cells, n_latent)`` each; the strength is the preference.

    References
    ----------
    :cite:p:`Li2022`.
    """
    check_which(select)
    adata = cells.as_anndata()
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, seed=cells.seed, n_latent=n_latent, n_layers=n_layers, gene_likelihood=gene_likelihood)
    if len(cells.split.test):
        training = {"split": (cells.split.train, cells.split.validation, cells.split.test)} | training
    model.train(**{"progress": False} | training)
    return compute_points(model, select)


def compute_points(model: ParetoVI, select: Which = "auto", *, rows: NDArray[np.int64] | None = None) -> Points:
    """Return the codes of every point of a trained model, of all or some of its cells; its selected point is kept."""
    front = model.front
    if front is None or not len(front):
        raise RuntimeError("the model has no front.")
    table = front.to_dataframe().set_index("point")
    column = next(str(c) for c in table if str(c).startswith("preference_") and "generative" not in str(c))
    codes: dict[int, NDArray] = {}
    for number in front.numbers:
        with model.at(number):
            z = np.asarray(model.get_latent_representation(), dtype=np.float64)
        codes[number] = z if rows is None else z[rows]
    # find("auto") refuses fronts that were not judged; ``recommended`` is then the knee or the least corrected point.
    selected = front.recommended if select == "auto" else front.find(select)
    return Points(codes, selected, {n: float(table[column][n]) for n in front.numbers})
