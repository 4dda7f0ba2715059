"""One file or folder per method; importing it registers the method.

Further files hold code that several methods share: ``_autoencoder`` and ``_autoencoder_model`` (SAUCIE and DESC),
``_zinb_autoencoder`` (scDeepCluster and scziDesk), ``_clustering_input`` and ``_self_training`` (deep clustering),
``_fit_network`` (networks that this package trains), ``_penalised_scvi`` (scVI with HSIC or MMD), ``_scvi_training``
(methods of scvi-tools) and ``_neighbors`` (MNN and Seurat).
"""

from scpareto.bench._methods import (  # noqa: I001 - registered on import, in the order of the table
    _pca,
    _combat,
    _harmony,
    _scanorama,
    _fastmnn,
    _mnn,
    _seurat,
    _scvi,
    _scanvi,
    _sysvi,
    _scvi_hsic,
    _scvi_mmd,
    _saucie,
    _desc,
    _scdeepcluster,
    _sczidesk,
    _paretovi,
)
