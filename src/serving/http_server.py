"""Listen for requests, on a port that is free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import uvicorn
from annotated_types import Ge, Le

from src.config.build import check
from src.config.compose import Plain
from src.config.ports import check_port
from src.serving.loaded_run import LoadedRun
from src.serving.web_app import make_app


@dataclass(frozen=True)
class Address:
    """Where to listen, and what items are called."""

    host: str
    port: int
    items: str | None


def check_place(own: Plain) -> Address:
    """Return a command's options, checked. Raises UserError for a port that is taken."""

    def options(host: str, port: Annotated[int, Ge(1), Le(65535)], items: str | None) -> None: ...

    place = Address(**check(options, {name: own[name] for name in ("host", "port", "items")}, ""))
    check_port(place.host, place.port)
    return place


def answer(runs: Mapping[str, LoadedRun], place: Address) -> None:
    """Serve runs, by their names, until Ctrl-C."""
    shown = "127.0.0.1" if place.host in ("0.0.0.0", "::") else place.host
    print(f"page     http://{shown}:{place.port}/ (Ctrl-C ends it)", flush=True)
    uvicorn.run(make_app(runs), host=place.host, port=place.port, log_level="warning")
