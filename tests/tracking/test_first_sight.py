"""The first page of MLflow's server, by an app in its place."""

from __future__ import annotations

import asyncio
from typing import Any

from src.tracking.first_sight import SCRIPT, App, Message, with_first_sight

PAGE = b"<html><head><script src=main.js></script></head></html>"


async def server(scope: Message, receive: Any, send: Any) -> None:
    """Answer as MLflow's does: the page, or nothing new for who has it."""
    asked = dict(scope["headers"])
    status = 304 if b"if-none-match" in asked else 200
    headers = [(b"etag", b"1"), (b"content-length", b"56"), (b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for part, more in ((PAGE[:20], True), (PAGE[20:], False)):
        await send({"type": "http.response.body", "body": part, "more_body": more})


def ask(app: App, path: str, *headers: tuple[bytes, bytes]) -> tuple[Message, bytes]:
    """Return the beginning of an answer, and its body."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return sent[0], b"".join(message["body"] for message in sent[1:])


def test_the_first_page_begins_with_what_is_seen_first() -> None:
    start, body = ask(with_first_sight(server), "/", (b"if-none-match", b"1"))
    assert start["status"] == 200
    assert body == PAGE.replace(b"<head>", f"<head><script>{SCRIPT}</script>".encode())
    assert dict(start["headers"]) == {
        b"content-type": b"text/html",
        b"content-length": str(len(body)).encode(),
    }


def test_all_else_is_mlflow_s_own() -> None:
    asked = (b"if-none-match", b"1")
    assert ask(with_first_sight(server), "/health", asked) == ask(server, "/health", asked)
