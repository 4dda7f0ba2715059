from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.audit import build_frame, judge_embeddings
from scpareto.datasets import simulate_batches


@pytest.fixture(scope="module")
def cells():
    return simulate_batches(400, 80, n_batches=2, seed=0)


def _frame(adata, **options):
    genes = list(map(str, adata.var_names))
    return build_frame(adata.X, adata.obs["batch"].astype(str).to_numpy(), is_counts=True, genes=genes, **options)


def test_the_number_of_threads_stays_what_it_was(cells):
    """Numba code of scanpy raises it, which slows small networks down and changes their last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        frame = _frame(cells)
        assert torch.get_num_threads() == 1
        judge_embeddings(frame, {"X": frame.components[:, :5]}, n_bootstrap=20)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_equal_codes_have_equal_numbers_in_any_company(cells):
    frame = _frame(cells)
    codes = {"a": frame.components[:, :5], "b": np.random.default_rng(0).normal(size=(400, 3))}
    together = judge_embeddings(frame, codes, n_bootstrap=20)
    alone = judge_embeddings(frame, {"a": codes["a"]}, n_bootstrap=20)
    assert together.left.value["a"] == alone.left.value["a"]
    assert together.kept.value["a"] == alone.kept.value["a"]


def test_parts_of_the_cells_are_summed_up_from_the_same_probes(cells):
    frame = _frame(cells)
    codes = {"a": frame.components[:, :5]}
    everyone = np.arange(400)
    judged = judge_embeddings(frame, codes, parts={"all": everyone, "half": everyone[::2]}, n_bootstrap=20)
    assert judged.parts["all"].left.value["a"] == pytest.approx(judged.left.value["a"])
    assert judged.parts["half"].left.value["a"] != judged.left.value["a"]
    other = judge_embeddings(frame, codes, parts={"other": everyone[1::2]}, n_bootstrap=20).parts["other"]
    parts = [judged.parts["half"].left, other.left]
    nats = np.mean([part.table.loc["a", "information"] for part in parts])
    assert nats == pytest.approx(judged.left.table.loc["a", "information"], rel=0.05)


def test_without_a_shared_population_the_frame_says_why():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], 100)
    counts = rng.poisson(np.where(batch[:, None] == "a", [[8.0] * 20 + [0.1] * 20], [[0.1] * 20 + [8.0] * 20]))
    frame = build_frame(counts, batch, is_counts=True, genes=[str(i) for i in range(40)])
    if not frame.populations:
        assert "No population is shared" in frame.reason
        assert judge_embeddings(frame, {"X": frame.components[:, :3]}, n_bootstrap=20).left is None
