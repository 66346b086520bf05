"use strict";
// Keys: e write, r a f answer the chosen mail, u undo. On phones a composer is a page of its own. Toasts count down.
(() => {
  const isPhone = () => matchMedia("(max-width: 767.98px)").matches;
  const inField = (part) => part.closest?.("input, textarea, select, [contenteditable]");
  const isShown = (part) => part.offsetParent !== null;
  const opens = (part) => part.matches?.("a[data-compose], a[data-answer]");

  function answerLink(key) {
    const rows = [...document.querySelectorAll("main [data-row]")];
    const chosen = rows.find((row) => row.contains(document.activeElement) || row.hasAttribute("data-chosen"));
    const links = [...(chosen || document).querySelectorAll(`[data-answer="${key}"]`)];
    return links.find(isShown) || [...document.querySelectorAll(`[data-answer="${key}"]`)].find(isShown);
  }

  document.addEventListener("keydown", (event) => {
    if (document.body.dataset.shortcuts !== "on" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (inField(event.target) || document.querySelector("dialog[open]")) return;
    const wanted = { e: () => document.querySelector('[data-compose="e"]'), u: () => document.querySelector("#live [data-undo]") };
    const find = wanted[event.key] || ("raf".includes(event.key) && event.key.length === 1 && (() => answerLink(event.key)));
    const part = find && find();
    if (part) { event.preventDefault(); part.click(); }
  });

  document.addEventListener("htmx:confirm", (event) => {
    // a list that is refreshed does not take away what is being written in it
    const writes = event.detail.elt.matches("[data-refresh]") && event.detail.target.querySelector("[data-composer]");
    if (writes) event.preventDefault();
    if (!opens(event.detail.elt)) return;
    const open = document.querySelector("#composer [data-composer]");
    if (isPhone()) { event.preventDefault(); location.assign(event.detail.elt.href); }
    else if (open?.close) { event.preventDefault(); open.close().then(() => event.detail.issueRequest(true)); }
  });

  setInterval(() => document.querySelectorAll("[data-countdown]").forEach((part) => {
    const left = Number(part.dataset.countdown) - 1;
    part.dataset.countdown = left;
    part.textContent = part.dataset.words.replace("%s", Math.max(left, 0));
    if (left <= 0) part.closest(".mw-toast").remove();
  }), 1000);
})();
