"""Linear and mixture models of expression, for comparison with networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from scpareto.model._codes import check_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


class ProbabilisticPCA:
    r"""Probabilistic principal component analysis with the exact posterior of its codes.

    Parameters
    ----------
    n_latent
        Components.
    seed
        Seed of the decomposition.

    Notes
    -----
    The model is :math:`x = \mu + C^\top z + \epsilon`, with components :math:`C`, codes
    :math:`z_d \sim N(0, \lambda_d - \sigma^2)` and noise of variance :math:`\sigma^2`. Codes are on the scale of the
    principal components. Because components are orthonormal, the posterior factorises: precision
    :math:`1 / \sigma^2 + 1 / (\lambda_d - \sigma^2)`, that is variance :math:`\sigma^2 (1 - \sigma^2 / \lambda_d)`, and
    mean :math:`(1 - \sigma^2 / \lambda_d) \, C (x - \mu)`.

    References
    ----------
    :cite:p:`Tipping1999`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(100, 8))
    >>> mean, scale = ProbabilisticPCA(3).fit(x).posterior(x)
    >>> mean.shape, scale.shape
    ((100, 3), (100, 3))
    """

    def __init__(self, n_latent: int = 10, *, seed: int = 0) -> None:
        if n_latent < 1:
            raise ValueError(f"n_latent={n_latent} must be at least 1.")
        self.n_latent, self.seed = n_latent, seed
        self._pca: PCA | None = None

    def fit(self, x: ArrayLike) -> ProbabilisticPCA:
        """Fit to expression of shape ``(n_cells, n_genes)``; returns itself."""
        self._pca = PCA(self.n_latent, svd_solver="full", random_state=self.seed).fit(np.asarray(x))
        return self

    def posterior(self, x: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the codes of cells, each of shape ``(n_cells, n_latent)``."""
        pca = self._fitted()
        shrinkage = 1 - pca.noise_variance_ / pca.explained_variance_
        mean = (np.asarray(x) - pca.mean_) @ pca.components_.T * shrinkage
        scale = np.sqrt(np.maximum(pca.noise_variance_ * shrinkage, 1e-12))
        return mean, np.broadcast_to(scale, mean.shape).copy()

    def decode(self, codes: ArrayLike, *, sample: bool = False, seed: int = 0) -> NDArray[np.float64]:
        """Decode codes ``(n_cells, n_latent)`` to the mean expression, or to a draw with the noise of the model."""
        pca = self._fitted()
        mean = check_codes(codes, self.n_latent) @ pca.components_ + pca.mean_
        if not sample:
            return mean
        return mean + np.sqrt(pca.noise_variance_) * np.random.default_rng(seed).standard_normal(mean.shape)

    def _fitted(self) -> PCA:
        if self._pca is None:
            raise RuntimeError("The model is not fitted. Call fit() first.")
        return self._pca


class ExpressionMixture:
    """Gaussian mixture of principal components; the BIC chooses the number of Gaussians.

    Parameters
    ----------
    n_components
        Numbers of Gaussians to choose from; 1 to 100 were published.
    covariances
        Kinds of covariance to choose from.
    n_pcs
        Principal components that the mixture is fitted in.
    seed
        Seed of decomposition and mixtures.

    References
    ----------
    :cite:p:`YuWelch2021`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(100, 8))
    >>> ExpressionMixture([1, 2], n_pcs=3).fit(x).generate(5).shape
    (5, 8)
    """

    def __init__(
        self,
        n_components: Sequence[int] = (1, 2, 5, 10, 20, 50, 100),
        *,
        covariances: Sequence[str] = ("spherical", "tied", "diag", "full"),
        n_pcs: int = 50,
        seed: int = 0,
    ) -> None:
        if not len(n_components) or not len(covariances):
            raise ValueError("n_components and covariances must name at least one choice each.")
        self.n_components, self.covariances, self.n_pcs, self.seed = n_components, covariances, n_pcs, seed
        self._pca: PCA | None = None
        self._mixture: Any = None

    def fit(self, x: ArrayLike) -> ExpressionMixture:
        """Fit to expression of shape ``(n_cells, n_genes)``; returns itself."""
        values = np.asarray(x, dtype=np.float64)
        self._pca = PCA(min(self.n_pcs, *values.shape), random_state=self.seed).fit(values)
        pcs = self._pca.transform(values)
        fitted = [
            GaussianMixture(k, covariance_type=kind, random_state=self.seed, reg_covar=1e-4).fit(pcs)
            for k in self.n_components
            if k < len(values)
            for kind in self.covariances
        ]
        self._mixture = min(fitted, key=lambda mixture: mixture.bic(pcs))
        return self

    def generate(self, n_cells: int, *, seed: int = 0) -> NDArray[np.float64]:
        """Generate expression of shape ``(n_cells, n_genes)``."""
        if self._pca is None:
            raise RuntimeError("The model is not fitted. Call fit() first.")
        self._mixture.random_state = seed
        return self._pca.inverse_transform(self._mixture.sample(n_cells)[0])
