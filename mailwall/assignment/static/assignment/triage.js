"use strict";
// Triage by keyboard: j k s move, n a i d o press the button of the sender one is at, x selects, Escape closes what they
// opened. After a deed the list renews itself, and the focus goes to the sender that took the place.
(() => {
  const groups = () => [...document.querySelectorAll("[data-group]")];
  let place = -1;

  function focusGroup(index) {
    const all = groups(), group = all[Math.min(Math.max(index, 0), all.length - 1)];
    const head = group?.querySelector("h2") || document.querySelector("#assignment-triage [aria-current]");
    head?.focus({ preventScroll: true });
    (group || head)?.scrollIntoView({ block: "nearest" });
  }
  const showSkips = () => document.querySelectorAll("[data-skip]").forEach((button) => { button.hidden = false; });

  document.addEventListener("click", (event) => {
    const group = event.target.closest("[data-group]"), close = event.target.closest("[data-close]");
    if (event.target.closest("[data-skip]")) { group.dataset.skipped = ""; focusGroup(groups().indexOf(group) + 1); }
    if (close && group) {
      event.preventDefault();
      close.closest(".triage-panel").replaceChildren();
      group.querySelector("h2").focus();
    }
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.requestConfig.verb === "post") place = groups().indexOf(event.target.closest("[data-group]"));
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id !== "assignment-triage") return;
    showSkips();
    if (place >= 0) focusGroup(place);
    place = -1;
  });
  document.addEventListener("keydown", (event) => {
    const close = event.key === "Escape" && event.target.closest("[data-group]")?.querySelector(".triage-panel [data-close]");
    if (close && !event.defaultPrevented) { event.preventDefault(); close.click(); return; }
    if (document.body.dataset.shortcuts !== "on" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    const group = document.activeElement?.closest("[data-group]"), index = groups().indexOf(group);
    if (event.key === "j" || event.key === "k") { event.preventDefault(); focusGroup(group ? index + (event.key === "j" ? 1 : -1) : 0); }
    const part = event.key === "x" ? ".triage-pick input" : `[data-key="${CSS.escape(event.key)}"]`;
    const button = group?.querySelector(part);
    if (button) { event.preventDefault(); button.click(); }
  });
  showSkips();
})();
