// What a browser does by itself when a page is loaded, done for pages that change in place.
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
        title = link.textContent;
      } else {
        link.removeAttribute("aria-current");
      }
    }
    document.title = title ? title + " · OrderSaga" : "OrderSaga";
  }

  window.dash_clientside.navigation = {
    arrived: function (pathname) {
      mark_place(pathname);
      if (before !== null && before !== pathname) {
        window.scrollTo(0, 0);
        document.getElementById("main").focus({ preventScroll: true });
      }
      before = pathname;
      return window.dash_clientside.no_update;
    },
  };
})();
