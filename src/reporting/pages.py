"""Self-contained HTML pages from templates, with the files that lie beside them."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any


def write_html(page: Path, package: str, template: str, **content: Any) -> None:
    """Write `page` from the package's Jinja template, which extends base.html.j2 beside this file.

    Beside Jinja's own filters the template has `data_uri`, a PNG's content as an address, and
    `beside`, a file's path relative to the page.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("src.reporting", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["beside"] = lambda file: file.relative_to(page.parent).as_posix()
    page.write_text(environment.get_template(template).render(**content))


def _data_uri(picture: Path) -> str:
    return f"data:image/png;base64,{b64encode(picture.read_bytes()).decode()}"
