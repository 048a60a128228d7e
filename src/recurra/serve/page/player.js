// Rows that are given one after the other, at a chosen speed.

export class Player {
  // take(row, at): gives a row; resolves to whether it was taken.  again(): begins anew; whether it could
  // told(): called whenever something changed.  ids: columns that say which sequence a row is of
  constructor({ take, again, told, ids }) {
    Object.assign(this, { take, again, told, ids });
    this.rows = [];
    this.at = 0;
    this.stale = false; // what was given is not what the rows begin with
    this.run = 0; // of the loop that plays, so that an older one ends
    this.playing = false;
    this.doing = Promise.resolve(); // the row that is given; the next one waits for it
  }

  // Rows that begin with those already given go on; others begin anew.
  set(rows) {
    const given = this.rows.slice(0, this.at);
    const same = given.length <= rows.length && given.every((row, i) => JSON.stringify(row) === JSON.stringify(rows[i]));
    this.rows = rows;
    if (!same) this.rewind();
    this.pause();
  }

  rewind() {
    this.stale = this.at > 0;
    this.at = 0;
  }

  get ended() {
    return this.at >= this.rows.length;
  }

  // What tells the sequence of a row from the others; "" where all are of one.
  sequence(at) {
    return this.ids
      .filter((id) => id in this.rows[at])
      .map((id) => this.rows[at][id])
      .join(", ");
  }

  pause() {
    this.run += 1;
    this.playing = false;
    this.told();
  }

  // speed(): rows a second, 0 for as fast as it goes
  async play(speed) {
    if (this.ended) this.rewind();
    this.run += 1;
    const mine = this.run;
    this.playing = true;
    this.told();
    while (this.run === mine && !this.ended) {
      const since = performance.now();
      if (!(await this.step())) break;
      const wait = speed() ? 1000 / speed() - (performance.now() - since) : 0;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, wait)));
    }
    if (this.run === mine) this.pause();
  }

  // One row; whether it was taken.
  step() {
    this.doing = this.doing.then(() => this.one());
    return this.doing;
  }

  async one() {
    if (this.ended) return false;
    const { at } = this;
    const other = this.stale || (at > 0 && this.sequence(at) !== this.sequence(at - 1));
    try {
      if (other && !(await this.again())) return false;
      this.stale = false;
      const done = await this.take(this.rows[at], at);
      if (done && this.at === at) this.at += 1;
      return done;
    } finally {
      this.told();
    }
  }

  leaveOut() {
    this.at += 1;
    this.told();
  }
}
