"""Who a cell is, where cells are shown, compared and judged: explorer, benchmarks, masks and labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._tried import case, refused, same
from .cells import KIND, ORDER, doubled, loaded, renamed
from .matrices import simulated

if TYPE_CHECKING:
    from anndata import AnnData


def _explored(adata: AnnData, **options: Any) -> Any:
    from scpareto.pl._explorer._cells import encode_along_front

    model = loaded(simulated())
    codes = encode_along_front(model, [0, 1], adata, np.arange(adata.n_obs))
    return pd.DataFrame(codes[1], index=adata.obs_names, **options)


@case(KIND, "explorer of reordered cells")
def explored() -> bool:
    first, other = _explored(simulated()), _explored(simulated()[ORDER].copy())
    return same(other.loc[first.index], first)


@case(KIND, "explorer of some of the cells")
def explored_part() -> bool:
    first, other = _explored(simulated()), _explored(simulated()[ORDER[:60]].copy())
    return same(other, first.loc[other.index])


@case(KIND, "explorer of cells of other names")
def explored_others() -> bool:
    return refused(lambda: _explored(renamed()), "Cells differ")


@case(KIND, "explorer of more cells")
def explored_more() -> bool:
    return refused(lambda: _explored(doubled()), "ells")


def _benchmark(adata: AnnData) -> Any:
    import scpareto as sp

    model = loaded(simulated())
    bench = sp.bench.Benchmark(adata, batch_key="batch", methods=["pca"], fronts={"mine": model})
    bench.run(progress=False)
    return bench.to_dataframe().query("method == 'mine'")["retention"].to_numpy()


@case(KIND, "Benchmark of reordered cells beside a front")
def benchmark() -> bool:
    return same(np.round(_benchmark(simulated()[ORDER].copy()), 2), np.round(_benchmark(simulated()), 2))


@case(KIND, "Benchmark of fewer cells beside a front")
def benchmark_of_fewer() -> bool:
    return refused(lambda: _benchmark(simulated()[:120].copy()), "ells")


@case(KIND, "Benchmark of renamed cells beside a front")
def benchmark_of_renamed() -> bool:
    return refused(lambda: _benchmark(renamed()), "Cells differ")


def _mask() -> pd.Series:
    return pd.Series(np.arange(200) % 2 == 0, index=simulated().obs_names)


def _judge(held_out: Any) -> Any:
    import scpareto as sp

    adata = simulated()
    adata.obsm["X_own"] = np.asarray(adata.X.toarray()[:, :5], dtype=float)
    return sp.tl.judge(adata, "X_own", batch_key="batch", held_out=held_out, n_bootstrap=5)["batch_left"].to_numpy()


@case(KIND, "held_out of tl.judge as a reordered series")
def held_out() -> bool:
    return same(_judge(_mask().iloc[ORDER]), _judge(_mask().to_numpy()))


@case(KIND, "held_out of tl.judge as a series of other cells")
def held_out_of_others() -> bool:
    mask = _mask()
    mask.index = renamed().obs_names
    return refused(lambda: _judge(mask), "Cells differ")


@case(KIND, "labels of audit_front as a reordered series")
def labels() -> bool:
    import scpareto as sp

    found = []
    for order in (np.arange(200), ORDER):
        model = loaded(simulated())
        given = model.adata.obs["cell_type"].iloc[order]
        sp.front.audit_front(model, model.front, labels=given, scib=False, n_bootstrap=5, progress=False)
        found.append(model.front.table["silhouette"])
    return same(*found)


@case(KIND, "labels of audit_front of other cells")
def labels_of_others() -> bool:
    import scpareto as sp

    model = loaded(simulated())
    given = pd.Series(["a", "b"] * 100, index=renamed().obs_names)
    return refused(lambda: sp.front.audit_front(model, model.front, labels=given, progress=False), "Cells differ")
