"""Two halves of the same counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scpareto.metrics import thinned_halves


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_halves_add_up_and_are_independent(kind, dtype):
    counts = np.random.default_rng(0).poisson(3.0, size=(400, 50)).astype(dtype)
    given = kind(counts)
    a, b = thinned_halves(given, seed=1)
    assert sparse.issparse(a) == sparse.issparse(given)
    dense = [half.toarray() if sparse.issparse(half) else half for half in (a, b)]
    np.testing.assert_array_equal(dense[0] + dense[1], counts)
    np.testing.assert_array_equal(given.toarray() if sparse.issparse(given) else given, counts)
    assert min(half.min() for half in dense) >= 0
    # Halves of Poisson counts are Poisson and independent: 20,000 pairs have a correlation of less than .03.
    assert abs(np.corrcoef(dense[0].ravel(), dense[1].ravel())[0, 1]) < 0.03
    assert dense[0].mean() == pytest.approx(1.5, abs=0.05)


def test_equal_seeds_give_equal_halves():
    counts = sparse.random(50, 40, density=0.3, format="csr", random_state=0)
    counts.data = np.ceil(10 * counts.data)
    first, again, other = (thinned_halves(counts, seed=seed)[0] for seed in (3, 3, 4))
    assert (first != again).nnz == 0
    assert (first != other).nnz > 0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[0.5, 1.0]], "fractional, such as 0.5"),
        ([[-1.0, 1.0]], "such as -1.0"),
        ([[np.nan, 1.0]], "no counts"),
        ([1.0, 2.0], "shape"),
        ([["a", "b"]], "no numbers"),
    ],
)
def test_what_is_no_count_is_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        thinned_halves(np.array(counts))
