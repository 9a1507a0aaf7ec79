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
