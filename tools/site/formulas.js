// Typeset formulas with MathJax: node formulas.js FOLDER-OF-MATHJAX
//
// Reads {page: [[tex, display], ...]} and writes {page: {formulas: [html, ...],
// glyphs: html}}.  The glyphs that a page's formulas are made of stand in it once.
const folder = process.argv[2];
const pages = JSON.parse(require("fs").readFileSync(0, "utf8"));

require(`${folder}/node-main.js`)
  .init({
    loader: {
      paths: { mathjax: folder },
      load: ["input/tex-full", "output/svg", "adaptors/liteDOM", "a11y/assistive-mml"],
    },
    // An unknown command is an error, not red text.
    tex: { packages: { "[-]": ["noundefined", "noerrors"] } },
    svg: { fontCache: "global" },
    startup: { typeset: false },
  })
  .then((MathJax) => {
    const { adaptor, output } = MathJax.startup;
    const typeset = ([tex, display]) =>
      adaptor.outerHTML(MathJax.tex2svg(tex, { display }));
    const done = {};
    for (const [page, formulas] of Object.entries(pages)) {
      output.clearFontCache();
      done[page] = {
        formulas: formulas.map(typeset),
        glyphs: adaptor.outerHTML(output.fontCache.getCache()),
      };
    }
    process.stdout.write(JSON.stringify(done));
  })
  .catch((error) => {
    console.error(error.message ?? error);
    process.exit(1);
  });
