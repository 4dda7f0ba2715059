from __future__ import annotations

import pandas as pd
import pytest

from scpareto import pl


def x_label(column):
    return pl.front(
        pd.DataFrame({"point": [0, 1], column: [0.5, 0.4], "other": [0.5, 0.6]}), x=column, y="other"
    ).get_xlabel()


@pytest.mark.parametrize(
    ("column", "title", "higher"),
    [
        ("structure_kept", "structure kept (%)", True),
        ("structure_kept_in_sample", "structure kept, all cells (%)", True),
        ("batch_left", "batch left (%)", False),
        ("cell_line_left", "cell line left (%)", False),
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
    ],
)
def test_titles_and_directions(column, title, higher):
    label = x_label(column)
    assert " ".join(label.split()) == f"{title} better {'→' if higher else '←'}"
    assert max(map(len, label.split("\n"))) <= 44


def test_preferences_are_an_axis_to_draw_along():
    name = "preference_total_correlation"
    table = pd.DataFrame({"point": [0, 1], name: [0.0, 1.0], "other": [0.5, 0.6]})
    (ax,) = pl.metrics_along_front(table, ["other"], x=name)
    assert " ".join(ax.get_xlabel().split()) == "preference for total correlation"


def test_long_titles_break_after_a_comma():
    assert x_label("nn_mean").split("\n")[:2] == ["nearest-neighbour information,", "posterior mean (nats)"]
    assert max(map(len, x_label("a_rather_long_name_of_a_column_with_many_words_in_it").split("\n"))) <= 44
