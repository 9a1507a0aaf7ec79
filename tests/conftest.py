"""Hypothesis profiles (`HYPOTHESIS_PROFILE=thorough` in continuous integration), and `FAIL_ON_SKIP`."""

import os
import shutil

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("brief", max_examples=8, deadline=None, derandomize=True, database=None)  # tests.mutation
settings.register_profile("thorough", max_examples=150, deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

skipped = []


def pytest_runtest_logreport(report):
    if report.skipped:
        skipped.append(report.nodeid)


def pytest_collectreport(report):
    if report.skipped:
        skipped.append(report.nodeid)


def pytest_sessionfinish(session, exitstatus):
    """Where everything is installed a skipped test is a test that did not run: with FAIL_ON_SKIP it fails the run."""
    if os.environ.get("FAIL_ON_SKIP") and skipped and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("FAIL_ON_SKIP") and skipped:
        terminalreporter.write_line(f"FAIL_ON_SKIP: {len(skipped)} skipped: {', '.join(skipped)}", red=True)


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
        yield browser
        browser.close()
