// Graphviz in WebAssembly, as `autodiff.pictures.set_renderer` takes it: here, and in notebooks saved from here.
import { instance } from "./viz.js";

const WIDEST = "DejaVu Sans"; // of the fonts whose widths it knows: no reader's text is wider than its box

export async function renderer() {
  const graphviz = await instance();
  return (source, format, engine) => {
    const list = source.match(/fontname="([^",]+,[^"]+)"/)?.[1] ?? WIDEST;
    const made = graphviz.renderString(source.replaceAll(`fontname="${list}"`, `fontname="${WIDEST}"`), { format, engine });
    return made.replaceAll(`font-family="${WIDEST}"`, `font-family="${list}"`);
  };
}
