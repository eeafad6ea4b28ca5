"""A content security policy in every page: the browser runs the site's own scripts and no others.

A static site has no server to send the policy, so each page carries it as a meta tag. Scripts come
from the site's files; those that stand in a page itself are allowed by their hashes, and only where
the theme puts them: none within the text, where names from outside are.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path

_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
_HANDLER = re.compile(r'\son[a-z]+="(?P<code>[^"]*)"')
#: jupyter-book puts this one into the text.
_OF_THE_BOOK = re.compile(r"\s*kernelName = '[\w-]*'\s*")
_ARTICLE = re.compile(r"<article\b.*</article>", re.DOTALL)


def _hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def policy(page: str) -> str:
    """The policy of a page, from the scripts that the theme put into it."""
    within = [m["code"] for m in _SCRIPT.finditer(page) if _OF_THE_BOOK.fullmatch(m["code"])]
    around = _ARTICLE.sub("", page) + "".join(f"<script>{code}</script>" for code in within)
    scripts = [m["code"] for m in _SCRIPT.finditer(around) if "src=" not in m["attributes"]]
    handlers = [html.unescape(m["code"]) for m in _HANDLER.finditer(_SCRIPT.sub("", around))]
    hashes = {_hash(code) for code in [*scripts, *handlers] if code.strip()}
    handled = ["'unsafe-hashes'"] if handlers else []
    # from a disk, every file is of an origin of its own
    own = "'self' file:"
    return "; ".join(
        [
            f"default-src {own}",
            f"script-src {' '.join([own, *handled, *sorted(hashes)])}",
            f"style-src {own} 'unsafe-inline'",
            f"img-src {own} data:",
            f"font-src {own} data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self' file:",
        ]
    )


def add_policies(site: Path) -> None:
    """Write its policy into every page of a built site."""
    for path in sorted(site.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        head = re.search(r"<head[^>]*>", page)
        if head is not None:
            meta = (
                f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy(page))}">'
            )
            page = page[: head.end()] + meta + page[head.end() :]
            path.write_text(page, encoding="utf-8")
