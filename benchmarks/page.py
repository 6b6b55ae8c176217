"""The exported page in WebAssembly and in JavaScript, by turns in Chromium: how large, how fast, the same answers?

    python benchmarks/page.py RUN texts.tsv [--count 100] [--rounds 3]

needs clang and lld, and the extra `browser`. Both pages answer ten texts, then the other; milliseconds are those of an
answer, without loading, in the page's own thread.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from seq2see.data import read_pairs
from seq2see.export import export_run

BEAMS = (1, 5)
BLOCK = 10
LOAD = """async () => {
  const start = performance.now();
  window.model = await Model.of(JSON.parse(document.getElementById("model").textContent));
  return performance.now() - start;
}"""
ANSWER = """([texts, beam]) => {
  const start = performance.now();
  const answers = texts.map((text) => model.predict(text, { beam }).text);
  return [answers, performance.now() - start];
}"""


def measured(pages: dict[str, Any], texts: list[str], rounds: int) -> tuple[dict[str, list[float]], int]:
    """Of each page milliseconds an answer with each beam; how many answers are the same."""
    total = {name: [0.0 for _ in BEAMS] for name in pages}
    same = 0
    for number in range(rounds + 1):  # the first round is only to compile the loops
        for start in range(0, len(texts), BLOCK):
            for place, beam in enumerate(BEAMS):
                said = []
                for name, page in pages.items():
                    answers, took = page.evaluate(ANSWER, [texts[start : start + BLOCK], beam])
                    said.append(answers)
                    total[name][place] += took if number else 0.0
                same += 0 if number else sum(one == other for one, other in zip(*said, strict=True))
    return {name: [each / rounds / len(texts) for each in own] for name, own in total.items()}, same


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    pairs = read_pairs([arguments.data]).pairs[: arguments.count]
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        pages, sizes, loads = {}, {}, {}
        for name, wasm in (("WebAssembly", True), ("JavaScript", False)):
            exported = export_run(arguments.run, Path(folder) / f"{name}.html", data=pairs[:2], wasm=wasm)
            assert f"in {name}" in exported.notes[-1], exported.notes
            page = browser.new_page()
            page.set_default_timeout(0)
            page.goto(exported.path.absolute().as_uri())
            page.wait_for_selector("body.ready")
            pages[name], sizes[name], loads[name] = page, exported.size, page.evaluate(LOAD)
        found, same = measured(pages, [pair.source for pair in pairs], arguments.rounds)
        browser.close()
    print("| page | bytes | ms to load | ms, greedy | ms, beam 5 |")
    print("|---|---|---|---|---|")
    for name, own in found.items():
        print(f"| {name} | {sizes[name]:,} | {loads[name]:.0f} | {' | '.join(f'{each:.2f}' for each in own)} |")
    fast, slow = found.values()
    print("times faster:", ", ".join(f"{one / other:.1f}" for one, other in zip(slow, fast, strict=True)))
    print(f"same answers: {same:,} of {len(pairs) * len(BEAMS):,}")


if __name__ == "__main__":
    main()
