// Looks at the page again when the server says that something of the organization has changed.
// The page says which version it shows; the part that carries it asks for itself (hx-trigger="changed").
(() => {
  const part = () => document.querySelector("[data-version]");
  let news = null;
  let heard = null;
  const isOld = () => heard !== null && Number(part().dataset.version) < Number(heard);
  const ask = () => part().dispatchEvent(new CustomEvent("changed"));
  const listen = () => {
    if (news || !part()) return;
    news = new EventSource("/api/events");
    news.addEventListener("subscription", (event) => {
      heard = event.lastEventId;
      if (isOld()) ask();
    });
  };
  const leave = () => {
    if (news) news.close();
    news = null;
  };
  // A browser keeps few connections to one site: only what somebody looks at has one.
  const look = () => (document.hidden ? leave() : listen());
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", leave);
  addEventListener("pageshow", look);
  let shown = null;
  document.addEventListener("htmx:after:swap", () => {
    const told = document.getElementById("told");
    if (told) told.textContent = "This page was brought up to date.";
    // What was heard while the answer was under way found nobody to ask. One that brings nothing new is not asked again.
    const before = shown;
    shown = part()?.dataset.version;
    if (part() && isOld() && shown !== before) ask();
  });
})();
