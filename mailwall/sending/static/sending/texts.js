"use strict";
// Unsaved texts are not lost without a question; a choice of what to edit shows it at once.
(() => {
  document.querySelectorAll("form[data-guard]").forEach((form) => {
    let touched = false;
    form.addEventListener("input", () => { touched = true; });
    form.addEventListener("submit", () => { touched = false; });
    window.addEventListener("beforeunload", (event) => { if (touched) event.preventDefault(); });
  });
  document.querySelectorAll("form[data-follow]").forEach((form) => {
    form.querySelector("button").hidden = true;
    form.addEventListener("change", () => form.requestSubmit());
  });
})();
