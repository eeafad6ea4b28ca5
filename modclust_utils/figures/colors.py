"""The colours of clusters.

Chapters number clusters by size, so it is the largest that have a colour of their own.
"""

from __future__ import annotations

# One colour for each cluster. Each pair stays apart under normal vision, protanopia, deuteranopia
# and tritanopia (OKLab distance of 0.09 or more after Machado, Oliveira and Fernandes 2009); the
# first four also differ in lightness by 10 or more (L*), for prints in gray. The tests check both.
CLUSTER_COLORS: tuple[str, ...] = (
    "#1F4E9E", "#ECA920", "#CC4A1F", "#2FA4A0", "#B06BE8", "#23BEF8",
    "#6B2A10", "#9C3060", "#3C2A5E", "#387D9C", "#D9820A", "#8705E4",
)  # fmt: skip
OTHER_COLOR = "#98B888"  # all clusters with higher numbers; as far from the others as they are


def cluster_color(label: int) -> str:
    """The colour of a cluster: its own, or that of all clusters from number 12 on."""
    return CLUSTER_COLORS[label] if label < len(CLUSTER_COLORS) else OTHER_COLOR
