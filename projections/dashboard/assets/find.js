// The search field of the header: Ctrl-K or Cmd-K leads to it, and what is found for its text stands in a list below it.
// Without this script the form opens the page of results.
(function () {
  const ADDRESS = "/dashboard/suggestions";
  const ALL = "/dashboard/search";
  const WAIT_MILLISECONDS = 250;
  let wait = 0;
  let asked = "";
  let results = null;
  let chosen = 0;
  let entered = false;

  const field = () => document.getElementById("find");
  const list = () => document.getElementById("find-list");
  const text = () => field().value.trim();

  function element(tag, look, content) {
    const made = document.createElement(tag);
    made.className = look;
    if (content !== undefined) made.textContent = content;
    return made;
  }

  function close() {
    list().hidden = true;
    list().replaceChildren();
    field().setAttribute("aria-expanded", "false");
    field().removeAttribute("aria-activedescendant");
  }

  function option(result, number) {
    const row = element("div", "find-option");
    row.id = "find-" + number;
    row.setAttribute("role", "option");
    const icon = element("span", "icon icon-" + result.icon);
    icon.setAttribute("aria-hidden", "true");
    const about = element("span", "find-about muted", result.text);
    row.append(icon, element("span", "find-kind", result.kind), element("span", "find-id mono", result.id), about);
    row.onmousedown = (press) => { press.preventDefault(); go(result.href); };
    return row;
  }

  function choose(number) {
    const rows = list().querySelectorAll("[role=option]");
    if (!rows.length) return;
    chosen = (number + rows.length) % rows.length;
    rows.forEach((row, at) => row.setAttribute("aria-selected", String(at === chosen)));
    field().setAttribute("aria-activedescendant", "find-" + chosen);
    rows[chosen].scrollIntoView({ block: "nearest" });
  }

  function all() {
    return { kind: "All results", icon: "search", id: "", text: "", href: ALL + "?q=" + encodeURIComponent(asked) };
  }

  function show(found) {
    results = found.length > 1 ? [...found, all()] : found;
    const rows = results.map(option);
    const said = "Nothing found. Enter tells what can be searched for.";
    list().setAttribute("role", rows.length ? "listbox" : "status");
    list().replaceChildren(...(rows.length ? rows : [element("p", "find-none muted", said)]));
    list().hidden = false;
    field().setAttribute("aria-expanded", "true");
    choose(0);
    if (entered) enter();
  }

  async function ask(wanted) {
    asked = wanted;
    results = null;
    try {
      const answer = await fetch(ADDRESS + "?q=" + encodeURIComponent(wanted));
      const found = answer.ok ? await answer.json() : null;
      if (asked !== wanted || wanted !== text()) return;
      if (found) show(found);
      else if (entered) go(all().href);
    } catch {
      close();
      if (entered) go(all().href);
    }
  }

  function enter() {
    entered = false;
    if (results === null || asked !== text()) {
      clearTimeout(wait);
      entered = true;
      ask(text());
    } else {
      go(results.length ? results[chosen].href : all().href);
    }
  }

  function go(href) {
    clearTimeout(wait);
    close();
    asked = "";
    results = null;
    window.dash_clientside.set_props("find", { value: "" });
    field().blur();
    window.dash_clientside.navigation.go(href);
  }

  document.addEventListener("input", function (input) {
    if (input.target.id !== "find") return;
    clearTimeout(wait);
    entered = false;
    if (text()) wait = setTimeout(() => ask(text()), WAIT_MILLISECONDS);
    else close();
  });

  document.addEventListener("keydown", function (key) {
    if (key.key.toLowerCase() === "k" && (key.ctrlKey || key.metaKey) && !key.altKey && !key.shiftKey && field()) {
      key.preventDefault();
      field().focus();
      field().select();
    }
    if (key.target.id !== "find") return;
    if (key.key === "Escape") {
      close();
      entered = false;
      clearTimeout(wait);
    }
    if (list().hidden || !results) return;
    if (key.key === "ArrowDown" || key.key === "ArrowUp") {
      key.preventDefault();
      choose(chosen + (key.key === "ArrowDown" ? 1 : -1));
    }
  });

  document.addEventListener("focusin", function (event) {
    if (event.target.id !== "find") return;
    const wanted = { role: "combobox", "aria-expanded": "false", "aria-controls": "find-list", "aria-autocomplete": "list" };
    for (const [name, value] of Object.entries(wanted)) field().setAttribute(name, value);
    list().setAttribute("aria-label", "Results");
  });

  document.addEventListener("focusout", (event) => { if (event.target.id === "find") close(); });

  document.addEventListener("submit", function (event) {
    if (!event.target.matches(".find")) return;
    event.preventDefault();
    if (text()) enter();
  });
})();
