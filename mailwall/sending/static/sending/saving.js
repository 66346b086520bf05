"use strict";
// Drafts save themselves. Nothing else is asked of the server while a save is under way: both would be upon one version.
(() => {
  const SAVE_AFTER = 2000, TRY_AGAIN_AFTER = 10000;
  const token = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) || [])[1] || "";

  document.addEventListener("composer-open", ({ target: form }) => {
    const { elements, dataset: words } = form, state = form.querySelector("#composer-state");
    let timer = 0, dirty = false, saving = null, touched = false, stopped = false;
    const say = (text) => { state.querySelector("[data-words]").textContent = text; }, nodes = (text) => new DOMParser().parseFromString(text, "text/html").body.childNodes;
    const saveLater = (wait) => { clearTimeout(timer); if (!stopped) timer = setTimeout(form.save, wait); };
    const tryAgain = (text) => { say(text); dirty = true; saveLater(TRY_AGAIN_AFTER); };

    function show(answer, text) {
      if (answer.redirected || answer.status === 403) tryAgain(words.signedOut);
      else if (answer.status === 409) {
        const box = form.querySelector("#composer-conflict");
        say(""); stopped = true; box.replaceChildren(...nodes(text)); htmx.process(box); box.firstElementChild.focus();
      } else if (answer.status === 422) say(text);
      else if (!answer.ok) tryAgain(words.failed);
      else { state.replaceChildren(...nodes(text)); if (!elements.inline.value) history.replaceState(null, "", words.page); }
    }
    async function send() {
      form.sync();
      const body = new FormData(form);
      ["files", "csrfmiddlewaretoken"].forEach((name) => body.delete(name));
      say(words.saving);
      try {
        const answer = await fetch(words.save, { method: "POST", body, headers: { "X-Autosave": "1", "X-CSRFToken": token() } });
        show(answer, await answer.text());
      } catch { tryAgain(words.failed); }
    }
    form.save = async () => {
      clearTimeout(timer);
      while (saving) await saving;
      if (dirty && !stopped && form.isConnected) { dirty = false; saving = send().finally(() => { saving = null; }); }
      await saving;
    };
    ["keydown", "beforeinput", "pointerdown", "paste", "drop"].forEach((name) => form.addEventListener(name, () => { touched = true; }, true));
    form.addEventListener("input", (event) => { if (touched && event.target !== elements.files) { dirty = true; saveLater(SAVE_AFTER); } });
    form.addEventListener("htmx:confirm", (event) => {
      const first = event.detail.elt.matches(".composer-discard") ? dirty && form.save() : null, wait = first || saving;
      clearTimeout(timer);
      if (wait) { event.preventDefault(); wait.then(() => event.detail.issueRequest(true)); }
    });
    form.addEventListener("htmx:afterRequest", () => { if (dirty && form.isConnected) saveLater(SAVE_AFTER); });
    document.addEventListener("visibilitychange", () => { if (document.hidden) form.save(); });
    window.addEventListener("beforeunload", (event) => { if (form.isConnected && (dirty || saving)) event.preventDefault(); });
  });
})();
