"use strict";
// Typing receivers: contacts are suggested (an ARIA combobox: arrows, Enter, Esc); comma, Enter and Tab end an address.
document.addEventListener("receivers-open", ({ target: field, detail: { chips, store, take } }) => {
  const list = document.createElement("ul"), controls = `${field.id}-list`, set = (name, value) => field.setAttribute(name, value);
  let timer = 0, asked = 0;
  Object.entries({ class: "composer-people", role: "listbox", id: controls, "aria-label": field.dataset.found }).forEach((pair) => list.setAttribute(...pair));
  Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": controls }).forEach((pair) => set(...pair));
  list.hidden = true;
  field.after(list);
  const options = () => [...list.children], active = () => options().find((option) => option.ariaSelected === "true");

  function show(found) {
    list.replaceChildren(...found);
    list.hidden = !found.length;
    set("aria-expanded", String(!list.hidden)); set("aria-activedescendant", "");
  }
  const close = () => { clearTimeout(timer); asked += 1; show([]); };
  function choose(step) {
    const all = options(), here = all.indexOf(active()), next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : (here + step + all.length) % all.length];
    all.forEach((option) => { option.ariaSelected = String(option === next); });
    set("aria-activedescendant", next.id); next.scrollIntoView({ block: "nearest" });
  }
  async function suggest() {
    const q = field.value.trim(), mine = asked += 1;
    const answer = q && await fetch(`${field.dataset.people}?q=${encodeURIComponent(q)}`).catch(() => null);
    const text = answer?.ok && !answer.redirected ? await answer.text() : "";
    if (mine === asked && document.activeElement === field) show([...new DOMParser().parseFromString(text, "text/html").querySelectorAll("[role=option]")]);
  }
  const commit = (text) => { close(); return field.commit(text); };

  field.addEventListener("input", (event) => { event.stopPropagation(); store(); clearTimeout(timer); timer = setTimeout(suggest, 120); });
  field.addEventListener("keydown", (event) => {
    const { key } = event, text = active()?.dataset.text || field.value.trim(), isOpen = !list.hidden, handled = () => event.preventDefault();
    if (isOpen && (key === "ArrowDown" || key === "ArrowUp")) { handled(); choose(key === "ArrowDown" ? 1 : -1); }
    else if (isOpen && key === "Escape") { handled(); close(); }
    else if (key === "Enter") { if (!event.ctrlKey && !event.metaKey) handled(); if (text) commit(text); }
    else if ((key === "," || key === ";") && text && field.value.split('"').length % 2) { handled(); commit(field.value); }
    else if (key === "Tab" && !event.shiftKey && text && !commit(text)) handled();
    else if (key === "Backspace" && !field.value && chips.lastChild) { handled(); take(chips.lastChild, chips.lastChild.dataset.text); }
  });
  field.addEventListener("paste", (event) => {
    const text = event.clipboardData.getData("text/plain");
    if (/[,;\n]/.test(text.trim())) { event.preventDefault(); commit(`${field.value} ${text}`); }
  });
  field.addEventListener("blur", () => { if (field.value.trim()) commit(field.value); else close(); });
  list.addEventListener("pointerdown", (event) => { event.preventDefault(); commit(event.target.closest("[role=option]").dataset.text); field.focus(); });
});
