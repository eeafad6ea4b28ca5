"""Read a file of weights in a process of its own: ``python -m modclust_utils.own.read_apart``.

A pickle is read by torch alone, without running code; but a damaged one can still end the process
that reads it. So that is another one, and what comes back is a file of plain tensors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from modclust_utils.datasets import DataError
from modclust_utils.pretrained import WeightFile, read_weight_file

#: Seconds after which a file is given up.
MOST_SECONDS = 600
_TENSORS, _FACTS = "tensors.safetensors", "facts.json"
_APART = (".pth", ".pt")


def read_file(path: Path) -> WeightFile:
    """As `pretrained.read_weight_file`; a pickle is read in a process of its own.

    Raises DataError where that ends without an answer.
    """
    if path.suffix not in _APART:
        return read_weight_file(path)
    with tempfile.TemporaryDirectory() as folder:
        # -P: no module that lies beside the file, or where the command was typed, is imported
        command = [sys.executable, "-P", "-m", __name__, str(path), folder]
        places = {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=MOST_SECONDS,
                check=False,
                env={**os.environ, **places},
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(
                f"path={str(path)!r} is refused: reading it took more than {MOST_SECONDS} seconds; "
                "allowed: a .safetensors or .npz file"
            ) from error
        facts = Path(folder) / _FACTS
        if not facts.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DataError(
                f"path={str(path)!r} is refused: the process that read it ended with "
                f"{done.returncode} ({last}); allowed: a .safetensors or .npz file"
            )
        found = json.loads(facts.read_text(encoding="utf-8"))
        if "refused" in found:
            raise DataError(found["refused"])
        from safetensors.torch import load_file

        kept = load_file(Path(folder) / _TENSORS)
        # a file of safetensors has an order of its own
        tensors = {name: kept[f"{i}"] for i, name in enumerate(found["names"])}
        return WeightFile(tensors, found["sha256"], tuple(found["notes"]))


def main(path: str, folder: str) -> None:
    """Read a file, and write its tensors, or why it was refused, into a folder."""
    from safetensors.torch import save_file

    facts: dict[str, object]
    try:
        found = read_weight_file(path)
        # one by one: tensors of a module may share their memory, which such files cannot say
        tensors = {f"{i}": each.clone() for i, each in enumerate(found.tensors.values())}
        save_file(tensors, Path(folder) / _TENSORS)
        facts = {"names": [*found.tensors], "sha256": found.sha256, "notes": found.notes}
    except ValueError as error:
        facts = {"refused": str(error)}
    (Path(folder) / _FACTS).write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:3])
