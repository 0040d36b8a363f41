// Frames on the stream: four bytes of length (big endian), then a JSON object in UTF-8.

'use strict';

const MAX_FRAME = 64 * 1024 * 1024;

class Connection {
  // `receive` is called with each frame in order; the process ends with the stream.
  constructor(socket, receive) {
    this.socket = socket;
    this.receive = receive;
    this.pieces = [];
    this.size = 0;
    socket.on('data', (piece) => this.take(piece));
    socket.on('end', () => process.exit(0));
    socket.on('error', () => process.exit(0));
  }

  take(piece) {
    this.pieces.push(piece);
    this.size += piece.length;
    while (this.size >= 4) {
      const first = this.pieces[0].length >= 4 ? this.pieces[0] : this.join();
      const need = 4 + first.readUInt32BE(0);
      if (need > MAX_FRAME) process.exit(70);
      if (this.size < need) return;
      const all = this.join();
      this.pieces = need < all.length ? [all.subarray(need)] : [];
      this.size -= need;
      this.receive(JSON.parse(all.toString('utf8', 4, need)));
    }
  }

  join() {
    if (this.pieces.length > 1) this.pieces = [Buffer.concat(this.pieces)];
    return this.pieces[0];
  }

  write(message) {
    const body = Buffer.from(JSON.stringify(message));
    const frame = Buffer.allocUnsafe(4 + body.length);
    frame.writeUInt32BE(body.length, 0);
    body.copy(frame, 4);
    this.socket.write(frame);
  }
}

module.exports = { Connection };
