"use strict";
// The rows of addresses in a contact's form: add one, take one away. Without JavaScript there are empty rows instead.
document.querySelectorAll(".contacts-addresses").forEach((group) => {
  const rows = group.querySelector("[data-rows]"), add = group.querySelector("[data-add]");
  const inputs = () => [...rows.querySelectorAll("input")];
  const number = () => inputs().forEach((input, index) => {
    input.setAttribute("aria-label", `${input.getAttribute("aria-label").replace(/[\s\d]+$/, "")} ${index + 1}`);
    input.nextElementSibling.hidden = false;
  });

  add.hidden = false;
  add.addEventListener("click", () => {
    rows.append(group.querySelector("template").content.cloneNode(true));
    number();
    inputs().at(-1).focus();
  });
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("[data-remove]")?.parentElement;
    if (!row) return;
    const place = inputs().indexOf(row.firstElementChild);
    if (inputs().length > 1) row.remove(); else row.firstElementChild.value = "";
    number();
    inputs()[Math.min(place, inputs().length - 1)].focus();
  });
  number();
});
