"use strict";
// Test connection, line by line as the server tells it, and the button that shows a password.
(() => {
  const button = document.querySelector("[data-test]"), stop = document.querySelector("[data-stop]");
  const place = document.getElementById("test"), list = place.querySelector("ul");
  const show = (line) => htmx.swap(list, line, { swapStyle: "beforeend" });
  let running = null;

  async function test() {
    running?.abort();
    const mine = running = new AbortController();
    list.replaceChildren();
    stop.hidden = false;
    button.setAttribute("aria-busy", "true");
    try {
      const body = new FormData(button.form);
      const answer = await fetch(button.dataset.test, { method: "POST", body, signal: mine.signal });
      if (!answer.ok && answer.status !== 422) throw new Error(answer.status);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const lines = (rest + part.value).split("\n");
        rest = lines.pop();
        lines.forEach(show);
      }
      show(rest);
    } catch (error) {
      if (!mine.signal.aborted) list.append(Object.assign(document.createElement("li"), { textContent: place.dataset.lost }));
    }
    if (running !== mine) return;
    stop.hidden = true;
    button.removeAttribute("aria-busy");
  }

  button.addEventListener("click", (event) => { event.preventDefault(); test(); });
  stop.addEventListener("click", () => { running?.abort(); button.focus(); });
  // what somebody typed while the suggestion was on its way stays
  button.form.addEventListener("input", ({ target }) => target.closest("#imap-server, #smtp-server")?.setAttribute("data-typed", ""));
  document.addEventListener("htmx:oobBeforeSwap", (event) => { if ("typed" in event.detail.target.dataset) event.detail.shouldSwap = false; });
  document.querySelectorAll("[data-show]").forEach((eye) => {
    const field = document.getElementById(eye.dataset.show);
    eye.hidden = false;
    eye.addEventListener("click", () => {
      const hide = field.type === "text";
      field.type = hide ? "password" : "text";
      eye.setAttribute("aria-pressed", String(!hide));
    });
  });
})();
