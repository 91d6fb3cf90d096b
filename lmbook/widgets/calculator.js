// The page of the calculators: what calculator_model.js computes, set and drawn.

// ---- numbers as they are read ------------------------------------------------------

const digits = (value, most = 3) =>
  Number(value.toPrecision(most)).toLocaleString("en-US", { maximumFractionDigits: 6 });
function chinese(value) {
  value = Number(value.toPrecision(3)); // 9.999e7 is 1 亿, not 10,000 万
  for (const [unit, name] of [[1e12, "万亿"], [1e8, "亿"], [1e4, "万"]]) {
    if (value >= unit) return `${digits(value / unit)} ${name}`;
  }
  return digits(value);
}
const power = (value) => {
  const [lead, exponent] = value.toExponential(2).split("e");
  const superscript = String(Number(exponent)).replace(/./g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"["0123456789".indexOf(d)] ?? "⁻");
  return `${lead}×10${superscript}`;
};
function bytes(value) {
  const [unit, name] = value >= 1e12 ? [1e12, "TB"] : value >= 1e9 ? [1e9, "GB"]
    : value >= 1e6 ? [1e6, "MB"] : [1e3, "KB"];
  return `${digits(value / unit)} ${name}`;
}
const usd = (value) => (value >= 1e4 ? `${chinese(value)}美元` : `${digits(value)} 美元`);
const percent = (value) => `${(100 * value).toFixed(0)}%`;
const escape = (text) =>
  String(text).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

// ---- what can be set: name, label, [low, high, kind of scale, how it is shown] ------

const COUNT = ["log", (v) => v.toLocaleString("en-US")];
const FIELDS = {
  training: [
    ["params", "参数", 1e8, 2e12, "log", chinese],
    ["tokens", "训练词元", 1e9, 1e14, "log", chinese],
    ["device", "卡"],
    ["devices", "卡数", 1, 65536, ...COUNT],
    ["mfu", "MFU", 0.05, 0.7, "linear", percent],
    ["usd", "租金，美元每卡时", 0.2, 10, "linear", (v) => v.toFixed(1)],
    ["pue", "PUE", 1, 2, "linear", (v) => v.toFixed(2)],
  ],
  memory: [
    ["model", "模型"],
    ["device", "卡"],
    ["devices", "分摊的卡数", 1, 1024, ...COUNT],
    ["stage", "ZeRO", { 0: "0：各存一份", 1: "1：分优化器", 2: "2：再分梯度", 3: "3：再分权重" }],
    ["batch", "每卡的批", 1, 256, ...COUNT],
    ["seq", "长度，词元", 128, 131072, ...COUNT],
    ["recomputation", "激活值", { none: "全留着", selective: "注意力重算", full: "每层只留输入" }],
  ],
  cache: [
    ["model", "模型"],
    ["context", "每段文字，词元", 128, 1048576, ...COUNT],
    ["batch", "同时几段", 1, 512, ...COUNT],
    ["bytes", "每个数", { 2: "2 字节", 1: "1 字节" }],
    ["device", "卡"],
    ["devices", "卡数", 1, 64, ...COUNT],
  ],
  serving: [
    ["model", "模型"],
    ["bits", "权重", { 16: "16 位", 8: "8 位", 4: "4 位" }],
    ["device", "卡"],
    ["devices", "卡数", 1, 64, ...COUNT],
    ["batch", "批", 1, 512, ...COUNT],
    ["prompt", "读，词元", 16, 32768, ...COUNT],
    ["output", "写，词元", 16, 8192, ...COUNT],
    ["usd", "租金，美元每卡时", 0.2, 10, "linear", (v) => v.toFixed(1)],
    ["busy", "一天里有人用", 0.02, 1, "linear", percent],
    ["price", "卖价，美元每百万词元", 0.05, 20, "log", (v) => digits(v)],
  ],
};
const STEPS = 400;
// Where a value stands on a slider, and the value of a place, rounded as it is shown.
function toSlider([, , low, high, scale], value) {
  const part = scale === "log" ? Math.log(value / low) / Math.log(high / low)
    : (value - low) / (high - low);
  return Math.round(STEPS * Math.min(Math.max(part, 0), 1));
}
const WHOLE = ["devices", "batch", "seq", "context", "prompt", "output"];
export function fromSlider([name, , low, high, scale], place) {
  const part = place / STEPS;
  const value = scale === "log" ? low * (high / low) ** part : low + part * (high - low);
  if (scale !== "log") return Number(value.toFixed(2));
  const rounded = Number(value.toPrecision(2));
  return WHOLE.includes(name) ? Math.max(1, Math.round(rounded)) : rounded;
}

// ---- pictures ----------------------------------------------------------------------

const text = (x, y, words, more = "") => `<text x="${x}" y="${y}" ${more}>${words}</text>`;
const END = 'text-anchor="end"';
const MIDDLE = 'text-anchor="middle"';

// Parameters against tokens: what was published, what is cheapest, what is set here.
function runsPicture({ runs, law, settings }, width) {
  const [left, top, bottom] = [56, 14, 300];
  const right = width - 12;
  const [xs, ys] = [[1e8, 2e12], [1e9, 1e14]];
  const along = (value, [low, high]) => Math.log(value / low) / Math.log(high / low);
  const X = (n) => (left + along(n, xs) * (right - left)).toFixed(1);
  const Y = (d) => (bottom - along(d, ys) * (bottom - top)).toFixed(1);
  const grid = [1e8, 1e9, 1e10, 1e11, 1e12].map((n) =>
    `<path class="grid" d="M${X(n)},${top}V${bottom}"/>${text(X(n), bottom + 16, chinese(n), MIDDLE)}`);
  const rows = [1e9, 1e10, 1e11, 1e12, 1e13, 1e14].map((d) =>
    `<path class="grid" d="M${left},${Y(d)}H${right}"/>${d > ys[0] ? text(left - 4, +Y(d) + 4, chinese(d).replace(" ", ""), END) : ""}`);
  const best = [];
  for (let c = 18; c <= 28; c += 0.25) {
    const { params, tokens } = optimum(law, 10 ** c);
    if (params > xs[0] && params < xs[1] && tokens > ys[0] && tokens < ys[1]) best.push(`${X(params)},${Y(tokens)}`);
  }
  const points = runs.filter(([, n, d]) => n > xs[0] && n < xs[1] && d > ys[0] && d < ys[1]);
  const dots = points.map(([name, n, d]) =>
    `<circle class="run" cx="${X(n)}" cy="${Y(d)}" r="3.5"><title>${escape(name)}</title></circle>`);
  // Names, the important ones first, where they stand free of one another.
  const named = ["GPT-3", "Llama 3.1 405B", "Llama 2 7B", "Chinchilla", "DeepSeek-V3", "PaLM"];
  const taken = [];
  const names = named.map((wanted) => points.find(([name]) => name === wanted)).filter(Boolean)
    .map(([name, n, d]) => {
      const [x, y, wide] = [+X(n), +Y(d), 7.2 * name.length];
      const before = x + wide + 8 > right;
      const box = before ? [x - 8 - wide, x - 8] : [x + 8, x + 8 + wide];
      if (taken.some(([l, r, at]) => Math.abs(at - y) < 14 && l < box[1] && box[0] < r)) return "";
      taken.push([...box, y]);
      return before ? text(x - 7, y + 4, name, END) : text(x + 7, y + 4, name);
    });
  const { params, tokens } = settings;
  // As many FLOPs: a straight line on logarithmic scales.
  const flops = params * tokens;
  const same = [xs[0], xs[1]].map((n) => [n, Math.min(Math.max(flops / n, ys[0]), ys[1])])
    .map(([, d]) => `${X(Math.min(Math.max(flops / d, xs[0]), xs[1]))},${Y(d)}`);
  const [x, y] = [+X(Math.min(Math.max(params, xs[0]), xs[1])), +Y(Math.min(Math.max(tokens, ys[0]), ys[1]))];
  return { height: bottom + 40, title: "参数与训练词元：圆点是公布过的训练，菱形是你的，实线是同样的运算下损失最低的配法，虚线上的运算一样多",
    body: `${grid.join("")}${rows.join("")}<path class="best" d="M${best.join("L")}"/>
      <path class="same" d="M${same.join("L")}"/>${dots.join("")}${names.join("")}
      <path class="mine" d="M${x},${y - 8}l8,8l-8,8l-8,-8z"/>
      ${text((left + right) / 2, bottom + 34, "参数（每个词元用到的）", MIDDLE)}` };
}

// What each card keeps under the four stages of ZeRO, and how much it can.
const PARTS = [["weights", "权重"], ["gradients", "梯度"], ["optimizer", "优化器"], ["activations", "激活"]];
function memoryPicture({ stages, memory, stage }, width) {
  const [left, top, row] = [62, 8, 40];
  const right = width - 66;
  const total = (kept) => Object.values(kept).reduce((sum, value) => sum + value, 0);
  const most = Math.max(...stages.map(total), memory) * 1.02;
  const X = (value) => left + (value / most) * (right - left);
  const bars = stages.map((kept, i) => {
    const y = top + i * row;
    let at = 0;
    const parts = PARTS.map(([name, label]) => {
      const [from, to] = [X(at), X((at += kept[name]))];
      const words = to - from > 34 ? text((from + to) / 2, y + 21, label, `${MIDDLE} class="on"`) : "";
      return `<rect class="${name}" x="${from.toFixed(1)}" y="${y}" width="${Math.max(0, to - from).toFixed(1)}" height="28"/>${words}`;
    });
    const bold = i === stage ? 'class="chosen"' : "";
    return `${text(left - 6, y + 19, `ZeRO ${i}`, `${END} ${bold}`)}${parts.join("")}
      ${text(X(at) + 5, y + 19, bytes(at), bold)}`;
  });
  const bottom = top + stages.length * row;
  return { height: bottom + 24, title: "四种 ZeRO 下每张卡要留的字节，竖线是卡的内存",
    body: `${bars.join("")}<path class="limit" d="M${X(memory)},0V${bottom}"/>
      ${text(X(memory), bottom + 16, `卡的内存 ${bytes(memory)}`, X(memory) > width / 2 ? END : "")}` };
}

function cachePicture({ models, settings }, width) {
  const rows = models.map(({ name, cache }) => [name, cacheBytes(cache, 1, settings.bytes)])
    .sort((a, b) => a[1] - b[1]);
  const [left, row] = [width < 500 ? 138 : 150, 21];
  const right = width - 74;
  const most = rows.at(-1)[1];
  const bars = rows.map(([name, value], i) => {
    const mine = name === settings.model ? "mine" : "";
    const end = left + (value / most) * (right - left);
    return `${text(left - 6, i * row + 16, escape(name), `${END} class="${mine && "chosen"}"`)}
      <rect class="${mine || "other"}" x="${left}" y="${i * row + 4}" width="${(end - left).toFixed(1)}" height="14"/>
      ${text(end + 5, i * row + 16, bytes(value), mine && 'class="chosen"')}`;
  });
  return { height: rows.length * row + 8, title: "各个模型每个词元要记住的字节", body: bars.join("") };
}

function servingPicture({ at, largest, settings }, width) {
  const batches = [];
  for (let b = 1; b < largest; b = Math.ceil(b * 1.15)) batches.push(b);
  if (largest > 0) batches.push(largest);
  const found = batches.map((b) => [b, at(b)]).filter(([, s]) => s);
  if (!found.length) return { height: 40, title: "放不下", body: text(8, 24, "连一段文字也放不下：换大卡、多几张，或者把权重压小。") };
  const panels = [
    ["美元每百万词元", ([, s]) => s.usd, usd],
    ["两个词元之间，毫秒", ([, s]) => 1000 * s.perToken, (v) => `${digits(v)} 毫秒`],
  ];
  const [left, right, high] = [54, width - 14, 130];
  const X = (b) => left + (Math.log(b) / Math.log(Math.max(largest, 2))) * (right - left);
  const drawn = panels.map(([title, value, shown], i) => {
    const top = 20 + i * (high + 44);
    const values = found.map(value);
    const [low, most] = [0.8 * Math.min(...values), 1.25 * Math.max(...values)];
    const Y = (v) => top + high * (1 - Math.log(v / low) / Math.log(most / low));
    const line = found.map((one) => `${X(one[0]).toFixed(1)},${Y(value(one)).toFixed(1)}`);
    const here = at(settings.batch);
    const mark = here && settings.batch <= largest
      ? `<path class="mine" d="M${X(settings.batch)},${Y(value([0, here])) - 7}l7,7l-7,7l-7,-7z"/>` : "";
    const ticks = [Math.min(...values), Math.max(...values)].map((v) =>
      `<path class="grid" d="M${left},${Y(v)}H${right}"/>${text(left - 4, Y(v) + 4, digits(v, 2), END)}`);
    return `${text(left, top - 6, title, 'class="chosen"')}${ticks.join("")}
      <path class="curve" d="M${line.join("L")}"/>${mark}`;
  });
  const bottom = 20 + 2 * high + 44;
  const marks = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].filter((b) => b <= largest)
    .map((b) => text(X(b), bottom + 16, b, MIDDLE));
  return { height: bottom + 36, title: "批的大小与成本、与等待：批越大越便宜，也越慢",
    body: `${drawn.join("")}${marks.join("")}${text((left + right) / 2, bottom + 32, "批：同时写几段文字", MIDDLE)}` };
}

// ---- what each calculator says -----------------------------------------------------

const SAY = {
  training(state) {
    const { settings: s, card, law } = state;
    const flops = trainingFlops(s.params, s.tokens);
    const hours = deviceHours(flops, card.peak, s.mfu);
    const best = optimum(law, flops);
    const kwh = card.watts ? energyKwh(hours, card.watts, 1, s.pue) : null;
    return { state, draw: runsPicture, said: [
      ["运算 6ND", `${power(flops)} 次`],
      ["卡时", `${chinese(hours)}${hours < 1e4 ? " " : ""}小时`],
      [`${digits(s.devices)} 张卡`, `${digits(days(hours, s.devices))} 天`],
      ["租金", usd(price(hours, s.usd))],
      ["用电，按额定功率", kwh === null ? "功率没有公布" : `${chinese(kwh)}${kwh < 1e4 ? " " : ""}度`],
      ["每个参数读", `${digits(s.tokens / s.params)} 个词元`],
      ["同样的运算，损失最低是", `${chinese(best.params)}参数、${chinese(best.tokens)}词元`],
    ] };
  },
  memory(state) {
    const { settings: s, model, card } = state;
    const activations = activationBytes(model.shape, s.batch, s.seq, s.recomputation);
    const stages = [0, 1, 2, 3].map((stage) => ({
      ...trainingState(model.params, stage, s.devices), activations }));
    const kept = stages[s.stage];
    const total = PARTS.reduce((sum, [name]) => sum + kept[name], 0);
    return { state: { stages, memory: card.memory, stage: s.stage }, draw: memoryPicture, said: [
      ["权重、梯度、优化器", bytes(total - activations)],
      ["激活值", bytes(activations)],
      ["每张卡共要", bytes(total)],
      ["放得下吗", total <= card.memory ? `放得下，余 ${bytes(card.memory - total)}` : `放不下，差 ${bytes(total - card.memory)}`],
    ] };
  },
  cache(state) {
    const { settings: s, model, card } = state;
    const each = cacheBytes(model.cache, 1, s.bytes);
    const one = each * s.context;
    const own = model.params ? weightBytes(model.params, 16) : null;
    const load = { params: model.params, weightBytes: 2, cacheBytes: each };
    const fits = own === null ? null : largestBatch(load, s.context, { memory: s.devices * card.memory });
    return { state, draw: cachePicture, said: [
      ["每个词元", bytes(each)],
      ["每段文字", bytes(one)],
      [`${digits(s.batch)} 段一起`, bytes(one * s.batch)],
      ["权重，16 位", own === null ? "参数没有列出" : bytes(own)],
      [`${digits(s.devices)} 张卡放得下`, fits === null ? "算不出" : `${digits(fits)} 段`],
    ] };
  },
  serving(state) {
    const { settings: s, model, card } = state;
    const load = { params: model.params, activeParams: model.activeParams,
      weightBytes: s.bits / 8, cacheBytes: cacheBytes(model.cache, 1) };
    const on = machine(card, s.devices);
    const at = (batch) => {
      const found = serve(load, on, batch, s.prompt, s.output);
      return found && { ...found, usd: usdPerMillionTokens(found.tokensPerSecond, s.usd, s.devices, s.busy) };
    };
    const largest = Math.min(largestBatch(load, s.prompt + s.output, on), 512);
    const here = at(s.batch);
    const picture = { state: { at, largest, settings: s }, draw: servingPicture };
    if (!here) return { ...picture, said: [["这一批", "放不下"], ["最多放", `${digits(largest)} 段`]] };
    const moved = load.params * load.weightBytes + load.cacheBytes * (s.prompt + s.output / 2) * s.batch;
    const computed = 2 * (load.activeParams ?? load.params) * s.batch;
    return { ...picture, said: [
      ["第一个词元要等", `${digits(here.firstToken)} 秒`],
      ["以后每个词元", `${digits(1000 * here.perToken)} 毫秒`],
      ["写的时候卡在", computed / on.flops > moved / on.bytes ? "算力" : "内存带宽"],
      ["一共每秒写", `${digits(here.tokensPerSecond)} 个词元`],
      ["占内存", `${bytes(here.memory)}，共 ${bytes(on.memory)}`],
      ["成本", `${digits(here.usd)} 美元每百万词元`],
      ["毛利率", `${(100 * margin(s.price, here.usd)).toFixed(0).replace("-", "−")}%`],
    ] };
  },
};
const TITLES = { training: "训练要多少算力和钱", memory: "训练时每张卡放什么", cache: "KV 缓存有多大", serving: "写一百万个词元要多少钱" };

// ---- in the page -------------------------------------------------------------------

function control([name, label, ...rest], model) {
  const options = name === "device" ? model.get("devices").map((d) => [d.name, d.name])
    : name === "model" ? model.get("models").map((m) => [m.name, m.name])
    : rest.length === 1 ? Object.entries(rest[0]) : null;
  if (!options) {
    return `<label>${label}<input type="range" data-name="${name}" min="0" max="${STEPS}" step="1"><span></span></label>`;
  }
  const list = options.map(([value, shown]) => `<option value="${escape(value)}">${escape(shown)}</option>`);
  return `<label>${label}<select data-name="${name}">${list.join("")}</select></label>`;
}

function render({ model, el }) {
  const kind = model.get("kind");
  const fields = FIELDS[kind];
  el.innerHTML = `<div class="lmbook-explorer lmbook-calculator">
    <p class="title">${TITLES[kind]}</p>
    <div class="row">${fields.map((field) => control(field, model)).join("")}</div>
    <output aria-live="polite"></output>
    <svg role="img"><title></title><g></g></svg>
    ${kind === "memory" ? `<p class="legend">${PARTS.map(([name, label]) => `<span class="${name}">${label}</span>`).join("")}</p>` : ""}
    <p class="print"></p>
  </div>`;
  const find = (selector) => el.querySelector(selector);
  const svg = find("svg");
  let width = 640;
  const named = (list, name) => model.get(list).find((one) => one.name === name);

  function draw() {
    const settings = model.get("settings");
    const shown = [];
    for (const field of fields) {
      const [name, label, , , , format] = field;
      const input = find(`[data-name="${name}"]`);
      if (input.tagName === "SELECT") {
        input.value = String(settings[name]);
        shown.push(`${label} ${input.selectedOptions[0]?.textContent ?? settings[name]}`);
        continue;
      }
      // One that stands for this value already stays where the reader put it.
      if (fromSlider(field, Number(input.value)) !== settings[name]) {
        input.value = toSlider(field, settings[name]);
      }
      input.nextElementSibling.textContent = format(settings[name]);
      input.ariaValueText = format(settings[name]);
      shown.push(`${label} ${format(settings[name])}`);
    }
    find(".print").textContent = `${shown.join("；")}。`;
    const { said, draw: paint, state } = SAY[kind]({
      settings, card: named("devices", settings.device), model: named("models", settings.model),
      models: model.get("models"), runs: model.get("runs"), law: model.get("law"),
    });
    find("output").innerHTML = said
      .map(([what, value]) => `<span><b>${value}</b><small>${what}</small></span>`).join("");
    const { height, title, body } = paint(state, width);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    find("svg title").textContent = title;
    find("svg g").innerHTML = body;
  }
  for (const input of el.querySelectorAll("input, select")) {
    input.dataset.lmSuppressShortcuts = "true";
    const field = fields.find(([name]) => name === input.dataset.name);
    input.addEventListener("input", () => {
      const [name] = field;
      const chosen = input.tagName === "SELECT"
        ? (typeof model.get("settings")[name] === "number" ? Number(input.value) : input.value)
        : fromSlider(field, Number(input.value));
      model.set("settings", { ...model.get("settings"), [name]: chosen });
      model.save_changes();
      draw();
    });
  }
  model.on("change", draw);
  const watch = new ResizeObserver(() => {
    const now = Math.max(320, svg.clientWidth);
    if (now === width) return;
    width = now;
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
