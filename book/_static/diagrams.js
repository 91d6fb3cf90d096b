// Draw the page's Mermaid diagrams, again whenever the theme changes.
// A classic script: module scripts do not load from file://.
(() => {
  const diagrams = [...document.querySelectorAll("pre.mermaid, div.mermaid")];
  const sources = diagrams.map((diagram) => diagram.textContent);
  const dark = () => document.documentElement.dataset.theme === "dark";

  async function draw() {
    diagrams.forEach((diagram, index) => {
      diagram.removeAttribute("data-processed");
      diagram.textContent = sources[index];
    });
    mermaid.initialize({
      startOnLoad: false,
      theme: dark() ? "dark" : "neutral",
      themeVariables: dark() ? { edgeLabelBackground: "#222" } : {},
      fontFamily: getComputedStyle(document.body).fontFamily,
    });
    await mermaid.run({ nodes: diagrams });
    for (const svg of document.querySelectorAll(".mermaid > svg")) {
      svg.style.setProperty("--natural-width", `${svg.viewBox.baseVal.width}px`);
    }
  }

  let drawing = draw();
  new MutationObserver(() => {
    drawing = drawing.then(draw);
  }).observe(document.documentElement, { attributeFilter: ["data-theme"] });
})();
