"""What a run leaves in its folder beside the notebook, and how its kernel knows the folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from modclust_utils.publish.records import write_atomically

PROGRESS_VARIABLE = "MODCLUST_PROGRESS"
RUN_VARIABLE = "MODCLUST_RUN"
#: What a run leaves in its folder for pages about all chapters.
VERDICTS, ANSWER, COVERAGE = LEFT = "verdicts.json", "answer.json", "coverage.json"


def leave_with_run(name: str, content: Any) -> None:
    """Leave a JSON file in the folder of the run; in a bare notebook there is none."""
    folder = os.environ.get(RUN_VARIABLE)
    if folder:
        write_atomically(Path(folder) / name, json.dumps(content, indent=1).encode())
