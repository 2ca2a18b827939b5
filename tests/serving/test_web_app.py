"""The HTTP answers, and the page clicked through in a headless browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from benchmarks.browser import installed
from src.config.ports import is_free
from src.serving.loaded_run import LoadedRun
from src.serving.web_app import make_app
from tests.serving.test_loaded_run import NAMES, WithoutVectors, make

PORT = 8765


class Broken(WithoutVectors):
    def score_all(self, users):  # type: ignore[no-untyped-def]
        raise RuntimeError("a secret path /home/me")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    port = next(port for port in range(PORT, PORT + 100) if is_free("127.0.0.1", port))
    runs: dict[str, LoadedRun] = {
        "first": make(items=NAMES),
        "second": make(WithoutVectors(3, 4), NAMES),
        "broken": make(Broken(3, 4)),
    }
    server = uvicorn.Server(uvicorn.Config(make_app(runs), port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def ask(address: str, path: str) -> tuple[int, Any]:
    try:
        with urlopen(f"{address}{path}") as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def test_answers(address: str) -> None:
    assert ask(address, "/health") == (200, {"status": "ok", "runs": ["first", "second", "broken"]})
    status, found = ask(address, "/recommend?user=ann&k=2")
    assert status == 200
    assert found["known"]
    assert [(row["item"], row["held_out"]) for row in found["rows"]] == [(30, True)]
    _, found = ask(address, "/recommend?user=zoe&k=1")
    assert (found["known"], found["rows"][0]["item"]) == (False, 10)
    _, found = ask(address, "/similar?item=20&k=1")
    assert (found["item"], found["rows"][0]["title"]) == (20, "Ten")
    _, found = ask(address, "/history?user=ann")
    assert [row["item"] for row in found["rows"]] == [10, 30, 20, 40]
    assert ask(address, "/users?begins=b") == (200, ["bob"])
    _, found = ask(address, "/items?words=TEN")
    assert [row["item"] for row in found["rows"]] == [10]
    _, found = ask(address, "/map")
    assert found["points"]["popularity"] == [3, 1, 0, 0]
    assert ask(address, "/map?run=second") == (200, {"points": None})
    assert "/recommend" in ask(address, "/openapi.json")[1]["paths"]


@pytest.mark.parametrize(
    ("path", "status", "line"),
    [
        ("/recommend", 400, "user: Field required"),
        ("/recommend?user=ann&k=0", 400, "k: Input should be greater than or equal to 1"),
        ("/recommend?user=ann&k=x", 400, "k: Input should be a valid integer"),
        ("/recommend?user=ann&run=other", 404, "no run other: there are first, second, broken"),
        ("/history?user=zoe", 404, "not in the data: user zoe"),
        ("/similar?item=11", 404, "not in the data: item 11"),
        ("/recommend?user=ann&run=broken", 500, "something went wrong here; the log says what"),
    ],
)
def test_what_can_t_be_answered_is_one_line(
    address: str, path: str, status: int, line: str
) -> None:
    found, content = ask(address, path)
    assert found == status
    assert content["error"].startswith(line)
    assert list(content) == ["error"]


def test_the_page_clicked_through(address: str, tmp_path: Path) -> None:
    if (browser := installed()) is None:
        pytest.skip("no chromium or google-chrome on the PATH")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for width in (1280, 390):
            said: list[str] = []
            page = launched.new_page(viewport={"width": width, "height": 900})
            page.on("pageerror", lambda error, said=said: said.append(str(error)))
            page.goto(address)
            page.wait_for_selector("#of-second tr.item")
            page.fill("#user", "bob")
            page.dispatch_event("#user", "change")
            page.wait_for_function("document.querySelectorAll('#of-first tr.item').length == 3")
            assert page.inner_text("#of-first tr.item >> nth=0").startswith("Forty in both")
            page.wait_for_function(
                "document.querySelector('#of-history h2').textContent == 'What user bob had'"
            )
            page.select_option("#second", "")
            page.wait_for_selector("#of-second", state="hidden")
            page.click("#of-first tr.item >> nth=1")
            page.wait_for_selector("#of-item tr.item")
            assert page.inner_text("#of-item h2") == "Nearest to item 30"
            page.fill("#words", "ten")
            page.dispatch_event("#words", "change")
            page.wait_for_function(
                "document.querySelector('#of-item h2').textContent.endsWith('Ten')"
            )
            page.select_option("#first", "broken")
            page.wait_for_function("document.querySelector('#error').textContent != ''")
            assert "secret" not in page.content()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert said == []
        launched.close()
