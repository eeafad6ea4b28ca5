// Three small helps; the pages work without them.
(() => {
  "use strict";

  const NUMBER = /^(?=.*\d)(?:[-+−±\d.,%eE\s()[\]/–]|to)+$/;
  const EMPTY = new Set(["", "nan", "NaN", "None", "<NA>", "–"]);
  const LONG = 40;

  const textOf = (cell) => cell.textContent.trim();

  function markColumn(cells, heads) {
    const texts = cells.map(textOf).filter((text) => !EMPTY.has(text));
    const isWords = texts.some((text) => !NUMBER.test(text));
    [...heads, ...cells].forEach((cell) => cell.classList.toggle("mc-text", isWords));
    cells.forEach((cell) => cell.classList.toggle("mc-long", isWords && textOf(cell).length > LONG));
  }

  // pandas does not say which columns hold words; they read better aligned to the left. Columns are
  // counted from the right: on the left, a label that holds for several rows is one cell.
  function alignWords(table) {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const values = rows.map((row) => [...row.querySelectorAll("td")]);
    const count = values.length ? values[0].length : 0;
    if (!count || values.some((cells) => cells.length !== count)) return;
    const heads = table.tHead ? [...table.tHead.rows].map((row) => [...row.cells]) : [];
    for (let column = 1; column <= count; column += 1) {
      markColumn(values.map((cells) => cells.at(-column)), heads.flatMap((row) => row.at(-column) ?? []));
    }
    const labels = [...table.querySelectorAll("tbody th")];
    if (labels.length) markColumn(labels, heads.flatMap((row) => row.slice(0, -count)));
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
