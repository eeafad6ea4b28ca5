// Three small helps; the pages work without them.
(() => {
  "use strict";

  const NUMBER = /^[-+−]?[\d.,]+%?([eE][-+]?\d+)?( ?(±|to|–|\/) ?[-+−]?[\d.,]+%?([eE][-+]?\d+)?)?$/;
  const EMPTY = new Set(["", "nan", "None", "<NA>", "–"]);

  // pandas does not say which columns hold words; they read better aligned to the left.
  function alignWords(table) {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const spans = [...table.querySelectorAll("th, td")].some((cell) => cell.colSpan + cell.rowSpan > 2);
    if (spans || !rows.length) return;
    for (let column = 0; column < rows[0].cells.length; column += 1) {
      const cells = rows.map((row) => row.cells[column]).filter(Boolean);
      const texts = cells.map((cell) => cell.textContent.trim()).filter((text) => !EMPTY.has(text));
      if (!texts.length || texts.every((text) => NUMBER.test(text))) continue;
      const heads = table.tHead ? [...table.tHead.rows].map((row) => row.cells[column]) : [];
      [...heads, ...cells].filter(Boolean).forEach((cell) => cell.classList.add("mc-text"));
      cells.filter((cell) => cell.textContent.length > 40).forEach((c) => c.classList.add("mc-long"));
    }
  }

  // On paper, what stands under a figure must not stay folded.
  function unfoldForPrint() {
    const closed = document.querySelectorAll("details.mc-strip:not([open])");
    closed.forEach((strip) => strip.setAttribute("open", ""));
    addEventListener("afterprint", () => closed.forEach((strip) => strip.removeAttribute("open")), {
      once: true,
    });
  }

  // The theme gives the arrows of the contents no name that could be read aloud.
  function nameArrow(summary) {
    const chapter = summary.closest("li")?.querySelector("a")?.textContent.trim() ?? "";
    summary.setAttribute("aria-label", `Pages below ${chapter}`);
  }

  document.querySelectorAll("nav.bd-links li > details > summary").forEach(nameArrow);
  document.querySelectorAll("table.dataframe").forEach(alignWords);
  addEventListener("beforeprint", unfoldForPrint);
})();
