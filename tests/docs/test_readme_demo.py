"""What README says of `make demo`, on this machine and with one or two threads."""

from __future__ import annotations

import re
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from typer.testing import CliRunner

import scpareto as sp
from scpareto.cli import app

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_caption_of_the_demo_holds(tmp_path, n_threads):
    caption = re.search(r"\*`make demo`:.*?\*\n", README.read_text(), re.DOTALL)
    assert caption is not None
    words = " ".join(caption.group().split())
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        result = CliRunner().invoke(app, ["demo", "--output", str(tmp_path / "demo")])
    finally:
        torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    adata = ad.read_h5ad(tmp_path / "demo" / "adata.h5ad")
    model = sp.model.ParetoVI.load(tmp_path / "demo" / "model", adata)
    front = model.front
    table = front.table.set_index("point")

    first, last = map(float, re.search(r"falls from (\d+) % to (\d+) %", words).groups())
    assert table["batch_left"].iloc[0] == pytest.approx(first, abs=5)
    assert table["batch_left"].iloc[-1] == pytest.approx(last, abs=3)
    kept = float(re.search(r"structure kept stays at (\d+) %", words).group(1))
    np.testing.assert_allclose(table["structure_kept"], kept, atol=1.5)
    assert front.recommended == model.selected == int(re.search(r"point (\d+) is recommended", words).group(1))
    assert table.index[table["alarm"] == 1].tolist() == [int(re.search(r"at point (\d+) it is lost", words).group(1))]
    # The alarm is far from silent where it rings: a p-value near the level would be another one elsewhere.
    assert front.lost(7)["p_adjusted"].min() < 0.01
    assert front.lost(6, all_contrasts=True)["p_adjusted"].min() > 0.1

    alone = (adata.obs["cell_type"] == "type_5").to_numpy()
    for share, point in re.findall(r"(\d+) % (?:are of their kind )?at point (\d)", words.split("Among")[1]):
        with model.at(int(point)):
            codes = model.get_latent_representation()
        near = NearestNeighbors(n_neighbors=16).fit(codes).kneighbors(codes[alone], return_distance=False)[:, 1:]
        assert 100 * alone[near].mean() == pytest.approx(float(share), abs=5)
