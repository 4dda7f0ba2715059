"""Every private name of scvi-tools that scpareto uses, through one door, with what it is for.

A new release of scvi-tools may move or drop them without a word: this is the file to mend.
"""

from __future__ import annotations

# Fetches the weights of a model that is loaded with ``backup_url``.
from scvi.data._download import _download as download
from scvi.data._download import logger as download_logger

# Minified data hold no counts: training and judging refuse them.
from scvi.data._utils import _get_adata_minify_type as minify_type_of

# Types in which scvi-tools hands over registered data: data kept on a device have the same ones.
from scvi.data._utils import registry_key_to_default_dtype

# Epochs that scvi-tools would train for by itself, from the number of cells.
# "auto", "gpu:1" and so on as a device.
from scvi.model._utils import get_max_epochs_heuristic, parse_device_args

# Names of the files in a saved model's folder, and of the parts of ``model.pt``.
from scvi.model.base._constants import SAVE_KEYS

# Names of what modules pass between inference, generation and loss.
from scvi.module._constants import MODULE_KEYS

UNREGISTERED_BATCH = "_scvi_batch"
"""Column of ``adata.obs`` that scvi-tools makes up where no ``batch_key`` is registered."""

__all__ = [
    "MODULE_KEYS",
    "SAVE_KEYS",
    "UNREGISTERED_BATCH",
    "download",
    "download_logger",
    "get_max_epochs_heuristic",
    "minify_type_of",
    "parse_device_args",
    "registry_key_to_default_dtype",
]

# Said of every model that is loaded, whether or not anything could be downloaded.
download_logger.addFilter(lambda record: "already downloaded" not in record.getMessage())
