// One WebSocket for all tiles. The service sends a picture and what was found in it in one message; the next one of a
// tile comes only once the page has said that it drew one, so a slow page gets fewer pictures, and never old ones.

/** @typedef {{width: number, fps?: number}} Wish */

const AGAIN_MS = [250, 1000, 2000, 5000];
const TOGETHER_MS = 50;
const NOT_ALLOWED = 1008;

export class WallSocket {
  /** @param {(state: "live" | "lost" | "refused", why: string) => void} tell */
  constructor(tell) {
    this.state = "";
    this.tell = (state, why) => {
      this.state = state;
      tell(state, why);
    };
    /** @type {Map<string, {wish: Wish, show: (look: Look, picture: Blob) => Promise<void>}>} */
    this.tiles = new Map();
    this.failed = 0;
    this.timer = 0;
    this.sending = 0;
    this.said = "";
    document.addEventListener("visibilitychange", this.seen = () => this.say());
    this.open();
  }

  open() {
    const socket = this.socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/wall`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.said = "";
      this.say();
    };
    /** @param {number} code @param {string} why */
    const over = (code, why) => {
      if (this.socket !== socket) return;
      this.socket = null;
      socket.close();
      this.tell(code === NOT_ALLOWED ? "refused" : "lost", why);
      this.timer = setTimeout(() => this.open(), AGAIN_MS[Math.min(this.failed++, AGAIN_MS.length - 1)]);
    };
    // A service with too many viewers takes a connection, too: only what it says shows whether it serves this page.
    socket.onmessage = event => {
      const { closing, reason } = typeof event.data === "string" ? JSON.parse(event.data) : {};
      if (closing) return over(closing, reason);
      if (this.state !== "live") {
        this.failed = 0;
        this.tell("live", "");
      }
      if (typeof event.data !== "string") this.take(event.data);
    };
    socket.onclose = event => over(event.code, event.reason);
  }

  close() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
  }

  /**
   * Show a camera from now on; `show` draws a look and is waited for.
   * @param {string} camera @param {Wish} wish @param {(look: Look, picture: Blob) => Promise<void>} show
   */
  watch(camera, wish, show) {
    this.tiles.set(camera, { wish, show });
    this.sayTogether();
  }

  /** @param {string} camera */
  leave(camera) {
    this.tiles.delete(camera);
    this.sayTogether();
  }

  sayTogether() {
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.say(), TOGETHER_MS);
  }

  say() {
    const watch = document.hidden ? {} : Object.fromEntries([...this.tiles].map(([name, one]) => [name, one.wish]));
    const said = JSON.stringify({ watch, reply: true });
    if (this.socket?.readyState !== WebSocket.OPEN || said === this.said) return;
    this.said = said;
    this.socket.send(said);
  }

  /** @param {ArrayBuffer} data */
  async take(data) {
    const from = 4 + new DataView(data).getUint32(0, true);
    const look = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, from - 4)));
    const socket = this.socket;
    try {
      await this.tiles.get(look.camera)?.show(look, new Blob([new Uint8Array(data, from)]));
    } finally {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ drawn: look.camera }));
    }
  }
}
