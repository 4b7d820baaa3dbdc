// Colours of the graphs, read from the style sheet, so that they follow the colour scheme.
window.dash_clientside = window.dash_clientside || {};
(function () {
  let painted = null;

  function style(read) {
    const tones = { good: "--good", warn: "--warn", bad: "--bad", info: "--accent", idle: "--muted" };
    const node = {
      shape: "round-rectangle", width: 156, height: 38, label: "data(label)", "text-valign": "center",
      "font-size": 13, "font-family": "system-ui, sans-serif", color: read("--text"), "background-color": read("--surface"),
      "border-width": 1.5, "border-color": read("--strong-line"), "text-wrap": "wrap", "text-max-width": 150,
    };
    const edge = {
      width: 1.5, "line-color": read("--strong-line"), "target-arrow-color": read("--strong-line"),
      "target-arrow-shape": "triangle", "curve-style": "bezier", "arrow-scale": 0.9,
    };
    return [{ selector: "node", style: node }, { selector: "edge", style: edge }].concat(
      Object.entries(tones).map(([tone, name]) => ({
        selector: "node." + tone,
        style: { "border-color": read(name), "background-color": read(tone === "info" ? "--accent-soft" : tone === "idle" ? "--idle-soft" : name + "-soft") },
      })),
    );
  }

  window.dash_clientside.graph = {
    paint: function () {
      const scheme = document.documentElement.dataset.mantineColorScheme;
      const by_clock = window.dash_clientside.callback_context.triggered.every((each) => each.prop_id.startsWith("tick"));
      if (by_clock && painted === scheme) return window.dash_clientside.no_update;
      painted = scheme;
      const computed = getComputedStyle(document.documentElement);
      return style((name) => computed.getPropertyValue(name).trim());
    },
  };
})();
