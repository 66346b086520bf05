"use strict";
// The browser knows the reader's time zone: choose it where the form still says UTC.
(() => {
  const field = document.querySelector("select[name=time_zone]");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (field && field.value === "UTC" && field.querySelector(`option[value="${CSS.escape(zone)}"]`)) field.value = zone;
})();
