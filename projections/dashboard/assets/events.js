// The list of the page "Live events": new rows are put on top as text, old rows are removed at the bottom.
window.dash_clientside = window.dash_clientside || {};
(function () {
  const MOST_ROWS = 300;
  const clock = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false,
  });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

  function element(tag, look, text) {
    const made = document.createElement(tag);
    if (look) made.className = look;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function time_of(iso) {
    const at = new Date(iso);
    const made = element("time", "event-time", clock.format(at));
    if (at.toDateString() !== new Date().toDateString()) made.textContent = day.format(at) + " " + made.textContent;
    made.dateTime = iso;
    made.title = at.toISOString().replace("T", " ").replace("Z", " UTC");
    return made;
  }

  function row_of(event) {
    const row = element("li", "event-row");
    row.dataset.position = event.position;
    const kind = element("button", "mark tone-" + event.tone);
    const icon = element("span", "icon icon-" + event.icon);
    icon.setAttribute("aria-hidden", "true");
    kind.append(icon, event.kind);
    kind.setAttribute("aria-haspopup", "dialog");
    kind.onclick = () => window.dash_clientside.set_props("events-opened", { data: event.id });
    const key = element(event.order ? "a" : "span", "event-key mono", event.key);
    key.title = event.key;
    if (event.order) {
      key.href = event.order;
      key.dataset.inPlace = "";
    }
    row.append(
      element("span", "event-kind"), key, element("span", "event-actor", event.actor),
      time_of(event.time), element("span", "event-delay number", delay_of(event.delay)),
    );
    row.firstChild.append(kind);
    return row;
  }

  function delay_of(milliseconds) {
    if (milliseconds < 1000) return milliseconds + " ms";
    const seconds = milliseconds / 1000;
    return seconds < 120 ? seconds.toFixed(1) + " s" : Math.round(seconds / 60) + " min";
  }

  window.dash_clientside.events = {
    show: function (news) {
      const list = document.getElementById("events-list");
      if (!news || !list) return window.dash_clientside.no_update;
      if (news.reset) list.replaceChildren();
      const newest = list.firstChild ? Number(list.firstChild.dataset.position) : 0;
      const rows = news.rows.filter((event) => event.position > newest).map(row_of);
      if (!news.reset) rows.forEach((row) => row.classList.add("event-new"));
      list.prepend(...rows);
      while (list.childElementCount > MOST_ROWS) list.lastChild.remove();
      return list.childElementCount ? "event-none event-some" : "event-none";
    },

    pause: function (clicks) {
      const button = document.getElementById("events-pause");
      const paused = Boolean(clicks % 2);
      if (button) {
        button.setAttribute("aria-pressed", String(paused));
        button.firstChild.className = "icon icon-" + (paused ? "play" : "pause");
        button.lastChild.textContent = paused ? "Resume" : "Pause";
      }
      return paused;
    },
  };
})();
