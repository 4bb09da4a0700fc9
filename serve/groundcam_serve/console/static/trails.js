// Where things came from: the way of each box over the last looks. For the eye alone; events follow objects properly.

const KEPT = 32, MISSED = 5;
const REACH = 1; // Of a box's larger side: so far a thing may have gone from one look to the next.

/** @typedef {{class: number, points: [number, number][], missed: number}} Trail */

export class Trails {
  constructor() {
    /** @type {Trail[]} */
    this.all = [];
    this.run = "";
  }

  /** Go on with what a look shows; each box takes the nearest trail of its class. @param {Look} look */
  take(look) {
    if (look.run !== this.run) [this.all, this.run] = [[], look.run];
    if (!look.answer) return;
    const left = new Set(this.all);
    for (const one of look.answer.objects) {
      const [x1, y1, x2, y2] = one.box, x = (x1 + x2) / 2;
      /** @type {Trail | null} */
      let nearest = null;
      let distance = REACH * Math.max(x2 - x1, y2 - y1);
      for (const trail of left) {
        const [lastX, lastY] = trail.points[trail.points.length - 1], far = Math.hypot(x - lastX, y2 - lastY);
        if (trail.class === one.class && far < distance) [nearest, distance] = [trail, far];
      }
      if (nearest) left.delete(nearest);
      else this.all.push(nearest = { class: one.class, points: [], missed: 0 });
      nearest.points.push([x, y2]);
      nearest.missed = 0;
      if (nearest.points.length > KEPT) nearest.points.shift();
    }
    for (const trail of left) trail.missed++;
    this.all = this.all.filter(one => one.missed <= MISSED);
  }
}
