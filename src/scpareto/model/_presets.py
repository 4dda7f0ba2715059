"""Architectures that belong to a preset."""

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


def with_paper_preset(
    architecture: dict[str, Any], parameters: Mapping[str, Parameter], extra: dict[str, Any]
) -> dict[str, Any]:
    """Architecture of the published model.

    Parameters
    ----------
    architecture
        What was asked for, defaults included.
    parameters
        Parameters of the model, whose defaults the preset may overrule.
    extra
        What was asked for beyond these parameters.

    Raises
    ------
    ValueError
        If something else was asked for than the preset fixes.
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
