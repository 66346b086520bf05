"use strict";
// What failed, in words with "Try again", in #alert; and whether we are offline. Polls ([data-quiet]) fail in silence.
(() => {
  const box = document.getElementById("alert");
  const isQuiet = (event) => event.detail.elt.closest("[data-quiet]");

  function say(event, text) {
    if (isQuiet(event)) return;
    const { elt, requestConfig: asked } = event.detail;
    const words = document.createElement("div"), again = document.createElement("button"), alert = document.createElement("div");
    words.textContent = text;
    Object.assign(again, { type: "button", className: "btn btn-sm", textContent: box.dataset.retry });
    again.onclick = () => {
      alert.remove();
      htmx.ajax(asked.verb, asked.path, { source: elt, values: asked.parameters });
    };
    alert.className = "alert alert-danger";
    alert.append(words, again);
    box.replaceChildren(alert);
  }

  document.addEventListener("htmx:responseError", (event) => {
    const words = event.detail.xhr.getResponseHeader("X-Mailwall-Error");
    say(event, words ? decodeURIComponent(words) : box.dataset.failed);
  });
  ["htmx:sendError", "htmx:timeout"].forEach((name) =>
    document.addEventListener(name, (event) => say(event, box.dataset.unreachable)));
  document.addEventListener("htmx:beforeOnLoad", (event) => {  // a poll sends nobody to sign in: they may be writing
    if (isQuiet(event) && event.detail.xhr.getResponseHeader("HX-Redirect")) event.preventDefault();
  });

  const offline = document.getElementById("offline");
  const showOffline = () => { if (offline) offline.hidden = navigator.onLine; };
  ["online", "offline"].forEach((name) => window.addEventListener(name, showOffline));
  showOffline();
})();
