"""Whether the judge of embeddings is right, where the truth is known.

    python experiments/judge_calibration.py --setting small --parts a d e --jobs 2 --resume

Each part is a module of ``calibration``, which says what it claims. It has ``CASES``, ``judge(setting, case, seed)``
for the rows of one run, ``summarise(table)``, and its own number of seeds where ``--seeds`` does not say otherwise.
Writes results/judge_calibration_<part>.csv (rows by setting, case and seed).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from calibration import (
    families,
    null,
    odd,
    places,
    planted,
    probes,
    relatives,
    retrained,
    sensitivity,
    simulated,
    thorough,
)
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from types import ModuleType

KEYS = ("setting", "case", "seed")
SEEDS = 20
# One line per part.
PARTS: dict[str, ModuleType] = {
    "a": simulated,
    "b": null,
    "c": planted,
    "d": odd,
    "e": sensitivity,
    "f": families,
    "g": probes,
    "h": retrained,
    "i": relatives,
    "j": places,
    "thorough": thorough,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=("small", "full"), default="small")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, help="number of seeds")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    for name in arguments.parts:
        part = PARTS[name]
        first = arguments.first_seed
        n_seeds = arguments.seeds or getattr(part, "SEEDS", SEEDS)
        runs = [(arguments.setting, case, seed) for seed in range(first, first + n_seeds) for case in part.CASES]
        path = RESULTS / f"judge_calibration_{name}.csv"
        table = run_missing(part.judge, runs, KEYS, path, jobs=arguments.jobs, resume=arguments.resume)
        print(f"Part {name}: {part.__doc__.splitlines()[0]}")
        print(part.summarise(table).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
