"""Find clusters of units in trained networks, and ask whether they mean anything.

Imports point one way:

- science, most modules beside this one: arrays and torch modules in, arrays and small result
  objects out (below it are `settings`, `paths` and `locks`);
- `datasets`, `pretrained` and `figures`: images and printed tables, networks that others trained,
  and drawing that knows no chapter;
- `recipes`: the kinds of record, and jobs that ask for them;
- `chapters`: a folder a chapter, with all that is its own; `coverage`, `exercises`, `tables` and
  `verdicts` are what they share;
- `own`: a network of a reader's own, how it is read and what is asked about it;
- `publish`: the one part that writes records, runs and pages, with the command `modclust`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modclust_utils.publish.analysis import analyze, explain

__version__ = "0.1.0"
__all__ = ["__version__", "analyze", "explain"]


def __getattr__(name: str) -> Any:
    """`analyze` and `explain`, imported when they are first asked for: that takes seconds."""
    if name in ("analyze", "explain"):
        from modclust_utils.publish import analysis

        return getattr(analysis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
