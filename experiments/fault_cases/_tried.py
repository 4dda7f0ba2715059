"""How a case is tried: in a process of its own, so that a crash is one line of the table and not the end of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

LIMIT = 180
"""Seconds that a case may take."""
REFUSALS = (ValueError, TypeError, KeyError)


@dataclass(frozen=True)
class Case:
    """What is tried, and the function that says whether it went right."""

    kind: str
    name: str
    go: Callable[[], bool]


CASES: list[Case] = []


def case(kind: str, name: str) -> Callable[[Callable[[], bool]], Callable[[], bool]]:
    """Add a case."""

    def add(go: Callable[[], bool]) -> Callable[[], bool]:
        CASES.append(Case(kind, name, go))
        return go

    return add


def refused(call: Callable[[], Any], *words: str) -> bool:
    """Whether a call is refused by a sentence with all of these words."""
    try:
        call()
    except REFUSALS as error:
        told = str(error.args[0]) if error.args else ""
        missing = [word for word in words if word not in told]
        if missing or len(told) < 25:
            print(f"refused without {missing}: {type(error).__name__}: {told[:300]}")
            return False
        return True
    print("not refused")
    return False


def same(found: Any, wanted: Any) -> bool:
    """Whether numbers are equal up to rounding; what differs is printed."""
    if sparse.issparse(found):
        found = found.toarray()
    if sparse.issparse(wanted):
        wanted = wanted.toarray()
    one, other = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    if one.shape != other.shape or not np.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True):
        print(f"differs: {one.ravel()[:4]} for {other.ravel()[:4]}")
        return False
    return True


def untouched(adata: AnnData, call: Callable[[], Any]) -> bool:
    """Whether a call leaves the stored matrices bit by bit."""
    names = [name for name in adata.layers if name is not None]
    before = _bytes(adata, names)
    call()
    return before == _bytes(adata, names)


def _bytes(adata: AnnData, names: list[str]) -> list[bytes]:
    matrices, found = [adata.X, *(adata.layers[name] for name in names)], []
    for values in matrices:
        parts = (values.data, values.indices, values.indptr) if sparse.issparse(values) else (values,)
        found += [np.asarray(part).tobytes() for part in parts]
    return found


def tried(one: Case) -> bool:
    """Try a case in a process of its own; a crash, an error and a case without end are wrong."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        right = False
        signal.alarm(LIMIT)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stderr(open(os.devnull, "w")):
                warnings.simplefilter("ignore")
                right = bool(one.go())
        except BaseException as error:  # noqa: BLE001 (the table says that it went wrong)
            print("".join(traceback.format_exception_only(error)).strip()[:300])
        sys.stdout.flush()
        os._exit(0 if right else 1)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        print(f"ended by {signal.Signals(os.WTERMSIG(status)).name}")
    return status == 0
