"""The folder of an analysis: nothing of others in it is replaced or deleted.

Such a folder is known by its `results.json`, which names the network. One analysis writes at a
time, and the page of another network is not replaced without a word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modclust_utils.publish.at_work import lock
from modclust_utils.publish.errors import ParameterError
from modclust_utils.publish.progress import say
from modclust_utils.publish.records import write_atomically

RESULTS, PAGE = "results.json", "index.html"
#: All tables that there can be.
TABLES = ("tests", "gauge", "sub_clusters", "layers", "lesions")
#: Hidden files in the folder: who writes it.
_LOCK = ".modclust.lock"
_OURS = {_LOCK, f"{_LOCK}.holder"}


def check_folder(folder: Path, name: str = "folder") -> dict[str, Any]:
    """The results of the analysis in a folder, {} where it is new or empty; name: of what named it.

    Raises ParameterError for a folder with other files.
    """
    if not folder.exists() or (folder.is_dir() and {e.name for e in folder.iterdir()} <= _OURS):
        return {}
    try:
        found = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        if found["modclust"] and found["network"]["name"]:
            return {**found, "network": dict(found["network"])}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass  # files of another kind, whatever they are
    raise ParameterError(
        f"{name}={str(folder)!r} holds other files; allowed: a new or empty folder, or one with "
        f"the page of an analysis and its {RESULTS} (--output or --name gives another)"
    )


def write_page(
    folder: Path, results: Mapping[str, Any], files: Mapping[str, bytes], *, beside: bool = False
) -> Path:
    """Write results and other files, by their names, into a folder; the page among them.

    beside: whether the page of another network stays: then these go to a folder beside it, with a
    part of the hash of the weights in its name. Otherwise they take its place, and that is said.
    Raises ParameterError where `check_folder` does.
    """
    check_folder(folder)  # nothing is locked among the files of others
    own = results["network"]
    with lock(folder / _LOCK, f"an analysis that writes {folder}", wait=True):
        # another one may have written meanwhile
        earlier = check_folder(folder)
        there = earlier.get("network", own)
        other = there.get("weights_hash") != own["weights_hash"]
        if not (other and beside):
            if other:
                say(f"{folder} held the page of {_words(there)}, which this one replaces")
            return _write(folder, earlier, results, files)
    new = folder.with_name(f"{folder.name}-{own['weights_hash'][:8]}")
    say(f"{folder} has the page of {_words(there)}, which stays; this one goes to {new}")
    return write_page(new, results, files)


def _write(
    folder: Path,
    earlier: Mapping[str, Any],
    results: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> Path:
    for name in TABLES:
        # of an analysis that was asked for more
        if name in earlier and f"{name}.csv" not in files:
            (folder / f"{name}.csv").unlink(missing_ok=True)
    # first, since the folder is known by it, whatever stops the others
    write_atomically(folder / RESULTS, json.dumps(results, indent=1).encode())
    for name, content in files.items():
        write_atomically(folder / name, content)
    return folder / PAGE


def _words(network: Mapping[str, Any]) -> str:
    """Another network, in words."""
    weights = str(network.get("weights_hash", "unknown"))[:8]
    return f"another network ({network.get('source', network['name'])}, weights {weights})"
