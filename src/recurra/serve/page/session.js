// A stream over a WebSocket. One frame is under way at a time, so that order is kept whatever happens; after a
// lost connection the session goes on where it was.

import { Refused } from "./api.js";

const WAITS = [500, 1000, 2000, 4000]; // ms before each new try; the last again and again
const FOR_GOOD = new Set([1000, 1001, 1003, 1007, 1009, 4001]);

export class Session {
  // onstate(name, sentence): name is "closed", "opening", "open", "lost" or "ended"
  constructor(api, bundle, onstate) {
    this.api = api;
    this.bundle = bundle;
    this.onstate = onstate;
    this.queue = []; // {id, frame, resolve, reject}; the first is under way when `sent`
    this.nextId = 1;
    this.socket = null;
    this.begin();
    this.state = "closed";
  }

  begin() {
    this.name = randomName();
    this.steps = 0;
    this.tries = 0;
    this.sent = false;
    this.resent = 0;
    this.timer = null;
  }

  // One observation: resolves to the server's answer, {step, answer}; rejects with what it says is wrong.
  observe(observation) {
    return this.ask({ observation });
  }

  // From the beginning. A stream that has not begun needs none.
  reset() {
    return this.ask({ reset: true });
  }

  ask(frame) {
    return new Promise((resolve, reject) => {
      const id = this.nextId;
      this.nextId += 1;
      this.queue.push({ id, frame: { ...frame, id }, resolve, reject });
      if (this.state === "closed" || this.state === "ended") this.connect();
      else this.flush();
    });
  }

  // End the stream on the server; another begins with the next frame.
  end() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({ end: true }));
      setTimeout(() => socket.close(), 1000); // where the server has not done so
    } else socket?.close();
    this.over("closed", "");
  }

  over(state, sentence) {
    const left = this.queue;
    this.queue = [];
    this.begin();
    this.set(state, sentence);
    for (const one of left) one.reject(new Refused(0, "ended", sentence || "The stream was ended."));
  }

  connect() {
    this.set(this.tries ? "lost" : "opening", this.tries ? "Connecting again …" : "Connecting …");
    const socket = this.api.socket(
      `bundles/${encodeURIComponent(this.bundle)}/stream?session=${this.name}&after=${this.steps}`,
    );
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (socket === this.socket) this.take(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.closed(event.code, event.reason);
    });
  }

  flush() {
    if (this.state !== "open" || this.sent || !this.queue.length) return;
    this.sent = true;
    this.socket.send(JSON.stringify(this.queue[0].frame));
  }

  take(frame) {
    if (frame.open) {
      this.opened(frame.open);
      return;
    }
    const one = this.queue[0];
    if (!one || !this.sent || (frame.id !== undefined && frame.id !== one.id)) return; // known already
    if (frame.error?.retry !== undefined || frame.retry !== undefined) {
      this.later(frame);
      return;
    }
    this.queue.shift();
    this.sent = false;
    if (typeof frame.step === "number") this.steps = frame.step;
    if (frame.error) one.reject(new Refused(422, frame.error.type, frame.error.message));
    else one.resolve(frame);
    this.ready();
  }

  // What was under way when the connection was lost has been taken, or goes out again.
  opened({ steps, resent }) {
    this.tries = 0;
    const one = this.queue[0];
    const restarted = this.sent && one?.frame.reset && steps === 0;
    if (steps < this.steps && !restarted) {
      this.drop();
      this.over("ended", "The server no longer has this stream. Start over.");
      return;
    }
    if (this.sent && resent) return; // its answer follows
    if (this.sent && (restarted || steps > this.steps)) {
      this.queue.shift();
      one.resolve({ step: steps, answer: null }); // its answer is gone
    }
    this.steps = steps;
    this.sent = false;
    this.ready();
  }

  ready() {
    if (this.state !== "open") this.set("open", "Connected.");
    this.flush();
  }

  // The server has too much to do: the same frame again, after a while.
  later(frame) {
    const wait = 1000 * (frame.retry ?? frame.error.retry);
    this.sent = false;
    this.set("lost", `${frame.error.message} Trying again in ${(wait / 1000).toFixed(1)} s.`);
    this.timer = setTimeout(() => this.ready(), wait);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  closed(code, reason) {
    clearTimeout(this.timer);
    this.socket = null;
    if (FOR_GOOD.has(code)) {
      this.over("ended", reason || "The server has closed the stream. Start over.");
      return;
    }
    const wait = WAITS[Math.min(this.tries, WAITS.length - 1)];
    this.tries += 1;
    this.set("lost", `${sentence(reason) || "The connection is lost."} Trying again in ${wait / 1000} s.`);
    this.timer = setTimeout(() => this.again(), wait);
  }

  // A browser is not told why a WebSocket was refused; a request for the bundle finds out, and asks for a token.
  async again() {
    const name = this.name;
    try {
      const info = await this.api.json(`bundles/${encodeURIComponent(this.bundle)}`);
      if (this.name !== name) return; // ended meanwhile
      if (!info.stream) this.over("ended", info.no_stream);
      else this.connect();
    } catch (error) {
      if (this.name !== name) return;
      if (error.status === 401 || error.status === 404) this.over("ended", error.message);
      else this.closed(1006, error.status ? error.message : "");
    }
  }

  set(state, told) {
    this.state = state;
    this.onstate(state, told);
  }
}

function sentence(text) {
  const bare = (text || "").trim();
  return bare && !/[.!?]$/.test(bare) ? `${bare}.` : bare;
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
