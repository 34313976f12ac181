// Niceties only: every page works without this file.
(() => {
  "use strict";
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    if (!("once" in form.dataset) || (window.htmx && form.hasAttribute("hx-boost"))) return;
    form.dataset.sent = "yes";
    form.classList.add("htmx-request");
  });
  // Back from the next page: forms may be sent again, and nothing is on its way.
  window.addEventListener("pageshow", () => {
    for (const busy of document.querySelectorAll(".htmx-request")) busy.classList.remove("htmx-request");
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  // After an exchange in place, screen readers and the keyboard continue at what changed.
  document.addEventListener("htmx:afterSwap", () => {
    const notice = document.querySelector("[role=alert], [role=status].notice");
    if (notice) {
      notice.setAttribute("tabindex", "-1");
      notice.focus();
    }
  });
  // Opening a workspace takes seconds: say so on the button.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens]");
    if (link) link.classList.add("htmx-request");
  });
})();
