from __future__ import annotations

from dataclasses import replace

import numpy as np

from scpareto.audit import build_frame, judge_embeddings


def test_parts_of_cells_of_which_nothing_can_be_said_are_there_too():
    rng = np.random.default_rng(0)
    batch = np.repeat(["x", "y"], 60)
    expression = rng.standard_normal((120, 8))  # no counts, hence no programmes
    frame = build_frame(expression, batch, is_counts=False, genes=[f"g{i}" for i in range(8)], seed=0)
    frame = replace(frame, populations=())  # none is shared
    judged = judge_embeddings(frame, {"code": rng.standard_normal((120, 3))}, parts={"test": np.arange(0, 120, 3)})
    assert (frame.programmes, judged.left) == (None, None)
    assert set(judged.parts) == {"test"}
    assert judged.parts["test"].left is None
