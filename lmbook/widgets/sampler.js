// The page of the sampler: what sampler_model.js computes, drawn and to be touched.

// ---- picture -----------------------------------------------------------------------

const ROWS = 12;
const [ROW, TOP, RIGHT, LONGEST] = [24, 22, 108, 110];
const escape = (text) =>
  text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
// A Chinese character is as wide as the font is high, a Latin one about half.
const wide = (text) =>
  [...text].reduce((sum, char) => sum + (char > "\u2e80" ? 15 : 8.5), 0);
function fitted(text) {
  let letters = [...text];
  while (wide(letters.join("")) > LONGEST) letters = [...letters.slice(0, -2), "…"];
  return letters.join("");
}
const share = (value) => (value > 0 && value < 0.0005 ? "<0.001" : value.toFixed(3));

// The likeliest tokens, one a row, and the one that stands there: the model's
// probability, what is drawn from, and how often it was drawn; then all the others.
function picture(name, place, width) {
  const { p, q, tempered, counts, drawn, next } = place;
  const order = tempered.map((_, v) => v).sort((a, b) => tempered[b] - tempered[a] || a - b);
  if (order.indexOf(next) >= ROWS) {
    order.splice(order.indexOf(next), 1);
    order.splice(ROWS - 1, 0, next);
  }
  const rows = order.slice(0, ROWS).map((v) => ({ name: fitted(name(v)), p: p[v], q: q[v],
    cut: q[v] === 0, often: (counts.get(v) ?? 0) / drawn, bar: q[v] || tempered[v],
    next: v === next }));
  const rest = order.slice(ROWS);
  const sum = (values) => rest.reduce((total, v) => total + values[v], 0);
  if (rest.length) {
    const often = rest.reduce((n, v) => n + (counts.get(v) ?? 0), 0) / drawn;
    rows.push({ name: "其余", p: sum(p), q: sum(q), cut: sum(q) === 0, often,
      bar: sum(q) || sum(tempered) });
  }
  const most = Math.max(...rows.flatMap((row) => [row.p, row.bar, row.often || 0]));
  const end = [0.1, 0.2, 0.5].find((limit) => most <= limit) ?? 1;
  const left = Math.max(...rows.map((row) => wide(row.name))) + 10;
  const x = (value) => (left + (value / end) * (width - left - RIGHT)).toFixed(1);
  const lines = [0, end / 2, end].map((tick) => `<line class="grid" x1="${x(tick)}"
    x2="${x(tick)}" y1="${TOP}" y2="${TOP + ROW * rows.length}"/>
    <text class="tick" x="${x(tick)}" y="14">${+tick.toFixed(2)}</text>`);
  const bars = rows.map((row, i) => {
    const y = TOP + i * ROW;
    const middle = y + ROW / 2;
    const diamond = row.often
      ? `<path class="often" d="M${x(row.often)},${middle - 6}l6,6l-6,6l-6,-6z"/>`
      : "";
    return `<text class="name ${row.next ? "next" : ""}" x="${left - 6}" y="${middle + 5}">${escape(row.name)}</text>
      <rect class="${row.cut ? "cut" : "kept"}" x="${left}" y="${y + 5}"
        width="${(x(row.bar) - left).toFixed(1)}" height="${ROW - 10}"/>
      <path class="model" d="M${x(row.p)},${y + 2}v${ROW - 4}"/>${diamond}
      <text class="number" x="${width - 54}" y="${middle + 5}">${share(row.p)}</text>
      <text class="number" x="${width - 2}" y="${middle + 5}">${
        row.cut ? "✕" : share(row.q)}</text>`;
  });
  const heads = [["模型", 54], ["采样", 2]].map(
    ([head, from]) => `<text class="number" x="${width - from}" y="14">${head}</text>`
  );
  return `<defs><pattern id="lmbook-sampler-cut" width="6" height="6"
      patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <path d="M0,0v6" class="stripe"/></pattern></defs>
    ${lines.join("")}${bars.join("")}${heads.join("")}`;
}

// ---- in the page -------------------------------------------------------------------

const OPENING = 40; // tokens that stand there before anybody has touched anything
const MOST = 400;
const PAUSE = 30; // milliseconds between two tokens
const ALL = 51; // of the slider of top-k: keep all

const slider = (name, label, min, max, step) =>
  `<label>${label}<input type="range" data-set="${name}" min="${min}" max="${max}"
    step="${step}"><span></span></label>`;

const PAGE = `<div class="lmbook-explorer lmbook-sampler">
  <div class="row"><label>开头<input type="text" class="prompt" autocomplete="off"
    spellcheck="false" autocapitalize="none"></label></div>
  <p class="hint" role="status"></p>
  <div class="row">
    ${slider("temperature", "温度", 0, 2, 0.05)}${slider("top_k", "top-k", 1, ALL, 1)}
    ${slider("top_p", "top-p", 0.05, 1, 0.05)}${slider("min_p", "min-p", 0, 0.5, 0.01)}
  </div>
  <div class="row">
    <button data-do="run">连着写</button><button data-do="one">写一个词元</button>
    <button data-do="again">从头重写</button>
    <label class="seed">种子<input type="number" min="0" max="999999" step="1"></label>
  </div>
  <p class="text" role="group" tabindex="0"
    aria-label="写出的文字，用左右方向键逐个词元看"></p>
  <output class="said" aria-live="polite"></output>
  <svg role="img"><title></title><g></g></svg>
  <p class="legend"><span class="kept">留下的，按采样概率</span><span class="cut">裁掉的</span>
    <span class="model">模型给的概率</span><span class="often">抽到的频率</span></p>
  <output class="sums"></output>
  <div class="row"><button data-do="1">抽 1 次</button><button data-do="100">抽 100 次</button>
    <output class="draws" aria-live="polite"></output></div>
</div>`;

function render({ model, el }) {
  const tokens = model.get("tokens");
  const { encode, bytes, name, knows, newline } = codec(tokens, model.get("merges"));
  const net = network(model.get("weights"), model.get("sizes"));
  const banned = model.get("banned");
  el.innerHTML = PAGE;
  const find = (selector) => el.querySelector(selector);
  const all = (selector) => [...el.querySelectorAll(selector)];
  const [svg, field, seed] = [find("svg"), find(".prompt"), find(".seed input")];
  let width = 600;

  // text[i]: a token, the characters that it completes, state and logits after it.
  let text = [];
  let utf8 = null;
  let chosen = null; // the place looked at; none is the end of the text
  let [random, lots, timer] = [null, null, null];
  let [counts, drawn] = [new Map(), 0];

  const settings = () =>
    Object.fromEntries(["temperature", "top_k", "top_p", "min_p"].map(
      (name) => [name, model.get(name)]
    ));
  function append(id, given) {
    const { state, logits } = read(net, id, text.at(-1)?.state);
    for (const v of banned) logits[v] = -Infinity;
    const shown = utf8.decode(bytes(id), { stream: true });
    text.push({ id, given, shown, state, logits });
  }
  // A text begins where a line ends, if the model knows lines.
  function start() {
    stop();
    [text, chosen, random] = [[], null, generator(model.get("seed"))];
    utf8 = new TextDecoder();
    for (const id of [newline ?? 0, ...encode(model.get("prompt"))]) append(id, true);
    forget();
  }
  function forget() {
    [counts, drawn, lots] = [new Map(), 0, generator(model.get("seed") + 1)];
  }
  const written = () => text.filter(({ given }) => !given).map(({ id }) => id);
  const end = () => text.length - 1;
  const place = () => chosen ?? end();
  function write() {
    append(draw(distribution(text[end()].logits, settings()).q, random), false);
    chosen = null;
    forget();
  }
  function save() {
    model.set("written", written());
    model.save_changes();
  }
  function stop() {
    clearTimeout(timer);
    timer = null;
  }
  function run() {
    if (written().length >= MOST) stop();
    else {
      write();
      timer = setTimeout(run, PAUSE);
    }
    if (timer === null) save();
    show();
  }

  // ---- what is shown

  // How surprised the model is by a token that stands in the text.
  function surprise(i) {
    const { logits } = text[i - 1];
    const p = softmax(logits)[text[i].id];
    const rank = logits.filter((value) => value > logits[text[i].id]).length + 1;
    return { p, rank };
  }
  function span(i) {
    const { p, rank } = surprise(i);
    const made = document.createElement("span");
    made.textContent = text[i].shown.replaceAll("\n", "↵\n");
    made.className = text[i].given ? "given" : "";
    made.dataset.place = i - 1;
    made.title = `${name(text[i].id)}：概率 ${share(p)}，第 ${rank} 名`;
    made.style.setProperty("--surprise", Math.min(1, -Math.log(p) / 5).toFixed(2));
    return made;
  }
  function show() {
    const box = find(".text");
    const first = 1; // what precedes it is unseen
    while (box.children.length > text.length - first) box.lastChild.remove();
    for (let i = box.children.length + first; i < text.length; i++) box.append(span(i));
    for (const one of box.querySelectorAll("[aria-current]")) one.removeAttribute("aria-current");
    if (chosen !== null) box.children[chosen].setAttribute("aria-current", "true");
    find("[data-do=run]").textContent = timer === null ? "连着写" : "停";
    chart();
    if (timer === null) say();
  }
  function say() {
    if (chosen === null) {
      find(".said").textContent = `写了 ${written().length} 个词元`;
      return;
    }
    const { p, rank } = surprise(chosen + 1);
    find(".said").textContent = `第 ${chosen + 1} 个词元“${
      name(text[chosen + 1].id)}”：模型给的概率 ${share(p)}，第 ${rank} 名`;
  }
  function chart() {
    const { logits } = text[place()];
    const p = softmax(logits);
    const found = distribution(logits, settings());
    svg.setAttribute("viewBox", `0 0 ${width} ${TOP + ROW * (ROWS + 1) + 4}`);
    svg.querySelector("g").innerHTML =
      picture(name, { p, ...found, counts, drawn, next: text[place() + 1]?.id }, width);
    const best = p.indexOf(Math.max(...p));
    svg.querySelector("title").textContent =
      `下一个词元的分布：最可能的是${name(best)}，概率 ${share(p[best])}`;
    const [before, after] = [entropy(p), entropy(found.q)];
    const nats = (value) => `${value.toFixed(2)}（${Math.exp(value).toFixed(1)}）`;
    find(".sums").textContent = `留下 ${found.kept} / ${tokens.length} 个，合计 ${
      share(found.mass)}；熵（困惑度）${nats(before)} → ${nats(after)}`;
    const often = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 5);
    find(".draws").textContent = drawn
      ? `抽了 ${drawn} 次：${often.map(([v, n]) => `${name(v)} ${n}`).join("，")}`
      : "";
  }
  function controls() {
    for (const input of all("[data-set]")) {
      const { set } = input.dataset;
      const value = model.get(set);
      input.value = set === "top_k" && !value ? ALL : value;
      const off = { top_k: value === 0, top_p: value === 1, min_p: value === 0 }[set];
      const shown = off ? "不限" : set === "top_k" ? String(value) : value.toFixed(2);
      input.ariaValueText = input.nextElementSibling.textContent = shown;
    }
    if (field !== document.activeElement) field.value = model.get("prompt");
    if (seed !== document.activeElement) seed.value = model.get("seed");
    const strange = [...new Set(model.get("prompt"))].filter((char) => !knows(char));
    find(".hint").textContent = strange.length ? `模型没见过：${strange.join("、")}` : "";
  }

  // ---- what is done

  const actions = {
    run: () => {
      if (timer === null) return run();
      stop();
      save();
      return show();
    },
    one: () => {
      stop();
      if (written().length < MOST) write();
      save();
      show();
    },
    again: () => {
      start();
      run();
    },
  };
  for (const control of all("button, input, .text")) {
    control.dataset.lmSuppressShortcuts = "true";
  }
  for (const button of all("[data-do]")) {
    const many = Number(button.dataset.do);
    const lot = () => {
      const { q } = distribution(text[place()].logits, settings());
      for (let n = 0; n < many; n++) {
        const v = draw(q, lots);
        counts.set(v, (counts.get(v) ?? 0) + 1);
      }
      drawn += many;
      chart();
    };
    button.addEventListener("click", actions[button.dataset.do] ?? lot);
  }
  for (const input of all("[data-set]")) {
    input.addEventListener("input", () => {
      const { set } = input.dataset;
      const value = Number(input.value);
      model.set(set, set === "top_k" && value === ALL ? 0 : value);
      model.save_changes();
      forget();
      controls();
      chart();
    });
  }
  function begin(name, value) {
    model.set(name, value);
    start();
    save();
    controls();
    show();
  }
  field.addEventListener("input", () => begin("prompt", field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) actions.again();
  });
  seed.addEventListener("input", () => {
    if (seed.checkValidity() && seed.value) begin("seed", Number(seed.value));
  });
  function look(at) {
    chosen = at === null || at >= end() ? null : Math.max(0, at);
    forget();
    show();
  }
  const box = find(".text");
  box.addEventListener("click", ({ target }) =>
    look(target.dataset.place === undefined ? null : Number(target.dataset.place))
  );
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    look(place() + step);
  });

  start();
  for (const id of model.get("written")) append(id, false);
  if (!model.get("written").length) for (let n = 0; n < OPENING; n++) write();
  chosen = text.findIndex(({ given }) => !given) - 1; // the first choice that was made
  const changed = () => {
    controls();
    chart();
  };
  model.on("change", changed);
  const watch = new ResizeObserver(() => {
    const now = Math.max(280, Math.round(svg.clientWidth));
    if (now === width) return;
    width = now;
    chart();
  });
  watch.observe(svg);
  controls();
  show();
  return () => {
    stop();
    watch.disconnect();
    model.off("change", changed);
  };
}

export default { render };
