"""Puts the page together: one HTML file with its style, its scripts and its data inside.

What comes from data reaches the page in two ways, neither of which can become markup: as JSON in which no `<` is left,
of which the scripts make text, and as the title, which is escaped. Beyond that the page's own policy lets this one
script run, and nothing be loaded.
"""

import base64
import hashlib
import html
import json
import string
from importlib import resources

import yt8m_audio

SCRIPTS = ("elements.js", "tables.js", "charts.js", "classes.js", "page.js")


def page(content: dict) -> str:
    """Returns the HTML of a report.

    Args:
        content: what `page_content` gives: JSON's types alone, no NaN.
    """
    style = _file("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(map(_file, SCRIPTS)) + "})();\n"
    return string.Template(_file("page.html")).substitute(
        title=html.escape(content["title"]),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=_embedded(content),
        made=f"Written by yt8m-audio {html.escape(yt8m_audio.__version__)}. The tables behind it lie beside this page.",
    )


def _embedded(content: dict) -> str:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash by which a content security policy allows an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
