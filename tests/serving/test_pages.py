"""The pages of a service: complete, and with nothing from elsewhere."""

from __future__ import annotations

import base64
import re
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

import pytest
from tests.serving.conftest import Running, require_extra

from seq2see.serving.options import ServiceOptions

require_extra()

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_nothing_and_allows_only_its_own_style_and_script(service: Running, path: str) -> None:
    reply = service.ask(path)
    assert reply.headers["content-type"].startswith("text/html")
    policy, page = reply.headers["content-security-policy"], reply.body.decode()
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for tag in ("style", "script"):
        own = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [f"'sha256-{base64.b64encode(sha256(each.encode()).digest()).decode()}'" for each in own]
        assert re.search(rf"{tag}-src ([^;]*)", policy)[1] == " ".join(digests)  # type: ignore[index]
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
    assert not re.search(r"<[^>]* (style|on\w+)=", page)


def test_the_reference_names_every_endpoint_and_option(service: Running) -> None:
    page = service.ask("/docs").body.decode()
    assert all(path in page for path in service.app.paths if path not in ("/", "/docs"))
    assert "length_penalty" in page
    assert "from 1 up to 100" in page


def test_the_page_about_serving_names_every_option() -> None:
    page = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    for field in fields(ServiceOptions):
        assert f"`--{field.name.replace('_', '-')}`" in page, field.name
