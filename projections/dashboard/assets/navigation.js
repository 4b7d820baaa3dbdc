// Title, current link, scroll position and focus for pages that change in place; a browser sets them when it loads one.
window.dash_clientside = window.dash_clientside || {};
(function () {
  let before = null;

  function mark_place(pathname) {
    let title = "";
    for (const link of document.querySelectorAll(".side a")) {
      const below = !link.pathname.endsWith("/") && pathname.startsWith(link.pathname + "/");
      const here = pathname === link.pathname || below;
      if (here) {
        link.setAttribute("aria-current", "page");
        title = link.querySelector(".nav-name").textContent;
      } else {
        link.removeAttribute("aria-current");
      }
    }
    document.title = title ? title + " · OrderSaga" : "OrderSaga";
  }

  // Links that are not Dash's own also open their page in place; with a modifier key the browser handles the click.
  document.addEventListener("click", function (click) {
    const link = click.target.closest && click.target.closest("a[data-in-place]");
    if (!link || click.ctrlKey || click.metaKey || click.shiftKey || click.altKey || click.button) return;
    click.preventDefault();
    go(link.getAttribute("href"));
  });

  function go(address) {
    const [pathname, search] = address.split("?");
    window.dash_clientside.set_props("url", { pathname: pathname, search: search ? "?" + search : "" });
  }

  window.dash_clientside.navigation = {
    go: go,
    arrived: function (pathname) {
      mark_place(pathname);
      if (before !== null && before !== pathname) {
        window.scrollTo(0, 0);
        // Whoever types the next search while a page loads goes on typing.
        if (document.activeElement.id !== "find") document.getElementById("main").focus({ preventScroll: true });
      }
      before = pathname;
      return window.dash_clientside.no_update;
    },
  };
})();
