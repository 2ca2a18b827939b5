"""What can be read from a picture's file."""

from __future__ import annotations

import re
import struct
from html import unescape
from pathlib import Path


def png_size(file: Path) -> tuple[int, int]:
    """Width and height in pixels of a PNG."""
    header = file.read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", header[16:])


def svg_texts(file: Path) -> list[str]:
    """Every text of an SVG that matplotlib wrote, which names what it draws as outlines."""
    return [unescape(text) for text in re.findall(r"<!-- (.*?) -->", file.read_text(), re.DOTALL)]
