"""Find clusters of units in trained networks, and ask whether they mean anything.

Imports point one way:

- science, the modules beside this one: arrays and torch modules in, arrays and small result objects
  out;
- `datasets` and `figures`: images and printed tables, and drawing that knows no chapter;
- `recipes`: the kinds of record, and jobs that ask for them;
- `chapters`: a folder a chapter, with all that is its own;
- `publish`: the one part that touches the disk, the clock and the screen (records, runs, pages, and
  the command `modclust`).
"""

__version__ = "0.1.0"
