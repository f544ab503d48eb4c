"""How long the page at `/fleet` takes in a real Chromium, and what it asks of the broker.

Invariant: each load is a whole one, from the address to the load event, with nothing of it kept from the one before; the web layer is a server on this
machine with an hour of counts, its collector at work.
"""

import statistics
import time
from typing import Any

from tests.app.page.serving import page_server
from tests.browser import PROGRAM, Tab, chromium

WARM_LOADS, LOADS = 3, 25

TIMES = "(({startTime, loadEventEnd, responseEnd}) => [loadEventEnd - startTime, responseEnd - startTime])(performance.getEntriesByType('navigation')[0])"
"""Source: W3C, "Navigation Timing Level 2", in milliseconds."""


def page_load() -> dict[str, Any]:
    """Medians and the slowest of the loads; questions to the broker for each second of them."""
    if PROGRAM is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    with page_server() as page, chromium() as browser:
        tab = Tab(browser)
        tab.look_like(width=1280)
        tab.call("Network.setCacheDisabled", cacheDisabled=True)
        begin, asked = time.monotonic(), len(page.broker.asked)
        loads, answers = [], []
        for _ in range(WARM_LOADS + LOADS):
            # Those who look within a second are shown the same: each load is to be one that is rendered.
            time.sleep(1.1)
            tab.open(f"{page.address}/fleet")
            tab.wait_for("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
            load, answer = tab.run(TIMES)
            loads.append(load)
            answers.append(answer)
        seconds, questions = time.monotonic() - begin, len(page.broker.asked) - asked
    return {
        "page_load_ms": round(statistics.median(loads[WARM_LOADS:]), 1),
        "page_load_slowest_ms": round(max(loads[WARM_LOADS:]), 1),
        "page_answer_ms": round(statistics.median(answers[WARM_LOADS:]), 1),
        "page_broker_requests_per_second": round(questions / seconds, 2),
    }
