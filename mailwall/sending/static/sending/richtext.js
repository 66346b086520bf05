"use strict";
// The text of a composer becomes rich where scripts run. The editor is large: it is loaded when the first one opens.
(() => {
  const loaded = new Map();

  function load(source, codeView) {
    if (!loaded.has(source)) loaded.set(source, new Promise((done) => {
      const isStyle = source.includes(".css"), part = document.createElement(isStyle ? "link" : "script");
      part.onload = part.onerror = done;
      Object.assign(part, isStyle ? { rel: "stylesheet", href: source } : { src: source, async: false });
      part.dataset.codeView = codeView;
      document.head.append(part);
    }));
    return loaded.get(source);
  }

  async function enrich(form) {
    const area = form.elements.body, { styles, scripts, codeView } = area.dataset;
    if (!scripts) return;
    area.dataset.editor = "";
    styles.split(" ").forEach((source) => load(source, codeView));
    await Promise.all(scripts.split(" ").map((source) => load(source, codeView)));
    await Promise.resolve();
    const untouched = form.querySelector("[data-upgrade]");  // nothing was written yet, so that it may be either
    if (area.editor && untouched) untouched.value = "";
  }

  document.addEventListener("composer-open", ({ target: form }) => {
    const area = form.elements.body;
    form.ready = enrich(form);
    // the editor tells of changes with a delay: what was typed last must not be missing
    form.sync = () => { if (area.editor?.getMode() === Jodit.MODE_WYSIWYG) area.value = area.editor.value; };
    form.addEventListener("htmx:confirm", form.sync);
  });
})();
