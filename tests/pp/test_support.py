"""On how many cells an estimate rests."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from scpareto.pp._support import DonorSupport


def test_the_fewest_donors_that_carry_half_are_counted():
    batch = np.array([0, 0, 0, 1, 1, 1, 1])
    weights = sparse.csr_matrix([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 0]])
    back = sparse.csr_matrix(np.zeros((4, 3)))
    support = DonorSupport(batch)
    passed = list(support.record([(0, 1, weights), (1, 0, back)]))
    assert [pair[:2] for pair in passed] == [(0, 1), (1, 0)]
    has_donors = np.zeros((7, 2), dtype=bool)
    has_donors[:2, 1] = True
    table = support.table(["a", "b"], has_donors).set_index("batch")
    assert table.loc["a"].tolist() == [3, 2, 2 / 3, 0, 0]
    assert table.loc["b"].tolist() == [4, 0, 0, 2, 1]
