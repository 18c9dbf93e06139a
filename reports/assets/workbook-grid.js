/* Draws a checked workbook as grids, from the JSON in the page (eisenergy/workbook/grid_data.py). Only what is in sight is in
   the page's tree, so thousands of rows scroll smoothly. Texts are set as texts, never as HTML. */
(function () {
  "use strict";
  var DATA = JSON.parse(document.getElementById("workbook").textContent);
  var LOOK = JSON.parse(document.getElementById("look").textContent); /* state letter -> {name, symbol, meaning} */
  var ROW = 25, HEAD = 26, LETTER = 7.3, PAD = 38, SPARE = 8;
  var WRONG = "dsxvuf";
  var GRAVITY = { d: 7, x: 6, v: 5, s: 4, f: 3, u: 2, n: 0, e: 1 };
  var GAP = "\u0001";

  function at(id) { return document.getElementById(id); }
  function make(tag, name, text) {
    var one = document.createElement(tag);
    if (name) { one.className = name; }
    if (text !== undefined) { one.textContent = text; }
    return one;
  }
  function letters(column) {
    var name = "";
    for (; column; column = Math.floor((column - 1) / 26)) { name = String.fromCharCode(65 + (column - 1) % 26) + name; }
    return name;
  }
  function number(name) {
    return name.split("").reduce(function (sum, letter) { return sum * 26 + letter.charCodeAt(0) - 64; }, 0);
  }

  /* ---- unpacking */

  function spread(counted, length) {
    var out = new Int32Array(length), place = 0;
    for (var i = 0; i < counted.length; i += 2) { out.fill(counted[i], place, place += counted[i + 1]); }
    return out;
  }
  function index(runs, rows) {
    var out = new Int32Array(rows + 2).fill(-1), place = 0;
    for (var i = 0; i < runs.length; i += 2) {
      for (var n = 0; n < runs[i + 1]; n++) { out[runs[i] + n] = place++; }
    }
    return out;
  }
  function unpack(sheet) {
    sheet.by = [];
    sheet.data.forEach(function (column) {
      column.value_at = index(column.at, sheet.rows);
      if (column.state) {
        var count = column.state.length;
        column.check_at = index(column.checked, sheet.rows);
        ["formula", "role", "block", "derivation"].forEach(function (part) { column[part] = spread(column[part], count); });
      }
      sheet.by[column.column] = column;
    });
    sheet.marked = {};
    sheet.marks.forEach(function (mark) { sheet.marked[mark[0] + ":" + mark[1]] = mark[2]; });
    sheet.left = [0, 0];
    for (var c = 1; c <= sheet.columns; c++) { sheet.left[c + 1] = sheet.left[c] + Math.round(sheet.widths[c - 1] * LETTER + PAD); }
    sheet.row = 1;
    sheet.column = 1;
    sheet.hidden_at = index(sheet.hidden, sheet.rows);
  }
  function gaps(column, n) {
    if (!column.offsets) {
      column.words = column.gaps ? column.gaps.split("|") : [];
      column.offsets = new Int32Array(column.state.length + 1);
      for (var i = 0; i < column.state.length; i++) {
        column.offsets[i + 1] = column.offsets[i] + DATA.templates[column.derivation[i]].split(GAP).length - 1;
      }
    }
    return column.words.slice(column.offsets[n], column.offsets[n + 1]);
  }

  /* ---- what a cell is */

  function value(sheet, row, column) {
    var one = sheet.by[column];
    var n = one ? one.value_at[row] : -1;
    return n === undefined || n < 0 ? null : DATA.texts[one.value[n]];
  }
  function checked(sheet, row, column) {
    var one = sheet.by[column];
    var n = one && one.check_at ? one.check_at[row] : -1;
    return n === undefined || n < 0 ? -1 : n;
  }
  function letter(sheet, row, column) {
    var n = checked(sheet, row, column);
    return n >= 0 ? sheet.by[column].state[n] : sheet.marked[row + ":" + column] || "";
  }
  function text(entry, digits) {
    if (entry === null || entry === undefined) { return ""; }
    if (Array.isArray(entry)) { return entry[0]; }
    if (typeof entry === "number") { return String(Number(entry.toPrecision(digits || 15))); }
    return typeof entry === "boolean" ? String(entry).toUpperCase() : String(entry);
  }
  function whole(entry) {
    if (entry === null || entry === undefined) { return "nothing"; }
    return typeof entry === "string" && entry[0] !== "#" ? "\u201c" + entry + "\u201d" : text(entry);
  }
  function formula(sheet, row, column, n) {
    return DATA.formulas[sheet.by[column].formula[n]].replace(
      /\u0001([ar])(-?\d+)\u0002([ar])(-?\d+)\u0003/g,
      function (_, across, c, down, r) {
        return (across === "a" ? "$" + letters(+c) : letters(column + +c)) + (down === "a" ? "$" + r : row + +r);
      });
  }
  function described(sheet, row, column) {
    var box = document.createDocumentFragment();
    var kind = letter(sheet, row, column);
    var n = checked(sheet, row, column);
    var found = value(sheet, row, column);
    var head = make("p", "where");
    head.appendChild(make("b", "", letters(column) + row));
    if (kind) {
      var badge = make("span", "badge " + kind);
      badge.appendChild(make("i", "", LOOK[kind].symbol));
      badge.appendChild(document.createTextNode(" " + LOOK[kind].name));
      head.appendChild(badge);
    }
    box.appendChild(head);
    var list = make("dl");
    function say(name, what, kind) {
      if (what === "" || what === undefined) { return; }
      list.appendChild(make("dt", "", name));
      list.appendChild(make("dd", kind || "", what));
    }
    if (n < 0) {
      say(found === null ? "empty" : "value", found === null ? "nothing stands here" : whole(found), "figure");
      if (found !== null && !kind) { say("kind", "no formula"); }
    } else {
      var one = sheet.by[column], more = one.more[n] || {};
      say("in the file", whole(found), "figure");
      say("ours", "ours" in more ? whole(DATA.texts[more.ours]) : more.none ? "not computed by the library" : whole(found), "figure");
      say("difference", more.difference, "figure");
      if ("calculated" in more) { say("calculated here", whole(DATA.texts[more.calculated]), "figure"); }
      if ("evaluated" in more) { say("its formula gives", whole(DATA.texts[more.evaluated]), "figure"); }
      say("formula", formula(sheet, row, column, n), "formula");
      var role = DATA.texts[one.role[n]], block = DATA.texts[one.block[n]];
      say("role", role + (block ? ", " + block : ""));
      var words = gaps(one, n), place = 0;
      say("derivation", DATA.templates[one.derivation[n]].replace(/\u0001/g, function () { return words[place++]; }));
      if (more.follows) { say("may follow from", more.follows.join(", ")); }
      if ("svnu".indexOf(kind) >= 0) { say("which means", LOOK[kind].meaning); }
    }
    sheet.notes.forEach(function (note) {
      if (row >= note[0] && column >= note[1] && row <= note[2] && column <= note[3]) { say("finding", note[4], "note"); }
    });
    box.appendChild(list);
    return box;
  }

  /* ---- the grid */

  var grid = at("grid"), canvas = at("canvas"), heads = at("heads"), tip = at("tip"), card = at("card"), map = at("map");
  var sheet = null, drawn = {}, outlines = [], wanted = "", hits = null;

  function open(n, row, column) {
    if (sheet !== DATA.sheets[n]) {
      if (sheet) { sheet.top = grid.scrollTop; sheet.side = grid.scrollLeft; }
      sheet = DATA.sheets[n];
      if (!sheet.by) { unpack(sheet); }
      [].forEach.call(document.querySelectorAll("[role=tab]"), function (tab, i) {
        tab.setAttribute("aria-selected", String(i === n));
        tab.tabIndex = i === n ? 0 : -1;
        if (i === n && tab.scrollIntoView) { tab.scrollIntoView({ block: "nearest", inline: "nearest" }); }
      });
      grid.setAttribute("aria-label", "Sheet " + sheet.name);
      grid.setAttribute("aria-rowcount", sheet.rows);
      grid.setAttribute("aria-colcount", sheet.columns);
      canvas.style.height = HEAD + sheet.rows * ROW + "px";
      canvas.style.width = edge() + sheet.left[sheet.columns + 1] + "px";
      Object.keys(drawn).forEach(function (row) { drawn[row].remove(); });
      drawn = {};
      header();
      grid.scrollTop = sheet.top || 0;
      grid.scrollLeft = sheet.side || 0;
      minimap();
    }
    select(row || sheet.row, column || sheet.column, Boolean(row));
  }
  function edge() { return 14 + 8 * String(sheet.rows).length; }
  function header() {
    heads.textContent = "";
    heads.style.width = canvas.style.width;
    var corner = make("span", "corner");
    corner.style.width = edge() + "px";
    heads.appendChild(corner);
    for (var c = 1; c <= sheet.columns; c++) {
      var one = make("span", sheet.hiddenColumns.indexOf(c) < 0 ? "head" : "head hidden", letters(c));
      one.style.left = edge() + sheet.left[c] + "px";
      one.style.width = sheet.left[c + 1] - sheet.left[c] + "px";
      if (one.className !== "head") { one.title = "hidden in the workbook"; }
      heads.appendChild(one);
    }
  }
  function line(row) {
    var one = make("div", "row");
    one.setAttribute("role", "row");
    one.setAttribute("aria-rowindex", row);
    one.style.top = HEAD + (row - 1) * ROW + "px";
    one.style.width = canvas.style.width;
    var hidden = sheet.hidden_at[row] >= 0;
    var name = make("span", hidden ? "number hidden" : "number", row);
    if (hidden) { name.title = "hidden in the workbook"; }
    name.setAttribute("role", "rowheader");
    name.style.width = edge() + "px";
    one.appendChild(name);
    for (var c = 1; c <= sheet.columns; c++) { cell(one, row, c); }
    return one;
  }
  function cell(into, row, c) {
    var found = value(sheet, row, c), kind = letter(sheet, row, c);
    if (found === null && !kind) { return; }
    var one = make("span", "cell " + kind);
    one.id = "c" + row + "-" + c;
    one.setAttribute("role", "gridcell");
    one.setAttribute("aria-colindex", c);
    var width = sheet.left[c + 1] - sheet.left[c];
    var words = text(found, 10);
    if (typeof found === "string") {
      one.className += " word";
      /* a title runs over the empty cells to its right, as a spreadsheet shows it */
      for (var next = c + 1; !kind && next <= sheet.columns && words.length * LETTER + 12 > width; next++) {
        if (value(sheet, row, next) !== null || letter(sheet, row, next)) { break; }
        width += sheet.left[next + 1] - sheet.left[next];
        one.className = "cell word over";
      }
    }
    one.style.left = edge() + sheet.left[c] + "px";
    one.style.width = width + "px";
    if (kind) {
      var symbol = make("i", "", LOOK[kind].symbol);
      symbol.setAttribute("aria-label", LOOK[kind].name);
      one.appendChild(symbol);
    }
    one.appendChild(make("b", "", words));
    into.appendChild(one);
  }
  function draw() {
    var first = Math.max(1, Math.floor((grid.scrollTop - HEAD) / ROW) - SPARE);
    var end = Math.min(sheet.rows, first + Math.ceil(grid.clientHeight / ROW) + 2 * SPARE);
    Object.keys(drawn).forEach(function (row) {
      if (row < first || row > end) { drawn[row].remove(); delete drawn[row]; }
    });
    var fresh = document.createDocumentFragment();
    for (var row = first; row <= end; row++) {
      if (!drawn[row]) { fresh.appendChild(drawn[row] = line(row)); }
    }
    canvas.appendChild(fresh);
    chosen();
    viewport();
  }
  function chosen() {
    var old = canvas.querySelector(".chosen");
    var id = "c" + sheet.row + "-" + sheet.column;
    if (old && old.id !== id) { old.classList.remove("chosen"); }
    var now = at(id);
    if (now) {
      now.classList.add("chosen");
      grid.setAttribute("aria-activedescendant", id);
    } else { grid.removeAttribute("aria-activedescendant"); }
  }
  function frame(name, top, left, bottom, right) {
    var one = make("div", name);
    one.style.top = HEAD + (top - 1) * ROW + "px";
    one.style.left = edge() + sheet.left[left] + "px";
    one.style.height = (bottom - top + 1) * ROW + "px";
    one.style.width = sheet.left[right + 1] - sheet.left[left] + "px";
    canvas.appendChild(one);
    outlines.push(one);
  }
  function select(row, column, show) {
    sheet.row = Math.min(Math.max(1, row), sheet.rows);
    sheet.column = Math.min(Math.max(1, column), sheet.columns);
    outlines.forEach(function (one) { one.remove(); });
    outlines = [];
    frame("cursor", sheet.row, sheet.column, sheet.row, sheet.column);
    var n = checked(sheet, sheet.row, sheet.column);
    if (n >= 0) { inputs(formula(sheet, sheet.row, sheet.column, n)); }
    if (show) { reveal(); }
    draw();
    card.textContent = "";
    card.appendChild(described(sheet, sheet.row, sheet.column));
  }
  function inputs(written) {
    /* texts go first: a reference inside quotation marks is none; what names another sheet is not outlined here */
    var own = written.replace(/"[^"]*"/g, "").replace(/('[^']*'|[\w.-]+)!\$?[A-Z]{1,3}\$?\d+(:\$?[A-Z]{1,3}\$?\d+)?/g, "");
    var known = /\$?\b([A-Z]{1,3})\$?(\d{1,7})\b(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?(?!\()/g, match;
    while ((match = known.exec(own)) && outlines.length < 30) {
      var top = +match[2], left = number(match[1]), bottom = +(match[4] || top), right = match[3] ? number(match[3]) : left;
      if (top <= sheet.rows && left <= sheet.columns) {
        frame("reads", top, left, Math.min(bottom, sheet.rows), Math.min(right, sheet.columns));
      }
    }
  }
  function reveal() {
    var top = HEAD + (sheet.row - 1) * ROW, left = sheet.left[sheet.column], right = sheet.left[sheet.column + 1];
    if (top - HEAD < grid.scrollTop || top + ROW > grid.scrollTop + grid.clientHeight) {
      grid.scrollTop = Math.max(0, top - grid.clientHeight / 2);
    }
    if (left < grid.scrollLeft || right + edge() > grid.scrollLeft + grid.clientWidth) {
      var wish = Math.max(0, left - (grid.clientWidth - edge()) / 3), column = 1;
      while (sheet.left[column + 1] <= wish) { column++; }
      grid.scrollLeft = sheet.left[column];
    }
  }
  function under(event) {
    var box = grid.getBoundingClientRect();
    var x = event.clientX - box.left + grid.scrollLeft - edge(), y = event.clientY - box.top + grid.scrollTop - HEAD;
    if (event.clientY - box.top < HEAD || event.clientX - box.left < edge() || x < 0 || y < 0) { return null; }
    var row = Math.floor(y / ROW) + 1, column = 1;
    while (column < sheet.columns && sheet.left[column + 1] <= x) { column++; }
    return row > sheet.rows || x > sheet.left[sheet.columns + 1] ? null : { row: row, column: column };
  }

  /* ---- the strip beside the grid: where in the sheet something is wrong */

  function minimap() {
    var height = map.clientHeight, pen = map.getContext("2d"), scale = window.devicePixelRatio || 1;
    map.width = map.clientWidth * scale;
    map.height = height * scale;
    var bins = new Array(Math.max(1, Math.floor(height / 2))), top = sheet.rows;
    function mark(row, kind) {
      var bin = Math.min(bins.length - 1, Math.floor((row - 1) / top * bins.length));
      if (!bins[bin] || GRAVITY[kind] > GRAVITY[bins[bin]]) { bins[bin] = kind; }
    }
    sheet.data.forEach(function (column) {
      if (!column.state) { return; }
      for (var row = 1; row <= top; row++) {
        if (column.check_at[row] >= 0) { mark(row, column.state[column.check_at[row]]); }
      }
    });
    sheet.marks.forEach(function (one) { mark(one[0], one[2]); });
    var style = getComputedStyle(document.documentElement), size = map.height / bins.length;
    bins.forEach(function (kind, n) {
      pen.fillStyle = style.getPropertyValue("--mark-" + kind);
      /* short lines for what is right, lines over the whole width for what is not: no colour is needed to see it */
      var broad = WRONG.indexOf(kind) >= 0;
      pen.fillRect(broad ? 0 : map.width * 0.35, n * size, broad ? map.width : map.width * 0.3, Math.max(size, (broad ? 3 : 1) * scale));
    });
  }
  function viewport() {
    var box = at("viewport"), all = Math.max(canvas.offsetHeight, grid.clientHeight);
    box.style.top = grid.scrollTop / all * map.clientHeight + "px";
    box.style.height = Math.max(6, grid.clientHeight / all * map.clientHeight) + "px";
  }

  /* ---- from problem to problem */

  function places(kinds) {
    var out = [];
    DATA.sheets.forEach(function (one, n) {
      if (!one.by) { unpack(one); }
      var own = one.marks.filter(function (mark) { return kinds.indexOf(mark[2]) >= 0; }).map(function (mark) {
        return [n, mark[0], mark[1]];
      });
      one.data.forEach(function (column) {
        if (!column.state) { return; }
        for (var row = 1; row <= one.rows; row++) {
          var i = column.check_at[row];
          if (i >= 0 && kinds.indexOf(column.state[i]) >= 0) { own.push([n, row, column.column]); }
        }
      });
      own.sort(function (a, b) { return a[1] - b[1] || a[2] - b[2]; });
      out = out.concat(own);
    });
    return out;
  }
  function step(way) {
    hits = hits || places(wanted || WRONG);
    if (!hits.length) { at("step").textContent = "nothing to look at"; return; }
    var here = [DATA.sheets.indexOf(sheet), sheet.row, sheet.column], n;
    function after(one) { return one[0] - here[0] || one[1] - here[1] || one[2] - here[2]; }
    if (way > 0) {
      for (n = 0; n < hits.length && after(hits[n]) <= 0; n++) { /* look on */ }
      n = n % hits.length;
    } else {
      for (n = hits.length - 1; n >= 0 && after(hits[n]) >= 0; n--) { /* look back */ }
      n = (n + hits.length) % hits.length;
    }
    open(hits[n][0], hits[n][1], hits[n][2]);
    at("step").textContent = (n + 1).toLocaleString("en") + " of " + hits.length.toLocaleString("en") +
      (wanted ? " " + LOOK[wanted].name : "");
  }

  /* ---- what the reader does */

  var waiting = false;
  grid.addEventListener("scroll", function () {
    tip.hidden = true;
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(function () { waiting = false; draw(); });
    }
  }, { passive: true });
  grid.addEventListener("click", function (event) {
    var place = under(event);
    if (place) { select(place.row, place.column, false); }
  });
  grid.addEventListener("pointermove", function (event) {
    if (event.pointerType === "touch") { return; }
    var place = under(event);
    if (!place || (value(sheet, place.row, place.column) === null && !letter(sheet, place.row, place.column))) {
      tip.hidden = true;
      return;
    }
    var key = place.row + ":" + place.column;
    if (tip.hidden || tip.dataset.cell !== key) {
      tip.dataset.cell = key;
      tip.textContent = "";
      tip.appendChild(described(sheet, place.row, place.column));
      tip.hidden = false;
    }
    var x = event.clientX + 18, y = event.clientY + 18;
    if (x + tip.offsetWidth > innerWidth - 8) { x = Math.max(8, event.clientX - tip.offsetWidth - 14); }
    if (y + tip.offsetHeight > innerHeight - 8) { y = Math.max(8, event.clientY - tip.offsetHeight - 14); }
    tip.style.left = x + "px";
    tip.style.top = y + "px";
  });
  grid.addEventListener("pointerleave", function () { tip.hidden = true; });
  grid.addEventListener("keydown", function (event) {
    if (event.altKey || event.metaKey) { return; }
    var page = Math.max(1, Math.floor(grid.clientHeight / ROW) - 2);
    var to = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-page, 0], PageDown: [page, 0],
      Home: [event.ctrlKey ? -1e9 : 0, -1e9], End: [event.ctrlKey ? 1e9 : 0, 1e9],
    }[event.key];
    if (to) { select(sheet.row + to[0], sheet.column + to[1], true); }
    else if (event.key === "n") { step(1); }
    else if (event.key === "p") { step(-1); }
    else { return; }
    event.preventDefault();
    tip.hidden = true;
  });
  map.addEventListener("pointerdown", function (event) {
    grid.scrollTop = event.offsetY / map.clientHeight * canvas.offsetHeight - grid.clientHeight / 2;
  });
  at("next").addEventListener("click", function () { step(1); });
  at("previous").addEventListener("click", function () { step(-1); });
  at("find").addEventListener("submit", function (event) {
    event.preventDefault();
    var match = /^\$?([A-Za-z]{1,3})\$?(\d{1,7})$/.exec(at("address").value.trim());
    if (match) { select(+match[2], number(match[1].toUpperCase()), true); grid.focus({ preventScroll: true }); }
    at("address").setAttribute("aria-invalid", String(!match));
  });
  [].forEach.call(document.querySelectorAll("[role=tab]"), function (tab, n, tabs) {
    tab.addEventListener("click", function () { open(n); });
    tab.addEventListener("keydown", function (event) {
      var way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      var to = (n + way + tabs.length) % tabs.length;
      if (way) { open(to); tabs[to].focus(); }
    });
  });
  [].forEach.call(document.querySelectorAll("[data-state]"), function (chip) {
    chip.addEventListener("click", function () {
      var same = wanted === chip.dataset.state;
      wanted = same ? "" : chip.dataset.state;
      hits = null;
      [].forEach.call(document.querySelectorAll("[data-state]"), function (other) {
        other.setAttribute("aria-pressed", String(other.dataset.state === wanted));
      });
      at("step").textContent = "";
      if (wanted) { step(1); }
    });
  });
  [].forEach.call(document.querySelectorAll("[data-cell]"), function (button) {
    button.addEventListener("click", function () {
      var to = button.dataset.cell.split(" ").map(Number);
      open(to[0], to[1], to[2]);
      if (grid.getBoundingClientRect().top < 0 || grid.getBoundingClientRect().bottom > innerHeight) {
        at("sheets").scrollIntoView({ block: "start" });
      }
      grid.focus({ preventScroll: true });
    });
  });
  addEventListener("resize", function () { minimap(); draw(); });

  document.body.classList.add("alive");
  var first = at("problems").querySelector("[data-cell]");
  var start = first ? first.dataset.cell.split(" ").map(Number) : [0, 0, 0];
  open(start[0], start[1], start[2]);
})();
