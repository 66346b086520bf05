"use strict";
// Ctrl K: the arrows choose one of the answers below the field, Enter opens it; the focus stays in the field.
(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const field = dialog.querySelector("input");
  const options = () => [...dialog.querySelectorAll("[role=option]")];
  const chosen = () => dialog.querySelector("[role=option][aria-selected=true]");

  function choose(option) {
    options().forEach((other) => other.setAttribute("aria-selected", String(other === option)));
    if (option) field.setAttribute("aria-activedescendant", option.id); else field.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  }

  field.addEventListener("input", () => choose(null));  // Enter before the answer is the search, not what stood there
  dialog.addEventListener("opened", () => { field.value = ""; });
  dialog.addEventListener("htmx:afterSwap", () => choose(options()[0]));
  field.addEventListener("keydown", (event) => {
    const all = options(), here = all.indexOf(chosen());
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) { event.preventDefault(); choose(all[(here + step + all.length) % all.length]); }
    if (event.key === "Enter" && chosen() && !event.isComposing) { event.preventDefault(); chosen().click(); }
  });
})();
