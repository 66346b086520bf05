"use strict";
// Where the focus goes when htmx swaps a part (same id, else the new part's heading, never <body>), and who is busy.
(() => {
  const focusedBy = new WeakMap();  // request → id of what had the focus: polls swap between another's swap and settling

  function focusHeading(root) {
    const heading = root.querySelector("[autofocus], [data-focus], h1, h2, h3, legend") || root;
    if (!heading.matches("a, button, input, select, textarea")) heading.tabIndex = -1;
    heading.focus();
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (document.activeElement !== document.body) focusedBy.set(event.detail.xhr, document.activeElement.id || "-");
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const focusedId = focusedBy.get(event.detail.xhr);
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
