// What a page has only with this script: hints that a table scrolls, sorting, filters, values on hover, the switch of the
// color scale, and enlarged heads. Comes after elements.js. All text is set with textContent.

// --- tables that are wider than the screen
const hintScroll = box => {
  const hint = make("p", { className: "hint", textContent: "wider than the screen: scroll sideways ↔", hidden: true });
  box.before(hint);
  const mark = () => {
    const left = Math.abs(box.scrollLeft), room = box.scrollWidth - box.clientWidth;
    const isRight = getComputedStyle(box).direction === "rtl";
    box.classList.toggle(isRight ? "back" : "more", room > 1 && left < room - 1);
    box.classList.toggle(isRight ? "more" : "back", room > 1 && left > 1);
    hint.hidden = room <= 1;
  };
  box.addEventListener("scroll", mark, { passive: true });
  new ResizeObserver(mark).observe(box);
};
all(".scroll").forEach(hintScroll);

// --- sorting
const numberIn = text => (/^[−-]?[\d.,]+/.test(text) ? parseFloat(text.replace("−", "-").replace(/,/g, "")) : NaN);
for (const table of all("table.sortable")) {
  const heads = all("thead th", table), body = table.tBodies[0];
  const text = (row, column) => row.cells[column].textContent.trim();
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const isUp = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      const rows = [...body.rows], numbers = rows.map(row => numberIn(text(row, column)));
      const areNumbers = head.classList.contains("number") && numbers.some(each => !isNaN(each));
      const order = rows.map((row, index) => index).sort((one, other) => (isUp ? 1 : -1) * (areNumbers
        ? (numbers[one] || 0) - (numbers[other] || 0)
        : text(rows[one], column).localeCompare(text(rows[other], column))));
      body.append(...order.map(index => rows[index]));
    });
  });
}

// --- filters
for (const table of all("table.filterable")) {
  const rows = [...table.tBodies[0].rows];
  const texts = rows.map(row => [...row.cells].map(cell => cell.textContent.normalize().toLowerCase()));
  const input = make("input", { type: "search" });
  const count = make("output");
  const show = () => {
    const wanted = input.value.normalize().toLowerCase();
    const shown = rows.filter((row, index) => {
      row.hidden = !texts[index].some(text => text.includes(wanted));
      return !row.hidden;
    });
    count.textContent = wanted ? `${shown.length} of ${rows.length} rows` : "";
  };
  input.addEventListener("input", show);
  table.closest(".scroll").before(make("div", { className: "filter" }, make("label", {}, "filter", input), count));
}

// --- heat maps: the cell under the pointer or the keyboard's focus is named
const nameCell = table => {
  const head = all("thead th", table);
  const rows = [...table.tBodies[0].rows].map(row => all("td", row));
  const output = make("output", { className: "readout" });
  table.closest(".scroll").after(output);
  const forward = table.dir === "rtl" ? -1 : 1;
  const show = (cell, y, x) => {
    head.forEach((each, column) => each.classList.toggle("here", column === x));
    const parts = [cell.parentElement.cells[0].textContent, table.dataset.verb, head[x].textContent];
    output.textContent = `\u2068${parts[0]}\u2069 ${parts[1]} \u2068${parts[2]}\u2069: ${cell.title || cell.textContent || "0"}`;
  };
  rows.forEach((row, y) => row.forEach((cell, x) => {
    cell.tabIndex = x || y ? -1 : 0;
    cell.addEventListener("mouseenter", () => show(cell, y, x));
    cell.addEventListener("focus", () => {
      all('td[tabindex="0"]', table).forEach(other => { other.tabIndex = -1; });
      cell.tabIndex = 0;
      show(cell, y, x);
    });
    cell.addEventListener("keydown", event => {
      const position = { ArrowRight: [y, x + forward], ArrowLeft: [y, x - forward], ArrowDown: [y + 1, x],
        ArrowUp: [y - 1, x], Home: [y, 0], End: [y, row.length - 1] }[event.key];
      rows[position?.[0]]?.[position[1]]?.focus();
      if (position) event.preventDefault();
    });
  }));
};
all("table.heat").forEach(nameCell);

// --- small heat maps: named values, and a larger view
const cellsOf = drawing => new Map(all("path", drawing).flatMap(path => [...path.getAttribute("d").matchAll(/M([\d.]+) ([\d.]+)/g)]
  .map(found => [`${found[1]} ${found[2]}`, path.dataset.weight])));
const nameCells = (output, drawing) => {
  const cells = cellsOf(drawing);
  const rows = all(".row", drawing), columns = all(".column", drawing);
  drawing.addEventListener("pointermove", event => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const x = 10 * Math.floor(place.x / 10), y = 10 * Math.floor(place.y / 10) + 5;
    const row = rows[(y - 5 - Number(drawing.dataset.above)) / 10], column = columns.find(each => Number(each.dataset.x) === x);
    output.textContent = row && column
      ? `\u2068${row.textContent}\u2069 attends to \u2068${column.textContent}\u2069: ${cells.get(`${x} ${y}`) || 0} %` : "";
  });
};
all(".head path").forEach(path => { path.dataset.weight = path.getAttribute("class").slice(1); });
for (const group of all(".heads")) {
  const output = make("output", { className: "readout" });
  group.after(output);
  all("svg", group).forEach(drawing => nameCells(output, drawing));
}
for (const figure of all("figure.head")) {
  const drawing = figure.querySelector("svg");
  const open = () => {
    const larger = drawing.cloneNode(true), copy = make("figure", { className: "head" });
    const close = make("button", { type: "button", textContent: "close" });
    const output = make("output", { className: "readout" });
    copy.append(make("figcaption", { textContent: figure.querySelector("figcaption").textContent }), larger, output);
    nameCells(output, larger);
    const dialog = make("dialog", {}, close, copy);
    dialog.setAttribute("aria-label", copy.querySelector("figcaption").textContent);
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };
  figure.classList.add("open");
  const caption = figure.querySelector("figcaption"), button = make("button", { type: "button", textContent: caption.textContent });
  button.title = "enlarge";
  caption.replaceChildren(button);
  button.addEventListener("click", open);
  drawing.addEventListener("click", open);
}

// --- the scale of colors: 0 to 1, or to the largest weight of each text
for (const scale of all(".scale")) {
  const within = scale.closest("section");
  const cells = all('.heat [class^="w"], .head path', within);
  if (!cells.length) continue;
  const weights = cells.map(cell => Number(cell.getAttribute("class").slice(1)));
  const largest = Math.max(1, ...weights), end = scale.querySelector(".end");
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => {
    cells.forEach((cell, index) => {
      cell.setAttribute("class", `w${input.checked ? Math.round(100 * weights[index] / largest) : weights[index]}`);
    });
    end.textContent = input.checked ? (largest / 100).toFixed(2) : "1";
  });
  scale.append(make("label", {}, input, " stretch to the largest weight"));
}

// --- charts: the values at the update under the pointer
for (const figure of all("figure.chart[data-to]")) {
  const drawing = figure.querySelector("svg"), { left, right, top, bottom, from, to, last } =
    Object.fromEntries(Object.entries(figure.dataset).map(([key, value]) => [key, Number(value)]));
  const curves = all(".curve", drawing).map(path => [path.dataset.name,
    [...path.getAttribute("d").matchAll(/([\d.-]+),([\d.-]+)/g)].map(found => [Number(found[1]), Number(found[2])])]);
  const output = make("output", { className: "values" });
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cursor.setAttribute("class", "cursor");
  figure.append(output);
  const short = value => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));
  drawing.addEventListener("pointermove", event => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
    const near = curves.map(([name, points]) => [name, points.reduce((best, point) =>
      (Math.abs(point[0] - place.x) < Math.abs(best[0] - place.x) ? point : best), points[0])]);
    const x = near[0][1][0];
    for (const [key, value] of Object.entries({ x1: x, x2: x, y1: top, y2: bottom })) cursor.setAttribute(key, value);
    drawing.append(cursor);
    output.textContent = `update ${Math.round(last * (x - left) / (right - left)).toLocaleString("en")}: ` + near.map(([name, point]) =>
      `${name ? name + " " : ""}${short(from + (to - from) * (bottom - point[1]) / (bottom - top))}`).join(", ");
  });
  drawing.addEventListener("pointerleave", () => { cursor.remove(); output.textContent = ""; });
}
