"""`python -m modclust_utils` is the command `modclust`."""

import sys

from modclust_utils.publish.cli import main

sys.exit(main())
