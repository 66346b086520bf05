"use strict";
// Files that are dropped on a composer, or pasted into it, are attached; images pasted into rich text stay in the text.
document.addEventListener("composer-open", ({ target: form }) => {
  const { files: field, body } = form.elements;
  const attach = (event, files) => {
    event.preventDefault();
    event.stopPropagation();
    field.files = files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  form.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  form.addEventListener("drop", (event) => { if (event.dataTransfer.files.length) attach(event, event.dataTransfer.files); }, true);
  form.addEventListener("paste", (event) => {
    const files = event.clipboardData.files, stays = body.editor && [...files].every((file) => file.type.startsWith("image/"));
    if (files.length && !stays) attach(event, files);
  }, true);
});
