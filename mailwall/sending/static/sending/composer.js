"use strict";
// A composer opens: the other scripts of this room hear of it and do their part ("composer-open"); keys, focus, closing.
(() => {
  let focusedId = "";

  function focusFirst(form) {
    if (focusedId && form.querySelector(`#${CSS.escape(focusedId)}`)) return;
    const told = form.querySelector("[data-focus], .is-invalid input, .is-invalid");
    const empty = !form.elements.to.value && document.getElementById("composer-to");
    (told || empty || form.elements.body.editor || form.elements.body).focus();
    form.scrollIntoView({ block: "nearest" });
  }

  function start(form) {
    if (form.dataset.started) return;
    form.dataset.started = "yes";
    form.dispatchEvent(new CustomEvent("composer-open", { bubbles: true }));
    form.close = async () => {
      await form.save();
      form.closest(".composer").remove();
      htmx.trigger(document.body, "drafts-changed");
      document.querySelector("[data-compose]")?.focus();
    };
    form.addEventListener("keydown", (event) => {  // before the editor, which takes every Enter
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault(); event.stopPropagation();
      if (event.target.commit) event.target.commit();
      form.requestSubmit(form.querySelector("[data-send]"));
    }, true);
    form.addEventListener("keydown", (event) => {
      const menu = form.querySelector("details.mw-menu[open]"), inline = form.elements.inline.value;
      if (event.key === "Escape" && inline && !menu && !event.defaultPrevented) { event.preventDefault(); form.close(); }
    });
    // another window has the draft: what it says is shown like any other answer
    form.addEventListener("htmx:beforeSwap", (event) => { if (event.detail.xhr.status === 409) event.detail.shouldSwap = true; });
    form.ready.then(() => focusFirst(form));
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("#composer [data-close]")) return;
    const form = document.querySelector("[data-composer]");
    if (form) form.close(); else document.getElementById("composer").remove();
  });
  const startIn = (part) => part.querySelectorAll("[data-composer]").forEach(start);
  document.addEventListener("htmx:beforeSwap", () => { focusedId = document.activeElement?.id || ""; });
  document.addEventListener("htmx:load", (event) => startIn(event.detail.elt.parentNode || document));
  startIn(document);
})();
