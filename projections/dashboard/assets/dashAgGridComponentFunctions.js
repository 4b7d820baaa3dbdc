// Cells of the grids; values are inserted as text.
window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {};
window.dashAgGridComponentFunctions.Mark = function (props) {
  const value = props.value;
  const icon = React.createElement("span", { className: "icon icon-" + value.icon, "aria-hidden": true });
  return React.createElement("span", { className: "mark tone-" + value.tone }, icon, value.text);
};
window.dashAgGridComponentFunctions.OrderLink = function (props) {
  return React.createElement("a", { href: props.data.href, className: "mono", title: props.value, tabIndex: -1, "data-in-place": "" }, props.data.short);
};

window.dashAgGridFunctions = window.dashAgGridFunctions || {};
window.dashAgGridFunctions.open_row = function (params) {
  if (params.event.key === "Enter" && params.data && params.data.href) window.dash_clientside.navigation.go(params.data.href);
};
