"""The built-in page: whole in itself, since the machine that shows it may reach nothing else."""
import base64
import hashlib
import re


def test_the_page_is_there(shared):
    response = shared.ask("GET", "/")
    assert response.status == 200
    assert response.headers["content-type"].lower().replace(" ", "") == "text/html;charset=utf-8"
    assert response.body.lstrip().lower().startswith(b"<!doctype html>")


def test_the_page_loads_nothing_from_elsewhere(shared):
    page = shared.ask("GET", "/").body.decode()
    loaded = re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)|url\(["']?([^"')]+)|@import\s+["']([^"']+)""", page)
    for reference in (name for names in loaded for name in names if name):
        assert not re.match(r"([a-z]+:)?//", reference, re.IGNORECASE), reference


def test_the_page_asks_only_for_what_is_served(shared):
    page = shared.ask("GET", "/").body.decode()
    asked = set(re.findall(r"""\bask\(\s*["']([^"'?]+)""", page))
    assert {"/health", "/metrics", "/v1/models"} <= asked
    for path in asked:
        assert shared.ask("GET", path).status == 200, path


def test_the_page_names_the_only_code_that_may_run(shared):
    response = shared.ask("GET", "/")
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        inline = re.findall(rf"<{tag}>(.*?)</{tag}>", response.body.decode(), re.DOTALL)
        assert len(inline) == 1
        digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
