"""What holds for every test: how hard Hypothesis tries, and which tests need more than a checkout.

Nothing here starts anything: `make test` starts what the marked tests need and says so by environment variables.
"""

import gc
import os
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.groups import ALONE, Groups, file_of, long_groups_first

NEEDS = {
    "cluster": ("FLEET_CLUSTER_TESTS", "a running sandbox; `make test` starts it"),
    "engine": ("FLEET_ENGINE_TESTS", "the real pulumi; `make test` builds it"),
    "scan": ("FLEET_SCAN_TESTS", "the tools and the minute of `make scan`"),
}
"""Marker -> environment variable that says it can run, and what it needs."""

# Commands under test print as where nobody looks; pytest-xdist tells its workers how wide a terminal is.
os.environ.pop("COLUMNS", None)

# A shell that starts the tests in its background has them ignore Ctrl-C, and so would the commands that they start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the collected tests and their imports hold stays until the end: to look for garbage in it again and again took a sixth of the time.
gc.set_threshold(100_000, 20, 50)

# Here alone stands how many examples are tried: a test that stated its own number would hold to it in the thorough profile too.
# No deadline: two cores are shared with builds, and a slow machine is no defect of the code under test.
settings.register_profile(
    "fast", max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("fast"), max_examples=25, derandomize=True, print_blob=True)
settings.register_profile("thorough", settings.get_profile("fast"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "fast"))


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadgroup":
        return None
    return Groups(config, log)


# The selection by markers (`-m`) comes after this.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # How a process that pytest-xdist started hears of `--dist loadgroup`.
    if getattr(config.option, "loadgroup", False):
        long_groups_first(items)
    for item in items:
        if file_of(item.nodeid) in ALONE:
            item.add_marker(pytest.mark.alone)
        for marker, (variable, needs) in NEEDS.items():
            if item.get_closest_marker(marker) is not None and os.environ.get(variable) != "1":
                item.add_marker(pytest.mark.skip(reason=f"needs {needs}"))
