// Zones, lines and regions as the editor has them: names and points in fractions of the picture. Pure.

export const NAMES = { zone: "Zone", line: "Line", region: "Region" };
const LEAST = { zone: 3, line: 2, region: 3 };

/** @typedef {{kind: "zone" | "line" | "region", name: string, points: [number, number][], labels: string,
 *             severity: string, dwell_s: number, to_right: string, to_left: string}} Shape */

const MORE = { labels: "", severity: "info", dwell_s: 0, to_right: "right", to_left: "left" };

/** @param {any} zones as the service has them, or null @param {any} question the camera's own, or null */
export function shapesOf(zones, question) {
  /** @type {Shape[]} */
  const shapes = [];
  for (const [name, one] of Object.entries(zones?.zones ?? {})) {
    shapes.push({ ...MORE, ...one, kind: "zone", name, points: one.polygon, labels: (one.labels ?? []).join(", ") });
  }
  for (const [name, one] of Object.entries(zones?.lines ?? {})) {
    shapes.push({ ...MORE, ...one, kind: "line", name, points: [one.start, one.end], labels: (one.labels ?? []).join(", ") });
  }
  (question?.regions ?? []).forEach((points, n) => shapes.push({ ...MORE, kind: "region", name: `region ${n + 1}`, points }));
  return shapes;
}

/** @param {Shape[]} shapes @param {string} anchor */
export function bodyOf(shapes, anchor) {
  const labels = one => one.labels.split(",").map(each => each.trim()).filter(Boolean);
  const zones = shapes.filter(one => one.kind === "zone").map(one => [one.name,
    { polygon: one.points, dwell_s: one.dwell_s, labels: labels(one), severity: one.severity }]);
  const lines = shapes.filter(one => one.kind === "line").map(one => [one.name,
    { start: one.points[0], end: one.points[1], to_right: one.to_right, to_left: one.to_left, labels: labels(one), severity: one.severity }]);
  return { zones: Object.fromEntries(zones), lines: Object.fromEntries(lines), anchor };
}

/** @param {Shape[]} shapes */
export const regionsOf = shapes => shapes.filter(one => one.kind === "region").map(one => one.points);

/** A name that two zones or lines have, or nothing: the service keeps one of each name. @param {Shape[]} shapes */
export function sharedName(shapes) {
  const names = shapes.filter(one => one.kind !== "region").map(one => one.name);
  return names.find((one, n) => names.indexOf(one) !== n);
}

/** A new shape in the middle, with a name that is free. @param {Shape[]} shapes @param {"zone" | "line" | "region"} kind @returns {Shape} */
export function newShape(shapes, kind) {
  const taken = new Set(shapes.map(one => one.name));
  let number = 1;
  while (taken.has(`${kind} ${number}`)) number++;
  const points = /** @type {[number, number][]} */ (kind === "line" ? [[0.3, 0.5], [0.7, 0.5]] : [[0.35, 0.35], [0.65, 0.35], [0.65, 0.65], [0.35, 0.65]]);
  return { ...MORE, kind, name: `${kind} ${number}`, points };
}

const inside = value => Math.max(0, Math.min(1, Math.round(value * 1000) / 1000));

/** @param {Shape} shape @param {number} corner @param {number} x @param {number} y @returns {Shape} */
export const moved = (shape, corner, x, y) =>
  ({ ...shape, points: shape.points.map((one, n) => n === corner ? [inside(x), inside(y)] : one) });

/** A corner more, in the middle of the side behind one. @param {Shape} shape @param {number} corner @returns {Shape} */
export function split(shape, corner) {
  const [a, b] = [shape.points[corner], shape.points[(corner + 1) % shape.points.length]];
  const middle = /** @type {[number, number]} */ ([inside((a[0] + b[0]) / 2), inside((a[1] + b[1]) / 2)]);
  return { ...shape, points: shape.points.toSpliced(corner + 1, 0, middle) };
}

/** A corner less, where enough are left. @param {Shape} shape @param {number} corner @returns {Shape} */
export const without = (shape, corner) =>
  shape.points.length > LEAST[shape.kind] ? { ...shape, points: shape.points.toSpliced(corner, 1) } : shape;
