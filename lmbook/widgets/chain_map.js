// The map of the chain: links in six layers, and the money between them (section 2.3).

// Names that a link pays, and names that pay it.
export function money(links, name) {
  const pays = links.find((link) => link.name === name).pays;
  const paidBy = links.filter((link) => link.pays.includes(name)).map((link) => link.name);
  return { pays, paidBy };
}

export const makers = (organisations, name, region) =>
  organisations.filter((one) => one.links.includes(name) && (region === "all" || one.region === region));

const escape = (text) =>
  String(text).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const outside = (url, words) => `<a href="${escape(url)}" rel="noopener">${escape(words)}</a>`;
const tool = (name) => outside(`https://github.com/${name}`, name.split("/")[1]);
const REGIONS = [["all", "全部机构"], ["China", "中国"], ["World", "其他地区"]];

// From the middle of one button's edge to that of another, in the board's pixels.
function curve(from, to) {
  const x1 = from.x + from.width / 2;
  const x2 = to.x + to.width / 2;
  if (Math.abs(from.y - to.y) < from.height) {
    const lift = Math.min(44, 16 + Math.abs(x1 - x2) / 8);
    return `M${x1},${from.y}C${x1},${from.y - lift} ${x2},${to.y - lift} ${x2},${to.y - 3}`;
  }
  const up = to.y < from.y;
  const y1 = up ? from.y : from.y + from.height;
  const y2 = up ? to.y + to.height + 3 : to.y - 3;
  const bend = Math.max(18, Math.abs(y2 - y1) * 0.45) * (up ? -1 : 1);
  return `M${x1},${y1}C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}`;
}

function page(links) {
  const layers = [...new Set(links.map((link) => link.layer))];
  const rows = layers.map((layer) => {
    const buttons = links.filter((link) => link.layer === layer).map(
      (link) => `<button data-link="${link.name}">${escape(link.nameZh)}</button>`);
    return `<div class="layer" role="group" aria-label="${escape(layer)}"><b>${escape(layer)}</b>
      <div class="buttons">${buttons.join("")}</div></div>`;
  });
  return `<div class="lmbook-explorer lmbook-chain">
    <div class="board">${rows.join("")}
      <svg aria-hidden="true"><defs>
        <marker id="lmbook-chain-out" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="11"
          markerHeight="11" markerUnits="userSpaceOnUse" orient="auto"><path class="out" d="M0,0L8,4L0,8Z"/></marker>
        <marker id="lmbook-chain-in" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="11"
          markerHeight="11" markerUnits="userSpaceOnUse" orient="auto"><path class="in" d="M0,0L8,4L0,8Z"/></marker>
      </defs><g></g></svg></div>
    <p class="legend"><span class="out">它付给谁</span><span class="in">谁付给它</span></p>
    <div class="row modes" role="group" aria-label="看哪里的机构">${REGIONS.map(
      ([name, label]) => `<button data-region="${name}">${label}</button>`).join("")}</div>
    <section class="said" aria-live="polite"></section>
    <div class="paper"></div>
  </div>`;
}

function render({ model, el }) {
  const links = model.get("links");
  const organisations = model.get("organisations");
  const byName = new Map(links.map((link) => [link.name, link]));
  el.innerHTML = page(links);
  const find = (selector) => el.querySelector(selector);
  const all = (selector) => [...el.querySelectorAll(selector)];
  const board = find(".board");
  const button = (name) => find(`.board [data-link="${name}"]`);

  const jump = (names) => names.length
    ? names.map((name) => `<button class="jump" data-link="${name}">${escape(byName.get(name).nameZh)}</button>`).join("")
    : "<i>没有</i>";
  const who = (name, region) => makers(organisations, name, region).map(
    (one) => `<li>${outside(one.url, one.name)}：${escape(one.role)}</li>`);

  function card(link) {
    const { pays, paidBy } = money(links, link.name);
    const found = who(link.name, model.get("region"));
    const rows = [
      ["做什么", escape(link.what)],
      ["谁付钱给谁", escape(link.paysZh)],
      ["它付给", jump(pays)],
      ["付给它的", jump(paidBy)],
      ["成本由什么决定", escape(link.cost)],
      ["公开的数", `${escape(link.figure)}。${outside(link.url, link.source)}${link.primary ? "" : "（转引）"}`],
      ["机构", found.length ? `<ul>${found.join("")}</ul>` : "<i>表里没有</i>"],
    ];
    if (link.steps.length) rows.push(["细分", link.steps.map(escape).join("、")]);
    if (link.tools.length) rows.push(["开源工具", link.tools.map(tool).join("、")]);
    return `<p class="title">${escape(link.layer)} · ${escape(link.nameZh)}</p>
      <dl>${rows.map(([what, said]) => `<dt>${what}</dt><dd>${said}</dd>`).join("")}</dl>`;
  }

  function arrows() {
    const origin = board.getBoundingClientRect();
    const svg = find(".board svg");
    svg.setAttribute("viewBox", `0 0 ${origin.width} ${origin.height}`);
    const box = (name) => {
      const { left, top, width, height } = button(name).getBoundingClientRect();
      return { x: left - origin.left, y: top - origin.top, width, height };
    };
    const now = model.get("link");
    const { pays, paidBy } = money(links, now);
    const drawn = [
      ...paidBy.map((name) => `<path class="in" d="${curve(box(name), box(now))}"/>`),
      ...pays.map((name) => `<path class="out" d="${curve(box(now), box(name))}"/>`),
    ];
    find(".board svg g").innerHTML = drawn.join("");
  }

  function draw() {
    const now = model.get("link");
    const { pays, paidBy } = money(links, now);
    for (const one of all(".board [data-link]")) {
      const name = one.dataset.link;
      one.ariaPressed = String(name === now);
      one.tabIndex = name === now ? 0 : -1;
      one.classList.toggle("out", pays.includes(name));
      one.classList.toggle("in", paidBy.includes(name));
    }
    for (const one of all("[data-region]")) {
      one.ariaPressed = String(one.dataset.region === model.get("region"));
    }
    find(".said").innerHTML = card(byName.get(now));
    for (const one of all(".said .jump")) {
      one.dataset.lmSuppressShortcuts = "true";
      one.addEventListener("click", () => choose(one.dataset.link, true));
    }
    arrows();
  }
  function choose(name, focus = false) {
    model.set("link", name);
    model.save_changes();
    draw();
    if (focus) button(name).focus();
  }

  // Left and right: the next link; up and down: the nearest of the row above or below.
  function neighbour(key) {
    const names = links.map((link) => link.name);
    const at = names.indexOf(model.get("link"));
    if (key === "ArrowLeft") return names[Math.max(0, at - 1)];
    if (key === "ArrowRight") return names[Math.min(names.length - 1, at + 1)];
    const here = button(names[at]).getBoundingClientRect();
    const way = key === "ArrowDown" ? 1 : -1;
    const beyond = all(".board [data-link]").map((one) => [one.dataset.link, one.getBoundingClientRect()])
      .filter(([, box]) => way * (box.top - here.top) > here.height / 2);
    const away = (box) => 10 * Math.abs(box.top - here.top) + Math.abs(box.left + box.width / 2 - here.left - here.width / 2);
    beyond.sort((one, other) => away(one[1]) - away(other[1]));
    return beyond[0]?.[0] ?? names[at];
  }
  for (const one of all(".board [data-link], [data-region]")) one.dataset.lmSuppressShortcuts = "true";
  for (const one of all(".board [data-link]")) {
    one.addEventListener("click", () => choose(one.dataset.link));
    one.addEventListener("keydown", (event) => {
      if (!event.key.startsWith("Arrow") || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      choose(neighbour(event.key), true);
    });
  }
  for (const one of all("[data-region]")) {
    one.addEventListener("click", () => {
      model.set("region", one.dataset.region);
      model.save_changes();
      draw();
    });
  }
  find(".paper").innerHTML = links.map((link) => `<p><b>${escape(link.layer)} · ${escape(link.nameZh)}</b>
    ${escape(link.what)}<br>${escape(link.paysZh)} 成本：${escape(link.cost)}<br>
    ${escape(link.figure)}（${escape(link.source)}）。
    ${makers(organisations, link.name, "all").map((one) => escape(one.name)).join("、")}</p>`).join("");
  model.on("change", draw);
  const watch = new ResizeObserver(arrows);
  watch.observe(board);
  draw();
  return () => {
    watch.disconnect();
    model.off("change", draw);
  };
}

export default { render };
