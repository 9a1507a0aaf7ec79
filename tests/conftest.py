"""What holds for every run: Hypothesis profiles, ids that never change, no test left out, none slow without a reason."""

import gc
import os
import shutil
import sys

import pytest
from hypothesis import Phase, settings

# Workers are as many as cores: where BLAS starts threads of its own, they wait for each other's.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {f"{threads}_NUM_THREADS": "1" for threads in ("OMP", "OPENBLAS", "MKL")}

import autodiff

# A law that fails is reported once, as its least example: a fault that every drawn program meets at another place would
# be shrunk at each of them, and `explain` runs a failing law hundreds of times more. There is no deadline: on a busy
# machine it fails laws that hold, and the limit on processor time below covers the law as a whole.
ONCE = {"report_multiple_bugs": False, "phases": set(Phase) - {Phase.explain}, "deadline": None}
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.register_profile("quick", max_examples=15, **ONCE)  # other ones in every run
settings.register_profile(
    "brief", max_examples=8, derandomize=True, database=None, **ONCE
)  # for mutmut, and other versions
settings.register_profile("thorough", max_examples=150, derandomize=True, database=None, **ONCE)
settings.load_profile(PROFILE)

# Seconds of processor time for a test, the fixtures it sets up and the processes it waits for. A run tells of what takes
# more, and fails only above MARGIN times it: a slower machine, or neighbours on its caches, double processor time too.
LIMIT = 30.0 if PROFILE == "thorough" else 10.0
MARGIN = 3.0

# Files that take longest come first, so that no worker is left alone with one at the end: in the order of the processor
# time of a thorough run. The others follow as they are found.
LONGEST = [
    f"test_{name}.py" for name in (
        "benchmarks", "chapters", "laws", "modes", "machine_code", "gradient_corpus", "positions", "fold", "large_gradients",
        "playground", "gallery", "stepper", "sound_gradients", "networks_1986", "gradient_testing", "site", "browser",
        "course_tools", "fuzz", "native", "lesson_pictures", "testing", "page_engine", "estimator_words", "tape",
    )
]  # fmt: skip

started = pytest.StashKey[float]()
skipped, slow = [], {}  # the seconds of the slow ones by their ids


def processor_time():
    """Seconds of this process and of the children it waited for: a busy machine stretches them far less than a clock's."""
    return sum(os.times()[:4])


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "pure: counts or interrupts lines of the engine in Python, which the one in C has not"
    )
    config.addinivalue_line("markers", "once: asks nothing of Python's version, nor of how old a dependency may be")
    config.addinivalue_line("markers", "native: compares the engine in C with the one in Python")
    config.addinivalue_line("markers", f"slow(reason): takes more than {LIMIT:g} s of processor time, and why it must")


# laws of functions of arguments take the value; a mark holds under `-W error` too, where pyproject.toml's lines do not
NO_PARAMETERS = pytest.mark.filterwarnings("ignore:value_and_grad differentiates by parameters:UserWarning")


def pytest_collection_modifyitems(config, items):
    """Put the longest files first. An address in an id differs between the workers, who then run nothing; `slow` without a reason is no argument."""
    theirs = "pure" if autodiff.engine == "C" else "native"
    other = [item for item in items if item.get_closest_marker(theirs)]
    config.hook.pytest_deselected(items=other)  # continuous integration runs all tests with either engine
    left = set(items) - set(other)
    order = {name: place for place, name in enumerate(LONGEST)}
    items[:] = sorted((item for item in items if item in left), key=lambda item: order.get(item.path.name, len(order)))
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"a test's id must hold no address, got {item.nodeid}; pass ids to parametrize")
        item.add_marker(NO_PARAMETERS)
        if any(not mark.kwargs.get("reason") for mark in item.iter_markers("slow")):
            raise pytest.UsageError(f'slow must have a reason, got none for {item.nodeid}; write slow(reason="...")')


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Ten thousand tests are no work for the collector: a third of their collection, and a tenth of a run's time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_runtest_setup(item):
    item.stash.setdefault(started, processor_time())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and not item.get_closest_marker("slow"):
        report.user_properties.append(("processor time", processor_time() - item.stash[started]))
    return report


def pytest_runtest_logreport(report):
    if report.skipped:
        skipped.append(report.nodeid)
    seconds = dict(report.user_properties).get("processor time", 0.0) if report.when == "call" else 0.0
    if seconds > LIMIT:
        slow[report.nodeid] = seconds


def pytest_collectreport(report):
    if report.skipped:
        skipped.append(report.nodeid)


def broken():
    """The rules that this run breaks, of those that continuous integration asks for."""
    if os.environ.get("FAIL_ON_SKIP") and skipped:
        yield f"FAIL_ON_SKIP: {len(skipped)} skipped: {', '.join(skipped)}"
    if os.environ.get("CI") and (names := slower_than(MARGIN * LIMIT)):
        yield f"slower than {MARGIN * LIMIT:g} s without a slow(reason=...): {names}"


def slower_than(limit):
    return ", ".join(f"{name} ({seconds:.1f} s)" for name, seconds in slow.items() if seconds > limit)


def pytest_sessionfinish(session, exitstatus):
    """A skipped test is a test that did not run, and a slow one is run less often: either fails a run that passed."""
    if exitstatus == 0 and any(broken()):
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if names := slower_than(LIMIT):
        terminalreporter.write_line(
            f"more than {LIMIT:g} s of processor time, with no slow(reason=...): {names}", yellow=True
        )
    for rule in broken():
        terminalreporter.write_line(rule, red=True)


@pytest.fixture(autouse=True)
def same_recursion_limit():
    """Where one test leaves a higher one, another that runs into it fills the memory instead."""
    limit = sys.getrecursionlimit()
    yield
    left = sys.getrecursionlimit()
    sys.setrecursionlimit(limit)
    assert left == limit


@pytest.fixture
def no_dot(monkeypatch, tmp_path_factory):
    """A machine without the system's Graphviz."""
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("empty")))


@pytest.fixture
def no_graphviz(no_dot, monkeypatch):
    """A machine without any Graphviz."""
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


def patient(open_one):
    """Return what opens a page or context that waits for minutes: half a minute is little for a machine that is busy."""

    def opened(**options):
        one = open_one(**options)
        one.set_default_timeout(180_000)
        return one

    return opened


@pytest.fixture(scope="module")
def chromium():
    """A real browser, driven by Playwright.

    For one module at a time: while Playwright is open its event loop counts as running, and no other could be started.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium here")
    arguments = [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ]  # fmt: skip
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        browser.new_page, browser.new_context = patient(browser.new_page), patient(browser.new_context)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tab(chromium):
    """One tab for the whole module."""
    page = chromium.new_page(reduced_motion="reduce")
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    return page


@pytest.fixture
def visit(tab):
    """Open a page of ours; afterwards: nothing in the console, nothing asked of any network."""
    tab.complaints.clear()
    tab.requests.clear()
    visited = set()

    def open_page(path, *, width=1280, height=800, scheme="light"):
        visited.add(path.as_uri())
        tab.set_viewport_size({"width": width, "height": height})
        tab.emulate_media(color_scheme=scheme)
        tab.goto(path.as_uri())
        return tab

    yield open_page
    assert tab.complaints == []
    assert set(tab.requests) == visited != set()
