// Beside the sound, in its own thread: samples by tenths of a second, to whoever listens.

class Pieces extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 10);
    this.piece = new Float32Array(this.size);
    this.at = 0;
    this.on = true;
    // Whatever is asked: the piece that has begun, and that was all.
    this.port.onmessage = () => {
      this.on = false;
      this.port.postMessage(this.piece.slice(0, this.at));
      this.port.postMessage(null);
    };
  }

  process([channels]) {
    const [samples] = channels;
    for (let from = 0; this.on && samples && from < samples.length; ) {
      const many = Math.min(this.size - this.at, samples.length - from);
      this.piece.set(samples.subarray(from, from + many), this.at);
      this.at += many;
      from += many;
      if (this.at === this.size) {
        this.port.postMessage(this.piece);
        this.piece = new Float32Array(this.size);
        this.at = 0;
      }
    }
    return this.on;
  }
}

registerProcessor("pieces", Pieces);
