// Fills the sections of the page from the data inside it.

const MOST_DOTS = 40; // on a line
function fillHeader() {
  byId("summary").textContent = data.summary;
  for (const section of document.querySelectorAll("main > section:not([hidden])")) {
    byId("contents").append(element("a", { href: `#${section.id}` }, section.querySelector("h2").textContent));
  }
}

function switchColours() {
  const looks = ["auto", "light", "dark"];
  const root = document.documentElement;
  const next = looks[(looks.indexOf(root.dataset.theme ?? "auto") + 1) % looks.length];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  byId("theme").textContent = `Colours: ${next}`;
}

function interval({ low, high }, format) {
  return low === null ? MISSING : `${format(low)} to ${format(high)}`;
}

function fillFigures() {
  const tiles = data.headlines.filter(({ tile }) => tile !== null).sort((a, b) => a.tile - b.tile);
  byId("tiles").replaceChildren(
    ...tiles.map((row) =>
      element(
        "div",
        { class: "tile" },
        element("div", { class: "name" }, row.label),
        element("div", { class: "value" }, score(row.value)),
        data.has_intervals ? element("div", { class: "interval" }, interval(row, score)) : null,
      ),
    ),
  );
  const between = { key: "low", label: "95 % interval", number: true, cell: (row) => interval(row, figure) };
  makeTable(byId("headlines"), {
    rows: data.headlines,
    noun: "figures",
    sorts: false,
    columns: [
      { key: "label", label: "Figure" },
      { key: "value", label: "Value", number: true, format: figure },
      ...(data.has_intervals ? [between] : []),
      { key: "meaning", label: "Meaning", kind: "long muted meaning" },
    ],
  });
  pairs(byId("about"), data.about);
}

function pairs(box, entries) {
  const parts = entries.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  box.replaceChildren(element("dl", { class: "pairs" }, ...parts));
}

function fillCalibration() {
  const bins = data.reliability.filter(({ pairs: some }) => some > 0);
  const told = ({ low, high, pairs: some, mean, observed }) => [
    `${fixed(2)(low)} to ${fixed(2)(high)}`,
    `given ${score(mean)}, true ${score(observed)}`,
    `${count(some)} pairs`,
  ];
  const share = { domain: [0, 1], ticks: SHARES, format: fixed(1) };
  makeChart(byId("reliability"), {
    title: "Share that was true against the probability given",
    x: { ...share, label: "Probability given" },
    y: { ...share, label: "Share that was true" },
    marks: (x, y) => [
      line(x(0), y(0), x(1), y(1), "guide"),
      path(
        bins.map(({ mean, observed }) => [x(mean), y(observed)]),
        0,
      ),
      ...bins.map(({ mean, observed }) => shape("circle", { cx: x(mean), cy: y(observed), r: 4.5, class: "block" })),
    ],
    points: (x, y) => bins.map((bin) => ({ x: x(bin.mean), y: y(bin.observed), lines: told(bin) })),
  });
  const most = 10 ** Math.ceil(Math.log10(Math.max(...bins.map((bin) => bin.pairs), 10)));
  const powers = range(0, Math.log10(most)).map((power) => 10 ** power);
  makeChart(byId("bins"), {
    title: "Pairs of a clip and a class in each bin",
    x: { ...share, label: "Probability given" },
    y: { label: "Pairs (log)", domain: [0.5, most], log: true, ticks: powers, format: compact },
    marks: (x, y) =>
      bins.map(({ low, high, pairs: some }) =>
        shape("rect", {
          x: x(low) + 1,
          width: Math.max(x(high) - x(low) - 2, 1),
          y: y(some),
          height: y(0.5) - y(some),
          class: "block",
        }),
      ),
    points: (x, y) => bins.map((bin) => ({ x: (x(bin.low) + x(bin.high)) / 2, y: y(bin.pairs), lines: told(bin) })),
  });
}

function fillConfusions() {
  const names = rowsOf(data.confusions).map((row) => ({
    ...row,
    true: rows[row.true].name,
    above: rows[row.above].name,
  }));
  makeTable(byId("confusion-table"), {
    rows: names,
    first: 20,
    noun: "confusions",
    search: true,
    sort: { key: "clips", down: true },
    columns: [
      { key: "true", label: "True class", kind: "long" },
      { key: "above", label: "Scores higher", kind: "long" },
      { key: "clips", label: "Clips", number: true, format: count },
      {
        key: "of",
        label: "Of",
        number: true,
        format: count,
        about: "clips that have the true class and not the other one",
      },
      { key: "share", label: "Share", number: true, cell: ({ share }) => meter(share, percent(share)) },
      { key: "times_usual", label: "Times usual", number: true, format: ratio },
    ],
  });
}

function fillHardest() {
  const clips = data.hardest.map((clip) => ({
    ...clip,
    truth: clip.true.map((index, at) => `${rows[index].name} (${clip.places[at]})`).join(" · "),
    guessed: clip.guesses.map(([index, value]) => `${rows[index].name} ${fixed(2)(value)}`).join(" · "),
  }));
  makeTable(byId("hardest-table"), {
    rows: clips,
    first: 20,
    noun: "clips",
    search: true,
    sort: { key: "place", down: true },
    columns: [
      { key: "video_id", label: "Clip", cell: clipLink },
      { key: "truth", label: "True classes (place)", kind: "long" },
      { key: "guessed", label: "Highest scores", kind: "long muted" },
      {
        key: "place",
        label: "Lowest",
        number: true,
        format: count,
        about: "place of the lowest true class, 1 is the best",
      },
      { key: "loss", label: "Loss", number: true, format: fixed(1) },
      { key: "start_time", label: "At, s", number: true, format: step },
    ],
  });
}

function clipLink({ video_id: id, url }) {
  return url
    ? element("a", { href: url, rel: "noreferrer", class: "code" }, id)
    : element("span", { class: "code" }, id);
}

function fillOntology() {
  byId("violations").textContent = data.violations;
  for (const { title, columns, rows: groups } of data.ontology) {
    const box = element("div", { id: `ontology-${title}` });
    byId("ontology-tables").append(element("div", {}, element("h3", {}, title), box));
    const numbers = columns.map(({ key, label, whole }) => ({
      key,
      label,
      number: true,
      format: whole ? count : score,
    }));
    for (const column of numbers) {
      if (column.key === "mAP") column.cell = (row) => meter(row.mAP ?? null, score(row.mAP ?? null));
    }
    makeTable(box, {
      rows: groups,
      noun: "groups",
      first: 20,
      columns: [{ key: "name", label: "Group", kind: "long" }, ...numbers],
    });
  }
}

function fillTraining() {
  for (const { name, log, series } of data.training) {
    const box = element("div", { class: "chart" });
    const legend = element(
      "p",
      { class: "legend" },
      ...series.map(({ part, place }) => element("span", {}, swatch(place), part)),
    );
    byId("training-charts").append(
      element("figure", {}, element("figcaption", {}, element("h3", {}, name)), box, legend),
    );
    const all = series.flatMap(({ points }) => points);
    const [, last] = extent(all.map(([at]) => at));
    const [low, high] = extent(all.map(([, value]) => value));
    const domain = log ? [low / 1.1, high * 1.1] : [0, high * 1.05 || 1];
    makeChart(box, {
      title: `${name} against training steps`,
      height: 260,
      x: { label: "Step", domain: [0, last], ticks: linearTicks(0, last, 4), format: count },
      y: { label: log ? `${name} (log)` : name, domain, log, ticks: (log ? logTicks : linearTicks)(...domain) },
      marks: (x, y) => series.flatMap(({ points, place }) => lineWithDots(points, place, x, y)),
      points: (x, y) =>
        series.flatMap(({ part, points }) =>
          points.map(([at, value]) => ({
            x: x(at),
            y: y(value),
            lines: [part, `step ${count(at)}: ${step(value)}`],
          })),
        ),
    });
  }
}

function lineWithDots(points, place, x, y) {
  const placed = points.map(([at, value]) => [x(at), y(value)]);
  const fill = `var(--series-${place})`;
  const dots = placed.length > MOST_DOTS ? [] : placed.map(([cx, cy]) => shape("circle", { cx, cy, r: 3, fill }));
  return [path(placed, place), ...dots];
}

function fillPage() {
  const parts = {
    ontology: fillOntology,
    reliability: fillCalibration,
    training: fillTraining,
    settings: fillSettings,
  };
  for (const [name, fill] of Object.entries(parts)) {
    byId(`${name}-section`).hidden = !data[name].length;
    if (data[name].length) fill();
  }
  for (const fill of [fillFigures, fillClasses, fillScatter, fillCurves, fillConfusions, fillHardest, fillHeader])
    fill();
  byId("theme").addEventListener("click", switchColours);
}

function fillSettings() {
  pairs(byId("settings"), data.settings);
}

fillPage();
