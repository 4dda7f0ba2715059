"""Numbers of the child seeds of a front: one for each step.

Points use their own numbers, from 0. All other steps use numbers above those of any point.
"""

from __future__ import annotations

SHARED_START, CLUSTERS, CRITICS = 10_000, 10_001, 10_002
PATH, PIECES = 10_003, 10_004
"""The one training of all preferences; its pieces use children of the second seed."""
ALONE = 10_010
"""The short training that detects a collapse, for each objective after this number."""
SPLIT, FIRST_CRITIC, JUDGING = 20_000, 20_001, 20_002
REFINING, REFITTING = 30_000, 40_000
"""Refined points and refitted decoders, for each point after these numbers."""
