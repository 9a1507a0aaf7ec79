// Python and Graphviz in a thread of their own, so that the page answers while they compute, and can end them.
import { loadPyodide, version } from "./pyodide/pyodide.mjs";
import { renderer } from "./graphviz.js";

const PACKAGES = `https://cdn.jsdelivr.net/pyodide/v${version}/full/`; // asked only when NumPy is wanted
const MOST = 200_000; // characters that one run may write
let room = MOST;

const tell = (kind, more = {}) => postMessage({ kind, ...more });

function writer(kind) {
  const decoder = new TextDecoder();
  return { write(bytes) {
    const text = decoder.decode(bytes, { stream: true });
    if (room > 0 && text) tell(kind, { text: text.slice(0, room) });
    if (room > 0 && text.length >= room) tell("cut");
    room -= text.length;
    return bytes.length;
  } };
}

async function started() {
  const { wheels } = await (await fetch("built.json")).json();
  const archives = wheels.map(async (name) => (await fetch(name)).arrayBuffer());
  const runner = (await fetch("runner.py")).text();
  const [python, graphviz] = await Promise.all([loadPyodide({ packageBaseUrl: PACKAGES }), renderer()]);
  for (const archive of archives) python.unpackArchive(await archive, "wheel");
  self.graphviz = graphviz;
  self.tell = (kind, text) => tell(kind, { text });
  python.setStdout(writer("text"));
  python.setStderr(writer("text"));
  const names = python.globals.get("dict")();
  python.runPython(await runner, { globals: names, filename: "runner.py" });
  tell("ready", { seconds: performance.now() / 1000, python: python.runPython("import platform; platform.python_version()") });
  return { python, run: names.get("run") };
}

const ready = started();
ready.catch((error) => tell("failed", { text: String(error) }));

async function loadNumPy(python) {
  const complaints = [];
  await python.loadPackage("numpy", { messageCallback() {}, errorCallback: (text) => complaints.push(text) });
  if (!python.loadedPackages.numpy) throw new Error(complaints.join("\n") || "numpy");
}

onmessage = async ({ data }) => {
  const { python, run } = await ready;
  try {
    if (data.numpy) await loadNumPy(python);
  } catch (error) {
    return tell("offline", { text: String(error.message || error) });
  }
  room = MOST;
  const began = performance.now();
  try {
    run(data.code, data.language);
    tell("done", { seconds: (performance.now() - began) / 1000, numpy: Boolean(python.loadedPackages.numpy) });
  } catch (error) { // the interpreter itself ended
    tell("failed", { text: String(error) });
  }
};
