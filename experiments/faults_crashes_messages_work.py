"""Try what a hostile or unlucky user does, kind by kind, and write which of it comes out right.

Each case runs in a process of its own, as some of them used to end it. ``--column before`` or ``after`` names the
column that is written; the other one is kept. The version before is that of commit f239e5f: put its ``src`` first in
``PYTHONPATH``.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import pandas as pd
from fault_cases import CASES, Case

OUTPUT = Path(__file__).parent / "results" / "faults_crashes_messages_work.csv"
KINDS = ("checkpoints", "crashes", "messages", "work")
_SECONDS = 240


def right(case: Case) -> str:
    """Return an empty text where a case comes out right, else what went wrong."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        signal.alarm(_SECONDS)
        told = ""
        try:
            with tempfile.TemporaryDirectory() as folder:
                case.run(Path(folder))
        except BaseException as error:  # noqa: BLE001 - a case may end in anything
            place = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
        os.write(writing, told.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told_by:
        told = told_by.read().decode(errors="replace")
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return " ".join(told.split())


def main() -> None:
    """Run the cases that are asked for and update the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--column", choices=["before", "after"], default="after")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--only", default="", help="part of the names of cases")
    parser.add_argument("--missing", action="store_true", help="only cases that the column does not have yet")
    arguments = parser.parse_args()
    for kind in (*KINDS, "further"):
        importlib.import_module(f"fault_cases.{kind}")
    import scpareto as sp

    sp.model.ParetoVI  # noqa: B018 - imported once here, not by every case
    chosen = [case for case in CASES if case.kind in arguments.kinds and arguments.only in case.name]
    table = pd.read_csv(OUTPUT, dtype=str, keep_default_na=False) if OUTPUT.exists() else pd.DataFrame()
    known = {(row["kind"], row["case"]): dict(row) for _, row in table.iterrows()}
    column, n_right = f"right_{arguments.column}", 0
    if arguments.missing:
        chosen = [case for case in chosen if not known.get((case.kind, case.name), {}).get(column)]
    for case in chosen:
        begun = time.monotonic()
        wrong = right(case)
        n_right += not wrong
        mark = "no " if wrong else "yes"
        print(f"{mark} {time.monotonic() - begun:5.1f} s  {case.kind}: {case.name}  {wrong[:600]}", flush=True)
        row = known.setdefault((case.kind, case.name), {"kind": case.kind, "case": case.name})
        row[column] = "no" if wrong else "yes"
        names = {(case.kind, case.name) for case in CASES}
        rows = [row for name, row in known.items() if name in names]
        written = pd.DataFrame(rows, columns=["kind", "case", "right_before", "right_after"]).fillna("")
        written.to_csv(OUTPUT, index=False)
    print(f"{n_right} of {len(chosen)} right")


if __name__ == "__main__":
    main()
