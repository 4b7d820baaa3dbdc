// Ticks, on which pages refresh, and reports outages: <html data-server> names the problem, and shell.css shows its notice.
(function () {
  const TICK_MILLISECONDS = 800;
  const SLOW_EVERY = 3;
  const REPORT_MILLISECONDS = 1500;
  const TIMEOUT_MILLISECONDS = 30000;
  const root = document.documentElement;
  const send = window.fetch.bind(window);
  const problems = { 401: "signed-out", 403: "signed-out", 503: "database" };
  const outstanding = new Map();
  let failed_at = -REPORT_MILLISECONDS;
  let ticks = 0;

  // Several requests are outstanding at a time: the success of one does not clear the failure of another right after it.
  function report(problem) {
    const now = performance.now();
    if (problem) {
      failed_at = now;
      root.dataset.server = problem;
    } else if (now - failed_at > REPORT_MILLISECONDS) {
      delete root.dataset.server;
    }
  }

  window.fetch = async function (resource, options) {
    if (!String(resource.url || resource).includes("/_dash-")) return send(resource, options);
    const request = {};
    outstanding.set(request, performance.now());
    try {
      const response = await send(resource, options);
      report(response.ok ? "" : problems[response.status] || "failed");
      return response;
    } catch (error) {
      if (error.name !== "AbortError") report("away");
      throw error;
    } finally {
      outstanding.delete(request);
    }
  };

  // Dash drops the response to a callback that is triggered again: a server slower than a tick would never be shown.
  function is_waiting() {
    const now = performance.now();
    return [...outstanding.values()].some((at) => now - at < TIMEOUT_MILLISECONDS);
  }

  setInterval(function () {
    const set_props = window.dash_clientside && window.dash_clientside.set_props;
    if (document.hidden || !set_props || !document.getElementById("page") || is_waiting()) return;
    ticks += 1;
    set_props("tick", { data: ticks });
    if (ticks % SLOW_EVERY === 0) set_props("slow", { data: ticks });
  }, TICK_MILLISECONDS);
})();
