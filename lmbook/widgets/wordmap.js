// A map of word vectors: neighbours and analogies in the whole space (3.3, 4.3).
const SCALE = 32767;
const NEIGHBOURS = 10;

// ---- vectors -----------------------------------------------------------------------

export function table(words, base64) {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const size = bytes.length / 2 / words.length;
  return words.map((_, row) => {
    const vector = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      vector[k] = view.getInt16(2 * (row * size + k), true) / SCALE;
    }
    return vector;
  });
}

// [index, cosine] of the rows nearest to ``query``, without those left out.
export function nearest(rows, query, leftOut, count = NEIGHBOURS) {
  const dot = (u, v) => u.reduce((sum, value, k) => sum + value * v[k], 0);
  const length = Math.sqrt(dot(query, query));
  return rows
    .map((row, i) => [i, dot(row, query) / length / Math.sqrt(dot(row, row))])
    .filter(([i]) => !leftOut.includes(i))
    .sort((one, other) => other[1] - one[1])
    .slice(0, count);
}

// a is to b as c is to: the rows nearest to b − a + c.
export function analogy(rows, [a, b, c], count = NEIGHBOURS) {
  const query = rows[b].map((value, k) => value - rows[a][k] + rows[c][k]);
  return nearest(rows, query, [a, b, c], count);
}

// What a reader has typed: the word itself, else the words that begin with it.
export function search(words, typed) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return [];
  const exact = words.filter((word) => word.toLowerCase() === wanted);
  const begin = words.filter((word) => word.toLowerCase().startsWith(wanted));
  return [...new Set([...exact, ...begin])];
}

// ---- picture -----------------------------------------------------------------------

const MARGIN = 30;
const ZOOM = 1.6;
const escape = (text) =>
  text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const signed = (value) => value.toFixed(2).replace("-", "−");
// A Chinese character is as wide as the font is high, a Latin one about half.
const wide = (word, size) =>
  [...word].reduce((sum, char) => sum + (char > "\u2e80" ? size : size * 0.58), 0);

// Names that stand free of those before them, the important ones first.
function placed(names) {
  const taken = [];
  return names.filter(({ x, y, word, size, always }) => {
    const half = wide(word, size) / 2 + 2;
    const box = [x - half, y - size - 4, x + half, y + 2];
    const hit = taken.some(
      ([l, t, r, b]) => l < box[2] && box[0] < r && t < box[3] && box[1] < b
    );
    if (hit && !always) return false;
    taken.push(box);
    return true;
  });
}

function picture(state, view) {
  const { words, points, chosen, found, lines } = state;
  const { width, height } = view;
  const at = (i) => [
    width / 2 + (points[2 * i] - view.x) * view.zoom * (width / 2 - MARGIN),
    height / 2 - (points[2 * i + 1] - view.y) * view.zoom * (height / 2 - MARGIN),
  ];
  const kind = new Map([
    ...found.map(([i]) => [i, "found"]),
    ...chosen.map((i) => [i, "chosen"]),
  ]);
  const inside = ([x, y]) => x > 0 && x < width && y > 0 && y < height;
  const seen = words.map((_, i) => i).filter((i) => inside(at(i)));
  const rank = (i) => ({ chosen: 0, found: 1 })[kind.get(i)] ?? 2;
  const names = placed(
    [...seen].sort((i, j) => rank(i) - rank(j) || i - j).map((i) => {
      const [x, y] = at(i);
      const size = rank(i) < 2 ? 15 : 12;
      const half = wide(words[i], size) / 2;
      const within = Math.min(Math.max(x, half + 2), width - half - 2);
      return { i, x: within, y: Math.max(y - 6, size + 2), word: words[i], size,
        always: rank(i) === 0 };
    })
  );
  const dots = seen.map((i) => {
    const [x, y] = at(i).map((value) => value.toFixed(1));
    const radius = { chosen: 6, found: 5 }[kind.get(i)] ?? 2.5;
    return `<circle class="${kind.get(i) ?? "other"}" data-word="${i}" cx="${x}"
      cy="${y}" r="${radius}"/>`;
  });
  const texts = names.map(
    ({ i, x, y, word }) => `<text class="${kind.get(i) ?? "other"}" data-word="${i}"
      x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escape(word)}</text>`
  );
  const strokes = lines.map(([from, to, name]) => {
    const [[x1, y1], [x2, y2]] = [at(from), at(to)].map((p) => p.map((v) => v.toFixed(1)));
    return `<line class="${name}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
  });
  return `${strokes.join("")}${dots.join("")}${texts.join("")}`;
}

// ---- in the page -------------------------------------------------------------------

const field = (name, label) =>
  `<label>${label}<input type="search" data-field="${name}" autocomplete="off"
    spellcheck="false" autocapitalize="none"></label>`;

function page(count) {
  return `<div class="lmbook-explorer lmbook-map">
    <div class="row modes" role="group" aria-label="做什么">
      <button data-mode="neighbours">找近邻</button><button data-mode="analogy">做类比</button>
    </div>
    <div class="row" data-for="neighbours">${field("word", "词")}</div>
    <div class="row" data-for="analogy">${field("0", "")}<span>之于</span>${field("1", "")}
      <span>，如</span>${field("2", "")}<span>之于？</span></div>
    <p class="hint" role="status"></p>
    <svg role="img" tabindex="0"><title>${count} 个词的地图，
      可以用方向键移动，用加减号放大缩小</title>
      <defs><marker id="lmbook-map-arrow" viewBox="0 0 8 8" refX="11" refY="4"
        markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0L8,4L0,8Z"/></marker></defs>
      <g></g></svg>
    <div class="row zoom"><button data-zoom="in" aria-label="放大">＋</button>
      <button data-zoom="out" aria-label="缩小">－</button>
      <button data-zoom="all">看全图</button></div>
    <output aria-live="polite"></output>
  </div>`;
}

function render({ model, el }) {
  const [words, points] = [model.get("words"), model.get("points")];
  const rows = table(words, model.get("vectors"));
  const place = new Map(words.map((word, i) => [word, i]));
  el.innerHTML = page(words.length);
  const find = (selector) => el.querySelector(selector);
  const all = (selector) => [...el.querySelectorAll(selector)];
  const svg = find("svg");
  // Its size is that of the screen, so that names can be read on a phone too.
  let view = { x: 0, y: 0, zoom: 1, width: 640, height: 460 };
  let turn = 0; // which term of the analogy a touched word becomes

  const value = (name) =>
    name === "word" ? model.get("word") : model.get("terms")[Number(name)];
  function state() {
    if (model.get("mode") === "neighbours") {
      const i = place.get(model.get("word"));
      const found = nearest(rows, rows[i], [i]);
      return { words, points, chosen: [i], found,
        lines: found.map(([j]) => [i, j, "near"]) };
    }
    const [a, b, c] = model.get("terms").map((word) => place.get(word));
    const found = analogy(rows, [a, b, c]);
    const answer = found[0][0];
    return { words, points, chosen: [a, b, c, answer], found: found.slice(0, 1), all: found,
      lines: [[a, b, "given"], [c, answer, "answer"]] };
  }

  function draw() {
    const now = state();
    svg.setAttribute("viewBox", `0 0 ${view.width} ${view.height}`);
    svg.style.touchAction = view.zoom > 1 ? "none" : "pan-y";
    find("svg g").innerHTML = picture(now, view);
    const list = (now.all ?? now.found)
      .map(([i, cosine]) => `<li>${escape(words[i])} <span>${signed(cosine)}</span></li>`)
      .join("");
    const said = now.all
      ? `<b>${now.chosen.slice(0, 3).map((i) => escape(words[i])).join("、")}</b>
        → <b>${escape(words[now.found[0][0]])}</b>；候选与余弦：`
      : `<b>${escape(words[now.chosen[0]])}</b> 的近邻与余弦：`;
    find("output").innerHTML = `${said}<ol>${list}</ol>`;
    for (const button of all("[data-mode]")) {
      button.ariaPressed = String(button.dataset.mode === model.get("mode"));
    }
    for (const part of all("[data-for]")) {
      part.hidden = part.dataset.for !== model.get("mode");
    }
    for (const input of all("[data-field]")) {
      if (input !== document.activeElement) input.value = value(input.dataset.field);
      input.ariaLabel = { word: "要找的词", 0: "类比的第一个词", 1: "类比的第二个词",
        2: "类比的第三个词" }[input.dataset.field];
    }
  }
  const hint = (text) => { find(".hint").textContent = text; };
  function choose(name, word) {
    if (name === "word") model.set("word", word);
    else {
      const terms = [...model.get("terms")];
      terms[Number(name)] = word;
      model.set("terms", terms);
    }
    hint("");
    model.save_changes();
    draw();
  }
  function move(x, y, factor = 1) {
    const zoom = Math.min(Math.max(view.zoom * factor, 1), 30);
    const most = 1 - 1 / zoom;
    const limited = (v) => Math.min(Math.max(v, -most), most);
    view = { ...view, x: limited(view.x + x / zoom), y: limited(view.y + y / zoom), zoom };
    draw();
  }

  for (const control of all("button, input, svg")) {
    control.dataset.lmSuppressShortcuts = "true";
  }
  for (const button of all("[data-mode]")) {
    button.addEventListener("click", () => {
      model.set("mode", button.dataset.mode);
      model.save_changes();
      hint("");
      draw();
    });
  }
  for (const input of all("[data-field]")) {
    const typed = (final) => {
      const fits = search(words, input.value);
      const exact = fits[0]?.toLowerCase() === input.value.trim().toLowerCase();
      if (exact || (final && fits.length)) choose(input.dataset.field, fits[0]);
      else if (!input.value.trim()) hint("");
      else if (fits.length) hint(`可选：${fits.slice(0, 8).join("、")}`);
      else hint(`地图上没有“${input.value.trim()}”`);
      if (final && fits.length) input.value = value(input.dataset.field);
    };
    input.addEventListener("input", () => typed(false));
    input.addEventListener("change", () => typed(true));
    input.addEventListener("focus", () => {
      input.select();
      turn = Number(input.dataset.field) || 0;
    });
    input.addEventListener("blur", () => { input.value = value(input.dataset.field); });
  }
  for (const button of all("[data-zoom]")) {
    button.addEventListener("click", () => {
      const kind = button.dataset.zoom;
      if (kind === "all") view = { ...view, x: 0, y: 0, zoom: 1 };
      move(0, 0, { in: ZOOM, out: 1 / ZOOM, all: 1 }[kind]);
    });
  }
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, 0.2],
      ArrowDown: [0, -0.2], "+": [0, 0, ZOOM], "=": [0, 0, ZOOM], "-": [0, 0, 1 / ZOOM] };
    if (!(event.key in step) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    move(...step[event.key]);
  });
  // A finger or the mouse: dragged, the map moves, once it is enlarged; else the
  // nearest word is chosen.
  let held = null;
  svg.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX, y: event.clientY, moved: 0 };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!held || !event.buttons || view.zoom === 1) return;
    const { width, height } = svg.getBoundingClientRect();
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    held = { x: event.clientX, y: event.clientY,
      moved: held.moved + Math.abs(dx) + Math.abs(dy) };
    if (held.moved > 5) move((-2 * dx) / width, (2 * dy) / height);
  });
  svg.addEventListener("click", (event) => {
    if (held && held.moved > 5) return;
    const { left, top, width } = svg.getBoundingClientRect();
    const scale = view.width / width;
    const [x, y] = [(event.clientX - left) * scale, (event.clientY - top) * scale];
    const named = event.target.dataset.word;
    const away = (circle) =>
      Math.hypot(circle.getAttribute("cx") - x, circle.getAttribute("cy") - y);
    const [nearby] = all("circle").sort((one, other) => away(one) - away(other));
    if (named === undefined && (!nearby || away(nearby) > 24 * scale)) return;
    const word = words[named ?? nearby.dataset.word];
    if (model.get("mode") === "neighbours") choose("word", word);
    else {
      choose(String(turn), word);
      turn = (turn + 1) % 3;
    }
  });
  model.on("change", draw);
  const watch = new ResizeObserver(() => {
    const width = Math.max(300, svg.clientWidth);
    if (width === view.width) return;
    view = { ...view, width, height: Math.max(380, Math.round(0.68 * width)) };
    draw();
  });
  watch.observe(svg);
  draw();
  return () => {
    watch.disconnect();
    model.off("change", draw);
  };
}

export default { render };
