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

# Kinds of probe have reached a plateau if they agree within this share of the information in the reference.
_PLATEAU_TOLERANCE = 0.1
# A probe trained on finitely many cells finds a little less than the composition holds, even if codes keep all of it.
_COMPOSITION_SHORTFALL = 0.2


@dataclass(frozen=True, eq=False)
class ProbeInformation:
    """Pointwise information of the judged cells, and what is needed to summarise it.

    Attributes
    ----------
    names, kinds
        Embeddings, and kinds of probe.
    reference
        Index of the reference among the names.
    given
        Information given the population, ``(2, n_embeddings, n_kinds, n_resolutions, n_repeats, n_cells)``, in nats:
        first the estimate, then the estimate without setting to zero what chance could explain.
    stretch
        Factor between the standard deviation of the mean of these and that of their draws, ``(n_embeddings, n_kinds,
        n_resolutions, n_repeats)``.
    uncertainty
        Largest distance of the truth below or above the mean of these, as a share of the mean: from the difference
        between held-out and training cells. Same shape.
    marginal
        Information without a given population, ``(n_embeddings, n_repeats, n_cells)``.
    composition
        Information in the population alone, ``(n_resolutions, n_repeats, n_cells)``.
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
    uncertainty: NDArray[np.float64]
    marginal: NDArray[np.float64]
    composition: NDArray[np.float64]
    batch: NDArray[np.int64]
    population: NDArray[np.int64]

    @property
    def entropy(self) -> float:
        """Entropy of the batches, in nats."""
        return _entropy(self.batch)

    def subset(self, inside: NDArray[np.bool_]) -> ProbeInformation:
        """Return the information of some of the cells, shape ``(n_cells,)``."""
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


def summarise(evidence: ProbeInformation, draws: Draws, *, margin: float, level: float) -> Summary:
    """Compute ratios, intervals, flags and differences of all embeddings."""
    assessable = (evidence.population >= 0).astype(np.float64)
    # Each kind of probe gives a lower bound on the same number: the highest is nearest to it.
    by_kind = np.einsum("ekrtn,rn->ekr", evidence.given[0], assessable) / assessable.sum(axis=1)
    by_kind = by_kind.mean(axis=2) / evidence.given.shape[4]
    best = by_kind.argmax(axis=1)
    given = evidence.given[:, np.arange(len(best)), best]
    stretch, uncertainty = (of[np.arange(len(best)), best] for of in (evidence.stretch, evidence.uncertainty))

    mean = np.einsum("gertn,rn->gert", given, assessable) / assessable.sum(axis=1)[:, None]
    total = mean[0]
    # (n_draws, 2, n_embeddings, n_resolutions, n_repeats)
    draws_of_mean = draws.sums(np.moveaxis(given * assessable[None, None, :, None], -1, 0))
    draws_of_mean = _stretch(draws_of_mean / draws.sums(assessable.T)[:, None, None, :, None], mean, stretch)
    draws_of_mean += _probe_shift(mean, uncertainty, draws.probe_position)
    # (n_embeddings, 2, n_draws, n_resolutions). Stretched weights of repeats may be negative, information is not.
    both = np.maximum(np.einsum("dgert,dt->egdr", draws_of_mean, draws.repeats), 0)
    of_cells = draws_of_mean[:, 0].mean(axis=3)
    ratio = _percent(total.mean(axis=2), evidence.reference)
    ratio_drawn = _percent(both, evidence.reference)
    ratio_all_cells = _percent(given[0].mean(axis=(2, 3)), evidence.reference)
    per_repeat = _percent(total.mean(axis=1), evidence.reference)
    cells_drawn = _percent(np.moveaxis(of_cells.mean(axis=2), 0, 1), evidence.reference)

    marginal_drawn = np.einsum("det,dt->de", draws.sums(np.moveaxis(evidence.marginal, -1, 0)), draws.repeats)
    marginal_drawn /= draws.cells.sum(axis=1, dtype=np.float64)[:, None]
    composition = evidence.composition.mean(axis=0)
    composition_drawn = (draws.sums(composition.T) * draws.repeats).sum(axis=1)
    composition_drawn /= draws.cells.sum(axis=1, dtype=np.float64)

    least = margin * evidence.entropy
    reference_low = _interval_columns("", both[evidence.reference], level)["low"]
    no_effect = not reference_low >= least
    n_repeats = given.shape[3]
    rows: list[dict[str, Any]] = []
    for e, name in enumerate(evidence.names):
        excess_low = _interval_columns("", both[e] - both[evidence.reference], level)["low"]
        beyond_high = interval(marginal_drawn[:, e] - composition_drawn, level)[1]
        ordered = np.sort(by_kind[e])[::-1]
        tolerance = _PLATEAU_TOLERANCE * max(by_kind[evidence.reference].max(), least)
        range_ends = sorted((float(ratio[e].mean()), float(ratio_all_cells[e].mean())))
        row = {
            "embedding": name,
            "batch_left": ratio[e].mean(),
            **_interval_columns("", ratio_drawn[e], level),
            "range_low": range_ends[0],
            "range_high": range_ends[1],
            "sd_cells": cells_drawn[e].std(ddof=1),
            "sd_repeats": per_repeat[e].std(ddof=1) / np.sqrt(n_repeats) if n_repeats > 1 else np.nan,
            "sd_resolutions": ratio[e].std(ddof=1) if ratio.shape[1] > 1 else np.nan,
        }
        if no_effect:
            row = {key: np.nan if key != "embedding" else value for key, value in row.items()}
        rows.append(
            row
            | {
                "information": total[e].mean(),
                **_interval_columns("information_", both[e], level),
                "marginal": evidence.marginal[e].mean(),
                **_interval_columns("marginal_", marginal_drawn[None, :, e], level),
                "composition": composition.mean(),
                **_interval_columns("composition_", composition_drawn[None], level),
                "no_batch_effect": no_effect,
                "composition_erased": bool(beyond_high < -max(least, _COMPOSITION_SHORTFALL * composition.mean())),
                "reference_leaks_less": bool(excess_low > 0),
                "kind": evidence.kinds[best[e]],
                "plateau": bool(ordered[0] - ordered[1] <= tolerance) if len(ordered) > 1 else None,
            }
        )
    differences = [
        {
            "first": evidence.names[a],
            "second": evidence.names[b],
            "difference": np.nan if no_effect else float((ratio[a] - ratio[b]).mean()),
            **_interval_columns("", np.full((1, 1), np.nan) if no_effect else ratio_drawn[a] - ratio_drawn[b], level),
        }
        for a, b in combinations(range(len(evidence.names)), 2)
    ]
    return Summary(
        pd.DataFrame(rows).set_index("embedding"),
        _per_population(evidence, given, stretch, uncertainty, draws, margin=margin, level=level),
        pd.DataFrame(differences, columns=["first", "second", "difference", "low", "high"]),
        pd.DataFrame(by_kind, index=pd.Index(evidence.names, name="embedding"), columns=evidence.kinds),
    )


def _per_population(
    evidence: ProbeInformation,
    given: NDArray[np.float64],
    stretch: NDArray[np.float64],
    uncertainty: NDArray[np.float64],
    draws: Draws,
    *,
    margin: float,
    level: float,
) -> pd.DataFrame:
    rows = []
    for r, population in enumerate(evidence.population):
        for c in np.unique(population[population >= 0]):
            inside = population == c
            inside_values = np.where(inside, given[:, :, r], 0.0)
            mean = inside_values.sum(axis=-1) / inside.sum()
            total = mean[0].mean(axis=1)
            # Leave out draws that contain no sample of the population.
            weight = draws.sums(inside.astype(np.float64))
            is_drawn = weight > 0
            drawn = draws.sums(np.moveaxis(inside_values, -1, 0))[is_drawn] / weight[is_drawn, None, None, None]
            drawn = _stretch(drawn, mean, stretch[:, r]) + _probe_shift(
                mean, uncertainty[:, r], draws.probe_position[is_drawn]
            )
            drawn = np.einsum("dget,dt->egd", drawn, draws.repeats[is_drawn])
            entropy = _entropy(evidence.batch[inside])
            reference_low = _interval_columns("", drawn[evidence.reference], level)["low"]
            no_effect = not reference_low >= max(margin * entropy, 1e-12)
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
                    **_interval_columns("information_", drawn[e], level),
                    "batch_left": np.nan if no_effect else ratio[e],
                    **_interval_columns("", np.full((1, 1), np.nan) if no_effect else ratio_drawn[e], level),
                    "no_batch_effect": no_effect,
                }
                for e, name in enumerate(evidence.names)
            ]
    return pd.DataFrame(rows)


def _percent(values: NDArray[np.float64], reference: int) -> NDArray[np.float64]:
    """Divide by the values of the reference along the first axis, in percent."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * (values / values[reference])


def _stretch(
    drawn: NDArray[np.float64], mean: NDArray[np.float64], stretch: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Stretch the deviations of draws on the square-root scale.

    Information grows with the square of an effect, so that its variance grows with its size. The square root has an
    even variance.
    """
    deviation = (drawn - mean) * stretch
    # The quadratic term may not exceed its value where the root reaches zero.
    square_term = np.minimum(deviation**2 / (4 * np.maximum(mean, 1e-12)), mean)
    return np.where(mean > 0, np.maximum(mean + deviation + square_term, 0), mean + deviation)


def _probe_shift(
    mean: NDArray[np.float64], uncertainty: NDArray[np.float64], position: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shift of each draw towards the held-out or the training value, the same for all embeddings."""
    return position.reshape(-1, *(1,) * mean.ndim) * (uncertainty * np.maximum(mean, 0))


def _interval_columns(prefix: str, draws: NDArray[np.float64], level: float) -> dict[str, float]:
    """Return the columns of the interval that covers the intervals of all rows of draws."""
    ends = np.array([interval(row, level) for row in draws])
    return {f"{prefix}low": float(ends[:, 0].min()), f"{prefix}high": float(ends[:, 1].max())}


def _entropy(labels: NDArray[np.int64]) -> float:
    return float(entr(np.unique(labels, return_counts=True)[1] / len(labels)).sum())
