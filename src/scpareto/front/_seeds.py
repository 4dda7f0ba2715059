"""Which part of a front draws from which seed: children of the front's seed, by number.

Points have their own numbers, from 0. All other parts come after any number of points.
"""

from __future__ import annotations

SHARED_START, CLUSTERS, CRITICS = 10_000, 10_001, 10_002
PATH, PIECES = 10_003, 10_004
"""The one training of all preferences, and its pieces, which are children of the second."""
ALONE = 10_010
"""The short training that a collapse is told by, of each objective after this number."""
SPLIT, FIRST_CRITIC, JUDGING = 20_000, 20_001, 20_002
REFINING, REFITTING = 30_000, 40_000
"""Refined points and refitted decoders, of each point after these numbers."""
