"""Reports, looked at in a real browser: Chromium without a window."""

import shutil
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from playwright.sync_api import sync_playwright

from benchmarks.records.item import Item, ResultPreview, make_item
from benchmarks.reports.error_classes import classify_errors
from benchmarks.reports.html.page import write_report
from benchmarks.reports.recorded_run import RecordedRun
from sql_env import Scorer, load_benchmark

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

LAPTOP, PHONE = {"width": 1366, "height": 850}, {"width": 390, "height": 844}

HOSTILE = [
    "<script>window.ran = 1</script>",
    "</script><script>window.ran = 1</script>",
    "<!--<script>",
    "<img src=x onerror='window.ran = 1'>",
    "\"' onmouseover='window.ran = 1",
    "{{7*7}} ${7*7} {% for x in y %}",
    "javascript:window.ran=1",
    "wide" * 3_000,
    "\u202etfel ot thgir\u202c \u2066isolated\u2069 שלום عربي",
    "a\x00b\x1b[31mc\x7fd\r\u2028e\u2029f",
    "\ud800 lone \udfff",
    "👩‍👩‍👧 🏳️‍🌈 é̂̃",
    "__proto__",
    "constructor",
]

CONTRAST = """() => {
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const behind = (element) => { for (; element; element = element.parentElement) { const c = colour(getComputedStyle(element).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const seen = new Map(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest("button:disabled, svg, script, .hidden, .skip")) continue;
    const a = light(colour(getComputedStyle(element).color)), b = light(behind(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) seen.set(`${element.tagName}.${element.className} "${node.data.slice(0, 30)}"`, ratio);
  }
  return [...seen];
}"""  # noqa: E501


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def answered():
    """Two evaluations on the demo benchmark and a training run; answers are gold or another task's."""
    tasks = load_benchmark("demo").tasks[:120]
    schemas = {task.db_id: "CREATE TABLE dish (id INTEGER);" for task in tasks}
    with Scorer({"rewards": ["result", "length"], "response_format": "sql"}, rows=True) as scorer:

        def run(name, wrong, step=None):
            said = [tasks[i - 1].gold_sql if wrong(i) else task.gold_sql for i, task in enumerate(tasks)]
            said[7] = ""
            items = [
                make_item(i, score, step=step and 1 + i // 8)
                for i, score in enumerate(scorer.score(said, tasks))
            ]
            return RecordedRun(name, items, {"benchmark": "demo", "split": "test"}, schemas)

        return [
            run("first", lambda i: i % 3 == 0),
            run("second", lambda i: i % 4 == 0),
            run("grpo", lambda i: i % 2, 1),
        ]


@pytest.fixture(scope="module")
def report(answered, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(answered[:2], path)
    return path


@contextmanager
def opened(browser, path, view="#/", size=LAPTOP, scheme="light"):
    """A page of a report; at its end it must have logged no error and asked for nothing but itself."""
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page = context.new_page()
    wrong, asked = [], []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
    page.goto(path.as_uri() + view)
    try:
        yield page
        assert wrong == []
        assert set(asked) == {path.as_uri()}
        assert page.evaluate("window.ran") is None
    finally:
        context.close()


def found(page):
    """How many items the list says that it has."""
    page.wait_for_selector("#list [role=option], #detail p.muted")
    return int(page.inner_text("#found").partition(" ")[0].replace(",", ""))


def wide(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def choose(page, name, value):
    if page.get_attribute("#more", "aria-expanded") == "false":
        page.click("#more")
    page.select_option(f"select[name='{name}']", value)


def test_the_overview_says_what_the_runs_say_and_leads_to_items(browser, report, answered):
    with opened(browser, report) as page:
        right = [sum(bool(item.correct) for item in run.items) for run in answered]
        cards = page.query_selector_all(".card")
        for card, count in zip(cards, right[:2], strict=True):
            assert f"{100 * count / 120:.1f}" in card.inner_text()
            assert f"{count} right" in card.inner_text()
        cards[1].query_selector("text=wrong").click()
        assert found(page) == 120 - right[1]
        page.go_back()
        page.wait_for_selector("#overview", state="visible")
        page.click("table.figures >> text=/^\\d+\\.\\d$/ >> nth=0")
        page.wait_for_selector("#items", state="visible")
        assert 0 < found(page) < 120


def test_filters_and_search_find_what_is_there(browser, report, answered):
    first, second = (run.items for run in answered[:2])
    with opened(browser, report, "#/items") as page:
        assert found(page) == 120
        choose(page, "verdict", "wrong")
        assert found(page) == sum(
            a.correct is False or b.correct is False for a, b in zip(first, second, strict=True)
        )
        choose(page, "run", "1")
        assert found(page) == sum(not b.correct for b in second)
        name = next(classify_errors(b).primary for b in second if not b.correct)
        choose(page, "class", name)
        assert found(page) == sum(classify_errors(b).primary == name for b in second)
        assert page.inner_text("#active").count("×") == 3
        while page.query_selector("#active button"):
            page.click("#active button >> nth=0")
        for way in ("gained", "lost"):
            choose(page, "flip", f"{way}-0-1")
            pairs = ((a, b) if way == "gained" else (b, a) for a, b in zip(first, second, strict=True))
            assert found(page) == sum(not a.correct and bool(b.correct) for a, b in pairs)
        page.click("#active button")
        choose(page, "status", "malformed")
        assert found(page) == 1
        page.click("#active button")
        word = first[5].question.split()[-1].strip("?.")
        page.fill("#q", f"{first[5].task_id.upper()} {word}")
        assert found(page) == 1
        assert page.inner_text("#detail h2") == first[5].question
        page.fill("#q", "there is no such word")
        assert found(page) == 0
        assert "No item" in page.inner_text("#detail")


def test_an_item_shows_all_that_is_known(browser, report, answered):
    place = next(i for i, item in enumerate(answered[0].items) if item.correct is False and item.result)
    shown = answered[0].items[place]
    with opened(browser, report, f"#/items?item={place}") as page:
        page.wait_for_selector(".answer")
        text = page.inner_text("#detail")
        assert shown.question in text
        assert classify_errors(shown).primary in text
        assert page.locator("mark.gold, mark.ours").count() > 0
        assert page.locator("td.differs").count() > 0
        assert page.locator(".answer").count() == 2
        ours = page.locator(".answer >> nth=0").locator(".beside >> nth=0").locator("pre >> nth=1")
        assert "".join(ours.inner_text().split()).lower() == "".join(shown.sql.split()).lower()
        page.click("text=Schema")
        assert "CREATE TABLE dish" in page.inner_text("#detail")


def test_it_is_used_by_keyboard(browser, report):
    with opened(browser, report, "#/items") as page:
        found(page)
        chosen = "#list [aria-selected=true]"
        ids = page.eval_on_selector_all("#list [role=option]", "all => all.map((each) => each.id)")
        page.keyboard.press("j")
        assert page.get_attribute(chosen, "id") == ids[1]
        assert page.get_attribute("#list", "aria-activedescendant") == ids[1]
        for key, place in (("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("k", 0), ("PageDown", 10)):
            page.keyboard.press(key)
            assert page.get_attribute(chosen, "id") == ids[place]
        page.keyboard.press("End")
        assert page.inner_text("#page") == "3 of 3"
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "q"
        page.keyboard.type("jk/")
        assert page.input_value("#q") == "jk/"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "list"
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with opened(browser, report) as page:
        reached = set()
        for _ in range(8):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.textContent.trim()"))
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert {"Skip to the content", "Overview", "Items"} <= reached


def test_addresses_lead_back_and_the_phone_has_one_column(browser, report):
    with opened(browser, report, "#/items?verdict=wrong", PHONE) as page:
        found(page)
        assert not page.is_visible("#detail")
        page.tap("#list li >> nth=2") if page.evaluate("navigator.maxTouchPoints") else page.click(
            "#list li >> nth=2"
        )
        page.wait_for_selector(".answer")
        assert not page.is_visible("#list")
        address = page.url
        page.go_back()
        page.wait_for_selector("#list", state="visible")
        assert found(page) < 120
        page.click("#after")
        assert page.inner_text("#page").startswith("2 of")
    with opened(browser, report, "#" + address.partition("#")[2], PHONE) as page:
        page.wait_for_selector(".answer")
        page.click("#back")
        assert page.is_visible("#list")


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(browser, answered, tmp_path, size, scheme):
    path = tmp_path / "all.html"
    write_report(answered, path)
    for view in ("#/", "#/items?verdict=wrong", "#/items?verdict=wrong&item=3", "#/items?run=2&item=150"):
        with opened(browser, path, view, size, scheme) as page:
            page.wait_for_timeout(200)
            if view.startswith("#/items") and page.is_visible("#more"):
                page.click("#more")
            assert wide(page) == 0
            assert page.evaluate(CONTRAST) == []


def test_light_and_dark_can_be_changed(browser, report):
    backgrounds = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, report, scheme="light") as page:
        light = page.evaluate(backgrounds)
        page.click("#theme")
        dark = page.evaluate(backgrounds)
        page.click("#theme")
        assert page.evaluate(backgrounds) == light != dark
    with opened(browser, report, scheme="dark") as page:
        assert page.evaluate(backgrounds) == dark


def test_a_training_run_has_curves_and_steps(browser, answered, tmp_path):
    path = tmp_path / "training.html"
    write_report(answered[2:], path)
    with opened(browser, path) as page:
        assert page.locator("svg.chart").count() == 4
        assert "correct rollouts" in page.inner_text(".card")
        page.click("#to-items")
        choose(page, "step", "3")
        assert found(page) == 8
        assert "step 3" in page.inner_text("#list li >> nth=0")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_neither_runs_nor_breaks_the_page(browser, text, tmp_path):
    values = [[text, None], [{"text": text[:500], "length": 501}, {"number": "inf"}]]
    result = ResultPreview([text, "b"], values, 2)
    hostile = Item(
        0, text, text, text, text, text, text, f"SELECT '{text}'", text, text, f"SELECT '{text}' FROM t",
        False, text, text, "", 1.0, {text: 1.0}, {text: 0.5}, result, replace(result, rows=values[:1]),
    )  # fmt: skip
    runs = [
        RecordedRun(text, [hostile, replace(hostile, index=1, sql=text)], {text: text}, {text: text}),
        RecordedRun("steps", [replace(hostile, step=1), replace(hostile, step=2, dialect="sqlite")], {}, {}),
    ]
    path = tmp_path / "hostile.html"
    write_report(runs, path)
    for size in (LAPTOP, PHONE):
        with opened(browser, path, "#/", size) as page:
            assert wide(page) == 0
            page.click("#to-items")
            assert found(page) == 4
            page.click("#more")
            assert wide(page) == 0
            page.click("#list li >> nth=0")
            page.wait_for_selector(".answer")
            assert wide(page) == 0
            assert (
                page.evaluate(
                    "document.querySelectorAll('#items script, #items img, #overview script').length"
                )
                == 0
            )
            assert "49" not in page.inner_text("#detail h2")
            shown = page.inner_text("#detail h2")
            if text.isprintable():
                assert " ".join(shown.split()) == " ".join(text.split())
            else:
                assert all(c.isprintable() or c in "\u200d\n" for c in shown)
            for name in page.eval_on_selector_all("#facets select", "all => all.map((each) => each.name)"):
                if size is LAPTOP:
                    page.select_option(f"select[name='{name}']", index=1)
                    assert found(page) >= 0
                    page.click("#active button")


def test_the_policy_of_the_page_holds(browser, report):
    context = browser.new_context()
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.evaluate("fetch('data:,x').then(() => 'fetched', () => 'refused')") == "refused"
    refused = "(() => { try { %s; return ''; } catch (error) { return error.name; } })()"
    for way in (
        "document.body.setAttribute('onclick', 'window.ran = 1')",
        "document.body.innerHTML = '<img src=x onerror=window.ran=1>'",
        "document.createElement('script').text = 'window.ran = 1'",
    ):
        assert page.evaluate(refused % way) == "TypeError", way
    assert page.evaluate("window.ran") is None
    context.close()


def test_ten_thousand_items_stay_responsive(browser, answered, tmp_path, record_property):
    some = answered[0].items
    many = [
        replace(some[i % 120], index=i, task_id=f"task-{i}", question=f"{some[i % 120].question} {i}")
        for i in range(10_000)
    ]
    path = tmp_path / "many.html"
    write_report([replace(answered[0], items=many)], path)
    assert path.stat().st_size < 12_000_000
    with opened(browser, path) as page:
        timed = {}

        def step(name, act):
            start = time.perf_counter()
            act()
            timed[name] = round(time.perf_counter() - start, 3)
            assert page.evaluate("document.querySelectorAll('*').length") < 3_000

        step("open", lambda: (page.click("#to-items"), found(page)))
        assert found(page) == 10_000
        step("filter", lambda: choose(page, "verdict", "wrong"))
        assert found(page) == sum(item.correct is False for item in many)
        step("search", lambda: page.fill("#q", "9999"))
        assert found(page) == (many[9999].correct is False)
        step("all", lambda: page.goto(path.as_uri() + "#/items"))
        step("last", lambda: (page.focus("#list"), page.keyboard.press("End")))
        assert page.inner_text("#page") == "200 of 200"
        page.wait_for_function("document.querySelector('#detail h2').textContent.endsWith(' 9999')")
    print(f"{path.stat().st_size / 1e6:.1f} MB;", timed)
