// Charts in SVG, drawn at the width that they have on the page and again when that changes.
//
// An axis is {label, domain: [low, high], log, ticks, format}. `marks(x, y)` returns the shapes, with x and y the
// scales. `points(x, y)` returns what a pointer can find: [{x, y, lines, click}].

const MARGIN = { top: 10, right: 14, bottom: 48, left: 58 };
const HEIGHT = 320;
const DASHES = [null, "7 4", "2 3", "9 3 2 3", "4 2", "12 4"];

function makeChart(box, chart) {
  let drawn = 0;
  box.style.minHeight = `${chart.height ?? HEIGHT}px`;
  const draw = () => {
    drawn = box.clientWidth;
    if (drawn) box.replaceChildren(chartAt(drawn, chart));
  };
  new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - drawn) > 1) draw();
  }).observe(box);
  draw();
  return draw;
}

function chartAt(width, { title, x, y, marks, points, height = HEIGHT }) {
  const across = scale(x, MARGIN.left, width - MARGIN.right);
  const up = scale(y, height - MARGIN.bottom, MARGIN.top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  svg.append(...xAxis(x, across, width, height), ...yAxis(y, up, width, height), ...marks(across, up));
  if (points) followPointer(svg, points(across, up), width);
  return svg;
}

function scale({ domain: [low, high], log }, start, stop) {
  const place = log ? Math.log10 : Number;
  const span = place(high) - place(low) || 1;
  return (value) => start + ((place(value) - place(low)) / span) * (stop - start);
}

function xAxis({ label, ticks, format = step }, across, width, height) {
  const floor = height - MARGIN.bottom;
  const middle = (MARGIN.left + width - MARGIN.right) / 2;
  const apart = ticks.filter((tick, index) => index === 0 || across(tick) - across(ticks[index - 1]) > 0);
  return [
    ...apart.map((tick) => line(across(tick), MARGIN.top, across(tick), floor, "grid")),
    ...apart.map((tick) => text(across(tick), floor + 18, format(tick), "middle")),
    line(MARGIN.left, floor, width - MARGIN.right, floor, "axis"),
    text(middle, height - 8, label, "middle", "axis-label"),
  ];
}

function yAxis({ label, ticks, format = step }, up, width, height) {
  const middle = (MARGIN.top + height - MARGIN.bottom) / 2;
  const name = text(0, 0, label, "middle", "axis-label");
  name.setAttribute("transform", `translate(14 ${middle}) rotate(-90)`);
  return [
    ...ticks.map((tick) => line(MARGIN.left, up(tick), width - MARGIN.right, up(tick), "grid")),
    ...ticks.map((tick) => text(MARGIN.left - 8, up(tick) + 4, format(tick), "end")),
    name,
  ];
}

function line(x1, y1, x2, y2, kind) {
  return shape("line", { x1, y1, x2, y2, class: kind });
}

function text(x, y, words, anchor, kind = null) {
  return shape("text", { x, y, "text-anchor": anchor, class: kind }, words);
}

// A line has the colour of its place among the lines of a chart, and its dashes, so that colour alone tells nothing.

function path(points, place) {
  const d = points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  return shape("path", { d, ...looksOf(place) });
}

function swatch(place) {
  const bar = shape("path", { d: "M0 5H24", ...looksOf(place) });
  return shape("svg", { width: 24, height: 10, "aria-hidden": "true" }, bar);
}

function looksOf(place) {
  return { class: "line", stroke: `var(--series-${place})`, "stroke-dasharray": DASHES[place] };
}

// Ticks: of a share, of any range, of powers of ten.

const SHARES = [0, 0.2, 0.4, 0.6, 0.8, 1];

function linearTicks(low, high, most = 5) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const first = Math.ceil(low / size - 1e-9);
  const last = Math.floor(high / size + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * size).toPrecision(12)));
}

function logTicks(low, high) {
  const inside = (steps) =>
    range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)))
      .flatMap((power) => steps.map((each) => Number((each * 10 ** power).toPrecision(3))))
      .filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  const tens = inside([1]);
  return tens.length > 2 ? tens : inside([1, 2, 5]);
}

function extent(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

function range(first, last) {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

// What lies nearest to the pointer is named in a tooltip.

function followPointer(svg, points, width) {
  const nearest = (event) => {
    const frame = svg.getBoundingClientRect();
    const zoom = width / frame.width;
    const [x, y] = [(event.clientX - frame.left) * zoom, (event.clientY - frame.top) * zoom];
    let best = null;
    let reach = 24;
    for (const point of points) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < reach) [best, reach] = [point, distance];
    }
    return best;
  };
  const show = (event) => showTooltip(nearest(event), event);
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", () => showTooltip(null));
  svg.addEventListener("click", (event) => nearest(event)?.click?.());
}

function showTooltip(point, event) {
  const tip = byId("tooltip");
  tip.hidden = !point;
  if (!point) return;
  tip.replaceChildren(...point.lines.map((words) => element("div", {}, words)));
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(left, 8) + window.scrollX}px`;
  tip.style.top = `${event.clientY + 16 + window.scrollY}px`;
}
