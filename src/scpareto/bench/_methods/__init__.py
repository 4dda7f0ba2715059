"""One file or folder per method, which holds it whole; importing it registers the method.

Beside them lies what several methods share: ``_autoencoder`` and ``_autoencoder_model`` (SAUCIE and DESC),
``_zinb_autoencoder`` (scDeepCluster and scziDesk), ``_clustering_input`` and ``_self_training`` (deep clustering),
``_loop`` (networks that are trained here), ``_penalised_scvi`` (scVI with HSIC or MMD), ``_quiet`` (methods of
scvi-tools) and ``_neighbors`` (MNN and Seurat).
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
