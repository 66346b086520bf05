"use strict";
// Buttons that copy an address. Where the browser has no clipboard for us (plain HTTP) they stay hidden.
(() => {
  if (!navigator.clipboard) return;
  document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const toast = document.createElement("div"), words = document.createElement("span");
    toast.className = "mw-toast"; words.textContent = button.dataset.copied;
    toast.append(words);
    document.getElementById("live").append(toast);
  });
})();
