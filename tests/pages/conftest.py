"""A strict HTML parser for pages."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

VOID = {"meta"}


class Page(HTMLParser):
    """Checks that elements are closed in order; collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def check(self) -> None:
        """Checks the rules for all pages."""
        names = {tag for tag, _ in self.tags}
        assert not names & {"script", "link", "img", "iframe", "object", "base", "form"}
        for tag, attributes in self.tags:
            assert not any(name.startswith("on") for name in attributes), tag
            assert "src" not in attributes
            assert (attributes.get("href") or "#").startswith("#")
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(set(ids)) == len(ids)
        assert {(link["href"] or "")[1:] for link in self.of("a")} <= set(ids)
        assert {each["aria-labelledby"] for each in self.of("section")} <= set(ids)
        assert "viewport" in [each.get("name") for each in self.of("meta")]
        assert self.of("html")[0]["lang"] == "en"
        assert len(self.of("h1")) == len(self.of("main")) == 1
        for scrolling in (each for _, each in self.tags if each.get("class") == "scroll"):
            assert scrolling["tabindex"] == "0"
            assert scrolling["aria-label"]
        assert len(self.of("table")) == len(self.of("caption"))


@pytest.fixture(scope="session")
def page_at() -> type[Page]:
    """The parser."""
    return Page
