"use strict";
// Keys (never in fields; those without Ctrl can be switched off in the profile), dialogs and menus.
(() => {
  const inField = (part) => part.closest?.("input, textarea, select, [contenteditable]");
  const lettersOn = document.body.dataset.shortcuts === "on";
  let opener = null, waitsForPlace = 0;

  function openDialog(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    opener = document.activeElement;
    dialog.showModal();
    dialog.dispatchEvent(new Event("opened"));
    dialog.addEventListener("close", () => opener?.isConnected && opener.focus(), { once: true });
  }

  function search() {
    const field = document.querySelector("main [type=search]");
    if (field) field.focus(); else document.querySelector("[data-search]")?.click();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-dialog]");
    if (button) openDialog(button.dataset.dialog);
    if (event.target.tagName === "DIALOG") event.target.close();  // the backdrop
    document.querySelectorAll("details.mw-menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  document.addEventListener("keydown", (event) => {
    const key = event.key;
    if (key === "Escape") document.querySelectorAll("details.mw-menu[open]").forEach((menu) => {
      menu.open = false; menu.querySelector("summary").focus();
    });
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key.toLowerCase() === "k") {
      event.preventDefault(); openDialog("palette"); return;
    }
    if (!lettersOn || event.ctrlKey || event.metaKey || event.altKey || inField(event.target) || document.querySelector("dialog[open]")) return;
    if (Date.now() - waitsForPlace < 1500) {
      waitsForPlace = 0;
      const link = document.querySelector(`[data-go="${CSS.escape(key)}"]`);
      if (link) { event.preventDefault(); link.click(); return; }
    }
    if (key === "g") waitsForPlace = Date.now();
    else if (key === "/") { event.preventDefault(); search(); }
    else if (key === "?") { event.preventDefault(); openDialog("shortcuts"); }
  });
})();
