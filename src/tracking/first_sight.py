"""MLflow's server as it is wanted here: its pages open on runs, not on language models.

What is seen first is kept by the browser. A browser that has not decided yet is told: no panel of
an assistant over a quarter of the page, "model training" instead of "GenAI", no telemetry. All are
one click away, and what a person chooses stays. The bare address leads to the experiments.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.metadata import entry_points
from typing import Any

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # of language models' jobs: ten processes and 1.2 GB that no run of ours has a use for
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""The environment of MLflow's server."""

# The name of `make_app` in pyproject.toml, where MLflow's server looks for it
GROUP, APP = "mlflow.app", "ncf"

# Entries of the browser's store, as MLflow's pages (3.17) name them
FIRST_SIGHT = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.settings.telemetry.enabled_v1": False,
    "mlflow.telemetry.info.alert.dismissed_v1": True,
}
SCRIPT = (
    f"for (const [key, value] of Object.entries({json.dumps(FIRST_SIGHT)})) "
    "if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value)); "
    'if (!location.hash) location.hash = "#/experiments"'
)
"""JavaScript for before any of the page's own."""
# With these the browser might be told to take the page that it has
CACHING = (b"if-none-match", b"if-modified-since", b"accept-encoding", b"range")
CACHED = (b"etag", b"last-modified", b"content-length")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def choose_app() -> list[str]:
    """Return the words that let `mlflow server` show these pages.

    None where the package was installed before it had them.
    """
    known = {entry.name for entry in entry_points(group=GROUP)}
    return ["--app-name", APP] if APP in known else []


def make_app() -> App:
    """Return MLflow's own app, with its first page changed."""
    from mlflow.server.fastapi_app import app

    return with_first_sight(app)


def with_first_sight(app: App) -> App:
    """Return an ASGI app whose first page has SCRIPT before any other; the rest is as it was."""

    async def changed(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await app(scope, receive, send)
            return
        asked = [pair for pair in scope["headers"] if pair[0].lower() not in CACHING]
        start: Message = {}
        content = b""

        async def collect(message: Message) -> None:
            nonlocal content
            if message["type"] == "http.response.start":
                start.update(message)
                return
            content += message.get("body", b"")
            if not message.get("more_body", False):
                first = f"<head><script>{SCRIPT}</script>"
                page = content.replace(b"<head>", first.encode(), 1)
                kept = [pair for pair in start["headers"] if pair[0].lower() not in CACHED]
                length = (b"content-length", str(len(page)).encode())
                await send({**start, "headers": [*kept, length]})
                await send({"type": "http.response.body", "body": page})

        await app({**scope, "headers": asked}, receive, collect)

    return changed
