"""What a trained generator makes: cells of given codes, along a dimension, of unseen combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from scvi import REGISTRY_KEYS

from scpareto._constants import CODE_KEY, CODE_SCALE_KEY
from scpareto._runtime import seeded
from scpareto.model._codes import check_codes
from scpareto.model.michigan._latent_arithmetic import shifted_codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray
    from scvi.data import AnnDataManager

    from scpareto.model.michigan._networks import MichiGANModule

_CELLS_AT_ONCE = 1024


class GenerationMixin:
    """Cells from codes; for a model whose module is a :class:`~scpareto.model.michigan.MichiGANModule`."""

    module: MichiGANModule
    adata: AnnData
    adata_manager: AnnDataManager
    device: torch.device

    @torch.inference_mode()
    def generate(
        self,
        codes: ArrayLike | None = None,
        *,
        n_cells: int | None = None,
        library_size: ArrayLike | None = None,
        noise: ArrayLike | None = None,
        seed: int = 0,
    ) -> NDArray[np.float32]:
        """Generate cells.

        Parameters
        ----------
        codes
            Codes, shape ``(n_cells, n_latent)``; of any cells, seen or not, or made up. None for ``n_cells`` codes
            drawn from the registered cells or, unconditionally, from a standard normal distribution.
        n_cells
            Cells to generate where no codes are given; None for as many as are registered.
        library_size
            Counts of each generated cell, shape ``(n_cells,)`` or a number, for outputs of counts; None for library
            sizes drawn from the registered cells.
        noise
            Noise, shape ``(n_cells, n_noise)`` or ``(1, n_noise)`` for the same noise in all cells; None to draw it.
        seed
            Seed of everything that is drawn.

        Returns
        -------
        Cells, shape ``(n_cells, n_genes)``, on the scale of the data.

        Raises
        ------
        ValueError
            If codes or noise have the wrong width or are not finite.
        """
        module = self.module
        module.eval()
        rng = np.random.default_rng(seed)
        if codes is None:
            count = self.adata_manager.adata.n_obs if n_cells is None else int(n_cells)
            z = rng.standard_normal((count, module.n_latent)).astype(np.float32)
            if module.conditional:
                known = np.asarray(self.adata_manager.get_from_registry(CODE_KEY), dtype=np.float32)
                z = known[rng.choice(len(known), count, replace=count > len(known))]
        else:
            z = check_codes(codes, module.n_latent)
        drawn = rng.standard_normal((len(z), module.n_noise)) if noise is None else np.atleast_2d(np.asarray(noise))
        if drawn.shape[1] != module.n_noise or len(drawn) not in (1, len(z)):
            raise ValueError(f"noise has shape {drawn.shape}; give ({len(z)}, {module.n_noise}) or one row.")
        noises = np.broadcast_to(drawn, (len(z), module.n_noise)).astype(np.float32)
        library = self._library(library_size, len(z), rng)
        parts = []
        with seeded(seed):
            for start in range(0, len(z), _CELLS_AT_ONCE):
                rows = slice(start, start + _CELLS_AT_ONCE)
                sizes = None if library is None else torch.from_numpy(library[rows]).to(self.device)
                some = [torch.from_numpy(values[rows].copy()).to(self.device) for values in (z, noises)]
                parts.append(module.generate(some[0], sizes, some[1]).cpu().numpy())
        return np.concatenate(parts)

    def _library(self, given: ArrayLike | None, n_cells: int, rng: np.random.Generator) -> NDArray[np.float32] | None:
        if self.module.output == "linear":
            return None
        if given is None:
            values = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
            given = rng.choice(np.asarray(values.sum(axis=1)).ravel(), n_cells)
        sizes = np.broadcast_to(np.asarray(given, dtype=np.float32), (n_cells,))
        if not (np.isfinite(sizes) & (sizes > 0)).all():
            raise ValueError("library_size must be finite and above 0.")
        return sizes[:, None].copy()

    def get_codes(self, codes: str = "mean", *, seed: int = 0) -> NDArray[np.float32]:
        """Return the registered codes, or a draw around them.

        Parameters
        ----------
        codes
            ``"mean"`` or ``"sample"``.
        seed
            Seed of the draw.

        Returns
        -------
        Codes, shape ``(n_cells, n_latent)``.

        Raises
        ------
        ValueError
            If the choice is unknown, or there are no codes or standard deviations.
        """
        if codes not in ("mean", "sample"):
            raise ValueError(f"codes={codes!r} is unknown; choose 'mean' or 'sample'.")
        for key in (CODE_KEY, CODE_SCALE_KEY)[: 1 + (codes == "sample")]:
            if key not in self.adata_manager.data_registry:
                raise ValueError(f"codes={codes!r} needs {key}_key in MichiGAN.setup_anndata.")
        mean = np.asarray(self.adata_manager.get_from_registry(CODE_KEY), dtype=np.float32)
        if codes == "mean":
            return mean
        scale = np.asarray(self.adata_manager.get_from_registry(CODE_SCALE_KEY), dtype=np.float32)
        return mean + scale * np.random.default_rng(seed).standard_normal(mean.shape).astype(np.float32)

    def traverse(
        self,
        cell: int | str | ArrayLike,
        dim: int,
        values: ArrayLike | None = None,
        *,
        n_values: int = 10,
        library_size: float | None = None,
        seed: int = 0,
    ) -> NDArray[np.float32]:
        """Generate cells along one dimension of the code, the other dimensions and the noise held fixed.

        Parameters
        ----------
        cell
            Row or name of a registered cell whose code is the start, or a code of shape ``(n_latent,)``.
        dim
            Dimension that is moved.
        values
            Values that it takes, shape ``(n_values,)``; None for ``n_values`` from the 1st to the 99th percentile of
            the registered codes, or of a standard normal distribution.
        n_values
            Number of values.
        library_size
            Counts of every generated cell, for outputs of counts; None for the median of the registered cells.
        seed
            Seed of the noise.

        Returns
        -------
        Cells, shape ``(n_values, n_genes)``.

        Raises
        ------
        ValueError
            If there is no such dimension, or the code has the wrong width.
        KeyError
            If there is no such cell.
        """
        if not 0 <= dim < self.module.n_latent:
            raise ValueError(f"dim={dim}: the codes have dimensions 0 to {self.module.n_latent - 1}.")
        if values is None:
            known = self.get_codes()[:, dim] if self.module.conditional else np.array([-2.326, 2.326])
            low, high = np.quantile(known, [0.01, 0.99]) if self.module.conditional else known
            values = np.linspace(low, high, n_values)
        path = np.asarray(values, dtype=np.float32).ravel()
        codes = np.tile(self._start(cell), (len(path), 1))
        codes[:, dim] = path
        if library_size is None and self.module.output != "linear":
            counts = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
            library_size = float(np.median(np.asarray(counts.sum(axis=1))))
        noise = np.random.default_rng(seed).standard_normal((1, self.module.n_noise))
        return self.generate(codes, noise=noise, library_size=library_size, seed=seed)

    def _start(self, cell: int | str | ArrayLike) -> NDArray[np.float32]:
        """Code of a cell."""
        if isinstance(cell, str):
            names = self.adata.obs_names
            if cell not in names:
                raise KeyError(f"cell {cell!r} is not in adata.obs_names.")
            return self.get_codes()[names.get_loc(cell)]
        if isinstance(cell, int | np.integer):
            if not -self.adata.n_obs <= cell < self.adata.n_obs:
                raise KeyError(f"cell {cell} is not one of the {self.adata.n_obs} registered cells.")
            return self.get_codes()[cell]
        return check_codes(np.atleast_2d(np.asarray(cell)), self.module.n_latent)[0]

    def predict(
        self,
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        *,
        codes: str = "mean",
        n_cells: int | None = None,
        keep_residual: bool = False,
        seed: int = 0,
    ) -> NDArray[np.float32]:
        r"""Generate cells of a combination that the model has not seen, by latent arithmetic.

        Parameters
        ----------
        source, target
            Levels of the same two columns of ``adata.obs``, which differ in one of them: cells of ``source`` are moved
            by the mean difference that this change makes in all other contexts. Cells of ``target``, if there are any,
            are not used.
        codes
            ``"mean"`` or ``"sample"``.
        n_cells
            Cells to generate; None for as many as the source has.
        keep_residual
            False (published): a cell is generated from its shifted code. True: what is generated from the shifted
            code minus what is generated, with the same noise, from the cell's own code, is added to the real source
            cell. This keeps what codes do not know of a cell; for the linear output only.
        seed
            Seed of everything that is drawn.

        Returns
        -------
        Cells, shape ``(n_cells, n_genes)``.

        Raises
        ------
        ValueError, KeyError
            If the combinations are not valid; see the notes.

        Notes
        -----
        The codes are :math:`z(a, b) + \mathrm{mean}_\omega (\bar z(a', \omega) - \bar z(a, \omega))` over the
        other contexts :math:`\omega`. For outputs of counts, library sizes are those of the source cells.
        """
        if keep_residual and self.module.output != "linear":
            raise ValueError(f"keep_residual=True needs output='linear', not {self.module.output!r}.")
        known = self.get_codes(codes, seed=seed)
        moved, rows = shifted_codes(known, self.adata.obs, source, target, n_cells=n_cells, seed=seed)
        if keep_residual:
            noise = np.random.default_rng(seed).standard_normal((len(rows), self.module.n_noise))
            change = self.generate(moved, noise=noise) - self.generate(known[rows], noise=noise)
            values = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)[rows]
            return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float32) + change
        library = None
        if self.module.output != "linear":
            counts = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
            library = np.asarray(counts.sum(axis=1)).ravel()[rows]
        return self.generate(moved, library_size=library, seed=seed)
