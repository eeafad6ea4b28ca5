"""How long the network viewer takes in a headless Chromium without a GPU: the page of a built site.

First draw is the time from the start of the viewer's script to the frame that shows the network,
unpacking it among the rest. A picture has all edges (the slider at its end); a highlight is a unit
or a sub-cluster with all of its edges and its panel. Drawing is waited for by reading a pixel.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from report import RESULTS, machine, print_table, write

ROOT = Path(__file__).resolve().parents[1]
PAGE = "book/network-viewer.html"
#: The screens: width, height, pixels of the device for one of the page.
SCREENS = {"desktop": (1280, 900, 1), "phone": (390, 844, 3)}
LOADED = """() => {
    const at = (name) => performance.getEntriesByName(name)[0]?.startTime;
    const [start, drawn] = [at("mc-viewer-start"), at("mc-viewer-drawn")];
    return drawn ? { "first draw": drawn - start, "since the link was followed": drawn } : null;
}"""
DRAWN = """() => {
    const { state, base, overlay, look, focusOn, drawPicture } = modclustViewer;
    const timed = (canvas, work) => {
        const start = performance.now();
        work();
        canvas.getContext("2d").getImageData(0, 0, 1, 1);
        return performance.now() - start;
    };
    const { n } = state.network;
    state.share = 1;
    const picture = [timed(base, drawPicture)];
    const unit = [];
    for (let u = 0; u < n; u += 7) unit.push(timed(overlay, () => look(focusOn(u))));
    const blocks = state.view.blocks.flat().filter((block) => block.cluster >= 0);
    const subCluster = blocks.map((block) => timed(overlay, () => look(block)));
    return { "picture of all edges": picture, "highlight of a unit": unit,
        "highlight of a sub-cluster": subCluster };
}"""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("--repeats", type=int, default=5, help="times that each network is opened")
    parser.add_argument("--out", type=Path, default=RESULTS / "network_viewer.json")
    return parser.parse_args()


def measure(browser: Any, address: str, screen: str, repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each thing that is drawn, on the fastest of the times that it was."""
    width, height, scale = SCREENS[screen]
    found: dict[str, dict[Any, float]] = {}

    def note(name: str, thing: Any, time: float) -> None:
        fastest = found.setdefault(name, {})
        fastest[thing] = min(time, fastest.get(thing, time))

    def opened(place: str) -> Any:
        page = browser.new_page(
            viewport={"width": width, "height": height}, device_scale_factor=scale
        )
        page.goto(address + place)
        while not (times := page.evaluate(LOADED)):
            page.wait_for_timeout(20)
        for name, time in times.items():
            note(name, place, time)
        return page

    first = opened("")
    places = first.evaluate(
        "modclustNetworks.networks.flatMap((network) => "
        "network.clusterings.map(({ k }) => `#network=${network.name}&k=${k}`))"
    )
    first.close()
    for place in places * repeats:
        page = opened(place)
        for name, times in page.evaluate(DRAWN).items():
            for i, time in enumerate(times):
                note(name, (place, i), time)
        page.close()
    return {name: [*each.values()] for name, each in found.items()}


def main() -> None:
    options = parse()
    page = options.site.resolve() / PAGE
    if not page.is_file():
        raise SystemExit(f"{page} is not there: build the site first (modclust book)")
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import LAUNCH_ARGS, find_browser
    from playwright.sync_api import sync_playwright

    results: dict[str, Any] = {}
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=[*LAUNCH_ARGS])
        for screen in SCREENS:
            found = measure(browser, page.as_uri(), screen, options.repeats)
            results[screen] = {
                name: {
                    "things": len(times),
                    "median_ms": round(float(np.median(times)), 1),
                    "slowest_ms": round(max(times), 1),
                }
                for name, times in found.items()
            }
            for name, each in results[screen].items():
                rows.append([screen, name, *(str(value) for value in each.values())])
        version = browser.version
        browser.close()
    print_table(["", "", "things", "median, ms", "slowest, ms"], rows)
    own = [page, *sorted((options.site / "_static").glob("network-viewer*.[jc]s*"))]
    write(
        options.out,
        {
            "machine": machine(),
            "chromium": version,
            "repeats": options.repeats,
            "kilobytes": {file.name: round(file.stat().st_size / 1000) for file in own},
            "milliseconds": results,
        },
    )


if __name__ == "__main__":
    main()
