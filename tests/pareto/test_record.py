"""Fronts that are noted in annotated data, and read from there."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from scpareto.pareto import Front, front_from_record, front_record


@pytest.fixture
def front() -> Front:
    table = pd.DataFrame({"point": [0, 1, 2], "batch_left": [30.0, 8.0, 7.5], "structure_kept": [98.0, 97.0, 80.0]})
    table["alarm"], table["alarm_by"], table["seed"] = [0.0, 0.0, 1.0], [None, "", "genes"], [3, 4, None]
    names = ["point 0", "point 1", "point 2"]
    pairs = [(0, 1), (0, 2), (1, 2)]
    rows = [(names[i], names[j], table["batch_left"][i] - table["batch_left"][j]) for i, j in pairs]
    differences = pd.DataFrame(rows, columns=["first", "second", "difference"])
    differences["low"], differences["high"] = differences["difference"] - 1, differences["difference"] + 1
    lost = pd.DataFrame({"embedding": names, "genes": ["a", "b", None]})
    judged = {"column": "batch_left", "margin": 2.0, "n_cells": 400, "notes": ["one"], "composition": None}
    sweep = {"knob": "theta", "method": "harmony", "library": "", "failed": {"1/2": "diverged"}, "key": ""}
    made = Front(
        table,
        objectives=["generative_loss", "mine", "theta, squared"],
        method="harmony",
        metadata={"judged": judged, "sweep": sweep, "cell_names": ["x"]},
        tables={"differences": differences, "lost": lost, "runs": lost},
    )
    made.selected = 2
    return made


def test_a_front_is_the_same_after_it_was_noted_and_written(front, tmp_path):
    adata = anndata.AnnData(np.ones((3, 2), dtype=np.float32))
    adata.uns["scpareto"] = {"harmony": front_record(front, "harmony", 2)}
    adata.write_h5ad(tmp_path / "cells.h5ad")
    for held in (adata, anndata.read_h5ad(tmp_path / "cells.h5ad")):
        read = front_from_record(held.uns["scpareto"]["harmony"])
        assert (read.recommended, read.selected, read.objectives) == (front.recommended, 2, front.objectives)
        assert read.explain() == front.explain()
        assert read.numbers == front.numbers
        pd.testing.assert_frame_equal(read.tables["differences"], front.tables["differences"], check_dtype=False)
        assert set(read.tables) == {"differences"}
        assert read.table["seed"].tolist()[:2] == [3, 4]
        assert read.table["seed"].isna().tolist() == [False, False, True]
        columns = ["batch_left", "structure_kept", "alarm", "non_dominated"]
        pd.testing.assert_frame_equal(read.table[columns], front.table[columns], check_dtype=False)
        assert read.metadata["judged"] == {"column": "batch_left", "margin": 2.0, "n_cells": 400}
        assert read.metadata["sweep"]["knob"] == "theta"


def test_a_record_is_a_copy(front):
    record = front_record(front, "harmony", None)
    read = front_from_record(record)
    read.tables["differences"]["low"] = 0.0
    read.update(0, {"batch_left": 5.0})
    again = front_from_record(record)
    assert again.table["batch_left"][0] == 30.0
    assert again.tables["differences"]["low"].tolist() == front.tables["differences"]["low"].tolist()
    assert again.selected is None
