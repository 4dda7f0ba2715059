from __future__ import annotations

import numpy as np
import pytest

from scpareto.metrics import neighborhood_signal


def _donors(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    female = rng.integers(2, size=n)
    return female, np.column_stack([3.0 * female, 3.0 * (1 - female)]) + 0.3 * rng.standard_normal((n, 2))


def test_a_gene_of_donors_is_kept_by_codes_that_separate_them_and_lost_where_they_mix():
    female, genes = _donors()
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((300, 4))
    assert (neighborhood_signal(noise + 10 * female[:, None], genes) > 0.95).all()
    assert (abs(neighborhood_signal(noise, genes)) < 0.15).all()


def test_hand_computed_value():
    codes, gene = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([[1.0], [2.0], [3.0], [5.0]])
    # The nearest cell has 2, 1, 5, 3.
    expected = np.corrcoef([1, 2, 3, 5], [2, 1, 5, 3])[0, 1]
    assert neighborhood_signal(codes, gene, n_neighbors=1)[0] == pytest.approx(expected)
    of_two = neighborhood_signal(codes, gene, n_neighbors=1, cells=np.array([0, 2]))
    assert of_two[0] == pytest.approx(1)


def test_constant_genes_and_bad_input():
    _, genes = _donors(50)
    genes[:, 1] = 2.0
    assert neighborhood_signal(genes, genes)[1] == 0
    with pytest.raises(ValueError, match="49 rows but `codes` has 50"):
        neighborhood_signal(genes, genes[1:])
    with pytest.raises(ValueError, match="15 neighbours need at least 16"):
        neighborhood_signal(genes[:15], genes[:15])
