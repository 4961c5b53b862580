// The table of classes, and the two charts that share its choice: a class that is clicked anywhere is drawn.

const MOST_CHOSEN = 6;
const SAID_MS = 5000;
const chosen = [...data.chosen]; // class indices, in the order of their colours; null is a colour that is free
const redraws = [];
const FORMATS = { score, count, ratio, percent };

const picks = { has: ({ index }) => chosen.includes(index), click: ({ index }) => choose(index) };

function classColumns() {
  const name = { key: "name", label: "Class", kind: "long", cell: (row) => named(row) };
  return [
    name,
    ...data.columns.map(({ format, ...column }) => ({ ...column, number: true, format: FORMATS[format] })),
    ...("mid" in data.classes ? [{ key: "mid", label: "Id", kind: "muted" }] : []),
  ];
}

function named({ index, name }) {
  const place = chosen.indexOf(index);
  return place < 0 ? name : element("span", {}, swatch(place), ` ${name}`);
}

function fillClasses() {
  byId("class-note").textContent = data.class_note;
  const sort = { key: "average_precision", down: true };
  const table = makeTable(byId("class-table"), {
    rows,
    columns: classColumns(),
    noun: "classes",
    search: true,
    sort,
    picks,
  });
  redraws.push(table);
  const short = classColumns().filter(({ key }) => ["name", "average_precision", data.against.key].includes(key));
  short[1].cell = ({ average_precision: value }) => meter(value, score(value));
  for (const [id, indices] of Object.entries(data.extremes)) {
    const some = indices.map((index) => rows[index]);
    redraws.push(makeTable(byId(id), { rows: some, columns: short, noun: `${id} classes`, sorts: false, picks }));
  }
}

function choose(index) {
  const place = chosen.indexOf(index);
  const { name } = rows[index];
  if (place >= 0) {
    chosen[place] = null;
    say(`${name} is taken out of the chart.`);
  } else if (!data.curves[index]) {
    return say(`${name} has no positives among these clips, so no curve.`);
  } else if (free() < 0) {
    return say(`The chart holds ${MOST_CHOSEN} classes: take one out first.`);
  } else {
    chosen[free()] = index;
    say(`${name} is in the chart.`);
  }
  redraws.forEach((redraw) => redraw());
}

function free() {
  const gap = chosen.indexOf(null);
  return gap >= 0 ? gap : chosen.length < MOST_CHOSEN ? chosen.length : -1;
}

function say(words) {
  byId("said").textContent = words;
  clearTimeout(say.later);
  say.later = setTimeout(() => {
    byId("said").textContent = "";
  }, SAID_MS);
}

function fillScatter() {
  const { key, label, noun } = data.against;
  const some = rows.filter((row) => row.average_precision !== null && row[key] > 0);
  const left = data.classes.index.length - some.length;
  byId("scatter-note").textContent =
    "A point a class. Click one to have its curve in the chart of precision and recall." +
    (left ? ` ${count(left)} classes without positives are left out.` : "");
  if (!some.length) return;
  const [low, high] = extent(some.map((row) => row[key]));
  const domain = [low / 1.2, Math.max(high, low * 9) * 1.2];
  const point = (x, y) => (row) => ({
    x: x(row[key]),
    y: y(row.average_precision),
    click: () => choose(row.index),
    lines: [row.name, `AP ${score(row.average_precision)}, ${count(row[key])} ${noun}`],
  });
  const dot = (x, y) => (row) =>
    shape("circle", {
      cx: x(row[key]),
      cy: y(row.average_precision),
      r: 4,
      class: picks.has(row) ? "dot picked" : "dot",
      ...(picks.has(row) && { fill: `var(--series-${chosen.indexOf(row.index)})` }),
    });
  const chart = makeChart(byId("scatter"), {
    title: `Average precision of ${some.length} classes against ${label}`,
    x: { label: `${label} (log)`, domain, log: true, ticks: logTicks(...domain), format: count },
    y: { label: "Average precision", domain: [0, 1], ticks: SHARES, format: fixed(1) },
    marks: (x, y) => some.map(dot(x, y)),
    points: (x, y) => some.map(point(x, y)),
  });
  redraws.push(chart);
}

// A curve is [recall, precision, recall, precision, ...] in thousandths; average precision is the area under its steps.

function steps(curve) {
  const points = [[0, curve[1] / 1000]];
  for (let at = 0; at < curve.length; at += 2) {
    const before = points[points.length - 1][0];
    points.push([before, curve[at + 1] / 1000], [curve[at] / 1000, curve[at + 1] / 1000]);
  }
  return points;
}

function fillCurves() {
  const places = () => chosen.map((index, place) => [index, place]).filter(([index]) => index !== null);
  const placed = (x, y, index) => steps(data.curves[index]).map(([recall, precision]) => [x(recall), y(precision)]);
  const chart = makeChart(byId("curves"), {
    title: "Precision against recall of the chosen classes",
    x: { label: "Recall", domain: [0, 1], ticks: SHARES, format: fixed(1) },
    y: { label: "Precision", domain: [0, 1], ticks: SHARES, format: fixed(1) },
    marks: (x, y) => places().map(([index, place]) => path(placed(x, y, index), place)),
    points: (x, y) =>
      places().flatMap(([index]) =>
        steps(data.curves[index]).map(([recall, precision]) => ({
          x: x(recall),
          y: y(precision),
          lines: [rows[index].name, `recall ${fixed(2)(recall)}, precision ${fixed(2)(precision)}`],
        })),
      ),
  });
  redraws.push(chart, fillChips);
  fillChips();
  fillAdd();
}

function fillChips() {
  const chips = chosen.map((index, place) => (index === null ? null : element("li", {}, chip(rows[index], place))));
  const focused = byId("chosen").contains(document.activeElement);
  byId("chosen").replaceChildren(...chips.filter(Boolean));
  if (focused) byId("add-class").focus();
}

function chip({ index, name, average_precision: value }, place) {
  const out = { type: "button", title: "Take it out of the chart", onclick: () => choose(index) };
  const cross = element("span", { "aria-hidden": "true" }, "×");
  return element("button", out, swatch(place), `${name}, AP ${score(value)}`, cross);
}

function classCalled(words) {
  const name = (row) => row.name.toLowerCase();
  return rows.find((row) => name(row) === words) ?? rows.find((row) => name(row).includes(words));
}

function fillAdd() {
  const drawn = rows.filter(({ index }) => data.curves[index]);
  byId("class-names").append(...drawn.map(({ name }) => element("option", { value: name })));
  byId("add").addEventListener("submit", (event) => {
    event.preventDefault();
    const words = byId("add-class").value.trim().toLowerCase();
    const row = words && classCalled(words);
    if (!row) return say(words ? `No class is called “${words}”.` : "Type the name of a class.");
    if (picks.has(row)) return say(`${row.name} is in the chart already.`);
    byId("add-class").value = "";
    choose(row.index);
  });
}
