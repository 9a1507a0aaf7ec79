// What is beside the network: the large picture, losses, confusion, and the sentence below.
const shownNeuron = () => {
  const at = hovered?.kind === "neuron" ? hovered : selected?.kind === "neuron" ? selected : null;
  return at && !(at.c === columns() - 1 && outputs() === 1) ? at : null;
};
const pointColour = (y, r, k) => (set.classes ? (k > 1 ? CLASSES[trueClass(y, r * k, k) % CLASSES.length] : trueClass(y, r, 1) ? paint.positive : paint.negative) : toned(sided(y[r * k])));
function drawLarge() {
  const canvas = $("map");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const pen = ready(canvas, width, height);
  const neuron = shownNeuron();
  const top = columns() - 1;
  const { x, y, rows, k, testX, testY, testRows } = training;
  const [c, j] = neuron ? [neuron.c, neuron.j] : [top, 0];
  const parts = [[testX, testY, testRows, true], [x, y, rows, false]];
  if (modes === "map") {
    box = frame(pen, width, height, shape.a, shape.b, set.names);
    const at = column(c, j);
    const several = set.classes && outputs() > 1 && !neuron;
    const most = sizeOf(c, j);
    pen.save();
    pen.translate(box.left, box.top);
    const m = outputs();
    if (several) paintMap(pen, box.width, box.height, (i, pixels, place) => {
      const tone = paint.classes[classOf(view.a[top - 1], i * m, m) % CLASSES.length];
      for (let q = 0; q < 3; q++) pixels[place + q] = paint.rgb.zero[q] + 0.45 * (tone[q] - paint.rgb.zero[q]);
      pixels[place + 3] = 255;
    });
    else paintMap(pen, box.width, box.height, (i, pixels, place) => pixel(most === null ? sided(at(i)) : at(i) / most, pixels, place));
    if (set.classes && !several && c === top) contour(pen, box.width, box.height, (i) => at(i) - threshold());
    pen.restore();
    for (const [px, py, count, hollow] of parts) {
      for (let r = 0; r < count; r += Math.ceil(count / DOTS)) dot(pen, ...box.place(px[2 * r], px[2 * r + 1]), hollow && !set.classes ? paint.ink : pointColour(py, r, k), { hollow, chosen: !hollow && r === chosen, radius: rows > 60 ? 3.6 : 5, rim: set.classes ? paint.card : paint.ink });
    }
  } else if (modes === "curve") {
    const at = column(c, j);
    const count = rowsX.length;
    const curve = Array.from({ length: count }, (_, i) => at(i));
    box = frame(pen, width, height, shape.a, range([...curve, ...y, ...testY]), [set.names[0], neuron ? called(c, j) : nameOf(top, 0)]);
    line(pen, curve.map((v, i) => box.place(rowsX[i], v)), paint.accent, 2.5);
    for (const [px, py, many, hollow] of parts) {
      for (let r = 0; r < many; r += Math.ceil(many / DOTS)) dot(pen, ...box.place(px[r], py[r * k]), paint.ink, { hollow, chosen: !hollow && r === chosen });
    }
  } else {
    const m = outputs();
    const ends = Array.from({ length: rows }, (_, r) => predicted(looked.a[top - 1], r));
    box = frame(pen, width, height, range(y), range([...y, ...ends.flat()]), [say("true"), say(likely() ? "probability" : "predicted")]);
    line(pen, [box.place(range(y)[0], range(y)[0]), box.place(range(y)[1], range(y)[1])], paint.line, 1.5, [4, 4]);
    for (let r = 0; r < rows; r += Math.ceil(rows / DOTS)) {
      for (let q = 0; q < Math.min(m, k); q++) {
        const side = set.classes ? (((r * 7919) % 100) / 100 - 0.5) * 0.12 : 0; // classes stand side by side
        dot(pen, ...box.place(y[r * k + q] + side, ends[r][q]), m > 1 ? CLASSES[q % CLASSES.length] : pointColour(y, r, k), { chosen: r === chosen });
      }
    }
  }
  const what = neuron ? say("ofNeuron", { name: called(c, j) }) : say(modes === "strip" ? "against" : modes === "curve" ? "curve" : set.classes ? "boundary" : "surface");
  if ($("shown").textContent !== what) $("shown").textContent = what;
}
function tell() {
  const { train, test, testRows } = training;
  $("epochs").textContent = String(training.epoch);
  const now = train.length ? lossNow() : looked.loss;
  $("train").textContent = show(now);
  $("train").dataset.exact = now;
  $("test").textContent = testRows ? show(test[test.length - 1] ?? NaN) : "";
  if (testRows) $("test").dataset.exact = test[test.length - 1];
  $("test").parentElement.firstElementChild.textContent = testRows ? say("test") : say("noTest");
  if (testRows && !test.length) $("test").textContent = "–";
  let right = "";
  if (looked.right) {
    const [own, other] = looked.right;
    right = say("right", { right: own.right, all: own.all }) + (other ? say("rightTest", { right: other.right, all: other.all }) : "");
  }
  if ($("score").textContent !== right) $("score").textContent = right;
  confusion();
  const names = looked.dead.flatMap((layer, l) => layer.flatMap((dead, j) => (dead ? [called(l + 1, j)] : [])));
  const stopped = training.problem !== null;
  const [long, left] = [train.length - 1, looked.right && looked.right[0].right < looked.right[0].all];
  const stuck = left && long > STILL && Math.abs(train[long] - train[long - STILL]) <= 1e-3 * Math.abs(train[long]);
  const text = stopped ? say("stopped", { problem: training.problem ? `${training.problem}.` : "" })
    : stuck && !names.length ? say("stuck") : names.length ? say(settings.penalty && settings.strength ? "deadPulled" : "deadTold", { n: names.length, which: [...names.slice(0, 4), ...(names.length > 4 ? [say("more", { n: names.length - 4 })] : [])].join("; ") })
      : training.epoch ? "" : say("hint");
  if ($("said").textContent !== text) $("said").textContent = text;
  $("told").classList.toggle("alarm", stopped);
  $("again").hidden = !(names.length || stuck);
}
let confused = "";
function confusion() {
  const key = JSON.stringify([looked.right?.[0].table, language, set.name]);
  if (key === confused) return;
  confused = key;
  if (!looked.right) { $("confusion").replaceChildren(); return; }
  const { table } = looked.right[0];
  const names = table.map((_, j) => (outputs() > 1 ? (set.targets[j] ?? String(j)) : String(j ? 1 : samples.low ?? 0)));
  const head = make("tr", {}, make("th", {}, say("confusion")), ...names.map((name) => make("th", { scope: "col" }, clip(name, 14))));
  const rows = table.map((row, j) => make("tr", {}, make("th", { scope: "row" }, clip(names[j], 14)), ...row.map((count, q) => make("td", q === j ? { class: "hit" } : {}, String(count)))));
  $("confusion").replaceChildren(make("table", {}, head, ...rows));
}
function keys() {
  const items = [];
  const mark = (colour, text) => {
    const point = make("i");
    point.style.background = colour;
    items.push(make("span", {}, point, text));
  };
  if (set.classes && (modes === "map" || outputs() > 1)) {
    const names = outputs() > 1 ? Array.from({ length: outputs() }, (_, j) => set.targets[j] ?? String(j)) : [String(samples.low ?? 0), "1"];
    names.forEach((name, j) => mark(outputs() > 1 ? CLASSES[j % CLASSES.length] : j ? paint.positive : paint.negative, clip(name, 16)));
  } else if (modes === "map") {
    const bar = make("i", { class: "scale" });
    bar.style.background = `linear-gradient(to right, ${toned(-1)}, ${toned(0)}, ${toned(1)})`;
    items.push(make("span", {}, `${show(round3(middle - half))} `, bar, ` ${show(round3(middle + half))}`));
  } else if (outputs() > 1) set.targets.forEach((name, j) => mark(CLASSES[j % CLASSES.length], clip(name, 16)));
  if (training.testRows && modes !== "strip") items.push(make("span", {}, say("trainMark")), make("span", {}, say("testMark")));
  items.push(make("span", {}, say("chosen", { n: chosen + 1 })));
  $("key").replaceChildren(...items);
}
