"""
How long a suggestion takes at the desk: from the last key to the department on the screen, in Chromium, on a stack
that is up (``make up``). The pause that tells that typing stopped is part of it.

``python -m tests.bench.desk_suggest [--run-dir .run] [--rounds 60]``; exits 1 if the median is above the limit.
"""

import argparse
import itertools
import os
import statistics
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from deploy.stack.config import read_env_file
from tests.conftest import CHROMIUM

LIMIT_MS: Final = 150
TEXTS: Final = (
    "Kadıköy mahallesi Lise caddesinde yolda büyük bir çukur var",
    "Üst kattaki komşum gece yarısı müzik açıyor uyuyamıyoruz",
    "Zafer mahallesinde çöpler üç gündür alınmadı konteyner taştı",
    "Parktaki salıncağın zinciri kopmuş çocuklar düşebilir",
    "apartmanda gaz kokusu var",
    "Emlak vergisi borcumu nereden öğrenebilirim",
)


def measure(page: Page, rounds: int) -> list[float]:
    """
    Milliseconds of each round, as the page itself measures them.
    """
    found = []
    for text in itertools.islice(itertools.cycle(TEXTS), rounds):
        page.fill("#f-text", "")
        page.locator("#choices .pick").first.wait_for(state="detached")
        page.evaluate("delete document.getElementById('choices').dataset.took")
        page.locator("#f-text").press_sequentially(text, delay=1)
        took = page.locator("#choices[data-took]")
        took.wait_for()
        page.wait_for_timeout(120)  # the answer to the last key, if an earlier pause was long enough to be one
        found.append(float(took.get_attribute("data-took") or "nan"))
    return found


def main() -> int:
    """
    Sign in, measure, print. 0: the median is within the limit.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path(".run"))
    parser.add_argument("--rounds", type=int, default=60)
    args = parser.parse_args()
    env = read_env_file((args.run_dir / "env").read_text(encoding="utf-8"))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = chromium.new_context(locale="tr-TR")
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"{env['REPORTING_URL']}/sign-in")
        page.fill("[name=user]", "operator")
        page.fill("[name=password]", env["PEOPLE_PASSWORD"])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        page.goto(f"{env['INTAKE_URL']}/console")
        page.wait_for_load_state("networkidle")
        page.click("#clear")
        took = sorted(measure(page, args.rounds))
        page.click("#clear")
        chromium.close()
    median, p95 = statistics.median(took), took[int(len(took) * 0.95)]
    load = os.getloadavg()[0]
    print(f"suggestion after typing stops: p50 {median:.0f} ms, p95 {p95:.0f} ms, worst {took[-1]:.0f} ms")  # noqa: T201
    print(f"{len(took)} texts, pause of 70 ms included, limit {LIMIT_MS} ms, load of the machine {load:.1f}")  # noqa: T201
    return int(median > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
