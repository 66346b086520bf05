"use strict";
// Short messages in #live: they go by themselves (later when they can be undone), never under the pointer or the focus.
(() => {
  const live = document.getElementById("live");
  if (!live) return;
  const SECONDS = 8, SECONDS_TO_UNDO = 15;

  function watch(toast) {
    const undo = toast.querySelector("[data-undo]");
    const leave = () => {
      if (toast.matches(":hover, :focus-within")) setTimeout(leave, 2000); else toast.remove();
    };
    setTimeout(leave, (undo ? SECONDS_TO_UNDO : SECONDS) * 1000);
    toast.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) toast.remove(); });
  }

  live.querySelectorAll(".mw-toast").forEach(watch);
  new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((part) => {
    if (part.nodeType !== 1) return;
    (part.matches(".mw-toast") ? [part] : [...part.querySelectorAll(".mw-toast")]).forEach(watch);
  }))).observe(live, { childList: true });
  live.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".mw-toast").remove());
})();
