"""Find clusters of units in trained networks, and ask whether they mean anything.

The package reads from left to right, and imports point left only:

- science: arrays and torch modules in, arrays and small result objects out;
- `plots` draws from result objects;
- `publish` is the one part that touches the disk, the clock and the screen
  (parameters, records, runs, claims, pages, and the command `modclust`).
"""

__version__ = "0.1.0"
