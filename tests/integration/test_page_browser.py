"""The built-in page as people meet it: in a browser, with a pointer, a keyboard, a screen reader, at night."""
import math

import pytest

import browser as browsers

pytestmark = pytest.mark.skipif(browsers.program() is None, reason="no chromium; script/setup browser installs it")


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory):
    with browsers.Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser):
    one_browser.forget()
    return one_browser


@pytest.fixture
def page(browser, shared):
    """The page of a server, with its first figures on it."""
    browser.open("http://{}:{}/".format(*shared.address))
    browser.wait("document.querySelector('#queues tr')", "the queues")
    browser.wait("document.querySelector('#digit').textContent.startsWith('A 3')", "the first example's class")
    yield browser
    assert browser.complaints == []


def wait_text(page, selector, pattern):
    page.wait(f"/{pattern}/.test(document.querySelector('{selector}').textContent)",
              f"{pattern} in {selector}, which says {page.text(selector)!r}")


def place_of(page, selector):
    page.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    return page.run(f"(r => [r.x, r.y, r.width, r.height])(document.querySelector('{selector}').getBoundingClientRect())")


def draw(page, points):
    x, y, width, height = place_of(page, "#pad")
    page.drag([(x + right * width, y + down * height) for right, down in points])


def test_the_page_shows_what_the_server_does(page, shared, digit):
    answered = int(shared.metric("batcher_requests_total", model="digits", status="success"))
    for _ in range(7):
        assert shared.ask("POST", "/v1/models/digits:predict", {"instances": [digit]}).status == 200
    page.wait(f"[...document.querySelectorAll('#queues tr')].some(row => row.firstChild.textContent === 'digits'"
              f" && Number(row.lastChild.textContent) >= {answered + 7})", "seven requests in the table of queues")
    assert page.text("#state") == "ok"
    assert "Version" in page.text("#version")
    wait_text(page, "#stages", "computing the batch.*s")
    wait_text(page, "#models", "digits64 → 10")
    wait_text(page, "#median", "[0-9.]+ [µm]?s")
    assert page.run("document.querySelectorAll('#rates path, #latencies path, #sizes rect').length") > 3


def test_a_digit_drawn_with_a_pointer_is_recognised(page):
    page.run("document.getElementById('clear').click()")
    wait_text(page, "#digit", "Nothing is drawn")
    around = [a / 24 * 2 * math.pi for a in range(25)]
    draw(page, [(0.5 + 0.22 * math.sin(a), 0.5 - 0.35 * math.cos(a)) for a in around])
    wait_text(page, "#digit", "^A 0,")
    assert page.text("#classes .top em") == "0"
    wait_text(page, "#digit-timing", "in the server: parse .* queue .* compute .* write")


def test_a_digit_drawn_with_keys_is_recognised(page):
    page.run("document.getElementById('pad').focus()")
    page.key("Escape")
    wait_text(page, "#digit", "Nothing is drawn")
    for _ in range(3):
        page.key("ArrowUp", shift=True)
    page.key(" ")
    wait_text(page, "#digit", "Pen down")
    for _ in range(6):
        page.key("ArrowDown", shift=True)
    wait_text(page, "#digit", "^A 1,")


def test_each_example_is_what_it_is_called(page):
    for number in range(10):
        page.run(f"document.querySelectorAll('#examples button')[{number}].click()")
        wait_text(page, "#digit", f"^A {number},")


def test_prices_become_curves(page):
    page.run("""for (const [id, value] of [["period", 3], ["prices", "10.5; 11 | 12.25\\n13 14.75"]]) {
        const field = document.getElementById(id);
        field.value = value;
        field.dispatchEvent(new Event("input"));
    }""")
    wait_text(page, "#averages-text", "price 14.75SMA 13.33EMA 13")
    wait_text(page, "#strength-text", "RSI 100.00")
    assert page.run("document.querySelectorAll('#averages path.curve').length") == 3


def test_a_mistake_is_shown_in_the_servers_words(page):
    page.run("""document.getElementById("period").value = 1000;
        document.getElementById("period").dispatchEvent(new Event("input"));""")
    wait_text(page, "#price-error", "period")
    # The browser notes that the answer was a 400; that is what was wanted.
    assert all("400" in complaint for complaint in page.complaints)
    page.complaints.clear()


def test_everything_that_can_be_reached_has_a_name(page):
    for role in ("button", "image", "textbox", "spinbutton", "application", "region", "table", "link"):
        names = page.names(role)
        assert names and all(names), (role, names)
    assert page.names("heading")[:2] == ["jitney", "Live"]
    assert "status" in page.run("document.getElementById('state').getAttribute('role')")


def test_it_is_readable_by_day_and_by_night(page):
    colors = []
    for scheme in ("light", "dark"):
        page.prefer(scheme)
        colors.append(page.run("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"))
    assert colors[0][0] != colors[1][0] and colors[0][1] != colors[1][1], colors


def test_it_fits_a_telephone(page):
    page.resize(390, 800)
    assert page.run("document.documentElement.scrollWidth") <= 390


def test_pausing_is_possible(page):
    page.run("document.getElementById('pause').click()")
    assert page.run("document.getElementById('pause').getAttribute('aria-pressed')") == "true"
    page.run("document.getElementById('pause').click()")
    assert page.run("document.getElementById('pause').getAttribute('aria-pressed')") == "false"


def test_nothing_else_may_run_there(browser, shared):
    browser.open("http://{}:{}/".format(*shared.address))
    browser.run("""document.body.append(Object.assign(document.createElement("script"), {textContent: "window.intruder = 1"}));
        document.body.insertAdjacentHTML("beforeend", "<p id=styled style='color: red' onclick='window.intruder = 1'>");
        document.getElementById("styled").click();""")
    assert browser.run("window.intruder === undefined")
    browser.wait("getComputedStyle(document.getElementById('styled')).color !== 'rgb(255, 0, 0)'", "no style from elsewhere")
    assert any("Content Security Policy" in complaint for complaint in browser.complaints)


def test_a_server_that_is_gone_is_noticed(browser, start):
    server = start()
    browser.open("http://{}:{}/".format(*server.address))
    wait_text(browser, "#state", "^ok$")
    server.stop()
    wait_text(browser, "#state", "not reachable")


def test_without_requests_no_latency_is_shown(page):
    page.wait("/half within –.*99 % –/.test(document.querySelector('#latencies-text').textContent)",
              "dashes for the latency of nothing")
