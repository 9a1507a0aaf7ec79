// A film: the parts of a picture that are there from one step to another, and the captions.
words();
const last = data.captions.length - 1;
const parts = [];
for (const element of document.querySelectorAll("svg g")) {
  for (const name of element.classList) {
    const span = /^t(\d+)_(\d+)$/.exec(name);
    if (span) parts.push([element, Number(span[1]), Number(span[2])]);
  }
}
$("step").max = last;
let [now, timer] = [0, 0];
function show(step) {
  now = Math.min(Math.max(step, 0), last);
  for (const [element, from, to] of parts) element.classList.toggle("off", now < from || now >= to);
  $("step").value = now;
  $("count").textContent = `${now + 1} / ${last + 1}`;
  $("step").setAttribute("aria-valuetext", `${now + 1} / ${last + 1}: ${data.captions[now]}`);
  $("says").textContent = data.captions[now];
}
function mark(sign, name) {
  $("play").textContent = sign;
  $("play").setAttribute("aria-label", say(name));
}
function pause() {
  clearInterval(timer);
  timer = 0;
  mark("▶", "play");
}
function run() {
  if (now === last) show(0);
  timer = setInterval(() => (now === last ? pause() : show(now + 1)), data.wait);
  mark("❚❚", "pause");
}
function go(step) {
  pause();
  show(step);
}
const actions = { first: () => go(0), back: () => go(now - 1), play: () => (timer ? pause() : run()), next: () => go(now + 1), last: () => go(last) };
for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
$("step").addEventListener("input", () => go(Number($("step").value)));
document.addEventListener("keydown", (event) => {
  if (event.target === $("step") || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = { ArrowRight: "next", ArrowLeft: "back", Home: "first", End: "last" }[event.key] ?? (event.key === " " && event.target.tagName !== "BUTTON" ? "play" : "");
  if (!action) return;
  event.preventDefault();
  actions[action]();
});
show(0);
