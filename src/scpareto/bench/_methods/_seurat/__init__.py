"""Integration by anchors between canonical components, as in Seurat's third version."""

from scpareto.bench._methods._seurat._method import seurat_cca

__all__ = ["seurat_cca"]
