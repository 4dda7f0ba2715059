from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scpareto._constants import ALARM_FROM
from scpareto._runtime import check_folder, write_atomically
from scpareto.pareto import Front
from scpareto.pl._explorer._cells import (
    StoredCodes,
    checked_coordinates,
    codes_along_front,
    coordinates,
    front_of,
    stratified,
)
from scpareto.pl._explorer._colorings import check_names, of_column, of_genes
from scpareto.pl._explorer._findings import KEY, findings_along
from scpareto.pl._explorer._pack import pack
from scpareto.pl._explorer._page import write_page
from scpareto.pl._explorer._panels import static_pictures
from scpareto.pl._explorer._places import left_along, places_of, with_places
from scpareto.pl._explorer._points import describe_front
from scpareto.pl._explorer._widget import make_widget, require_anywidget

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import ArrayLike

    from scpareto.pl._explorer._cells import ModelWithFront

_METHODS = {"umap": "UMAP", "tsne": "t-SNE"}
_LONGEST = 255
"""Bytes of the name of a file."""


def explorer(
    adata: AnnData,
    model: ModelWithFront | Front,
    path: str | os.PathLike[str] | None = "front.html",
    *,
    color: Sequence[str] | None = None,
    genes: Sequence[str] = (),
    points: Sequence[int] | None = None,
    preferences: ArrayLike | None = None,
    batch_key: str | None = None,
    layer: str | None = None,
    embeddings: Mapping[int, ArrayLike] | None = None,
    basis: Literal["umap", "tsne"] = "umap",
    n_epochs: int = 200,
    max_cells: int = 50_000,
    seed: int = 0,
    title: str = "Along the Pareto front",
) -> Path | Any:
    """Write a page, or make a widget, in which a slider moves the cells along the front.

    The page is one file that needs no network. It shows the embedding, which morphs from point to point; the front in
    the plane of :func:`front`, with the present, the recommended and the selected point, and those whose
    over-correction alarm rings crossed out; the measures of the point; and the line of Python that selects it. Where
    the front was judged the slider says what is left of the batch, between the points by the judged curve. After
    :func:`scpareto.tl.survives` it lists the findings, and which of them are called at the point. Without WebGL,
    without scripts and in print, it shows static panels and a table instead.

    Parameters
    ----------
    adata
        Cells of the model, known by their names, in any order, with raw counts.
    model
        A model with a front, such as :class:`~scpareto.model.ParetoVI`; it stays where it is. Or a front that keeps
        the codes of its points, as :func:`scpareto.tl.sweep` returns.
    path
        Where to write the page. None returns a widget for notebooks instead (extra `explorer`).
    color
        Columns of `adata.obs` to colour by; by default the batches and labels that the model was set up with, and the
        clusters of :func:`scpareto.tl.survives`. Numbers are shown between their 1st and 99th percentile.
    genes
        Genes to colour by, as log(1 + counts per 10,000).
    points
        Numbers of the points that the slider passes, for example `model.front.steps()`, along which stronger always
        means less leaked; by default all.
    preferences
        Places between the points that the slider passes as well, for example `np.linspace(0, 1, 41)`: importances of
        the nuisance in a front whose preferences were all trained at once (`method="conditional"`). Cells are encoded
        there; what such a place costs was not measured, and the page says so.
    batch_key
        Column of `adata.obs` of which each value keeps its share of the cells when there are more than `max_cells`; by
        default the batches that the model was set up with.
    layer
        Layer with the raw counts; `X` unless given.
    embeddings
        Aligned coordinates of all cells by point number (and preference), each of shape `(n_obs, 2)`, instead of those
        of :func:`embed`. The model then encodes nothing.
    basis
        `"umap"` or `"tsne"`, as for :func:`embed`.
    n_epochs
        Optimisation steps for each point, as for :func:`embed`.
    max_cells
        Number of cells shown at most. The others are left out before the embedding is computed.
    seed
        Of the choice of cells and of the embedding.
    title
        Heading of the page.

    Returns
    -------
    Path of the page; or, if `path` is None, an `anywidget.AnyWidget` whose `point` is the number of the point that is
    shown, or the preference between points, in both directions.

    Raises
    ------
    TypeError
        If `model` cannot have a front, or `color` or `genes` is a single string.
    ValueError
        If the model has no front yet or encodes other cells; a column, gene, layer or `basis` is unknown; a column has
        more than 254 categories; `embeddings` or `preferences` do not fit; `max_cells` is out of range; or `path` lies
        in no folder.
    ImportError
        If a widget is asked for and anywidget is not installed.

    Notes
    -----
    Coordinates are rounded to 65,536 steps along each axis and colours to 255 steps. 50,000 cells at 12 points with 30
    genes take less than 15 MB. The embedding takes most of the time, minutes for many cells;
    `max_cells` shortens it.

    Examples
    --------
    Codes of two dimensions need no embedding:

    >>> from tempfile import TemporaryDirectory
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=100, n_genes=20, seed=0)
    >>> sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    >>> model = sp.model.ParetoVI(adata, n_latent=2, seed=0)
    >>> model.train(2, max_epochs_pretrain=1, n_points=4, objective="mmd", progress=False)
    >>> codes = {}
    >>> for number in model.front.numbers:
    ...     with model.at(number):
    ...         codes[number] = model.get_latent_representation()
    >>> with TemporaryDirectory() as folder:
    ...     page = sp.pl.explorer(adata, model, f"{folder}/front.html", color=["batch", "cell_type"], embeddings=codes)
    ...     page.name, page.stat().st_size > 10_000
    ('front.html', True)
    """
    if isinstance(model, Front):
        model = StoredCodes(model, model.recommended if len(model) else None)
    whole = front_of(model)
    front = whole if points is None else whole.only(points)
    places = places_of(front, preferences)
    if basis not in _METHODS:
        raise ValueError(f"basis={basis!r} is unknown; valid: {', '.join(map(repr, _METHODS))}.")
    if path is None:
        require_anywidget()
    else:
        _check_path(Path(path))
    if max_cells < 3:
        raise ValueError(f"max_cells={max_cells} must be at least 3.")
    setup = _setup_of(model)
    registered = [setup[key] for key in ("batch_key", "labels_key") if setup.get(key) in adata.obs.columns]
    registered += [name for name in (f"{KEY}_cluster", f"{KEY}_stability") if name in adata.obs.columns]
    color = list(dict.fromkeys(registered if color is None else color)) if not isinstance(color, str) else color
    check_names(adata, color, genes)
    batch_key = setup.get("batch_key") if batch_key is None else batch_key
    if batch_key is not None and batch_key not in adata.obs.columns:
        columns = ", ".join(map(repr, adata.obs.columns))
        raise ValueError(f"batch_key={batch_key!r} is not in adata.obs. Available: {columns or 'none'}.")
    strata = None if batch_key is None else adata.obs[batch_key].astype(str).to_numpy()
    cells = stratified(strata, adata.n_obs, max_cells, seed)
    colorings = [of_column(name, adata, cells) for name in color]
    colorings += of_genes(adata, list(dict.fromkeys(genes)), layer, cells)

    if embeddings is None:
        codes = codes_along_front(model, places, adata, cells)
        placed = coordinates(codes, basis=basis, n_epochs=n_epochs, seed=seed)
    else:
        placed = checked_coordinates(embeddings, places, adata.n_obs, cells)
    method = _METHODS[basis] if embeddings is None else "embedding"
    count = f"{adata.n_obs:,} cells" if len(cells) == adata.n_obs else f"{len(cells):,} of {adata.n_obs:,} cells"
    n_between = len(places) - len(front)
    between = f" and {n_between} place{'s' * (n_between > 1)} between" if n_between else ""
    note = f"{count}, {len(front)} points{between}, aligned {method}"
    facts = with_places(describe_front(front, model.selected, whole.recommended), places)
    for place, left in zip(facts["points"], left_along(front, places), strict=True):
        place["left"] = left
    facts |= {"title": title, "note": note, "alarm_from": ALARM_FROM}
    if (findings := findings_along(adata, whole.numbers)) is not None:
        # One value for each place of the slider; between points, and at points left out, nobody has looked.
        at = {number: i for i, number in enumerate(whole.numbers)}
        for row in findings["rows"]:
            row["at"] = [row["at"][at[p["number"]]] if p["judged"] else None for p in facts["points"]]
        facts["findings"] = findings
    header, data = pack(placed, colorings, facts)
    at_points = {number: placed[number] for number in front.numbers}
    pictures = static_pictures(whole, model.selected, at_points, colorings)
    if path is None:
        return make_widget(header, data, pictures)
    path = Path(path)
    with write_atomically(path) as file:
        file.write_text(write_page(header, data, pictures), encoding="utf-8")
    return path


def _check_path(path: Path) -> None:
    """Refuse a path that no page can be written to, before cells are embedded."""
    try:
        there = path.absolute().parent.is_dir()
        too_long = len(path.name.encode()) > _LONGEST
    except OSError:
        there = False
        too_long = False
    if not there:
        raise ValueError(f"path={str(path)[:200]!r}: there is no folder {str(path.parent)[:200]!r}.")
    if too_long or path.is_dir():
        raise ValueError(f"path={str(path)[:200]!r} is a folder, or too long a name.")
    check_folder("path", path.absolute().parent)


def _setup_of(model: ModelWithFront) -> dict[str, Any]:
    """Arguments with which an scvi-tools model registered its data; empty for other models."""
    registry = getattr(model, "registry", None)
    return dict(registry.get("setup_args", {})) if isinstance(registry, dict) else {}
