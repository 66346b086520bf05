"use strict";
// Keys, where the user has not switched letters off: n = new, e = enroll, j and k = next and previous, o = open. And
// a form that is sent once is not sent twice.
document.addEventListener("keydown", (event) => {
  if (document.body.dataset.shortcuts !== "on" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const place = rows.indexOf(document.activeElement);
  const keys = {
    n: document.querySelector("[data-key=n]"), e: document.querySelector("[data-key=e]"),
    j: rows[place + 1], k: rows[Math.max(place - 1, 0)], o: rows[place],
  };
  const part = Object.hasOwn(keys, event.key) && keys[event.key];
  if (!part) return;
  event.preventDefault();
  if (event.key === "j" || event.key === "k") part.focus(); else part.click();
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-once]")) return;
  if (event.target.ariaBusy === "true") event.preventDefault();
  event.target.ariaBusy = "true";
});
