// A button in a row names a store and a value for it. As the input of a callback (Dash's ALL), every press would send the
// ids of all buttons to the server: with two hundred rows more than the server accepts.
document.addEventListener("click", function (click) {
  const button = click.target.closest && click.target.closest("button[data-press]");
  if (button && !button.disabled) window.dash_clientside.set_props(button.dataset.press, { data: button.dataset.value });
});
