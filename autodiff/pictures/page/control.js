// Selecting nodes.
function choose(i, { travel = false } = {}) {
  if (i !== null && cardOf[i] !== i) { // inside a folded unit
    fold(unitOf[cardOf[i]].key, null, i);
    return;
  }
  chosen = i;
  go(now, { keep: true });
  if (travel && follow) fly(aim(i));
}
const focus = (i) => cards[i].group.focus({ preventScroll: true });
function rove() {
  cards[stop]?.group.setAttribute("tabindex", -1);
  stop = chosen ?? steps[now].node ?? visible[0];
  cards[stop].group.setAttribute("tabindex", 0);
  if (!cards[stop].shown) layers[2].append(cards[stop].group);
  cards[stop].shown = true;
}
const nodeOf = (event) => {
  const card = event.target.closest?.("[data-node]");
  return card ? Number(card.dataset.node) : null;
};
svg.addEventListener("focusin", (event) => {
  const i = nodeOf(event);
  if (i !== null && i !== chosen && event.target.matches(":focus-visible")) choose(i);
});

// Dragging, pinching, wheel.
const fingers = new Map();
let moved = 0;
const place = (event) => {
  const frame = svg.getBoundingClientRect();
  return { x: event.clientX - frame.left, y: event.clientY - frame.top };
};
svg.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  if (!fingers.size) moved = 0;
  fingers.set(event.pointerId, place(event));
});
svg.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const after = place(event);
  const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
  moved += Math.hypot(after.x - before.x, after.y - before.y);
  if (moved < 5) return;
  if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
  svg.classList.add("dragged");
  fingers.set(event.pointerId, after);
  cancelAnimationFrame(flight);
  if (follow) setFollow(false);
  fitted = false;
  if (others.length) {
    const apart = (at) => Math.hypot(at.x - others[0].x, at.y - others[0].y) || 1;
    zoom(apart(after) / apart(before), { x: (after.x + others[0].x) / 2, y: (after.y + others[0].y) / 2 });
  } else {
    camera = { ...camera, x: camera.x - (after.x - before.x) / camera.scale, y: camera.y - (after.y - before.y) / camera.scale };
    look();
  }
});
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, (event) => { // wherever the finger is then
    fingers.delete(event.pointerId);
    svg.classList.remove("dragged");
  });
}
svg.addEventListener("click", (event) => {
  if (moved >= 5) return;
  const i = nodeOf(event);
  if (i !== null) {
    choose(i);
    focus(i);
  } else if (chosen !== null) choose(null);
});
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), place(event));
}, { passive: false });

// Playback.
function pause() {
  clearTimeout(timer);
  timer = null;
  $("play").classList.remove("playing");
  $("play").setAttribute("aria-label", say("play"));
}
function tick() {
  timer = setTimeout(() => {
    go(now + 1);
    if (now < steps.length - 1) tick();
    else pause();
  }, 1400 / Number($("speed").value));
}
function play() {
  if (timer !== null) {
    pause();
    return;
  }
  $("play").classList.add("playing");
  $("play").setAttribute("aria-label", say("pause"));
  go(now === steps.length - 1 ? 0 : now + 1);
  tick();
}
function walk(step) {
  pause();
  go(step);
}
$("play").addEventListener("click", play);
$("first").addEventListener("click", () => walk(0));
$("back").addEventListener("click", () => walk(now - 1));
$("next").addEventListener("click", () => walk(now + 1));
$("last").addEventListener("click", () => walk(steps.length - 1));
$("slider").addEventListener("input", () => walk(Number($("slider").value)));
$("follow").addEventListener("click", () => setFollow(!follow));
$("fit").addEventListener("click", () => {
  setFollow(false);
  fitted = true;
  fly(whole());
});
$("more").addEventListener("click", () => {
  const reading = document.querySelector("main").classList.toggle("reading");
  fill($("more"), { "aria-expanded": reading, "aria-label": say(reading ? "less" : "larger") }, []);
});
$("larger").addEventListener("click", () => zoom(1.3));
$("smaller").addEventListener("click", () => zoom(1 / 1.3));
for (const item of document.querySelectorAll("#phases li")) {
  if (item.dataset.phase === "update" && !data.parameters.length) item.remove();
  else item.firstElementChild.addEventListener("click", () => walk(first[item.dataset.phase]));
}

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if ((event.ctrlKey || event.metaKey) && key === "z" && !target.classList?.contains("number")) {
    undo();
    event.preventDefault();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onNode = target.closest?.("[data-node]");
  if (target.closest?.("select, #live input, #editor input, #search") || (target === $("slider") && key !== " ")) return; // they handle keys themselves
  if (key === "ArrowRight") walk(now + 1);
  else if (key === "ArrowLeft") walk(now - 1);
  else if (key === "Home") walk(0);
  else if (key === "End") walk(steps.length - 1);
  else if (key === " " && !target.closest?.("button")) play();
  else if (key === "Enter" && onNode) choose(Number(onNode.dataset.node));
  else if ((key === "ArrowUp" || key === "ArrowDown") && onNode) {
    const next = visible[visible.indexOf(Number(onNode.dataset.node)) + (key === "ArrowDown" ? 1 : -1)];
    if (next !== undefined) {
      choose(next, { travel: true });
      focus(next);
    }
  } else if (key === "Escape" && chosen !== null) choose(null);
  else if (key === "n") iterate();
  else if (key === "+" || key === "-") zoom(key === "+" ? 1.3 : 1 / 1.3);
  else if (key === "0") $("fit").click();
  else return;
  event.preventDefault();
});
new ResizeObserver(() => {
  if (suited() !== plan) arrange(suited());
  cancelAnimationFrame(flight); // it aims at the old size
  if (follow) camera = aim(steps[now].node ?? null);
  else if (fitted) camera = whole();
  look();
}).observe(svg);
function arrange(layout) {
  build(layout);
  camera = whole();
  go(now, { keep: true });
  camera = follow ? aim(steps[now].node ?? null) : whole();
  look();
}

// The live bar.
let running = 0;
function run(on) {
  cancelAnimationFrame(running);
  running = 0;
  $("run").setAttribute("aria-pressed", String(on));
  $("run").textContent = say(on ? "stop" : "run");
  if (!on) return;
  const frame = () => {
    iterate();
    running = Number.isFinite(graph.values[root]) && !graph.error ? requestAnimationFrame(frame) : 0;
    if (!running) run(false);
  };
  running = requestAnimationFrame(frame);
}
function setRate(x) {
  rate = x;
  refresh();
}
$("iterate").addEventListener("click", iterate);
$("run").addEventListener("click", () => run(!running));
$("undo").addEventListener("click", undo);
$("reset").addEventListener("click", () => { run(false); reset(); });
$("alpha").addEventListener("input", () => setRate(Number((10 ** Number($("alpha").value)).toPrecision(3))));
numeric($("rate"), setRate, { fit: (x) => x > 0, reason: "notAbove0", held: () => String(rate) });
for (const each of document.querySelectorAll(".descent")) each.hidden = !data.parameters.length;

// Choosing a sample, and finding nodes by their labels.
views.forEach((each, k) => $("view").append(make("option", { value: k }, k ? say("sampleAt", { n: k }) : say("all"))));
$("view").hidden = views.length < 2;
$("view").addEventListener("change", () => show_view(views[Number($("view").value)]));
function show_view(next) {
  pause();
  run(false);
  losses = [];
  iterations = 0;
  reenter(next, 0, null);
}
function reenter(next, at, node) {
  enter(next);
  [now, chosen, stop] = [Math.min(at, steps.length - 1), node, visible[0]];
  $("slider").max = String(steps.length - 1);
  arrange(suited());
  live();
}
// Folding keeps the phase: the end stays the end.
function fold(key, unit, node = null) {
  pause();
  if (unit) folded.set(key, unit);
  else folded.delete(key);
  const [phase, whole] = [steps[now].phase, now === steps.length - 1];
  const inside = steps[now].node;
  enter(view);
  const at = inside === undefined ? (phase === "start" ? 0 : steps.length - 1) : (phase === "forward" ? forwardAt : backwardAt)[cardOf[inside]];
  reenter(view, whole ? steps.length - 1 : at, node);
}
list("levels").forEach((name, k) => $("level").append(make("option", { value: k - 1 }, name)));
$("level").hidden = !data.folds.some(({ titles }) => titles.length);
$("level").addEventListener("change", () => {
  pause();
  const { phase } = steps[now];
  levels(Number($("level").value));
  enter(view);
  reenter(view, phase === "start" ? 0 : phase === "forward" ? 1 : phase === "backward" ? first.backward : steps.length - 1, null);
});
if (data.folds.length && data.folds[0].titles.length && view.nodes.length > 50) {
  $("level").value = "0";
  levels(0);
}
$("search").addEventListener("input", () => {
  const text = $("search").value.trim().toLowerCase();
  const found = text ? view.nodes.filter((i) => `${nodes[i].label} ${nodes[i].title} ${nodes[i].op}`.toLowerCase().includes(text)) : [];
  for (const i of visible) cards[i].group.classList.remove("found");
  $("search").setAttribute("aria-invalid", String(text !== "" && !found.length));
  $("found").textContent = text && !found.length ? say("notFound") : "";
  if (found.length) {
    chosen = cardOf[found.find((i) => cardOf[i] === i) ?? found[0]]; // one in sight before one inside a folded unit
    go(now, { keep: true });
    for (const i of found) cards[cardOf[i]].group.classList.add("found");
    fly({ x: boxes[chosen][0], y: boxes[chosen][1], scale: Math.max(camera.scale, 0.8) });
  }
});

enter(view);
stop = visible[0];
$("slider").max = String(steps.length - 1);
arrange(suited());
live();
