// What the service says, for editors and for tsc; nothing of it is loaded by the page.

interface Camera {
  camera_id: string;
  name?: string | null;
  state: string;
  since_ns: number;
  url: string;
  width: number | null;
  height: number | null;
  fps: number | null;
  last_error: string | null;
}

interface Found {
  label: string;
  class: number;
  score: number;
  /** x1, y1, x2, y2 in pixels of the source's picture. */
  box: [number, number, number, number];
}

interface Look {
  camera: string;
  run: string;
  seq: number;
  number: number;
  captured_at_ms: number;
  age_ms: number;
  /** Width and height of the source's picture. */
  source: [number, number];
  skipped: number;
  gap: string | null;
  answer: { question: string; classes: string[]; model: string; latency_ms: number; objects: Found[] } | null;
}

interface Session {
  name: string;
  role: string | null;
  scopes: string[];
  cameras: string[] | null;
  login: string;
  /** nothing, key, session or proxy. */
  by: string;
}
