"use strict";
// Keys of histories and lists: j k to move, o to open, n for a note; and the preview beside "Email messages".
(() => {
  const rows = () => [...document.querySelectorAll("main [data-row]")];
  const inField = (part) => part.closest?.("input, textarea, select, [contenteditable]");
  const preview = document.getElementById("preview");
  const isShown = (part) => part && part.offsetParent !== null;

  function move(step) {
    const all = rows(), here = all.findIndex((row) => row.contains(document.activeElement) || row.hasAttribute("data-chosen"));
    const next = all[Math.min(all.length - 1, Math.max(0, here < 0 ? 0 : here + step))];
    if (!next) return;
    all.forEach((row) => row.removeAttribute("data-chosen"));
    next.setAttribute("data-chosen", "");
    if (!next.matches("a")) next.tabIndex = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    if (next.matches("[data-preview]") && isShown(preview)) next.click();
  }

  document.addEventListener("keydown", (event) => {
    if (document.body.dataset.shortcuts !== "on" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (inField(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "j" || event.key === "k") { event.preventDefault(); move(event.key === "j" ? 1 : -1); }
    if (event.key === "o") {
      const row = rows().find((part) => part.contains(document.activeElement) || part.hasAttribute("data-chosen"));
      const link = row && (row.matches("a") ? row : row.querySelector("[data-open]"));
      if (link) { event.preventDefault(); location.assign(link.href); }
    }
    const add = event.key === "n" && document.querySelector("#note-form > summary");
    if (add) { event.preventDefault(); add.parentElement.open = true; add.parentElement.querySelector("textarea").focus(); }
  });

  // without a preview pane (phones) a row is a plain link
  document.addEventListener("htmx:beforeRequest", (event) => {
    const row = event.detail.elt;
    if (!row.matches("[data-preview]")) return;
    if (!isShown(preview)) { event.preventDefault(); location.assign(row.href); return; }
    rows().forEach((part) => part.toggleAttribute("data-chosen", part === row));
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.id === "note-form" && event.target.open) event.target.querySelector("textarea").focus();
  }, true);
})();
