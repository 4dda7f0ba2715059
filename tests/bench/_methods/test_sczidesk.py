"""The two losses of scziDesk by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.bench._methods._sczidesk import compute_similarity_divergence, compute_soft_kmeans


def test_soft_kmeans_by_hand():
    codes, centres = torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [3.0]])
    value = 0.0
    for d in ([1.0, 9.0], [4.0, 0.0]):
        a = np.exp(-np.array(d))
        a = (a / a.sum()) ** 2
        value += (a / a.sum() * d).sum() / 2
    assert float(compute_soft_kmeans(codes, centres)) == pytest.approx(value, rel=1e-5)


def test_similarity_divergence_by_hand_and_its_minimum():
    codes = torch.tensor([[0.0], [1.0], [3.0]])
    kernel = np.array([[0, 1 / 2, 1 / 10], [1 / 2, 0, 1 / 5], [1 / 10, 1 / 5, 0]])
    p = kernel / kernel.sum(1, keepdims=True)
    q = p**2 / (p**2).sum(1, keepdims=True)
    value = sum(q[i, j] * np.log(q[i, j] / p[i, j]) for i in range(3) for j in range(3) if i != j)
    assert float(compute_similarity_divergence(codes)) == pytest.approx(value, rel=1e-5)
    # Cells that are all equally similar are their own sharpened copy.
    assert float(compute_similarity_divergence(torch.eye(4))) == pytest.approx(0, abs=1e-6)
