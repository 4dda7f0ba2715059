"""Architectures of the presets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from inspect import Parameter

PAPER_ARCHITECTURE: dict[str, Any] = {
    "n_hidden": 128,
    "n_latent": 10,
    "n_layers": 2,
    "n_layers_library": 2,
    "dropout_rate": 0.1,
    "var_eps": 0.0,
    "dispersion": "gene",
    "gene_likelihood": "zinb",
    "use_observed_lib_size": False,
}
"""scVI as in the published front: learned library size, two hidden layers in every network, no variance floor."""

PRESETS: tuple[str | None, ...] = (None, "paper")


def apply_paper_preset(
    architecture: dict[str, Any], parameters: Mapping[str, Parameter], extra: dict[str, Any]
) -> dict[str, Any]:
    """Return the architecture of the published model.

    Parameters
    ----------
    architecture
        Arguments of the user, including defaults.
    parameters
        Parameters of the model; the preset may replace their defaults.
    extra
        Further keyword arguments of the user.

    Raises
    ------
    ValueError
        If an argument contradicts the preset.
    """
    for name, fixed in PAPER_ARCHITECTURE.items():
        if name in extra:
            default = fixed
        else:
            default = parameters[name].default if name in parameters else fixed
        value = architecture.get(name, default)
        if value not in (default, fixed):
            raise ValueError(f"preset='paper' fixes {name}={fixed!r}, but {name}={value!r} was given.")
    return architecture | PAPER_ARCHITECTURE
