// What every page begins with: its data, its words, and elements that take text as text.
const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const WORDS = JSON.parse($("words").textContent); // by language
let language = data.language ?? Object.keys(WORDS)[0];

const make = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
// A text of the table with its places filled in; of one with a plural, the form for n.
function say(key, values = {}) {
  const text = WORDS[language][key];
  return (text.other ? text[values.n === 1 ? "one" : "other"] : text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
const list = (key) => say(key).split(" | ");
// The words of the page's own elements, which name them.
function words() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const [from, to] of [["name", "aria-label"], ["title", "title"], ["hint", "placeholder"]]) {
    for (const element of document.querySelectorAll(`[data-${from}]`)) element.setAttribute(to, say(element.dataset[from]));
  }
}
// A field for numbers, written "0,1" as well as "0.1". What is no number, or not a `fit` one, is said below the field,
// changes nothing, and gives way to the number that holds when the field is left.
const wrong = make("p", { id: "wrong", role: "alert", hidden: "" });
function numeric(field, take, { event = "input", fit = () => true, reason = "notNumber", held }) {
  fill(field, { type: "text", inputmode: reason === "notNumber" ? "text" : "decimal", autocomplete: "off", spellcheck: "false" }, []);
  field.classList.add("number");
  const read = () => (/^\s*[+\-−]?(\d+([.,]\d*)?|[.,]\d+)(e[+\-−]?\d+)?\s*$/i.test(field.value) ? Number(field.value.replace(",", ".").replace(/−/g, "-")) : NaN);
  const judge = () => {
    const x = read();
    const told = !Number.isFinite(x) ? say("notNumber") : fit(x) ? "" : say(reason);
    field.setAttribute("aria-invalid", String(told !== ""));
    wrong.hidden = !told;
    if (!told) return x;
    const { left, bottom } = field.getBoundingClientRect();
    document.body.append(wrong);
    wrong.textContent = told;
    Object.assign(wrong.style, { left: `${Math.max(4, Math.min(left, innerWidth - wrong.offsetWidth - 4))}px`, top: `${bottom + 4}px` });
    return null;
  };
  field.addEventListener("input", () => { const x = judge(); if (x !== null && event === "input") take(x); });
  field.addEventListener("change", () => { const x = judge(); if (x !== null && event === "change") take(x); });
  field.addEventListener("blur", () => {
    field.value = held();
    field.setAttribute("aria-invalid", "false");
    wrong.hidden = true;
  });
  return field;
}
