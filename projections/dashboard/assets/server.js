// Whether the dashboard's server answers: <html data-server> says what is wrong, and shell.css shows the words for it.
(function () {
  const root = document.documentElement;
  const send = window.fetch.bind(window);
  const judge = { 401: "signed-out", 403: "signed-out", 503: "database" };

  const QUIET_MILLISECONDS = 1500;
  let failed_at = -QUIET_MILLISECONDS;

  // Several requests are under way at a time: one that succeeds does not take back that another has just failed.
  function tell(problem) {
    const now = performance.now();
    if (problem) {
      failed_at = now;
      root.dataset.server = problem;
    } else if (now - failed_at > QUIET_MILLISECONDS) {
      delete root.dataset.server;
    }
  }

  window.fetch = async function (resource, options) {
    const ours = String(resource.url || resource).includes("/_dash-");
    try {
      const response = await send(resource, options);
      if (ours) tell(response.ok ? "" : judge[response.status] || "failed");
      return response;
    } catch (error) {
      if (ours && error.name !== "AbortError") tell("away");
      throw error;
    }
  };
})();
