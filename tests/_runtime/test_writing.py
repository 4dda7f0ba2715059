"""Files are written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import io

from scpareto._runtime import (
    check_folder,
    replace_contents,
    write_atomically,
    write_folder_atomically,
    write_hdf5_atomically,
)
from scpareto.datasets import simulate_batches


def tree(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("no")])
def test_what_was_there_stays_where_writing_fails(tmp_path, error):
    (tmp_path / "table.csv").write_text("before")
    with pytest.raises(type(error)), write_atomically(tmp_path / "table.csv") as file:  # noqa: PT012
        file.write_text("half")
        raise error
    with pytest.raises(type(error)), write_folder_atomically(tmp_path) as folder:  # noqa: PT012
        (folder / "table.csv").write_text("half")
        raise error
    with pytest.raises(type(error)), write_folder_atomically(tmp_path / "new") as folder:
        raise error
    assert tree(tmp_path) == {"table.csv": "before"}
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_whole_files_take_the_place(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    (tmp_path / "model" / "model.pt").write_text("before")
    with write_folder_atomically(tmp_path / "model") as folder:
        (folder / "model.pt").write_text("after")
    with write_atomically(tmp_path / "table.csv") as file:
        file.write_text("after")
    assert tree(tmp_path) == {"model/notes.txt": "mine", "model/model.pt": "after", "table.csv": "after"}


def test_a_failure_names_the_file_in_one_line(tmp_path):
    with (
        pytest.raises(OSError, match=r"table.csv could not be written \(one\)"),
        write_atomically(tmp_path / "table.csv"),
    ):
        raise RuntimeError("one\ntwo")


def test_folders_that_cannot_be_written_to_are_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "new" / ("x" * 300)):
        with pytest.raises(ValueError, match="^output='.* is no folder that can be written to"):
            check_folder("output", folder)
    assert tree(tmp_path) == {"file": "mine"}
    assert not (tmp_path / "new").exists()
    assert check_folder("output", tmp_path / "a" / "b").is_dir()
    assert not any((tmp_path / "a" / "b").iterdir())


FULL = """
import resource, sys, anndata, numpy as np
from anndata import io
from scpareto._runtime import write_hdf5_atomically
cells = anndata.AnnData(np.ones((60, 40), dtype="f4"), uns={str(i): np.zeros(300) for i in range(60)})
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with write_hdf5_atomically(sys.argv[1]) as file:
        io.write_elem(file, "/", cells)
except OSError as error:
    print(error.strerror)
"""


def test_hdf5_says_one_sentence_where_a_disk_is_full(tmp_path):
    """HDF5 by itself prints a traceback for each open object, or ends the process."""
    pytest.importorskip("resource")
    path = tmp_path / "cells.h5ad"
    path.write_text("before")
    for limit in (0, 5_000, 60_000):
        run = subprocess.run(
            [sys.executable, "-c", FULL, str(path), str(limit)], capture_output=True, text=True, check=True
        )
        assert run.stderr == ""
        assert run.stdout.splitlines() == [f"{path} could not be written (File too large); what was there before stays"]
        assert {file.name for file in tmp_path.iterdir()} == {"cells.h5ad"}
        assert path.read_text() == "before"


def test_hdf5_that_is_written_whole_is_what_anndata_writes(tmp_path):
    cells = simulate_batches(50, 20, seed=0)
    cells.raw = cells
    cells.layers["dense"] = cells.X.toarray()
    with write_hdf5_atomically(tmp_path / "ours.h5ad") as file:
        io.write_elem(file, "/", cells)
    cells.write_h5ad(tmp_path / "theirs.h5ad")
    ours, theirs = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    pd.testing.assert_frame_equal(ours.var, theirs.var)
    assert (ours.X != theirs.X).nnz == (ours.raw.X != theirs.raw.X).nnz == 0
    np.testing.assert_array_equal(ours.layers["dense"], theirs.layers["dense"])
    assert ours.uns["simulation"].keys() == theirs.uns["simulation"].keys()


def test_a_finished_folder_takes_the_place_of_what_lies_beside_it(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old.pt").write_text("before")
    (tmp_path / "old.csv").write_text("before")
    (tmp_path / "unfinished" / "model").mkdir(parents=True)
    (tmp_path / "unfinished" / "model" / "new.pt").write_text("after")
    replace_contents(tmp_path / "unfinished")
    assert tree(tmp_path) == {"model/new.pt": "after"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_nothing_is_lost_where_a_finished_folder_cannot_be_moved(tmp_path, monkeypatch):
    replace, moved = os.replace, []

    def stop(source, target):
        moved.append(target)
        if len(moved) == 4:
            raise OSError(5, "Input/output error")
        replace(source, target)

    for folder, text in ((tmp_path, "before"), (tmp_path / "unfinished", "after")):
        folder.mkdir(exist_ok=True)
        for name in ("a", "b", "c"):
            (folder / name).write_text(f"{text} {name}")
    everything = sorted(tree(tmp_path).values())
    monkeypatch.setattr("os.replace", stop)
    with pytest.raises(OSError, match="could not be written"):
        replace_contents(tmp_path / "unfinished")
    assert sorted(tree(tmp_path).values()) == everything
