"""The HTTP answers of trained runs, and the page for looking at them."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response

from src.errors import UserError, shorten
from src.serving.item_map import map_items
from src.serving.loaded_run import LoadedRun

log = logging.getLogger(__name__)

PAGE = Path(__file__).with_name("page.html")
MOST = 1000
# Suggestions as somebody types
SUGGESTED = 20

Run = Annotated[str | None, Query(description="a run's name, of those at /runs; the first if none")]
K = Annotated[int, Query(ge=1, le=MOST, description="how many")]


def make_app(runs: Mapping[str, LoadedRun]) -> FastAPI:
    """Make the app that answers for runs, by their names."""
    app = FastAPI(
        title="Trained recommenders",
        description="Lists for users, neighbours of items; ids are those of the data's own files.",
        docs_url="/docs",
        redoc_url=None,
    )
    maps: dict[int, dict[str, list[Any]] | None] = {}

    def choose(run: str | None) -> LoadedRun:
        name = next(iter(runs)) if run is None else run
        if name not in runs:
            raise UserError(f"no run {shorten(name)}: there are {', '.join(runs)}")
        return runs[name]

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "runs": list(runs)}

    @app.get("/runs")
    def list_runs() -> list[dict[str, Any]]:
        return [_about(name, run) for name, run in runs.items()]

    @app.get("/recommend")
    def recommend(user: str, run: Run = None, k: K = 10, seen: bool = False) -> Response:
        chosen = choose(run)
        with warnings.catch_warnings(action="ignore"):
            lists = chosen.recommend([user], k, seen=seen)
        known = chosen.users.find(user) is not None
        return _answer(lists.drop(columns="user"), user=user, known=known)

    @app.get("/history")
    def history(user: str, run: Run = None) -> Response:
        return _answer(choose(run).history(user), user=user)

    @app.get("/similar")
    def similar(item: str, run: Run = None, k: K = 10) -> Response:
        chosen = choose(run)
        found = chosen.similar_items(item, k)
        number, _ = chosen.catalogue.split([item])
        about = {key: _plain(values[0]) for key, values in chosen.describe(number).items()}
        return _answer(found, **about)

    @app.get("/users")
    def users(begins: str = "", run: Run = None) -> list[Any]:
        raw = choose(run).users.raw.tolist()
        return [one for one in raw if str(one).startswith(begins)][:SUGGESTED]

    @app.get("/items")
    def items(words: str = "", run: Run = None) -> Response:
        return _answer(choose(run).find_titles(words, SUGGESTED))

    @app.get("/map")
    def map_(run: Run = None) -> dict[str, Any]:
        chosen = choose(run)
        if id(chosen) not in maps:
            maps[id(chosen)] = map_items(chosen)
        return {"points": maps[id(chosen)]}

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page() -> str:
        return PAGE.read_text()

    app.add_exception_handler(UserError, _tell_mistake)
    app.add_exception_handler(RequestValidationError, _tell_wrong_input)
    app.add_exception_handler(Exception, _tell_nothing)
    return app


def _about(name: str, run: LoadedRun) -> dict[str, Any]:
    shown = {key: run.metrics[key] for key in ("test/hr@10", "test/ndcg@10") if key in run.metrics}
    return {
        "name": name,
        "title": run.name,
        "users": run.prepared.n_users,
        "items": run.prepared.n_items,
        "titles": run.items is not None,
        "metrics": shown,
    }


def _answer(rows: pd.DataFrame, **about: Any) -> Response:
    """Return a table as JSON: {..., "rows": [{...}, ...]}."""
    content = {**about, "rows": json.loads(rows.to_json(orient="records"))}
    return JSONResponse(content)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _tell_mistake(_: Request, error: Exception) -> Response:
    missing = str(error).startswith(("no run", "not in the data"))
    return JSONResponse({"error": str(error)}, status_code=404 if missing else 400)


def _tell_wrong_input(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    line = f"{first['loc'][-1]}: {first['msg']}"
    return JSONResponse({"error": shorten(line, 200)}, status_code=400)


def _tell_nothing(_: Request, error: Exception) -> Response:
    log.error("%s", error, exc_info=error)
    return JSONResponse({"error": "something went wrong here; the log says what"}, status_code=500)
