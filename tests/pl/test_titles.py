from __future__ import annotations

import pandas as pd
import pytest

from scpareto.pl._table import is_higher_better
from scpareto.pl._titles import get_title, make_axis_label, wrap_title


@pytest.mark.parametrize(
    ("column", "title", "higher"),
    [
        ("alarm", "over-correction alarm", False),
        ("retention", "neighbourhood retention", True),
        ("structure_kept", "structure kept (%)", True),
        ("structure_kept_in_sample", "structure kept, all cells (%)", True),
        ("batch_left", "batch left (%)", False),
        ("cell_line_left", "cell line left (%)", False),
        ("information", "information within populations (nats)", False),
        ("graph_mixing", "mixing of the neighbour graph (%)", True),
        ("scib_bio", "scIB bio conservation", True),
        ("scib_batch", "scIB batch correction", True),
        ("scib_total", "scIB total score", True),
        ("scib_ilisi_knn", "scIB iLISI", True),
        ("scib_kbet_per_label", "scIB kBET", True),
        ("scib_nmi_ari_cluster_labels_kmeans_nmi", "scIB K-means NMI", True),
        ("scib_own_score", "scIB own score", True),
        ("leakage_mean", "leakage, posterior mean (nats)", False),
        ("leakage_sample", "leakage, samples (nats)", False),
        ("leakage_donor_mean", "leakage of donor, posterior mean (nats)", False),
        ("leakage_mean_cell_cycle", "leakage of cell cycle, posterior mean (nats)", False),
        ("nn_mean", "nearest-neighbour information, posterior mean (nats)", False),
        ("nn_sample", "nearest-neighbour information, samples (nats)", False),
        ("generative_loss_test", "generative loss, test cells (nats per cell)", False),
        ("mine_validation", "MINE, validation cells (nats)", False),
        ("mmd_test", "MMD, test cells", False),
        ("preference_total_correlation", "preference for total correlation", False),
    ],
)
def test_titles_and_directions(column, title, higher):
    assert get_title(column) == title
    assert is_higher_better(pd.DataFrame({"point": [0], column: [0.5]}), column) is higher


def test_long_titles_break_after_a_comma():
    assert wrap_title("nn_mean", 44) == "nearest-neighbour information,\nposterior mean (nats)"
    assert wrap_title("generative_loss_test", 44) == get_title("generative_loss_test")
    assert max(map(len, wrap_title("a_rather_long_name_of_a_column", 12).split("\n"))) <= 12


def test_the_better_direction_stands_on_the_axis():
    assert make_axis_label("batch_left", higher=False, max_characters=44) == "batch left (%)   better ←"
    assert make_axis_label("structure_kept", higher=True, max_characters=44) == "structure kept (%)   better →"
    words = make_axis_label("generative_loss_test", higher=False, max_characters=44).split("\n")
    assert words == ["generative loss, test cells (nats per cell)", "better ←"]
