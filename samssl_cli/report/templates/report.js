// The page works without this script; with it, tables sort and volumes can be walked through.
"use strict";

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);

// Theme ------------------------------------------------------------------------------------------

/** Remember a choice, where the browser allows it: from disk some do not. */
function remembered(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function startTheme() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  const stored = remembered("samssl-theme");
  if (stored) document.documentElement.dataset.theme = stored;
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    remembered("samssl-theme", document.documentElement.dataset.theme);
    show();
  });
  system.addEventListener("change", show);
  show();
}

// Every case -------------------------------------------------------------------------------------

const words = new Intl.Collator(undefined, { numeric: true });

/** Cases in the order of a column: 0 is the name, the metrics follow; what is no number comes last. */
function sorted(series, column, direction) {
  const order = data.cases.map((_, index) => index);
  if (direction === "none") return order;
  const sign = direction === "ascending" ? 1 : -1;
  const value = (index) => series.values[index][column - 1];
  return order.sort((a, b) => {
    if (column === 0) return sign * words.compare(data.cases[a], data.cases[b]);
    if (value(a) === null || value(b) === null) return (value(a) === null) - (value(b) === null);
    return sign * (value(a) - value(b));
  });
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function caseRow(series, index, numClasses) {
  const row = element("tr");
  const head = element("th", "row-name");
  head.scope = "row";
  head.append(element("bdi", "", data.cases[index]));
  const missed = series.missed[index];
  if (missed) {
    const text = numClasses > 1 ? `${missed} of ${numClasses} missed` : "missed";
    head.append(" ", element("span", "badge miss", text));
  }
  const shown = (value) => (value === null ? "–" : value.toFixed(2));
  row.append(head, ...series.values[index].map((value) => element("td", "number", shown(value))));
  return row;
}

function startCases() {
  const table = byId("case-table");
  if (!table) return;
  const [rowChoice, classChoice] = [byId("case-row"), byId("case-class")];
  const heads = [...table.tHead.rows[0].cells];
  const sort = { column: 0, direction: "none" };

  const show = () => {
    const cut = Number(classChoice?.value ?? 0);
    const series = data.series[Number(rowChoice.value) * data.cuts.length + cut];
    const numClasses = data.cuts.length > 1 && cut === 0 ? data.classes.length : 1;
    const order = sorted(series, sort.column, sort.direction);
    table.tBodies[0].replaceChildren(...order.map((index) => caseRow(series, index, numClasses)));
    const chosen = [rowChoice, classChoice].filter(Boolean).map((one) => one.selectedOptions[0].text);
    byId("case-shown").replaceChildren(element("bdi", "", chosen.join(", ")));
    heads.forEach((head, column) =>
      head.setAttribute("aria-sort", column === sort.column ? sort.direction : "none"));
  };

  heads.forEach((head, column) => {
    const button = head.firstElementChild;
    button.disabled = false;
    button.addEventListener("click", () => {
      const again = sort.column === column && sort.direction === "ascending";
      Object.assign(sort, { column, direction: again ? "descending" : "ascending" });
      show();
      byId("case-status").textContent = `Sorted by ${button.textContent.trim()}: ${sort.direction}`;
    });
  });
  for (const choice of [rowChoice, classChoice]) choice?.addEventListener("change", show);
  byId("case-controls").hidden = false;
  show();
}

// Volumes ----------------------------------------------------------------------------------------

/** Undo `packed` of embedding.py. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function decoded(text) {
  const view = JSON.parse(text);
  const [image, ...labels] = await Promise.all([view.image, ...view.layers.map((one) => one.label)].map(unpacked));
  return { ...view, image, layers: view.layers.map((one, n) => ({ name: one.name, label: labels[n] })) };
}

/** One slice as rows from the top, columns from the left; `slice_of` of slices.py is the same rule. */
function sliceOf(volume, shape, plane, index) {
  const strides = [shape[1] * shape[2], shape[2], 1];
  const [columns, rows] = [shape[plane.across], shape[plane.down]];
  const pixels = new Uint8Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      pixels[row * columns + column] =
        volume[index * strides[plane.axis] + (columns - 1 - column) * strides[plane.across] + (rows - 1 - row) * strides[plane.down]];
    }
  }
  return { pixels, columns, rows };
}

/** Column and row of a voxel on the screen. */
const onScreen = (plane, shape, voxel) =>
  [shape[plane.across] - 1 - voxel[plane.across], shape[plane.down] - 1 - voxel[plane.down]];

/** The closed outlines of a mask: corners in pixels, with the inside on the right of each step. */
function outlines({ pixels, columns, rows }, value) {
  const inside = (x, y) => x >= 0 && y >= 0 && x < columns && y < rows && pixels[y * columns + x] === value;
  const width = columns + 1;
  const next = new Map(); // corner -> the corners that its edges lead to; two where regions touch
  const edge = (x0, y0, x1, y1) => {
    const from = y0 * width + x0;
    next.set(from, [...(next.get(from) ?? []), y1 * width + x1]);
  };
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      if (!inside(x, y)) continue;
      if (!inside(x, y - 1)) edge(x, y, x + 1, y);
      if (!inside(x + 1, y)) edge(x + 1, y, x + 1, y + 1);
      if (!inside(x, y + 1)) edge(x + 1, y + 1, x, y + 1);
      if (!inside(x - 1, y)) edge(x, y + 1, x, y);
    }
  }
  const loops = [];
  for (const start of next.keys()) {
    while (next.get(start).length) {
      const loop = [];
      let corner = start;
      do {
        loop.push([corner % width, Math.floor(corner / width)]);
        corner = next.get(corner).pop();
      } while (corner !== start);
      loops.push(loop);
    }
  }
  return loops;
}

// Drawing ----------------------------------------------------------------------------------------

const [LIGHT, SHADE] = ["#ffffff", "#000000b0"];
const state = { view: null, voxel: [0, 0, 0], hidden: null, onlyClass: 0 };

/** Where a slice lies on its screen: all planes of a case share one scale, in pixels per mm. */
function placement(canvas, view, plane) {
  const sizes = view.shape.map((count, axis) => count * view.spacing[axis]);
  const scale = Math.min(canvas.width, canvas.height) / Math.max(...sizes);
  const [width, height] = [sizes[plane.across] * scale, sizes[plane.down] * scale];
  return {
    x: (canvas.width - width) / 2,
    y: (canvas.height - height) / 2,
    across: width / view.shape[plane.across],
    down: height / view.shape[plane.down],
  };
}

function drawImage(context, slice, place) {
  const bitmap = new OffscreenCanvas(slice.columns, slice.rows);
  const pixels = new ImageData(slice.columns, slice.rows);
  const grey = new Uint32Array(pixels.data.buffer);
  slice.pixels.forEach((value, n) => { grey[n] = 0xff000000 | (value * 0x010101); });
  bitmap.getContext("2d").putImageData(pixels, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, place.x, place.y, slice.columns * place.across, slice.rows * place.down);
}

/** A line through the middles of a mask's edges: smoother than its stairs, never half a voxel off. */
function drawOutlines(context, slice, place, style, ratio) {
  const path = new Path2D();
  const values = new Set(slice.pixels);
  values.delete(0);
  for (const value of values) {
    if (state.onlyClass && value !== state.onlyClass) continue;
    for (const loop of outlines(slice, value)) {
      loop.forEach(([x, y], n) => {
        const [nextX, nextY] = loop[(n + 1) % loop.length];
        const point = [place.x + ((x + nextX) / 2) * place.across, place.y + ((y + nextY) / 2) * place.down];
        if (n) path.lineTo(...point); else path.moveTo(...point);
      });
      path.closePath();
    }
  }
  context.setLineDash(style.dash.map((length) => length * ratio * 1.5));
  strokeTwice(context, ratio, path, style.colour);
  context.setLineDash([]);
}

/** Light on a dark rim: it can be seen on any grey. */
function strokeTwice(context, ratio, path, light = LIGHT) {
  for (const [colour, width] of [[SHADE, 3.25], [light, 1.75]]) {
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.stroke(path);
  }
}

function drawMarks(context, view, plane, index, place, ratio) {
  const at = ([column, row]) => [place.x + (column + 0.5) * place.across, place.y + (row + 0.5) * place.down];
  const path = new Path2D();
  if (!state.hidden.has("clicks")) {
    for (const [i, j, k, isPositive] of view.clicks) {
      if ([i, j, k][plane.axis] !== index) continue;
      const [x, y] = at(onScreen(plane, view.shape, [i, j, k]));
      const arm = 6 * ratio;
      path.moveTo(x - arm, y);
      path.lineTo(x + arm, y);
      if (!isPositive) continue;
      path.moveTo(x, y - arm);
      path.lineTo(x, y + arm);
    }
  }
  if (!state.hidden.has("boxes")) {
    for (const [low, high] of view.boxes) {
      if (index < low[plane.axis] || index >= high[plane.axis]) continue;
      const [right, bottom] = onScreen(plane, view.shape, low);
      const [left, top] = onScreen(plane, view.shape, high);
      path.rect(place.x + (left + 1) * place.across, place.y + (top + 1) * place.down,
        (right - left) * place.across, (bottom - top) * place.down);
    }
  }
  strokeTwice(context, ratio, path);
}

/** Where the other two planes cut this one: short ticks at the rim, so that nothing is covered. */
function drawTicks(context, view, plane, place, ratio) {
  const [column, row] = onScreen(plane, view.shape, state.voxel);
  const [x, y] = [place.x + (column + 0.5) * place.across, place.y + (row + 0.5) * place.down];
  const [right, bottom] = [context.canvas.width - place.x, context.canvas.height - place.y];
  const tick = 9 * ratio;
  const path = new Path2D();
  for (const [x0, y0, x1, y1] of [
    [x, place.y, x, place.y + tick], [x, bottom - tick, x, bottom],
    [place.x, y, place.x + tick, y], [right - tick, y, right, y],
  ]) {
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  }
  context.globalAlpha = 0.6;
  strokeTwice(context, ratio, path);
  context.globalAlpha = 1;
}

function drawPlane(canvas) {
  const { view } = state;
  const plane = data.planes[Number(canvas.dataset.plane)];
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const context = canvas.getContext("2d");
  const place = placement(canvas, view, plane);
  const index = state.voxel[plane.axis];
  const cut = (volume) => sliceOf(volume, view.shape, plane, index);
  drawImage(context, cut(view.image), place);
  const shown = view.layers.map((layer, n) => [layer, data.layers[n % data.layers.length]])
    .filter(([layer]) => !state.hidden.has(`layer ${layer.name}`));
  for (const [layer, style] of shown) drawOutlines(context, cut(layer.label), place, style, ratio);
  drawMarks(context, view, plane, index, place, ratio);
  drawTicks(context, view, plane, place, ratio);
  const over = shown.map(([layer]) => layer.name).join(", ") || "no layer";
  canvas.setAttribute("aria-label", `${plane.name} slice ${index + 1} of ${view.shape[plane.axis]} of ${view.name}, with ${over}`);
}

// Viewer -----------------------------------------------------------------------------------------

const canvases = [...document.querySelectorAll(".screen canvas")];
const sliders = [...document.querySelectorAll(".plane input")];

/** What lies under the crossing of the three planes; positions count the voxels of the artifact. */
function readout() {
  const { view, voxel } = state;
  const [, height, depth] = view.shape;
  const offset = (voxel[0] * height + voxel[1]) * depth + voxel[2];
  const name = (value) => (value ? data.classes[value - 1] ?? `class ${value}` : "background");
  const layers = view.layers.map((layer) => `${layer.name}: ${name(layer.label[offset])}`);
  const original = voxel.map((index, axis) => index * view.strides[axis]);
  return [`At voxel (${original.join(", ")})`, ...layers].join(" · ");
}

function showSlices() {
  for (const slider of sliders) {
    const { axis } = data.planes[Number(slider.dataset.plane)];
    const size = state.view.shape[axis];
    slider.max = size - 1;
    slider.value = state.voxel[axis];
    const text = `${state.voxel[axis] + 1} of ${size}`;
    slider.setAttribute("aria-valuetext", text);
    slider.nextElementSibling.textContent = text;
  }
  canvases.forEach(drawPlane);
  byId("readout").textContent = readout();
}

function sampleOf(style) {
  const sample = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const set = (node, values) => Object.entries(values).forEach(([key, value]) => node.setAttribute(key, value));
  set(sample, { class: "sample", viewBox: "0 0 28 10", "aria-hidden": "true" });
  set(line, { x1: 0, x2: 28, y1: 5, y2: 5, stroke: style.colour, "stroke-width": 2, "stroke-dasharray": style.dash.join(" ") });
  sample.append(line);
  return sample;
}

function toggle(key, text, ...sample) {
  const label = element("label");
  const box = element("input");
  box.type = "checkbox";
  box.checked = !state.hidden.has(key);
  box.addEventListener("change", () => {
    state.hidden[box.checked ? "delete" : "add"](key);
    canvases.forEach(drawPlane);
  });
  label.append(box, ...sample, text);
  return label;
}

function showToggles() {
  const { view } = state;
  const toggles = view.layers.map((layer, n) =>
    toggle(`layer ${layer.name}`, layer.name, sampleOf(data.layers[n % data.layers.length])));
  const sign = (text) => { const made = element("span", "sign", text); made.ariaHidden = "true"; return made; };
  if (view.clicks.length) toggles.push(toggle("clicks", "clicks: inside, outside", sign("+"), sign("−")));
  if (view.boxes.length) toggles.push(toggle("boxes", "boxes", sign("□")));
  const fieldset = byId("layers");
  fieldset.replaceChildren(fieldset.firstElementChild, ...toggles);
}

/** Show a case; its volumes are unpacked the first time it is asked for. */
async function showView(number) {
  const source = document.querySelectorAll("script.view")[number];
  source.decoded ??= decoded(source.textContent);
  state.wanted = number;
  const view = await source.decoded;
  if (state.wanted !== number) return; // another case was chosen in the meantime
  state.view = view;
  state.voxel = [...state.view.start];
  state.hidden ??= new Set(state.view.layers.slice(2).map((layer) => `layer ${layer.name}`)); // at first, two are enough
  for (const line of document.querySelectorAll(".case-line")) line.hidden = Number(line.dataset.view) !== number;
  showToggles();
  showSlices();
}

function jump(canvas, event) {
  const { view } = state;
  const plane = data.planes[Number(canvas.dataset.plane)];
  const place = placement(canvas, view, plane);
  const ratio = canvas.width / canvas.clientWidth;
  const column = Math.floor((event.offsetX * ratio - place.x) / place.across);
  const row = Math.floor((event.offsetY * ratio - place.y) / place.down);
  const [columns, rows] = [view.shape[plane.across], view.shape[plane.down]];
  if (column < 0 || row < 0 || column >= columns || row >= rows) return;
  state.voxel[plane.across] = columns - 1 - column;
  state.voxel[plane.down] = rows - 1 - row;
  showSlices();
}

async function startViewer() {
  const viewer = byId("planes");
  if (!viewer) return;
  try {
    viewer.hidden = false;
    await showView(0);
  } catch {
    viewer.hidden = true; // an old browser: the still pictures stay
    return;
  }
  byId("panels").hidden = true;
  for (const slider of sliders) {
    slider.addEventListener("input", () => {
      state.voxel[data.planes[Number(slider.dataset.plane)].axis] = Number(slider.value);
      showSlices();
    });
  }
  for (const canvas of canvases) canvas.addEventListener("click", (event) => jump(canvas, event));
  for (const choice of document.querySelectorAll("input[name=view]")) {
    choice.addEventListener("change", () => showView(Number(choice.value)));
  }
  byId("view-class")?.addEventListener("change", (event) => {
    state.onlyClass = Number(event.target.value);
    canvases.forEach(drawPlane);
  });
  new ResizeObserver(() => canvases.forEach(drawPlane)).observe(viewer);
}

startTheme();
startCases();
startViewer();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
