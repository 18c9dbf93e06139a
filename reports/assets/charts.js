/* Turns every figure's drawing into an interactive chart. Without this script, or without vega.js, the drawing stays. */
(function () {
  "use strict";
  var options = {
    actions: false,
    ast: true, /* no eval: pages may forbid it */
    renderer: "svg",
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true, theme: "custom" },
  };

  function narrow(spec, width) {
    if (width < 420 && spec.config) {
      spec.config.axis.labelFontSize = 12;
      spec.config.axis.titleFontSize = 12;
      spec.config.legend.labelFontSize = 13;
      spec.config.legend.symbolSize = 120;
    }
    return spec;
  }

  function upgrade(figure) {
    var drawing = figure.querySelector(".drawing");
    var source = figure.querySelector("script.vega-lite");
    if (!drawing || !source || !window.vegaEmbed) { return; }
    var holder = document.createElement("div");
    holder.className = "interactive";
    drawing.appendChild(holder);
    drawing.classList.add("upgrading");
    var width = drawing.clientWidth;
    var spec = narrow(JSON.parse(source.textContent), width);
    window.vegaEmbed(holder, spec, options).then(function () {
      drawing.classList.remove("upgrading");
      drawing.classList.add("upgraded");
    }).catch(function (problem) {
      holder.remove();
      drawing.classList.remove("upgrading");
      if (window.console) { window.console.warn("chart " + figure.id + " stays a drawing:", problem); }
    });
  }

  function all() { document.querySelectorAll("figure[data-vega]").forEach(upgrade); }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", all); } else { all(); }
})();
