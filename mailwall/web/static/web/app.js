"use strict";
// Where the focus goes when htmx swaps a part (same id, else the new part's heading, never <body>), and who is busy.
(() => {
  let focusedId = "";

  function focusHeading(root) {
    const heading = root.querySelector("[autofocus], [data-focus], h1, h2, h3, legend") || root;
    if (!heading.matches("a, button, input, select, textarea")) heading.tabIndex = -1;
    heading.focus();
  }

  document.addEventListener("htmx:beforeSwap", () => {
    focusedId = document.activeElement === document.body ? "" : document.activeElement.id || "-";
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!focusedId || document.activeElement !== document.body) return;
    const same = document.getElementById(focusedId);
    const part = event.detail.elt.isConnected ? event.detail.elt : document.getElementById("main");
    if (same) same.focus(); else focusHeading(part);
  });

  // a poll does not take away the menu that somebody has open
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches("[data-quiet]") && event.detail.elt.querySelector("details[open]")) event.preventDefault();
  });
  const busy = (event, on) => [event.detail.target, event.detail.elt].forEach(
    (part) => part && (on ? part.setAttribute("aria-busy", "true") : part.removeAttribute("aria-busy")));
  document.addEventListener("htmx:beforeRequest", (event) => busy(event, true));
  document.addEventListener("htmx:afterRequest", (event) => busy(event, false));

  document.querySelector("[data-focus]")?.focus();
})();
