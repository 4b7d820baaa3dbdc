// Focus goes to the answer of an action, and to a field that is missing.
window.dash_clientside = window.dash_clientside || {};
(function () {
  // Mantine gives the focus back to what opened a dialog, some time after it closed; the answer is more important.
  const SOON_MILLISECONDS = 60;
  const AFTER_DIALOG_MILLISECONDS = 300;

  function focus_later(id) {
    for (const milliseconds of [SOON_MILLISECONDS, AFTER_DIALOG_MILLISECONDS]) setTimeout(focus, milliseconds, id);
  }

  function focus(id) {
    const element = document.getElementById(id);
    if (!element || element.contains(document.activeElement)) return;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", function (click) {
    const button = click.target.closest && click.target.closest(".answer-close");
    if (!button) return;
    window.dash_clientside.set_props(button.closest("[role=status]").id, { children: null });
    document.getElementById("main").focus({ preventScroll: true });
  });

  window.dash_clientside.parked = {
    focus_answer: function (children, id) {
      if (children) focus_later(id);
      return window.dash_clientside.no_update;
    },
    focus_error: function (error, id) {
      if (error) focus_later(id);
      return window.dash_clientside.no_update;
    },
    page_values: function (all, values) {
      return all ? values : [];
    },
  };
})();
