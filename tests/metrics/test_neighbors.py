from __future__ import annotations

import numpy as np

from scpareto.metrics._neighbors import nearest_others


def test_a_cell_is_never_its_own_neighbor_even_among_duplicates():
    twice = np.repeat(np.random.default_rng(0).standard_normal((100, 4)), 3, axis=0)
    near = nearest_others(twice, np.arange(300), 2)
    assert not (near == np.arange(300)[:, None]).any()
    assert (near // 3 == np.arange(300)[:, None] // 3).all()


def test_neighbors_of_some_rows_are_sought_among_all():
    line = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    assert nearest_others(line, np.array([4, 0]), 2).tolist() == [[3, 2], [1, 2]]
