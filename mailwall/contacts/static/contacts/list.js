"use strict";
// Keys of the list, where the user has not switched letters off: n = new person, j and k = next and previous, o = open.
document.addEventListener("keydown", (event) => {
  if (document.body.dataset.shortcuts !== "on" || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  const links = [...document.querySelectorAll(".contacts-name a")];
  const place = links.indexOf(document.activeElement);
  const keys = {
    n: document.querySelector("[data-key=n]"), j: links[place + 1], k: links[Math.max(place - 1, 0)], o: links[place],
  };
  const part = Object.hasOwn(keys, event.key) && keys[event.key];
  if (!part) return;
  event.preventDefault();
  if (event.key === "j" || event.key === "k") part.focus(); else part.click();
});
