// Sound that waits to be sent, and goes out in order, as much at a time as a frame has room for.

const JOIN = 1; // seconds that are sent at once where the server is behind
const BEHIND = 60; // seconds that may wait
const BESIDE = 256; // bytes of a frame beside the sound

export class Pieces {
  // send(samples): resolves once they were taken; of none: the recording ends.  late(): too much waits
  constructor({ rate, frame, send, late = () => {} }) {
    Object.assign(this, { rate, send, late });
    // 16 bits each, four characters for three bytes
    this.most = Math.max(1, Math.min(JOIN * rate, Math.floor(((frame - BESIDE) * 3) / 8)));
    this.waiting = [];
    this.many = 0;
    this.going = null;
  }

  give(samples) {
    this.waiting.push(samples);
    this.many += samples.length;
    if (this.many > BEHIND * this.rate) this.late();
    this.going ??= this.go().finally(() => {
      this.going = null;
    });
    return this.going;
  }

  // Once all was taken, the recording ends. Rejects with what went wrong.
  async end() {
    while (this.going) await this.going;
    await this.send(new Float32Array(0));
  }

  drop() {
    this.waiting = [];
    this.many = 0;
  }

  async go() {
    try {
      while (this.many) await this.send(this.next());
    } catch (error) {
      this.drop();
      throw error;
    }
  }

  next() {
    const piece = new Float32Array(Math.min(this.many, this.most));
    let at = 0;
    while (at < piece.length) {
      const first = this.waiting[0];
      const part = first.subarray(0, piece.length - at);
      piece.set(part, at);
      at += part.length;
      if (part.length === first.length) this.waiting.shift();
      else this.waiting[0] = first.subarray(part.length);
    }
    this.many -= piece.length;
    return piece;
  }
}
