"""The one migration of records: names what each was made from, and seals it with a hash.

Records of the time before did neither. Their kinds, keys, parameters, values, arrays and provenance
stay as they are: ``python -m modclust_utils.publish.seal [FOLDER ...]`` (by default the published
records). A record that has its seal already is left alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modclust_utils.publish.records import published_folder, sealed, write_atomically


def seal_folder(folder: Path) -> int:
    """Seal the records of a folder that have no seal; how many these were."""
    read = {
        (path.parent.name, path.stem): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*/*.json"))
    }
    unsealed = {place: content for place, content in read.items() if "sha256" not in content}
    for (kind, key), content in unsealed.items():
        source = _made_from(content, read)
        write_atomically(folder / kind / f"{key}.json", sealed({**content, "made_from": source}))
    return len(unsealed)


def _made_from(
    content: dict[str, Any], read: dict[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    """What a record of the folder was made from: its network, and the images it was tested on."""
    source: dict[str, Any] = {}
    tested_on = content["value"].get("test_hash")
    if "network" in content["parameters"]:
        key = content["parameters"]["network"]
        network = read["network", key]
        place = {"kind": "network", "key": key, "arrays_sha256": network["arrays_sha256"]}
        source["network"] = place
        if content["kind"] == "lesions":
            tested_on = network["value"]["test_hash"]
    return source | ({"test_images": tested_on} if tested_on else {})


def main(folders: Iterable[str]) -> None:
    """Seal the records of some folders."""
    for folder in [Path(name) for name in folders] or [published_folder()]:
        print(f"{folder}: {seal_folder(folder)} records sealed")


if __name__ == "__main__":
    main(sys.argv[1:])
