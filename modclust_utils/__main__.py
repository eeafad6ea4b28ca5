"""`python -m modclust_utils` is the command `modclust`."""

from __future__ import annotations

import sys

from modclust_utils.publish.cli import main

sys.exit(main())
