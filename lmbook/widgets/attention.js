// Attention of every head on a text: a token is chosen, what it looks at lights up (3.6).
const SCALE = 255;
const LISTED = 5;

// ---- weights -----------------------------------------------------------------------

export function unpack(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

// The weights of one token in one head, over itself and those before it.
export function row(bytes, size, heads, layer, head, token) {
  const start = ((layer * heads + head) * size * (size + 1)) / 2 + (token * (token + 1)) / 2;
  return Array.from(bytes.subarray(start, start + token + 1), (byte) => byte / SCALE);
}

// [index, weight] of what a token looks at most, the most first.
export function strongest(weights, count = LISTED) {
  return weights
    .map((weight, i) => [i, weight])
    .filter(([, weight]) => weight >= 0.005)
    .sort((one, other) => other[1] - one[1] || other[0] - one[0])
    .slice(0, count);
}

// ---- picture -----------------------------------------------------------------------

const THUMB = "#2f8fcf"; // seen on white and on black
const escape = (text) =>
  text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const percent = (weight) => `${Math.round(100 * weight)}`;

// A head's whole map as a small picture, one dot a weight.
function thumbnail(canvas, weightsOf, size) {
  canvas.width = canvas.height = size;
  const paper = canvas.getContext("2d");
  paper.clearRect(0, 0, size, size);
  paper.fillStyle = THUMB;
  for (let i = 0; i < size; i++) {
    weightsOf(i).forEach((weight, j) => {
      paper.globalAlpha = Math.min(1, 0.04 + weight);
      paper.fillRect(j, i, 1, 1);
    });
  }
}

// The chosen head: rows look, columns are looked at; the chosen row is framed.
function matrix(tokens, weightsOf, chosen, width) {
  const size = tokens.length;
  const label = width > 480 ? 72 : 4; // on a phone the words above must do
  const cell = (width - label - 4) / size;
  const cells = [];
  for (let i = 0; i < size; i++) {
    weightsOf(i).forEach((weight, j) => {
      if (weight < 0.005) return;
      cells.push(`<rect class="cell" x="${(label + j * cell).toFixed(1)}"
        y="${(i * cell).toFixed(1)}" width="${cell.toFixed(1)}" height="${cell.toFixed(1)}"
        fill-opacity="${weight.toFixed(2)}"/>`);
    });
  }
  const names = label < 20 ? [] : tokens.map((token, i) => `<text class="${i === chosen ? "chosen" : ""}"
    x="${label - 6}" y="${((i + 0.5) * cell + 4).toFixed(1)}">${escape(token)}</text>`);
  const edge = `M${label},0H${label + cell}${tokens.map((_, i) =>
    `V${((i + 1) * cell).toFixed(1)}${i + 1 < size ? `H${(label + (i + 2) * cell).toFixed(1)}` : ""}`
  ).join("")}H${label}Z`;
  return { height: size * cell + 4, label, cell, content: `<path class="edge" d="${edge}"/>${cells.join("")}
    <rect class="frame" x="${label}" y="${(chosen * cell).toFixed(1)}"
      width="${((chosen + 1) * cell).toFixed(1)}" height="${cell.toFixed(1)}"/>${names.join("")}` };
}

// ---- in the page -------------------------------------------------------------------

function page(examples, layers, heads) {
  const options = examples.map(({ name }, i) => `<option value="${i}">${escape(name)}</option>`);
  const thumbs = Array.from({ length: layers }, (_, layer) =>
    `<div class="layer"><span>第 ${layer + 1} 层</span>${Array.from({ length: heads }, (_, head) =>
      `<button data-layer="${layer}" data-head="${head}"
        aria-label="第 ${layer + 1} 层，头 ${head + 1}"><canvas></canvas>头 ${head + 1}</button>`
    ).join("")}</div>`);
  return `<div class="lmbook-explorer lmbook-attention">
    <div class="row"${examples.length < 2 ? " hidden" : ""}><label>文字
      <select aria-label="选一段文字" data-lm-suppress-shortcuts="true">${options.join("")}</select></label></div>
    <div class="heads" role="group" aria-label="层和头">${thumbs.join("")}</div>
    <p class="help">点一个词，看它往哪里看。也可以用键盘：左右键换词，上下键换头。</p>
    <div class="tokens" role="group" aria-label="文字，选一个词"></div>
    <output aria-live="polite"></output>
    <svg role="img" tabindex="0"><title>选中的头的整张权重图：一行是一个词，往左边的列看；
      左右键换词，上下键换头</title><g></g></svg>
  </div>`;
}

function render({ model, el }) {
  const examples = model.get("examples");
  const [layers, heads] = [model.get("num_layers"), model.get("num_heads")];
  const bytes = examples.map(({ maps }) => unpack(maps));
  el.innerHTML = page(examples, layers, heads);
  const find = (selector) => el.querySelector(selector);
  const all = (selector) => [...el.querySelectorAll(selector)];
  const [svg, strip, select] = [find("svg"), find(".tokens"), find("select")];
  let width = 640;
  let shown = -1; // the example whose words and small pictures are in the page
  let picture = null;

  const example = () => model.get("example");
  const tokens = () => examples[example()].tokens;
  const chosen = () => Math.min(model.get("token"), tokens().length - 1);
  const weightsOf = (layer, head) => (i) =>
    row(bytes[example()], tokens().length, heads, layer, head, i);

  function lay() {
    shown = example();
    select.value = String(shown);
    strip.innerHTML = tokens()
      .map((token, i) => `<button data-token="${i}" tabindex="-1"><span>${escape(token)}</span>
        <small></small></button>`)
      .join("");
    for (const button of all(".heads button")) {
      const { layer, head } = button.dataset;
      thumbnail(button.querySelector("canvas"), weightsOf(Number(layer), Number(head)), tokens().length);
    }
  }

  function draw() {
    if (shown !== example()) lay();
    const [layer, head, token] = [model.get("layer"), model.get("head"), chosen()];
    const weights = weightsOf(layer, head)(token);
    for (const button of all(".heads button")) {
      const here = Number(button.dataset.layer) === layer && Number(button.dataset.head) === head;
      button.ariaPressed = String(here);
    }
    for (const button of all(".tokens button")) {
      const i = Number(button.dataset.token);
      const weight = weights[i] ?? 0;
      button.style.setProperty("--weight", weight.toFixed(3));
      button.className = i === token ? "chosen" : i > token ? "later" : "";
      button.ariaPressed = String(i === token);
      button.tabIndex = i === token ? 0 : -1;
      button.querySelector("small").textContent = weight >= 0.03 ? percent(weight) : "";
    }
    const word = (i) => `<b>${escape(tokens()[i])}</b>`;
    const list = strongest(weights)
      .map(([i, weight]) => `${word(i)}<span>（第 ${i + 1} 个）${percent(weight)}%</span>`)
      .join("、");
    const guess = examples[example()].guesses[token];
    const next = tokens()[token + 1];
    const guessed = guess
      ? `模型猜下一个词：<b class="second">${escape(guess[0])}</b> ${percent(guess[1])}%${
          next === undefined ? "" : `，文中是 ${escape(next)}`}。`
      : "";
    find("output").innerHTML = `第 ${layer + 1} 层第 ${head + 1} 个头，
      第 ${token + 1} 个词 <b class="second">${escape(tokens()[token])}</b> 看的是：${list}。${guessed}`;
    picture = matrix(tokens(), weightsOf(layer, head), token, width);
    svg.setAttribute("viewBox", `0 0 ${width} ${picture.height.toFixed(1)}`);
    find("svg g").innerHTML = picture.content;
  }

  function set(changes) {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    draw();
  }
  function go(token) {
    set({ token: Math.min(Math.max(token, 0), tokens().length - 1) });
  }
  function turn(step) {
    const place = model.get("layer") * heads + model.get("head");
    const next = (place + step + layers * heads) % (layers * heads);
    set({ layer: Math.floor(next / heads), head: next % heads });
  }
  function keyed(event) {
    const moves = { ArrowLeft: () => go(chosen() - 1), ArrowRight: () => go(chosen() + 1),
      ArrowUp: () => turn(-1), ArrowDown: () => turn(1),
      Home: () => go(0), End: () => go(tokens().length - 1) };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moves[event.key]();
    if (strip.contains(document.activeElement)) all(".tokens button")[chosen()].focus();
  }

  for (const part of [svg, strip, find(".heads")]) part.dataset.lmSuppressShortcuts = "true";
  find(".heads").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) set({ layer: Number(button.dataset.layer), head: Number(button.dataset.head) });
  });
  strip.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) go(Number(button.dataset.token));
  });
  strip.addEventListener("keydown", keyed);
  svg.addEventListener("keydown", keyed);
  svg.addEventListener("click", (event) => {
    const { top, height } = svg.getBoundingClientRect();
    go(Math.floor((((event.clientY - top) / height) * picture.height) / picture.cell));
  });
  select.addEventListener("change", () => {
    const number = Number(select.value);
    set({ example: number, token: Math.min(model.get("token"), examples[number].tokens.length - 1) });
  });
  model.on("change", draw);
  const watch = new ResizeObserver(() => {
    const wide = Math.max(280, svg.clientWidth);
    if (wide === width) return;
    width = wide;
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
