// How models grew: points against time and the line through them (section 2.1).

// ---- the line ----------------------------------------------------------------------

// Points above all earlier ones, in the order of time.
export function records(points) {
  const order = [...points].sort((one, other) => one[0] - other[0] || other[1] - one[1]);
  let most = 0;
  return order.filter(([, value]) => value > most && (most = value));
}

// Least squares of ln(value) on the year; t[df - 1] is the quantile of the interval.
export function line(points, t) {
  const n = points.length;
  if (new Set(points.map(([year]) => year)).size < 3) return null;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / n;
  const years = points.map(([year]) => year);
  const logs = points.map(([, value]) => Math.log(value));
  const [start, level] = [mean(years), mean(logs)];
  const spread = years.reduce((sum, year) => sum + (year - start) ** 2, 0);
  const rate =
    years.reduce((sum, year, i) => sum + (year - start) * logs[i], 0) / spread;
  const misses = logs.map((log, i) => log - level - rate * (years[i] - start));
  const deviation = Math.sqrt(misses.reduce((sum, m) => sum + m * m, 0) / (n - 2));
  const half = (t[n - 3] * deviation) / Math.sqrt(spread);
  return { n, start, level, rate, low: rate - half, high: rate + half };
}

export function chosen(points, { group, since, until }) {
  const inside = points.filter(([year]) => year >= since && year < until);
  if (group === "records") return records(inside);
  if (group === "all") return inside;
  return inside.filter((point) => point[4] === (group === "open"));
}

// ---- numbers in words --------------------------------------------------------------

const rounded = (value, digits = 3) => String(Number(value.toPrecision(digits)));

// 1.746e11 is 1750 亿; what is larger than 100 万亿 stands as a power of ten.
export function inWords(value) {
  value = Number(value.toPrecision(3)); // 9.999e7 is 1 亿, not 10000 万
  if (value >= 1e16) {
    const power = Math.floor(Math.log10(value) + 1e-9);
    const lead = rounded(value / 10 ** power);
    return `${lead === "1" ? "" : `${lead}×`}10${superscript(power)}`;
  }
  for (const [size, word] of [[1e12, "万亿"], [1e8, "亿"], [1e4, "万"]]) {
    if (value >= size) return `${rounded(value / size)} ${word}`;
  }
  return rounded(value);
}

const superscript = (power) =>
  [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");

export function said(fit) {
  if (!fit) return "至少要三个不同的月份才连得出一条带区间的线。";
  const factors = [fit.rate, fit.low, fit.high].map((rate) => Math.exp(rate));
  const shown = factors.map((factor) =>
    factor < 1000 ? rounded(factor) : `10${superscript(Math.round(Math.log10(factor)))}`);
  const months = (12 * Math.log(2)) / Math.abs(fit.rate);
  const pace = fit.low > 0 ? `，${rounded(months, 2)} 个月翻一番`
    : fit.high < 0 ? `，${rounded(months, 2)} 个月减一半` : "，涨跌分不清";
  return `${fit.n} 个点，每年 <b>×${shown[0]}</b>（95% 区间 ${shown[1]} 到 ${shown[2]}）${pace}`;
}

// ---- picture -----------------------------------------------------------------------

const [LEFT, RIGHT, TOP, BOTTOM] = [68, 22, 14, 50];
const escape = (text) =>
  String(text).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

function scales(points, { since, until }, { width, height }) {
  const values = points.map(([, value]) => Math.log10(value));
  const low = Math.floor(Math.min(...values, 0 + (values.length ? Infinity : 0)));
  const high = Math.max(Math.ceil(Math.max(...values) + 0.05), low + 1);
  const x = (year) => LEFT + ((year - since) / (until - since)) * (width - LEFT - RIGHT);
  const y = (log) =>
    height - BOTTOM - ((log - low) / (high - low)) * (height - TOP - BOTTOM);
  return { x, y, low, high };
}

function picture(all, used, fit, events, state, view) {
  const { x, y, low, high } = scales(all, state, view);
  const { width, height } = view;
  const parts = [];
  const every = Math.ceil((high - low) / 8);
  for (let power = low; power <= high; power += every) {
    parts.push(`<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y(power)}" y2="${y(power)}"/>
      <text class="tick" x="${LEFT - 6}" y="${y(power) + 4}">${inWords(10 ** power)}</text>`);
  }
  const step = Math.ceil(((state.until - state.since) * 46) / (width - LEFT - RIGHT));
  for (let year = state.since; year <= state.until; year += step) {
    parts.push(`<line class="grid" x1="${x(year)}" x2="${x(year)}" y1="${TOP}" y2="${height - BOTTOM}"/>
      <text class="year" x="${x(year)}" y="${height - BOTTOM + 16}">${year}</text>`);
  }
  if (fit) {
    const ends = [used[0][0], used[0][0]];
    for (const [year] of used) {
      ends[0] = Math.min(ends[0], year);
      ends[1] = Math.max(ends[1], year);
    }
    const at = (rate, year) =>
      `${x(year).toFixed(1)},${y((fit.level + rate * (year - fit.start)) / Math.LN10).toFixed(1)}`;
    for (const name of ["low", "high", "rate"]) {
      parts.push(`<polyline class="${name}" clip-path="url(#lmbook-history-clip)"
        points="${ends.map((year) => at(fit[name], year)).join(" ")}"/>`);
    }
  }
  all.forEach(([year, value, , , isOpen], i) => {
    const [cx, cy] = [x(year), y(Math.log10(value))].map((v) => v.toFixed(1));
    const kind = `${isOpen ? "open" : "closed"} ${used.includes(all[i]) ? "used" : "aside"}
      ${state.picked === i ? "picked" : ""}`;
    parts.push(isOpen
      ? `<circle class="${kind}" data-point="${i}" cx="${cx}" cy="${cy}" r="5"/>`
      : `<path class="${kind}" data-point="${i}" d="M${cx},${cy}m0,-6l6,6l-6,6l-6,-6z"/>`);
  });
  events.forEach(([year], i) => {
    const mark = x(year).toFixed(1);
    parts.push(`<path class="event ${state.event === i ? "picked" : ""}" data-event="${i}"
      d="M${mark},${height - 24}l6,12h-12z"/>`);
  });
  return parts.join("");
}

// ---- in the page -------------------------------------------------------------------

const GROUPS = { all: "全部", records: "历次纪录", open: "开放权重", closed: "不开放" };
const options = (pairs) =>
  Object.entries(pairs).map(([value, name]) => `<option value="${value}">${name}</option>`).join("");
const slider = (name, label, first, last) =>
  `<label>${label}<input type="range" data-set="${name}" min="${first}" max="${last}" step="1"><span></span></label>`;

const page = (labels) => `<div class="lmbook-explorer lmbook-history">
  <div class="row"><label>看什么<select data-set="quantity">${options(labels)}</select></label>
    <label>算哪些<select data-set="group">${options(GROUPS)}</select></label></div>
  <div class="row">${slider("since", "从", 2003, 2025)}${slider("until", "到", 2005, 2027)}</div>
  <output class="fit" aria-live="polite"></output>
  <svg role="img" tabindex="0"><title></title><defs><clipPath id="lmbook-history-clip">
    <rect/></clipPath></defs><g></g></svg>
  <p class="legend"><span class="open">开放权重</span><span class="closed">不开放，或未标明</span>
    <span class="event">大事</span></p>
  <output class="told" aria-live="polite"></output>
</div>`;

function render({ model, el }) {
  const labels = model.get("labels");
  const [series, events, t] = ["series", "events", "t"].map((name) => model.get(name));
  el.innerHTML = page(labels);
  const find = (selector) => el.querySelector(selector);
  const controls = [...el.querySelectorAll("[data-set]")];
  const svg = find("svg");
  let [picked, event] = [null, null];
  let view = { width: 640, height: 420 };
  const settings = () => Object.fromEntries(
    ["quantity", "group", "since", "until"].map((name) => [name, model.get(name)])
  );
  const shown = () => {
    const { since, until, quantity } = settings();
    return series[quantity].filter(([year]) => year >= since && year < until);
  };
  const happened = () => {
    const { since, until } = settings();
    return events.filter(([year]) => year >= since && year < until);
  };

  const month = (year) =>
    `${Math.floor(year)} 年 ${Math.floor((year % 1) * 12 + 1)} 月`;
  function told() {
    if (event !== null && happened()[event]) {
      const [year, name, org, what] = happened()[event];
      return `${month(year)}，<b>${escape(name)}</b>（${escape(org)}）：${escape(what)}`;
    }
    const point = picked === null ? null : shown()[picked];
    if (!point) return "点一个记号，或用左右方向键，看它是谁、数从哪里来。";
    const [year, value, name, org, , source, address] = point;
    const unit = model.get("quantity") === "price" ? " 美元" : "";
    return `${month(year)}，<b>${escape(name)}</b>（${escape(org)}）：${inWords(value)}${unit}。
      出处：<a href="${escape(address)}">${escape(source)}</a>`;
  }

  function draw() {
    const state = { ...settings(), picked, event };
    const all = shown();
    const used = chosen(series[state.quantity], state);
    const fit = line(used, t);
    svg.setAttribute("viewBox", `0 0 ${view.width} ${view.height}`);
    const clip = find("clipPath rect");
    const box = { x: LEFT, y: TOP, width: view.width - LEFT - RIGHT,
      height: view.height - TOP - BOTTOM };
    for (const [name, value] of Object.entries(box)) clip.setAttribute(name, value);
    find("svg g").innerHTML = picture(all, used, fit, happened(), state, view);
    find(".fit").innerHTML = said(fit);
    find("svg title").textContent =
      `${labels[state.quantity]}，${state.since} 到 ${state.until} 年，${all.length} 个点，纵轴是对数的`;
    find(".told").innerHTML = told();
    for (const control of controls) {
      const value = model.get(control.dataset.set);
      control.value = value;
      if (control.type === "range") control.nextElementSibling.textContent = value;
    }
  }
  function pick(point, mark) {
    [picked, event] = [point, mark];
    draw();
  }

  for (const control of [...controls, svg]) control.dataset.lmSuppressShortcuts = "true";
  for (const control of controls) {
    control.addEventListener("input", () => {
      const name = control.dataset.set;
      if (control.type !== "range") model.set(name, control.value);
      else {
        // Two years at least are seen: the other slider gives way.
        const value = Number(control.value);
        model.set(name, value);
        if (name === "since") model.set("until", Math.max(model.get("until"), value + 2));
        else model.set("since", Math.min(model.get("since"), value - 2));
      }
      model.save_changes();
      pick(null, null);
    });
  }
  svg.addEventListener("keydown", (press) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[press.key];
    if (!step || press.ctrlKey || press.metaKey || !shown().length) return;
    press.preventDefault();
    const n = shown().length;
    pick(picked === null ? (step > 0 ? 0 : n - 1) : (picked + step + n) % n, null);
  });
  svg.addEventListener("click", (click) => {
    const { left, top, width } = svg.getBoundingClientRect();
    const scale = view.width / width;
    const at = [(click.clientX - left) * scale, (click.clientY - top) * scale];
    const marks = [...svg.querySelectorAll("[data-point], [data-event]")];
    const away = (mark) => {
      const box = mark.getBBox();
      return Math.hypot(box.x + box.width / 2 - at[0], box.y + box.height / 2 - at[1]);
    };
    const [nearest] = marks.sort((one, other) => away(one) - away(other));
    if (!nearest || away(nearest) > 24 * scale) return;
    const { point, event: mark } = nearest.dataset;
    pick(point === undefined ? null : Number(point), mark === undefined ? null : Number(mark));
  });
  model.on("change", draw);
  const watch = new ResizeObserver(() => {
    const width = Math.max(300, svg.clientWidth);
    if (width === view.width) return;
    view = { width, height: Math.max(340, Math.round(0.62 * width)) };
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
