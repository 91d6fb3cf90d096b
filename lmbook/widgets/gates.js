// One memory cell on a stream of numbers, its gates on or off (section 5.2).
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

// What should be remembered after each step: the number written last.
export function wanted(values, write) {
  let kept = 0;
  return values.map((v, t) => (kept = write[t] ? v : kept));
}

// The memory and the output after each step; gates: {bias, input, forget, output}.
export function carry(values, write, ask, gates) {
  const keep = sigmoid(gates.bias);
  let c = 0;
  const memory = values.map((v, t) => {
    const f = gates.forget && write[t] ? 0 : keep;
    const i = gates.input ? write[t] : 1 - keep;
    return (c = f * c + i * v);
  });
  return { memory, output: memory.map((m, t) => (gates.output ? ask[t] : 1) * m) };
}

// The largest error where it is asked (after one write, after more) and elsewhere.
export function errors(values, write, ask, output) {
  const right = wanted(values, write);
  const worst = { first: 0, later: 0, silent: 0 };
  let writes = 0;
  output.forEach((h, t) => {
    writes += write[t];
    const where = !ask[t] ? "silent" : writes > 1 ? "later" : "first";
    worst[where] = Math.max(worst[where], Math.abs(h - ask[t] * right[t]));
  });
  return worst;
}

const WIDTH = 600;
const HEIGHT = 240;
const TOP = 1.5;
const toY = (y) => HEIGHT / 2 - (Math.max(-TOP, Math.min(TOP, y)) / TOP) * (HEIGHT / 2 - 8);
const GATES = [
  ["input_gate", "输入门：只在“写”时添"],
  ["forget_gate", "遗忘门：“写”时先清空"],
  ["output_gate", "输出门：问到才说"],
];

function steps(numbers) {
  const toX = (t) => (t / numbers.length) * WIDTH;
  const parts = numbers.map((y, t) => `${toX(t).toFixed(1)},${toY(y).toFixed(1)}H${toX(t + 1).toFixed(1)}`);
  return `M${parts.join("L")}`;
}

function render({ model, el }) {
  const [values, write, ask] = ["values", "write", "ask"].map((name) => model.get(name));
  const toX = (t) => ((t + 0.5) / values.length) * WIDTH;
  const at = (marks) => marks.flatMap((mark, t) => (mark ? [t] : []));
  const lines = at(write)
    .map((t) => `<path d="M${toX(t)},0V${HEIGHT}" stroke="var(--line)" stroke-dasharray="3 4"/>
      <text x="${toX(t) + 4}" y="14">写</text>`)
    .join("");
  const dots = at(ask)
    .map((t) => `<circle data-step="${t}" cx="${toX(t)}" r="6" fill="var(--second)"/>`)
    .join("");
  const switches = GATES.map(
    ([name, title]) =>
      `<label><input type="checkbox" data-name="${name}"> ${title}</label>`
  ).join("");
  el.innerHTML = `<div class="lmbook-explorer lmbook-gates">
    <div class="row">${switches}</div>
    <div class="row"><label>遗忘门的偏置 b
      <input type="range" data-name="forget_bias" min="-2" max="8" step="0.1"></label></div>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
      <title>灰线是该记住的数，蓝线是记忆，圆点是问到时说出来的数</title>
      <path d="M0,${toY(0)}H${WIDTH}" stroke="var(--line)"/>${lines}
      <path d="${steps(wanted(values, write))}" fill="none" stroke="var(--line)"
        stroke-width="7" opacity="0.6"/>
      <path class="memory" fill="none" stroke="var(--first)" stroke-width="2.5"/>
      ${dots}
    </svg>
    <output aria-live="polite"></output>
  </div>`;
  const find = (selector) => el.querySelector(selector);

  function draw() {
    const bias = model.get("forget_bias");
    const [input, forget, output] = GATES.map(([name]) => model.get(name));
    const found = carry(values, write, ask, { bias, input, forget, output });
    const worst = errors(values, write, ask, found.output);
    for (const control of el.querySelectorAll("input")) {
      const value = model.get(control.dataset.name);
      if (control.type === "checkbox") control.checked = value;
      else control.value = value;
    }
    find(".memory").setAttribute("d", steps(found.memory));
    for (const dot of el.querySelectorAll("circle")) {
      dot.setAttribute("cy", toY(found.output[dot.dataset.step]));
    }
    const f = sigmoid(bias);
    find("output").innerHTML = `f = σ(${bias.toFixed(1)}) = ${f.toFixed(3)}；
      沿传送带退回 50 步剩 <span class="first">${(f ** 50).toPrecision(2)}</span>。
      最大的错：第一次写后 <span class="second">${worst.first.toFixed(2)}</span>，
      第二次写后 <span class="second">${worst.later.toFixed(2)}</span>，
      不该说时说了 <span class="second">${worst.silent.toFixed(2)}</span>`;
  }

  function set(name, value) {
    model.set(name, value);
    model.save_changes();
    draw();
  }
  for (const control of el.querySelectorAll("input")) {
    control.dataset.lmSuppressShortcuts = "true";
    const read = () => (control.type === "checkbox" ? control.checked : Number(control.value));
    control.addEventListener("input", () => set(control.dataset.name, read()));
  }
  model.on("change", draw);
  draw();
  return () => model.off("change", draw);
}

export default { render };
