const { nodes } = data;
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 62;

const draw = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// Formulas arrive as trees in the vocabulary of MathML. Browsers without a mathematical font typeset MathML badly, so
// the page typesets them itself, and labels them in words for screen readers.
const LETTERS = new Set(["mi", "mo", "mn", "mtext"]);
const PARTS = new Set(["mrow", "mfrac", "msup", "msub", "msubsup", "msqrt"]);
const bare = (tree) => (tree[0] === "mname" ? bare(tree[2]) : tree[0] === "msample" ? bare(tree[1]) : tree);
function formed(tree) {
  const [kind, ...parts] = tree;
  if (kind === "mname") return formed(parts[1]);
  if (kind === "msample") return formed(view.whole ? ["mrow", parts[0], ["mtext", `⟨${parts[1]}⟩`]] : parts[0]);
  if (kind === "msci") {
    return formed(["mrow", ["mn", parts[0]], ["mo", "×"], ["msup", ["mn", "10"], ["mn", parts[1].replace("-", "−")]]]);
  }
  if (LETTERS.has(kind)) {
    const upright = kind === "mi" && (parts[0].length > 1 || "∂∞".includes(parts[0])) ? "mtext" : kind;
    const sign = kind === "mo" && !"+−·=←×,".includes(parts[0]) ? "bracket" : upright;
    return make("span", { class: sign, ...(kind === "mtext" ? { dir: "auto" } : {}) }, parts[0]);
  }
  if (!PARTS.has(kind)) throw new Error(`no such formula: ${kind}`);
  const indexed = kind === "msup" && bare(parts[0])[0] === "msubsup"; // (a¹₁)², not a¹²₁
  const inner = parts.map((part, at) => formed(indexed && !at ? ["mrow", ["mo", "("], part, ["mo", ")"]] : part));
  if (kind === "msub") return make("span", { class: "script" }, inner[0], make("sub", {}, inner[1]));
  if (kind === "msup") return make("span", { class: "script" }, inner[0], make("sup", {}, inner[1]));
  if (kind === "msubsup") {
    return make("span", { class: "script" }, inner[0], make("span", { class: "both" }, make("sup", {}, inner[2]), make("sub", {}, inner[1])));
  }
  const signed = kind === "mrow" && parts[0]?.[1] === "−" ? " signed" : "";
  return make("span", { class: kind + signed }, ...inner);
}
function read(tree) {
  const [kind, ...parts] = tree;
  if (LETTERS.has(kind)) return ` ${parts[0]} `;
  if (kind === "mname") return ` ${parts[0]} `;
  if (kind === "msample") return view.whole ? `${say("ofSample", { a: read(parts[0]), sample: say("sampleAt", { n: parts[1] }) })} ` : read(parts[0]);
  if (kind === "msci") return ` ${say("times10", { a: parts[0], b: parts[1] })} `;
  const inner = parts.map(read);
  const spoken = { mfrac: "over", msup: "power", msqrt: "root" }[kind];
  return spoken ? ` ${say(spoken, { a: inner[0], b: inner[1] })} ` : inner.join("");
}
function plain(tree) { // one line of text
  const [kind, ...parts] = tree;
  if (kind === "mo") {
    const sign = parts[0] === "−" ? "-" : parts[0];
    return "+·=".includes(sign) ? ` ${sign} ` : sign === "," ? ", " : sign;
  }
  if (LETTERS.has(kind) || kind === "mname") return parts[0];
  if (kind === "msample") return plain(parts[0]) + (view.whole ? `⟨${parts[1]}⟩` : "");
  if (kind === "msci") return `${parts[0]}e${parts[1]}`;
  if (kind === "mrow") return parts.map((part, i) => (i && part[0] === "mo" && part[1] === "−" ? " - " : plain(part))).join("");
  const inner = parts.map(plain);
  if (kind === "mfrac") return inner.map((each) => (each.includes(" ") ? `(${each})` : each)).join("/");
  if (kind === "msup") return `${inner[0]}^${/^[\p{L}\p{N}]+$/u.test(inner[1]) ? inner[1] : `(${inner[1]})`}`;
  return kind === "msqrt" ? `√(${inner[0]})` : inner.join("");
}
const inline = (tree) => make("span", { class: "math" }, formed(tree));
const equation = (tree) =>
  make("div", { class: "math", role: "math", "aria-label": read(tree).replace(/\s+/g, " ").trim() }, formed(tree));
