// A token behind the # of the address stays in the browser: it is never part of a request line, nor of the history.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = token;
  document.forms[0].requestSubmit();
}
