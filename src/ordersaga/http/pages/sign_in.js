// Before the first paint: the colour scheme that was chosen here (Mantine keeps it under this name), or the browser's.
const chosen = localStorage.getItem("mantine-color-scheme-value") || "auto";
const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.scheme = dark ? "dark" : "light";

// A token behind the # of the address stays in the browser: it is never part of a request line, nor of the history.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  document.addEventListener("DOMContentLoaded", function () {
    document.getElementById("token").value = token;
    document.forms[0].requestSubmit();
  });
}
