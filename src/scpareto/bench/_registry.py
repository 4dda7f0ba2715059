"""Integration methods by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd

from scpareto.bench._plugins import load_plugins
from scpareto.bench._reproducible import reproducible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells

Family = Literal["uncorrected", "linear", "neighbours", "generative", "penalty", "clustering", "front"]


@dataclass(frozen=True)
class Points:
    """Codes of several points of one method, all of the same cells.

    Parameters
    ----------
    codes
        Codes by the number of the point, each of shape ``(n_cells, n_latent)``.
    selected
        Number of the point that the method itself would take.
    strength
        Strength of correction of each point, by its number.

    Examples
    --------
    A method that returns several strengths of correction at once, with the one that it would take itself:

    >>> import scpareto as sp
    >>> from scpareto.bench import Points
    >>> @sp.bench.register_method("two_scales", family="front", library="mine", returns="front", reference="")
    ... def two_scales(cells):
    ...     x = cells.components[:, :2]
    ...     return Points({0: x, 1: 0.5 * x}, selected=1, strength={0: 0.0, 1: 0.5})
    >>> adata = sp.datasets.simulate_batches(n_cells=60, n_genes=20, seed=0)
    >>> sp.bench.integrate(adata, "two_scales", batch_key="batch")
    >>> adata.obsm["X_two_scales"].shape
    (60, 2)
    >>> del _METHODS["two_scales"]  # leave the register as it was
    """

    codes: Mapping[int, NDArray]
    selected: int
    strength: Mapping[int, float] = field(default_factory=dict)


Run = Callable[..., Any]
_T = TypeVar("_T", bound=Run)


@dataclass(frozen=True)
class Knob:
    """The option of a method that says how strongly it corrects.

    Parameters
    ----------
    option
        Name of the option.
    grid
        Values of a sweep, from weak to strong.
    least, most
        Values that make sense.
    whole
        Whether values are whole numbers.

    Examples
    --------
    >>> from scpareto.bench import get_method
    >>> knob = get_method("harmony").knob
    >>> knob.option, knob.grid, knob.checked([4, 0.5])
    ('theta', (0.0, 0.5, 1.0, 2.0, 4.0, 8.0), (0.5, 4.0))
    """

    option: str
    grid: tuple[float, ...]
    least: float = 0.0
    most: float = float("inf")
    whole: bool = False

    def checked(self, values: Iterable[Any]) -> tuple[float, ...]:
        """Return values from weak to strong, or refuse them.

        Raises
        ------
        ValueError
            If a value is no number, out of range or given twice.
        """
        found = []
        for value in values:
            is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_) and np.isfinite(float(value))
            if not is_number or not self.least <= float(value) <= self.most or (self.whole and value != int(value)):
                kind = "whole numbers" if self.whole else "numbers"
                upper = f"to {self.most:g}" if np.isfinite(self.most) else "upwards"
                raise ValueError(
                    f"values: {value!r} is no value of {self.option}, which takes {kind} from {self.least:g} {upper}."
                )
            found.append(int(value) if self.whole else float(value))
        if repeated := [value for value in found if found.count(value) > 1]:
            raise ValueError(f"values: {repeated[0]:g} is given {found.count(repeated[0])} times.")
        return tuple(sorted(found, reverse=self.grid[0] > self.grid[-1]))


@dataclass(frozen=True)
class Method:
    """A method and what is known about it.

    Parameters
    ----------
    name
        Name in calls and tables.
    run
        Takes :class:`Cells` and options and returns codes of shape ``(n_cells, n_latent)`` in the order of the cells,
        or :class:`Points`.
    family
        Kind of method.
    library
        Package that does the work.
    reference
        Paper.
    extra
        Extra of scpareto that installs the library; empty where it is always there.
    requires
        Module that must be importable.
    returns
        What the method corrects: an ``"embedding"``, or ``"expression"``, of which principal components are taken.
    inductive
        Whether it is fitted to the training cells only and maps the others; else it sees all cells.
    reads_batch, reads_labels
        Whether it is told batches and labels.
    knob
        Its strength of correction, if it has one.
    title
        Name in pictures, as its authors write it; ``name`` where it is empty.
    least_per_batch, least_cells, least_genes
        Smallest numbers of cells of a batch, of all cells and of genes that it can be given.

    Examples
    --------
    >>> from scpareto.bench import get_method
    >>> method = get_method("pca")
    >>> method.family, method.installed, method.reads_batch
    ('uncorrected', True, False)
    """

    name: str
    run: Run
    family: Family
    library: str
    reference: str
    extra: str = ""
    requires: str = ""
    returns: Literal["embedding", "expression", "front"] = "embedding"
    inductive: bool = False
    reads_batch: bool = True
    reads_labels: bool = False
    knob: Knob | None = None
    title: str = ""
    least_per_batch: int = 1
    least_cells: int = 3
    least_genes: int = 2

    def check_sizes(self, cells: Cells) -> None:
        """Raise ValueError, naming batch and sizes, where there are fewer cells or genes than the method can use."""
        told = f"method={self.name!r} needs"
        if len(cells) < self.least_cells:
            raise ValueError(f"{told} at least {self.least_cells} cells; there are {len(cells)} cells.")
        if len(cells.genes) < self.least_genes:
            raise ValueError(f"{told} at least {self.least_genes} genes; there are {len(cells.genes)} genes.")
        # Batches are ordered by their size.
        smallest = cells.batches[-1]
        if self.reads_batch and (size := len(cells.rows(smallest))) < self.least_per_batch:
            raise ValueError(
                f"{told} at least {self.least_per_batch} cells of every batch; batch {smallest!r} has {size} cells."
            )

    def check_installed(self) -> None:
        """Raise ImportError, naming the command that helps, where the library is missing."""
        if not self.requires:
            return
        try:
            # Scanorama seeds the global generators when it is imported.
            with reproducible(0):
                importlib.import_module(self.requires)
        except ImportError as error:
            what = f"'scpareto[{self.extra}]'" if self.extra else self.library
            raise ImportError(f"method={self.name!r} needs {self.library}: pip install {what}.") from error

    @property
    def installed(self) -> bool:
        """Whether its library can be imported."""
        try:
            self.check_installed()
        except ImportError:
            return False
        return True


_METHODS: dict[str, Method] = {}


def register_method(name: str, **facts: Any) -> Callable[[_T], _T]:
    """Make a function available to :func:`integrate` and :class:`Benchmark` under a name; used as a decorator.

    Parameters
    ----------
    name
        Name of the method. The same function may be registered again, as by a cell of a notebook that is run twice.
    **facts
        ``family``, ``library``, ``reference`` and the other facts of a :class:`Method`.

    Returns
    -------
    The decorator, which returns the function unchanged. The function takes a :class:`Cells` and options, and returns
    codes of shape ``(n_cells, n_latent)`` in the order of the cells.

    Raises
    ------
    ValueError
        If another function has the name.

    Notes
    -----
    A package offers methods by an entry point of the group ``scpareto.methods`` that names the module or the function.
    It is imported when methods are first looked up.

    Examples
    --------
    >>> import scpareto as sp
    >>> @sp.bench.register_method("first_genes", family="uncorrected", library="mine", reference="")
    ... def first_genes(cells, *, n=2):
    ...     return cells.log_normalised[:, :n].toarray()
    >>> adata = sp.datasets.simulate_batches(n_cells=60, n_genes=20, seed=0)
    >>> sp.bench.integrate(adata, "first_genes", batch_key="batch")
    >>> adata.obsm["X_first_genes"].shape
    (60, 2)
    """

    def note(run: _T) -> _T:
        if name in _METHODS and (taken := _home(_METHODS[name].run)) != _home(run):
            raise ValueError(f"method={name!r} is taken by {taken}: {_home(run)} needs another name.")
        _METHODS[name] = Method(name, run, **facts)
        return run

    return note


def _home(run: Run) -> str:
    """Where a function is written."""
    return f"{run.__module__}.{getattr(run, '__qualname__', type(run).__qualname__)}"


def _known() -> dict[str, Method]:
    """Return all methods, those of other packages included."""
    load_plugins(_METHODS)
    return _METHODS


def method_names() -> list[str]:
    """Names of all methods, in the order in which they were registered."""
    return list(_known())


def get_method(name: str) -> Method:
    """Look a method up.

    Raises
    ------
    ValueError
        If there is none; the message lists those that exist.

    Examples
    --------
    >>> from scpareto.bench import get_method
    >>> get_method("harmony").library
    'harmonypy'
    >>> get_method("harmoni")
    Traceback (most recent call last):
        ...
    ValueError: method='harmoni' is unknown. Choose one of ...
    """
    known = _known()
    if name not in known:
        raise ValueError(f"method={name!r} is unknown. Choose one of {', '.join(sorted(known))}.")
    return known[name]


def method_title(name: str) -> str:
    """Name of a method as its authors write it; of anything else, such as a front, its name."""
    return (_METHODS[name].title if name in _METHODS else "") or name


def methods() -> pd.DataFrame:
    """List the methods that :func:`integrate` and :class:`Benchmark` know.

    Returns
    -------
    One row per method: ``name``, ``family``, ``library``, ``extra`` (what to install, in the brackets of
    ``pip install 'scpareto[...]'``; empty where nothing is missing), ``installed``, ``returns`` (``embedding``;
    ``expression``, of which principal components are taken; or ``front``), ``fits`` (all cells, or training cells for
    methods that map the others), ``reads`` (what it is told beside the counts), ``knob`` (the option that sets the
    strength of correction) and ``reference``.

    Examples
    --------
    >>> import scpareto as sp
    >>> table = sp.bench.methods().set_index("name")
    >>> table.loc["harmony", ["library", "extra", "knob"]].tolist()
    ['harmonypy', 'harmony', 'theta']
    """
    rows = []
    for method in _known().values():
        told = [word for word, is_told in (("batch", method.reads_batch), ("labels", method.reads_labels)) if is_told]
        rows.append(
            {
                "name": method.name,
                "family": method.family,
                "library": method.library,
                "extra": method.extra,
                "installed": method.installed,
                "returns": method.returns,
                "fits": "training cells" if method.inductive else "all cells",
                "reads": ", ".join(told),
                "knob": "" if method.knob is None else method.knob.option,
                "reference": method.reference,
            }
        )
    return pd.DataFrame(rows)
