"""A Sphinx extension: words of the glossary say what they mean where one points at them.

A term's link carries the definition as its title, which browsers show as they like;
``book/_static/custom.js`` shows it to the keyboard, too.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_LONGEST = 300


def definitions(app: Sphinx) -> dict[str, str]:
    """The definition of each term of the glossary by the end of its address, as one line."""
    assert app.env is not None
    terms = app.env.get_domain("std").get_objects()
    found = {}
    for docname in {place for _, _, kind, place, _, _ in terms if kind == "term"}:
        # resolved, so that a citation in a definition is words and not its key
        tree = app.env.get_and_resolve_doctree(docname, app.builder)
        for item in tree.findall(nodes.definition_list_item):
            words = re.sub(r"\s+", " ", item[-1].astext()).strip()
            ids = [name for term in item.findall(nodes.term) for name in term.get("ids", [])]
            found.update({name: _shortened(words) for name in ids})
    return found


def _shortened(words: str) -> str:
    """Whole sentences as long as they are not too long; at least the first."""
    short, *others = re.split(r"(?<=[.!?]) +", words)
    for sentence in others:
        if len(short) + len(sentence) >= _LONGEST:
            break
        short += f" {sentence}"
    return short


def explain(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Give each link to a term its definition."""
    env: Any = app.env
    if not hasattr(env, "modclust_terms"):
        env.modclust_terms = {}  # resolving the glossary comes here, too
        env.modclust_terms = definitions(app)
    known = env.modclust_terms
    for link in tree.findall(nodes.reference):
        _, _, end = (link.get("refuri") or f"#{link.get('refid', '')}").partition("#")
        if end in known:
            link["reftitle"] = known[end]
            link["classes"] = [*link["classes"], "mc-term"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", explain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
