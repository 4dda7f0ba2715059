"""Methods of a trained generator: generate cells from codes, along a dimension, and of unseen combinations."""

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
    """Generate cells from codes; for a model whose module is a :class:`~scpareto.model.michigan.MichiGANModule`."""

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
            Codes, shape ``(n_cells, n_latent)``, of any cells or made up. None draws ``n_cells`` codes from the
            registered cells, or for an unconditional generator from a standard normal distribution.
        n_cells
            Cells to generate if no codes are given; None for the number of registered cells.
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
            n_drawn = self.adata_manager.adata.n_obs if n_cells is None else int(n_cells)
            z = rng.standard_normal((n_drawn, module.n_latent)).astype(np.float32)
            if module.conditional:
                registered = np.asarray(self.adata_manager.get_from_registry(CODE_KEY), dtype=np.float32)
                z = registered[rng.choice(len(registered), n_drawn, replace=n_drawn > len(registered))]
        else:
            z = check_codes(codes, module.n_latent)
        drawn = rng.standard_normal((len(z), module.n_noise)) if noise is None else np.atleast_2d(np.asarray(noise))
        if drawn.shape[1] != module.n_noise or len(drawn) not in (1, len(z)):
            raise ValueError(f"noise has shape {drawn.shape}; give ({len(z)}, {module.n_noise}) or one row.")
        noises = np.broadcast_to(drawn, (len(z), module.n_noise)).astype(np.float32)
        library = self._get_library_sizes(library_size, len(z), rng)
        chunks = []
        with seeded(seed):
            for start in range(0, len(z), _CELLS_AT_ONCE):
                rows = slice(start, start + _CELLS_AT_ONCE)
                sizes = None if library is None else torch.from_numpy(library[rows]).to(self.device)
                chunk = [torch.from_numpy(values[rows].copy()).to(self.device) for values in (z, noises)]
                chunks.append(module.generate(chunk[0], sizes, chunk[1]).cpu().numpy())
        return np.concatenate(chunks)

    def _get_library_sizes(
        self, given: ArrayLike | None, n_cells: int, rng: np.random.Generator
    ) -> NDArray[np.float32] | None:
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
        """Return the registered codes, or samples from their posterior.

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
        """Generate cells along one dimension of the code; keep the other dimensions and the noise fixed.

        Parameters
        ----------
        cell
            Row or name of a registered cell whose code is the start, or a code of shape ``(n_latent,)``.
        dim
            Dimension that varies.
        values
            Values of the dimension, shape ``(n_values,)``; None for ``n_values`` from the 1st to the 99th percentile of
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
            # Without codes, the 1st and 99th percentile of the standard normal distribution.
            conditional = self.module.conditional
            low, high = np.quantile(self.get_codes()[:, dim], [0.01, 0.99]) if conditional else (-2.326, 2.326)
            values = np.linspace(low, high, n_values)
        steps = np.asarray(values, dtype=np.float32).ravel()
        codes = np.tile(self._get_start_code(cell), (len(steps), 1))
        codes[:, dim] = steps
        if library_size is None and self.module.output != "linear":
            counts = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
            library_size = float(np.median(np.asarray(counts.sum(axis=1))))
        noise = np.random.default_rng(seed).standard_normal((1, self.module.n_noise))
        return self.generate(codes, noise=noise, library_size=library_size, seed=seed)

    def _get_start_code(self, cell: int | str | ArrayLike) -> NDArray[np.float32]:
        """Return the code of a registered cell, or check a given code."""
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
            Levels of the same two columns of ``adata.obs``, which differ in one of them. Codes of ``source`` cells are
            shifted by the mean difference that this change makes in all other contexts. Cells of ``target``, if there
            are any, are not used.
        codes
            ``"mean"`` or ``"sample"``.
        n_cells
            Cells to generate; None for as many as the source has.
        keep_residual
            False (published): generate cells from the shifted codes. True: generate cells from the shifted and from the
            original codes with the same noise, and add the difference to the real source cells. This keeps features
            of a cell that its code does not hold; for the linear output only.
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
        cell_codes = self.get_codes(codes, seed=seed)
        shifted, rows = shifted_codes(cell_codes, self.adata.obs, source, target, n_cells=n_cells, seed=seed)
        if keep_residual:
            noise = np.random.default_rng(seed).standard_normal((len(rows), self.module.n_noise))
            change = self.generate(shifted, noise=noise) - self.generate(cell_codes[rows], noise=noise)
            values = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)[rows]
            return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float32) + change
        library = None
        if self.module.output != "linear":
            counts = self.adata_manager.get_from_registry(REGISTRY_KEYS.X_KEY)
            library = np.asarray(counts.sum(axis=1)).ravel()[rows]
        return self.generate(shifted, library_size=library, seed=seed)
