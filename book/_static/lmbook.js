// What the theme leaves to be done for readers who use a keyboard, a screen reader,
// or a page opened from a folder.
(() => {
  const SCROLLING = "div.highlight pre, .cell_output pre, pre.mermaid, div.mermaid";

  // A page opened from a folder cannot read the others to quote them in results.
  if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS === "object") {
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
  }

  document.addEventListener("DOMContentLoaded", () => {
    // What a screen reader calls a thing must be what stands on it.
    const misnamed = ".search-button-field, details.hide > summary";
    for (const named of document.querySelectorAll(misnamed)) {
      named.removeAttribute("aria-label");
    }
    for (const fold of document.querySelectorAll(".toctree-l1 > details > summary")) {
      const chapter = fold.closest("li").querySelector("a").textContent.trim();
      fold.setAttribute("aria-label", `展开或收起：${chapter}`);
    }
    document.querySelector("div.citation-list")?.removeAttribute("role");
    // What scrolls sideways must be reachable by keyboard.
    for (const box of document.querySelectorAll(SCROLLING)) {
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
