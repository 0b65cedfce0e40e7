// Start both parts. The file that opens from disk holds its weights.
import * as oneCell from "./one-cell.js";
import * as reader from "./reader.js";

async function weights(name) {
  const inside = document.getElementById(`weights-${name}`);
  if (inside) return JSON.parse(inside.textContent);
  return (await fetch(`weights/${name}.json`)).json();
}

oneCell.start();
reader.start(await weights("adding"));
document.documentElement.dataset.ready = "yes";
