// The network viewer: a pruned network on two canvases, one for the picture and one above it for what
// is looked at. The data are in network-viewer-data.js; the page has a still and tables without both.
(() => {
  "use strict";

  const root = document.getElementById("mc-viewer");
  const data = globalThis.modclustNetworks;
  if (!root || !data?.networks.length) return;
  performance.mark("mc-viewer-start");

  const part = (name) => document.getElementById(`mc-viewer-${name}`);
  const [stage, base, overlay, panel] = ["stage", "base", "overlay", "panel"].map(part);
  const colorOf = (cluster) =>
    cluster < 0 ? data.colors.dead : (data.colors.clusters[cluster] ?? data.colors.other);
  const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
  const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

  function group(things, keyOf) {
    const groups = new Map();
    for (const thing of things) {
      const key = keyOf(thing);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(thing);
    }
    return groups;
  }

  // A network and its clusterings ---------------------------------------------------------------

  const startsOf = (counts) => counts.reduce((starts, n) => [...starts, starts.at(-1) + n], [0]);
  const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

  // Units are numbered through all layers. Edges lie sorted by the layers that they join: those of
  // pair p, from layer p to layer p + 1, are `pairs[p]` to `pairs[p + 1]`.
  function unpack(packed) {
    const { sizes } = packed;
    const values = packed.weights.map((each) => new Int16Array(bytesOf(each.values).buffer));
    const [starts, pairs] = [startsOf(sizes), startsOf(values.map((each) => each.length))];
    const [n, nEdges] = [starts.at(-1), pairs.at(-1)];
    const [lower, upper, weight] = [new Uint16Array(nEdges), new Uint16Array(nEdges), new Float32Array(nEdges)];
    const layerOf = new Uint8Array(n);
    sizes.forEach((size, layer) => layerOf.fill(layer, starts[layer], starts[layer + 1]));
    packed.weights.forEach(({ mask, unit }, p) => {
      const bits = bytesOf(mask);
      let edge = pairs[p];
      for (let bit = 0; bit < sizes[p] * sizes[p + 1]; bit += 1) {
        if ((bits[bit >> 3] >> (bit & 7)) & 1) {
          lower[edge] = starts[p] + (bit % sizes[p]);
          upper[edge] = starts[p + 1] + Math.floor(bit / sizes[p]);
          weight[edge] = values[p][edge - pairs[p]] * unit;
          edge += 1;
        }
      }
    });
    const network = { ...packed, starts, pairs, n, lower, upper, weight, layerOf };
    network.ordered = values.map((_, p) => weight.slice(pairs[p], pairs[p + 1]).map(Math.abs).sort());
    [network.into, network.out] = [range(0, n).map(() => []), range(0, n).map(() => [])];
    upper.forEach((unit, edge) => network.into[unit].push(edge));
    lower.forEach((unit, edge) => network.out[unit].push(edge));
    network.views = packed.clusterings.map((each) => viewOf(network, each));
    return network;
  }

  // A clustering: the units of each layer cluster by cluster, those without an edge last.
  function viewOf(network, clustering) {
    const labels = new Int8Array(bytesOf(clustering.labels).buffer);
    const rank = ({ cluster }) => (cluster < 0 ? labels.length : cluster);
    const blocks = network.sizes.map((_, layer) => {
      const all = range(network.starts[layer], network.starts[layer + 1]);
      return [...group(all, (unit) => labels[unit])]
        .map(([cluster, units]) => ({ layer, cluster, units })).sort((a, b) => rank(a) - rank(b));
    });
    const orders = blocks.map((each) => each.flatMap((block) => block.units));
    return { ...clustering, labels, blocks, orders };
  }

  const unpacked = new Map();
  function networkNamed(name) {
    if (!unpacked.has(name)) unpacked.set(name, unpack(data.networks.find((each) => each.name === name)));
    return unpacked.get(name);
  }

  // What is on the screen, and what is there to it. focus: what is looked at, a block of units or one of them.
  const state = { network: null, view: null, share: 0.2, focus: null, isHeld: false };
  const blockOf = (layer, cluster) => state.view.blocks[layer]?.find((b) => b.cluster === cluster);
  const edgesOf = (units) => units.flatMap((unit) => [...state.network.into[unit], ...state.network.out[unit]]);
  const strength = (edge) => Math.abs(state.network.weight[edge]);
  const focusOn = (unit) => ({ unit, units: [unit], layer: state.network.layerOf[unit],
    cluster: state.view.labels[unit] });

  // Where units are -----------------------------------------------------------------------------

  const ROOM = { top: 14, bottom: 38, left: 12, right: 16 };
  const [LEAST_PITCH, MOST_PITCH, BLOCK_GAP] = [4, 26, 5];
  const CELL = 24; // of the grid in which a unit is looked for

  function layOut(width, height) {
    const { network, view } = state;
    const space = height - ROOM.top - ROOM.bottom;
    const names = network.classes.map((name) => name.length);
    const right = width > 600 ? ROOM.right + 6 * Math.max(...names) : ROOM.right;
    const columns = view.blocks.map((blocks) => {
      const free = space - BLOCK_GAP * (blocks.length - 1);
      const count = Math.ceil((sum(blocks.map((b) => b.units.length)) * LEAST_PITCH) / free);
      const rows = sum(blocks.map((b) => Math.ceil(b.units.length / count)));
      const pitch = Math.min(MOST_PITCH, free / rows);
      const cell = count === 1 ? 11 : count < 4 ? 7 : 4.5;
      return { blocks, count, pitch, cell, width: count * cell,
        height: rows * pitch + BLOCK_GAP * (blocks.length - 1) };
    });
    const used = sum(columns.map((c) => c.width)) + ROOM.left + right;
    const gap = (width - used) / (columns.length - 1);
    const place = { width, height, columns, x: new Float32Array(network.n), y: new Float32Array(network.n) };
    let left = ROOM.left;
    columns.forEach((column) => {
      column.left = left;
      let top = ROOM.top + (space - column.height) / 2;
      column.blocks.forEach(({ units }) => {
        units.forEach((unit, i) => {
          place.x[unit] = left + ((i % column.count) + 0.5) * column.cell;
          place.y[unit] = top + (Math.floor(i / column.count) + 0.5) * column.pitch;
        });
        top += Math.ceil(units.length / column.count) * column.pitch + BLOCK_GAP;
      });
      left += column.width + gap;
    });
    place.grid = group(range(0, network.n), (unit) => cellOf(place.x[unit], place.y[unit]).join());
    return place;
  }

  const cellOf = (x, y) => [Math.floor(x / CELL), Math.floor(y / CELL)];

  // The unit nearest to a place on the stage, none if all are further than a cell of the grid.
  function unitAt(x, y) {
    let [found, nearest] = [null, CELL * CELL];
    const [column, row] = cellOf(x, y);
    for (let i = column - 1; i <= column + 1; i += 1) {
      for (let j = row - 1; j <= row + 1; j += 1) {
        (place.grid.get(`${i},${j}`) ?? []).forEach((unit) => {
          const distance = (place.x[unit] - x) ** 2 + (place.y[unit] - y) ** 2;
          if (distance < nearest) [found, nearest] = [unit, distance];
        });
      }
    }
    return found;
  }

  // What is drawn: a list of lines, marks and texts, for a canvas or an SVG ------------------------

  // Edges as one item for each style: `keyOf` gives an edge's style as a text, `styleOf` reads it.
  function linesOf(edges, keyOf, styleOf) {
    const { lower, upper, layerOf } = state.network;
    return [...group(edges, keyOf)].map(([key, own]) => {
      const points = [];
      own.forEach((edge) => {
        const [a, b] = [lower[edge], upper[edge]];
        const [from, to] = [place.columns[layerOf[a]], place.columns[layerOf[b]]];
        points.push(place.x[a] + from.cell / 2, place.y[a], place.x[b] - to.cell / 2, place.y[b]);
      });
      return { kind: "lines", points, ...styleOf(key) };
    });
  }

  function marksOf(units) {
    const boxOf = (unit) => {
      const { cell, pitch } = place.columns[state.network.layerOf[unit]];
      const [w, h] = [cell - 1, Math.min(0.85 * pitch, 11)];
      return [place.x[unit] - w / 2, place.y[unit] - h / 2, w, h];
    };
    return [...group(units, (unit) => colorOf(state.view.labels[unit]))].map(([color, own]) => (
      { kind: "marks", color, boxes: own.map(boxOf) }));
  }

  // The strongest edges between any two layers, the slider's share of each pair of layers.
  function strongest() {
    const { pairs, ordered, weight } = state.network;
    const edges = [];
    ordered.forEach((magnitudes, p) => {
      const floor = magnitudes[Math.max(0, magnitudes.length - Math.round(magnitudes.length * state.share))];
      for (let edge = pairs[p]; edge < pairs[p + 1]; edge += 1) {
        if (Math.abs(weight[edge]) >= floor) edges.push(edge);
      }
    });
    return edges;
  }

  // The cluster of an edge inside a cluster, -1 for one that crosses.
  function clusterOf(edge) {
    const [from, to] = [state.network.lower, state.network.upper].map((end) => state.view.labels[end[edge]]);
    return from === to ? from : -1;
  }

  function pictureOf(edges) {
    const styleOf = (cluster) => cluster < 0
      ? { color: data.colors.across, alpha: 0.5, width: 0.4 }
      : { color: colorOf(cluster), alpha: 0.5, width: 0.5 };
    const lines = linesOf(edges, clusterOf, styleOf).sort((a, b) => a.width - b.width);
    return [...lines, ...marksOf(range(0, state.network.n)), ...captions()];
  }

  function captions() {
    const { sizes, classes, starts } = state.network;
    const isWide = place.width > 600;
    const items = place.columns.flatMap((column, layer) => {
      const live = sum(column.blocks.filter((b) => b.cluster >= 0).map((b) => b.units.length));
      const isEnd = isLast(layer) && !isWide;
      const x = layer === 0 ? column.left : isEnd ? place.width - 4 : column.left + column.width / 2;
      const align = layer === 0 ? "start" : isEnd ? "end" : "middle";
      const of = isWide ? ` of ${sizes[layer]}` : "";
      return [layerWords(layer), `${live}${of}`].map((text, line) => (
        { kind: "text", text, x, y: place.height - 22 + 14 * line, align }));
    });
    const labels = classes.map((name, i) => ({ kind: "text", text: isWide ? name : String(i), align: "start",
      x: place.x[starts.at(-2) + i] + 8, y: place.y[starts.at(-2) + i] + 4 }));
    return [...items, ...(classes.length <= 12 ? labels : [])];
  }

  const whole = () => ({ kind: "marks", color: "#ffffff", boxes: [[0, 0, place.width, place.height]] });

  // What is looked at, over a pale picture: all of its edges, in the colour of where they lead.
  function focusItems() {
    const { focus, view } = state;
    const { lower, upper, weight } = state.network;
    const own = new Set(focus.units);
    const other = (edge) => (own.has(lower[edge]) ? upper[edge] : lower[edge]);
    const edges = edgesOf(focus.units);
    const largest = Math.max(...edges.map(strength), 0);
    const isUnit = focus.unit !== undefined;
    const keyOf = (edge) => [view.labels[other(edge)],
      ...(isUnit ? [Math.sign(weight[edge]), Math.ceil((3 * strength(edge)) / largest)] : [])].join();
    const styleOf = (key) => {
      const [cluster, sign, size] = key.split(",").map(Number);
      return { color: colorOf(cluster), alpha: isUnit ? 0.9 : 0.5, width: isUnit ? 0.5 * size + 0.2 : 0.5,
        dash: sign < 0 ? [4, 3] : [] };
    };
    const items = [{ ...whole(), alpha: 0.84 }, ...linesOf(edges, keyOf, styleOf)];
    items.push(...marksOf(new Set([...edges.map(other), ...focus.units])), ...captions());
    const xs = focus.units.map((unit) => place.x[unit]);
    const ys = focus.units.map((unit) => place.y[unit]);
    const { cell, pitch } = place.columns[focus.layer];
    const [w, h] = [cell / 2 + 2, Math.min(pitch, 12) / 2 + 2];
    const [left, right] = [Math.min(...xs) - w, Math.max(...xs) + w];
    const [top, bottom] = [Math.min(...ys) - h, Math.max(...ys) + h];
    items.push({ kind: "lines", color: INK, alpha: 1, width: 1.5, points: [left, top, right, top,
      right, top, right, bottom, right, bottom, left, bottom, left, bottom, left, top] });
    const isRight = left > place.width / 2;
    items.push({ kind: "text", text: focusWords(focus), isBold: true, align: isRight ? "end" : "start",
      x: isRight ? left - 3 : right + 4, y: Math.max((ys[0] + ys.at(-1)) / 2 + 4, 12) });
    return items;
  }

  const [FONT, INK] = ["12px system-ui, sans-serif", "#222222"];

  function paint(pen, item) {
    pen.globalAlpha = item.alpha ?? 1;
    const { points } = item;
    if (item.kind === "lines") {
      const path = new Path2D();
      for (let i = 0; i < points.length; i += 4) {
        path.moveTo(points[i], points[i + 1]);
        path.lineTo(points[i + 2], points[i + 3]);
      }
      Object.assign(pen, { strokeStyle: item.color, lineWidth: item.width });
      pen.setLineDash(item.dash ?? []);
      pen.stroke(path);
    } else if (item.kind === "marks") {
      pen.fillStyle = item.color;
      item.boxes.forEach((box) => pen.fillRect(...box));
    } else {
      pen.setLineDash([]);
      Object.assign(pen, { font: (item.isBold ? "bold " : "") + FONT, strokeStyle: "#ffffff", fillStyle: INK,
        textAlign: item.align === "middle" ? "center" : item.align, lineWidth: 3, lineJoin: "round" });
      pen.strokeText(item.text, item.x, item.y);
      pen.fillText(item.text, item.x, item.y);
    }
  }

  const round = (number) => Number(number.toFixed(2));
  const escaped = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

  function svgOf(item) {
    if (item.kind === "lines") {
      const steps = [];
      for (let i = 0; i < item.points.length; i += 4) {
        const [a, b, c, d] = item.points.slice(i, i + 4).map(round);
        steps.push(`M${a} ${b}L${c} ${d}`);
      }
      const dash = item.dash?.length ? ` stroke-dasharray="${item.dash.join(" ")}"` : "";
      return `<path fill="none" stroke="${item.color}" stroke-opacity="${item.alpha}" ` +
        `stroke-width="${item.width}"${dash} d="${steps.join("")}"/>`;
    }
    if (item.kind === "marks") {
      const boxes = item.boxes.map((box) => box.map(round)).map(([x, y, w, h]) => `M${x} ${y}h${w}v${h}h${-w}z`);
      return `<path fill="${item.color}" fill-opacity="${item.alpha ?? 1}" d="${boxes.join("")}"/>`;
    }
    return `<text x="${round(item.x)}" y="${round(item.y)}" text-anchor="${item.align}" ` +
      `font-weight="${item.isBold ? "bold" : "normal"}">${escaped(item.text)}</text>`;
  }

  let [place, picture] = [null, []];

  function draw(canvas, things, scale = Math.min(globalThis.devicePixelRatio || 1, 2)) {
    canvas.width = Math.round(place.width * scale);
    canvas.height = Math.round(place.height * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    things.forEach((item) => paint(pen, item));
  }

  // Anew where the network, its clusters, the slider or the size have changed.
  function drawPicture() {
    place = layOut(stage.clientWidth, stage.clientHeight);
    const edges = strongest();
    picture = pictureOf(edges);
    draw(base, picture);
    const count = `${written(edges.length)} of ${written(state.network.weight.length)}`;
    part("count").textContent = count;
    part("share").setAttribute("aria-valuetext", `${count} edges`);
    drawFocus();
  }

  const drawFocus = () => draw(overlay, state.focus ? focusItems() : []);

  // Words ---------------------------------------------------------------------------------------

  const isLast = (layer) => layer === state.network.sizes.length - 1;
  const layerWords = (layer) => (layer === 0 ? "pixels" : isLast(layer) ? "logits" : `hidden ${layer}`);
  const columnName = (layer) => (layer === 0 ? "in" : isLast(layer) ? "out" : `h${layer}`);

  function unitWords(unit) {
    const { layerOf, starts, image, classes } = state.network;
    const layer = layerOf[unit];
    const index = unit - starts[layer];
    if (layer === 0) return `pixel ${index} (row ${Math.floor(index / image[1])}, column ${index % image[1]})`;
    if (!isLast(layer)) return `hidden ${layer}, unit ${index}`;
    return classes[index] === String(index) ? `logit ${index}` : `logit ${index} (${classes[index]})`;
  }

  const focusWords = ({ unit, layer, cluster }) =>
    unit === undefined ? `sub-cluster ${layer}-${cluster}` : unitWords(unit);

  function addressOf(focus) {
    const { network, view } = state;
    const start = `#network=${network.name}&k=${view.k}`;
    if (!focus) return start;
    if (focus.unit === undefined) return `${start}&sub-cluster=${focus.layer}-${focus.cluster}`;
    return `${start}&unit=${columnName(focus.layer)}-${focus.unit - network.starts[focus.layer]}`;
  }

  const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2);
  const points = (share) => (100 * share).toFixed(1).replace("-", "−").replace(/^−0\.0$/, "0.0");
  const written = (n) => n.toLocaleString("en");
  const counted = (n, word) => `${written(n)} ${word}${n === 1 ? "" : "s"}`;

  function edgesWords(units) {
    const [into, out] = ["into", "out"].map((way) => sum(units.map((unit) => state.network[way][unit].length)));
    const edges = edgesOf(units);
    const inside = sum(edges.filter((edge) => clusterOf(edge) >= 0).map(strength)) / sum(edges.map(strength));
    return `${counted(into, "edge")} in, ${written(out)} out. Of their weight, ` +
      `${Math.round(100 * inside)}\u00a0% stays inside the cluster.`;
  }

  // The panel -----------------------------------------------------------------------------------

  function make(tag, content = [], settings = {}) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(settings)) node.setAttribute(name, value);
    node.append(...[content].flat());
    return node;
  }

  const swatch = (cluster) => make("span", [], { class: "mc-swatch", style: `background: ${colorOf(cluster)}` });
  const linkTo = (focus, words) => make("a", words, { href: addressOf(focus) });
  const heading = (words) => make("p", words, { class: "mc-sub" });

  function tableOf(label, head, rows) {
    const cells = (row, tag) => make("tr", row.map((cell, i) => (
      make(cell === "" ? "td" : tag, cell, i ? { class: "mc-n" } : {}))));
    const parts = [make("tbody", rows.map((row) => cells(row, "td")))];
    if (head.length) parts.unshift(make("thead", cells(head, "th")));
    return make("table", parts, { "aria-label": label });
  }

  function strongestTable(words, edges, endOf) {
    const best = [...edges].sort((a, b) => strength(b) - strength(a)).slice(0, 5);
    const rows = best.map((edge) => {
      const unit = endOf[edge];
      const link = linkTo(focusOn(unit), unitWords(unit));
      return [[swatch(state.view.labels[unit]), link], signed(state.network.weight[edge])];
    });
    return rows.length ? [heading(words), tableOf(words, [], rows)] : [];
  }

  // A picture of the pixels: `colorAt` gives red, green and blue for each.
  function imageOf(words, note, colorAt, isMap) {
    const [height, width] = state.network.image;
    const canvas = make("canvas", [], { role: "img", "aria-label": words,
      class: isMap ? "mc-viewer-image mc-map" : "mc-viewer-image" });
    Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d");
    const pixels = pen.createImageData(width, height);
    for (let i = 0; i < width * height; i += 1) pixels.data.set([...colorAt(i), 255], 4 * i);
    pen.putImageData(pixels, 0, 0);
    return make("div", [heading(words), canvas, make("p", note, { class: "mc-note" })]);
  }

  const rgbOf = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  const towards = (color, share) => color.map((value) => 255 + (value - 255) * share);

  function weightsImage(unit) {
    const { into, lower, weight } = state.network;
    const values = new Map(into[unit].map((edge) => [lower[edge], weight[edge]]));
    const largest = Math.max(...[...values.values()].map(Math.abs));
    const [positive, negative] = [[179, 88, 6], [84, 39, 136]];
    const colorAt = (pixel) => {
      const value = values.get(pixel) ?? 0;
      return towards(value > 0 ? positive : negative, Math.sqrt(Math.abs(value) / largest));
    };
    const note = `Orange is positive, purple negative, white no edge; the largest is ${largest.toFixed(2)}.`;
    return imageOf("Incoming weights", note, colorAt, false);
  }

  function pixelsImage(units) {
    const own = new Set(units);
    const colorAt = (pixel) => {
      const color = rgbOf(colorOf(state.view.labels[pixel]));
      if (own.has(pixel) && units.length === 1) return [0, 0, 0];
      return own.has(pixel) || !units.length ? color : towards(color, 0.3);
    };
    const note = "Each pixel in the colour of its cluster" +
      (units.length === 1 ? ", this one in black." : units.length ? ", those of this sub-cluster strong." : ".");
    return imageOf("Where pixels are", note, colorAt, true);
  }

  function lesionPart({ unit, layer, cluster }) {
    const { view, network } = state;
    const box = make("div", heading(`What the lesion of ${unit === undefined ? "this" : "its"} sub-cluster costs`));
    const note = (...content) => (box.append(make("p", content, { class: "mc-note" })), box);
    if (layer === 0 || isLast(layer)) return note("Only sub-clusters of hidden layers are lesioned.");
    if (!view.lesions.length) {
      const others = data.networks.flatMap((each) => each.clusterings.filter((c) => c.lesions.length)
        .map((c) => make("a", `${each.words}, ${c.k} clusters`, { href: `#network=${each.name}&k=${c.k}` })));
      return note("No published record has lesions of these clusters. ",
        ...others.flatMap((link, i) => [i ? "; " : "There are some of: ", link]));
    }
    const row = view.lesions.find((each) => each.layer === layer && each.cluster === cluster);
    if (!row) return note("This sub-cluster was not lesioned.");
    box.append(make("p", `${points(row.drop)} percentage points of accuracy, where ${view.nRandom} random sets of ` +
      `its size cost ${points(row.nullMean)} ± ${points(row.nullStd)} (p = ${row.p.toPrecision(2)}): ${row.kind}.`));
    if (!row.classDrops.length) return note("The record has no numbers class by class.");
    const largest = Math.max(...row.classDrops.map(Math.abs), 0.01);
    box.append(tableOf("Points lost by class", ["Class", "Points", ""], row.classDrops.map((drop, i) => {
      const bar = make("span", [], { class: `mc-bar mc-bar-${drop > 0 ? "loss" : "gain"}`,
        style: `width: ${(4 * Math.abs(drop)) / largest}rem` });
      return [network.classes[i], points(drop), make("span", bar, { class: "mc-bars" })];
    })));
    return box;
  }

  function unitPanel({ unit, layer, cluster }) {
    const { into, out, lower, upper } = state.network;
    if (cluster < 0) return [make("p", "Pruning has left it without an edge, so it is in no cluster.")];
    const block = blockOf(layer, cluster);
    const facts = make("div", [
      make("p", [`In cluster ${cluster}; one of ${counted(block.units.length, "unit")} of sub-cluster `,
        linkTo(block, `${layer}-${cluster}`), "."]),
      make("p", edgesWords([unit])),
      ...strongestTable("Strongest edges in", into[unit], lower),
      ...strongestTable("Strongest edges out", out[unit], upper),
    ]);
    const image = layer === 0 ? [pixelsImage([unit])]
      : layer === 1 && into[unit].length ? [weightsImage(unit)] : [];
    return [facts, ...image, lesionPart({ unit, layer, cluster })];
  }

  function blockPanel({ units, layer, cluster }) {
    const live = sum(state.view.blocks[layer].filter((b) => b.cluster >= 0).map((b) => b.units.length));
    const share = Math.round((100 * units.length) / live);
    const facts = make("div", [
      make("p", `${counted(units.length, "unit")} of cluster ${cluster}: ${share}\u00a0% of those that have an ` +
        `edge in its layer (${layerWords(layer)}).`),
      make("p", edgesWords(units)),
    ]);
    return [facts, ...(layer === 0 ? [pixelsImage(units)] : []), lesionPart({ layer, cluster })];
  }

  function homePanel() {
    const { network, view } = state;
    const right = (100 * network.accuracy).toFixed(1);
    const clusters = range(0, view.k).map((cluster) => [
      [swatch(cluster), String(cluster)],
      ...network.sizes.map((_, layer) => {
        const block = blockOf(layer, cluster);
        return block ? linkTo(block, String(block.units.length)) : "–";
      }),
    ]);
    const title = "Units of each cluster";
    const head = ["Cluster", ...network.sizes.map((_, layer) => columnName(layer))];
    const table = make("div", [heading(title), tableOf(title, head, clusters)]);
    return [make("p", `${right}\u00a0% of the test images right after pruning. ${view.k} clusters with an n-cut of ` +
      `${view.ncut.toFixed(3)}.`, { class: "mc-wide" }), table, pixelsImage([])];
  }

  function fillPanel() {
    const { focus, network } = state;
    const words = focus ? focusWords(focus) : network.words;
    const head = make("p", focus ? [swatch(focus.cluster), words] : words, { class: "mc-head mc-wide" });
    const own = !focus ? homePanel() : focus.unit === undefined ? blockPanel(focus) : unitPanel(focus);
    const hint = state.isHeld ? "Held: the address of the page leads here." : "A click or Enter holds it.";
    panel.replaceChildren(head, ...own, make("p", focus ? hint : "", { class: "mc-note mc-wide" }));
  }

  // For those who hear the page. What the pointer passes over is not said.
  function say(focus) {
    const isDead = focus?.cluster < 0;
    const lesion = focus && state.view.lesions.find((r) => r.layer === focus.layer && r.cluster === focus.cluster);
    const words = !focus ? ["Nothing is looked at."] : [
      `${focusWords(focus)}, ${isDead ? "without an edge" : `cluster ${focus.cluster}`}.`,
      isDead ? "" : edgesWords(focus.units),
      lesion ? `The lesion of its sub-cluster costs ${points(lesion.drop)} percentage points.` : "",
      state.isHeld ? "Held." : "",
    ];
    part("said").textContent = words.join(" ");
  }

  // What a reader does --------------------------------------------------------------------------

  function look(focus, { isHeld = false, isSaid = false } = {}) {
    const wasHeld = state.isHeld;
    Object.assign(state, { focus, isHeld: isHeld && focus !== null });
    drawFocus();
    fillPanel();
    if (isSaid) say(focus);
    if (state.isHeld || wasHeld) history.replaceState(null, "", addressOf(state.isHeld ? focus : null));
  }

  function show(name, k) {
    const network = networkNamed(name);
    const view = network.views.find((each) => each.k === k) ?? network.views[0];
    if (state.view === view) return;
    Object.assign(state, { network, view, focus: null, isHeld: false });
    part("network").value = name;
    part("k").replaceChildren(...network.views.map((each) => make("option", String(each.k), { value: each.k })));
    part("k").value = String(view.k);
    drawPicture();
    fillPanel();
  }

  // What an address names: null for a network alone, undefined for what is not in the viewer.
  // Networks are found by their name or by their record.
  function read(hash) {
    const asked = new URLSearchParams(hash.slice(1));
    const network = data.networks.find((n) => [n.name, n.record].includes(asked.get("network")));
    const k = Number(asked.get("k") ?? network?.clusterings[0].k);
    if (!network?.clusterings.some((each) => each.k === k)) return undefined;
    show(network.name, k);
    const { sizes, starts } = state.network;
    const [, layer, cluster] = /^(\d+)-(\d+)$/.exec(asked.get("sub-cluster")) ?? [];
    if (layer) return blockOf(Number(layer), Number(cluster));
    const [, column, index] = /^(in|h\d+|out)-(\d+)$/.exec(asked.get("unit")) ?? [];
    const at = { in: 0, out: sizes.length - 1 }[column] ?? Number(column?.slice(1));
    if (Number(index) < sizes[at]) return focusOn(starts[at] + Number(index));
    return asked.has("unit") || asked.has("sub-cluster") ? undefined : null;
  }

  function follow() {
    const isAsked = location.hash.startsWith("#network=");
    const focus = isAsked ? read(location.hash) : null;
    if (!state.network) show(data.networks[0].name);
    if (!isAsked) return;
    look(focus ?? null, { isHeld: true, isSaid: true });
    if (focus) stage.scrollIntoView({ block: "nearest" });
    if (focus !== undefined) return;
    part("said").textContent = "The address of this page names nothing that is in the viewer.";
    panel.prepend(make("p", part("said").textContent, { class: "mc-wide mc-note" }));
  }

  function step(key) {
    const { network, view, focus } = state;
    const unit = focus?.units[0] ?? view.orders[1][0];
    if (!focus && key.startsWith("Arrow")) return focusOn(unit);
    const layer = network.layerOf[unit];
    const order = view.orders[layer];
    const inLayer = (i) => focusOn(order[Math.max(0, Math.min(i, order.length - 1))]);
    const distance = (other) => Math.abs(place.y[other] - place.y[unit]);
    const aside = (other) => focusOn((view.orders[other] ?? [unit])
      .reduce((a, b) => (distance(b) < distance(a) ? b : a)));
    const blocks = view.blocks.flat().filter((block) => block.cluster >= 0);
    const own = blocks.findIndex((block) => block.units.includes(unit));
    const moves = {
      ArrowUp: () => inLayer(order.indexOf(unit) - 1),
      ArrowDown: () => inLayer(order.indexOf(unit) + 1),
      ArrowLeft: () => aside(layer - 1),
      ArrowRight: () => aside(layer + 1),
      Home: () => inLayer(0),
      End: () => inLayer(order.length - 1),
      PageUp: () => blocks[Math.max(0, own - 1)],
      PageDown: () => blocks[Math.min(blocks.length - 1, focus ? own + 1 : own)],
    };
    return moves[key]?.();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moved = step(event.key);
    if (moved) look(moved, { isHeld: state.isHeld, isSaid: true });
    else if (event.key === "Enter" && state.focus) look(state.focus, { isHeld: !state.isHeld, isSaid: true });
    else if (event.key === "Escape") look(null, { isSaid: true });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function unitUnder(event) {
    const box = base.getBoundingClientRect();
    return unitAt(event.clientX - box.left, event.clientY - box.top);
  }

  function onMove(event) {
    if (state.isHeld || event.pointerType === "touch") return;
    const unit = unitUnder(event);
    if (unit !== null && unit !== state.focus?.unit) soon("look", () => state.isHeld || look(focusOn(unit)));
  }

  // A click on what is held, or on nothing, lets go.
  function onClick(event) {
    const unit = unitUnder(event);
    const isOver = unit === null || (state.isHeld && unit === state.focus.unit);
    look(isOver ? null : focusOn(unit), { isHeld: true, isSaid: true });
  }

  // Once a frame, the last of each kind of work that was asked for.
  const waiting = new Map();
  function soon(kind, work) {
    if (!waiting.size) requestAnimationFrame(() => {
      const all = [...waiting.values()];
      waiting.clear();
      all.forEach((each) => each());
    });
    waiting.set(kind, work);
  }

  function save(name, blob) {
    const address = URL.createObjectURL(blob);
    make("a", [], { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  const items = () => [whole(), ...picture, ...(state.focus ? focusItems() : [])];
  const fileName = () => addressOf(state.focus).slice(1).replace(/[^\w-]+/g, "-");

  function savePng() {
    const canvas = make("canvas");
    draw(canvas, items(), 2);
    canvas.toBlob((blob) => save(`${fileName()}.png`, blob));
  }

  function saveSvg() {
    const { width, height } = place;
    const head = `viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}"`;
    const parts = [`<title>${escaped(state.network.words)}</title>`, ...items().map(svgOf)];
    const text = `<svg xmlns="http://www.w3.org/2000/svg" ${head}>\n${parts.join("\n")}\n</svg>\n`;
    save(`${fileName()}.svg`, new Blob([text], { type: "image/svg+xml" }));
  }

  function choose(name, k) {
    show(name, k);
    history.replaceState(null, "", addressOf(null));
  }

  function start() {
    part("network").append(...data.networks.map((each) => make("option", each.words, { value: each.name })));
    root.hidden = false;
    state.share = Number(part("share").value) / 100;
    follow();
    part("network").onchange = (event) => choose(event.target.value);
    part("k").onchange = (event) => choose(state.network.name, Number(event.target.value));
    part("share").oninput = (event) => {
      state.share = Number(event.target.value) / 100;
      soon("picture", drawPicture);
    };
    part("png").onclick = savePng;
    part("svg").onclick = saveSvg;
    stage.onpointermove = onMove;
    stage.onpointerleave = () => soon("look", () => state.isHeld || look(null));
    stage.onclick = onClick;
    stage.onkeydown = onKey;
    addEventListener("hashchange", follow);
    new ResizeObserver(() => {
      if (stage.clientWidth !== place.width || stage.clientHeight !== place.height) soon("picture", drawPicture);
    }).observe(stage);
    requestAnimationFrame(() => setTimeout(() => performance.mark("mc-viewer-drawn")));
  }

  start();
  // For tests and benchmarks.
  globalThis.modclustViewer = { state, unitAt, placeOf: (unit) => [place.x[unit], place.y[unit]],
    drawPicture, look, focusOn, blockOf, base, overlay };
})();
