// Chapter 5: two hidden units and their weighted sum as maps; without activation the sum is a plane, with one it bends.
// height: 660
title();
const KINDS = { none: (z) => z, step: (z) => (z > 0 ? 1 : 0), sigmoid: sigma, tanh: Math.tanh, relu: (z) => Math.max(0, z) };
let kind = "none";
const SIZE = 48;
const maps = make("div", { class: "maps" });
const canvases = ["h1", "h2", "y"].map((name) => {
  const canvas = make("canvas", { width: SIZE, height: SIZE, role: "img", "aria-label": W[name] });
  maps.append(make("figure", {}, canvas, make("figcaption", {}, W[name])));
  return canvas;
});
const both = (x1, x2) => {
  const f = KINDS[kind];
  const h1 = f(4 * x1 + 4 * x2 + state.b1), h2 = f(4 * x1 + 4 * x2 + state.b2);
  return [h1, h2, state.v1 * h1 + state.v2 * h2];
};
const colour = (t) => {
  const blue = [31, 111, 192], orange = [194, 106, 18], end = t > 0 ? blue : orange, s = Math.min(1, Math.abs(t));
  return end.map((each) => Math.round(250 + (each - 250) * s));
};
const draw = () => {
  const values = [[], [], []];
  for (let i = 0; i < SIZE; i++) for (let j = 0; j < SIZE; j++) {
    both(-0.5 + (2 * (j + 0.5)) / SIZE, 1.5 - (2 * (i + 0.5)) / SIZE).forEach((each, k) => values[k].push(each));
  }
  values.forEach((all, k) => {
    const most = Math.max(1e-9, ...all.map(Math.abs)), context = canvases[k].getContext("2d");
    const image = context.createImageData(SIZE, SIZE);
    all.forEach((each, n) => {
      const band = Math.round((each / most) * 6) / 6;  // in bands, as the curves of a map: of a plane they are straight
      image.data.set([...colour(band), 255], 4 * n);
    });
    context.putImageData(image, 0, 0);
  });
  // How far the sum is, at most, from the plane through three of its corners: 0 where it is a plane.
  const corners = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) => both(x, y)[2]);
  const bend = Math.max(...values[2].map((each, n) => {
    const x = -0.5 + (2 * ((n % SIZE) + 0.5)) / SIZE, y = 1.5 - (2 * (Math.floor(n / SIZE) + 0.5)) / SIZE;
    return Math.abs(each - (corners[0] + (corners[1] - corners[0]) * x + (corners[2] - corners[0]) * y));
  }));
  tell(say(bend < 1e-9 ? W.flat : W.bent, { bend: round(bend), corners: corners.map((each) => round(each)).join(", ") }), { bend, corners: corners.join(" ") });
};
buttons(Object.keys(KINDS).map((each) => [each, W[each], () => { kind = each; draw(); }]), true);
add(maps);
sliders([["b1", -8, 2, 0.5, -2], ["b2", -8, 2, 0.5, -6], ["v1", -2, 2, 0.1, 1], ["v2", -2, 2, 0.1, -0.6]], draw);
add(told);
draw();
