// A button with data-copy puts that text into the clipboard, and says so to eyes and to screen readers.
(function () {
  const SAID_MILLISECONDS = 2500;
  let hide = 0;

  // Beside the button but not inside it: a region that is drawn again would take it away.
  function said() {
    let region = document.getElementById("copy-said");
    if (!region) {
      region = document.createElement("div");
      region.id = "copy-said";
      region.className = "copy-said";
      region.setAttribute("role", "status");
      (document.getElementById("main") || document.body).append(region);
    }
    return region;
  }

  // Browsers have no clipboard for pages over plain HTTP of another machine; the older way works there.
  function copy_by_selection(text) {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copy_by_selection(text);
    }
  }

  document.addEventListener("click", async function (click) {
    const button = click.target.closest && click.target.closest("button[data-copy]");
    if (!button) return;
    click.preventDefault();
    const done = await copy(button.dataset.copy);
    const place = button.getBoundingClientRect();
    const region = said();
    region.textContent = done ? "Copied" : "Select the text and copy it";
    if (done) region.dataset.copied = button.dataset.copy;
    region.style.top = place.top - 26 + "px";
    region.style.right = document.documentElement.clientWidth - place.right + "px";
    clearTimeout(hide);
    hide = setTimeout(() => { region.textContent = ""; }, SAID_MILLISECONDS);
  });
})();
