"""One file per method; importing it registers the method."""

from . import (  # noqa: I001 - registered on import, in the order of the table
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
    _saucie_mmd,
    _desc,
    _scdeepcluster,
    _sczidesk,
    _paretovi,
)
