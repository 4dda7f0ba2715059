"""What one does to an AnnData in a line, in the manner of scanpy's tools."""

from scpareto.tl._judge import judge

__all__ = ["judge"]
