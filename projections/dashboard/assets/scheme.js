// Runs before the first paint: sets the colour scheme, so that nothing flashes, and the viewer's time zone for the server.
(function () {
  const saved = localStorage.getItem("mantine-color-scheme-value") || "auto";
  const dark = saved === "dark" || (saved === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.mantineColorScheme = dark ? "dark" : "light";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  document.cookie = "zone=" + encodeURIComponent(zone) + "; path=/; SameSite=Strict; max-age=31536000";
})();
