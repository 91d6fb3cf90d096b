// The activation functions of section 4.1, drawn with their derivatives.
const sigmoid = (x) => {
  const decay = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : decay) / (1 + decay);
};
const gate = (x) => sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
const gateSlope = (x) =>
  gate(x) * gate(-x) * 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x ** 2);

// name: [title, f(x, negativeSlope), f'(x, negativeSlope)]
export const functions = {
  sigmoid: ["Sigmoid", sigmoid, (x) => sigmoid(x) * sigmoid(-x)],
  tanh: ["Tanh", Math.tanh, (x) => 4 * sigmoid(2 * x) * sigmoid(-2 * x)],
  relu: ["ReLU", (x) => Math.max(0, x), (x) => (x > 0 ? 1 : 0)],
  leaky_relu: [
    "Leaky ReLU",
    (x, slope) => (x > 0 ? x : slope * x),
    (x, slope) => (x > 0 ? 1 : slope),
  ],
  gelu: ["GELU（tanh 近似）", (x) => x * gate(x), (x) => gate(x) + x * gateSlope(x)],
  silu: [
    "SiLU",
    (x) => x * sigmoid(x),
    (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
  ],
};

const RANGE = 5;
const WIDTH = 600;
const HEIGHT = 320;
const toX = (x) => ((x + RANGE) / (2 * RANGE)) * WIDTH;
const toY = (y) => HEIGHT - ((y + 1.5) / 4.5) * HEIGHT; // from -1.5 to 3

function curve(f) {
  const points = [];
  for (let x = -RANGE; x <= RANGE + 1e-9; x += 0.05) {
    points.push(`${toX(x).toFixed(1)},${toY(f(x)).toFixed(1)}`);
  }
  return `M${points.join("L")}`;
}

function render({ model, el }) {
  const choices = Object.entries(functions)
    .map(([name, [title]]) => `<option value="${name}">${title}</option>`)
    .join("");
  const ticks = [-4, -2, 2, 4]
    .map((x) => `<text x="${toX(x)}" y="${toY(0) + 16}" text-anchor="middle">${x}</text>`)
    .concat(
      [-1, 1, 2].map(
        (y) => `<text x="${toX(0) - 6}" y="${toY(y) + 4}" text-anchor="end">${y}</text>`
      )
    )
    .join("");
  el.innerHTML = `<div class="lmbook-explorer">
    <div class="row">
      <label>函数 <select>${choices}</select></label>
      <label class="slope">负半边斜率 α
        <input type="range" data-name="negative_slope" min="0" max="0.5" step="0.01">
      </label>
    </div>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
      <title></title>
      <path d="M0,${toY(0)}H${WIDTH}M${toX(0)},0V${HEIGHT}" stroke="var(--line)"/>
      ${ticks}
      <path class="derivative" fill="none" stroke="var(--second)" stroke-width="2.5"
        stroke-dasharray="7 4"/>
      <path class="tangent" stroke="var(--line)" stroke-width="1.5"/>
      <path class="function" fill="none" stroke="var(--first)" stroke-width="3"/>
      <circle class="dot-derivative" r="6" fill="var(--second)"/>
      <circle class="dot-function" r="7" fill="var(--first)"/>
    </svg>
    <div class="row">
      <label>x <input type="range" data-name="x" min="-5" max="5" step="0.05"></label>
      <output aria-live="polite"></output>
    </div>
  </div>`;
  const find = (selector) => el.querySelector(selector);
  const [select, output] = [find("select"), find("output")];

  function draw() {
    const name = model.get("function");
    const x = model.get("x");
    const alpha = model.get("negative_slope");
    const [title, f, slope] = functions[name];
    const [y, dy] = [f(x, alpha), slope(x, alpha)];
    select.value = name;
    for (const slider of el.querySelectorAll("input")) {
      slider.value = model.get(slider.dataset.name);
    }
    find(".slope").style.visibility = name === "leaky_relu" ? "visible" : "hidden";
    find("title").textContent = `${title} 的曲线（实线）和导数（虚线）`;
    find(".function").setAttribute("d", curve((u) => f(u, alpha)));
    find(".derivative").setAttribute("d", curve((u) => slope(u, alpha)));
    const [left, right] = [x - 1.2, x + 1.2];
    const tangent = (u) => `${toX(u)},${toY(y + dy * (u - x))}`;
    find(".tangent").setAttribute("d", `M${tangent(left)}L${tangent(right)}`);
    for (const [dot, value] of [["function", y], ["derivative", dy]]) {
      find(`.dot-${dot}`).setAttribute("cx", toX(x));
      find(`.dot-${dot}`).setAttribute("cy", toY(value));
    }
    output.innerHTML = `x = ${x.toFixed(2)}，
      <span class="first">f(x) = ${y.toFixed(4)}</span>，
      <span class="second">f′(x) = ${dy.toFixed(4)}</span>`;
  }

  // Where JupyterLab has shortcuts of its own (the arrow keys), the controls keep theirs.
  for (const control of [select, ...el.querySelectorAll("input")]) {
    control.dataset.lmSuppressShortcuts = "true";
  }
  select.addEventListener("change", () => set("function", select.value));
  for (const slider of el.querySelectorAll("input")) {
    slider.addEventListener("input", () => set(slider.dataset.name, Number(slider.value)));
  }
  function set(name, value) {
    model.set(name, value);
    model.save_changes();
    draw();
  }
  model.on("change", draw);
  draw();
  return () => model.off("change", draw);
}

export default { render };
