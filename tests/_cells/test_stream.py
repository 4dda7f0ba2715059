"""Cells of data modules: what is held of them, and in what minibatches the others come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from scipy import sparse

from scpareto._cells import CELL_INDEX, MinibatchFormat, NearestPopulation, Stream
from scpareto._cells._held import CellSampler
from scpareto._cells._stream import NO_VALIDATION

N_TRAIN, N_VALIDATION = 1000, 300
EXPECTED = MinibatchFormat(n_genes=4, n_batches=2)


def cells(first, last):
    """Cells that carry their number in the first gene; the last quarter of them are of the second batch."""
    number = torch.arange(first, last).float()
    counts = torch.stack([number + 1, *torch.ones(3, last - first)], dim=1)
    return {"X": counts, "batch": (number >= first + 0.75 * (last - first)).long()[:, None]}


class Parts(LightningDataModule):
    """A data module of two parts, read 130 cells at a time."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def _read(self, name, first, last):
        self.asked.append(name)
        return [cells(at, min(at + 130, last)) for at in range(first, last, 130)]

    def train_dataloader(self):
        return self._read("train", 0, N_TRAIN)

    def val_dataloader(self):
        return self._read("validation", N_TRAIN, N_TRAIN + N_VALIDATION)


class WithTest(Parts):
    """One that has test cells, too."""

    def test_dataloader(self):
        return self._read("test", 2000, 2100)


def numbers(held, part):
    return held.fields["X"].toarray()[getattr(held.split, part), 0].astype(int) - 1


def test_few_cells_are_all_held_and_every_loader_is_read_once():
    module = Parts()
    held = Stream(module, EXPECTED).hold_cells(0)
    assert module.asked == ["train", "validation"]
    assert held.n_cells == {"train": N_TRAIN, "validation": N_VALIDATION}
    assert numbers(held, "train").tolist() == list(range(N_TRAIN))


def test_a_third_of_the_validation_cells_stops_and_the_others_are_judged():
    held = Stream(Parts(), EXPECTED).hold_cells(0)
    stopping, judged = set(numbers(held, "validation")), set(numbers(held, "test"))
    assert stopping.isdisjoint(judged)
    assert stopping | judged == set(range(N_TRAIN, N_TRAIN + N_VALIDATION))
    assert len(stopping) == N_VALIDATION // 3


def test_test_cells_of_the_module_are_those_that_are_judged():
    held = Stream(WithTest(), EXPECTED).hold_cells(0)
    assert numbers(held, "validation").tolist() == list(range(N_TRAIN, N_TRAIN + N_VALIDATION))
    assert numbers(held, "test").tolist() == list(range(2000, 2100))


def test_of_many_cells_a_share_of_each_part_is_held():
    held = Stream(Parts(), EXPECTED).hold_cells(0, max_cells=200)
    assert {name: len(part) for name, part in held.split.items()} == {"train": 140, "validation": 20, "test": 40}
    assert held.n_cells == {"train": N_TRAIN, "validation": N_VALIDATION}


def test_the_same_seed_holds_the_same_cells_and_another_one_others():
    found = [Stream(Parts(), EXPECTED).hold_cells(seed, max_cells=200) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(numbers(found[0], "train"), numbers(found[1], "train"))
    assert set(numbers(found[0], "train")) != set(numbers(found[2], "train"))


def test_every_cell_has_the_same_chance_whenever_it_comes():
    times = np.zeros(400)
    for seed in range(300):
        some = CellSampler(40, np.random.default_rng(seed))
        for first in range(0, 400, 50):
            some.add(cells(first, first + 50))
        found = some.all()["X"].toarray()[:, 0].astype(int) - 1
        assert len(found) == 40
        times[found] += 1
    # Each is held in 30 of 300 draws, give or take five times its standard deviation of 5.2.
    assert abs(times - 30).max() < 26
    np.testing.assert_allclose(times.reshape(4, 100).mean(1), 30, atol=2.5)


def test_large_minibatches_are_cut_and_a_left_over_cell_is_left_out():
    sizes = [len(batch["X"]) for batch in Stream(Parts(), EXPECTED).training(64)]
    assert max(sizes) <= 64
    assert sum(sizes) == N_TRAIN
    short = Stream(Parts(), EXPECTED)
    short.minibatches = lambda part: [cells(0, 6), cells(6, 8)]
    assert [len(batch["X"]) for batch in short.training(4)] == [3, 3]


def test_a_module_without_validation_cells_is_refused():
    class Training(Parts):
        def val_dataloader(self):
            return []

    class Inherited(LightningDataModule):
        train_dataloader = Parts.train_dataloader
        _read = Parts._read
        asked: list[str] = []

    for module in (Training(), Inherited()):
        with pytest.raises(ValueError, match=NO_VALIDATION[:40]):
            Stream(module, EXPECTED).hold_cells(0)


def test_what_the_module_converts_before_a_minibatch_is_used():
    class Tuples(Parts):
        def _read(self, name, first, last):
            return [tuple(batch.values()) for batch in super()._read(name, first, last)]

        def on_before_batch_transfer(self, batch, dataloader_idx):
            return dict(zip(("X", "batch"), batch, strict=True))

    assert Stream(Tuples(), EXPECTED).hold_cells(0).n_cells["train"] == N_TRAIN


def test_a_cell_of_the_nearest_population_of_the_batch_stands_in():
    rng = np.random.default_rng(0)
    kinds = np.tile([0, 1], 100)
    batch = np.repeat([0, 1], 100)
    counts = rng.poisson(np.where(kinds[:, None] == np.arange(20) // 10, 8, 1)).astype(np.float32)
    found = NearestPopulation(sparse.csr_matrix(counts), batch, kinds, np.arange(0, 200, 2) + np.tile([0, 1], 50))
    rows = found(torch.from_numpy(counts), torch.from_numpy(batch)[:, None]).numpy().ravel()
    np.testing.assert_array_equal(kinds[rows], kinds)
    np.testing.assert_array_equal(batch[rows], batch)
    unknown = found(torch.from_numpy(counts), torch.full((200, 1), 2)).numpy().ravel()
    np.testing.assert_array_equal(kinds[unknown], kinds)
    stream = Stream(Parts(), MinibatchFormat(n_genes=20, n_batches=2))
    stream.nearest_population = found
    stream.minibatches = lambda part: [{"X": torch.from_numpy(counts), "batch": torch.from_numpy(batch)[:, None]}]
    read = torch.cat([cut[CELL_INDEX] for cut in stream.training(64)]).numpy().ravel()
    np.testing.assert_array_equal(read, rows)
