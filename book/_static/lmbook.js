// What the theme leaves to be done for readers who use a keyboard, a screen reader,
// or a page opened from a folder.
(() => {
  // Browsers may refuse icon fonts to a page opened from a folder; drawings work.
  if (location.protocol === "file:") {
    const fonts = document.querySelector('link[href*="fontawesome"][href*="all.min.css"]');
    if (fonts) {
      const script = document.createElement("script");
      script.src = fonts.href.replace("css/all.min.css", "js/all.min.js");
      document.head.append(script);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    // What scrolls sideways must be reachable by keyboard.
    for (const box of document.querySelectorAll("div.highlight pre, .cell_output pre")) {
      box.tabIndex = 0;
    }
    for (const table of document.querySelectorAll("article table")) {
      if (table.parentElement.classList.contains("scrolls")) continue;
      const box = document.createElement("div");
      box.className = "scrolls";
      box.tabIndex = 0;
      table.replaceWith(box);
      box.append(table);
    }
  });
})();
