// The server's HTTP. The token, where the server wants one, lives in this page's memory alone.

const ROOT = new URL("v1/", document.baseURI);

export class Refused extends Error {
  constructor(status, type, message) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

export class Api {
  // askToken: called on a 401 with the server's sentence; resolves to a token, or null to give up
  constructor(askToken) {
    this.token = null;
    this.askToken = askToken;
  }

  async fetch(path, options = {}) {
    for (;;) {
      const headers = { ...options.headers };
      const used = this.token;
      if (used !== null) headers.Authorization = `Bearer ${used}`;
      let answer;
      try {
        answer = await fetch(new URL(path, ROOT), { ...options, headers });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Refused(0, "unreachable", "The server does not answer. See whether it runs, and try again.");
      }
      if (answer.ok) return answer;
      const refused = await asError(answer);
      if (answer.status !== 401) throw refused;
      if (this.token !== used) continue; // another request was given a token meanwhile
      const token = await this.askToken(refused.message);
      if (token === null) throw refused;
      this.token = token;
    }
  }

  async json(path, options) {
    return (await this.fetch(path, options)).json();
  }

  post(path, body, options = {}) {
    return this.fetch(path, {
      method: "POST",
      body: JSON.stringify(body),
      ...options,
      headers: { "Content-Type": "application/json", ...options.headers },
    });
  }

  // A file, or pasted text as if it were one, as the body itself.
  async send(path, body, name, type) {
    const mark = path.includes("?") ? "&" : "?";
    return this.json(`${path}${mark}file=${encodeURIComponent(name)}`, {
      method: "POST",
      body,
      headers: { "Content-Type": type },
    });
  }

  socket(path) {
    const url = new URL(path, ROOT);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const offered = this.token === null ? ["recurra.v1"] : ["recurra.v1", `bearer.${this.token}`];
    return new WebSocket(url, offered);
  }
}

async function asError(answer) {
  try {
    const { error } = await answer.json();
    return new Refused(answer.status, error.type, error.message);
  } catch {
    return new Refused(answer.status, "unknown", `The server answered with status ${answer.status}. Try again.`);
  }
}

// The events of a text/event-stream, one parsed JSON at a time.
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      held += value.replaceAll("\r\n", "\n");
      const parts = held.split("\n\n");
      held = parts.pop();
      for (const part of parts) {
        const data = part.split("\n").filter((line) => line.startsWith("data:"));
        if (data.length) yield JSON.parse(data.map((line) => line.slice(5).trimStart()).join("\n"));
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
