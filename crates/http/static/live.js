// Looks at the page again when the server says that something of the organization has changed.
// The page says which version it shows; the part that carries it asks for itself (hx-trigger="changed").
(() => {
  const part = () => document.querySelector("[data-version]");
  if (!part()) return;
  const news = new EventSource("/api/events");
  news.addEventListener("subscription", (event) => {
    if (part().dataset.version !== event.lastEventId) part().dispatchEvent(new CustomEvent("changed"));
  });
  document.addEventListener("htmx:after:swap", () => {
    const told = document.getElementById("told");
    if (told) told.textContent = "This page was brought up to date.";
  });
  addEventListener("pagehide", () => news.close());
})();
