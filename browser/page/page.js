// The page: an editor, what the code gives, and links that carry code. Python is in worker.js.
"use strict";

const $ = (id) => document.getElementById(id);
const { words, examples, megabytes, wheel } = JSON.parse($("texts").textContent);
const code = $("code"), output = $("output");
let language = new URL(location).searchParams.get("lang") ?? navigator.language.slice(0, 2);
if (!(language in words)) language = "en";

const say = (key, details = {}) => words[language][key].replace(/\{(\w+)\}/g, (_, name) => details[name]);
const short = (seconds) => seconds.toFixed(seconds < 10 ? 2 : 0);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// What is said, in the language chosen; the state is said again when it changes.

let told = () => "";
function state(key, details) {
  told = () => say(key, details);
  $("state").textContent = told();
}

function speak() {
  document.documentElement.lang = $("language").value = language;
  document.title = say("title");
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = say(each.dataset.text);
  $("run").title = say("runKeys");
  $("docs").href = language === "en" ? "../../" : `../../${language}/`;
  $("lite").href = `../../lite/lab/index.html?path=${language}/try.ipynb`;
  output.dataset.empty = say("empty");
  $("state").textContent = told();
  const titles = examples.map((each, i) => element("option", { value: i }, each[language].title));
  const chosen = examples.findIndex((each) => Object.values(each).some((one) => one.code === code.value));
  $("example").replaceChildren(element("option", { value: "", hidden: "" }, say("chosen")), ...titles);
  $("example").value = chosen < 0 ? "" : chosen;
  if (chosen >= 0) write(examples[chosen][language].code);
}

$("language").onchange = () => {
  language = $("language").value;
  const here = new URL(location);
  here.searchParams.set("lang", language);
  history.replaceState(null, "", here);
  speak();
};

// The editor: a textarea as tall as its text, with the numbers of its lines beside it.

function write(text) {
  code.value = text;
  number();
}

function number(wrong = 0) {
  const lines = code.value.split("\n").length;
  code.rows = Math.max(lines, 12);
  $("numbers").replaceChildren(...Array.from({ length: lines }, (_, i) =>
    element("div", i + 1 === wrong ? { class: "wrong" } : {}, String(i + 1))));
}

function goTo(line) {
  const before = code.value.split("\n").slice(0, line);
  const end = before.join("\n").length;
  code.focus();
  code.setSelectionRange(end - before.at(-1).length, end);
}

const type = (text) => document.execCommand(text ? "insertText" : "delete", false, text); // keeps what Ctrl+Z undoes

function changeLines(change) {
  const { value, selectionStart, selectionEnd } = code;
  const start = value.slice(0, selectionStart).lastIndexOf("\n") + 1;
  const last = selectionEnd > selectionStart && value[selectionEnd - 1] === "\n" ? selectionEnd - 1 : selectionEnd;
  const end = value.indexOf("\n", last) < 0 ? value.length : value.indexOf("\n", last);
  const old = value.slice(start, end), text = change(old.split("\n")).join("\n");
  if (text === old) return;
  code.setSelectionRange(start, end);
  type(text);
  const caret = Math.max(start, selectionStart + text.length - old.length);
  if (selectionStart === selectionEnd) code.setSelectionRange(caret, caret);
  else code.setSelectionRange(start, start + text.length);
}

const indent = (lines) => lines.map((line) => line && `    ${line}`);
const dedent = (lines) => lines.map((line) => line.replace(/^ {1,4}/, ""));
const comment = (lines) => lines.every((line) => /^\s*(#|$)/.test(line))
  ? lines.map((line) => line.replace(/^(\s*)# ?/, "$1")) : lines.map((line) => line && line.replace(/^(\s*)/, "$1# "));

let leaving = false; // after Escape the Tab key leaves the editor
code.onkeydown = (event) => {
  const { value, selectionStart: from, selectionEnd: to } = code;
  const ours = () => event.preventDefault();
  if (event.isComposing) return;
  if (event.key === "Tab" && !leaving && !event.ctrlKey && !event.altKey && !event.metaKey) {
    ours();
    if (event.shiftKey) changeLines(dedent);
    else if (from < to) changeLines(indent);
    else type(" ".repeat(4 - (from - value.slice(0, from).lastIndexOf("\n") - 1) % 4));
  } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    ours();
    const line = value.slice(value.slice(0, from).lastIndexOf("\n") + 1, from);
    type(`\n${line.match(/^ */)[0]}${/:\s*(#.*)?$/.test(line) ? "    " : ""}`);
  } else if (event.key === "/" && (event.ctrlKey || event.metaKey)) {
    ours();
    changeLines(comment);
  }
  if (!["Shift", "Tab"].includes(event.key)) leaving = event.key === "Escape";
};
code.oninput = () => {
  number();
  $("example").value = "";
};
code.onblur = () => { leaving = false; };

$("example").onchange = () => {
  write(examples[$("example").value][language].code);
  location.hash && history.replaceState(null, "", location.pathname + location.search);
};

// Links: the code, compressed, behind the #, which no server sees.

const through = async (bytes, stream) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());

async function packed(text) {
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream("deflate-raw"));
  const letters = btoa(Array.from(bytes, (each) => String.fromCharCode(each)).join(""));
  return letters.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked(letters) {
  const bytes = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  return new TextDecoder("utf-8", { fatal: true }).decode(await through(bytes, new DecompressionStream("deflate-raw")));
}

async function keep() {
  history.replaceState(null, "", `${location.pathname}${location.search}#code=${await packed(code.value)}`);
}

async function fromLink() {
  const carried = location.hash.match(/^#code=(.+)/);
  if (!carried) return false;
  try {
    write(await unpacked(carried[1]));
    state("fromLink");
  } catch {
    state("damaged");
  }
  waits = true;
  return told() === say("fromLink");
}

$("link").onclick = async () => {
  await keep();
  try {
    await navigator.clipboard.writeText(location.href);
    state("copied");
  } catch {
    state("inBar");
  }
};
window.onhashchange = async () => { if (await fromLink()) speak(); };

// Python: started when the page opens, ended by Stop and started anew.

let python, ready = false, waits = false, wrongs = 0; // waits: a message stays until the next run

function start() {
  ready = false;
  python = new Worker("worker.js", { type: "module" });
  python.onmessage = ({ data }) => heard[data.kind](data);
  python.onerror = (event) => {
    event.preventDefault();
    heard.failed({ text: event.message });
  };
}

function running(yes) {
  document.body.toggleAttribute("data-running", yes);
  $("run").disabled = yes;
  $("stop").disabled = !yes;
}

function run({ numpy = false } = {}) {
  if ($("run").disabled) return;
  wrongs = 0;
  waits = false;
  number();
  output.replaceChildren();
  running(true);
  state(numpy ? "numpy" : ready ? "running" : "queued");
  python.postMessage({ code: code.value, language, numpy });
}

function shown(made) {
  output.append(made);
  return made;
}

function text({ text }) {
  const last = output.lastElementChild;
  (last?.localName === "pre" ? last : shown(element("pre"))).append(text);
}

function picture({ text }) {
  const source = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const said = new DOMParser().parseFromString(text, "image/svg+xml").documentElement.getAttribute("aria-label");
  const image = element("img", { src: source, alt: said || say("picture") });
  shown(element("figure", {}, element("a", { href: source, target: "_blank", title: say("picture") }, image)));
}

function page({ text }) { // in a frame that can reach nothing of this page
  const inner = new DOMParser().parseFromString(text, "text/html").querySelector("iframe[srcdoc]");
  const frame = shown(element("iframe", { sandbox: "allow-scripts", title: say("page") }));
  frame.style.height = inner?.style.height || "420px";
  frame.srcdoc = inner?.getAttribute("srcdoc") ?? text;
}

function error({ text }) {
  const { lines, kind, says, numpy } = JSON.parse(text);
  const steps = lines.map(([line, name, source]) => {
    const jump = element("button", { type: "button" }, say(name ? "lineIn" : "line", { line, name }));
    jump.onclick = () => goTo(line);
    return element("li", {}, jump, element("code", {}, source));
  });
  const box = shown(element("div", { class: "error", role: "alert" }, element("p", {}, element("strong", {}, kind), `: ${says}`), element("ul", {}, ...steps)));
  if (numpy) {
    const load = element("button", { type: "button", id: "numpy" }, say("loadNumPy"));
    load.onclick = () => run({ numpy: true });
    box.append(element("p", {}, say("needsNumPy")), load);
  }
  wrongs = lines.at(-1)?.[0] ?? -1;
  if (wrongs > 0) number(wrongs);
  state(wrongs > 0 ? "wrongAt" : "wrong", { line: wrongs, kind });
}

const heard = {
  "text/plain": text, text, "image/svg+xml": picture, "text/html": page, error,
  ready(data) {
    ready = true;
    if ($("run").disabled) state("running");
    else if (!waits) state("ready", { ...data, seconds: short(data.seconds) });
  },
  cut: () => text({ text: `\n${say("cut")}\n` }),
  done({ seconds }) {
    running(false);
    $("output-title").scrollIntoView({ block: "nearest" });
    if (!wrongs) state("done", { seconds: short(seconds) });
  },
  offline({ text: complaint }) {
    running(false);
    state("offline", { text: complaint });
  },
  failed({ text: complaint }) {
    running(false);
    state(ready ? "failed" : "unloaded", { text: complaint });
    python.terminate();
    if (ready) start();
  },
};

$("run").onclick = () => run();
$("stop").onclick = () => {
  python.terminate();
  running(false);
  waits = false;
  state("stopped");
  start();
};
document.onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
};

// The code as a notebook, whose first cell fetches what this page is made of.

$("save").onclick = () => {
  const [install, graphviz] = [wheel, "graphviz.js"].map((name) => String(new URL(name, location)));
  const first = `%pip install -q ${install}

import sys
if sys.platform == "emscripten":  # JupyterLite: Graphviz comes from the same place
    from pyodide.code import run_js
    from autodiff.pictures import set_renderer
    set_renderer(await (await run_js('import("${graphviz}")')).renderer())`;
  const cells = [first, code.value].map((source, i) => ({ cell_type: "code", id: `cell-${i}`, execution_count: null, metadata: {}, outputs: [], source }));
  const made = { cells, metadata: { kernelspec: { name: "python3", display_name: "Python 3", language: "python" }, language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 5 };
  element("a", { href: URL.createObjectURL(new Blob([JSON.stringify(made, null, 1)], { type: "application/json" })), download: "delta-autodiff.ipynb" }).click();
};

state("loading", { size: megabytes });
if (!(await fromLink())) write(examples[0][language].code);
speak();
start();
