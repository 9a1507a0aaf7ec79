// The page's data and helpers: numbers, and the samples of a data set.
const own = document.title; // as the caller gave it, without what turns text about
for (const set of data.sets) set.names = set.names.map((name) => name.replace(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "\ufffd"));

// A number with four digits and a real minus sign.
function show(x) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const [size, digits] = [Math.abs(x), 4];
  const text = size !== 0 && (size < 1e-4 || size >= 1e5) ? x.toExponential(2) : String(Number(x.toPrecision(digits)));
  return text.replace(/-/g, "−");
}
const round4 = (x) => Math.round(x * 1e4) / 1e4;
const spread = (numbers) => {
  const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  return Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length) || 1;
};

const LEAST = 40; // rows: a smaller table is repeated when noise is added
const REPEATED = 120;
// The samples to train on and to test with: a set's rows with noise, on inputs of classes and on targets of regressions.
function drawn(set, noise, random) {
  const { n, k, classes } = set;
  const rows = Array.from({ length: set.X.length / n }, (_, r) => [set.X.slice(r * n, r * n + n), set.y.slice(r * k, r * k + k)]);
  const times = noise && set.code && rows.length < LEAST ? Math.ceil(REPEATED / rows.length) : 1;
  const [deviations, moved] = classes
    ? [Array.from({ length: n }, (_, i) => spread(rows.map(([x]) => x[i]))), 0]
    : [Array.from({ length: k }, (_, j) => spread(rows.map(([, y]) => y[j]))), 1];
  const [train, test] = [[], []];
  const halves = set.name !== "own" && (!set.code || noise); // every other sample is for the test
  let count = 0;
  for (let time = 0; time < times; time++) {
    for (const row of rows) {
      const noisy = noise ? row.map((part, p) => (p === moved ? part.map((x, i) => round4(x + noise * deviations[i] * random.normal())) : part)) : row;
      (halves && (times > 1 ? time : count) % 2 ? test : train).push(noisy);
      count++;
    }
  }
  const flat = (some, part) => Float64Array.from(some.flatMap((row) => row[part]));
  return {
    n, k, x: flat(train, 0), y: flat(train, 1),
    testX: set.testX ? Float64Array.from(set.testX) : flat(test, 0), testY: set.testY ? Float64Array.from(set.testY) : flat(test, 1),
    plain: !noise && !halves,
  };
}
// What the two classes are called by a loss: hinge wants −1 and 1, cross-entropy 0 and 1, others take what there is.
function coded(samples, set, loss) {
  if (!set.two) return samples;
  const low = Math.min(...set.y);
  const wanted = loss === "hinge" ? -1 : loss === "binary_cross_entropy" ? 0 : low;
  if (wanted === low) return { ...samples, low };
  const other = (y) => y.map((each) => (each === low ? wanted : 1));
  return { ...samples, y: other(samples.y), testY: other(samples.testY), low: wanted };
}
