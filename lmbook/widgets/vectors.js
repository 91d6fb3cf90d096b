// Cosine and Pearson of two vectors of three components (section 4.3).
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const centred = (a) => {
  const mean = a.reduce((sum, value) => sum + value, 0) / a.length;
  return a.map((value) => value - mean);
};

// Both are null where they are undefined.
export function cosine(a, b) {
  const norms = Math.sqrt(dot(a, a) * dot(b, b));
  return norms > 0 ? dot(a, b) / norms : null;
}
export function pearson(a, b) {
  const constant = (v) => v.every((value) => value === v[0]);
  return constant(a) || constant(b) ? null : cosine(centred(a), centred(b));
}

const WIDTH = 600;
const HEIGHT = 240;
const toY = (value) => HEIGHT / 2 - value * 17; // from -7 to 7
const toX = (index) => 100 + 200 * index;
const show = (value) => (value === null ? "无定义" : value.toFixed(4).replace("-", "−"));

function render({ model, el }) {
  const sliders = (name, letter) =>
    [0, 1, 2]
      .map(
        (i) => `<label>${letter}<sub>${i + 1}</sub>
          <input type="range" data-name="${name}" data-index="${i}"
            aria-label="${letter} 的第 ${i + 1} 个分量" min="-6" max="6" step="0.5">
          <span></span></label>`
      )
      .join("");
  const grid = [-6, -3, 3, 6]
    .map(
      (y) => `<path d="M40,${toY(y)}H${WIDTH}" stroke="var(--line)" stroke-width="0.4"/>
        <text x="30" y="${toY(y) + 4}" text-anchor="end">${y}</text>`
    )
    .join("");
  const marks = (name, radius) =>
    [0, 1, 2].map((i) => `<circle class="${name}${i}" r="${radius}"/>`).join("");
  el.innerHTML = `<div class="lmbook-explorer">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">
      <title>两个向量的三个分量，A 为实线，B 为虚线</title>
      <path d="M40,${toY(0)}H${WIDTH}" stroke="var(--line)"/>${grid}
      <g fill="none" stroke-width="3">
        <path class="line-a" stroke="var(--first)"/>
        <path class="line-b" stroke="var(--second)" stroke-dasharray="8 5"/>
      </g>
      <g fill="var(--first)">${marks("a", 7)}</g>
      <g fill="var(--second)">${marks("b", 6)}</g>
    </svg>
    <div class="row">
      <fieldset><legend class="first">向量 A</legend>${sliders("a", "A")}</fieldset>
      <fieldset><legend class="second">向量 B</legend>${sliders("b", "B")}</fieldset>
    </div>
    <div class="row"><output aria-live="polite"></output></div>
  </div>`;
  const inputs = [...el.querySelectorAll("input")];

  function draw() {
    const [a, b] = [model.get("a"), model.get("b")];
    for (const input of inputs) {
      const value = model.get(input.dataset.name)[input.dataset.index];
      input.value = value;
      input.nextElementSibling.textContent = value.toFixed(1);
    }
    for (const [name, vector] of [["a", a], ["b", b]]) {
      const points = vector.map((value, i) => `${toX(i)},${toY(value)}`);
      el.querySelector(`.line-${name}`).setAttribute("d", `M${points.join("L")}`);
      vector.forEach((value, i) => {
        const mark = el.querySelector(`.${name}${i}`);
        mark.setAttribute("cx", toX(i));
        mark.setAttribute("cy", toY(value));
      });
    }
    el.querySelector("output").innerHTML =
      `余弦 <b>${show(cosine(a, b))}</b>，皮尔逊 <b>${show(pearson(a, b))}</b>`;
  }

  for (const input of inputs) {
    // Where JupyterLab has shortcuts of its own (the arrow keys), sliders keep theirs.
    input.dataset.lmSuppressShortcuts = "true";
    input.addEventListener("input", () => {
      const vector = [...model.get(input.dataset.name)];
      vector[input.dataset.index] = Number(input.value);
      model.set(input.dataset.name, vector);
      model.save_changes();
      draw();
    });
  }
  model.on("change", draw);
  draw();
  return () => model.off("change", draw);
}

export default { render };
