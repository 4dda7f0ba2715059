"""Integrate batches by anchors in canonical components, as Seurat v3 does."""

from scpareto.bench._methods._seurat._method import seurat_cca

__all__ = ["seurat_cca"]
