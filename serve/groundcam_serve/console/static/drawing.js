// Pictures and boxes on canvases. One matrix takes a place in the source's picture to its place on the canvas.

/** Okabe and Ito's colours, which people with any colour vision can tell apart. */
export const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const DASHES = [[], [8, 4], [2, 3]];
const PAPER = "#181a1e";

/** @param {number} number of a class */
export const colourOf = number => COLOURS[number % COLOURS.length];

/**
 * Where a picture lies inside a canvas: scaled to fit, in the middle; then enlarged around a point.
 * @param {[number, number]} source width and height @param {number} width @param {number} height
 * @param {{zoom: number, x: number, y: number}} [view] enlarged by zoom around (x, y), in fractions of the picture
 */
export function matrixOf(source, width, height, view = { zoom: 1, x: 0.5, y: 0.5 }) {
  const scale = Math.min(width / source[0], height / source[1]) * view.zoom;
  const fits = (side, length, at) => {
    const rest = length - side * scale;
    return rest >= 0 ? rest / 2 : Math.min(0, Math.max(rest, length / 2 - at * side * scale));
  };
  return { scale, left: fits(source[0], width, view.x), top: fits(source[1], height, view.y) };
}

/**
 * Draw a picture and what was found in that very picture. On one canvas: two would be shown together only as a rule.
 * @param {HTMLCanvasElement} canvas @param {ImageBitmap} picture @param {Look} look
 * @param {{boxes: boolean, trails?: import("./trails.js").Trail[], view?: {zoom: number, x: number, y: number}}} how
 */
export function drawLook(canvas, picture, look, how) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const at = matrixOf(look.source, width, height, how.view);
  const lines = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  lines.clearRect(0, 0, width, height);
  lines.drawImage(picture, at.left, at.top, look.source[0] * at.scale, look.source[1] * at.scale);
  drawTrails(lines, how.trails ?? [], at, ratio);
  if (how.boxes && look.answer) drawBoxes(lines, look.answer.objects, at, ratio, width);
  canvas.dataset.run = look.run;
  canvas.dataset.seq = String(look.seq);
  canvas.dataset.number = String(look.number);
  canvas.dataset.at = String(look.captured_at_ms);
}

/**
 * @param {CanvasRenderingContext2D} lines @param {Found[]} objects @param {{scale: number, left: number, top: number}} at
 * @param {number} ratio @param {number} width
 */
export function drawBoxes(lines, objects, at, ratio, width) {
  lines.font = `${12 * ratio}px system-ui, sans-serif`;
  lines.textBaseline = "bottom";
  for (const one of [...objects].reverse()) {
    const [x1, y1, x2, y2] = one.box.map((v, i) => (i % 2 ? at.top : at.left) + v * at.scale);
    const colour = colourOf(one.class);
    const dash = DASHES[Math.floor(one.class / COLOURS.length) % DASHES.length].map(v => v * ratio);
    for (const [shade, thick] of /** @type {[string, number][]} */ ([[PAPER, 4], [colour, 2]])) {
      lines.strokeStyle = shade;
      lines.lineWidth = thick * ratio;
      lines.setLineDash(shade === colour ? dash : []);
      lines.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
    const text = `${one.label} ${one.score.toFixed(2)}`, wide = lines.measureText(text).width + 6 * ratio;
    const left = Math.max(0, Math.min(x1, width - wide)), bottom = Math.max(y1, 16 * ratio);
    lines.fillStyle = colour;
    lines.fillRect(left, bottom - 16 * ratio, wide, 16 * ratio);
    lines.fillStyle = one.class % COLOURS.length === 4 ? "#fff" : "#000";
    lines.fillText(text, left + 3 * ratio, bottom - ratio);
  }
}

/** The ways of things. @param {CanvasRenderingContext2D} lines @param {import("./trails.js").Trail[]} trails
 * @param {{scale: number, left: number, top: number}} at @param {number} ratio */
function drawTrails(lines, trails, at, ratio) {
  lines.setLineDash([]);
  lines.lineJoin = "round";
  for (const one of trails) {
    lines.beginPath();
    for (const [x, y] of one.points) lines.lineTo(at.left + x * at.scale, at.top + y * at.scale);
    for (const [shade, thick] of /** @type {[string, number][]} */ ([[PAPER, 5], [colourOf(one.class), 3]])) {
      lines.strokeStyle = shade;
      lines.lineWidth = thick * ratio;
      lines.stroke();
    }
  }
}

/** A still picture with boxes, on one canvas; for previews and uploads.
 * @param {HTMLCanvasElement} canvas @param {ImageBitmap} picture @param {[number, number]} source @param {Found[]} objects
 */
export function drawStill(canvas, picture, source, objects) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  const at = matrixOf(source, canvas.width, canvas.height);
  const lines = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  lines.drawImage(picture, at.left, at.top, source[0] * at.scale, source[1] * at.scale);
  drawBoxes(lines, objects, at, ratio, canvas.width);
}
