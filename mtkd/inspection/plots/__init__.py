"""A store as pictures, PNG and SVG each, drawn by matplotlib (the extra `plot`)."""

from mtkd.inspection.plots.store import plot_store

__all__ = ["plot_store"]
