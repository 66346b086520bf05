"use strict";
// Every <textarea data-editor> becomes a rich editor with a Code View. Without scripts it holds the HTML itself.
// The textarea follows each change and fires "input"; `textarea.editor` is the Jodit of it.
(() => {
  const words = document.currentScript.dataset;
  const codeView = {
    name: "codeView", text: words.codeView, tooltip: words.codeView, mode: 3,
    exec: (editor) => editor.toggleMode(), isActive: (editor) => editor.getRealMode() === 2,
  };
  const buttons = ["bold", "italic", "underline", "|", "ul", "ol", "|", "font", "fontsize", "brush", "|",
    "align", "|", "link", "image", "table", "|", "eraser", "undo", "redo", "|", codeView];

  const changed = (area) => area.dispatchEvent(new Event("input", { bubbles: true }));

  function start(area) {
    const label = area.labels[0];
    const editor = Jodit.make(area, {
      language: document.documentElement.lang, buttons, buttonsMD: buttons, buttonsSM: buttons, buttonsXS: buttons,
      toolbarAdaptive: false, minHeight: Number(area.dataset.editorHeight || 240), showCharsCounter: false, showWordsCounter: false,
      showXPathInStatusbar: false, statusbar: false, hidePoweredByJodit: true, saveModeInStorage: false, tabIndex: 0, allowTabNavigation: true,
      // source mode in a plain textarea, nothing beautified: else scripts would be loaded from elsewhere
      sourceEditor: "area", beautifyHTML: false,
      // what is pasted stays as it is; the server cleans it
      askBeforePasteHTML: false, askBeforePasteFromWord: false, defaultActionOnPaste: "insert_as_html",
      cleanHTML: { replaceOldTags: false, removeEmptyElements: false },
      imageProcessor: { replaceDataURIToBlobIdInView: false },
      uploader: { insertImageAsBase64URI: true, imagesExtensions: ["jpg", "jpeg", "png", "gif", "webp"] },
      filebrowser: { ajax: { url: "" } }, disablePlugins: ["speechRecognize", "aiAssistant", "powered-by-jodit", "about"],
      events: { change: () => changed(area) },
    });
    // Jodit reads its code view with a delay: what was typed last would be missing when "Save" comes at once
    editor.container.addEventListener("input", (event) => {
      if (!event.target.matches(".jodit-source textarea")) return;
      event.stopPropagation();
      area.value = event.target.value;
      changed(area);
    });
    editor.editor.setAttribute("aria-label", label ? label.textContent.trim() : "");
    editor.editor.setAttribute("role", "textbox");
    editor.editor.setAttribute("aria-multiline", "true");
    label?.addEventListener("click", () => editor.focus());
    area.editor = editor;
  }

  const startIn = (part) => part.querySelectorAll("textarea[data-editor]").forEach((area) => { if (!area.editor) start(area); });
  startIn(document);
  document.addEventListener("htmx:load", (event) => startIn(event.detail.elt.parentNode || document));
})();
