// A small computation graph, one step at a time: values forward, gradients backward.
const sigmoid = (x) => {
  const decay = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : decay) / (1 + decay);
};
const between = (sign) => (a, b) => `${a} ${sign} ${b}`;
const call = (name) => (a) => `${name}(${a})`;

// op of the engine: [sign in the drawing, f(a, b), slopes(a, b, result), as text]
export const operations = {
  "+": ["+", (a, b) => a + b, () => [1, 1], between("+")],
  "−": ["−", (a, b) => a - b, () => [1, -1], between("−")],
  "×": ["×", (a, b) => a * b, (a, b) => [b, a], between("×")],
  "÷": ["÷", (a, b) => a / b, (a, b, y) => [1 / b, -y / b], between("÷")],
  "**": [
    "**",
    (a, b) => a ** b,
    (a, b, y) => [b * a ** (b === 0 ? 1 : b - 1), y * Math.log(a === 0 ? 1 : a)],
    between("**"),
  ],
  neg: ["−( )", (a) => -a, () => [-1], call("−")],
  exp: ["exp", Math.exp, (a, _, y) => [y], call("exp")],
  log: ["log", Math.log, (a) => [1 / a], call("log")],
  tanh: ["tanh", Math.tanh, (a, _, y) => [1 - y * y], call("tanh")],
  sigmoid: ["σ", sigmoid, (a, _, y) => [y * (1 - y)], call("σ")],
  relu: ["ReLU", (a) => Math.max(0, a), (a) => [a > 0 ? 1 : 0], call("ReLU")],
};
const isLeaf = (node) => node.parents.length === 0;

// Values of all nodes from those of the leaves; parents stand before children.
export function evaluate(nodes, leaves) {
  const values = [];
  let next = 0;
  for (const node of nodes) {
    const inputs = node.parents.map((parent) => values[parent]);
    values.push(isLeaf(node) ? leaves[next++] : operations[node.op][1](...inputs));
  }
  return values;
}

// slopes[i][k] is d node i / d its k-th parent; gradients[i] is d result / d node i.
export function differentiate(nodes, values) {
  const gradients = nodes.map(() => 0);
  gradients[nodes.length - 1] = 1;
  const slopes = nodes.map(({ op, parents }, i) => {
    const [a, b] = parents.map((parent) => values[parent]);
    return parents.length ? operations[op][2](a, b, values[i]) : [];
  });
  for (const { child, parent, operand } of edgesBack(nodes)) {
    gradients[parent] += gradients[child] * slopes[child][operand];
  }
  return { slopes, gradients };
}

// The edges that a gradient takes, in its order: the youngest node hands on first.
function edgesBack(nodes) {
  const edges = nodes.flatMap((node, child) =>
    node.parents.map((parent, operand) => ({ child, parent, operand }))
  );
  return edges
    .filter(({ parent }) => nodes[parent].requires_grad)
    .sort((a, b) => b.child - a.child || a.operand - b.operand);
}

export function steps(nodes) {
  const computed = nodes.flatMap((node, i) => (isLeaf(node) ? [] : [i]));
  return [
    { kind: "start" },
    ...computed.map((child) => ({ kind: "forward", child })),
    { kind: "seed", parent: nodes.length - 1 },
    ...edgesBack(nodes).map((edge) => ({ kind: "backward", ...edge })),
  ];
}

// ---- where things stand ----------------------------------------------------------

// A depth and a lane for each node (parents have the smaller depth), and for each edge
// the spots on its way: the parent, a bend in every column between, the child.
export function layout(nodes) {
  const depth = nodes.map(() => 0);
  nodes.forEach(({ parents }, i) => {
    for (const parent of parents) depth[i] = Math.max(depth[i], depth[parent] + 1);
  });
  const spots = nodes.map((node, i) => {
    const readers = nodes.flatMap((n, at) => (n.parents.includes(i) ? depth[at] : []));
    if (isLeaf(node)) depth[i] = Math.min(...readers) - 1; // right before it is read
    return { depth: depth[i], size: 1, weight: isLeaf(node) ? 0.01 : 1, near: [] };
  });
  const bends = [];
  const edges = nodes.flatMap(({ parents }, child) =>
    parents.map((parent, operand) => {
      const bend = (_, i) => ({ depth: depth[parent] + 1 + i, size: 0.6, weight: 0.5, near: [] });
      const between = Array.from({ length: depth[child] - depth[parent] - 1 }, bend);
      bends.push(...between);
      const way = [spots[parent], ...between, spots[child]];
      // The first operand would like to stand above the second.
      const nudge = (operand - (parents.length - 1) / 2) / 4;
      const single = parents.filter((p) => !isLeaf(nodes[p])).length < 2;
      const still = single && !isLeaf(nodes[parent]);
      way.slice(1).forEach((spot, i) => {
        way[i].near.push({ spot, nudge: still ? 0 : nudge });
        spot.near.push({ spot: way[i], nudge: 0 });
      });
      return { child, parent, operand, way };
    })
  );
  const columns = Array.from({ length: Math.max(...depth) + 1 }, (_, at) =>
    [...spots, ...bends].filter((spot) => spot.depth === at)
  );
  for (const column of columns) column.forEach((spot, i) => (spot.lane = i));
  for (let sweep = 0; sweep < 100; sweep += 1) {
    for (const column of sweep % 2 ? columns : [...columns].reverse()) settle(column);
  }
  const least = Math.min(...columns.flat().map((spot) => spot.lane));
  for (const spot of columns.flat()) spot.lane -= least;
  return { spots, edges };
}

// Everyone goes to the mean of its neighbours; those too close are pushed apart, and
// the column as a whole is moved back.
function settle(column) {
  const mean = (items) =>
    items.reduce((sum, [value, weight]) => sum + value * weight, 0) /
    items.reduce((sum, [, weight]) => sum + weight, 0);
  for (const spot of column) {
    // A bend holds on to the next bend, so that a long edge runs straight.
    const pull = (other) => (spot.size < 1 && other.size < 1 ? 10 : other.weight);
    spot.wish = mean(spot.near.map((n) => [n.spot.lane + n.nudge, pull(n.spot)]));
  }
  column.sort((a, b) => a.wish - b.wish);
  column.forEach((spot, i) => {
    const before = column[i - 1];
    const free = before ? before.lane + (before.size + spot.size) / 2 : -Infinity;
    spot.lane = Math.max(spot.wish, free);
  });
  const shift = mean(column.map((spot) => [spot.wish - spot.lane, spot.weight]));
  for (const spot of column) spot.lane += shift;
}

// ---- as text -----------------------------------------------------------------------

const minus = (text) => text.replaceAll("-", "−");
const guard = (text) => (text.startsWith("−") ? `(${text})` : text);
const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const isConstant = (node) => isLeaf(node) && !node.name && !node.requires_grad;

export function show(value) {
  const size = Math.abs(value);
  if (Number.isNaN(value)) return "无定义";
  if (size === Infinity) return value > 0 ? "∞" : "−∞";
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return minus(value.toExponential(2));
  return minus((value || 0).toFixed(size < 100 ? 4 : 1));
}
function brief(value) {
  if (!Number.isFinite(value)) return show(value);
  const exact = Number(value.toPrecision(3)) === value;
  return minus(exact ? String(value || 0) : value.toPrecision(3));
}

// What the nodes are called: by name, a constant by its value, else L, v₁, v₂ …
export function labels(nodes) {
  const taken = nodes.map((node) => node.name);
  const free = nodes.map((_, i) => `v${i + 1}`).filter((name) => !taken.includes(name));
  const result = taken.at(-1) || (taken.includes("L") ? "" : "L");
  const low = (_, digits) => [...digits].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
  return nodes.map((node, i) => {
    if (isConstant(node)) return minus(String(Number(node.value.toPrecision(5))));
    const name = node.name || (i === nodes.length - 1 && result) || free.shift();
    return escape(name.replace(/_?(\d+)$/, low));
  });
}

// What each node has received up to a step: its gradient so far, in how many parts.
export function received(nodes, { slopes, gradients }, at) {
  const found = nodes.map(() => ({ sum: 0, parts: 0, all: 0 }));
  steps(nodes).forEach(({ kind, child, parent, operand }, i) => {
    if (kind !== "seed" && kind !== "backward") return;
    found[parent].all += 1;
    if (i > at) return;
    found[parent].parts += 1;
    found[parent].sum += kind === "seed" ? 1 : gradients[child] * slopes[child][operand];
  });
  return found;
}

// A step as arithmetic.
export function describe(nodes, state, at) {
  const names = labels(nodes);
  const slope = (top, bottom) => `∂${names[top]}/∂${names[bottom]}`;
  const last = nodes.length - 1;
  const { kind, child, parent, operand } = steps(nodes)[at];
  if (kind === "start") return "叶子上的数已经给定。按“下一步”，往前一个一个地算。";
  if (kind === "seed") return `反向从结果出发：${slope(last, last)} = 1`;
  if (kind === "forward") {
    const { op, parents } = nodes[child];
    const write = operations[op][3];
    const numbers = parents.map((i, k) => {
      const text = isConstant(nodes[i]) ? names[i] : show(state.values[i]);
      return parents.length === 2 && (k || op === "**") ? guard(text) : text;
    });
    const result = show(state.values[child]);
    return `${names[child]} = ${write(...parents.map((i) => names[i]))}
      = ${write(...numbers)} = ${result}`;
  }
  const { sum, parts, all } = received(nodes, state, at)[parent];
  const before = show(received(nodes, state, at - 1)[parent].sum);
  const left = show(state.gradients[child]);
  const right = guard(show(state.slopes[child][operand]));
  const rule = `${slope(last, child)} · ${slope(child, parent)}`;
  const goal = slope(last, parent);
  if (all === 1) return `${goal} = ${rule} = ${left} × ${right} = ${show(sum)}`;
  if (parts === 1) {
    return `${goal} 有 ${all} 条路，先走第 1 条：${rule} = ${left} × ${right} = ${show(sum)}`;
  }
  return `${goal} 的第 ${parts} 条路，加上去：${before} + ${rule}
    = ${before} + ${guard(left)} × ${right} = ${show(sum)}${parts === all ? "，齐了" : ""}`;
}

// ---- as a picture ------------------------------------------------------------------

const [SLOT, PILL] = [19, 17];

// Boxes of the nodes and curves of the edges, one Bézier curve for each column passed;
// columns stand from left to right, or rows from top to bottom where it is narrow.
function geometry(nodes, plan, vertical) {
  const box = (spot) => {
    const [x, y] = vertical
      ? [spot.lane * 86, spot.depth * 112]
      : [spot.depth * 114, spot.lane * 96];
    const node = nodes[plan.spots.indexOf(spot)]; // none for a bend
    const [w, h] = node && isConstant(node) ? [40, 26] : [70, 50];
    const above = node && !isLeaf(node) ? PILL / 2 : 0;
    const below = node && node.requires_grad ? SLOT : 0;
    return { x, y, w, h, top: y - h / 2 - above, bottom: y + h / 2 + below };
  };
  const curves = plan.edges.map(({ child, operand, way }) => {
    const [first, second] = nodes[child].parents;
    const bow = first === second ? 68 * operand - 34 : 0; // a × a: two edges, side by side
    return way.slice(1).map((spot, i) => {
      const [from, to] = [box(way[i]), box(spot)];
      if (vertical) {
        const half = (from.bottom + to.top) / 2;
        const ends = [[from.x, from.bottom], [to.x, to.top]];
        return [ends[0], [from.x + bow, half], [to.x + bow, half], ends[1]];
      }
      const ends = [[from.x + from.w / 2, from.y], [to.x - to.w / 2, to.y]];
      const half = (ends[0][0] + ends[1][0]) / 2;
      return [ends[0], [half, from.y + bow], [half, to.y + bow], ends[1]];
    });
  });
  return { boxes: plan.spots.map(box), curves };
}

const along = (curve, t) =>
  [0, 1].map((k) => {
    const [a, b, c, d] = curve.map((point) => point[k]);
    return a * (1 - t) ** 3 + 3 * t * (1 - t) * (b * (1 - t) + c * t) + d * t ** 3;
  });

// Where a text of this width can stand beside an edge: the first place that is free.
function beside(gaps, width, taken) {
  const around = ([x, y]) => [x - width / 2, y - 8, x + width / 2, y + 8];
  const free = (a) =>
    taken.every((b) => a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1]);
  const places = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8].flatMap((t) =>
    [...gaps].reverse().flatMap((gap) => {
      const [[x, y], [u, v]] = [along(gap, t), along(gap, t + 0.01)];
      const length = Math.hypot(u - x, v - y);
      const [across, down] = [(v - y) / length, (x - u) / length];
      const far = Math.abs(across) * (width / 2 + 3) + Math.abs(down) * 11;
      return [far, -far].map((d) => [x + d * across, y + d * down]);
    })
  );
  const place = places.find((p) => free(around(p))) ?? along(gaps.at(-1), 0.5);
  taken.push(around(place));
  return place;
}

function picture(nodes, plan, state, at, vertical) {
  const [names, order] = [labels(nodes), steps(nodes)];
  const now = order[at];
  const { boxes, curves } = geometry(nodes, plan, vertical);
  const taken = boxes.map((b) => [b.x - b.w / 2, b.top, b.x + b.w / 2, b.bottom]);
  for (const point of curves.flat().flatMap((gap) =>
    Array.from({ length: 13 }, (_, i) => along(gap, i / 12))
  )) {
    taken.push([point[0] - 2, point[1] - 2, point[0] + 2, point[1] + 2]);
  }
  const slopes = [];
  const edges = plan.edges.map(({ child, operand }, e) => {
    const gaps = curves[e];
    const back = order.findIndex(
      (step) => step.kind === "backward" && step.child === child && step.operand === operand
    );
    const isBack = back === at;
    const isForward = now.kind === "forward" && now.child === child;
    const kind = isBack ? "backward" : isForward ? "forward" : "";
    const path = gaps.map(([from, ...rest], i) => `${i ? "L" : "M"}${from}C${rest.join(" ")}`);
    const tip = isBack ? gaps[0][0] : gaps.at(-1)[3];
    const line = `<path class="edge ${kind}" d="${path.join("")}"/>
      <path class="edge ${kind}" d="M-7,-4L0,0L-7,4"
        transform="translate(${tip}) rotate(${(vertical ? 90 : 0) + (isBack ? 180 : 0)})"/>`;
    if (back < 0 || back > at) return line;
    const text = brief(state.slopes[child][operand]);
    const place = beside(gaps, 6.8 * text.length + 4, taken);
    slopes.push(`<text class="slope ${kind}" x="${place[0]}" y="${place[1] + 4}">${text}</text>`);
    return line;
  });
  const parts = received(nodes, state, at);
  const drawn = nodes.map((node, i) => {
    const { x, y, w, h } = boxes[i];
    const rect = (name, inset, round) => `<rect class="${name}" x="${inset - w / 2}"
      y="${inset - h / 2}" width="${w - 2 * inset}" height="${h - 2 * inset}" rx="${round}"/>`;
    const isNew = now.kind === "forward" && now.child === i;
    const kind = isNew ? "forward" : now.parent === i ? "backward" : "";
    const known = order.findIndex((step) => step.kind === "forward" && step.child === i) <= at;
    let inside = rect("box", 0, isLeaf(node) ? 15 : 3);
    if (isLeaf(node) && node.requires_grad) inside += rect("box", 3.5, 11.5);
    inside += isConstant(node)
      ? `<text y="4.5">${names[i]}</text>`
      : `<text class="name" y="-1">${names[i]}</text>
        <text y="16">${known ? show(state.values[i]) : "？"}</text>`;
    if (!isLeaf(node)) {
      const sign = operations[node.op][0];
      const wide = Math.max(22, 8 * sign.length + 6);
      inside += `<g class="pill" transform="translate(0,${-h / 2})"><rect x="${-wide / 2}"
        y="${-PILL / 2}" width="${wide}" height="${PILL}" rx="8"/><text y="4">${sign}</text></g>`;
    }
    if (node.requires_grad) {
      const { sum, parts: got, all } = parts[i];
      inside += `<g class="slot ${got ? (got < all ? "some" : "full") : ""}">
        <rect x="${2 - w / 2}" y="${h / 2}" width="${w - 4}" height="${SLOT}"/>
        <text y="${h / 2 + 14}">${got ? show(sum) : ""}${got && got < all ? "…" : ""}</text></g>`;
    }
    const dashed = isConstant(node) ? "constant" : "";
    return `<g class="node ${dashed} ${kind}" transform="translate(${x},${y})">${inside}</g>`;
  });
  const [left, top] = [0, 1].map((k) => Math.min(...taken.map((t) => t[k])) - 6);
  const [right, bottom] = [2, 3].map((k) => Math.max(...taken.map((t) => t[k])) + 6);
  const width = right - left;
  const svg = `<svg viewBox="${left} ${top} ${width} ${bottom - top}" role="img"
    style="min-width:${Math.round(width * 0.85)}px;max-width:${Math.round(width * 1.1)}px">
    <title>${names.at(-1)} 的计算图，${nodes.length} 个节点</title>
    ${edges.join("")}${slopes.join("")}${drawn.join("")}</svg>`;
  return { svg, width };
}

// ---- in the page -------------------------------------------------------------------

function page(nodes, leaves) {
  const slider = (i, at) => {
    const most = Math.max(3, Math.ceil(2 * Math.abs(nodes[i].value)));
    return `<label><b>${labels(nodes)[i]}</b><input type="range" data-leaf="${at}"
      min="${-most}" max="${most}" step="0.05"><span></span></label>`;
  };
  return `<div class="lmbook-explorer lmbook-graph">
    <div class="picture" role="group" aria-label="计算图"></div>
    <p class="legend"><span class="parameter">参数</span><span class="data">数据</span>
      <span class="constant">常数</span><span class="result">算出的</span>
      <span class="gradient">下格：梯度</span><span>边上：斜率</span></p>
    <div class="panel">
      <div class="row">
        <button data-go="start">从头</button><button data-go="-1">上一步</button>
        <button data-go="1">下一步</button><button data-go="forward">前向到底</button>
        <button data-go="end">反向到底</button>
      </div>
      <output class="now" aria-live="polite"></output>
    </div>
    <div class="leaves">
      ${leaves.map((i, at) => (isConstant(nodes[i]) ? "" : slider(i, at))).join("")}
    </div>
    <div class="descent" hidden>
      <p class="updates"></p>
      <div class="row">
        <label><b>η</b><input type="range" class="rate" min="0" max="1" step="0.01"
          aria-label="学习率 η"><span></span></label>
        <button class="descend">走一步（梯度下降）</button><button class="again">恢复初值</button>
      </div>
      <output class="losses" aria-live="polite"></output>
    </div>
    <details><summary>到这一步为止的算式</summary><ol></ol></details>
  </div>`;
}

function render({ model, el }) {
  const nodes = model.get("nodes");
  const [plan, names, order] = [layout(nodes), labels(nodes), steps(nodes)];
  const leaves = nodes.flatMap((node, i) => (isLeaf(node) ? [i] : []));
  el.innerHTML = page(nodes, leaves);
  const find = (selector) => el.querySelector(selector);
  const all = (selector) => [...el.querySelectorAll(selector)];
  const [frame, rate] = [find(".picture"), find(".rate")];

  const last = order.length - 1;
  const ends = { start: 0, forward: order.findIndex((s) => s.kind === "seed") - 1, end: last };
  const position = () => Math.min(model.get("step"), last);
  const target = (go) => ends[go] ?? Math.max(0, Math.min(last, position() + Number(go)));
  function compute() {
    const values = evaluate(nodes, model.get("leaves"));
    return { values, ...differentiate(nodes, values) };
  }
  const descended = ({ values, gradients }, i) =>
    values[i] - (nodes[i].requires_grad ? model.get("learning_rate") * gradients[i] : 0);

  function draw() {
    const [state, at, eta] = [compute(), position(), model.get("learning_rate").toFixed(2)];
    const across = picture(nodes, plan, state, at, false);
    const narrow = frame.clientWidth > 0 && frame.clientWidth < 0.85 * across.width;
    frame.innerHTML = (narrow ? picture(nodes, plan, state, at, true) : across).svg;
    frame.tabIndex = frame.scrollWidth > frame.clientWidth ? 0 : -1;
    find(".now").innerHTML = `<span class="count">${at} / ${last}</span>
      ${describe(nodes, state, at)}`;
    for (const button of all("[data-go]")) {
      button.ariaDisabled = String(target(button.dataset.go) === at);
    }
    for (const slider of all("[data-leaf]")) {
      slider.value = model.get("leaves")[slider.dataset.leaf];
      const text = show(model.get("leaves")[slider.dataset.leaf]);
      slider.ariaValueText = slider.nextElementSibling.textContent = text;
    }
    rate.value = rate.nextElementSibling.textContent = eta;
    find(".descent").hidden = at < last;
    const update = (i) => `<span>${names[i]} ← ${show(state.values[i])} − ${eta} ×
      ${guard(show(state.gradients[i]))} = ${show(descended(state, i))}</span>`;
    find(".updates").innerHTML =
      leaves.filter((i) => nodes[i].requires_grad).map(update).join("");
    const losses = [...model.get("losses"), state.values.at(-1)].map(show);
    const shown = losses.length > 5 ? [losses[0], "…", ...losses.slice(-3)] : losses;
    find(".losses").innerHTML = losses.length < 2
      ? `${names.at(-1)} = ${losses[0]}，还没有走`
      : `已走 <b>${losses.length - 1}</b> 步，${names.at(-1)}：${shown.join(" → ")}`;
    const lines = order.slice(1, at + 1).map((_, i) => describe(nodes, state, i + 1));
    find("ol").innerHTML = lines.map((line) => `<li>${line}</li>`).join("");
  }

  function set(changes) {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    model.save_changes();
    draw();
  }
  // Where JupyterLab has shortcuts of its own, the controls keep theirs.
  for (const control of all("button, input, summary")) {
    control.dataset.lmSuppressShortcuts = "true";
  }
  for (const button of all("[data-go]")) {
    button.addEventListener("click", () => set({ step: target(button.dataset.go) }));
  }
  for (const slider of all("[data-leaf]")) {
    slider.addEventListener("input", () => {
      const changed = [...model.get("leaves")];
      changed[slider.dataset.leaf] = Number(slider.value);
      set({ leaves: changed, losses: [] });
    });
  }
  rate.addEventListener("input", () => set({ learning_rate: Number(rate.value) }));
  find(".descend").addEventListener("click", () => {
    const state = compute();
    const losses = [...model.get("losses"), state.values.at(-1)];
    set({ leaves: leaves.map((i) => descended(state, i)), losses });
  });
  find(".again").addEventListener("click", () =>
    set({ leaves: leaves.map((i) => nodes[i].value), losses: [] })
  );
  model.on("change", draw);
  let width = 0;
  const watch = new ResizeObserver(() => {
    if (frame.clientWidth !== width) draw();
    width = frame.clientWidth;
  });
  watch.observe(frame);
  draw();
  return () => {
    watch.disconnect();
    model.off("change", draw);
  };
}

export default { render };
