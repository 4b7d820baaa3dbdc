// Asks the dashboard's server again and again, and shows when it does not answer: <html data-server> says what is wrong,
// shell.css has the words for it.
(function () {
  const TICK_MILLISECONDS = 800;
  const SLOW_EVERY = 3;
  const QUIET_MILLISECONDS = 1500;
  const PATIENCE_MILLISECONDS = 30000;
  const root = document.documentElement;
  const send = window.fetch.bind(window);
  const judge = { 401: "signed-out", 403: "signed-out", 503: "database" };
  const asked = new Map();
  let failed_at = -QUIET_MILLISECONDS;
  let ticks = 0;

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
    if (!String(resource.url || resource).includes("/_dash-")) return send(resource, options);
    const question = {};
    asked.set(question, performance.now());
    try {
      const response = await send(resource, options);
      tell(response.ok ? "" : judge[response.status] || "failed");
      return response;
    } catch (error) {
      if (error.name !== "AbortError") tell("away");
      throw error;
    } finally {
      asked.delete(question);
    }
  };

  // Dash drops the answer to a question that is asked anew: a server that takes longer than a tick would never be heard.
  function is_waiting() {
    const now = performance.now();
    return [...asked.values()].some((at) => now - at < PATIENCE_MILLISECONDS);
  }

  setInterval(function () {
    const set_props = window.dash_clientside && window.dash_clientside.set_props;
    if (document.hidden || !set_props || !document.getElementById("page") || is_waiting()) return;
    ticks += 1;
    set_props("tick", { data: ticks });
    if (ticks % SLOW_EVERY === 0) set_props("slow", { data: ticks });
  }, TICK_MILLISECONDS);
})();
