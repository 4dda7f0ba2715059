"""From pointwise information to percentages with intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import entr

from scpareto.metrics._paired_bootstrap import interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.metrics._paired_bootstrap import Draws

# Kinds of probe that agree within this share of what the reference holds have reached a plateau.
_PLATEAU = 0.1
# A probe on finite cells falls a little short of what composition tells, also where codes keep all of it.
_SHORT_OF = 0.2


@dataclass(frozen=True, eq=False)
class Evidence:
    """Pointwise information of the judged cells, and what is needed to sum it up.

    Attributes
    ----------
    names, kinds
        Embeddings, and kinds of probe.
    reference
        Place of the reference among the names.
    given
        Given the population, ``(2, n_embeddings, n_kinds, n_resolutions, n_repeats, n_cells)``, in nats: the estimate,
        and with what was too little to tell from chance left in.
    stretch
        How many times the mean of these scatters more than their draws, ``(n_embeddings, n_kinds, n_resolutions,
        n_repeats)``.
    unsure
        How far below and above the mean of these the truth may lie, between what held-out and training cells of the
        probes say, as a share of the mean, of the same shape.
    marginal
        Without it, ``(n_embeddings, n_repeats, n_cells)``.
    composition
        What the population alone tells, ``(n_resolutions, n_repeats, n_cells)``.
    batch
        Batch of each cell, ``(n_cells,)``.
    population
        Population of each cell at each resolution, ``(n_resolutions, n_cells)``, -1 for none.
    """

    names: list[str]
    kinds: list[str]
    reference: int
    given: NDArray[np.float64]
    stretch: NDArray[np.float64]
    unsure: NDArray[np.float64]
    marginal: NDArray[np.float64]
    composition: NDArray[np.float64]
    batch: NDArray[np.int64]
    population: NDArray[np.int64]

    @property
    def entropy(self) -> float:
        """Entropy of the batches, in nats."""
        return _entropy(self.batch)

    def of(self, inside: NDArray[np.bool_]) -> Evidence:
        """Evidence of some of the cells, shape ``(n_cells,)``."""
        return replace(
            self,
            given=self.given[..., inside],
            marginal=self.marginal[..., inside],
            composition=self.composition[..., inside],
            batch=self.batch[inside],
            population=self.population[:, inside],
        )


@dataclass(frozen=True, eq=False)
class Summary:
    """The tables of the result."""

    table: pd.DataFrame
    populations: pd.DataFrame
    differences: pd.DataFrame
    kinds: pd.DataFrame


def summarise(evidence: Evidence, draws: Draws, *, margin: float, level: float) -> Summary:
    """Ratios, intervals, flags and differences of all embeddings."""
    assessable = (evidence.population >= 0).astype(np.float64)
    # What a kind of probe can tell is a lower bound of one number: the highest is nearest to it.
    by_kind = np.einsum("ekrtn,rn->ekr", evidence.given[0], assessable) / assessable.sum(axis=1)
    by_kind = by_kind.mean(axis=2) / evidence.given.shape[4]
    best = by_kind.argmax(axis=1)
    given = evidence.given[:, np.arange(len(best)), best]
    stretch, unsure = (of[np.arange(len(best)), best] for of in (evidence.stretch, evidence.unsure))

    mean = np.einsum("gertn,rn->gert", given, assessable) / assessable.sum(axis=1)[:, None]
    total = mean[0]
    # (n_draws, 2, n_embeddings, n_resolutions, n_repeats)
    drawn = draws.sums(np.moveaxis(given * assessable[None, None, :, None], -1, 0))
    drawn = _stretched(drawn / draws.sums(assessable.T)[:, None, None, :, None], mean, stretch)
    drawn += _of_probe(mean, unsure, draws.between)
    # (n_embeddings, 2, n_draws, n_resolutions). Stretched weights of repeats may be negative, information is not.
    both = np.maximum(np.einsum("dgert,dt->egdr", drawn, draws.repeats), 0)
    of_cells = drawn[:, 0].mean(axis=3)
    ratio = _percent(total.mean(axis=2), evidence.reference)
    ratio_drawn = _percent(both, evidence.reference)
    everywhere = _percent(given[0].mean(axis=(2, 3)), evidence.reference)
    per_repeat = _percent(total.mean(axis=1), evidence.reference)
    cells_drawn = _percent(np.moveaxis(of_cells.mean(axis=2), 0, 1), evidence.reference)

    marginal_drawn = np.einsum("det,dt->de", draws.sums(np.moveaxis(evidence.marginal, -1, 0)), draws.repeats)
    marginal_drawn /= draws.cells.sum(axis=1, dtype=np.float64)[:, None]
    composition = evidence.composition.mean(axis=0)
    composition_drawn = (draws.sums(composition.T) * draws.repeats).sum(axis=1)
    composition_drawn /= draws.cells.sum(axis=1, dtype=np.float64)

    least = margin * evidence.entropy
    reference_low = _ends("", both[evidence.reference], level)["low"]
    nothing = not reference_low >= least
    n_repeats = given.shape[3]
    rows: list[dict[str, Any]] = []
    for e, name in enumerate(evidence.names):
        more_low = _ends("", both[e] - both[evidence.reference], level)["low"]
        beyond_high = interval(marginal_drawn[:, e] - composition_drawn, level)[1]
        ordered = np.sort(by_kind[e])[::-1]
        tolerance = _PLATEAU * max(by_kind[evidence.reference].max(), least)
        ends = sorted((float(ratio[e].mean()), float(everywhere[e].mean())))
        row = {
            "embedding": name,
            "batch_left": ratio[e].mean(),
            **_ends("", ratio_drawn[e], level),
            "range_low": ends[0],
            "range_high": ends[1],
            "sd_cells": cells_drawn[e].std(ddof=1),
            "sd_repeats": per_repeat[e].std(ddof=1) / np.sqrt(n_repeats) if n_repeats > 1 else np.nan,
            "sd_resolutions": ratio[e].std(ddof=1) if ratio.shape[1] > 1 else np.nan,
        }
        if nothing:
            row = {key: np.nan if key != "embedding" else value for key, value in row.items()}
        rows.append(
            row
            | {
                "information": total[e].mean(),
                **_ends("information_", both[e], level),
                "marginal": evidence.marginal[e].mean(),
                **_ends("marginal_", marginal_drawn[None, :, e], level),
                "composition": composition.mean(),
                **_ends("composition_", composition_drawn[None], level),
                "no_batch_effect": nothing,
                "composition_erased": bool(beyond_high < -max(least, _SHORT_OF * composition.mean())),
                "reference_leaks_less": bool(more_low > 0),
                "kind": evidence.kinds[best[e]],
                "plateau": bool(ordered[0] - ordered[1] <= tolerance) if len(ordered) > 1 else None,
            }
        )
    differences = [
        {
            "first": evidence.names[a],
            "second": evidence.names[b],
            "difference": np.nan if nothing else float((ratio[a] - ratio[b]).mean()),
            **_ends("", np.full((1, 1), np.nan) if nothing else ratio_drawn[a] - ratio_drawn[b], level),
        }
        for a, b in combinations(range(len(evidence.names)), 2)
    ]
    return Summary(
        pd.DataFrame(rows).set_index("embedding"),
        _per_population(evidence, given, stretch, unsure, draws, margin=margin, level=level),
        pd.DataFrame(differences, columns=["first", "second", "difference", "low", "high"]),
        pd.DataFrame(by_kind, index=pd.Index(evidence.names, name="embedding"), columns=evidence.kinds),
    )


def _per_population(
    evidence: Evidence,
    given: NDArray[np.float64],
    stretch: NDArray[np.float64],
    unsure: NDArray[np.float64],
    draws: Draws,
    *,
    margin: float,
    level: float,
) -> pd.DataFrame:
    rows = []
    for r, population in enumerate(evidence.population):
        for c in np.unique(population[population >= 0]):
            inside = population == c
            here = np.where(inside, given[:, :, r], 0.0)
            mean = here.sum(axis=-1) / inside.sum()
            total = mean[0].mean(axis=1)
            # A draw without any of its samples says nothing about a population.
            weight = draws.sums(inside.astype(np.float64))
            some = weight > 0
            drawn = draws.sums(np.moveaxis(here, -1, 0))[some] / weight[some, None, None, None]
            drawn = _stretched(drawn, mean, stretch[:, r]) + _of_probe(mean, unsure[:, r], draws.between[some])
            drawn = np.einsum("dget,dt->egd", drawn, draws.repeats[some])
            entropy = _entropy(evidence.batch[inside])
            reference_low = _ends("", drawn[evidence.reference], level)["low"]
            nothing = not reference_low >= max(margin * entropy, 1e-12)
            ratio_drawn = _percent(drawn, evidence.reference)
            ratio = _percent(total, evidence.reference)
            rows += [
                {
                    "resolution": r,
                    "population": int(c),
                    "embedding": name,
                    "n_cells": int(inside.sum()),
                    "n_batches": len(np.unique(evidence.batch[inside])),
                    "entropy": entropy,
                    "information": total[e],
                    **_ends("information_", drawn[e], level),
                    "batch_left": np.nan if nothing else ratio[e],
                    **_ends("", np.full((1, 1), np.nan) if nothing else ratio_drawn[e], level),
                    "no_batch_effect": nothing,
                }
                for e, name in enumerate(evidence.names)
            ]
    return pd.DataFrame(rows)


def _percent(values: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    """Shares of the reference's values along the first axis, in percent."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * (values / values[reference])


def _stretched(
    drawn: NDArray[np.float64], mean: NDArray[np.float64], stretch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draws with their deviations stretched, on the scale of the root.

    Information grows with the square of an effect, and scatters the more the more there is: the root scatters evenly.
    """
    apart = (drawn - mean) * stretch
    # The term of the square is held to what it is where the root comes to zero.
    bent = np.minimum(apart**2 / (4 * np.maximum(mean, 1e-12)), mean)
    return np.where(mean > 0, np.maximum(mean + apart + bent, 0), mean + apart)


def _of_probe(
    mean: NDArray[np.float64], unsure: NDArray[np.float64], between: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where the truth lies between what held-out and training cells say: in each draw the same for all."""
    return between.reshape(-1, *(1,) * mean.ndim) * (unsure * np.maximum(mean, 0))


def _ends(prefix: str, draws: NDArray[np.float64], level: float) -> dict[str, float]:
    """Interval that holds those of both rows of draws: of the estimate, and with what may be chance left in."""
    ends = np.array([interval(row, level) for row in draws])
    return {f"{prefix}low": float(ends[:, 0].min()), f"{prefix}high": float(ends[:, 1].max())}


def _entropy(labels: NDArray[np.int64]) -> float:
    return float(entr(np.unique(labels, return_counts=True)[1] / len(labels)).sum())
