"use strict";
// Forms that must go out once, and rows that wait with refreshing while their menu is open.
(() => {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form || event.defaultPrevented) return;
    if (form.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
    form.setAttribute("aria-busy", "true");
  });
  // the page may come back from the browser's memory
  window.addEventListener("pageshow", () =>
    document.querySelectorAll("form[data-once]").forEach((form) => form.removeAttribute("aria-busy")));
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.matches(".account") && event.detail.elt.querySelector("details[open]")) event.preventDefault();
  });
})();
