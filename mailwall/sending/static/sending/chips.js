"use strict";
// To, Cc, Bcc: what is typed becomes a chip on comma, Enter, Tab and when the field is left; what is no address is told.
(() => {
  const PIECES = /(?:"(?:[^"\\]|\\.)*"|<[^<>]*>|[^,;\r\n"<]|["<])+/g, ADDRESS = /^[^\s@<>(),;"]+@[^\s@<>(),;".]+(?:\.[^\s@<>(),;".]+)+$/;
  const pieces = (text) => (text.match(PIECES) || []).map((piece) => piece.trim()).filter(Boolean);
  const bare = (text) => ((text.match(/<([^<>]*)>\s*$/) || [])[1] ?? text).trim();
  const name = (text) => text.replace(/\s*<[^<>]*>\s*$/, "").replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1") || bare(text);
  const make = (tag, attributes, ...parts) => {
    const part = document.createElement(tag);
    Object.entries(attributes).forEach(([key, value]) => part.setAttribute(key, value));
    part.append(...parts);
    return part;
  };

  function start(input) {
    if (input.type === "hidden") return;
    const { id, dataset: words } = input, chips = make("ul", { class: "composer-chips" });
    const field = make("input", { type: "text", id, autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-error ${id}-flaw` });
    const flaw = make("div", { class: "invalid-feedback", id: `${id}-flaw`, role: "alert" });
    const box = make("div", { class: `composer-receivers ${input.matches(".is-invalid") ? "is-invalid" : ""}` }, chips, field);
    const texts = () => [...chips.children].map((chip) => chip.dataset.text);
    input.type = "hidden"; input.removeAttribute("id"); input.after(box, flaw);
    Object.assign(field.dataset, { people: words.people, found: words.found });

    function store() {
      const bad = [...chips.querySelectorAll(".is-bad")].map((chip) => words.bad.replace("%s", chip.dataset.text)).join(" ");
      input.value = [...texts(), field.value.trim()].filter(Boolean).join(", ");
      input.dispatchEvent(new Event("input", { bubbles: true }));
      if (flaw.textContent !== bad) flaw.textContent = bad;
      field.setAttribute("aria-invalid", String(bad !== ""));
    }
    const take = (chip, text) => { chip.remove(); field.value = text; store(); field.focus(); };
    function add(text) {
      const isGood = ADDRESS.test(bare(text)), edit = make("span", {}, isGood ? name(text) : text);
      const remove = make("button", { type: "button", "aria-label": words.remove.replace("%s", bare(text)) }, "×");
      const chip = make("li", { class: `composer-chip ${isGood ? "" : "is-bad"}`, title: bare(text), "data-text": text }, edit, remove);
      remove.onclick = () => take(chip, "");
      edit.onclick = () => { field.commit(); take(chip, text); };
      if (!texts().some((other) => bare(other).toLowerCase() === bare(text).toLowerCase())) chips.append(chip);
      return isGood;
    }
    field.commit = (text = field.value) => { field.value = ""; const isGood = pieces(text).map(add).every(Boolean); store(); return isGood; };
    pieces(input.value).forEach(add);
    field.dispatchEvent(new CustomEvent("receivers-open", { bubbles: true, detail: { chips, store, take } }));
  }

  const startIn = (part) => part.querySelectorAll("input[data-receivers]").forEach(start);
  document.addEventListener("htmx:load", (event) => startIn(event.detail.elt.parentNode || document));
  startIn(document);
})();
