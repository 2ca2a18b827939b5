"""What a page is made of: sections of text, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """A PNG of the page, and what it says in words."""

    file: Path
    alt: str
    title: str = ""
    inches: float | None = None
    """Its width, where it is to be kept on a phone, and scrolled."""


@dataclass
class Section:
    """A part of the page under a heading of its own."""

    name: str
    title: str
    text: list[str] = field(default_factory=list)
    """Paragraphs before the pictures."""
    heads: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    """A table before the pictures."""
    pictures: list[Picture] = field(default_factory=list)
    caption: str = ""
    """What stands below the pictures."""
    closed: list[Section] = field(default_factory=list)
    """Sections shown on request."""
    files: list[Path] = field(default_factory=list)
    """The numbers behind the pictures."""

    def list_files(self) -> list[Path]:
        """Return the files of pictures and of numbers, also of what is closed."""
        inner = [file for section in self.closed for file in section.list_files()]
        return [*(picture.file for picture in self.pictures), *self.files, *inner]
