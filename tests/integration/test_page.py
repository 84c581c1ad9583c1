"""The built-in page: whole in itself, since the machine that shows it may reach nothing else."""
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
    asked = set(re.findall(r"""fetch\(\s*["'`]([^"'`?]+)""", page))
    assert asked, "a live page asks for something"
    for path in asked:
        assert shared.ask("GET", path if path.startswith("/") else "/" + path).status == 200, path
