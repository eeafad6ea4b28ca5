"""The network viewer in a browser: what is drawn, pointed at, said, linked to and saved.

The page has the viewer's own part of the book's page, its scripts, and the policy of the site; it
is opened from a disk, with the published networks in it.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from small_book import ROOT

from modclust_utils.graphs import layer_sizes
from modclust_utils.publish import viewer, viewer_links
from modclust_utils.publish.policy import add_policies
from modclust_utils.publish.viewer import ViewedNetwork

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

STATIC = ROOT / "book" / "_static"
#: What is drawn where: colours of the pixels of both canvases in a small box around a place.
PIXELS = """([name, x, y, r]) => {
    const canvas = modclustViewer[name], scale = canvas.width / canvas.clientWidth;
    const box = [x - r, y - r, 2 * r, 2 * r].map((n) => Math.round(n * scale));
    return [...canvas.getContext("2d").getImageData(...box).data];
}"""
PATIENCE = 60  # seconds
HELD = "#network=fashion_mnist-dropout-0&k=10"


@pytest.fixture(scope="module")
def networks() -> list[ViewedNetwork]:
    return viewer.viewed_networks()


@pytest.fixture(scope="module")
def site(networks, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    source = (ROOT / "book" / "network-viewer.md").read_text(encoding="utf-8")
    (part,) = re.findall(r"```\{raw\} html\n(.*?)```", source, re.DOTALL)
    (folder / viewer_links.DATA).write_text(viewer.data_script(networks), encoding="utf-8")
    for name in (viewer_links.SCRIPT, viewer_links.STYLE, "custom.css"):
        (folder / name).write_bytes((STATIC / name).read_bytes())
    head = "".join(
        [f'<link rel="stylesheet" href="{n}">' for n in ("custom.css", viewer_links.STYLE)]
        + [f'<script defer src="{n}"></script>' for n in (viewer_links.DATA, viewer_links.SCRIPT)]
    )
    (folder / "page.html").write_text(
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Viewer</title><style>'
        f".visually-hidden {{position: absolute; opacity: 0}}</style>{head}</head><body>"
        f'<main class="bd-content"><article class="bd-article"><h1>Viewer</h1>{part}</article>'
        "</main></body></html>",
        encoding="utf-8",
    )
    add_policies(folder)
    return folder / "page.html"


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """An empty page. Nothing opened in it may complain, or ask for anything but its files."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(1000 * PATIENCE)
    said: list[str] = []
    opened.on("console", lambda m: said.append(m.text) if "willReadFrequently" not in m.text else 0)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda r: said.append(r.url) if not is_own(r.url, site) else None)
    yield opened
    opened.close()
    assert said == []


def is_own(address: str, site: Path) -> bool:
    return address.startswith((site.parent.as_uri(), "blob:", "data:"))


def show(page: Page, site: Path, place: str = "") -> None:
    page.goto("about:blank")
    page.goto(site.as_uri() + place)
    until(page, "performance.getEntriesByName('mc-viewer-drawn').length")


def until(page: Page, condition: str, arg: Any = None) -> None:
    """Wait for a condition. Playwright's own waiting evaluates texts, which the policy forbids."""
    last = time.monotonic() + PATIENCE
    while not page.evaluate(condition, arg):
        assert time.monotonic() < last, condition
        page.wait_for_timeout(20)


def panel(page: Page) -> str:
    return page.locator("#mc-viewer-panel").inner_text()


def said(page: Page) -> str:
    return page.locator("#mc-viewer-said").inner_text()


def end_of(page: Page) -> str:
    return page.evaluate("location.hash")


def place_of(page: Page, unit: int) -> tuple[float, float]:
    """Where a unit is on the stage."""
    return tuple(page.evaluate("(unit) => modclustViewer.placeOf(unit)", unit))


def on_screen(page: Page, unit: int) -> tuple[float, float]:
    box = page.locator("#mc-viewer-overlay").bounding_box()
    x, y = place_of(page, unit)
    return box["x"] + x, box["y"] + y


def colors_at(page: Page, canvas: str, x: float, y: float, radius: float = 1) -> np.ndarray:
    values = page.evaluate(PIXELS, [canvas, x, y, radius])
    return np.array(values).reshape(-1, 4)


def unit_of(viewed: ViewedNetwork, layer: int, index: int) -> int:
    return sum(viewed.sizes[:layer]) + index


# What is drawn


def test_browser_has_every_edge_and_unit_of_every_network(page, site, networks):
    for viewed in networks:
        for k, clustering in zip(viewed.numbers, viewed.clusterings, strict=True):
            show(page, site, f"#network={viewed.name}&k={k}")
            found: dict[str, Any] = page.evaluate("""() => {
                const { network, view } = modclustViewer.state;
                const of = (name) => [...network[name]];
                return { lower: of("lower"), upper: of("upper"), weight: of("weight"),
                    layers: of("layerOf"), labels: [...view.labels] };
            }""")
            starts = np.concatenate([[0], np.cumsum(layer_sizes(viewed.weights))])
            lower, upper, weight = [], [], []
            for layer, matrix in enumerate(viewed.weights):
                rows, columns = np.nonzero(matrix)
                lower.append(columns + starts[layer])
                upper.append(rows + starts[layer + 1])
                weight.append(matrix[rows, columns])
            assert np.array_equal(found["lower"], np.concatenate(lower))
            assert np.array_equal(found["upper"], np.concatenate(upper))
            true = np.concatenate(weight)
            assert np.abs(np.array(found["weight"]) - true).max() < 2e-5 * np.abs(true).max()
            assert np.array_equal(found["labels"], clustering.labels)
            assert np.array_equal(found["layers"], np.repeat(range(6), viewed.sizes))


def test_units_are_drawn_in_the_colours_of_their_clusters(page, site, networks):
    show(page, site)
    labels = networks[0].clusterings[0].labels
    colors = [*viewer.CLUSTER_COLORS, viewer.DEAD_COLOR]
    for unit in [*range(800, 1808, 90), *np.flatnonzero(labels < 0)[::40].tolist(), 1810]:
        color = colors[labels[unit]]
        expected = [int(color[i : i + 2], 16) for i in (1, 3, 5)] + [255]
        found = colors_at(page, "base", *place_of(page, unit))
        assert (found == expected).all(1).any(), f"unit {unit}: {color}"


def test_slider_leaves_the_strongest_edges_between_any_two_layers(page, site, networks):
    show(page, site)
    slider, count = page.locator("#mc-viewer-share"), page.locator("#mc-viewer-count")
    n_edges = [np.count_nonzero(matrix) for matrix in networks[0].weights]
    shown = {}
    for share in (1, 20, 100):
        slider.fill(str(share))
        expected = sum(round(n * share / 100) for n in n_edges)
        until(
            page,
            "(n) => Math.abs(Number(document.getElementById('mc-viewer-count')"
            ".textContent.split(' ')[0].replaceAll(',', '')) - n) < 30",
            arg=expected,
        )
        assert count.inner_text().endswith(f" of {sum(n_edges):,}")
        shown[share] = page.evaluate("""() => {
            const { base } = modclustViewer;
            const pixels = base.getContext("2d").getImageData(0, 0, base.width, base.height).data;
            return pixels.filter((value, i) => i % 4 === 3 && value > 0).length;
        }""")
    assert shown[1] < shown[20] < shown[100]
    assert "edges" in slider.get_attribute("aria-valuetext")


def test_network_and_clusters_can_be_chosen(page, site, networks):
    show(page, site)
    names = page.locator("#mc-viewer-network option").all_inner_texts()
    assert names == [each.words for each in networks]
    assert names[0] in panel(page)
    page.locator("#mc-viewer-network").select_option("fashion_mnist-dropout-0")
    assert page.locator("#mc-viewer-k option").all_inner_texts() == ["4", "10"]
    page.locator("#mc-viewer-k").select_option("10")
    assert "10 clusters" in panel(page)
    assert end_of(page) == HELD
    page.locator("#mc-viewer-network").select_option("mnist-0")
    assert end_of(page) == "#network=mnist-0&k=4"


# The pointer


@pytest.mark.parametrize(("layer", "index"), [(0, 403), (1, 17), (2, 255), (5, 7)])
def test_pointer_finds_the_unit_at_a_place(page, site, networks, layer, index):
    show(page, site)
    viewed, unit = networks[0], unit_of(networks[0], layer, index)
    page.mouse.move(*on_screen(page, unit))
    words = {0: "pixel 403 (row 14, column 11)", 5: "logit 7"}
    name = words.get(layer, f"hidden {layer}, unit {index}")
    until(
        page,
        "(name) => document.getElementById('mc-viewer-panel').innerText.startsWith(name)",
        arg=name,
    )
    text = panel(page)
    cluster = viewed.clusterings[0].labels[unit]
    into = np.count_nonzero(viewed.weights[layer - 1][index]) if layer else 0
    out = np.count_nonzero(viewed.weights[layer][:, index]) if layer < 5 else 0
    assert f"In cluster {cluster};" in text
    assert re.search(rf"\b{into} edges? in, {out} out", text)
    # nothing is said of what the pointer passes over, and it is not held
    assert said(page) == ""
    assert end_of(page) == ""


def test_only_the_edges_of_a_unit_stand_out(page, site, networks):
    show(page, site)
    viewed, index = networks[0], 17
    row = np.abs(viewed.weights[0][index])
    tied, free = (
        int(row.argmax()),
        int(np.flatnonzero((row == 0) & (viewed.weights[0] != 0).any(0))[0]),
    )
    page.evaluate("(unit) => modclustViewer.look(modclustViewer.focusOn(unit))", 784 + index)
    color = viewer.CLUSTER_COLORS[viewed.clusterings[0].labels[tied]]
    strong = [int(color[i : i + 2], 16) for i in (1, 3, 5)] + [255]
    assert (colors_at(page, "overlay", *place_of(page, tied)) == strong).all(1).any()
    pale = colors_at(page, "overlay", *place_of(page, free))
    assert (pale[:, :3] > 240).all()
    assert (pale[:, 3] < 255).any()


def test_strongest_edges_are_those_of_the_record(page, site, networks):
    show(page, site, "#network=mnist-dropout-0&k=4&unit=h2-20")
    viewed = networks[0]
    tables = page.locator("#mc-viewer-panel table")
    for i, (weights, layer) in enumerate(
        [(viewed.weights[1][20], 1), (viewed.weights[2][:, 20], 3)]
    ):
        best = np.argsort(-np.abs(weights))[:5]
        rows = tables.nth(i).locator("tr").all_inner_texts()
        expected = [f"hidden {layer}, unit {u}\t{weights[u]:+.2f}".replace("-", "−") for u in best]
        assert rows == expected


def test_click_holds_a_unit_and_another_lets_go(page, site, networks):
    show(page, site)
    first, second = (unit_of(networks[0], 2, index) for index in (20, 200))
    page.mouse.click(*on_screen(page, first))
    assert end_of(page) == "#network=mnist-dropout-0&k=4&unit=h2-20"
    assert said(page).endswith("Held.")
    page.mouse.move(*on_screen(page, second))
    page.wait_for_timeout(100)
    assert panel(page).startswith("hidden 2, unit 20")
    page.mouse.click(*on_screen(page, first))
    assert end_of(page) == "#network=mnist-dropout-0&k=4"
    page.mouse.move(*on_screen(page, second))
    until(page, "document.getElementById('mc-viewer-panel').innerText.includes('unit 200')")
    page.mouse.move(2, 2)
    until(page, "document.getElementById('mc-viewer-panel').innerText.includes('n-cut')")


# The keyboard, and what is said


def test_keys_move_among_units_and_hold_one(page, site):
    show(page, site, "#network=mnist-dropout-0&k=4&unit=h2-20")
    page.locator("#mc-viewer-stage").focus()
    page.keyboard.press("Enter")
    assert end_of(page) == "#network=mnist-dropout-0&k=4"
    order = page.evaluate("modclustViewer.state.view.orders[2]")
    at = order.index(784 + 256 + 20)
    names = {}
    for key in ("ArrowDown", "ArrowUp", "ArrowRight", "ArrowRight", "ArrowLeft", "Home", "End"):
        page.keyboard.press(key)
        names[key] = said(page).split(".")[0]
    assert names["ArrowDown"].startswith(f"hidden 2, unit {order[at + 1] - 1040}")
    assert names["ArrowUp"].startswith("hidden 2, unit 20")
    assert names["ArrowRight"].startswith("hidden 4")
    assert names["ArrowLeft"].startswith("hidden 3")
    last = page.evaluate("modclustViewer.state.view.orders[3]")
    assert names["Home"].startswith(f"hidden 3, unit {last[0] - 1296}")
    assert names["End"].startswith(f"hidden 3, unit {last[-1] - 1296}")
    page.keyboard.press("Enter")
    assert end_of(page).endswith(f"&unit=h3-{last[-1] - 1296}")
    assert said(page).endswith("Held.")
    page.keyboard.press("Escape")
    assert end_of(page) == "#network=mnist-dropout-0&k=4"
    assert said(page) == "Nothing is looked at."


def test_keys_go_from_sub_cluster_to_sub_cluster(page, site, networks):
    show(page, site)
    page.locator("#mc-viewer-stage").focus()
    layers = np.repeat(range(6), networks[0].sizes)
    labels = networks[0].clusterings[0].labels
    pairs = sorted(
        {(i, c) for i, c in zip(layers.tolist(), labels.tolist(), strict=True) if c >= 0}
    )
    page.evaluate("modclustViewer.look(modclustViewer.blockOf(0, 1))")
    found = []
    for _ in range(len(pairs) + 2):
        page.keyboard.press("PageDown")
        found.append(said(page).split(",")[0])
    names = [f"sub-cluster {layer}-{cluster}" for layer, cluster in pairs]
    assert found == [*names[1:], names[-1], names[-1], names[-1]]
    page.keyboard.press("PageUp")
    assert said(page).startswith(names[-2])


def test_keys_stay_inside_the_network_and_leave_shortcuts_alone(page, site):
    show(page, site, "#network=mnist-dropout-0&k=4&unit=out-3")
    page.locator("#mc-viewer-stage").focus()
    page.keyboard.press("ArrowRight")
    assert said(page).startswith("logit 3")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    assert said(page).startswith("logit 9")
    page.keyboard.press("Control+ArrowUp")
    assert said(page).startswith("logit 9")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") != "mc-viewer-stage"


# Links


@pytest.mark.parametrize(
    ("place", "head"),
    [
        ("#network=mnist-0&k=4&unit=in-403", "pixel 403"),
        (f"{HELD}&unit=h4-255", "hidden 4, unit 255"),
        (f"{HELD}&unit=out-7", "logit 7 (Sneaker)"),
        (f"{HELD}&sub-cluster=2-0", "sub-cluster 2-0"),
        ("#network=cifar10-0", "CIFAR-10, no dropout, seed 0"),
        (HELD, "Fashion-MNIST, with dropout, seed 0"),
    ],
)
def test_link_leads_to_its_place(page, site, place, head):
    show(page, site, place)
    assert panel(page).startswith(head)
    if place != "#network=cifar10-0":
        assert end_of(page) == place


def test_link_may_name_a_record(page, site, networks):
    show(page, site, f"#network={networks[2].record.key}&k=10&unit=h1-3")
    assert panel(page).startswith("hidden 1, unit 3")
    assert page.locator("#mc-viewer-network").input_value() == networks[2].name


@pytest.mark.parametrize(
    "place",
    [
        "#network=no-such-0",
        "#network=mnist-0&k=7",
        "#network=mnist-0&k=4&unit=h1-256",
        "#network=mnist-0&k=4&unit=h9-1",
        "#network=mnist-0&k=4&unit=x",
        "#network=mnist-0&k=4&sub-cluster=1-9",
        "#network=mnist-0&k=4&sub-cluster=9-1",
        "#network=<img src=x onerror=alert(1)>",
    ],
)
def test_link_to_what_is_not_there_says_so(page, site, place):
    show(page, site, place)
    assert "names nothing" in panel(page)
    assert "names nothing" in said(page)


def test_links_of_the_panel_are_followed(page, site):
    show(page, site, "#network=mnist-dropout-0&k=4&unit=h2-20")
    link = page.locator("#mc-viewer-panel table a").first
    name = link.inner_text()
    link.click()
    until(
        page,
        "(name) => document.getElementById('mc-viewer-panel').innerText.startsWith(name)",
        arg=name,
    )
    page.go_back()
    until(page, "document.getElementById('mc-viewer-panel').innerText.includes('unit 20')")


def test_other_addresses_are_left_alone(page, site):
    show(page, site, "#what-you-see")
    assert end_of(page) == "#what-you-see"
    assert "n-cut" in panel(page)


# Pictures and lesions


def test_incoming_weights_are_a_picture(page, site, networks):
    show(page, site, "#network=mnist-dropout-0&k=4&unit=h1-17")
    image = page.locator("#mc-viewer-panel canvas")
    assert image.get_attribute("aria-label") == "Incoming weights"
    values = image.evaluate("(c) => [...c.getContext('2d').getImageData(0, 0, 28, 28).data]")
    red, _, blue, _ = np.array(values).reshape(784, 4).T.astype(int)
    row = networks[0].weights[0][17]
    assert np.array_equal(np.sign(red - blue), np.sign(row))


def test_lesion_of_a_sub_cluster_is_that_of_the_record(page, site, networks):
    (clustering,) = [c for n in networks for c in n.clusterings if c.singles]
    row = max(clustering.singles, key=lambda each: each["drop"])
    show(page, site, f"{HELD}&sub-cluster={row['layer']}-{row['label']}")
    text = panel(page).replace("−", "-")
    assert f"{100 * row['drop']:.1f} percentage points" in text
    assert "important" in text
    rows = page.locator("#mc-viewer-panel table tbody tr").all_inner_texts()
    drops = [float(each.split("\t")[1].replace("−", "-")) for each in rows]
    assert drops == pytest.approx([100 * drop for drop in row["class_drops"]], abs=0.051)
    assert "percentage points" in said(page)


def test_where_there_are_no_lesions_the_viewer_says_so(page, site):
    show(page, site, "#network=mnist-0&k=4&unit=h2-20")
    assert "No published record has lesions of these clusters" in panel(page)
    page.locator("#mc-viewer-panel a", has_text="10 clusters").click()
    until(page, "location.hash.endsWith('k=10')")
    assert "10 clusters" in panel(page)
    show(page, site, f"{HELD}&unit=in-403")
    assert "Only sub-clusters of hidden layers are lesioned" in panel(page)


def test_unit_without_an_edge_is_in_no_cluster(page, site, networks):
    dead = int(np.flatnonzero(networks[0].clusterings[0].labels[784:] < 0)[0])
    show(page, site, f"#network=mnist-dropout-0&k=4&unit=h1-{dead}")
    assert "without an edge" in panel(page)
    assert "without an edge" in said(page)


# Saving


@pytest.mark.parametrize("place", ["", "#network=mnist-dropout-0&k=4&unit=h1-17"])
def test_picture_is_saved_as_png(page, site, place):
    show(page, site, place)
    with page.expect_download() as saved:
        page.locator("#mc-viewer-png").click()
    image = Image.open(io.BytesIO(Path(saved.value.path()).read_bytes())).convert("RGB")
    width, height = page.evaluate(
        "[modclustViewer.base.clientWidth, modclustViewer.base.clientHeight]"
    )
    assert image.size == (2 * width, 2 * height)
    assert len(image.getcolors(2**24)) > 100
    assert re.fullmatch(r"network-mnist-dropout-0-k-4[\w-]*\.png", saved.value.suggested_filename)


def test_picture_is_saved_as_svg_with_all_edges_that_are_shown(page, site):
    show(page, site)
    with page.expect_download() as saved:
        page.locator("#mc-viewer-svg").click()
    root = ElementTree.parse(saved.value.path()).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    paths = root.findall("{*}path[@stroke]")
    shown = int(page.locator("#mc-viewer-count").inner_text().split()[0].replace(",", ""))
    assert sum(path.get("d").count("M") for path in paths) == shown
    marks = root.findall("{*}path[@fill-opacity]")
    # one box is the ground
    assert sum(path.get("d").count("M") for path in marks) == 1818 + 1
    assert "hidden 1" in "".join(root.itertext())
    with page.expect_download() as again:
        page.evaluate("modclustViewer.look(modclustViewer.focusOn(801))")
        page.locator("#mc-viewer-svg").click()
    focused = Path(again.value.path()).read_text(encoding="utf-8")
    assert "stroke-dasharray" in focused
    assert "hidden 1, unit 17" in focused


# All readers


@pytest.mark.parametrize("width", [390, 1280])
def test_viewer_fits_the_screen(page, site, width):
    page.set_viewport_size({"width": width, "height": 844})
    for place in ("", f"{HELD}&unit=h1-17", f"{HELD}&sub-cluster=2-0"):
        show(page, site, place)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#mc-viewer-base").bounding_box()["width"] > 300


def test_picture_follows_the_size_of_the_window(page, site):
    show(page, site)
    page.set_viewport_size({"width": 700, "height": 844})
    until(page, "modclustViewer.base.width === modclustViewer.base.clientWidth")
    unit = 784 + 17
    page.mouse.move(*on_screen(page, unit))
    until(page, "document.getElementById('mc-viewer-panel').innerText.includes('unit 17')")


def test_dark_theme_turns_the_picture_dark_and_keeps_hues(page, site):
    show(page, site)
    unit = 784 + 256 + 20
    x, y = on_screen(page, unit)
    clip = {"x": x - 2, "y": y - 2, "width": 4, "height": 4}
    stage = page.locator("#mc-viewer-stage").bounding_box()
    corner = {"x": stage["x"] + 6, "y": stage["y"] + 6, "width": 4, "height": 4}
    grounds = {}
    for theme in ("light", "dark"):
        page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
        for name, box in (("ground", corner), ("unit", clip)):
            image = Image.open(io.BytesIO(page.screenshot(clip=box))).convert("RGB")
            grounds[theme, name] = np.array(image).reshape(-1, 3).mean(0)
    assert grounds["light", "ground"].min() > 240
    assert grounds["dark", "ground"].max() < 40
    strongest = [grounds[theme, "unit"].argmax() for theme in ("light", "dark")]
    assert strongest[0] == strongest[1]


def test_nothing_moves_by_itself(page, site):
    """There is no motion to reduce: no transition, no animation, no smooth scrolling."""
    show(page, site, "#network=mnist-dropout-0&k=4&unit=h2-20")
    assert page.evaluate("document.getAnimations().length") == 0
    style = (STATIC / viewer_links.STYLE).read_text(encoding="utf-8")
    script = (STATIC / viewer_links.SCRIPT).read_text(encoding="utf-8")
    assert not re.search(r"transition|animation|smooth", style + script)


def test_controls_have_names_and_the_picture_a_description(page, site):
    show(page, site)
    tree = page.locator("#mc-viewer").aria_snapshot()
    for name in ("Network", "Clusters", "Strongest edges", "Save as PNG", "Save as SVG"):
        assert name in tree
    stage = page.locator("#mc-viewer-stage")
    assert stage.get_attribute("aria-label")
    described = page.locator(f"#{stage.get_attribute('aria-describedby')}").inner_text()
    assert "Arrow keys" in described


def test_without_scripts_the_viewer_is_hidden(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.as_uri())
    assert not page.locator("#mc-viewer").is_visible()
    context.close()
