"""What records say of the code that made them, held against the history of the repository.

A commit with ``+`` stands for code with changes that no commit holds. A record that names a commit
younger than its own computing was made by other code than it says: for a while the commit was read
when a record was written, and somebody had committed meanwhile.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from modclust_utils.publish.records import commit, commits_of, git, made_by_commits

#: Digits of a commit in a record.
N_DIGITS = 10
PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Origins:
    """Counts of records; late and unknown: None where the history is not here.

    uncommitted: made by code with changes that no commit holds, or outside of a repository; late:
    begun before the commit that they name existed; networks: how many of the late are such;
    unknown: of a commit that is not in the history.
    """

    n: int
    uncommitted: int
    late: int | None
    networks: int | None
    unknown: int | None


def origins(made: Iterable[tuple[str, Mapping[str, Any]]]) -> Origins:
    """Count records, each given by its kind and its provenance."""
    made, times = list(made), commit_times()
    uncommitted = sum(not made_by_commits(provenance) for _, provenance in made)
    if times is None:
        return Origins(len(made), uncommitted, None, None, None)
    late = [kind for kind, provenance in made if _is_late(provenance, times)]
    named = [[each.rstrip("+") for each in commits_of(provenance)] for _, provenance in made]
    unknown = sum(any(each not in times and each != "no git" for each in some) for some in named)
    networks = sum(kind.endswith("network") for kind in late)
    return Origins(len(made), uncommitted, len(late), networks, unknown)


def _is_late(provenance: Mapping[str, Any], times: Mapping[str, datetime]) -> bool:
    commit = str(provenance["commit"]).rstrip("+")
    return commit in times and "made" in provenance and began(provenance) < times[commit]


def began(provenance: Mapping[str, Any]) -> datetime:
    """When computing a record began, at the latest: its seconds are its share of its batch."""
    seconds = float(provenance["seconds"]) * int(provenance.get("batch_size", 1))
    return datetime.fromisoformat(str(provenance["made"])) - timedelta(seconds=seconds)


def faults(found: Origins) -> list[str]:
    """What is known to be wrong, in words; nothing where nothing is."""
    said = []
    if found.uncommitted:
        said.append(
            f"{found.uncommitted:,} of {found.n:,} were made by code with changes that no commit "
            "holds: their commit has a + behind it, or there is none."
        )
    if found.late:
        said.append(
            f"{found.late:,} of {found.n:,}, {found.networks:,} networks among them, name a commit "
            "that did not exist when computing them began: it had been read at the end."
        )
    return said


def sentences(found: Origins) -> list[str]:
    """The counts in words, and what cannot be seen here."""
    said = faults(found)
    if found.unknown:
        said.append(f"{found.unknown:,} of {found.n:,} name a commit that is not in the history.")
    if found.late is None:
        said.append(
            "Whether the commits that they name are older than they are cannot be seen here, "
            "without the history of the repository."
        )
    return said


@cache
def commit_times() -> Mapping[str, datetime] | None:
    """When each commit was made, by its first digits; None where the history is not here."""
    if commit() == "no git":
        return None
    try:
        if git(PACKAGE, "rev-parse", "--is-shallow-repository") != "false":
            return None
        lines = git(PACKAGE, "log", "--all", "--format=%H %ct").splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    pairs = (line.split() for line in lines)
    return {commit[:N_DIGITS]: datetime.fromtimestamp(int(when), UTC) for commit, when in pairs}


@dataclass(frozen=True)
class Changes:
    """Published records against what was first committed under their names.

    altered: another content of the same making; remade: made anew, and the same to the bit;
    replaced: made anew, with another content; new: not committed yet.
    """

    same: int
    remade: int
    altered: list[str]
    replaced: list[str]
    new: int

    def replaced_by_kind(self) -> list[str]:
        """A sentence for each kind of record of which some were replaced."""
        by_kind: dict[str, list[str]] = {}
        for name in self.replaced:
            by_kind.setdefault(name.split("/")[0], []).append(name)
        return [
            f"REPLACED by others since first committed (see CHANGELOG.md): {len(names)} {kind}, "
            f"such as {names[0]}"
            for kind, names in by_kind.items()
        ]


def changes(folder: Path) -> Changes | None:
    """What became of the records of a folder since they were committed; None without history."""
    first = _first_committed(folder)
    if first is None:
        return None
    same, remade, new = 0, 0, 0
    altered, replaced = [], []
    for path in sorted(folder.glob("*/*.json")):
        name = f"{path.parent.name}/{path.name}"
        if name not in first:
            new += 1
            continue
        now, then = _said(path.read_bytes()), _said(first[name])
        if now == then:
            same += 1
        elif now is None or then is None or now[1]["made"] == then[1]["made"]:
            altered.append(name)
        elif now[0] == then[0]:
            remade += 1
        else:
            replaced.append(name)
    return Changes(same, remade, altered, replaced, new)


def _said(content: bytes) -> tuple[Any, Any] | None:
    """Parameters, value and hash of arrays; and provenance: what no migration may change."""
    try:
        read = json.loads(content)
        said = read["parameters"], read["value"], read.get("arrays_sha256")
        return said, {"made": "", **read["provenance"]}
    except (ValueError, KeyError, TypeError):
        return None


def _first_committed(folder: Path) -> dict[str, bytes] | None:
    """The first committed content of each record in a folder, by kind and file."""
    try:
        if git(folder, "rev-parse", "--is-shallow-repository") != "false":
            return None
        log = git(
            folder,
            *("log", "--reverse", "--diff-filter=A", "--no-renames", "--format=:%H"),
            *("--name-only", "--relative", "--", "."),
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    places: dict[str, str] = {}
    commit = ""
    for line in log.splitlines():
        if line.startswith(":"):
            commit = line[1:]
        elif line.endswith(".json"):
            places.setdefault(line, f"{commit}:./{line}")
    contents = _contents(folder, list(places.values()))
    return dict(zip(places, contents, strict=True)) if places else None


def _contents(folder: Path, places: list[str]) -> list[bytes]:
    """What is at some places of the history, all asked for at once."""
    done = subprocess.run(
        ["git", "cat-file", "--batch"],
        cwd=folder,
        input="".join(f"{place}\n" for place in places).encode(),
        capture_output=True,
        check=True,
    )
    contents, rest = [], done.stdout
    for _ in places:
        head, _, rest = rest.partition(b"\n")
        size = int(head.split()[-1])
        contents.append(rest[:size])
        rest = rest[size + 1 :]
    return contents
