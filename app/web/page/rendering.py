"""The page's markup, and how browsers are to treat it.

Invariant: every text passes Jinja's escaping; the style sheet and the script are this package's own files and the only ones that a browser runs, named
by their hash in the Content-Security-Policy (CSP Level 3, "Hash-based"), so markup that slipped through would still do nothing.
"""

import hashlib
from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from app.web.page.view import PageView
from fleet.style import PALETTE


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


STYLE = Markup(PALETTE + _text("fleet.css"))  # noqa: S704 -- of this package
SCRIPT = Markup(_text("fleet.js"))  # noqa: S704 -- as above
_TEMPLATES = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FunctionLoader(_text))
# Compiled before anybody looks.
_PAGE, _NOW = _TEMPLATES.get_template("fleet.html"), _TEMPLATES.get_template("now.html")


def _source_of(content: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src {_source_of(STYLE)}; script-src {_source_of(SCRIPT)}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of each answer with markup."""


def render_page(view: PageView) -> str:
    """The whole document."""
    return _PAGE.render(view=view, style=STYLE, script=SCRIPT)


def render_now(view: PageView) -> str:
    """What the script puts in its place."""
    return _NOW.render(view=view)
