"""Write the interactive explorer of a front."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scpareto._constants import ALARM_FROM
from scpareto._runtime import check_folder, write_atomically
from scpareto.pareto import Front
from scpareto.pl._explorer._cells import (
    StoredCodes,
    check_coordinates,
    embed_codes,
    encode_along_front,
    get_front,
    sample_stratified,
)
from scpareto.pl._explorer._colorings import check_names, color_by_column, color_by_genes
from scpareto.pl._explorer._findings import KEY, collect_findings
from scpareto.pl._explorer._pack import pack
from scpareto.pl._explorer._page import write_page
from scpareto.pl._explorer._panels import static_pictures
from scpareto.pl._explorer._places import describe_batch_left, make_places, spread_over_places
from scpareto.pl._explorer._points import describe_front
from scpareto.pl._explorer._widget import make_widget, require_anywidget

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from numpy.typing import ArrayLike

    from scpareto.pl._explorer._cells import ModelWithFront

_METHODS = {"umap": "UMAP", "tsne": "t-SNE"}
_MAX_NAME_BYTES = 255
"""Largest number of bytes in a file name."""


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

    The page is one file that needs no network. It shows the embedding, which changes smoothly from point to point; the
    front in the plane of :func:`front`, with the current, recommended and selected point, and crosses over points whose
    over-correction alarm rings; the measures of the current point; and the line of Python that selects it. If the front
    was judged, the slider shows the batch left, between points by the judged curve. After :func:`scpareto.tl.survives`
    the page lists the findings, and which of them are called at the current point. Without WebGL or scripts, and in
    print, it shows static panels and a table instead.

    Parameters
    ----------
    adata
        Cells of the model in any order, matched by their names, with raw counts.
    model
        A model with a front, such as :class:`~scpareto.model.ParetoVI`; its selected point does not change. Or a front
        that stores the codes of its points, as :func:`scpareto.tl.sweep` returns.
    path
        File to write the page to. None returns a widget for notebooks instead (extra `explorer`).
    color
        Columns of `adata.obs` to colour by; by default the batches and labels that the model was set up with, and the
        clusters of :func:`scpareto.tl.survives`. Numbers are shown between their 1st and 99th percentile.
    genes
        Genes to colour by, as log(1 + counts per 10,000).
    points
        Numbers of the points on the slider, for example `model.front.steps()`, along which a stronger correction always
        means less leakage; by default all.
    preferences
        Further places of the slider between the points, for example `np.linspace(0, 1, 41)`: importances of the
        nuisance in a front that was trained for all preferences at once (`method="conditional"`). Cells are encoded
        there, but not judged, and the page says so.
    batch_key
        Column of `adata.obs` whose groups keep their share of the cells if there are more than `max_cells`; by default
        the batches that the model was set up with.
    layer
        Layer with the raw counts; `X` unless given.
    embeddings
        Aligned coordinates of all cells by point number (and preference), each of shape `(n_obs, 2)`, instead of those
        of :func:`embed`. The model then encodes no cells.
    basis
        `"umap"` or `"tsne"`, as for :func:`embed`.
    n_epochs
        Optimisation steps for each point, as for :func:`embed`.
    max_cells
        Largest number of cells. The others are left out before the embedding is computed.
    seed
        Seed of the sample of cells and of the embedding.
    title
        Heading of the page.

    Returns
    -------
    Path of the page; or, if `path` is None, an `anywidget.AnyWidget` whose `point` is the number of the current point,
    or a preference between points, and can be read and set.

    Raises
    ------
    TypeError
        If `model` cannot have a front, or `color` or `genes` is a single string.
    ValueError
        If the model has no front yet or encodes other cells; a column, gene, layer or `basis` is unknown; a column has
        more than 254 categories; `embeddings` or `preferences` do not fit; `max_cells` is out of range; or the folder
        of `path` does not exist.
    ImportError
        If `path` is None and anywidget is not installed.

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
    full_front = get_front(model)
    front = full_front if points is None else full_front.only(points)
    places = make_places(front, preferences)
    if basis not in _METHODS:
        raise ValueError(f"basis={basis!r} is unknown; valid: {', '.join(map(repr, _METHODS))}.")
    if path is None:
        require_anywidget()
    else:
        _check_path(Path(path))
    if max_cells < 3:
        raise ValueError(f"max_cells={max_cells} must be at least 3.")
    setup = _get_setup_arguments(model)
    registered_columns = [setup[key] for key in ("batch_key", "labels_key") if setup.get(key) in adata.obs.columns]
    registered_columns += [name for name in (f"{KEY}_cluster", f"{KEY}_stability") if name in adata.obs.columns]
    color = list(dict.fromkeys(registered_columns if color is None else color)) if not isinstance(color, str) else color
    check_names(adata, color, genes)
    batch_key = setup.get("batch_key") if batch_key is None else batch_key
    if batch_key is not None and batch_key not in adata.obs.columns:
        columns = ", ".join(map(repr, adata.obs.columns))
        raise ValueError(f"batch_key={batch_key!r} is not in adata.obs. Available: {columns or 'none'}.")
    strata = None if batch_key is None else adata.obs[batch_key].astype(str).to_numpy()
    cells = sample_stratified(strata, adata.n_obs, max_cells, seed)
    colorings = [color_by_column(name, adata, cells) for name in color]
    colorings += color_by_genes(adata, list(dict.fromkeys(genes)), layer, cells)

    if embeddings is None:
        codes = encode_along_front(model, places, adata, cells)
        coordinates = embed_codes(codes, basis=basis, n_epochs=n_epochs, seed=seed)
    else:
        coordinates = check_coordinates(embeddings, places, adata.n_obs, cells)
    method_name = _METHODS[basis] if embeddings is None else "embedding"
    count = f"{adata.n_obs:,} cells" if len(cells) == adata.n_obs else f"{len(cells):,} of {adata.n_obs:,} cells"
    n_between = len(places) - len(front)
    between = f" and {n_between} place{'s' * (n_between > 1)} between" if n_between else ""
    note = f"{count}, {len(front)} points{between}, aligned {method_name}"
    description = spread_over_places(describe_front(front, model.selected, full_front.recommended), places)
    for place, batch_left in zip(description["points"], describe_batch_left(front, places), strict=True):
        place["left"] = batch_left
    description |= {"title": title, "note": note, "alarm_from": ALARM_FROM}
    if (findings := collect_findings(adata, full_front.numbers)) is not None:
        # One value for each place of the slider; None between points, where findings were not tested.
        index_of_point = {number: i for i, number in enumerate(full_front.numbers)}
        for row in findings["rows"]:
            row["at"] = [row["at"][index_of_point[p["number"]]] if p["judged"] else None for p in description["points"]]
        description["findings"] = findings
    header, data = pack(coordinates, colorings, description)
    at_points = {number: coordinates[number] for number in front.numbers}
    pictures = static_pictures(full_front, model.selected, at_points, colorings)
    if path is None:
        return make_widget(header, data, pictures)
    path = Path(path)
    with write_atomically(path) as file:
        file.write_text(write_page(header, data, pictures), encoding="utf-8")
    return path


def _check_path(path: Path) -> None:
    """Raise an error if the page cannot be written to a path, before cells are embedded."""
    try:
        folder_exists = path.absolute().parent.is_dir()
        too_long = len(path.name.encode()) > _MAX_NAME_BYTES
    except OSError:
        folder_exists = False
        too_long = False
    if not folder_exists:
        raise ValueError(f"path={str(path)[:200]!r}: there is no folder {str(path.parent)[:200]!r}.")
    if too_long or path.is_dir():
        raise ValueError(f"path={str(path)[:200]!r} is a folder, or too long a name.")
    check_folder("path", path.absolute().parent)


def _get_setup_arguments(model: ModelWithFront) -> dict[str, Any]:
    """Return the arguments with which an scvi-tools model registered its data; empty for other models."""
    registry = getattr(model, "registry", None)
    return dict(registry.get("setup_args", {})) if isinstance(registry, dict) else {}
