"""What is read of a store of annbatch at a time; the store itself is read in ``tests/model/test_data_modules.py``."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto._cells._annbatch import make_requests

N = 1037


def rows_of(wanted, *, seed=0, n_chunks=5, batch_size=32):
    """Rows of each minibatch, and of what is read for it."""
    rng = None if seed is None else np.random.default_rng(seed)
    for request in make_requests(wanted, 16, n_chunks, batch_size, rng):
        read = np.concatenate([np.arange(part.start, part.stop) for part in request["requests"]])
        for split in request["splits"]:
            yield read[split]


@pytest.mark.parametrize("share", [0.01, 0.3, 1])
@pytest.mark.parametrize("seed", [None, 0])
def test_every_wanted_row_comes_once_and_no_other(share, seed):
    wanted = np.random.default_rng(1).random(N) < share
    found = list(rows_of(wanted, seed=seed))
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.flatnonzero(wanted))
    assert all(0 < len(rows) <= 32 for rows in found)
    if seed is None:
        np.testing.assert_array_equal(np.concatenate(found), np.flatnonzero(wanted))


def test_rows_are_mixed_over_what_is_read_at_a_time():
    rows = np.concatenate(list(rows_of(np.ones(N, dtype=bool), n_chunks=100)))
    assert abs(np.corrcoef(rows, np.arange(N))[0, 1]) < 0.1


def test_the_short_chunk_is_read_last_and_chunks_without_wanted_rows_are_not():
    wanted = np.ones(N, dtype=bool)
    wanted[:160] = False
    for seed in range(5):
        slices = [s for r in make_requests(wanted, 16, 4, 32, np.random.default_rng(seed)) for s in r["requests"]]
        assert all(part.stop - part.start == 16 for part in slices[:-1])
        assert slices[-1].stop == N
        assert min(part.start for part in slices) == 160
