// What tests/test_site.py wants to know about a loaded page. Returns plain JSON.
() => {
  const main = document.querySelector("main article") ?? document.querySelector("main");
  const text = (node) => node.textContent.replace(/\s+/g, " ").trim();
  const isVisible = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const nameOf = (node) =>
    node.getAttribute("aria-label") || text(node) || node.title ||
    [...node.querySelectorAll("img[alt]")].map((image) => image.alt).join(" ").trim();

  // Colours come as rgb(), color-mix() and more; a canvas turns any of them into four numbers.
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], below) =>
    [r, g, b].map((value, i) => value * a + below[i] * (1 - a)).concat(1);
  const plates = new Map([[null, [255, 255, 255, 1]]]);
  const backgroundOf = (node) => {
    if (!plates.has(node)) {
      const own = rgba(getComputedStyle(node).backgroundColor);
      plates.set(node, over(own, backgroundOf(node.parentElement)));
    }
    return plates.get(node);
  };
  const luminance = (colour) => {
    const linear = colour.slice(0, 3).map((value) => {
      const c = value / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const contrasts = [...main.querySelectorAll("*")]
    .filter((node) => !node.closest("svg, mjx-container, .headerlink") && isVisible(node))
    .filter((node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim()))
    .map((node) => {
      const style = getComputedStyle(node);
      const behind = backgroundOf(node);
      const [a, b] = [luminance(over(rgba(style.color), behind)), luminance(behind)];
      const size = parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      return {
        text: `${node.tagName.toLowerCase()}.${node.className}: ${text(node).slice(0, 40)}`,
        ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05),
        needed: isLarge ? 3 : 4.5,
      };
    });

  const blocks = [
    // a picture in a table is a part of it
    ...main.querySelectorAll(
      ".cell_output :is(figure, img:not(.mc-table *), .mc-table:not(.mc-parameters *), details.mc-strip)",
    ),
  ];
  const kindOf = (node) => (node.matches("details") ? "strip" : node.matches("div") ? "table" :
    node.tagName.toLowerCase());
  const dataOf = (node) =>
    node.querySelector("a.mc-data") ?? node.parentElement.querySelector(":scope > a.mc-data");
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  return {
    language: document.documentElement.lang,
    title: document.title,
    theme: document.documentElement.dataset.theme,
    background: rgba(getComputedStyle(document.body).backgroundColor),
    headings: [...main.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((h) => Number(h.tagName[1])),
    ids,
    duplicateIds: ids.filter((id, i) => ids.indexOf(id) !== i),
    links: [...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href")),
    nameless: [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden])")]
      .filter((node) => isVisible(node) && !nameOf(node) && !node.placeholder && !node.labels?.length)
      .map((node) => node.outerHTML.slice(0, 120)),
    remote: [...document.querySelectorAll("script[src], link[href], img[src], iframe[src], source[src]")]
      .map((node) => node.getAttribute("src") ?? node.getAttribute("href"))
      .filter((address) => /^(https?:)?\/\//.test(address)),
    pictures: [...main.querySelectorAll("img")].map((image) => ({
      source: image.getAttribute("src"),
      alt: image.getAttribute("alt"),
      drawn: image.naturalWidth > 0,
    })),
    otherPictures: [...document.querySelectorAll("img")].filter((i) => !main.contains(i))
      .map((image) => ({ source: image.getAttribute("src"), hasAlt: image.hasAttribute("alt") })),
    formulas: main.querySelectorAll(".math").length,
    drawnFormulas: main.querySelectorAll(".math mjx-container > svg").length,
    brokenFormulas: main.querySelectorAll("mjx-merror, [data-mml-node=merror]").length,
    searchFields: [...document.querySelectorAll(".search-button-field, input[type=search]")]
      .filter(isVisible).length,
    landmarks: document.querySelectorAll("main").length,
    contrasts,
    figures: blocks.map((node) => ({
      kind: kindOf(node),
      inFigure: !!node.closest("figure"),
      number: text(node.querySelector(".caption-number") ?? document.createElement("i")),
      caption: text(node.querySelector(".caption-text") ?? document.createElement("i")),
      command: text(node.querySelector("dd code") ?? document.createElement("i")),
      data: dataOf(node)?.getAttribute("href") ?? "",
      file: dataOf(node)?.getAttribute("download") ?? "",
    })),
  };
}
