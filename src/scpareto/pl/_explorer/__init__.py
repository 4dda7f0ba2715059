"""An interactive view of a front: one self-contained page, or a widget."""

from scpareto.pl._explorer._explorer import explorer

__all__ = ["explorer"]
