/* Makes a long table usable: search, order by a column, pages. Without this script the first rows stand there. */
(function () {
  "use strict";
  var PAGE = 50;

  function folded(text) { return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase(); }

  /* "USD 12,989.48" is 12989.48; what has no figure comes last, whichever way. */
  function figure(text) {
    var found = text.replace(/[^0-9.\u2212-]/g, "").replace("\u2212", "-");
    return found && !isNaN(found) ? Number(found) : null;
  }

  function element(tag, parent, text, kind) {
    var made = document.createElement(tag);
    if (text) { made.textContent = text; }
    if (kind) { made.className = kind; }
    if (parent) { parent.appendChild(made); }
    return made;
  }

  function list(holder) {
    var source = holder.querySelector("script.rows");
    var table = holder.querySelector("table");
    if (!source || !table) { return; }
    var data = JSON.parse(source.textContent);
    var words = data.words, state = data.columns.length;
    var without = new Set(data.without || []);
    var numeric = new Set(data.numeric);
    var all = data.rows.map(function (row) { return { row: row, text: folded(row.slice(0, state).join(" ")) }; });
    var found = all, order = null, down = false, from = 0;

    var tools = element("div", null, "", "tools");
    var search = element("input", tools);
    search.type = "search";
    search.placeholder = words.search;
    search.setAttribute("aria-label", words.search);
    var pager = element("div", tools, "", "pager");
    var count = element("span", pager);
    count.setAttribute("aria-live", "polite");
    var back = element("button", pager, words.back), next = element("button", pager, words.next);
    back.type = next.type = "button";
    holder.insertBefore(tools, table);

    var heads = [].slice.call(table.querySelectorAll("th"));
    var body = table.querySelector("tbody");

    function line(row) {
      var made = document.createElement("tr");
      data.columns.forEach(function (column, n) {
        var cell = element("td", made, "", numeric.has(n) ? "n" : "");
        cell.setAttribute("data-label", column);
        if (n === data.link && !without.has(row[0])) {
          var link = element("a", cell, row[n]);
          link.href = "../" + encodeURIComponent(row[0]) + "/index.html";
          link.title = words.link;
        } else if (n === data.state) {
          element("span", cell, row[n], "state " + data.kinds[row[state]]);
        } else {
          cell.textContent = row[n];
        }
      });
      return made;
    }

    function show() {
      var rows = document.createDocumentFragment();
      found.slice(from, from + PAGE).forEach(function (one) { rows.appendChild(line(one.row)); });
      if (!found.length) {
        var cell = element("td", element("tr", rows), words.none);
        cell.colSpan = state;
      }
      body.replaceChildren(rows);
      var last = Math.min(from + PAGE, found.length);
      count.textContent = found.length
        ? (from + 1) + "\u2013" + last + " " + words.of + " " + found.length.toLocaleString("en-US") : "0";
      back.disabled = from === 0;
      next.disabled = last >= found.length;
    }

    function sorted() {
      if (order === null) { return; }
      var sign = down ? -1 : 1;
      var keyed = found.map(function (one) {
        return { one: one, key: numeric.has(order) ? figure(one.row[order]) : folded(one.row[order]) };
      });
      keyed.sort(function (a, b) {
        if (a.key === null || b.key === null) { return (a.key === null) - (b.key === null); }
        if (numeric.has(order)) { return sign * (a.key - b.key); }
        return sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
      });
      found = keyed.map(function (pair) { return pair.one; });
    }

    function choose() {
      var parts = folded(search.value).split(/\s+/).filter(Boolean);
      found = all.filter(function (one) { return parts.every(function (part) { return one.text.includes(part); }); });
      from = 0;
      sorted();
      show();
    }

    heads.forEach(function (head, n) {
      var button = element("button", null, head.textContent, "order");
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", function () {
        down = order === n ? !down : numeric.has(n);
        order = n;
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        from = 0;
        sorted();
        show();
      });
    });
    search.addEventListener("input", choose);
    back.addEventListener("click", function () { from = Math.max(0, from - PAGE); show(); });
    next.addEventListener("click", function () { from += PAGE; show(); });
    var hint = holder.querySelector("p.note");
    if (hint) { hint.remove(); }
    holder.classList.add("live");
    show();
  }

  function start() { document.querySelectorAll(".list").forEach(list); }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();
