// The data of the page, and elements made of text: nothing that comes from data is ever read as HTML.

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const rows = rowsOf(data.classes); // a class each, in the order of their indices

// {a: [1, 2], b: [3, 4]} as [{a: 1, b: 3}, {a: 2, b: 4}].
function rowsOf(columns) {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, index) => Object.fromEntries(names.map((name) => [name, columns[name][index]])));
}

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Numbers, the same everywhere; what is undefined is a dash.

const MISSING = "–";
const fixed = (digits) => (value) => (value === null ? MISSING : value.toFixed(digits).replace("-", "−"));
const score = fixed(3);
const figure = (value) => fixed(value !== null && Math.abs(value) >= 10 ? 2 : 4)(value);
const count = (value) => (value === null ? MISSING : value.toLocaleString("en-US"));
const compact = (value) => value.toLocaleString("en-US", { notation: "compact" });
const percent = (value) => (value === null ? MISSING : `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)} %`);
const ratio = (value) => (value === null ? MISSING : fixed(value < 10 ? 2 : value < 100 ? 1 : 0)(value));
const step = (value) => String(Number(value.toPrecision(6)));
