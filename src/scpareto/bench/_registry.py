"""Register integration methods and look them up by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd

from scpareto.bench._plugins import load_plugins
from scpareto.bench._seeding import seed_generators

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
        Number of the point that the method recommends.
    strength
        Strength of correction of each point, by its number.

    Examples
    --------
    A method that returns several strengths of correction at once, and recommends one of them:

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
    """The option of a method that sets its strength of correction.

    Parameters
    ----------
    option
        Name of the option.
    grid
        Values of a sweep, from weak to strong.
    least, most
        Smallest and largest valid value.
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
        """Sort values from weak to strong; raise an error if one is not valid.

        Raises
        ------
        ValueError
            If a value is not a number, out of range or given twice.
        """
        checked_values = []
        for value in values:
            is_number = isinstance(value, Real) and not isinstance(value, bool | np.bool_) and np.isfinite(float(value))
            if not is_number or not self.least <= float(value) <= self.most or (self.whole and value != int(value)):
                kind = "whole numbers" if self.whole else "numbers"
                upper = f"to {self.most:g}" if np.isfinite(self.most) else "upwards"
                raise ValueError(
                    f"values: {value!r} is no value of {self.option}, which takes {kind} from {self.least:g} {upper}."
                )
            checked_values.append(int(value) if self.whole else float(value))
        if repeated := [value for value in checked_values if checked_values.count(value) > 1]:
            raise ValueError(f"values: {repeated[0]:g} is given {checked_values.count(repeated[0])} times.")
        return tuple(sorted(checked_values, reverse=self.grid[0] > self.grid[-1]))


@dataclass(frozen=True)
class Method:
    """A method and its properties.

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
        Package that implements it.
    reference
        Paper.
    extra
        Extra of scpareto that installs the library; empty if the library is always installed.
    requires
        Module that must be importable.
    returns
        Corrected output: an ``"embedding"``; ``"expression"``, whose principal components are the codes; or a
        ``"front"`` of several points.
    inductive
        Whether it is fitted to the training cells only and maps the others; otherwise it is fitted to all cells.
    reads_batch, reads_labels
        Whether it reads batches and labels.
    knob
        Its strength of correction, if it has one.
    title
        Name in plots, as its authors write it; ``name`` if it is empty.
    least_per_batch, least_cells, least_genes
        Smallest numbers of cells in a batch, of all cells and of genes that it needs.

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
        """Raise a ValueError that names batch and sizes if there are too few cells or genes."""
        prefix = f"method={self.name!r} needs"
        if len(cells) < self.least_cells:
            raise ValueError(f"{prefix} at least {self.least_cells} cells; there are {len(cells)} cells.")
        if len(cells.genes) < self.least_genes:
            raise ValueError(f"{prefix} at least {self.least_genes} genes; there are {len(cells.genes)} genes.")
        # Batches are ordered by their size.
        smallest = cells.batches[-1]
        if self.reads_batch and (size := len(cells.rows(smallest))) < self.least_per_batch:
            raise ValueError(
                f"{prefix} at least {self.least_per_batch} cells of every batch; batch {smallest!r} has {size} cells."
            )

    def check_installed(self) -> None:
        """Raise an ImportError that names the command for installation if the library is missing."""
        if not self.requires:
            return
        try:
            # Scanorama seeds the global generators when it is imported.
            with seed_generators(0):
                importlib.import_module(self.requires)
        except ImportError as error:
            package = f"'scpareto[{self.extra}]'" if self.extra else self.library
            raise ImportError(f"method={self.name!r} needs {self.library}: pip install {package}.") from error

    @property
    def installed(self) -> bool:
        """Whether its library can be imported."""
        try:
            self.check_installed()
        except ImportError:
            return False
        return True


_METHODS: dict[str, Method] = {}


def register_method(name: str, **properties: Any) -> Callable[[_T], _T]:
    """Make a function available to :func:`integrate` and :class:`Benchmark` under a name; used as a decorator.

    Parameters
    ----------
    name
        Name of the method. The same function can be registered again, for example when a notebook cell is run twice.
    **properties
        ``family``, ``library``, ``reference`` and the other properties of a :class:`Method`.

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

    def register(run: _T) -> _T:
        if name in _METHODS and (owner := _get_qualified_name(_METHODS[name].run)) != _get_qualified_name(run):
            raise ValueError(f"method={name!r} is taken by {owner}: {_get_qualified_name(run)} needs another name.")
        _METHODS[name] = Method(name, run, **properties)
        return run

    return register


def _get_qualified_name(run: Run) -> str:
    """Return the module and qualified name of a function."""
    return f"{run.__module__}.{getattr(run, '__qualname__', type(run).__qualname__)}"


def _load_all_methods() -> dict[str, Method]:
    """Return all methods, including those of other packages."""
    load_plugins(_METHODS)
    return _METHODS


def method_names() -> list[str]:
    """Names of all methods, in the order in which they were registered."""
    return list(_load_all_methods())


def get_method(name: str) -> Method:
    """Look up a method by its name.

    Raises
    ------
    ValueError
        If it does not exist; the message lists all methods.

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
    registered = _load_all_methods()
    if name not in registered:
        raise ValueError(f"method={name!r} is unknown. Choose one of {', '.join(sorted(registered))}.")
    return registered[name]


def method_title(name: str) -> str:
    """Return the name of a method as its authors write it; any other name, such as that of a front, as it is."""
    return (_METHODS[name].title if name in _METHODS else "") or name


def methods() -> pd.DataFrame:
    """List the methods of :func:`integrate` and :class:`Benchmark`.

    Returns
    -------
    One row per method: ``name``, ``family``, ``library``, ``extra`` (the extra that installs the library, for
    ``pip install 'scpareto[...]'``; empty if none is needed), ``installed``, ``returns`` (``embedding``;
    ``expression``, whose principal components are the codes; or ``front``), ``fits`` (all cells, or training cells for
    methods that map the others), ``reads`` (inputs besides the counts), ``knob`` (the option that sets the strength of
    correction) and ``reference``.

    Examples
    --------
    >>> import scpareto as sp
    >>> table = sp.bench.methods().set_index("name")
    >>> table.loc["harmony", ["library", "extra", "knob"]].tolist()
    ['harmonypy', 'harmony', 'theta']
    """
    rows = []
    for method in _load_all_methods().values():
        inputs = [word for word, is_read in (("batch", method.reads_batch), ("labels", method.reads_labels)) if is_read]
        rows.append(
            {
                "name": method.name,
                "family": method.family,
                "library": method.library,
                "extra": method.extra,
                "installed": method.installed,
                "returns": method.returns,
                "fits": "training cells" if method.inductive else "all cells",
                "reads": ", ".join(inputs),
                "knob": "" if method.knob is None else method.knob.option,
                "reference": method.reference,
            }
        )
    return pd.DataFrame(rows)
