// A table that sorts by a click on a heading, and that can be searched.
//
// columns: [{key, label, about, kind, number, format(value) or cell(row)}]; rows: [{key: value}]. `first` rows are
// shown until all are asked for. `picks` makes rows clickable: {click(row), has(row)}. Returns what draws the rows again.

function makeTable(box, { columns, rows, first = 50, noun, search = false, sort = null, sorts = true, picks = null }) {
  const state = { sort, words: "", all: rows.length <= first };
  const heads = columns.map((column) => heading(column, sorts && (() => sortBy(column))));
  const body = element("tbody");
  const shown = element("span", { class: "shown", role: "status" });
  const more = element("button", {
    type: "button",
    class: "more",
    onclick: () => {
      state.all = true;
      fill();
    },
  });

  function sortBy({ key, number }) {
    const again = state.sort && state.sort.key === key;
    state.sort = { key, down: again ? !state.sort.down : Boolean(number) };
    fill();
  }

  function fill() {
    const found = sorted(
      rows.filter((row) => matches(row, columns, state.words)),
      state.sort,
    );
    const visible = state.all ? found : found.slice(0, first);
    const focused = [...body.rows].findIndex((row) => row.contains(document.activeElement));
    body.replaceChildren(...visible.map((row) => tableRow(row, columns, picks)));
    body.rows[focused]?.querySelector("button")?.focus();
    if (sorts) heads.forEach((head, index) => head.setAttribute("aria-sort", direction(columns[index], state.sort)));
    shown.textContent =
      found.length > visible.length || state.words
        ? `${count(visible.length)} of ${count(rows.length)} ${noun}`
        : `${count(rows.length)} ${noun}`;
    more.textContent = `Show all ${count(found.length)}`;
    more.hidden = found.length <= visible.length;
  }

  const find = search
    ? searchField(box.id, noun, (words) => {
        state.words = words;
        fill();
      })
    : element("span");
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
  const bar = element("div", { class: "bar-row" }, find, shown);
  const label = { class: "scroll", tabindex: "0", role: "region", "aria-label": noun };
  box.replaceChildren(...(search || rows.length > first ? [bar] : []), element("div", label, table), more);
  fill();
  return fill;
}

function heading({ label, about, number }, onclick) {
  const content = onclick ? element("button", { type: "button", onclick }, label) : label;
  return element("th", { scope: "col", title: about, class: number ? "number" : null }, content);
}

function tableRow(row, columns, picks) {
  const cells = columns.map((column, index) => {
    const content = cellOf(row, column);
    const kind = [column.number && "number", column.kind].filter(Boolean).join(" ") || null;
    if (index) return element("td", { class: kind }, content);
    const pick = picks && { type: "button", class: "pick", "aria-pressed": String(picks.has(row)) };
    return element("th", { scope: "row", class: kind }, pick ? element("button", pick, content) : content);
  });
  if (!picks) return element("tr", {}, ...cells);
  const classes = picks.has(row) ? "picks picked" : "picks";
  return element("tr", { class: classes, onclick: () => picks.click(row) }, ...cells);
}

function cellOf(row, { key, format = (value) => value ?? MISSING, cell }) {
  return cell ? cell(row) : format(row[key] ?? null);
}

function searchField(id, noun, onwords) {
  const field = element("input", {
    type: "search",
    id: `${id}-search`,
    autocomplete: "off",
    oninput: (event) => onwords(event.target.value.trim().toLowerCase()),
  });
  return element("div", { class: "search" }, element("label", { for: `${id}-search` }, `Search ${noun}`), field);
}

function matches(row, columns, words) {
  if (!words) return true;
  const text = columns
    .filter(({ number }) => !number)
    .map(({ key }) => row[key] ?? "")
    .join(" ")
    .toLowerCase();
  return words.split(/\s+/).every((word) => text.includes(word));
}

function sorted(rows, sort) {
  if (!sort) return rows;
  const value = (row) => row[sort.key] ?? null;
  const sign = sort.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (left === null || right === null) return (left === null) - (right === null); // what is undefined comes last
    return sign * (typeof left === "string" ? left.localeCompare(right, "en", { numeric: true }) : left - right);
  });
}

function direction({ key }, sort) {
  return !sort || sort.key !== key ? "none" : sort.down ? "descending" : "ascending";
}

function meter(value, text) {
  const fill = element("span");
  fill.style.width = `${100 * Math.min(Math.max(value ?? 0, 0), 1)}%`;
  return element("span", {}, text, element("span", { class: "meter", "aria-hidden": "true" }, fill));
}
