"use strict";
// Choosing several senders in triage: how many are chosen, and that they stay so when the list renews itself.
(() => {
  const chosen = new Set();
  const boxes = () => [...document.querySelectorAll(".triage-pick input")];

  function show() {
    const count = boxes().filter((box) => box.checked).length, words = document.querySelector("[data-chosen-count]");
    if (!words) return;
    words.hidden = !count;
    words.querySelector("strong").textContent = count;
    document.querySelectorAll("[data-needs-choice]").forEach((button) => { button.disabled = !count; });
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches(".triage-pick input")) return;
    if (event.target.checked) chosen.add(event.target.value); else chosen.delete(event.target.value);
    show();
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id !== "assignment-triage") return;
    boxes().forEach((box) => { box.checked = chosen.has(box.value); });
    show();
  });
  show();
})();
