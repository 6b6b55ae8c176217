"""A strict HTML parser for pages."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from seq2see.markup.page import script, style

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
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += data

    def of(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def check(self) -> None:
        """Checks the rules for all pages."""
        names = {tag for tag, _ in self.tags}
        assert not names & {"link", "img", "iframe", "object", "base", "form", "button", "input"}
        [policy] = [each["content"] or "" for each in self.of("meta") if "http-equiv" in each]
        for kind, content in (("style", style()), ("script", script())):
            assert len(self.of(kind)) == 1
            hashed = b64encode(sha256(content.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{hashed}'" in policy
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        for tag, attributes in self.tags:
            assert not any(name.startswith("on") for name in attributes), tag
            assert not attributes.keys() & {"src", "style", "srcdoc", "action"}
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
