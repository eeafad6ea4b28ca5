// Small helps; the pages work without them.
(() => {
  "use strict";

  const FOLDS = ".mc-fold, .mc-strip, .mc-evidence, .mc-exercise";
  const CODE = "modclust-code";
  // Where Sphinx keeps the words of a search, in `localStorage`, for the page that is opened next.
  const FOUND = "sphinx_highlight_terms";

  // A browser can forbid a page to keep anything. What is kept is in `sessionStorage`, too: of a page
  // from disk Chromium now and then loses what is in `localStorage`.
  function ifAllowed(action) {
    try {
      return action();
    } catch {}
  }

  const open = (folds) => folds.forEach((fold) => fold.setAttribute("open", ""));

  // On paper nothing that a chapter shows must stay folded; code stays as the reader has it.
  function unfoldForPrint() {
    const closed = document.querySelectorAll(`details:is(${FOLDS}):not([open])`);
    open(closed);
    addEventListener("afterprint", () => closed.forEach((fold) => fold.removeAttribute("open")), {
      once: true,
    });
  }

  // The folds that a node lies in, itself among them.
  function foldsAround(node) {
    const folds = [];
    for (let fold = node.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      folds.push(fold);
    }
    return folds;
  }

  // What a link leads to is opened, and what it lies in.
  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const within = target.querySelectorAll(
      ":scope > :is(.mc-fold, .mc-exercise), :scope > td > .mc-evidence",
    );
    const folds = [...foldsAround(target), ...within];
    if (folds.every((fold) => fold.open)) return;
    open(folds);
    target.scrollIntoView();
  }

  // Words that were searched for are marked, and unfolded where all of them stand in folds. Sphinx
  // marks none where the search is loaded, which the theme does on every page.
  function showFound() {
    if (typeof SphinxHighlight === "undefined") return;
    if (document.getElementById("search-results")) {
      const keep = () => sessionStorage.setItem(FOUND, localStorage.getItem(FOUND) ?? "");
      addEventListener("pagehide", () => ifAllowed(keep));
      return;
    }
    ifAllowed(() => {
      const words = sessionStorage.getItem(FOUND);
      if (words) localStorage.setItem(FOUND, words);
      sessionStorage.removeItem(FOUND);
    });
    SphinxHighlight.highlightSearchWords();
    setTimeout(() => {
      const words = [...document.querySelectorAll("article .highlighted")];
      if (!words.length || words.some((word) => word.checkVisibility())) return;
      open(foldsAround(words[0]));
      words[0].scrollIntoView({ block: "center" });
    }, 50); // it marks them a moment later
  }

  // One switch for the code of all pages, remembered in its tab and for new ones.
  function codeSwitch(cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "mc-code-switch";
    button.textContent = "Show all code";
    const set = (shown) => {
      button.setAttribute("aria-pressed", String(shown));
      cells.forEach((cell) => cell.toggleAttribute("open", shown));
    };
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      set(shown);
      const value = shown ? "shown" : "";
      ifAllowed(() => [sessionStorage, localStorage].forEach((store) => store.setItem(CODE, value)));
    });
    const remembered = () => sessionStorage.getItem(CODE) ?? localStorage.getItem(CODE);
    set(ifAllowed(remembered) === "shown");
    return button;
  }

  // A table that is wider than the page says so.
  const wide = new ResizeObserver((seen) =>
    seen.forEach(({ target }) =>
      target.classList.toggle("mc-scrolls", target.scrollWidth > target.clientWidth + 1),
    ),
  );

  // The theme gives the arrows of the contents no name that could be read aloud.
  function nameArrow(summary) {
    const chapter = summary.closest("li")?.querySelector("a")?.textContent.trim() ?? "";
    summary.setAttribute("aria-label", `Pages below ${chapter}`);
  }

  // A term says what it means to the keyboard, too, and in the book's own way.
  function explain(term) {
    const words = term.title;
    term.removeAttribute("title");
    const note = document.createElement("span");
    note.className = "mc-definition";
    note.id = `definition-${++nDefinitions}`;
    note.setAttribute("role", "tooltip");
    note.textContent = words;
    term.setAttribute("aria-describedby", note.id);
    term.after(note);
    // within the page, whatever the place of the word
    const show = () => {
      note.style.setProperty("--mc-shift", "0px");
      const { left, width } = note.getBoundingClientRect();
      const room = document.documentElement.clientWidth - width - 12;
      const wanted = Math.max(12, Math.min(term.getBoundingClientRect().left, room));
      note.style.setProperty("--mc-shift", `${wanted - left}px`);
    };
    term.addEventListener("pointerenter", show);
    term.addEventListener("focus", show);
    term.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") term.blur();
    });
  }

  let nDefinitions = 0;
  document.querySelectorAll("article a.mc-term[title]").forEach(explain);
  document.querySelectorAll("nav.bd-links li > details > summary").forEach(nameArrow);
  document.querySelectorAll(".mc-table").forEach((frame) => wide.observe(frame));
  const code = document.querySelectorAll("details.mc-code");
  if (code.length) document.querySelector("article h1")?.after(codeSwitch(code));
  addEventListener("hashchange", openTarget);
  addEventListener("click", ({ target }) => {
    const link = target.closest?.("a[href]");
    // the address stays as it is, which is no change
    if (link?.hash && link.hash === location.hash) openTarget();
  });
  addEventListener("load", showFound);
  addEventListener("beforeprint", unfoldForPrint);
  openTarget();
})();
